"""Arguments that are numbers: what counts as an integer, everywhere, and NumPy's numbers."""

import json

import numpy as np
import pytest

from minigrad import Tensor, data, draw, nn, optim, profile
from minigrad.arguments import integer, is_integer, nearest_name, plain
from minigrad.data import transforms
from minigrad.models import cifar_resnet20, resnet18, small_cnn
from minigrad.nn import init
from minigrad.optim import lr_scheduler
from minigrad.train import ConfusionMatrix, TopK, find_lr, fit
from pyramids import laplacian_pyramid
from tests.one_line import one_line

IMAGES = Tensor(np.random.default_rng(0).normal(size=(2, 4, 8, 8)).astype(np.float32))
ROWS = Tensor(np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32))


# ---- the rule ------------------------------------------------------------------------------------

@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), np.prod((1, 3))])
def test_integers(value):
    assert is_integer(value) and is_integer(value, 3) and not is_integer(value, 4)
    assert type(integer("f", "n", value)) is int and integer("f", "n", value) == 3


@pytest.mark.parametrize("value", [
    3.0, np.float32(3), "3", None, True, np.True_, np.array(True), np.array([3]), np.array(3.0),
    (3,)])
def test_what_is_no_integer(value):
    assert not is_integer(value)
    with one_line(ValueError, "f: n must be a positive integer, got"):
        integer("f", "n", value)


@pytest.mark.parametrize("value, expected", [
    (np.float32(0.5), 0.5), (np.int64(3), 3), (np.array(2.5), 2.5), (Tensor(1.5), 1.5),
    (np.True_, True), (np.longdouble(0.5), 0.5), ((np.float64(0.5), np.int8(1)), (0.5, 1)),
    ([np.float16(2)], [2.0]), (0.1, 0.1), (None, None), ("same", "same")])
def test_numbers_become_pythons(value, expected):
    found = plain(value)
    assert found == expected and type(found) is type(expected)
    json.dumps(found)


def test_arrays_stay_what_they_are():
    array = np.ones(3)
    assert plain(array) is array


# ---- sizes ---------------------------------------------------------------------------------------

TWO, FOUR = np.prod((1, 2)), np.int32(4)
BUILDS = {
    "Linear": lambda n: nn.Linear(n, 3), "Linear, out": lambda n: nn.Linear(3, n),
    "Conv2d": lambda n: nn.Conv2d(n, 4, 1), "Conv2d, out": lambda n: nn.Conv2d(4, n, 1),
    "kernel_size": lambda n: nn.Conv2d(4, 4, n), "kernel pair": lambda n: nn.Conv2d(4, 4, (n, 1)),
    "stride": lambda n: nn.Conv2d(4, 4, 2, stride=n),
    "padding": lambda n: nn.Conv2d(4, 4, 5, padding=n),
    "dilation": lambda n: nn.Conv2d(4, 4, 2, dilation=(1, n)),
    "groups": lambda n: nn.Conv2d(4, 4, 1, groups=n),
    "ConvTranspose2d": lambda n: nn.ConvTranspose2d(4, n, n, stride=n, groups=n),
    "BatchNorm2d": nn.BatchNorm2d, "MaxPool2d": nn.MaxPool2d, "AvgPool2d": nn.AvgPool2d,
    "AvgPool2d, stride": lambda n: nn.AvgPool2d(2, n),
    "step_size": lambda n: lr_scheduler.StepLR(sgd(), n),
    "T_max": lambda n: lr_scheduler.CosineAnnealingLR(sgd(), n),
    "total_steps": lambda n: lr_scheduler.OneCycleLR(sgd(), 1.0, n),
    "growth_interval": lambda n: optim.GradScaler(growth_interval=n),
    "TopK": TopK, "ConfusionMatrix": ConfusionMatrix,
    "find_lr": lambda n: trained(find_lr, steps=n),
    "epochs": lambda n: trained(fit, epochs=n, progress=False),
    "accumulate": lambda n: trained(fit, epochs=1, accumulate=n, progress=False),
    "num_classes": lambda n: cifar_resnet20(n), "num_classes of resnet18": lambda n: resnet18(
        n, width=8), "batch_size": lambda n: loader(batch_size=n),
    "seed of a loader": lambda n: loader(seed=n), "workers": lambda n: loader(workers=n),
    "num_samples": lambda n: data.WeightedRandomSampler([1, 1, 1], n),
    "Resize": transforms.Resize, "CenterCrop": transforms.CenterCrop,
    "RandomCrop": lambda n: transforms.RandomCrop(8, padding=n),
    "profile": lambda n: profile.profile(nn.Linear(2, 2), (n, 2)),
    "levels": lambda n: laplacian_pyramid(np.ones((16, 16)), n)}


def sgd(**options):
    return optim.SGD([Tensor([1.0], requires_grad=True)], **options)


def loader(**options):
    x = np.zeros((4, 2), np.float32)
    return data.DataLoader(data.ArrayDataset(x, np.array([0, 1, 0, 1])), **options)


def trained(function, **options):
    model = nn.Linear(2, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return function(model, loader(), optimizer=optimizer, **options)


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("two", [TWO, np.uint8(2), np.array(2)], ids=["int64", "uint8", "0-d"])
def test_every_size_may_be_a_numpy_integer(name, two):
    BUILDS[name](two)


@pytest.mark.parametrize("wrong", [True, np.True_, 2.0, np.float64(2), "2"], ids=repr)
@pytest.mark.parametrize("name", BUILDS)
def test_no_size_is_a_boolean_a_float_or_a_text(name, wrong):
    with pytest.raises((ValueError, TypeError)) as caught:
        BUILDS[name](wrong)
    assert str(wrong) in str(caught.value) and "\n" not in str(caught.value)


def test_layers_of_numpy_sizes_run_and_print_as_ever():
    conv = nn.Conv2d(FOUR, np.int64(6), np.int8(3), stride=np.int64(2), padding=(TWO, np.int64(1)),
                     dilation=np.int64(1), groups=TWO)
    assert repr(conv) == "Conv2d(4, 6, kernel_size=(3, 3), stride=2, padding=(2, 1), groups=2)"
    assert conv(IMAGES).shape == (2, 6, 5, 4)
    assert repr(nn.Linear(np.prod((2, 3)), FOUR)) == "Linear(6, 4)"
    pool = nn.MaxPool2d(np.int64(2), np.int64(1), np.int64(1), np.int64(1), False, np.True_)
    assert repr(pool) == repr(nn.MaxPool2d(2, 1, 1, 1, False, True))
    assert pool(IMAGES).shape == (2, 4, 9, 9)
    assert nn.Flatten(np.int64(1), np.int64(2))(IMAGES).shape == (2, 32, 8)


def test_draw_takes_a_numpy_level():
    with draw.record() as graph:
        small_cnn(2, size=16)(Tensor(np.zeros((1, 3, 16, 16), np.float32)))
    assert graph.svg(collapse=np.int64(1)) == graph.svg(collapse=1) != graph.svg(collapse=False)


# ---- hyper-parameters ----------------------------------------------------------------------------

NUMBERS = [np.float32, np.float64, np.float16, np.array]
LAYERS = {
    "Dropout": lambda f: nn.Dropout(f(0.5)), "Dropout2d": lambda f: nn.Dropout2d(f(0.5)),
    "LeakyReLU": lambda f: nn.LeakyReLU(f(0.25)),
    "BatchNorm2d": lambda f: nn.BatchNorm2d(4, f(1e-3), f(0.25)),
    "no affine": lambda f: nn.BatchNorm2d(4, f(1e-3), f(0.25), affine=np.bool_(False)),
    "eval": lambda f: nn.BatchNorm2d(4, f(1e-3), f(0.25)).eval(),
    "fused": lambda f: nn.Sequential(nn.BatchNorm2d(4, f(1e-3), f(0.25)), nn.ReLU())}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_is_widened_by_a_numpy_number(name, kind):
    layer = LAYERS[name](kind)
    x = Tensor(IMAGES.data, requires_grad=True)
    y = layer(x)
    assert y.dtype == np.float32
    nn.Conv2d(4, 2, 1)(y).sum().backward()
    assert x.grad.dtype == np.float32
    for module in [module for _, module in layer.named_modules()]:
        json.dumps({key: value for key, value in vars(module).items()
                    if isinstance(value, (float, int, np.generic, np.ndarray))
                    and not key.startswith(("running", "num_batches"))})
        assert all(buffer.dtype in (np.float32, np.int64) for _, buffer in module.named_buffers())


OPTIMIZERS = {
    "SGD": lambda ps, f: optim.SGD(ps, f(0.25), f(0.5), f(0.25), f(0.125)),
    "nesterov": lambda ps, f: optim.SGD(ps, f(0.25), f(0.5), nesterov=np.True_),
    "Adam": lambda ps, f: optim.Adam(ps, f(0.25), (f(0.5), f(0.75)), f(2.0**-10), f(0.125)),
    "amsgrad": lambda ps, f: optim.Adam(ps, f(0.25), [f(0.5), f(0.75)], amsgrad=np.True_),
    "AdamW": lambda ps, f: optim.AdamW(ps, f(0.25), weight_decay=f(0.125), maximize=np.True_)}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_numpy_options_take_the_steps_of_pythons_and_are_saved_as_such(name, kind):
    def run(convert):
        p = Tensor(np.array([1.0, -2.0], np.float32), requires_grad=True)
        optimizer = OPTIMIZERS[name]([p], convert)
        for step in range(4):
            if step == 2:
                optimizer.param_groups[0]["lr"] = convert(0.0625)
            p.grad = Tensor(p.data * 3)
            optimizer.step()
        assert p.dtype == np.float32
        assert all(value.dtype == np.float32 for value in optimizer.state[p].values()
                   if isinstance(value, np.ndarray))
        return p.data.tolist(), json.dumps(optimizer.state_dict()["param_groups"])

    assert run(kind) == run(float)


def test_groups_of_numpy_numbers_are_saved_as_pythons_before_the_first_step():
    p, q = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([{"params": p, "lr": np.float32(0.5)}, {"params": q}])
    optimizer.param_groups[1]["momentum"] = np.float64(0.5)
    json.dumps(optimizer.state_dict()["param_groups"])
    optimizer.load_state_dict({"state": {}, "param_groups": [
        {**group, "lr": np.float32(0.25)} for group in optimizer.state_dict()["param_groups"]]})
    assert [type(group["lr"]) for group in optimizer.param_groups] == [float, float]


SCHEDULES = {
    "StepLR": lambda o, f: lr_scheduler.StepLR(o, np.int64(2), f(0.5)),
    "CosineAnnealingLR": lambda o, f: lr_scheduler.CosineAnnealingLR(o, np.int64(5), f(0.25)),
    "OneCycleLR": lambda o, f: lr_scheduler.OneCycleLR(
        o, f(1.0), np.int64(8), pct_start=f(0.5), base_momentum=f(0.25), max_momentum=[f(0.75)],
        div_factor=f(4.0), final_div_factor=f(16.0))}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_numpy_numbers_in_schedules_give_pythons(name, kind):
    def run(convert):
        optimizer = sgd(lr=1.0)
        scheduler, rates = SCHEDULES[name](optimizer, convert), []
        for step in range(7):
            if step == 3 and name != "OneCycleLR":
                optimizer.param_groups[0]["lr"] = convert(0.75)
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        return rates, json.dumps(scheduler.state_dict())

    assert run(kind) == run(float)


@pytest.mark.parametrize("kind", NUMBERS)
def test_clipping_with_numpy_numbers_keeps_the_dtype_and_the_bits(kind):
    def run(convert):
        p = Tensor(np.zeros(3, np.float32), requires_grad=True)
        p.grad = Tensor(np.array([3.0, 4.0, -0.1], np.float32))
        norms = [optim.clip_grad_norm_([p], convert(2.0), convert(2.0)),
                 optim.clip_grad_norm_([p], convert(0.5), "inf")]
        optim.clip_grad_value_([p], convert(0.25))
        assert p.grad.dtype == np.float32
        return norms, p.grad.data.tolist()

    assert run(kind) == run(float)


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("fill", [
    lambda t, f: init.uniform_(t, f(-1.0), f(1.0)), lambda t, f: init.normal_(t, f(0.0), f(2.0)),
    lambda t, f: init.constant_(t, f(0.5)), lambda t, f: init.kaiming_uniform_(t, f(0.5)),
    lambda t, f: init.kaiming_normal_(t, f(0.5)), lambda t, f: init.xavier_uniform_(t, f(2.0)),
    lambda t, f: init.xavier_normal_(t, f(2.0))])
def test_initialisers_take_numpy_numbers(fill, kind):
    assert fill(Tensor(np.empty((2, 3), np.float32)), kind).dtype == np.float32


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_loss_scaler_of_numpy_numbers(kind):
    scaler = optim.GradScaler(kind(4.0), kind(2.0), kind(0.5), np.int64(3))
    assert json.dumps(scaler.state_dict()) == json.dumps(
        optim.GradScaler(4.0, 2.0, 0.5, 3).state_dict())
    assert scaler.scale(ROWS.sum()).dtype == np.float32


@pytest.mark.parametrize("several", [np.array, Tensor, list])
def test_arrays_of_options_are_pythons_numbers(several):
    optimizer = optim.Adam([Tensor([1.0], requires_grad=True)], betas=several([0.5, 0.75]))
    schedule = lr_scheduler.OneCycleLR(optimizer, several([0.5]), 9, cycle_momentum=False)
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.75) and schedule.max_lrs == [0.5]
    json.dumps([optimizer.state_dict(), schedule.state_dict()])


def test_the_nearest_name_is_what_may_have_been_meant():
    assert nearest_name("resnet81", ["vgg16", "resnet18", "lenet5"]) == "resnet18"
    assert nearest_name("resnet81", iter(["vgg16", "lenet5"])) is None
