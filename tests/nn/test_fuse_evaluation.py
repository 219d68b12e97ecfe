"""In evaluation a convolution scales its own output: where, where not, and with the same bits."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, models, nn
from minigrad.kernels.conv import columns, depthwise, plans, winograd, winograd_views
from minigrad.kernels.runtime.window import Window
from minigrad.models.efficientnet import SameConv2d
from minigrad.nn import fuse
from minigrad.nn.fuse import run_layers
from minigrad.ops.conv import conv2d_scaled

PIXELS = np.random.default_rng(0).standard_normal((3, 4, 9, 8)).astype(np.float32)


@pytest.fixture
def scaled(monkeypatch):
    """A list that grows with every convolution that scales its own output."""
    calls, run = [], fuse.conv2d_scaled
    monkeypatch.setattr(fuse, "conv2d_scaled", lambda *a, **b: calls.append(b["relu"]) or run(
        *a, **b))
    return calls


def moved(norm):
    """The batch normalisation in evaluation, after some training."""
    rng = np.random.default_rng(1)
    for array in (norm.running_mean, norm.running_var, *(p.data for p in norm.parameters())):
        array[...] = rng.random(array.shape) + 0.5
    return norm.eval()


def layers(relu=None, **options):
    return [nn.Conv2d(4, 6, 3, padding=1, **options), moved(nn.BatchNorm2d(6)),
            *([relu] if relu else [])]


def one_by_one(x, *layers):
    for layer in layers:
        x = layer(x)
    return x


@pytest.mark.parametrize("relu, number", [
    (None, 0), (nn.ReLU(), 1), (mg.relu, 1), (nn.ReLU6(), 6), (mg.relu6, 6)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [
    {}, {"bias": False}, {"groups": 2}, {"stride": 2, "padding_mode": "reflect"}])
def test_one_op_gives_the_bits_of_three(scaled, relu, number, dtype, options):
    chain = layers(relu, **options)
    for layer in chain[:2]:
        layer.to(dtype)
    x = Tensor(PIXELS.astype(dtype))
    with mg.no_grad():
        y, expected = run_layers(x, *chain), one_by_one(x, *chain)
    assert scaled == [number] and y.dtype == dtype and not y.requires_grad
    assert y.data.tobytes() == expected.data.tobytes()


@pytest.mark.parametrize("kernel", ["Haswell", "SkylakeX"])
@pytest.mark.parametrize("channels, groups, size", [(48, 1, 19), (48, 48, 19), (40, 10, 7)])
def test_every_plan_scales(on_a_machine_with, scaled, kernel, channels, groups, size):
    on_a_machine_with(kernel)
    rng = np.random.default_rng(0)
    chain = [nn.Conv2d(channels, channels, 3, padding=1, groups=groups),
             moved(nn.BatchNorm2d(channels)), nn.ReLU6()]
    x = Tensor(3 * rng.standard_normal((3, channels, size, size)).astype(np.float32))
    with mg.no_grad():
        y, expected = run_layers(x, *chain), one_by_one(x, *chain)
    assert scaled == [6] and (y.data == expected.data).all() and 0 < (y.data == 6).mean() < 0.5
    plan = plans.choose("forward", x.shape, chain[0].weight.shape, Window(3, 3, 1, 1, 1, 1), groups,
                        np.float32)
    views = winograd_views if kernel == "SkylakeX" else winograd
    assert plan is {1: views, 48: depthwise, 10: columns}[groups]


@pytest.mark.parametrize("build, count", [
    (lambda: models.resnet18(3, width=8), 20), (lambda: models.efficientnet_lite0(3), 49),
    (models.cifar_resnet20, 19), (lambda: models.mobilenet_v2(3), 52)])
def test_networks_give_the_same_bits_with_and_without_a_graph(scaled, build, count):
    net = build().eval()
    for _, layer in net.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            moved(layer)
    x = Tensor(np.random.default_rng(1).standard_normal((2, 3, 32, 32)).astype(np.float32))
    expected = net(x)
    assert expected.requires_grad and not scaled
    with mg.no_grad():
        assert net(x).data.tobytes() == expected.data.tobytes()
    assert len(scaled) == count


def test_what_has_changed_counts_at_once():
    """Nothing is kept from one call to the next: neither weights nor statistics."""
    conv, norm = chain = layers()
    x = Tensor(PIXELS)
    for change in (lambda: conv.weight.data.__imul__(2), lambda: norm.running_var.__imul__(3),
                   lambda: norm.bias.data.__iadd__(1)):
        with mg.no_grad():
            before = run_layers(x, *chain).data
            change()
            after = run_layers(x, *chain).data
            assert abs(after - before).max() > 0.1
            assert after.tobytes() == one_by_one(x, *chain).data.tobytes()


# --- where the layers run one by one -------------------------------------------------------------

class Louder(nn.Conv2d):
    def forward(self, input):
        return super().forward(input) * 2


@pytest.mark.parametrize("conv", [Louder(4, 6, 3), nn.Conv1d(9, 6, 3), nn.ConvTranspose2d(4, 6, 3)])
def test_what_is_no_plain_convolution_is_called(scaled, conv):
    chain = [conv, moved(nn.BatchNorm1d(6) if type(conv) is nn.Conv1d else nn.BatchNorm2d(6))]
    x = Tensor(PIXELS[0] if type(conv) is nn.Conv1d else PIXELS)
    with mg.no_grad():
        assert run_layers(x, *chain).data.tobytes() == one_by_one(x, *chain).data.tobytes()
    assert not scaled


def test_a_graph_training_a_trace_or_batch_statistics_keep_two_ops(scaled):
    conv, norm = chain = layers()
    x = Tensor(PIXELS)
    assert run_layers(x, *chain).requires_grad
    with mg.no_grad():
        with mg.function.trace() as calls:
            run_layers(x, *chain)
        assert {call.scope for call in calls} == {(conv,), (norm,)}
        run_layers(x, conv, norm.train())
        run_layers(x, conv, nn.BatchNorm2d(6, track_running_stats=False).eval())
        with mg.autocast("bfloat16"):
            assert run_layers(x, conv, norm.eval()).dtype == "bfloat16"
    assert not scaled


@pytest.mark.parametrize("watched", [0, 1])
def test_hooks_and_replaced_forwards_are_asked(scaled, watched):
    chain, seen = layers(), []
    x = Tensor(PIXELS)
    with mg.no_grad():
        handle = chain[watched].register_forward_hook(lambda *what: seen.append(what))
        run_layers(x, *chain)
        handle.remove()
        run = chain[watched].forward
        chain[watched].forward = lambda x: seen.append(x) or run(x)
        run_layers(x, *chain)
        assert len(seen) == 2 and not scaled
        del chain[watched].forward
        run_layers(x, *chain)
        assert len(seen) == 2 and len(scaled) == 1


def half_converted(norm):
    norm = copy.deepcopy(norm)
    norm.weight = nn.Parameter(norm.weight.data.astype(float))
    return norm


def test_what_does_not_fit_raises_what_it_raises_one_by_one(scaled):
    conv, norm = layers()
    x = Tensor(PIXELS)
    for first, chain in ((x, [conv, nn.BatchNorm2d(5).eval()]),
                         (Tensor(PIXELS[0]), [conv, norm]),
                         (Tensor(PIXELS[:, :2]), [conv, norm]),
                         (x, [conv, copy.deepcopy(norm).double()]),
                         (x, [conv, half_converted(norm)])):
        errors = []
        for run in (run_layers, one_by_one):
            with mg.no_grad(), pytest.raises((ValueError, TypeError)) as caught:
                run(first, *chain)
            errors.append((type(caught.value), str(caught.value)))
        assert errors[0] == errors[1]
    assert len(scaled) == 1     # the channels of the input, of which the op itself complains


def test_the_op_leaves_no_graph():
    conv, norm = layers()
    factor, shift = norm.factor_and_shift()
    y = conv2d_scaled(Tensor(PIXELS, requires_grad=True), conv.weight, conv.bias, 1, 1, 1, 1,
                      factor, shift)
    assert y.node is None and not y.requires_grad
    assert SameConv2d.forward in fuse.CONVOLUTIONS
