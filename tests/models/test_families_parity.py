"""The networks beside the ResNets: torchvision's tensors, logits, losses and gradients.

Skipped where torch or torchvision is missing. The weights are random; dropout and stochastic depth
are off, because the generators differ. All images are small.
"""

import os

import numpy as np
import pytest

import minigrad as mg
from minigrad.models import MODELS, recognise
from minigrad.models.known import KNOWN
from minigrad.nn.init import undrawn
from minigrad.weights import load
from tests.models.test_torchvision_parity import compare

torch = pytest.importorskip("torch")
THEIRS = [name for name in KNOWN if name != "efficientnet_lite0"]
# The options of networks without dropout, and the sides of images, where they are not the usual.
STILL = {"densenet": {"drop_rate": 0.0}, "convnext": {"stochastic_depth_prob": 0.0},
         "efficientnet": {"dropout": 0.0, "stochastic_depth_prob": 0.0},
         "vit": {"image_size": 48}}
SIDES = {"vgg": 32, "vit": 48, "convnext": 32}
LIGHT = {"vgg11_bn", "densenet121"}      # each stands for its family, the others for MINIGRAD_FULL
HEAVY = {name for name in THEIRS if name.startswith(("vgg", "densenet"))} - LIGHT
is_full = os.environ.get("MINIGRAD_FULL") == "1"
named = pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.skipif(
        name in HEAVY and not is_full, reason="heavier than others of its family: MINIGRAD_FULL=1"))
    for name in THEIRS])


def of_family(table, name, otherwise):
    return next((value for family, value in table.items() if name.startswith(family)), otherwise)


def images(name, seed):
    side = of_family(SIDES, name, 64)
    return np.random.default_rng(seed).standard_normal((2, 3, side, side)).astype(np.float32)


@pytest.fixture
def theirs(torchvision, name):
    """torchvision's model: its own fresh weights, but normalisations that are not the identity, and
    branches and heads that do not begin at 0."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(**of_family(STILL, name, {"dropout": 0.0}))
    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    bias = 2.0 if name.startswith("densenet") else 0.1      # far from the kink of so many ReLUs
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.5, 1)
            norm.bias[0::2], norm.bias[1::2] = bias, -bias
            norm.momentum = None        # the first batch sets the running statistics
        for layer in model.modules():
            if hasattr(layer, "layer_scale"):
                layer.layer_scale.uniform_(0.1, 0.3)
            if isinstance(layer, torch.nn.LayerNorm):
                layer.weight.uniform_(0.5, 1)
                layer.bias.uniform_(-0.1, 0.1)
        if name.startswith("vit"):
            model.heads.head.weight.normal_(0, 0.1)
        model.train()(torch.tensor(images(name, 1)))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return model


def ours(name, state):
    with undrawn():
        model = MODELS[name](**of_family(STILL, name, {"dropout": 0.0}))
    model.load_state_dict({key: value.numpy() for key, value in state.items()})
    return model


@named
def test_as_torchvision(theirs, name):
    """On one of three batches, each parameter's gradient is within 1/1000: on another, rounding may
    choose the side of a kink of ReLU (see `test_torchvision_parity`)."""
    model = ours(name, theirs.state_dict())
    best = np.inf
    for seed in (0, 2, 3):
        if np.max(best) > 1e-3:
            logits, loss, whole, each = compare(model, theirs, images(name, seed))
            assert logits <= 1e-4 and loss <= 1e-5
            best = np.minimum(best, [whole, *each])
    assert np.max(best) <= 1e-3
    for key, value in theirs.state_dict().items():          # running statistics after training
        assert np.allclose(model.state_dict()[key], value.numpy(), 1e-4, 1e-5), key


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v2", "efficientnet_b0",
                                  "convnext_tiny"])
def test_as_torchvision_in_double_precision(theirs, name):
    """Not MobileNetV3, because torch's gradient of hardsigmoid is 1/6 rounded to float32."""
    model = ours(name, theirs.state_dict()).to("float64")
    model.load_state_dict({key: value.numpy() for key, value in theirs.double().state_dict()
                           .items()})
    logits, loss, whole, each = compare(model, theirs, images(name, 0).astype(np.float64))
    assert max(logits, loss, whole, *each) <= 1e-10


@pytest.mark.parametrize("name", THEIRS)
def test_the_same_tensors_both_ways(torchvision, name):
    """In torchvision's order, and strictly."""
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(num_classes=333)
    with undrawn():
        model = MODELS[name](333)
    state = model.state_dict()
    assert {key: (array.shape, str(array.dtype)) for key, array in state.items()} == {
        key: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for key, value in theirs.state_dict().items()}
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict({key: torch.from_numpy(array) for key, array in state.items()},
                           assign=True)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in theirs.parameters())
    assert recognise(state) == name


@pytest.mark.parametrize("name", THEIRS)
def test_the_published_number_of_parameters(torchvision, name):
    weights = torchvision.models.get_model_weights(name)
    with undrawn():
        count = sum(p.numel() for p in MODELS[name]().parameters())
    assert count == weights.IMAGENET1K_V1.meta["num_params"]


@pytest.mark.parametrize("name", ["densenet121", "squeezenet1_1", "mobilenet_v3_small"])
def test_a_file_of_torch_is_read(torchvision, name, tmp_path):
    theirs = getattr(torchvision.models, name)(num_classes=5).eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    model = mg.models.load(tmp_path / "w.pth").model
    x = images(name, 4)
    with torch.no_grad(), mg.no_grad():
        expected = theirs(torch.tensor(x)).numpy()
        assert np.abs(model(mg.Tensor(x)).data - expected).max() <= 1e-4 * np.abs(expected).max()
    assert list(load(tmp_path / "w.pth")) == list(model.state_dict())
