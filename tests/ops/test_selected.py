"""What a mask drops is dropped, infinite or not; and the gradients at NaN, infinity and ties."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.kernels.elementwise.cpu import masked
from minigrad.kernels.norm import cpu as norm
from minigrad.ops.norm import BatchNormReLU, ScaleShiftReLU
from minigrad.ops.select import Dropout
from tests.gpu.cuda_devices import DEVICES, host

INF, NAN = np.inf, np.nan


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def gradient(f, x, gy=None):
    """df/dx as a list, the same recorded and not."""
    x = leaf(*x)
    y = f(x)
    gy = np.ones(y.shape, np.float32) if gy is None else np.array(gy, np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        (g,), (recorded,) = (mg.grad(y, [x], Tensor(gy), create_graph=record, retain_graph=True)
                             for record in (False, True))
    np.testing.assert_array_equal(g.data, recorded.data)
    return g.data.tolist()


def test_the_gradient_of_a_root_that_nobody_uses():
    x = leaf(-1, 4)
    with np.errstate(divide="ignore"):
        mg.sqrt(mg.relu(x)).sum().backward()
    assert x.grad.data.tolist() == [0, 0.25]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (2, 3, 4)])
def test_masked_is_where(dtype, shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    special = rng.choice([INF, -INF, NAN, -0.0], shape)
    x = np.where(rng.random(shape) < 0.5, x, special).astype(dtype)
    for array in (x, x.T, x[::-1] if shape else x):
        mask = rng.random(array.shape) < 0.5
        want = np.where(mask, array, np.zeros((), dtype))
        np.testing.assert_array_equal(masked(array, mask), want)
        out = np.full_like(array, 7)
        masked(array, mask, out=out)
        np.testing.assert_array_equal(out, want)
    row = np.float32([INF, 1])
    np.testing.assert_array_equal(masked(row, np.array([[True, False], [False, True]])),
                                  [[INF, 0], [0, 1]])
    np.testing.assert_array_equal(masked(np.float32([[INF, 1]]), np.array([[False], [True]])[:1]),
                                  [[0, 0]])


DROPS = {  # f, x with an infinite gradient where f drops x
    "relu": (mg.relu, [-1, 2], [INF, 1], [0, 1]),
    "relu at 0": (mg.relu, [0, 2], [-INF, 1], [0, 1]),
    "clip": (lambda x: mg.clip(x, 0, 1), [-1, 0.5], [INF, 1], [0, 1]),
    "maximum": (lambda x: mg.maximum(x, Tensor([0.0, 0.0])), [-1, 2], [INF, 1], [0, 1]),
    "where": (lambda x: mg.where(np.array([False, True]), x, 0), [1, 2], [INF, 1], [0, 1]),
    "power 0": (lambda x: x**0, [1, 2], [INF, 1], [0, 0]),
    "powers 0": (lambda x: mg.pow(x, Tensor([0.0, 1.0])), [1, 2], [INF, 1], [0, 1]),
    "dropout": (lambda x: Dropout(np.array([False, True]), 0.5)(x), [INF, 2], [INF, 1], [0, 2]),
    "max": (lambda x: mg.max(mg.reshape(x, (1, 2)), 1).values, [1, 2], [INF], [0, INF]),
    "amax": (mg.amax, [1, 2], INF, [0, INF])}


@pytest.mark.parametrize("name", DROPS)
def test_an_infinite_gradient_is_dropped(name):
    f, x, gy, want = DROPS[name]
    assert gradient(f, x, gy) == want


def test_a_dropped_infinity_is_gone_forward_too():
    y = Dropout(np.array([False, True]), 0.5)(np.float32([INF, 1]))
    assert y.tolist() == [0, 2]


def test_fused_batch_norm_drops_too():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3)).astype(np.float32)
    w, b = np.ones(3, np.float32), np.zeros(3, np.float32)
    op = BatchNormReLU(1e-5)
    y = op.forward(x, w, b)
    gy = np.where(y > 0, 1, INF).astype(np.float32)
    for got, want in zip(op.backward(gy, x, w, y), op.backward(np.float32(y > 0), x, w, y)):
        np.testing.assert_array_equal(got, want)
        assert np.isfinite(got).all()
    op = ScaleShiftReLU()
    y = op.forward(x, w, b)
    gy = np.where(y > 0, 1, NAN).astype(np.float32)
    recorded = [g.data for g in op.backward(*map(Tensor, (gy, x, w, y)))]
    for got, again in zip(op.backward(gy, x, w, y), recorded):
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got, again, rtol=1e-5)


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
def test_the_gpus_kernels_drop_too(xp):
    y, gy = np.float32([[0, 2], [0, 1], [3, NAN]]), np.float32([[INF, 1], [NAN, 2], [3, 4]])
    x = xp.asarray(np.float32([-1, 2, 0]))
    t = Tensor(x, requires_grad=True)
    mg.relu(t).backward(Tensor(xp.asarray(np.float32([INF, 1, INF]))))
    assert host(t.grad.data).tolist() == [0, 1, 0]
    one = np.ones(2, np.float32)
    ours = norm.fixed_gradient(*map(xp.asarray, (gy, np.ones_like(y), one, y)))
    theirs = norm.fixed_gradient(gy, np.ones_like(y), one, y)
    for got, want in zip(ours, theirs):
        np.testing.assert_array_equal(host(got), want)
    assert theirs[2].tolist() == [3, 7]


def test_an_ignored_target_drops_an_infinite_gradient():
    def loss(x):
        logp = mg.log_softmax(mg.reshape(x, (2, 2)), 1)
        return mg.nll_loss(logp, [-100, 1], np.float32([1, 2]), reduction="none")
    assert gradient(loss, [-INF, 1, 0, 0], [INF, 1])[:2] == [0, 0]


AT = [-INF, -1, 0, 1, INF, NAN]
THERE = {  # torch 2.13
    "relu": (mg.relu, [0, 0, 0, 1, 1, 1]),
    "leaky_relu": (lambda x: mg.leaky_relu(x, 0.5), [.5, .5, .5, 1, 1, .5]),
    "clip": (lambda x: mg.clip(x, -1, 1), [0, 1, 1, 1, 0, 0]),
    "softplus": (mg.softplus, [0, 0.26894142, 0.5, 0.73105858, 1, NAN]),
    "sigmoid": (mg.sigmoid, [0, 0.19661193, 0.25, 0.19661193, 0, NAN]),
    "tanh": (mg.tanh, [0, 0.41997434, 1, 0.41997434, 0, NAN])}


@pytest.mark.parametrize("name", THERE)
def test_gradients_at_infinity_and_nan(name):
    f, want = THERE[name]
    np.testing.assert_allclose(gradient(f, AT), want, rtol=1e-6)


def extremum(op):
    return lambda x: op(mg.reshape(x, (3, 3)), 1)


@pytest.mark.parametrize("op, want", [
    (extremum(mg.amax), [[NAN, NAN, NAN], [.5, .5, 0], [.5, .5, 0]]),
    (extremum(mg.amin), [[NAN, NAN, NAN], [0, 0, 1], [0, 0, 1]]),
    (lambda x: extremum(mg.max)(x).values, [[0, 1, 0], [1, 0, 0], [1, 0, 0]]),
    (lambda x: extremum(mg.min)(x).values, [[0, 1, 0], [0, 0, 1], [0, 0, 1]]),
    (mg.max, [[0, .5, .5], [0, 0, 0], [0, 0, 0]]), (mg.min, [[0, .5, .5], [0, 0, 0], [0, 0, 0]])])
def test_gradients_of_extrema(op, want):
    got = gradient(op, [1, NAN, NAN, 2, 2, 1, INF, INF, -INF])
    np.testing.assert_array_equal(np.reshape(got, (3, 3)), want)


@pytest.mark.parametrize("pool", [lambda x: mg.max_pool2d(x, 2), lambda x:
                                  mg.adaptive_max_pool2d(x, 1)])
@pytest.mark.parametrize("pixels, want", [
    ([1, NAN, NAN, 2], [[0, 1, 0, 0], [0, 0, 1, 0]]), ([-INF] * 4, [[1, 0, 0, 0]]),
    ([3, 3, 1, 3], [[1, 0, 0, 0]])])
def test_gradients_of_max_pooling(pool, pixels, want):
    """Of several NaN torch takes the last, we the first, as at ties: both take one."""
    assert gradient(lambda x: pool(mg.reshape(x, (1, 1, 2, 2))), pixels) in want
