"""Modules and layers: names and order of parameters, state_dict, modes, repr, initial values."""

import copy
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, no_grad
from tests.one_line import one_line


@pytest.fixture(autouse=True)
def seeded():
    mg.manual_seed(0)


class Block(nn.Module):
    """A layer of its own, a nested one, an attribute that is neither, and a shared one."""

    def __init__(self):
        self.scale = nn.Parameter([1.0, 2.0])
        self.inner = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2, bias=False))
        self.offset = nn.Parameter(np.zeros(2, np.float32))
        self.again = self.inner
        self.tied = self.scale
        self.size = 3

    def forward(self, x):
        return self.inner(x) * self.scale + self.offset


NAMES = ["scale", "offset", "inner.0.weight", "inner.0.bias", "inner.2.weight"]
ALL_NAMES = ["scale", "offset", "tied", *NAMES[2:], "again.0.weight", "again.0.bias",
             "again.2.weight"]      # with what is shared, as PyTorch orders them


# ---- the tree ------------------------------------------------------------------------------------

def test_parameters_are_named_in_the_order_of_assignment_each_once():
    block = Block()
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert list(block.state_dict()) == ALL_NAMES and len(list(block.parameters())) == len(NAMES)
    assert [name for name, _ in block.named_modules()] == ["", "inner", "inner.0", "inner.1",
                                                           "inner.2"]
    assert [name for name, _ in block.named_children()] == ["inner", "again"]
    assert all(p.requires_grad and p.is_leaf for p in block.parameters())


def test_modes_reach_the_whole_tree():
    block = Block()
    assert block.training and block.eval() is block
    assert not any(module.training for _, module in block.named_modules())
    assert block.train() is block and block.inner[1].training


def test_freezing_and_zero_grad():
    block = Block()
    assert block.requires_grad_(False) is block
    assert not block(Tensor([1.0, 2.0])).requires_grad
    block.requires_grad_()
    block(Tensor([1.0, 2.0])).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())


def test_a_module_moves_to_another_dtype_with_its_gradients():
    block = Block()
    parameters = list(block.parameters())
    block(Tensor([1.0, 2.0])).sum().backward()
    assert block.to("float64") is block
    assert all(a is b for a, b in zip(parameters, block.parameters()))
    assert {p.dtype for p in parameters} | {p.grad.dtype for p in parameters} == {np.dtype("f8")}
    with one_line(TypeError, "int32"):
        block.to("int32")
    with one_line(ValueError, "'cpux'"):
        block.to("cpux")
    assert {p.dtype for p in parameters} == {np.dtype("f8")}


def test_a_deep_copy_is_independent():
    block = Block()
    other = copy.deepcopy(block)
    with no_grad():
        other.scale += 1
    assert other.tied is other.scale and block.scale.data.tolist() == [1, 2]
    x = Tensor([1.0, 2.0])
    assert (block.inner(x).data == other.inner(x).data).all()


def test_repr_shows_the_tree():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.LeakyReLU(0.2),
                          nn.MaxPool2d(2), nn.Sequential(nn.Flatten(), nn.Linear(8, 2)),
                          nn.Dropout(0.25))
    assert repr(model) == """\
Sequential(
  (0): Conv2d(3, 8, kernel_size=(3, 3), stride=2, padding=1, bias=False)
  (1): LeakyReLU(negative_slope=0.2)
  (2): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  (3): Sequential(
    (0): Flatten()
    (1): Linear(8, 2)
  )
  (4): Dropout(p=0.25)
)"""


def test_sequential_is_a_row():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert len(model) == 2 and model[-1] is list(model)[1] and isinstance(model[0], nn.Linear)
    x = Tensor([[1.0, -1.0]])
    assert (model(x).data == mg.relu(model[0](x)).data).all()
    assert nn.Sequential()(x) is x
    with one_line(TypeError, "item 1", "float"):
        nn.Sequential(nn.ReLU(), 1.0)


# ---- state_dict ----------------------------------------------------------------------------------

def test_state_is_loaded_into_the_same_tensors():
    block, other = Block(), Block()
    parameters = list(block.parameters())
    wide = {name: Tensor(2 * a.astype(np.float64)) for name, a in other.state_dict().items()}
    block.load_state_dict(wide)
    assert all(a is b for a, b in zip(parameters, block.parameters()))
    for name, p in block.named_parameters():
        assert p.dtype == np.float32 and np.array_equal(p.data, 2 * other.state_dict()[name])
        assert not np.shares_memory(p.data, wide[name].data)


@pytest.mark.parametrize("spoil, words", [
    (lambda s: [s.pop("scale"), s.pop("inner.0.bias"), s.update(extra=0, other=1)],
     ["Block", "missing: scale, inner.0.bias", "unexpected: extra, other"]),
    (lambda s: s.update({"scale": np.ones(3), "inner.0.weight": np.ones((2, 3))}),
     ["scale: float64 (3,) for float32 (2,)", "inner.0.weight: float64 (2, 3) for float32 (3, 2)"]),
    (lambda s: s.update(offset=np.array(["a", "b"])), ["offset: <U1 (2,)"]),
    (lambda s: s.update(offset=np.ones(2) * 1j), ["offset: complex128 (2,)"]),
    (lambda s: [s.pop("scale"), s.update(extra=0, offset=np.ones(3))],
     ["missing: scale", "unexpected: extra", "wrong shapes or dtypes: offset: float64 (3,)"])],
    ids=["names", "shapes", "text", "complex", "everything"])
def test_a_wrong_state_is_listed_in_full_and_nothing_is_loaded(spoil, words):
    block = Block()
    before = copy.deepcopy(block.state_dict())
    state = {name: array + 1 for name, array in before.items()}
    spoil(state)
    with one_line(ValueError, *words):
        block.load_state_dict(state)
    assert all((block.state_dict()[name] == array).all() for name, array in before.items())


def test_strict_false_loads_what_fits():
    block = Block()
    block.load_state_dict({"scale": [5, 6], "extra": 0}, strict=False)
    assert block.scale.data.tolist() == [5, 6] and block.offset.data.tolist() == [0, 0]
    with one_line(ValueError, "scale: int64 (3,)"):  # not even then
        block.load_state_dict({"scale": [5, 6, 7]}, strict=False)


def test_buffers_are_saved_loaded_and_moved_but_not_trained():
    model, other = nn.Sequential(nn.BatchNorm1d(3)), nn.Sequential(nn.BatchNorm1d(3))
    model(Tensor(np.arange(12, dtype=np.float32).reshape(4, 3)))
    names = ["running_mean", "running_var", "num_batches_tracked"]
    assert list(model.state_dict()) == [f"0.{n}" for n in ["weight", "bias", *names]]
    assert [name for name, _ in model.named_buffers()] == [f"0.{n}" for n in names]
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    live = other[0].running_mean
    other.load_state_dict(model.state_dict())
    assert other[0].running_mean is live and not np.shares_memory(live, model[0].running_mean)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)
    other.to("float64")
    assert other[0].running_var.dtype == np.float64 and other[0].num_batches_tracked.dtype == int
    assert other.eval()(Tensor(np.ones((2, 3)))).dtype == np.float64


def test_numbers_that_know_their_dtype_are_no_buffers():
    assert not dict(nn.LeakyReLU(np.float32(0.1)).named_buffers())


def test_files_without_num_batches_tracked_load():
    model = nn.BatchNorm2d(2)
    model.num_batches_tracked += 5
    state = {name: a for name, a in model.state_dict().items() if name != "num_batches_tracked"}
    model.load_state_dict(state)
    assert model.num_batches_tracked == 0


# ---- layers --------------------------------------------------------------------------------------

def test_linear_and_conv_call_their_ops():
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 6, 5)).astype(np.float32))
    conv = nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0))
    assert conv.weight.shape == (4, 3, 3, 2) and conv.bias.shape == (4,)
    y = conv(x)
    assert y.shape == (2, 4, 3, 4)
    assert (y.data == mg.conv2d(x, conv.weight, conv.bias, (2, 1), (1, 0)).data).all()
    conv = nn.Conv2d(3, 6, 2, padding="same", dilation=2, groups=3, bias=False)
    assert conv.weight.shape == (6, 1, 2, 2) and conv(x).shape == (2, 6, 6, 5)
    assert (conv(x).data == mg.conv2d(x, conv.weight, padding="same", dilation=2,
                                      groups=3).data).all()
    up = nn.ConvTranspose2d(3, 6, 3, stride=2, padding=1, output_padding=1, groups=3)
    assert up.weight.shape == (3, 2, 3, 3) and up.bias.shape == (6,)
    assert up(x).shape == (2, 6, 12, 10)
    assert (up(x).data == mg.conv_transpose2d(x, up.weight, up.bias, 2, 1, 1, 3).data).all()
    linear = nn.Linear(5, 7)
    assert (linear(x).data == mg.linear(x, linear.weight, linear.bias).data).all()
    assert linear(x).shape == (2, 3, 6, 7) and nn.Linear(5, 7, bias=False).bias is None


@pytest.mark.parametrize("layer, f", [
    (nn.Sigmoid(), mg.sigmoid), (nn.Tanh(), mg.tanh), (nn.ReLU(), mg.relu),
    (nn.LeakyReLU(0.3), lambda x: mg.leaky_relu(x, 0.3)), (nn.Softplus(), mg.softplus),
    (nn.Flatten(), lambda x: x.reshape(2, -1)),
    (nn.MaxPool2d(2), lambda x: mg.max_pool2d(x, 2, 2)),
    (nn.MaxPool2d(3, 2, 1), lambda x: mg.max_pool2d(x, 3, 2, 1)),
    (nn.MaxPool2d(2, 3, 1, 2, False, True), lambda x: mg.max_pool2d(x, 2, 3, 1, 2, True)),
    (nn.AdaptiveAvgPool2d((3, 1)), lambda x: mg.adaptive_avg_pool2d(x, (3, 1))),
    (nn.AdaptiveMaxPool2d((3, 1)), lambda x: mg.adaptive_max_pool2d(x, (3, 1))),
    (nn.UpsamplingNearest2d(scale_factor=2), lambda x: mg.upsample_nearest2d(x, 2)),
    (nn.Identity(), lambda x: x),
    (nn.AvgPool2d((2, 1)), lambda x: mg.avg_pool2d(x, (2, 1)))], ids=lambda v: type(v).__name__)
def test_layers_without_parameters_are_their_op(layer, f):
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 4, 4)))
    assert (layer(x).data == f(x).data).all() and not list(layer.parameters())


@pytest.mark.parametrize("build, words", [
    (lambda: nn.Linear(0, 3), ["Linear", "in_features", "0"]),
    (lambda: nn.Linear(3, 2.5), ["Linear", "out_features", "2.5"]),
    (lambda: nn.Conv2d(1, -1, 3), ["Conv2d", "out_channels", "-1"]),
    (lambda: nn.Conv2d(1, 1, 0), ["Conv2d", "kernel_size", "0"]),
    (lambda: nn.Conv2d(1, 1, (3,)), ["Conv2d", "kernel_size", "(3,)"]),
    (lambda: nn.Conv2d(1, 1, 3, stride=0), ["Conv2d", "stride", "0"]),
    (lambda: nn.Conv2d(1, 1, 3, stride=1.5), ["Conv2d", "stride", "1.5"]),
    (lambda: nn.Conv2d(1, 1, 3, padding=-1), ["Conv2d", "padding", "-1"]),
    (lambda: nn.Conv2d(1, 1, 3, padding="full"), ["Conv2d", "padding", "'full'"]),
    (lambda: nn.Conv2d(1, 1, 3, dilation=0), ["Conv2d", "dilation", "0"]),
    (lambda: nn.Conv2d(4, 6, 3, groups=4), ["Conv2d", "groups=4", "out_channels=6"]),
    (lambda: nn.Conv2d(4, 6, 3, groups=0), ["Conv2d", "groups", "0"]),
    (lambda: nn.ConvTranspose2d(1, 1, 3, padding="same"), ["ConvTranspose2d", "padding"]),
    (lambda: nn.Conv2d(3, 2, 2, stride=2, padding="same"), ["Conv2d", "same", "stride 1"]),
    (lambda: nn.BatchNorm2d(0), ["BatchNorm2d", "num_features", "0"]),
    (lambda: nn.MaxPool2d(2, dilation=0), ["MaxPool2d", "dilation", "0"]),
    (lambda: nn.MaxPool2d(0), ["MaxPool2d", "kernel_size", "0"]),
    (lambda: nn.AvgPool2d(2, stride=-2), ["AvgPool2d", "stride", "-2"]),
    (lambda: nn.MaxPool2d(2, padding=2)(Tensor(np.ones((1, 1, 4, 4)))), ["padding", "half"]),
    (lambda: nn.Dropout(-0.1), ["Dropout", "-0.1"]),
    (lambda: nn.Dropout(math.nan), ["Dropout", "nan"])])
def test_bad_hyper_parameters_are_named(build, words):
    with one_line(ValueError, *words):
        build()


@pytest.mark.parametrize("layer, shape, words", [
    (nn.Linear(3, 2), (4, 5), ["linear", "(4, 5)", "(2, 3)", "3 elements"]),
    (nn.Conv2d(3, 2, 3), (1, 4, 5, 5), ["conv2d", "(1, 4, 5, 5)", "(2, 3, 3, 3)"]),
    (nn.Conv2d(3, 2, 3), (5, 5), ["conv2d", "(5, 5)"]),
    (nn.Conv2d(3, 2, 3), (1, 3, 2, 5), ["3x3", "2x5"]),
    (nn.MaxPool2d(2), (4, 4), ["max_pool2d", "(4, 4)"]),
    (nn.AvgPool2d(5), (1, 1, 4, 4), ["5x5", "4x4"]),
    (nn.Conv2d(4, 2, 3, groups=2), (1, 2, 4, 4), ["conv2d", "groups=2", "(1, 2, 4, 4)"]),
    (nn.ConvTranspose2d(3, 2, 3), (1, 2, 4, 4), ["conv_transpose2d", "(1, 2, 4, 4)"]),
    (nn.ConvTranspose2d(3, 2, 1, padding=2), (1, 3, 4, 4), ["conv_transpose2d", "padding 2"]),
    (nn.ConvTranspose2d(3, 2, 3, output_padding=1), (1, 3, 4, 4), ["output_padding", "1"]),
    (nn.ConvTranspose2d(3, 2, 3, 2, 0, -1), (1, 3, 4, 4), ["output_padding", ">= 0", "-1"]),
    (nn.AdaptiveAvgPool2d(0), (1, 3, 4, 4), ["adaptive_avg_pool2d", "output_size", "0"]),
    (nn.AdaptiveAvgPool2d((2, 2, 2)), (1, 3, 4, 4), ["output_size", "(2, 2, 2)"]),
    (nn.AdaptiveAvgPool2d(2), (4, 4), ["adaptive_avg_pool2d", "(4, 4)"]),
    (nn.AdaptiveMaxPool2d((0, 1)), (1, 3, 4, 4), ["adaptive_max_pool2d", "output_size", "0"]),
    (nn.UpsamplingNearest2d(scale_factor=0), (1, 3, 4, 4), ["interpolate", "scale_factor 0"]),
    (nn.Dropout2d(), (4, 4), ["dropout2d", "(4, 4)"]),
    (nn.BatchNorm1d(3), (2, 4), ["BatchNorm1d(3)", "(2, 4)", "3 channels"]),
    (nn.BatchNorm1d(3), (2, 3, 4, 4), ["BatchNorm1d(3)", "2 or 3 axes"]),
    (nn.BatchNorm2d(3), (2, 3), ["BatchNorm2d(3)", "4 axes"]),
    (nn.BatchNorm2d(3), (1, 3, 1, 1), ["batch_norm", "more than 1 value per channel"])])
def test_inputs_that_do_not_fit_are_named(layer, shape, words):
    with one_line(ValueError, *words):
        layer(Tensor(np.ones(shape, np.float32)))


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)])
def test_pooling_wants_floating_point(pool):
    with one_line(TypeError, "uint8"):
        pool(Tensor(np.ones((1, 1, 4, 4), np.uint8)))


def test_biases_must_fit():
    w = Tensor(np.ones((2, 3)))
    with one_line(ValueError, "linear", "(3,)", "2 outputs"):
        mg.linear(Tensor(np.ones((1, 3))), w, Tensor(np.ones(3)))
    with one_line(ValueError, "conv2d", "(3,)", "2 output channels"):
        mg.conv2d(Tensor(np.ones((1, 1, 3, 3))), Tensor(np.ones((2, 1, 3, 3))), Tensor(np.ones(3)))


# ---- dropout -------------------------------------------------------------------------------------

@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_fraction_p_and_keeps_the_mean(p):
    n = 100_000
    x = Tensor(np.ones(n, np.float32), requires_grad=True)
    y = nn.Dropout(p)(x)
    kept = y.data != 0
    assert abs(kept.mean() - (1 - p)) < 5 * math.sqrt(p * (1 - p) / n)
    np.testing.assert_allclose(y.data[kept], 1 / (1 - p), rtol=1e-6)
    y.sum().backward()
    assert (x.grad.data == y.data).all()  # the same mask on the way back


def test_dropout_at_the_edges_and_in_eval():
    x = Tensor([1.0, math.inf, -3.0])
    assert nn.Dropout(0)(x) is x and nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(1)(Tensor([1.0, 2.0])).data.tolist() == [0, 0]


def test_dropout_follows_the_seed():
    layer, x = nn.Dropout(0.5), Tensor(np.ones(100))
    first, second = layer(x).data, layer(x).data
    assert (first != second).any()
    mg.manual_seed(0)
    assert (layer(x).data == first).all() and (layer(x).data == second).all()
    narrow = Tensor(np.ones(100, np.float32))
    mg.manual_seed(0)
    assert (layer(narrow).data == first).all()  # the mask does not depend on the dtype


def test_dropout2d_drops_whole_channels():
    x = Tensor(np.ones((40, 50, 3, 2), np.float32))
    y = nn.Dropout2d(0.4)(x).data
    assert (y == y[:, :, :1, :1]).all() and set(np.unique(y)) == {0, np.float32(1 / 0.6)}
    assert abs((y[:, :, 0, 0] != 0).mean() - 0.6) < 5 * math.sqrt(0.4 * 0.6 / 2000)
    assert nn.Dropout2d().eval()(x) is x
