"""Schedules of one formula: those that multiply the rates that the groups have, by themselves a
curve from lr_0, and those that compute the rates from lr_0, whatever the groups have.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minigrad.arguments import demand, integer, plain
from minigrad.optim.lr_scheduler.base import (ChainableLR, LRScheduler, Options, check_optimizer,
                                              count, number)
from minigrad.optim.optimizer import Optimizer

Functions = Callable[[int], float] | Sequence[Callable[[int], float]]


class StepLR(ChainableLR):
    """lr *= gamma after every step_size steps: by itself, lr = lr_0 gamma^(epoch // step_size)."""

    moves_when_made = True

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.step_size, self.gamma = count("step_size", step_size), number("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def next(self, lr: float, epoch: int, i: int) -> float:
        return lr * self.gamma if epoch > 0 and epoch % self.step_size == 0 else lr


class MultiStepLR(ChainableLR):
    """lr *= gamma at each of the milestones, twice at one that is listed twice."""

    moves_when_made = True

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones, self.gamma = sorted(plain(list(milestones))), number("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def next(self, lr: float, epoch: int, i: int) -> float:
        return lr * self.gamma ** self.milestones.count(epoch)


class ConstantLR(ChainableLR):
    """lr = factor lr_0 until step total_iters, lr_0 from then on."""

    moves_when_made = True

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        self.factor = _share("ConstantLR", "factor", factor)
        self.total_iters = number("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def next(self, lr: float, epoch: int, i: int) -> float:
        if epoch == 0:
            return lr * self.factor
        return lr * (1 / self.factor) if epoch == self.total_iters else lr


class LinearLR(ChainableLR):
    """lr = lr_0 (start_factor + (end_factor - start_factor) min(epoch / total_iters, 1))."""

    moves_when_made = True

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0,
                 total_iters: int = 5, last_epoch: int = -1) -> None:
        self.start_factor = _share("LinearLR", "start_factor", start_factor)
        self.end_factor = _share("LinearLR", "end_factor", end_factor)
        demand(self.start_factor, "LinearLR: start_factor must be above 0: the rate is multiplied "
               "on")
        self.total_iters = number("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def first(self, epoch: int, i: int) -> dict:
        return {} if epoch else super().first(epoch, i)

    def next(self, lr: float, epoch: int, i: int) -> float:
        if epoch == 0:
            return lr * self.start_factor
        if epoch > self.total_iters:
            return lr
        rise = self.end_factor - self.start_factor
        return lr * (1 + rise / (self.total_iters * self.start_factor + (epoch - 1) * rise))


class ExponentialLR(ChainableLR):
    """lr = lr_0 gamma^epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = number("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def next(self, lr: float, epoch: int, i: int) -> float:
        return lr * self.gamma


class PolynomialLR(ChainableLR):
    """lr = lr_0 (1 - min(epoch / total_iters, 1))^power."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0,
                 last_epoch: int = -1) -> None:
        self.total_iters, self.power = number("total_iters", total_iters), number("power", power)
        super().__init__(optimizer, last_epoch)

    def next(self, lr: float, epoch: int, i: int) -> float:
        if epoch > self.total_iters:
            return lr
        left, before = (1 - step / self.total_iters for step in (epoch, epoch - 1))
        return lr * (left / before) ** self.power


class CosineAnnealingLR(ChainableLR):
    """By itself lr = lr_min + (lr_0 - lr_min) (1 + cos(pi epoch / T_max)) / 2, lr_min = eta_min.

    Each step multiplies lr - lr_min by the ratio of two values of that curve; from its lowest
    point, where both are 0, it adds the difference. Loshchilov and Hutter, "SGDR: stochastic
    gradient descent with warm restarts", ICLR 2017, equation 5, without restarts: beyond T_max the
    rate rises again, as torch's does.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = count("T_max", T_max), number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def next(self, lr: float, epoch: int, i: int) -> float:
        least = self.eta_min
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            return lr + (self.base_lrs[i] - least) * self._height(self.T_max + 1)
        return least + (lr - least) * self._height(epoch) / self._height(epoch - 1)

    def _height(self, epoch: int) -> float:
        """The curve from 1 at epoch 0 to 0 at T_max."""
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class OfFunctions(LRScheduler):
    """Mixed into schedules with a function of the epoch for each group. A state has the attributes
    of those that are objects, and nothing of plain functions, as in torch."""

    unsaved = "optimizer", "_functions"

    def __init__(self, optimizer: Optimizer, lr_lambda: Functions, last_epoch: int = -1) -> None:
        groups, name = check_optimizer(optimizer).param_groups, type(self).__name__
        self._functions = (list(lr_lambda) if isinstance(lr_lambda, Sequence) else
                           [lr_lambda] * len(groups))
        if not all(map(callable, self._functions)):
            raise TypeError(f"{name}: lr_lambda must be a function, or several, got {lr_lambda!r}")
        demand(len(self._functions) == len(groups), f"{name}: lr_lambda has "
               f"{len(self._functions)} functions for {len(groups)} groups")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lr_lambdas": [dict(getattr(f, "__dict__", ())) or None
                                                       for f in self._functions]}

    def _take(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        for f, attributes in zip(self._functions, state.pop("lr_lambdas")):
            vars(f).update(attributes or {})
        super()._take(state)


class MultiplicativeLR(OfFunctions, ChainableLR):
    """lr *= lr_lambda(epoch) at each step but the first."""

    def next(self, lr: float, epoch: int, i: int) -> float:
        return lr * self._functions[i](epoch)

    def at(self, epoch: int, i: int) -> dict:
        return self.options(epoch, i)       # torch has no other way


class LambdaLR(OfFunctions):
    """lr = lr_0 lr_lambda(epoch); lr_lambda is a function, or a list with one for each group."""

    def options(self, epoch: int, i: int) -> Options:
        return {"lr": self.base_lrs[i] * self._functions[i](epoch)}


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = lr_min + (lr_0 - lr_min) (1 + cos(pi t / T)) / 2, lr_min = eta_min: t counts from 0 to
    T, which is T_0 at first and T_mult times as much after each restart.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    `step(epoch + batch / batches)` sets the rate within an epoch.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_0 = integer("CosineAnnealingWarmRestarts", "T_0", T_0)
        self.T_mult = integer("CosineAnnealingWarmRestarts", "T_mult", T_mult)
        self.eta_min = number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def options(self, epoch: float, i: int) -> Options:
        demand(epoch >= 0,
               f"CosineAnnealingWarmRestarts: the step must not be negative, got {epoch}")
        t, period = epoch % self.T_0 if self.T_mult == 1 else epoch, self.T_0
        while t >= period:
            t, period = t - period, period * self.T_mult
        share = (1 + math.cos(math.pi * t / period)) / 2
        return {"lr": self.eta_min + (self.base_lrs[i] - self.eta_min) * share}


def _share(who: str, name: str, value: float) -> float:
    demand(0 <= number(name, value) <= 1, f"{who}: {name} must be in [0, 1], got {value}")
    return plain(value)
