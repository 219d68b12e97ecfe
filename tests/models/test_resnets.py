"""The ResNets and the small CNN: sizes, what a builder does with weights, and images prepared."""

import logging

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.models import (MODELS, Preprocess, cifar_resnet20, preprocess, recognise, resnet18,
                             small_cnn)
from minigrad.profile import profile
from minigrad.weights import WeightsError, save
from tests.one_line import one_line

PARAMETERS = {
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032,
    "resnet101": 44_549_160, "resnet152": 60_192_808, "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336, "resnext101_64x4d": 83_455_272, "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696, "cifar_resnet20": 269_722, "cifar_resnet32": 464_154,
    "cifar_resnet44": 658_586, "cifar_resnet56": 853_018, "cifar_resnet110": 1_727_962,
    "small_cnn": 807_639, "lenet5": 61_706}


def photos(n, size, seed=0):
    return mg.Tensor(np.random.default_rng(seed).standard_normal((n, 3, size, size))
                     .astype(np.float32))


# --- sizes ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_as_published_and_recognised(name):
    with mg.nn.init.undrawn():
        model = MODELS[name]()
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert recognise(model.state_dict()) == (name if "resne" in name else None)


@pytest.mark.parametrize("name, macs", [
    ("resnet18", 1_814_073_344), ("cifar_resnet20", 40_551_040)])
def test_multiply_accumulates(name, macs):
    size = 32 if name.startswith("cifar") else 224
    assert profile(MODELS[name]().eval(), (1, 3, size, size)).total.count.macs == macs


def test_shapes_through_the_stages():
    model = resnet18(5)
    shapes = {layer.name: layer.output for layer in profile(model.eval(), (2, 3, 96, 64)).layers}
    assert shapes["maxpool"] == (2, 64, 24, 16) and shapes["fc"] == (2, 5)
    assert [shapes[f"layer{i}.1"][1:] for i in (1, 2, 3, 4)] == [
        (64, 24, 16), (128, 12, 8), (256, 6, 4), (512, 3, 2)]


def test_the_shortcut_of_the_cifar_resnet():
    """Every second pixel, zero channels equally in front and behind."""
    x = photos(1, 5)
    y = MODELS["cifar_resnet20"]().layer2
    shortcut = y[0].shortcut(mg.Tensor(np.tile(x.data, (1, 6, 1, 1))[:, :16])).data
    assert shortcut.shape == (1, 32, 3, 3)
    assert not shortcut[:, :8].any() and not shortcut[:, 24:].any()
    assert np.array_equal(shortcut[:, 8:11], x.data[:, :, ::2, ::2])


@pytest.mark.parametrize("build, size", [
    (cifar_resnet20, 32), (resnet18, 64), (lambda n: small_cnn(n, size=32), 32),
    (lambda n: small_cnn(n, size=32, dropout=0), 32)])
def test_a_model_learns_a_batch(build, size):
    mg.manual_seed(0)
    model, x, targets = build(4), photos(8, size), np.arange(8) % 4
    optimizer = mg.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(15):
        loss = mg.cross_entropy(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < sum(losses[:5]) * 0.8
    assert all(p.grad is not None and np.any(p.grad.data) for p in model.parameters())


def test_the_small_cnn_without_dropout_has_the_same_tensors():
    with_dropout, without = small_cnn(size=32), small_cnn(size=32, dropout=0)
    without.load_state_dict(with_dropout.state_dict())
    x = photos(2, 32)
    assert np.array_equal(with_dropout.eval()(x).data, without.eval()(x).data)
    assert not np.array_equal(with_dropout.train()(x).data, without.train()(x).data)
    with one_line(ValueError, "small_cnn", "multiple of 4", "30"):
        small_cnn(size=30)


# --- weights -------------------------------------------------------------------------------------

@pytest.fixture
def file(tmp_path):
    """A file of the weights of a cifar_resnet20 with 10 classes, and the model."""
    mg.manual_seed(1)
    model = cifar_resnet20()
    save(tmp_path / "weights.safetensors", model.state_dict())
    return tmp_path / "weights.safetensors", model


@pytest.mark.parametrize("num_classes", [None, 10])
def test_weights_are_those_of_the_file(file, num_classes, caplog):
    path, model = file
    with caplog.at_level(logging.WARNING):
        loaded = cifar_resnet20(num_classes, weights=path).state_dict()
    assert all(np.array_equal(loaded[key], value) for key, value in model.state_dict().items())
    assert not caplog.records


def test_another_number_of_classes_leaves_the_head_fresh_and_says_so(file, caplog):
    path, model = file
    mg.manual_seed(2)
    fresh = cifar_resnet20(7)
    mg.manual_seed(2)
    loaded = cifar_resnet20(7, weights=path).state_dict()
    for key, value in model.state_dict().items():
        expected = fresh.state_dict()[key] if key.startswith("linear") else value
        assert np.array_equal(loaded[key], expected), key
    (message,) = [record.getMessage() for record in caplog.records]
    assert "linear has 10 classes in the file and 7 here" in message and str(path) in message


def test_a_file_for_another_model_is_refused(file, tmp_path):
    path, _ = file
    with one_line(WeightsError, str(path), "of cifar_resnet20, not of resnet18"):
        resnet18(weights=path)
    save(path, {"a.weight": np.zeros(3, np.float32), "b": np.zeros(3, np.float32)})
    with one_line(WeightsError, str(path), "no weights of small_cnn", "a.weight, b"):
        small_cnn(weights=path)
    with one_line(FileNotFoundError, "missing.pth"):
        resnet18(weights=tmp_path / "missing.pth")
    with one_line(ValueError, "no official weights for 'cifar_resnet20'"):
        cifar_resnet20(weights="imagenet")


def test_what_is_missing_wrong_or_too_many_is_named(file):
    path, model = file
    state = dict(model.state_dict())
    del state["bn1.bias"]
    state["conv1.weight"] = state["conv1.weight"][:, :1]
    state["extra"] = np.zeros(3, np.float32)
    save(path, state)
    with one_line(WeightsError, str(path), "missing: bn1.bias", "unexpected: extra",
                  "conv1.weight: float32 (16, 1, 3, 3) for float32 (16, 3, 3, 3)"):
        cifar_resnet20(weights=path)


@pytest.mark.parametrize("num_classes", [0, -1, 2.0, "7"])
def test_a_bad_number_of_classes_is_refused(num_classes):
    with one_line(ValueError, "resnet18: num_classes", repr(num_classes)):
        resnet18(num_classes)


# --- images --------------------------------------------------------------------------------------

def test_the_preparation_of_each_weight_set():
    assert preprocess("resnet50", "resnet50-0676ba61.pth") == Preprocess(256, 224)
    assert preprocess("resnet50", "/x/resnet50-11ad3fa6.pth") == Preprocess(232, 224)
    assert preprocess("resnet50", "mine.pth") == Preprocess(256, 224)
    assert preprocess("resnet50", None) == Preprocess(256, 224)
    assert preprocess("resnet50") == Preprocess(232, 224)
    assert preprocess("resnet18") == Preprocess(256, 224)
    assert preprocess("resnext101_64x4d") == Preprocess(232, 224)
    assert preprocess("cifar_resnet20") == Preprocess((32, 32))
    with one_line(ValueError, "no rule for 'lenet5'"):
        preprocess("lenet5")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_any_mode_becomes_three_channels(mode):
    x = preprocess("resnet18")(Image.new("RGB", (40, 30), (255, 0, 0)).convert(mode))
    assert x.shape == (3, 224, 224) and x.dtype == np.float32 and x.flags.c_contiguous


def test_scaled_shifted_and_cut_out_of_the_middle():
    left = np.zeros((256, 300, 3), np.uint8)
    left[:, :150] = 255
    x = preprocess("resnet18")(Image.fromarray(left))
    assert x[:, 0, 0] == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224,
                                        (1 - 0.406) / 0.225], rel=1e-6)
    assert x[:, 0, -1] == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rel=1e-6)
    assert (x[0, :, 111] > 0).all() and (x[0, :, 112] < 0).all()
