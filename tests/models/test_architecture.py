"""What a network is made of, as a description, and built again from it."""

import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import models, nn
from minigrad.models import MODELS, architecture, build, cifar_resnet20, resnet18, small_cnn
from minigrad.weights import save
from tests.one_line import one_line

SMALL = {"lenet5": {}, "small_cnn": {"size": 16}, "resnet18": {"width": 8},
         "resnet50": {"width": 16}, "resnext50_32x4d": {"width": 16}, "cifar_resnet20": {}}


def shapes(model):
    return {name: array.shape for name, array in model.state_dict().items()}


# --- the networks of MODELS ----------------------------------------------------------------------

@pytest.mark.parametrize("name", SMALL)
def test_a_builder_records_how_it_was_called(name):
    model = MODELS[name](5, **SMALL[name])
    spec = architecture(model)
    assert spec["name"] == name and spec["arguments"]["num_classes"] == 5
    assert spec["arguments"].items() >= SMALL[name].items()
    again = build(json.loads(json.dumps(spec)))
    assert repr(again) == repr(model) and shapes(again) == shapes(model)
    assert architecture(again) == spec


@pytest.mark.parametrize("name, classes", [("lenet5", 10), ("small_cnn", 7),
                                           ("cifar_resnet20", 10), ("resnet18", 1000)])
def test_the_number_of_classes_is_the_true_one(name, classes):
    assert architecture(MODELS[name](**SMALL[name]))["arguments"]["num_classes"] == classes


def test_the_number_of_classes_of_a_file_is_recorded(tmp_path):
    save(tmp_path / "w.safetensors", cifar_resnet20(3).state_dict())
    spec = architecture(cifar_resnet20(weights=tmp_path / "w.safetensors"))
    assert spec == {"name": "cifar_resnet20", "arguments": {"num_classes": 3}}


def test_every_builder_takes_part():
    assert all(getattr(models, name) is builder for name, builder in MODELS.items())
    assert [*MODELS][:3] == ["lenet5", "small_cnn", "resnet18"] and len(MODELS) == 38
    assert MODELS["resnet18"].__doc__.startswith("ResNet-18: 11 689 512 parameters")


def test_another_last_layer_is_told_truly():
    model = resnet18(width=8)
    model.fc = nn.Linear(64, 4)
    assert architecture(model) == {"name": "resnet18", "arguments": {"num_classes": 4, "width": 8}}


def change_stride(model):
    model.layer2[0].conv1.stride = 1


def replace_stage(model):
    model.layer1 = nn.Identity()


def replace_forward(model):
    model.maxpool.forward = lambda x: x


def replace_by_own_class(model):
    class Linear(nn.Linear):
        pass
    model.fc = Linear(64, 3)


def tie(model):
    model.layer1[0].conv1.weight = model.layer1[1].conv1.weight


@pytest.mark.parametrize("change", [change_stride, replace_stage, replace_forward,
                                    replace_by_own_class, tie])
def test_a_network_that_was_changed_is_not_described_wrongly(change):
    model = resnet18(3, width=8)
    assert architecture(model) is not None
    change(model)
    assert architecture(model) is None


def test_describing_draws_no_random_numbers():
    model = resnet18(width=8)
    model.fc = nn.Linear(64, 4)
    mg.manual_seed(3)
    architecture(model)
    first = nn.Linear(2, 2).weight.data
    mg.manual_seed(3)
    assert np.array_equal(first, nn.Linear(2, 2).weight.data)


# --- the user's own ------------------------------------------------------------------------------

LAYERS = [
    nn.Linear(3, 4), nn.Linear(3, 4, bias=False), nn.Flatten(), nn.Dropout(0.25), nn.Dropout2d(),
    nn.Identity(), nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.LeakyReLU(0.3), nn.Softplus(),
    nn.BatchNorm1d(3), nn.BatchNorm2d(4, eps=1e-3, momentum=None), nn.Conv2d(2, 4, (3, 1)),
    nn.Conv2d(2, 4, 3, 1, "same", (2, 1), 2, False), nn.ConvTranspose2d(4, 2, 3, 2, 1),
    nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1, groups=2, bias=False, dilation=2),
    nn.MaxPool2d(3, 2, 1, 2, True), nn.AvgPool2d((3, 2), padding=1), nn.AdaptiveAvgPool2d(1),
    nn.AdaptiveMaxPool2d((2, 3)), nn.UpsamplingNearest2d(scale_factor=2),
    nn.ReLU6(True), nn.SELU(), nn.SiLU(), nn.Mish(), nn.Hardsigmoid(), nn.Hardswish(), nn.ELU(2.0),
    nn.CELU(0.5), nn.GELU("tanh"), nn.Hardtanh(-2, 2), nn.Hardshrink(), nn.Softshrink(0.1),
    nn.Softplus(2.0), nn.Threshold(0.1, 20), nn.GLU(1), nn.Softmax(), nn.LogSoftmax(1),
    nn.Softmin(-1), nn.Softmax2d(), nn.PReLU(3), nn.LogSigmoid(), nn.Softsign(), nn.Tanhshrink(),
    nn.LayerNorm((2, 3), bias=False), nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(2, 4),
    nn.GroupNorm(2, 4, affine=False), nn.GroupNorm(2, 4, bias=False), nn.InstanceNorm1d(3),
    nn.InstanceNorm2d(3, affine=True, track_running_stats=True, bias=False),
    nn.LocalResponseNorm(3, k=2.0), nn.Embedding(5, 4, -1), nn.RNN(3, 4, 2, "relu"),
    nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.5), nn.GRU(3, 4, batch_first=True, bias=False),
    nn.Conv1d(2, 4, 3, 2, 1, padding_mode="reflect"), nn.ConvTranspose1d(4, 2, 3, 2, 1, 1),
    nn.MaxPool1d(2, ceil_mode=True), nn.AvgPool1d(3, 2, 1), nn.AdaptiveAvgPool1d(2),
    nn.AdaptiveMaxPool1d(2), nn.Dropout1d(), nn.Dropout3d(0.1),
    nn.Unflatten(1, (2, -1)), nn.PixelShuffle(2),
    nn.PixelUnshuffle(2), nn.ChannelShuffle(3), nn.Upsample(scale_factor=1.5, mode="bilinear"),
    nn.UpsamplingBilinear2d(4), nn.ZeroPad1d(1), nn.ZeroPad2d((1, 2, 3, 4)),
    nn.ConstantPad1d(1, 2.5), nn.ConstantPad2d(1, 2.5), nn.ReflectionPad1d(1),
    nn.ReflectionPad2d(1), nn.ReplicationPad1d(1), nn.ReplicationPad2d(1), nn.CircularPad1d(1),
    nn.CircularPad2d(1)]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_every_layer_is_built_again_from_its_printed_form(layer):
    spec = json.loads(json.dumps(architecture(layer)))
    assert spec == {"layer": repr(layer)}
    again = build(spec)
    assert type(again) is type(layer) and shapes(again) == shapes(layer)
    plain = [{key: value for key, value in vars(one).items() if not hasattr(value, "dtype")}
             for one in (layer, again)]
    assert plain[0] == plain[1]


def test_all_layers_are_among_these():
    from minigrad.models.architecture import _LAYERS
    assert {type(layer).__name__ for layer in LAYERS} == set(_LAYERS)


def test_the_text_of_a_layer_without_the_new_argument_is_the_earlier_one():
    """Such texts are part of the identity of runs that were stopped."""
    assert repr(nn.ConvTranspose2d(4, 2, 3, 2)) == (
        "ConvTranspose2d(4, 2, kernel_size=(3, 3), stride=2)")


def test_a_nested_sequential_comes_back_and_computes_the_same():
    model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)),
                          small_cnn(5, size=4), nn.Linear(5, 2)).eval()
    spec = json.loads(json.dumps(architecture(model)))
    assert spec["layers"][0] == "Conv2d(3, 3, kernel_size=(3, 3), stride=1, padding=1)"
    assert spec["layers"][1] == {"name": "Sequential",
                                 "layers": ["ReLU()", repr(model[1][1])]}
    assert spec["layers"][2]["name"] == "small_cnn"
    again = build(spec).eval()
    again.load_state_dict(model.state_dict())
    x = mg.Tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32))
    assert np.array_equal(again(x).data, model(x).data)


class Own(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 2)


def shared():
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, layer)


def extended():
    model = nn.Sequential(nn.ReLU())
    model.more = nn.ReLU()
    return model


def overridden():
    model = nn.Sequential(nn.ReLU())
    model.forward = lambda x: x
    return model


class MySequential(nn.Sequential):
    pass


@pytest.mark.parametrize("make", [
    Own, lambda: nn.Sequential(Own()), shared, extended, overridden,
    lambda: MySequential(nn.ReLU())])
def test_what_cannot_be_described_is_not(make):
    assert architecture(make()) is None


# --- descriptions that nobody vouches for --------------------------------------------------------

def sequential(*layers):
    return {"name": "Sequential", "layers": list(layers)}


def nested(depth):
    spec = sequential("ReLU()")
    for _ in range(depth):
        spec = sequential(spec)
    return spec


def network(name="resnet18", **arguments):
    return {"name": name, "arguments": {"num_classes": 2, "width": 8, **arguments}}


@pytest.mark.parametrize("spec", [
    7, [], "ReLU()", {}, {"name": "ReLU"}, {"layer": 7}, {"layer": ""}, {"layer": "ReLU"},
    {"layer": "ReLU()", "more": 1}, sequential(7), sequential(None), sequential(["ReLU()"]),
    {"name": "Sequential", "layers": "ReLU()"}, {"name": "Sequential"},
    sequential("Module()"), sequential("Sequential()"), sequential("Parameter(3)"),
    sequential("__import__('os').system('false')"), sequential("nn.ReLU()"),
    sequential("Linear(open('/etc/passwd'), 2)"), sequential("Linear(2, *[2])"),
    sequential("Linear(2, 2, **{})"), sequential("Linear(2)"), sequential("Linear(2, 2, 2, 2)"),
    sequential("Linear('a', 1000000000)"), sequential("Linear(2.0, 2)"), sequential("Linear(0, 2)"),
    sequential("Linear(True, 2)"), sequential("Linear( 2, 2)"), sequential("Dropout(p=2)"),
    sequential("Dropout(p='x')"), sequential("Conv2d(3, 3, kernel_size=((1,), 1), stride=1)"),
    sequential("Conv2d(3, 3, kernel_size=(3, 3), stride=1, groups=0)"),
    sequential("(" * 200 + ")" * 200), sequential("-" * 250 + "1"),
    sequential("ReLU()" + " " * 999),
    sequential("Linear(2, 2, bias=" + "[" * 90 + "]" * 90 + ")"),
    {"name": "Sequential", "layers": ["ReLU()"] * 10_001}, nested(25),
    network("resnet19"), network(num_classes=0), network(num_classes=-9), network(num_classes=None),
    network(num_classes=True), network(num_classes="7"), network(width=0), network(width=-1),
    network(width=1e300), network(width=float("nan")), network(width=[8]), network(weights="x"),
    network(more=1), {"name": "resnet18", "arguments": {"num_classes": 2}},
    {"name": "resnext50_32x4d", "arguments": {"num_classes": 2, "width": 3}},
    {"name": "lenet5", "arguments": {"num_classes": 2, "variant": "1989"}},
    {"name": "small_cnn", "arguments": {"num_classes": 2, "size": 5, "dropout": 0.5}},
], ids=lambda spec: str(spec)[:60])
def test_a_malformed_description_is_refused(spec):
    with one_line(ValueError):
        build(spec)


@pytest.mark.parametrize("spec", [
    sequential("Linear(100000000, 100000000)"), sequential("Linear(1" + "0" * 250 + ", 1)"),
    sequential("Conv2d(3, 3, kernel_size=(99999999, 99999999), stride=1)"),
    sequential("BatchNorm2d(99999999999, eps=1e-05, momentum=0.1)"),
    sequential(*["Linear(9000, 9000)"] * 50), network(num_classes=10**12), network(width=10**6),
    network(width=10**400), sequential(*[network("resnet18", width=64)] * 200),
    {"name": "small_cnn", "arguments": {"num_classes": 2, "size": 4 * 10**9, "dropout": 0.5}},
], ids=lambda spec: str(spec)[:60])
def test_a_network_that_would_not_fit_is_refused_before_it_is_built(spec):
    import tracemalloc
    tracemalloc.start()
    try:
        with one_line(ValueError, "more numbers than it may"):
            build(spec, 30_000_000)
        assert tracemalloc.get_traced_memory()[1] < 400_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name, width", [("resnet18", 80), ("resnet50", 96)])
def test_a_wide_network_fits_into_twice_its_numbers(name, width):
    """The estimate before building is no lower than the truth, and not much higher."""
    from minigrad.models.architecture import _numbers_of
    model = MODELS[name](3, width=width)
    true = sum(array.size for array in model.state_dict().values())
    assert true <= _numbers_of(name, 3, width=width) < 1.5 * true
    assert shapes(build(architecture(model), 2 * true)) == shapes(model)
