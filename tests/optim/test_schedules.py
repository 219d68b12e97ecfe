"""Schedules by hand, in sequences and chains, on plateaus; resuming; schedulers of the user's."""

import json

import numpy as np
import pytest

from minigrad import Tensor, nn, optim
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import lr_scheduler as schedules
from minigrad.train import fit
from tests.one_line import one_line


def sgd(lr=1.0, **options):
    return optim.SGD([Tensor(np.ones(1), requires_grad=True)], lr=lr, **options)


def curve(scheduler, steps):
    """The rate before each of the first steps."""
    rates = []
    for _ in range(steps):
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.step()
    return rates


BY_HAND = {
    "MultiStepLR": (lambda o: schedules.MultiStepLR(o, [3, 1], 0.5), [1, 0.5, 0.5, 0.25, 0.25]),
    "ConstantLR": (lambda o: schedules.ConstantLR(o, 0.25, 2), [0.25, 0.25, 1, 1, 1]),
    "LinearLR": (lambda o: schedules.LinearLR(o, 0.5, 1.0, 4), [0.5, 0.625, 0.75, 0.875, 1, 1]),
    "ExponentialLR": (lambda o: schedules.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125]),
    "PolynomialLR": (lambda o: schedules.PolynomialLR(o, 4, 2.0),
                     [1, 9 / 16, 1 / 4, 1 / 16, 0, 0]),
    "CosineAnnealingWarmRestarts": (
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 2, 2, 0.2),
        [1, 0.6, 1, 0.6 + 0.4 * 0.5**0.5, 0.6, 0.6 - 0.4 * 0.5**0.5, 1]),
    "LambdaLR": (lambda o: schedules.LambdaLR(o, lambda epoch: epoch * 2), [0, 2, 4, 6]),
    "MultiplicativeLR": (lambda o: schedules.MultiplicativeLR(o, lambda epoch: epoch),
                         [1, 1, 2, 6]),
    "SequentialLR": (lambda o: schedules.SequentialLR(o, [
        schedules.ConstantLR(o, 0.1, 9), schedules.ExponentialLR(o, 0.5)], [2]),
        [0.1, 0.1, 1, 0.5, 0.25]),
    "ChainedScheduler": (lambda o: schedules.ChainedScheduler([
        schedules.ExponentialLR(o, 0.5), schedules.StepLR(o, 2, 0.1)]),
        [1, 0.5, 0.025, 0.0125, 0.000625])}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_rates_by_hand(name):
    build, expected = BY_HAND[name]
    np.testing.assert_allclose(curve(build(sgd()), len(expected)), expected, atol=1e-12)


def test_a_rate_falls_where_a_figure_stays():
    optimizer = sgd()
    scheduler = schedules.ReduceLROnPlateau(optimizer, patience=1, cooldown=1, factor=0.5)
    found = []
    for figure in (3, 2, 2, 2, 2, 2, 2, 1):
        scheduler.step(figure)
        found += scheduler.get_last_lr()
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25] and scheduler.best == 1


@pytest.mark.parametrize("name", BY_HAND)
def test_resuming_anywhere_gives_the_same_rates(name):
    """Through JSON, the optimizer's state loaded after the scheduler's or before."""
    build, _ = BY_HAND[name]
    for stop in (0, 1, 2, 5):
        for optimizer_first in (False, True):
            straight = build(sgd())
            curve(straight, stop)
            saved = json.loads(json.dumps(straight.state_dict()))
            resumed = build(sgd())
            states = [(resumed.optimizer, straight.optimizer.state_dict()), (resumed, saved)]
            for one, state in states if optimizer_first else states[::-1]:
                one.load_state_dict(state)
            assert resumed.get_last_lr() == straight.get_last_lr()
            assert curve(resumed, 6) == curve(straight, 6)


def test_a_function_that_is_an_object_keeps_its_attributes():
    class Decay:
        def __init__(self, base):
            self.base = base

        def __call__(self, epoch):
            return self.base ** epoch

    state = schedules.LambdaLR(sgd(), Decay(0.5)).state_dict()
    other = schedules.LambdaLR(sgd(), Decay(0.1))
    other.load_state_dict(state)
    np.testing.assert_allclose(curve(other, 3), [1, 0.5, 0.25])


def test_a_step_within_an_epoch():
    scheduler = schedules.CosineAnnealingWarmRestarts(sgd(), 4)
    scheduler.step(5.0)
    whole = scheduler.get_last_lr()
    scheduler.step(1.0)
    assert scheduler.get_last_lr() == whole and scheduler.last_epoch == 1
    scheduler.step(2 + 0.25)
    assert scheduler.get_last_lr()[0] == pytest.approx((1 + np.cos(np.pi * 2.25 / 4)) / 2)


def test_a_schedule_goes_on_after_an_epoch():
    first = sgd()
    scheduler = schedules.ExponentialLR(first, 0.5)
    curve(scheduler, 3)
    second = sgd(lr=9.0)
    second.load_state_dict(first.state_dict())
    assert curve(schedules.ExponentialLR(second, 0.5, last_epoch=2), 3) == [0.125, 0.0625, 0.03125]
    assert schedules.LambdaLR(second, lambda epoch: epoch, last_epoch=2).get_last_lr() == [3.0]
    given = optim.SGD([{"params": Tensor([1.0], requires_grad=True), "initial_lr": 4.0}], lr=1.0)
    assert schedules.LambdaLR(given, lambda epoch: epoch, last_epoch=1).get_last_lr() == [8.0]
    with one_line(KeyError, "last_epoch=3", "initial_lr", "group 0"):
        schedules.StepLR(sgd(), 2, last_epoch=3)


def test_a_scheduler_of_the_users():
    class WarmUp(schedules.LRScheduler):
        def get_lr(self):
            return [lr * min(1, (self.last_epoch + 1) / 4) for lr in self.base_lrs]

    assert curve(WarmUp(sgd()), 5) == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("build, error, words", [
    (lambda o: schedules.LinearLR(o, 0), ValueError, ["LinearLR: start_factor must be above 0"]),
    (lambda o: schedules.ConstantLR(o, 2), ValueError, ["ConstantLR: factor must be in [0, 1]"]),
    (lambda o: schedules.LambdaLR(o, [abs, abs]), ValueError, ["2 functions for 1 groups"]),
    (lambda o: schedules.LambdaLR(o, 3), TypeError, ["LambdaLR: lr_lambda must be a", "got 3"]),
    (lambda o: schedules.SequentialLR(o, [schedules.StepLR(sgd(), 1)], []), ValueError,
     ["SequentialLR: number 0 of the schedulers has another optimizer"]),
    (lambda o: schedules.ChainedScheduler([schedules.ReduceLROnPlateau(o)]), ValueError,
     ["needs a figure"]),
    (lambda o: schedules.ChainedScheduler([schedules.StepLR(o, 1)]).load_state_dict({}), ValueError,
     ["load_state_dict of ChainedScheduler", "_schedulers"])])
def test_what_makes_no_schedule(build, error, words):
    with one_line(error, *words):
        build(sgd())


def test_a_training_goes_on_with_its_schedule(tmp_path):
    x = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)

    def run(epochs, folder, resume=False):
        model = nn.Linear(3, 2)
        model.load_state_dict({"weight": np.eye(2, 3, dtype=np.float32),
                               "bias": np.zeros(2, np.float32)})
        optimizer = optim.RMSprop(model.parameters(), lr=0.1)
        schedule = schedules.SequentialLR(optimizer, [
            schedules.LinearLR(optimizer, 0.1, 1.0, 4), schedules.LambdaLR(
                optimizer, lambda step: 1 / (1 + step))], milestones=[5])
        loader = DataLoader(ArrayDataset(x, np.arange(24) % 2), 8, shuffle=True, workers=0)
        history = fit(model, loader, epochs=epochs, optimizer=optimizer, scheduler=schedule,
                      folder=tmp_path / folder, resume=resume, progress=False)
        return model.weight.numpy(force=True), history.column("lr")

    weight, rates = run(4, "straight")
    run(2, "stopped")
    resumed, again = run(4, "stopped", resume=True)
    assert resumed.tobytes() == weight.tobytes() and rates == again
    np.testing.assert_allclose(rates, [0.055, 0.1, 0.025, 0.1 / 7])
