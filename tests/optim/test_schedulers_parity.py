"""Schedulers of schedulers, on plateaus, and gone on with, step by step against PyTorch's."""

import copy
import itertools
import math
import warnings

import numpy as np
import pytest

from minigrad import Tensor, optim

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*(lr_scheduler|scheduler.step|epoch parameter).*")

PARTS = {       # what a schedule is made of
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5], 0.5),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.2, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 1.0, 6),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 90, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 40, 0.001),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, 2, 0.001),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.93),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.4, 110, cycle_momentum=False)}


def both(build):
    """[(optimizer with two groups, what `build` makes of the library's schedulers and it)]."""
    found = []
    for library, tensor in ((optim, lambda: Tensor([1.0], requires_grad=True)),
                            (torch.optim, lambda: torch.ones(1, requires_grad=True))):
        optimizer = library.SGD([{"params": [tensor()]}, {"params": [tensor()], "lr": 0.5}], lr=0.1)
        found.append((optimizer, build(library.lr_scheduler, optimizer)))
    return found


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def follow(pairs, steps=100, arguments=itertools.repeat(())):
    """Both make the same steps, and have the same rates before and after each."""
    (mine, ours), (theirs, other) = pairs
    for step, values in zip(range(steps), arguments):
        assert rates(mine) == pytest.approx(rates(theirs), 1e-9, 1e-13), step
        assert ours.get_last_lr() == pytest.approx(other.get_last_lr(), 1e-9, 1e-13), step
        ours.step(*values), other.step(*values)


@pytest.mark.parametrize("second", PARTS)
@pytest.mark.parametrize("first", PARTS)
def test_one_after_the_other(first, second):
    follow(both(lambda s, o: s.SequentialLR(o, [PARTS[first](s, o), PARTS[second](s, o)], [8])))


@pytest.mark.parametrize("milestones", [[3, 20], [1, 2], [5, 5], [0, 4]])
def test_three_of_them(milestones):
    follow(both(lambda s, o: s.SequentialLR(o, [
        s.ConstantLR(o, 0.1, 99), s.ExponentialLR(o, 0.9), s.StepLR(o, 10, 0.5)], milestones)))


@pytest.mark.parametrize("names", [
    ["StepLR", "ExponentialLR"], ["LinearLR", "CosineAnnealingLR", "MultiStepLR"], ["LambdaLR"],
    ["ConstantLR", "PolynomialLR"]], ids=str)
def test_all_at_each_step(names):
    follow(both(lambda s, o: s.ChainedScheduler([PARTS[name](s, o) for name in names])))
    follow(both(lambda s, o: s.ChainedScheduler([PARTS[name](s, o) for name in names], o)))


def test_schedulers_of_schedulers_of_schedulers():
    """A chain steps when a sequence begins, once for each of its schedulers, also in PyTorch."""
    follow(both(lambda s, o: s.ChainedScheduler([s.SequentialLR(o, [
        s.LinearLR(o, 0.1, 1.0, 5), s.ExponentialLR(o, 0.95)], [5]), s.StepLR(o, 7, 0.5)])))
    follow(both(lambda s, o: s.SequentialLR(o, [s.ChainedScheduler([
        s.LinearLR(o, 0.1, 1.0, 5), s.ExponentialLR(o, 0.95)]), s.StepLR(o, 7, 0.5)], [9])), 9)
    follow(both(lambda s, o: s.SequentialLR(o, [s.SequentialLR(o, [
        s.LinearLR(o, 0.1, 1.0, 5), s.ExponentialLR(o, 0.95)], [4]), s.StepLR(o, 7, 0.5)], [9])), 9)


PLATEAUS = [{}, {"patience": 2}, {"mode": "max", "patience": 1}, {"patience": 0, "cooldown": 3},
            {"patience": 1, "threshold": 0.2, "threshold_mode": "abs", "factor": 0.5},
            {"patience": 0, "min_lr": 0.02, "factor": 0.5}, {"patience": 0, "min_lr": [0.03, 0.2]},
            {"mode": "max", "threshold_mode": "abs", "threshold": 0.3, "patience": 1},
            {"patience": 0, "eps": 0.06, "factor": 0.5}]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_a_rate_falls_on_a_plateau_as_torchs(options):
    figures = np.random.default_rng(3).normal(size=100).cumsum() / 3
    figures[[20, 21, 60]] = math.nan, math.inf, -math.inf
    follow(both(lambda s, o: s.ReduceLROnPlateau(o, **options)), 60, ((x,) for x in figures))
    follow(both(lambda s, o: s.ReduceLROnPlateau(o, **options)), 90,
           ((np.float32(x),) for x in 2 + np.cos(np.arange(100) / 9)))


@pytest.mark.parametrize("name", PARTS)
def test_a_step_that_is_gone_to(name):
    """Whole steps for all; parts of an epoch for warm restarts."""
    steps = [0, 1, 7, 3, 30, 44, 2, 0]
    if name == "CosineAnnealingWarmRestarts":
        steps += [0.25, 4.75, 12.5, 16, 36.25]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        follow(both(PARTS[name]), 99, ((step,) for step in steps))


GUARDED = set(PARTS) - {"OneCycleLR"}       # which a last epoch makes start otherwise


@pytest.mark.parametrize("last", [0, 1, 4, 9])
@pytest.mark.parametrize("name", sorted(GUARDED))
def test_going_on_after_an_epoch_with_the_state_of_the_optimizer(name, last):
    """As in the documentation of `last_epoch`, with "initial_lr" from the optimizer's state."""
    pairs = []
    for (optimizer, schedule), (fresh, library) in zip(both(PARTS[name]), both(lambda s, o: s)):
        for _ in range(last + 1):
            schedule.step()
        fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        build = {"StepLR": lambda s, o: s.StepLR(o, 3, 0.5, last),
                 "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5], 0.5, last_epoch=last),
                 "ConstantLR": lambda s, o: s.ConstantLR(o, 0.2, 4, last),
                 "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 1.0, 6, last),
                 "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9, last),
                 "PolynomialLR": lambda s, o: s.PolynomialLR(o, 90, 2.0, last),
                 "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 40, 0.001, last),
                 "CosineAnnealingWarmRestarts":
                     lambda s, o: s.CosineAnnealingWarmRestarts(o, 50, 2, 0.001, last),
                 "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 1 / (1 + epoch), last),
                 "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.93, last)}
        pairs.append((fresh, build[name](library, fresh)))
    follow(pairs, 30)


@pytest.mark.parametrize("build, error", [
    (lambda s, o: s.StepLR(o, 3, last_epoch=5), KeyError),
    (lambda s, o: s.LambdaLR(o, [lambda epoch: 1]), ValueError),
    (lambda s, o: s.MultiplicativeLR(o, 0.5), TypeError),
    (lambda s, o: s.ConstantLR(o, 1.5), ValueError), (lambda s, o: s.ConstantLR(o, -1), ValueError),
    (lambda s, o: s.LinearLR(o, 0.0), ValueError), (lambda s, o: s.LinearLR(o, 1.5), ValueError),
    (lambda s, o: s.LinearLR(o, 0.5, -1), ValueError),
    (lambda s, o: s.LinearLR(o, 0.5, 2), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2.0), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, "best"), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o).step(), TypeError),
    (lambda s, o: s.ExponentialLR(3, 0.5), TypeError),
    (lambda s, o: s.SequentialLR(o, [], []), ValueError),
    (lambda s, o: s.SequentialLR(o, [s.ExponentialLR(o, 1)], [3]), ValueError),
    (lambda s, o: s.SequentialLR(o, [3], []), TypeError),
    (lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []), ValueError),
    (lambda s, o: s.ChainedScheduler([]), ValueError),
    (lambda s, o: s.ChainedScheduler([s.ExponentialLR(o, 1), s.ReduceLROnPlateau(o)]), ValueError),
    (lambda s, o: s.ChainedScheduler([s.ExponentialLR(o, 1),
                                      s.ExponentialLR(copy.deepcopy(o), 1)]), ValueError)])
def test_errors_are_of_torchs_types(build, error):
    for library, tensor in ((optim, Tensor([1.0], requires_grad=True)),
                            (torch.optim, torch.ones(1, requires_grad=True))):
        optimizer = library.SGD([{"params": [tensor]}, {"params": [tensor.detach().clone()
                                if library is torch.optim else Tensor([2.0])]}], lr=0.1)
        with pytest.raises(error):
            build(library.lr_scheduler, optimizer)


class WarmUp:
    """A scheduler as users of PyTorch write them; mixed with the library's base class."""

    def get_lr(self):
        return [lr * min(1, (self.last_epoch + 1) / 10) for lr in self.base_lrs]


class Halving:
    def get_lr(self):
        return [group["lr"] / 2 if self.last_epoch else group["lr"]
                for group in self.optimizer.param_groups]


@pytest.mark.parametrize("kind", [WarmUp, Halving])
def test_a_scheduler_that_has_get_lr(kind):
    follow(both(lambda s, o: type("Mine", (kind, s.LRScheduler), {})(o)), 20)
