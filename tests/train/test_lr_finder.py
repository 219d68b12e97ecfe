"""The learning-rate range test: what it finds, and that nothing of it stays behind."""

import copy
import math
import signal

import numpy as np
import pytest

from minigrad import cross_entropy, manual_seed, nn
from minigrad.backend import random_state
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD, Adam
from minigrad.train import NonFiniteError, RangeTest, find_lr
from tests.gpu.cuda_devices import DEVICES
from tests.one_line import one_line
from tests.train import training_run as setting


def bits(value):
    """The value with arrays as their bytes."""
    if isinstance(value, dict):
        return {key: bits(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(entry) for entry in value]
    if hasattr(value, "tobytes"):
        return str(value.dtype), value.shape, value.tobytes()
    return value


def everything(model, loader, optimizer):
    return bits({
        "model": model.state_dict(), "optimizer": optimizer.state_dict(),
        "loader": loader.state_dict(), "skipped": loader.skipped, "random": random_state(),
        "modes": [module.training for _, module in model.named_modules()],
        "gradients": [None if p.grad is None else p.grad.data for p in model.parameters()]})


def under_way(kind=SGD):
    """A model, its loader and its optimizer, in the middle of a training, some of it in eval."""
    model, loader, _, _ = setting.objects(workers=0)
    if kind is SGD:
        optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    else:
        optimizer = kind(model.parameters(), lr=0.05)
    for x, y in loader:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
        if loader.position == 3:
            break
    model[1].eval()
    loader.skipped = [("a photo", "its reason")]
    return model, loader, optimizer


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_nothing_stays_behind(kind):
    model, loader, optimizer = under_way(kind)
    before = copy.deepcopy(everything(model, loader, optimizer))
    rest = [x.data.tobytes() for x, _ in copy.deepcopy(loader)]
    gradients = [p.grad for p in model.parameters()]
    found = find_lr(model, loader, optimizer=optimizer, steps=20)      # three epochs
    assert len(found.lr) > 6
    assert everything(model, loader, optimizer) == before
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients))
    assert loader.position == 3 and [x.data.tobytes() for x, _ in loader] == rest


class Interrupting:
    """cross_entropy, which meets Ctrl-C in its fourth call."""

    calls = 0

    def __call__(self, output, target):
        self.calls += 1
        if self.calls == 4:
            signal.raise_signal(signal.SIGINT)
        return cross_entropy(output, target)


def test_nothing_stays_behind_of_one_that_is_interrupted():
    model, loader, optimizer = under_way()
    before = copy.deepcopy(everything(model, loader, optimizer))
    with pytest.raises(KeyboardInterrupt):
        find_lr(model, loader, optimizer=optimizer, loss=Interrupting())
    assert everything(model, loader, optimizer) == before


@pytest.mark.parametrize("spoil", ["weight", "loss"])
def test_nan_in_the_first_step_is_an_error_that_says_where(spoil):
    model, loader, optimizer = under_way()
    if spoil == "weight":
        model[6].weight.data[0, 0] = np.nan
    before = copy.deepcopy(everything(model, loader, optimizer))
    with one_line(NonFiniteError, "find_lr, batch 1", "6" if spoil == "weight" else "loss"):
        find_lr(model, loader, optimizer=optimizer, loss=cross_entropy if spoil == "weight" else
                lambda output, target: cross_entropy(output, target) * math.inf)
    assert everything(model, loader, optimizer) == before


def test_a_label_out_of_range_is_told_with_its_sample():
    labels = np.zeros(100, int)
    labels[70] = 9
    loader = DataLoader(ArrayDataset(np.ones((100, 4), np.float32), labels), 20)
    model = nn.Linear(4, 3)
    with one_line(ValueError, "find_lr, batch 4: label 9 of", loader.dataset.name(70)):
        find_lr(model, loader, optimizer=SGD(model.parameters(), lr=0.1))


def separable(dtype="float32", lr=0.1, scale=1.0, classes=3):
    manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 4)).astype(np.float32)
    data = ArrayDataset(x * scale, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0))
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, classes)).to(dtype)
    return model, DataLoader(data, 20, shuffle=True, workers=0), SGD(model.parameters(), lr=lr)


def test_rates_grow_by_equal_ratios_and_the_loss_is_that_of_training_with_them():
    model, loader, optimizer = separable("float64")
    found = find_lr(model, loader, optimizer=optimizer, start=1e-3, stop=1.0, steps=7)
    assert np.allclose(found.lr, 10.0 ** np.linspace(-3, 0, 7))
    expected, mean, weight = [], 0, 0
    while len(expected) < 7:                                            # a textbook's loop
        for x, y in loader:
            optimizer.param_groups[0]["lr"] = 10.0 ** (-3 + len(expected) / 2)
            optimizer.zero_grad()
            loss = cross_entropy(model(x.to("float64")), y)
            loss.backward()
            optimizer.step()
            expected.append(float(loss))
    assert np.allclose(found.loss, expected[:7], rtol=1e-12)
    for loss, smoothed in zip(found.loss, found.smoothed):
        mean, weight = 0.9 * mean + 0.1 * loss, 0.9 * weight + 0.1
        assert math.isclose(smoothed, mean / weight)


def test_it_finds_a_rate_that_learns_and_stops_where_it_diverges():
    model, loader, optimizer = separable(scale=3.0)
    found = find_lr(model, loader, optimizer=optimizer, stop=1e4)
    assert len(found.lr) < 100 and found.smoothed[-1] > 4 * min(found.smoothed)
    assert all(value <= 4 * min(found.smoothed[:i + 1])
               for i, value in enumerate(found.smoothed[:-1]))
    assert 0.01 < found.suggestion < found.lr[int(np.argmin(found.smoothed))] * 1.001
    first = found.loss[0]
    optimizer.param_groups[0]["lr"] = found.suggestion
    for _ in range(3):
        for x, y in loader:
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
    assert float(loss) < 0.6 * first


def test_the_suggestion_is_where_the_loss_falls_most_steeply():
    lr = (10.0 ** np.arange(-6, 4)).tolist()
    falls = [9, 2, 2, 1.9, 1.5, 0.9, 0.6, 0.5, 3, 9]       # the first is in the first tenth
    assert RangeTest(lr, [], falls).suggestion == lr[4]
    assert RangeTest(lr, [], [1, 1, 2, 3, 3, 3, 3, 3, 3, 9]).suggestion is None
    assert RangeTest(lr[:1], [], [1]).suggestion is None


def test_overflow_later_ends_it():
    model, loader, optimizer = separable()

    class Overflowing(Interrupting):
        def __call__(self, output, target):
            self.calls += 1
            return cross_entropy(output, target) * (math.inf if self.calls == 6 else 1)

    found = find_lr(model, loader, optimizer=optimizer, loss=Overflowing())
    assert len(found.lr) == len(found.loss) == len(found.smoothed) == 5
    assert np.isfinite(found.loss).all()


def test_groups_keep_their_ratio():
    model, loader, _ = separable()
    optimizer = SGD([{"params": model[0].parameters(), "lr": 0.01},
                     {"params": model[2].parameters(), "lr": 0.1}], lr=1)
    seen = []

    def loss(output, target):
        seen.append([group["lr"] for group in optimizer.param_groups])
        return cross_entropy(output, target)

    found = find_lr(model, loader, optimizer=optimizer, loss=loss, steps=5, stop=0.1)
    assert np.allclose(seen, [[lr / 10, lr] for lr in found.lr])
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.1]


def test_its_figure_marks_the_suggestion():
    model, loader, optimizer = separable(scale=3.0)
    found = find_lr(model, loader, optimizer=optimizer)
    figure = found.plot()
    figure.draw_without_rendering()
    ax, = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("learning rate", "loss", "log")
    assert ax.lines[-1].get_xdata()[0] == found.suggestion
    assert f"{found.suggestion:.2g}" in ax.lines[-1].get_label()
    RangeTest([1.0, 2.0], [1.0, 1.0], [1.0, 1.0]).plot().draw_without_rendering()


@pytest.mark.parametrize("settings, words", [
    ({"start": 0.0}, "0 < start < stop"), ({"start": 1.0, "stop": 1.0}, "0 < start < stop"),
    ({"stop": math.inf}, "inf"), ({"steps": 1}, "steps"), ({"steps": 2.5}, "2.5")])
def test_settings_that_make_no_sense(settings, words):
    model, loader, optimizer = separable()
    with one_line(ValueError, "find_lr", words):
        find_lr(model, loader, optimizer=optimizer, **settings)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.array])
def test_rates_of_numpy_are_pythons(kind):
    model, loader, optimizer = separable()
    found = find_lr(model, loader, optimizer=optimizer, start=kind(0.25), stop=kind(1), steps=3)
    assert found.lr == [0.25, 0.5, 1.0] and {type(lr) for lr in found.lr} == {float}


def test_targets_that_the_loss_ignores():
    """A batch of nothing else is passed over; a loader of nothing else is an error."""
    x, y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]], np.array([-100, -100, 0, 1, -100, 2])
    losses = []
    for rows in (slice(None), slice(2, None)):
        manual_seed(0)
        model = nn.Linear(3, 3)
        found = find_lr(model, DataLoader(ArrayDataset(x[rows], y[rows]), 2, workers=0), steps=4,
                        optimizer=SGD(model.parameters(), lr=0.1), loss=nn.CrossEntropyLoss())
        losses.append(found.loss)
    assert losses[0] == losses[1] and len(losses[0]) == 4
    with one_line(ValueError, "find_lr", "no batches with targets that count"):
        find_lr(model, DataLoader(ArrayDataset(x, np.full(6, -100)), 2, workers=0),
                optimizer=SGD(model.parameters(), lr=0.1), loss=nn.CrossEntropyLoss())


def test_a_label_without_an_output_is_named():
    model, loader, optimizer = separable(classes=2)
    with one_line(ValueError, "find_lr, batch 1", "label 2"):
        find_lr(model, loader, optimizer=optimizer)


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
def test_it_follows_the_model_to_the_gpu(xp):
    model, loader, optimizer = separable()
    expected = find_lr(model, loader, optimizer=optimizer, steps=12)
    model, loader, _ = separable()
    model.to("cuda")
    optimizer = SGD(model.parameters(), lr=0.1)
    before = [p.data.get().tobytes() for p in model.parameters()]
    found = find_lr(model, loader, optimizer=optimizer, steps=12)
    assert np.allclose(found.loss, expected.loss, rtol=1e-4)
    assert [p.data.get().tobytes() for p in model.parameters()] == before
