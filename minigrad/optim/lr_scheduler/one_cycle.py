"""The schedule in which the rate rises and falls once, and the momentum the other way."""

import math
from collections.abc import Mapping
from typing import Any

from minigrad.arguments import demand
from minigrad.optim.lr_scheduler.base import (LRScheduler, Options, PerGroup, check_optimizer,
                                              count, number, one_of, per_group)
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

    unsaved = "optimizer", "base_lrs"

    def __init__(self, optimizer: Optimizer, max_lr: PerGroup, total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None,
                 pct_start: float = 0.3, anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: PerGroup = 0.85, max_momentum: PerGroup = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1) -> None:
        groups = check_optimizer(optimizer, last_epoch).param_groups
        if total_steps is not None:
            self.total_steps = count("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = (count("epochs", epochs)
                                * count("steps_per_epoch", steps_per_epoch))
        else:
            raise ValueError("OneCycleLR: needs total_steps, or epochs and steps_per_epoch")
        self.pct_start = number("pct_start", pct_start)
        demand(0 <= self.pct_start <= 1,
               f"OneCycleLR: pct_start must be in [0, 1], got {pct_start}")
        self.anneal_strategy = one_of("OneCycleLR", "anneal_strategy", anneal_strategy, _ANNEAL)
        demand(not cycle_momentum or {"momentum", "betas"} & groups[0].keys(), "OneCycleLR: "
               f"{type(optimizer).__name__} has no momentum and no betas to cycle; pass "
               "cycle_momentum=False")
        self.cycle_momentum, self.three_phase = bool(cycle_momentum), bool(three_phase)
        self.div_factor = number("div_factor", div_factor)
        self.final_div_factor = number("final_div_factor", final_div_factor)
        self.max_lrs = per_group("OneCycleLR", "max_lr", max_lr, groups)
        self.base_momentums = per_group("OneCycleLR", "base_momentum", base_momentum, groups)
        self.max_momentums = per_group("OneCycleLR", "max_momentum", max_momentum, groups)
        optimizer.initial_lrs = [lr / self.div_factor for lr in self.max_lrs]
        super().__init__(optimizer, last_epoch)

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
            options |= ({"betas": (momentum, group["betas"][1])} if "betas" in group else
                        {"momentum": momentum})
        return options

    def start(self, i: int) -> Options:
        return self.options(0, i)

    def _take(self, state: Mapping[str, Any]) -> None:
        untouched = self._rates() == self._last_lr      # no state of the optimizer came since
        super()._take(state)
        if untouched:
            self._apply(self.last_epoch, self.options)

    def _curve(self, step: int, first: float, peak: float, last: float) -> float:
        """Where the curve through these values at its corners is at a step; more than one step
        beyond the last corner is a ValueError."""
        demand(step <= self.total_steps, f"OneCycleLR: Tried to step {step} times, but the cycle "
               f"has total_steps={self.total_steps}")
        top, end = max(self.pct_start * self.total_steps - 1, 0), self.total_steps - 1
        corners = [(0, first), (top, peak), (end, last)]
        if self.three_phase:
            corners.insert(2, (2 * top, first))
        for (start, left), (stop, right) in zip(corners, corners[1:]):
            if step <= stop:
                break
        fraction = (step - start) / (stop - start) if stop != start else 1.0
        return _ANNEAL[self.anneal_strategy](left, right, fraction)


def _cos(start: float, end: float, fraction: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * fraction))


def _linear(start: float, end: float, fraction: float) -> float:
    return start + (end - start) * fraction


_ANNEAL = {"cos": _cos, "linear": _linear}
