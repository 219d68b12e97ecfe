"""The networks beside the ResNets: tensors as published, what a builder takes, files and images."""

import hashlib

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, nn, ops
from minigrad.backend import generator
from minigrad.models import MODELS, Preprocess, architecture, build, load, preprocess, recognise
from minigrad.models.efficientnet import SameConv2d
from minigrad.models.known import KNOWN, current_names, head_of
from minigrad.models.layers import SqueezeExcitation, StochasticDepth, conv_norm
from minigrad.models.load import describe
from minigrad.nn.init import undrawn
from minigrad.weights import WeightsError, official, save
from tests.one_line import one_line

# Parameters with 1000 classes, and the first digits of the SHA-256 of all names and shapes, which
# are those in torchvision's files, and in that of EfficientNet-Lite0.
PUBLISHED = {
    "alexnet": (61_100_840, "9c198ebdae18"), "vgg11": (132_863_336, "cb3dc23f2a13"),
    "vgg13": (133_047_848, "67c1dc8b57fd"), "vgg16": (138_357_544, "35c4623e0cd4"),
    "vgg19": (143_667_240, "4723255af8f6"), "vgg11_bn": (132_868_840, "8b6717e727c0"),
    "vgg13_bn": (133_053_736, "f6b0597d18a7"), "vgg16_bn": (138_365_992, "347371586a8e"),
    "vgg19_bn": (143_678_248, "fc3ff6fab2b5"), "squeezenet1_0": (1_248_424, "4654d26ad581"),
    "squeezenet1_1": (1_235_496, "1d365589393f"), "densenet121": (7_978_856, "aa0fd9923b00"),
    "densenet169": (14_149_480, "e2d0f02d9c0c"), "densenet201": (20_013_928, "0d234ad7e9a3"),
    "mobilenet_v2": (3_504_872, "37bbbce8932f"), "efficientnet_b0": (5_288_548, "a04d0792ee39"),
    "mobilenet_v3_large": (5_483_032, "efe98e40831b"),
    "mobilenet_v3_small": (2_542_856, "5f0efaf3ff4a"),
    "efficientnet_lite0": (4_652_008, "f19038aa9e94"),
    "convnext_tiny": (28_589_128, "2bc10f3450aa"), "vit_b_16": (86_567_656, "b124b34d9346")}
SMALL = ["squeezenet1_1", "densenet121", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0",
         "efficientnet_lite0"]


def empty(name, *arguments, **options):
    """The network with whatever the memory holds for weights."""
    with undrawn():
        return MODELS[name](*arguments, **options)


def images(n=2, side=64, seed=0):
    return mg.Tensor(np.random.default_rng(seed).standard_normal((n, 3, side, side), np.float32))


# --- sizes and names -----------------------------------------------------------------------------

def test_every_network_is_here():
    assert list(KNOWN) == sorted(PUBLISHED, key=list(KNOWN).index) and len(KNOWN) == len(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_names_as_published(name):
    model = empty(name)
    text = "\n".join(f"{key} {array.shape}" for key, array in model.state_dict().items())
    assert (sum(p.numel() for p in model.parameters()),
            hashlib.sha256(text.encode()).hexdigest()[:12]) == PUBLISHED[name]
    count = f"{PUBLISHED[name][0]:,}".replace(",", " ")
    assert f": {count} parameters" in MODELS[name].__doc__


@pytest.mark.parametrize("name", PUBLISHED)
def test_recognised_with_any_head(name):
    state = empty(name, 7).state_dict()
    assert recognise(state) == name == recognise(empty(name).state_dict())
    assert recognise({key: array for key, array in state.items() if "num_batches" not in key}
                     ) == name                                              # as in old files
    first = next(iter(state))
    assert recognise({key: array for key, array in state.items() if key != first}) is None
    last = list(state)[-1].rpartition(".")[0]
    assert last == head_of(name) and describe(name, state)["arguments"]["num_classes"] == 7


def test_recognised_at_another_size_of_images():
    state = empty("vit_b_16", 3, image_size=48).state_dict()
    assert recognise(state) == "vit_b_16"
    assert describe("vit_b_16", state)["arguments"] == {
        "num_classes": 3, "dropout": 0.0, "attention_dropout": 0.0, "image_size": 48}


# --- running -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_every_parameter(name):
    model = MODELS[name](4)
    y = model(images())
    assert y.shape == (2, 4) and np.isfinite(y.data).all()
    ops.sum(y * mg.Tensor(np.random.default_rng(1).standard_normal((2, 4), np.float32))).backward()
    without = [key for key, p in model.named_parameters() if p.grad is None]
    assert not without and any(np.any(p.grad.data) for p in model.parameters())
    with mg.no_grad():      # any size, in evaluation
        assert model.eval()(images(1, 75)).shape == (1, 4)


@pytest.mark.parametrize("name, option", [
    ("alexnet", "dropout"), ("vgg11", "dropout"), ("squeezenet1_0", "dropout"),
    ("densenet121", "drop_rate"), ("mobilenet_v2", "dropout"), ("mobilenet_v3_small", "dropout"),
    ("efficientnet_b0", "dropout"), ("efficientnet_lite0", "dropout"), ("vit_b_16", "dropout")])
def test_dropout_is_an_option(name, option):
    model = empty(name, 2, **{option: 0.125})
    rates = {layer.p for _, layer in model.named_modules() if type(layer) is nn.Dropout}
    assert rates == {0.125}
    assert architecture(model)["arguments"][option] == 0.125
    with one_line(ValueError, "p must lie in [0, 1]", "1.5"):
        empty(name, **{option: 1.5})


@pytest.mark.parametrize("name, rates", [
    ("efficientnet_b0", [0.5 * i / 16 for i in range(16)]),
    ("efficientnet_lite0", [0.5 * i / 16 for i in range(16)]),
    ("convnext_tiny", [0.5 * i / 17 for i in range(18)])])
def test_stochastic_depth_grows_from_block_to_block(name, rates):
    model = empty(name, 2, stochastic_depth_prob=0.5)
    assert [layer.p for _, layer in model.named_modules() if isinstance(layer, StochasticDepth)
            ] == pytest.approx(rates)


def test_stochastic_depth():
    """Whole examples are 0 or as large as the mean stays; the seed decides which."""
    x, layer = mg.Tensor(np.ones((4000, 2, 1, 3), np.float32), requires_grad=True), None
    layer = StochasticDepth(0.25)
    y = layer(x)
    kept = y.data[:, 0, 0, 0] > 0
    assert np.array_equal(y.data, np.where(kept[:, None, None, None], np.float32(4 / 3), 0)
                          * np.ones_like(x.data)) and abs(kept.mean() - 0.75) < 0.03
    ops.sum(y).backward()
    assert np.array_equal(x.grad.data, y.data) and y.dtype == np.float32
    mg.manual_seed(0)
    assert np.array_equal(layer(x).data, y.data) and not np.array_equal(layer(x).data, y.data)
    assert layer.eval()(x) is x and StochasticDepth(0)(x) is x
    assert not StochasticDepth(1)(x).data.any() and repr(layer) == "StochasticDepth(p=0.25)"
    with one_line(ValueError, "StochasticDepth: p must lie in [0, 1]"):
        StochasticDepth(-0.1)


def test_squeeze_and_excitation():
    layer = SqueezeExcitation(3, 2, nn.ReLU, nn.Sigmoid)
    x = images(2, 5)
    mean = x.data.mean((2, 3))
    w1, w2 = (fc.weight.data[:, :, 0, 0] for fc in (layer.fc1, layer.fc2))
    inner = np.maximum(mean @ w1.T + layer.fc1.bias.data, 0)
    s = 1 / (1 + np.exp(-(inner @ w2.T + layer.fc2.bias.data)))
    assert np.allclose(layer(x).data, x.data * s[:, :, None, None], atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("h, w", [(8, 9), (7, 12)])
def test_padding_as_tensorflow_pads(k, stride, h, w):
    """In all, as much as the windows of ceil(h / stride) rows need, and the odd row below."""
    conv = SameConv2d(2, 3, k, stride)
    x = np.random.default_rng(0).standard_normal((1, 2, h, w)).astype(np.float32)
    oh, ow = -(-h // stride), -(-w // stride)
    high, wide = (max((o - 1) * stride + k - n, 0) for o, n in ((oh, h), (ow, w)))
    padded = np.pad(x, ((0, 0), (0, 0), (high // 2, high - high // 2), (wide // 2,
                                                                        wide - wide // 2)))
    y = conv(mg.Tensor(x)).data
    assert y.shape == (1, 3, oh, ow)
    assert np.allclose(y, ops.conv2d(mg.Tensor(padded), conv.weight, stride=stride).data,
                       atol=1e-6)


def test_the_vision_transformer_says_what_it_needs():
    with one_line(ValueError, "image_size must be a multiple of 16, got 50"):
        MODELS["vit_b_16"](image_size=50)
    model = empty("vit_b_16", 2, image_size=32)
    with one_line(ValueError, "(N, 3, 32, 32)", "(1, 3, 48, 32)", "image_size"):
        model(mg.Tensor(np.zeros((1, 3, 48, 32), np.float32)))


# --- initial values ------------------------------------------------------------------------------

def spread(tensor):
    return float(tensor.data.std())


def test_initial_values_are_those_of_torchvision():
    """Spreads by torchvision's formulas; a few thousand numbers are within some percent of them."""
    near = pytest.approx
    v2, squeeze = MODELS["mobilenet_v2"](50), MODELS["squeezenet1_1"](50)
    assert spread(v2.features[0][0].weight) == near((2 / (32 * 9))**0.5, rel=0.1)     # fan_out
    assert spread(v2.classifier[1].weight) == near(0.01, rel=0.05)
    assert not v2.classifier[1].bias.data.any()
    assert spread(squeeze.classifier[1].weight) == near(0.01, rel=0.05)
    bound = (6 / 512)**0.5                                          # kaiming_uniform_, fan_in
    assert np.abs(squeeze.features[12].squeeze.weight.data).max() == near(bound, rel=0.01)
    dense, b0 = MODELS["densenet121"](50), MODELS["efficientnet_b0"](100)
    first = dense.features.denseblock1.denselayer1.conv1.weight
    assert spread(first) == near((2 / 64)**0.5, rel=0.05) and not dense.classifier.bias.data.any()
    assert np.abs(b0.classifier[1].weight.data).max() == near(0.1, rel=0.01)
    head = MODELS["efficientnet_lite0"](4)._fc              # not torchvision's: nn.Linear's own
    assert np.abs(head.weight.data).max() == near(1280**-0.5, rel=0.01) and not head.bias.data.any()
    block = empty("convnext_tiny", 2).features[1][0]
    assert (block.layer_scale.data == np.float32(1e-6)).all()


def test_the_head_of_the_vision_transformer_begins_at_0(monkeypatch):
    monkeypatch.setattr("minigrad.models.vit._LAYERS", 1)
    model = MODELS["vit_b_16"](5, image_size=32)
    assert not model(images(1, 32)).data.any() and not model.class_token.data.any()
    assert spread(model.encoder.pos_embedding) == pytest.approx(0.02, rel=0.1)
    assert spread(model.conv_proj.weight) == pytest.approx(768**-0.5, rel=0.02)
    assert 0 < spread(model.encoder.layers[0].mlp[0].bias) < 2e-6


def test_weights_of_a_file_are_not_drawn_first(tmp_path, monkeypatch):
    """And what is drawn afterwards is the same as if they had been."""
    save(tmp_path / "w.safetensors", MODELS["squeezenet1_1"](3).state_dict())
    mg.manual_seed(5)
    MODELS["squeezenet1_1"](3)
    after = nn.Linear(2, 2).weight.data
    mg.manual_seed(5)
    with monkeypatch.context() as patch:        # its numbers cannot be drawn
        patch.setattr(backend, "generator", lambda purpose: generator(purpose) and None)
        assert len(MODELS["squeezenet1_1"](weights=tmp_path / "w.safetensors").classifier[1].bias
                   ) == 3
        with pytest.raises(AttributeError):
            nn.Linear(2, 2)
    mg.manual_seed(5)
    MODELS["squeezenet1_1"](weights=tmp_path / "w.safetensors")
    assert np.array_equal(nn.Linear(2, 2).weight.data, after)


# --- files ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["squeezenet1_0", "mobilenet_v3_small", "efficientnet_lite0"])
def test_a_file_is_loaded_without_a_record(name, tmp_path):
    model = MODELS[name](3).eval()
    save(tmp_path / "w.safetensors", model.state_dict())
    for found in (load(tmp_path / "w.safetensors"), load(tmp_path / "w.safetensors", name)):
        assert found.architecture == architecture(model)
        assert found.architecture["name"] == name
        with mg.no_grad():
            assert np.array_equal(found.model(images()).data, model(images()).data)
    other = next(n for n in SMALL if n != name)
    with one_line(WeightsError, f"these are weights of {name}, not of {other}"):
        MODELS[other](weights=tmp_path / "w.safetensors")


def test_another_number_of_classes_keeps_the_body(tmp_path, caplog):
    model = MODELS["mobilenet_v3_small"](3)
    save(tmp_path / "w.safetensors", model.state_dict())
    other = MODELS["mobilenet_v3_small"](5, weights=tmp_path / "w.safetensors")
    assert "classifier.3 has 3 classes in the file and 5 here" in caplog.text
    for key, array in model.state_dict().items():
        assert key.startswith("classifier.3.") or np.array_equal(other.state_dict()[key], array)


@pytest.mark.parametrize("name, former", [
    ("densenet121", {"norm1.": "norm.1.", "conv1.": "conv.1.", "norm2.": "norm.2.",
                     "conv2.": "conv.2."}),
    ("vit_b_16", {"mlp.0.": "mlp.linear_1.", "mlp.3.": "mlp.linear_2."})])
def test_official_files_with_former_names(name, former):
    state = empty(name, 2).state_dict()
    old = {}
    for key, array in state.items():
        for new, before in former.items() if "layer" in key else ():
            key = key.replace(new, before)
        old[key] = array
    assert old.keys() != state.keys() and recognise(old) == name
    renamed = current_names(old)
    assert list(renamed) == list(state)
    assert all(renamed[key] is array for key, array in state.items())
    own = {"my.denselayer1.norm.1.weight": np.zeros(2)}
    assert current_names(own) == own        # of another network: left alone


@pytest.mark.parametrize("spec", [
    {"name": "vgg16", "arguments": {"num_classes": 10**7, "dropout": 0.5}},
    {"name": "vit_b_16", "arguments": {"num_classes": 2, "dropout": 0.0, "attention_dropout": 0.0,
                                       "image_size": 16 * 10**5}}], ids=str)
def test_a_network_that_would_not_fit_is_refused_before_it_is_built(spec):
    with one_line(ValueError, "more numbers than it may"):
        build(spec)


@pytest.mark.parametrize("name", SMALL)
def test_built_again_from_its_description(name):
    model = empty(name, 6)
    with undrawn():
        again = build(architecture(model), 2 * sum(a.size for a in model.state_dict().values()))
    assert repr(again) == repr(model)


# --- images --------------------------------------------------------------------------------------

LITE = Preprocess(256, 224, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic")


@pytest.mark.parametrize("name, weights, expected", [
    ("alexnet", "imagenet", Preprocess(256, 224)), ("vgg16_bn", None, Preprocess(256, 224)),
    ("mobilenet_v2", "imagenet", Preprocess(232, 224)),
    ("mobilenet_v2", "mobilenet_v2-b0353104.pth", Preprocess(256, 224)),
    ("mobilenet_v3_large", "mine.pth", Preprocess(256, 224)),
    ("convnext_tiny", "mine.pth", Preprocess(236, 224)),
    ("efficientnet_b0", "imagenet", Preprocess(256, 224, interpolation="bicubic")),
    ("efficientnet_lite0", "imagenet", LITE), ("efficientnet_lite0", "mine.pth", LITE),
    ("vit_b_16", "imagenet", Preprocess(256, 224)),
    ("vit_b_16", "x/vit_b_16_swag-9ac1b537.pth", Preprocess(384, 384, interpolation="bicubic")),
    ("vit_b_16", "vit_b_16_lc_swag-4e70ced5.pth", Preprocess(224, 224, interpolation="bicubic"))])
def test_the_preparation_of_each_weight_set(name, weights, expected):
    assert preprocess(name, weights) == expected


def test_every_network_has_official_weights():
    assert official.FILES.keys() >= PUBLISHED.keys()
    assert conv_norm(2, 4, 3, activation=None)[-1].num_features == 4
