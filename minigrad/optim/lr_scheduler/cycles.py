"""Schedules in which the rate rises and falls, and the momentum the other way; a step is a batch.
"""

import math
from collections.abc import Callable
from typing import Any

from minigrad.optim.lr_scheduler.base import (LRScheduler, Options, PerGroup, RatesLR,
                                              check_momentum, check_optimizer, count,
                                              momentum_option, number, per_group)
from minigrad.optim.optimizer import Optimizer


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to that first rate / final_div_factor.

    Smith and Topin, "Super-convergence", 2018. With T = total_steps (or epochs * steps_per_epoch)
    batches, the peak lies at step pct_start T - 1, the lowest rate at the last, T - 1. three_phase:
    down to the first rate over as many steps again, then to the lowest. anneal_strategy: "cos" or
    "linear". cycle_momentum: momentum, or Adam's beta1, falls from max_momentum to base_momentum
    while the rate rises, and returns; it replaces what the optimizer was built with, 0 included.
    max_lr, base_momentum and max_momentum are numbers, or lists with one for each group.

    Building it already sets step 0. So the T-th `step()`, after the last batch, leads past the end
    of the curve: as in torch it sets a rate that no batch uses. A further one raises ValueError.

    It differs from torch in two cases. If a second OneCycleLR drives the same groups, torch makes
    the first one follow the second one's rates, too; here each has its own. If T is so small that
    there is no warm-up (pct_start T <= 1), torch divides by zero or starts beyond the peak; here
    step 0 is the peak, and with T = 1 the only step. A group that is added later has no max_lr,
    and raises KeyError.
    """

    def __init__(self, optimizer: Optimizer, max_lr: PerGroup, total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None,
                 pct_start: float = 0.3, anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: PerGroup = 0.85, max_momentum: PerGroup = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1) -> None:
        groups = check_optimizer(optimizer).param_groups
        if total_steps is not None:
            self.total_steps = count("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = (count("epochs", epochs)
                                * count("steps_per_epoch", steps_per_epoch))
        else:
            raise ValueError("OneCycleLR: needs total_steps, or epochs and steps_per_epoch")
        pct_start = number("pct_start", pct_start)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be in [0, 1], got {pct_start}")
        if anneal_strategy not in _ANNEAL:
            raise ValueError("OneCycleLR: anneal_strategy must be one of "
                             f"{', '.join(_ANNEAL)}, got {anneal_strategy!r}")
        if cycle_momentum:
            check_momentum("OneCycleLR", optimizer)
        self.pct_start, self.three_phase = pct_start, bool(three_phase)
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, bool(cycle_momentum)
        self.div_factor = number("div_factor", div_factor)
        self.final_div_factor = number("final_div_factor", final_div_factor)
        self.max_lrs = per_group("OneCycleLR", "max_lr", max_lr, groups)
        self.base_momentums = per_group("OneCycleLR", "base_momentum", base_momentum, groups)
        self.max_momentums = per_group("OneCycleLR", "max_momentum", max_momentum, groups)
        super().__init__(optimizer, last_epoch)
        optimizer.initial_lrs = [lr / self.div_factor for lr in self.max_lrs]

    def options(self, epoch: int, i: int) -> Options:
        if i >= len(self.max_lrs):
            raise KeyError(f"OneCycleLR: it was made for {len(self.max_lrs)} groups, which have "
                           f"their max_lr each, and the optimizer has one more: group {i}")
        first, group = self.max_lrs[i] / self.div_factor, self.optimizer.param_groups[i]
        options: Options = {
            "lr": self._curve(epoch, first, self.max_lrs[i], first / self.final_div_factor)}
        if self.cycle_momentum:
            most = self.max_momentums[i]
            momentum = self._curve(epoch, most, self.base_momentums[i], most)
            options |= momentum_option(group, momentum)
        return options

    def _curve(self, step: int, first: float, peak: float, last: float) -> float:
        """Where the curve through these values at its corners is at a step; more than one step
        beyond the last corner is a ValueError."""
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: Tried to step {step} times, but the cycle has "
                             f"total_steps={self.total_steps}")
        top, end = max(self.pct_start * self.total_steps - 1, 0), self.total_steps - 1
        corners = [(0, first), (top, peak), (end, last)]
        if self.three_phase:
            corners.insert(2, (2 * top, first))
        for (start, left), (stop, right) in zip(corners, corners[1:]):
            if step <= stop:
                break
        fraction = (step - start) / (stop - start) if stop != start else 1.0
        return _ANNEAL[self.anneal_strategy](left, right, fraction)


class CyclicLR(RatesLR):
    """From base_lr up to max_lr in step_size_up steps, down again in step_size_down, or as many.

    Smith, "Cyclical learning rates for training neural networks", WACV 2017. mode: "triangular";
    "triangular2", each cycle half as high; "exp_range", gamma^step as high. Or scale_fn(x) is the
    height, x the number of the cycle, from 1, or of the step, as scale_mode says: "cycle" or
    "iterations". cycle_momentum: momentum, or Adam's beta1, falls from max_momentum to
    base_momentum while the rate rises, and returns. The rates and momentums are numbers, or lists
    with one for each group.
    """

    def __init__(self, optimizer: Optimizer, base_lr: PerGroup, max_lr: PerGroup,
                 step_size_up: int = 2000, step_size_down: int | None = None,
                 mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: PerGroup = 0.8,
                 max_momentum: PerGroup = 0.9, last_epoch: int = -1) -> None:
        groups = check_optimizer(optimizer, last_epoch).param_groups
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("CyclicLR: mode must be one of triangular, triangular2, exp_range, "
                             f"got {mode!r}, and there is no scale_fn")
        if cycle_momentum:
            check_momentum("CyclicLR", optimizer)
        rates, self.max_lrs, self.base_momentums, self.max_momentums = (
            per_group("CyclicLR", name, value, groups) for name, value in (
                ("base_lr", base_lr), ("max_lr", max_lr), ("base_momentum", base_momentum),
                ("max_momentum", max_momentum)))
        up = number("step_size_up", step_size_up)
        down = up if step_size_down is None else number("step_size_down", step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        self.mode, self.gamma = mode, number("gamma", gamma)
        self.cycle_momentum = bool(cycle_momentum)
        self._scale_fn = scale_fn
        self.scale_mode = scale_mode if scale_fn else (
            "iterations" if mode == "exp_range" else "cycle")
        if last_epoch == -1:
            for group, lr in zip(groups, rates):
                group["lr"] = lr
        super().__init__(optimizer, last_epoch)
        self.base_lrs = rates       # the first step is that of the rates at first, as torch's is

    def scale_fn(self, x: float) -> float:
        """How high a cycle is, or a step, from 0 to 1."""
        if self._scale_fn is not None:
            return self._scale_fn(x)
        return {"triangular": 1.0, "triangular2": 2.0 ** (1 - x)}.get(self.mode, self.gamma**x)

    def options(self, epoch: int, i: int) -> Options:
        cycle = math.floor(1 + epoch / self.total_size)
        x = 1 + epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else epoch)
        low, high = self.base_lrs[i], self.max_lrs[i]
        options: Options = {"lr": low + (high - low) * height}
        if self.cycle_momentum:
            low, high = self.base_momentums[i], self.max_momentums[i]
            options |= momentum_option(self.optimizer.param_groups[i], high - (high - low) * height)
        return options

    def state_dict(self) -> dict[str, Any]:
        """All but scale_fn, which is given again."""
        return {name: value for name, value in super().state_dict().items() if name != "_scale_fn"}


def _cos(start: float, end: float, fraction: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * fraction))


def _linear(start: float, end: float, fraction: float) -> float:
    return start + (end - start) * fraction


_ANNEAL = {"cos": _cos, "linear": _linear}
