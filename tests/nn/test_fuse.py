"""Which layers share an op: only those whose every call would run what their class says."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, models, nn
from minigrad.nn.fuse import run_layers, steps
from minigrad.ops.norm import BatchNorm, BatchNormReLU, ScaleShiftReLU

FUSED = BatchNormReLU, ScaleShiftReLU
X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


class Renamed(nn.BatchNorm1d):
    """Adds nothing, but could at any time."""


class Counted(nn.ReLU):
    """Adds a method that no forward calls."""

    def count(self):
        return 1


def is_fused(*layers):
    return isinstance(run_layers(Tensor(X, requires_grad=True), *layers).node, FUSED)


# --- what is run ---------------------------------------------------------------------------------

def test_layers_run_one_after_another():
    x = Tensor([1.0, -2.0])
    assert run_layers(x) is x
    assert run_layers(x, lambda x: x + 1, mg.relu, nn.Identity()).data.tolist() == [2, 0]
    with pytest.raises(ZeroDivisionError):
        run_layers(x, lambda x: 1 // 0)


def test_each_batch_norm_shares_an_op_with_the_relu_behind_it():
    norm, relu, linear = nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4)
    alone = [linear, norm, linear, relu, relu, norm]
    assert list(steps(alone)) == alone
    pairs = list(steps([norm, relu, linear, norm, mg.relu, norm]))
    assert pairs[1] is linear and pairs[3] is norm and len(pairs) == 4
    for kind in (relu, mg.relu, nn.ReLU6(), mg.relu6):
        assert is_fused(norm.train(), kind) and is_fused(norm.eval(), kind)


def test_no_layer_is_fused_while_ops_are_traced():
    norm, relu = nn.BatchNorm1d(4), nn.ReLU()
    with mg.function.trace() as calls:
        run_layers(Tensor(X), norm, relu)
    assert [type(call.function).__name__ for call in calls] == ["BatchNorm", "ReLU"]
    assert [call.scope for call in calls] == [(norm,), (relu,)]


def test_one_batch_is_counted_once():
    norm = nn.BatchNorm1d(4, momentum=None)
    for count in (1, 2):
        nn.Sequential(norm, nn.ReLU())(Tensor(X))
        assert norm.num_batches_tracked == count


# --- what is never passed over -------------------------------------------------------------------

@pytest.mark.parametrize("norm, relu", [
    (Renamed(4), nn.ReLU()), (nn.BatchNorm1d(4), Counted()), (Renamed(4), mg.relu)])
def test_a_subclass_is_never_fused(norm, relu):
    assert not is_fused(norm, relu)


@pytest.mark.parametrize("watched", [0, 1])
@pytest.mark.parametrize("training", [True, False])
def test_what_watches_a_layer_sees_its_input_and_its_output(watched, training):
    layers = nn.Sequential(nn.BatchNorm1d(4), nn.ReLU()).train(training)
    y = layers[0](Tensor(X)).data
    layer, seen = layers[watched], []
    run = layer.forward

    def forward(x):
        seen.append((x, run(x)))
        return seen[-1][1]

    layer.forward = forward
    result = layers(Tensor(X, requires_grad=True))
    ((x, output),) = seen
    assert not isinstance(result.node, FUSED)
    expected = [X, y, np.maximum(y, 0)]
    assert (x.data == expected[watched]).all() and (output.data == expected[watched + 1]).all()
    del layer.forward
    assert isinstance(layers(Tensor(X, requires_grad=True)).node, FUSED)


@pytest.mark.parametrize("build, name", [
    (lambda: models.resnet18(3, width=8), "layer1.0.bn1"),
    (lambda: models.resnet50(3, width=8), "layer1.0.bn2"),
    (lambda: models.resnet18(3, width=8), "bn1"), (models.cifar_resnet20, "layer1.0.bn1"),
    (models.cifar_resnet20, "bn1"), (lambda: models.small_cnn(size=32), "1")])
def test_what_watches_a_layer_of_a_network_is_asked(build, name):
    model, seen = build().eval(), []
    x = Tensor(np.random.default_rng(1).standard_normal((2, 3, 32, 32)).astype(np.float32))
    before = model(x).data
    norm = dict(model.named_modules())[name]
    run = norm.forward
    norm.forward = lambda x: seen.append(x) or run(x)
    assert (model(x).data == before).all() and len(seen) == 1


@pytest.mark.parametrize("watched", [0, 1])
@pytest.mark.parametrize("register, calls", [
    ("register_forward_hook", 1), ("register_forward_pre_hook", 1),
    ("register_full_backward_hook", 1)])
def test_a_layer_with_hooks_is_never_passed_over(register, calls, watched):
    layers, x, seen = nn.Sequential(nn.BatchNorm1d(4), nn.ReLU()), Tensor(X, True), []
    plain = layers(x).data
    with getattr(layers[watched], register)(lambda *what: seen.append(what)):
        result = layers(x)
        result.sum().backward()
        assert not isinstance(result.node, FUSED) and len(seen) == calls
        assert seen[0][0] is layers[watched] and result.data.tobytes() == plain.tobytes()
    assert isinstance(layers(x).node, FUSED) and len(seen) == calls


# --- the same numbers ----------------------------------------------------------------------------

def one_by_one(x, *layers):
    for layer in layers:
        x = layer(x)
    return x


def both(prepare, x=X, dtype=None):
    """Output, gradients and statistics of one step, fused and one by one."""
    for run in (run_layers, one_by_one):
        mg.manual_seed(0)
        linear, norm, relu = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU()
        sources = prepare(norm) or []
        a = Tensor(x, requires_grad=True)
        if dtype is None:
            y = run(a, linear, norm, relu)
        else:
            with mg.autocast(dtype):
                y = run(a, linear, norm, relu)
        assert isinstance(y.node, FUSED) == (run is run_layers)
        (y * y).sum().backward()
        found = [y.data, a.grad.data, norm.running_mean, norm.running_var,
                 norm.num_batches_tracked]
        for p in [linear.weight, *norm.parameters(), *sources]:
            found.append(None if p.grad is None else p.grad.data)
        yield found


def assert_same(results):
    one, other = results
    assert len(one) == len(other)
    for a, b in zip(one, other):
        assert a is b is None or a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return one


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_bits_of_16_bit_numbers(dtype, training):
    pytest.importorskip("ml_dtypes")
    y, *_ = assert_same(both(lambda norm: norm.train(training) and None, dtype=dtype))
    assert y.dtype == dtype


@pytest.mark.parametrize("frozen", [
    lambda norm: norm.eval() and None, lambda norm: norm.requires_grad_(False) and None,
    lambda norm: norm.eval().requires_grad_(False) and None])
def test_the_bits_of_frozen_layers(frozen):
    assert_same(both(frozen))


def test_a_weight_that_is_computed_gets_its_gradient():
    def normalised(norm):
        source = nn.Parameter(np.arange(1.0, 5.0, dtype=np.float32))
        norm.weight = source / (source * source).sum()
        return [source]

    *_, gradient = assert_same(both(normalised))
    assert gradient is not None and gradient.any()


@pytest.mark.parametrize("options", [
    {"affine": False}, {"bias": False}, {"momentum": None}, {"track_running_stats": False}])
@pytest.mark.parametrize("training", [True, False])
def test_the_bits_of_layers_without_some_of_their_parts(options, training):
    norm, relu = nn.BatchNorm1d(4, **options).train(training), nn.ReLU()
    y = run_layers(Tensor(X, requires_grad=True), norm, relu)
    assert isinstance(y.node, FUSED)
    norm = nn.BatchNorm1d(4, **options).train(training)
    assert y.data.tobytes() == relu(norm(Tensor(X))).data.tobytes()


def test_what_is_kept_for_backward_is_input_and_output():
    x = Tensor(X, requires_grad=True) * 1
    y = run_layers(x, nn.BatchNorm1d(4), mg.relu)
    kept = [record[0] for record in y.node.saved if record is not None]
    assert sum(array.nbytes for array in kept if array.ndim == 2) == 2 * X.nbytes
    assert any(array is y.data for array in kept) and any(array is x.data for array in kept)


# --- the name of before --------------------------------------------------------------------------

def test_the_earlier_name_says_what_to_write():
    norm = nn.BatchNorm1d(4)
    with pytest.warns(DeprecationWarning, match=r"minigrad\.nn\.fuse\.run_layers\(x, norm, relu\)"):
        y = nn.batch_norm_relu(norm, Tensor(X, requires_grad=True))
    assert isinstance(y.node, BatchNormReLU) and issubclass(BatchNormReLU, BatchNorm)
