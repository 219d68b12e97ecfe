"""Schedules that compute the rates from lr_0 and the number of steps, whatever the groups have."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigrad.arguments import is_integer
from minigrad.optim.lr_scheduler.base import LRScheduler, Options, RatesLR, check_optimizer, number
from minigrad.optim.optimizer import Optimizer

Functions = Callable[[int], float] | Sequence[Callable[[int], float]]


class OfFunctions(LRScheduler):
    """Mixed into schedules with a function of the epoch for each group. A state has the attributes
    of those that are objects, and nothing of plain functions, as in torch."""

    _functions: list[Callable[[int], float]]

    def _take_functions(self, optimizer: Optimizer, functions: Functions) -> None:
        groups = check_optimizer(optimizer).param_groups
        self._functions = list(functions) if isinstance(functions, (list, tuple)) else (
            [functions] * len(groups))      # type: ignore[list-item]  # it is one
        if len(self._functions) != len(groups):
            raise ValueError(f"{type(self).__name__}: lr_lambda has {len(self._functions)} "
                             f"functions for {len(groups)} groups")
        for f in self._functions:
            if not callable(f):
                raise TypeError(f"{type(self).__name__}: lr_lambda must be a function of the epoch,"
                                f" got a {type(f).__name__}")

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        del state["_functions"]
        return {**state, "lr_lambdas": [dict(vars(f)) or None if hasattr(f, "__dict__") else None
                                        for f in self._functions]}

    def _take(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        for f, attributes in zip(self._functions, state.pop("lr_lambdas")):
            vars(f).update(attributes or {})
        super()._take(state)


class LambdaLR(OfFunctions, RatesLR):
    """lr = lr_0 lr_lambda(epoch); lr_lambda is a function, or a list with one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Functions, last_epoch: int = -1) -> None:
        self._take_functions(optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def options(self, epoch: int, i: int) -> Options:
        return {"lr": self.base_lrs[i] * self._functions[i](epoch)}


class CosineAnnealingWarmRestarts(RatesLR):
    """lr = lr_min + (lr_0 - lr_min) (1 + cos(pi t / T)) / 2, lr_min = eta_min: t counts from 0 to
    T, which is T_0 at first and T_mult times as much after each restart.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    `step(epoch + batch / batches)` sets the rate within an epoch.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not is_integer(value, 1):
                raise ValueError(f"CosineAnnealingWarmRestarts: {name} must be a positive integer, "
                                 f"got {value!r}")
        self.T_0, self.T_mult, self.eta_min = int(T_0), int(T_mult), number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def options(self, epoch: float, i: int) -> Options:
        if epoch < 0:
            raise ValueError("CosineAnnealingWarmRestarts: the step must not be negative, got "
                             f"{epoch}")
        t, period = epoch % self.T_0 if self.T_mult == 1 else epoch, self.T_0
        while t >= period:
            t, period = t - period, period * self.T_mult
        share = (1 + math.cos(math.pi * t / period)) / 2
        return {"lr": self.eta_min + (self.base_lrs[i] - self.eta_min) * share}
