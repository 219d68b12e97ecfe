"""The largest legal value of what has an upper limit does its work; one step beyond is an error."""

import argparse
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments import cli, questions, results
from experiments.commands import classify, summary, train
from experiments.options import verification
from minigrad import Tensor, nn, ops, optim
from minigrad.data import (ArrayDataset, ColorJitter, Compose, DataLoader, GaussianBlur, ImageError,
                           RandomCrop, RandomErasing, RandomHorizontalFlip, RandomResizedCrop,
                           RandomRotation, Resize, arguments, random_split, read_image, specs)
from minigrad.draw import picture
from minigrad.train import find_lr, wilson
from minigrad.train.metrics import TopK

BELOW_1, ABOVE_1 = math.nextafter(1, 0), math.nextafter(1, 2)
ABOVE_HALF = math.nextafter(0.5, 1)
RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8))
IMAGES = RNG.standard_normal((2, 4, 5, 6))
TARGET = np.array([0, 2])
LOGITS = np.array([[1.0, 2.0, 4.0], [0.5, 0.0, -1.0]])


def weights():
    return [Tensor(np.ones(1), requires_grad=True)]


def drawn(transform):
    return transform(PHOTO, np.random.default_rng(1))


def nested(depth):
    """Read so many transforms inside each other."""
    spec = ["Resize", {"size": 8}]
    for _ in range(depth - 1):
        spec = ["Compose", {"transforms": [spec]}]
    return specs.from_spec(spec)


def loader(samples=6, batch=6, **how):
    return DataLoader(ArrayDataset(np.zeros((samples, 2)), [0] * samples), batch, **how)


def at_position(position):
    one = loader(batch=2)
    one.load_state_dict(one.state_dict() | {"position": position})


def topk(k):
    metric = TopK(k)
    metric.update(LOGITS, TARGET)
    assert metric.compute() == 1


def cycle(steps):
    scheduler = optim.lr_scheduler.OneCycleLR(optim.SGD(weights(), 0.1), 0.1, total_steps=4)
    for _ in range(steps):
        scheduler.step()


def rates(low, high):
    model = nn.Linear(2, 2)
    found = find_lr(model, loader(), optimizer=optim.SGD(model.parameters(), 0.1), start=low,
                    stop=high, steps=2)
    assert found.lr == pytest.approx([low, high])


def conv(kernel, **how):
    groups = how.get("groups", 1)
    return ops.conv2d(IMAGES, np.ones((4, max(4 // groups, 1), *kernel)), **how)


# what is done with a value: the largest legal one, and the first that is too large
LIMITS = {
    "Adam, beta1": (lambda b: optim.Adam(weights(), betas=(b, 0.9)), BELOW_1, 1),
    "Adam, beta2": (lambda b: optim.Adam(weights(), betas=(0.9, b)), BELOW_1, 1),
    "AdamW, beta2": (lambda b: optim.AdamW(weights(), betas=(0.9, b)), BELOW_1, 1),
    "GradScaler, backoff": (lambda f: optim.GradScaler(backoff_factor=f), BELOW_1, 1),
    "OneCycleLR, pct_start": (
        lambda p: optim.lr_scheduler.OneCycleLR(
            optim.SGD(weights(), 0.1), 1.0, 10, pct_start=p), 1, ABOVE_1),
    "OneCycleLR, steps": (cycle, 4, 5),
    "find_lr, start": (lambda low: rates(low, 0.5), math.nextafter(0.5, 0), 0.5),

    "Dropout": (nn.Dropout, 1, ABOVE_1), "Dropout2d": (nn.Dropout2d, 1, ABOVE_1),
    "dropout": (lambda p: ops.dropout(IMAGES, p), 1, ABOVE_1),
    "dropout2d": (lambda p: ops.dropout2d(IMAGES, p), 1, ABOVE_1),
    "label_smoothing": (
        lambda s: ops.cross_entropy(LOGITS, TARGET, label_smoothing=s), 1, ABOVE_1),
    "label_smoothing, soft targets": (
        lambda s: ops.cross_entropy(LOGITS, np.full((2, 3), 1 / 3), label_smoothing=s), 1, ABOVE_1),
    "max_pool2d, even": (lambda p: ops.max_pool2d(IMAGES, 4, padding=p), 2, 3),
    "max_pool2d, odd": (lambda p: ops.max_pool2d(IMAGES, 5, padding=p), 2, 3),
    "max_pool2d, one axis": (lambda p: ops.max_pool2d(IMAGES, (3, 4), padding=(1, p)), 2, 3),
    "avg_pool2d": (lambda p: ops.avg_pool2d(IMAGES, 2, padding=p), 1, 2),
    "conv2d, groups": (lambda g: conv((1, 1), groups=g), 4, 5),
    "conv2d, the kernel's height": (lambda h: conv((h, 1)), 5, 6),
    "conv2d, the kernel's width": (lambda w: conv((1, w), padding=1), 8, 9),
    "conv2d, dilation": (lambda d: conv((1, 2), dilation=d), 5, 6),
    "Conv2d, groups": (lambda g: nn.Conv2d(6, 6, 1, groups=g), 6, 7),
    "conv_transpose2d, output_padding": (
        lambda p: ops.conv_transpose2d(IMAGES, np.ones((4, 1, 2, 2)), stride=3, output_padding=p),
        2, 3),
    "conv_transpose2d, output_padding by dilation": (
        lambda p: ops.conv_transpose2d(IMAGES, np.ones((4, 1, 2, 2)), dilation=2,
                                       output_padding=p), 1, 2),
    "conv_transpose2d, padding": (
        lambda p: ops.conv_transpose2d(IMAGES, np.ones((4, 1, 2, 2)), padding=p), 2, 3),

    "TopK": (topk, 3, 4),
    "wilson, right": (lambda right: wilson(right, 5), 5, 6),
    "wilson, level": (lambda level: wilson(1, 2, level), 0.9999, 1),
    "DataLoader, drop_last": (lambda n: loader(batch=n, drop_last=True), 6, 7),
    "DataLoader, position": (at_position, 3, 4),
    "random_split": (lambda n: random_split(range(10), (4, n), 0), 6, 7),

    "p": (lambda p: drawn(RandomHorizontalFlip(p)), 1, ABOVE_1),
    "hue": (lambda h: drawn(ColorJitter(hue=h)), 0.5, ABOVE_HALF),
    "fill": (lambda f: drawn(RandomRotation(45, fill=f)), 255, 256),
    "RandomErasing, scale": (
        lambda s: RandomErasing(scale=(0, s)), 1, ABOVE_1),
    "RandomCrop": (lambda n: drawn(RandomCrop((n, 10))), 20, 21),
    "RandomCrop, padded": (lambda n: drawn(RandomCrop((10, n), padding=1)), 32, 33),
    "RandomResizedCrop, least above greatest": (
        lambda low: drawn(RandomResizedCrop(8, scale=(low, 0.5))), 0.5, ABOVE_HALF),
    "GaussianBlur": (lambda n: drawn(GaussianBlur(n)), 39, 41),
    "specs, pixels": (lambda n: specs.from_spec(["Resize", {"size": n}]), 16_384, 16_385),
    "specs, depth": (nested, specs.DEEPEST, specs.DEEPEST + 1),
}


@pytest.mark.parametrize("name", LIMITS)
def test_both_sides_of_a_limit(name):
    act, largest, beyond = LIMITS[name]
    act(largest)
    with pytest.raises(ValueError) as error:
        act(beyond)
    assert "\n" not in str(error.value)


# --- what the largest values do ------------------------------------------------------------------

def descend(optimizer, parameters, steps=3):
    (p,), places = parameters, []
    for _ in range(steps):
        p.grad = Tensor(np.ones(1))
        optimizer.step()
        places.append(float(p.data[0]))
    return places


def test_momentum_of_1_adds_up_all_gradients():
    p = weights()
    assert descend(optim.SGD(p, 1.0, momentum=1.0), p) == [0, -2, -5]


@pytest.mark.parametrize("betas", [(BELOW_1, 0.9), (0.9, BELOW_1)])
def test_betas_just_below_1(betas):
    p = weights()
    assert descend(optim.Adam(p, 0.5, betas=betas, eps=0), p) == pytest.approx([0.5, 0, -0.5])


def test_a_label_that_is_smoothed_away():
    logp = np.log(np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True))
    x = Tensor(LOGITS, requires_grad=True)
    loss = ops.cross_entropy(x, TARGET, label_smoothing=1.0)
    assert loss.item() == pytest.approx(-logp.mean())
    loss.backward()
    assert np.allclose(x.grad.data, (np.exp(logp) - 1 / 3) / 2)


@pytest.mark.parametrize("dropout", [ops.dropout, ops.dropout2d])
def test_dropout_of_everything(dropout):
    x = Tensor(IMAGES, requires_grad=True)
    y = dropout(x, 1.0)
    y.sum().backward()
    assert not y.data.any() and not x.grad.data.any()       # and nothing is 0 times infinity


def test_pooling_with_as_much_padding_as_there_may_be():
    x = np.arange(1.0, 5).reshape(1, 1, 2, 2)
    assert ops.max_pool2d(-x, 2, padding=1)[0, 0].tolist() == [[-1, -2], [-3, -4]]
    assert ops.avg_pool2d(x, 2, padding=1)[0, 0].tolist() == [[0.25, 0.5], [0.75, 1]]


def test_a_convolution_per_channel_and_one_over_the_whole_image():
    w = np.arange(1.0, 5).reshape(4, 1, 1, 1)
    assert np.array_equal(ops.conv2d(IMAGES, w, groups=4), IMAGES * w.reshape(1, 4, 1, 1))
    whole = conv((5, 6))
    assert whole.shape == (2, 4, 1, 1)
    assert np.allclose(whole[:, 0, 0, 0], IMAGES.sum((1, 2, 3)))


def test_a_scale_that_float32_can_just_hold():
    scaler, optimizer = optim.GradScaler(2.0**126, growth_interval=1), optim.SGD(weights(), 0.1)
    for want in (2.0**127, 2.0**127):
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == want


def test_the_largest_seed_and_what_follows_it():
    draws = []
    for seed in (2**32 - 1, 2**32, 2**64):
        mg.manual_seed(seed)
        draws.append(ops.dropout(np.ones(64), 0.5).tolist())
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_nested_transforms_are_written_as_deep_as_they_are_read():
    transform = Resize(8)
    for _ in range(specs.DEEPEST - 1):
        transform = Compose([transform])
    assert specs.from_spec(specs.to_spec(transform)).transforms
    assert specs.to_spec(Compose([transform])) is None


def test_images_of_just_so_many_pixels(tmp_path, monkeypatch):
    PHOTO.save(tmp_path / "photo.png")
    assert read_image(tmp_path / "photo.png", 600).size == (30, 20)
    with pytest.raises(ImageError, match="30 x 20 pixels are more than the limit of 599"):
        read_image(tmp_path / "photo.png", 599)
    monkeypatch.setattr(arguments, "MAX_PIXELS", 60 * 40)
    assert drawn(Compose([Resize((40, 60))])).size == (60, 40)
    with pytest.raises(ValueError, match="would become 60 x 41, more than the limit of 2,400"):
        drawn(Resize((41, 60)))


def test_a_graph_of_just_so_many_boxes(monkeypatch):
    with mg.draw.record() as graph:
        x = Tensor(np.ones(2), requires_grad=True)
        mg.exp(mg.tanh(x)).sum()
    monkeypatch.setattr(picture, "LARGEST", 4)      # x and three ops
    assert graph.svg(collapse=False)
    monkeypatch.setattr(picture, "LARGEST", 3)
    with pytest.raises(ValueError, match="4 boxes are too many for one picture .at most 3.:"):
        graph.svg(collapse=False)


# --- the command line ----------------------------------------------------------------------------

def parsed(add_arguments, option, text):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return getattr(parser.parse_args([option, text]), option.strip("-"))


@pytest.mark.parametrize("module, option, largest, beyond", [
    (train, "--size", "4096", "4097"), (train, "--epochs", "1000000", "1000001"),
    (train, "--batch", "1000000", "1000001"), (train, "--seed", "4294967295", "4294967296"),
    (train, "--lr", "10", "10.000001"), (train, "--valid", "0.4", "0.40000001"),
    (verification, "--seeds", "100", "101")])
def test_options(module, option, largest, beyond):
    assert parsed(module.add_arguments, option, largest) == float(largest)
    with pytest.raises(argparse.ArgumentError):
        parsed(module.add_arguments, option, beyond)


@pytest.mark.parametrize("seed, reaches", [("4294967295", True), ("4294967296", False)])
def test_the_seed_of_questions(seed, reaches, monkeypatch, capsys):
    seen = []

    def verify(settings):
        seen.append(settings.seed)
        raise results.UserError("seen")
    monkeypatch.setattr(questions, "PICTURES",
                        {"pyramids": SimpleNamespace(subject="s", verify=verify)})
    assert cli.main(["pyramids", "--json", "--seed", seed]) == 2
    assert seen == [int(seed)] * reaches
    assert ("seen" if reaches else "from 0 to 4294967295") in capsys.readouterr().err


def test_sizes_of_classify_and_summary(capsys):
    def prepared(side):
        return classify._preparation(
            SimpleNamespace(size=side, colours="plain"), SimpleNamespace(preprocess=None))
    assert "4096 x 4096" in prepared(4096)[1]
    with pytest.raises(results.UserError, match="--size must be at most 4096, got 4097"):
        prepared(4097)
    summary.run(SimpleNamespace(model="lenet5", size=32, batch=1, macs=False, markdown=False))
    assert "61,706" in capsys.readouterr().out


def test_the_batch_of_summary(monkeypatch, capsys):
    asked = SimpleNamespace(model="lenet5", size=32, batch=3, macs=False, markdown=False)
    monkeypatch.setattr(summary, "MOST_PIXELS", 3 * 32**2)
    assert summary.run(asked) == 0
    monkeypatch.setattr(summary, "MOST_PIXELS", 3 * 32**2 - 1)
    with pytest.raises(results.UserError, match="more than 3,071 pixels"):
        summary.run(asked)


@pytest.mark.parametrize("size, fits", [((2, 200), True), ((200, 2), True), ((2, 201), False),
                                        ((201, 2), False)])
def test_photographs_that_are_nearly_a_line(size, fits):
    network = SimpleNamespace(prepare=lambda photo: np.zeros(2, np.float32), model=lambda x: x,
                              names=None)
    photo = Image.new("RGB", size)
    try:
        classify.guesses(network, photo)
    except classify.Unfit as error:
        assert not fits and "more than 100 times the other" in str(error)
    else:
        assert fits
