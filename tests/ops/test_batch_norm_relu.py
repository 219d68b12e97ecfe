"""Batch norm and ReLU in one op: the numbers, tables and pictures of the two that it stands for."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, models, nn, optim
from minigrad.function import trace
from minigrad.nn.fuse import run_layers
from minigrad.ops.norm import BatchNorm, BatchNormReLU, ScaleShiftReLU
from minigrad.profile import profile

FUSED = {BatchNormReLU, ScaleShiftReLU}
NETWORKS = {"small_cnn": lambda: models.small_cnn(size=16),
            "resnet18": lambda: models.resnet18(width=8),
            "resnet50": lambda: models.resnet50(width=8), "cifar": models.cifar_resnet20,
            "mobilenet": lambda: models.mobilenet_v2(4, dropout=0.0)}


def graph(y):
    """The classes of all Functions that y came from."""
    found, stack = set(), [y.node]
    while stack:
        node = stack.pop()
        if node not in found and not isinstance(node, Tensor) and node is not None:
            found.add(node)
            stack.extend(node.parents)
    return {type(node) for node in found}


def step(build, training, fused):
    """Output, gradients and state after one step, and the ops of its graph."""
    mg.manual_seed(0)
    model = build().train(training)
    x = Tensor(np.random.default_rng(1).standard_normal((4, 3, 16, 16)).astype(np.float32), True)
    if fused:
        y = model(x)
    else:
        with trace():
            y = model(x)
    kinds = graph(y)
    (y * y).sum().backward()
    optim.SGD(model.parameters(), lr=0.1).step()
    arrays = {"y": y.data, "x.grad": x.grad.data, **model.state_dict(),
              **{f"{name}.grad": p.grad.data for name, p in model.named_parameters()}}
    return {name: a.copy() for name, a in arrays.items()}, kinds


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_the_networks_has_the_bits_of_the_two_ops(name, training):
    (fused, kinds), (pair, others) = (step(NETWORKS[name], training, f) for f in (True, False))
    assert kinds & FUSED == {BatchNormReLU if training else ScaleShiftReLU}
    assert not others & FUSED and fused.keys() == pair.keys()
    for key in pair:
        assert fused[key].tobytes() == pair[key].tobytes(), key


@pytest.mark.parametrize("relu", [mg.relu, mg.relu6])
@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3), (3, 40, 9, 7), (2, 3, 1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_bits_in_any_layout_and_with_what_is_not_finite(shape, dtype, relu, rng):
    x = rng.standard_normal(shape).astype(dtype)
    x[0, 0] = np.nan
    x[1, 1] = np.inf
    g = rng.standard_normal(shape[::-1]).astype(dtype).transpose()
    layer = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(shape[1]).to(dtype)
    nn.init.constant_(layer.weight, 6)  # some beyond the ceiling of ReLU6
    for training in (True, False):
        if not training:  # two ops keep x's layout, one is channels-last, which sums in its order
            x = np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)
        results = []
        for run in (lambda norm, x: run_layers(x, norm, relu), lambda norm, x: relu(norm(x))):
            layer.train(training).zero_grad()
            a = Tensor(x, requires_grad=True)
            with np.errstate(invalid="ignore"):
                y = run(layer, a)
                y.backward(Tensor(g))
            results.append([y.data, a.grad.data, layer.weight.grad.data, layer.bias.grad.data])
        for one, other in zip(*results):
            assert one.tobytes() == other.tobytes() and one.dtype == dtype


def test_tables_have_the_rows_of_two_layers():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
    rows = {row.name: row for row in profile(model, (2, 3, 5, 5)).layers}
    assert rows["2"].output == (2, 4, 5, 5) and rows["2"].count.compare == 200
    assert rows["1"].count.compare == 0 and list(model.state_dict()) == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
        "1.num_batches_tracked"]


def test_a_layer_with_a_forward_of_its_own_keeps_it(rng):
    class Doubled(nn.BatchNorm1d):
        def forward(self, x):
            return 2 * super().forward(x)

    class Shifted(nn.ReLU):
        def forward(self, x):
            return mg.relu(x - 1)

    x = Tensor(rng.standard_normal((5, 3)).astype(np.float32))
    plain, patched = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    patched.forward = lambda x: -x
    for norm, relu in [(Doubled(3), nn.ReLU()), (plain, Shifted()), (patched, nn.ReLU())]:
        assert (nn.Sequential(norm, relu)(x).data == relu(norm(x)).data).all()
        assert (run_layers(x, norm, mg.relu).data == mg.relu(norm(x)).data).all()


@pytest.mark.parametrize("kind, method, value", [
    (nn.ReLU, "forward", lambda self, x: x), (nn.BatchNorm1d, "forward", lambda self, x: -x),
    (nn.Module, "__call__", lambda self, x: self.forward(x) + 1)])
def test_a_class_that_was_changed_later_keeps_it(monkeypatch, rng, kind, method, value):
    x = Tensor(rng.standard_normal((5, 3)).astype(np.float32))
    norm, relu = nn.BatchNorm1d(3), nn.ReLU()
    monkeypatch.setattr(kind, method, value)
    expected = relu(norm(x)).data
    assert (run_layers(x, norm, relu).data == expected).all()
    layers = nn.Sequential(norm, relu)
    assert (layers.forward(x).data == expected).all()


def test_only_a_relu_right_behind_is_taken_in(rng):
    x = Tensor(rng.standard_normal((5, 3)).astype(np.float32))
    for layers in ([nn.BatchNorm1d(3)], [nn.BatchNorm1d(3), nn.Tanh()],
                   [nn.BatchNorm1d(3), nn.Identity(), nn.ReLU()], [nn.ReLU(), nn.BatchNorm1d(3)]):
        kinds = graph(nn.Sequential(*layers)(x))
        assert BatchNorm in kinds and not kinds & FUSED
