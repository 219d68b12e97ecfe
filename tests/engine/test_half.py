"""16-bit numbers on the CPU: what ops make of them, and which ops `autocast` gives them to."""

import sys

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Function, Tensor, nn
from minigrad.dtypes import is_half, number_type
from tests.engine.halves import EPS, HALVES, needs_bfloat16
from tests.one_line import one_line
from tests.ops.op_checks import leaves, upstream
from tests.ops.op_table import DIFFERENTIABLE, TABLE

every_half = pytest.mark.parametrize("dtype", HALVES)


# ---- one op --------------------------------------------------------------------------------------

@every_half
@pytest.mark.parametrize("name", sorted(n for n in DIFFERENTIABLE if "batch_norm" not in n))
def test_every_op_gives_what_float32_gives_rounded(name, dtype):
    op = TABLE[name]

    @settings(max_examples=2, phases=[Phase.generate])
    @given(st.data())
    def compare(data):
        sample = data.draw(op.samples)
        f, half = op.bound(sample.options), number_type(dtype)
        narrow = [a.astype(np.float32).astype(half) for a in sample.arrays]
        results = []
        for arrays in narrow, [a.astype(np.float32) for a in narrow]:
            xs = leaves(arrays)
            y = f(*xs)
            v = Tensor(upstream(y).astype(half).astype(y.dtype))
            gradients = mg.grad(y, xs, v)
            assert {x.dtype for x in (y, *gradients)} == {arrays[0].dtype}
            results.append([x.data.astype(np.float32) for x in (y, *gradients)])
        for ours, exact in zip(*results):
            scale = np.abs(exact).max(initial=1)
            np.testing.assert_allclose(ours, exact, rtol=0, atol=8 * EPS[dtype] * scale)

    compare()


@every_half
@pytest.mark.parametrize("name", sorted(n for n in DIFFERENTIABLE if "batch_norm" not in n))
def test_a_recorded_backward_gives_the_same_bits(name, dtype):
    op = TABLE[name]

    @settings(max_examples=3, phases=[Phase.generate])
    @given(st.data())
    def compare(data):
        sample = data.draw(op.samples)
        half = number_type(dtype)
        xs = leaves([a.astype(np.float32).astype(half) for a in sample.arrays])
        y = op.bound(sample.options)(*xs)
        v = Tensor(upstream(y).astype(half).astype(y.dtype))
        plain = mg.grad(y, xs, v, retain_graph=True)
        for g, recorded in zip(plain, mg.grad(y, xs, v, create_graph=True)):
            assert recorded.dtype == g.dtype and recorded.data.tobytes() == g.data.tobytes()

    compare()


@every_half
def test_counts_in_a_recorded_backward_are_exact(dtype):
    x = Tensor(np.ones(1000, np.float32).astype(number_type(dtype)), requires_grad=True)
    for f in (mg.amax, mg.amin):
        (g,) = mg.grad(f(x), x, create_graph=True)
        np.testing.assert_allclose(g.data.astype(np.float32), 1e-3, rtol=EPS[dtype])


@every_half
@pytest.mark.parametrize("f", [mg.exp, mg.tanh, mg.sigmoid, mg.softplus, lambda x: x**3,
                               lambda x: mg.log_softmax(x, 0), lambda x: 1 / (x * x + 2)],
                         ids=range(7))
def test_second_derivatives_are_rounded_once_per_pass(f, dtype):
    v, w = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
    half, second = number_type(dtype), []
    for x in (v.astype(half), v.astype(half).astype(np.float32)):
        (x,) = leaves([x])
        (g,) = mg.grad(f(x).sum(), x, create_graph=True)
        second.append(mg.grad(g, x, w)[0])
    assert second[0].dtype == dtype
    exact = second[1].data
    np.testing.assert_allclose(second[0].data.astype(np.float32), exact, rtol=0,
                               atol=4 * EPS[dtype] * np.abs(exact).max())


@every_half
@pytest.mark.parametrize("training", [False, True])
def test_batch_normalisation_recorded(training, dtype):
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((4, 3, 2)).astype(number_type(dtype)), requires_grad=True)
    norm = nn.BatchNorm1d(3).train(training)
    y, v = norm(x), Tensor(rng.standard_normal((4, 3, 2)).astype(number_type(dtype)))
    inputs = [x, norm.weight, norm.bias]
    plain = mg.grad(y, inputs, v, retain_graph=True)
    for g, recorded in zip(plain, mg.grad(y, inputs, v, create_graph=True)):
        assert recorded.dtype == g.dtype
        np.testing.assert_allclose(recorded.data.astype(np.float32), g.data.astype(np.float32),
                                   rtol=2 * EPS[dtype], atol=2 * EPS[dtype])


@every_half
def test_sums_are_taken_in_float32(dtype):
    ones = Tensor(np.ones((300, 40), np.float32).astype(number_type(dtype)), requires_grad=True)
    y = ones.sum(0) if dtype == "bfloat16" else ones.expand(20, 300, 40).sum((0, 1))
    assert (y.data == (300 if dtype == "bfloat16" else 6000)).all()     # 8 and 11 bits hold less
    x = Tensor(np.ones((2, 300), np.float32)).to(dtype)
    assert (mg.linear(x, x).data == 300).all()


@every_half
@pytest.mark.parametrize("f", [mg.mul, mg.div, mg.pow, mg.matmul, lambda a, b: mg.div(b, a),
                               lambda a, b: mg.pow(b, a), lambda a, b: b @ a], ids=range(7))
def test_the_gradient_of_a_repeated_operand_is_rounded_once(f, dtype):
    rng = np.random.default_rng(0)
    half, shapes = number_type(dtype), [(40, 3, 3), (1, 3, 3)]
    a, b = (rng.uniform(0.5, 2, shape).astype(half) for shape in shapes)
    v = rng.standard_normal((40, 3, 3)).astype(half).astype(np.float32)
    narrow, wide = leaves([a, b]), leaves([a.astype(np.float32), b.astype(np.float32)])
    exact = mg.grad(f(*wide), wide, v)
    for recorded in (False, True):
        for g, right in zip(mg.grad(f(*narrow), narrow, v, create_graph=recorded), exact):
            assert g.dtype == dtype and g.data.tobytes() == right.data.astype(half).tobytes()


def test_the_gradient_of_one_factor_of_many():
    """A product 1.1 * 1.7 is 1.86955 in float32, and 1.86914 in float16."""
    x = Tensor(np.full(1000, 1.7), dtype="float16")
    factor = Tensor(np.array([3.0]), requires_grad=True, dtype="float16")
    (g,) = mg.grad(x * factor, [factor], Tensor(np.full(1000, 1.1), dtype="float16"))
    assert g.item() == 1870


@every_half
def test_a_function_of_ones_own_is_given_float32_both_ways(dtype):
    seen = []

    class Square(Function):
        def forward(self, x):
            seen.append(x.dtype)
            return x * x

        def backward(self, gy, x):
            seen.extend([gy.dtype, x.dtype])
            return 2 * gy * x

    x = Tensor(np.full(3, 3.0, np.float32), requires_grad=True)
    y = Square()(x.to(dtype))
    y.sum().backward()
    assert y.dtype == dtype and set(seen) == {np.dtype(np.float32)} and len(seen) == 3
    assert x.grad.dtype == np.float32 and (x.grad.data == 6).all()


@every_half
def test_what_only_moves_keeps_its_memory(dtype):
    x = Tensor(np.ones((2, 3), np.float32)).to(dtype)
    for y in (x.reshape(3, 2), x.T, x[0], x.expand(4, 2, 3)):
        assert y.dtype == dtype and np.shares_memory(y.data, x.data)
    assert x.to(dtype) is x


@needs_bfloat16
def test_types_are_promoted_as_in_torch():
    half, brain, whole = (Tensor([1, 2, 3]).to(d) for d in ("float16", "bfloat16", "int64"))
    assert (half + brain).dtype == np.float32 and (brain + whole).dtype == "bfloat16"
    assert (brain * 0.5).dtype == (1 - brain).dtype == "bfloat16"
    assert (brain + Tensor([1.0, 1, 1])).dtype == np.float32
    assert (brain > 1.5).data.tolist() == [False, True, True]
    assert Tensor([1.5], dtype="bfloat16").item() == 1.5


def test_bfloat16_without_its_package_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)     # `import ml_dtypes` fails
    for ask in (lambda: Tensor([1.0]).to("bfloat16"), lambda: mg.autocast("bfloat16").__enter__()):
        with one_line(RuntimeError, "ml_dtypes", "pip install 'minigrad[bf16]'", "float16"):
            ask()


# ---- autocast ------------------------------------------------------------------------------------

def inputs():
    rng = np.random.default_rng(0)
    return [Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True)
            for shape in ((2, 3, 8, 8), (4, 3, 3, 3), (4,))]


@every_half
def test_products_take_16_bits_and_losses_float32(dtype):
    x, w, b = inputs()
    target = np.array([1, 2])
    with mg.autocast(dtype):
        y = mg.conv2d(x, w, b)
        same = [mg.conv_transpose2d(y, w), mg.relu(y), mg.max_pool2d(y, 2), y + y,
                mg.dropout(y, 0.5), nn.BatchNorm2d(4)(y), nn.BatchNorm2d(4).eval()(y),
                y.mean((2, 3)), mg.matmul(x, x), mg.linear(x.flatten(1), x.flatten(1))]
        scores = same[7]
        wide = [mg.softmax(scores, 1), mg.log_softmax(scores, 1), mg.cross_entropy(scores, target),
                mg.nll_loss(scores, target), mg.mse_loss(y, y),
                mg.binary_cross_entropy_with_logits(y, y > 0), x + x, y + x[:, :1, :6, :6]]
    assert all(z.dtype == dtype for z in [y, *same])
    assert all(z.dtype == np.float32 for z in wide)
    assert mg.matmul(x, x).dtype == np.float32              # outside


@every_half
def test_a_gradient_comes_back_in_float32_from_a_product_of_rounded_numbers(dtype):
    x, w, b = inputs()
    with mg.autocast(dtype):
        mg.conv2d(x, w, b).sum().backward()
    rounded = [Tensor(a.data.astype(number_type(dtype)).astype(np.float32), requires_grad=True)
               for a in (x, w, b)]
    mg.conv2d(*rounded).sum().backward()
    for ours, exact in zip((x, w, b), rounded):
        assert ours.grad.dtype == np.float32
        np.testing.assert_allclose(ours.grad.data, exact.grad.data, rtol=2 * EPS[dtype],
                                   atol=2 * EPS[dtype])


def test_it_ends_with_its_block_and_leaves_float64_alone():
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    y = Tensor(np.ones((2, 2), np.float32))
    with pytest.raises(ZeroDivisionError), mg.autocast("float16"):
        assert (y @ y).dtype == np.float16 and (x @ x).dtype == np.float64
        1 / 0
    assert (y @ y).dtype == np.float32
    with one_line(ValueError, "autocast", "'float64'", "'bfloat16'"):
        mg.autocast("float64").__enter__()


def test_second_derivatives_pass_through_a_cast():
    x = Tensor(np.array([[0.5, -1.5]], np.float32), requires_grad=True)
    with mg.autocast("float16"):
        y = (x @ x.T).to("float32").sum()
    (g,) = mg.grad(y, [x], create_graph=True)
    (gg,) = mg.grad((g * g).sum(), [x])
    assert gg.dtype == np.float32
    np.testing.assert_allclose(gg.data, 8 * x.data, rtol=2e-3)


def test_statistics_of_16_bit_training_are_float32():
    x = Tensor(np.random.default_rng(0).standard_normal((8, 2, 4, 4)).astype(np.float16) + 1)
    norm = nn.BatchNorm2d(2)
    assert norm(x).dtype == np.float16 and norm.running_mean.dtype == np.float32
    assert is_half(norm.eval()(x))
    with one_line(TypeError, "batch_norm", "float16", "float32"):
        norm.train().to("float16")(x)
