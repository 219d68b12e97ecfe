"""Learning rates that change while training: call `step()` after each `optimizer.step()`.

A scheduler sets the options of the optimizer's groups when it is built, at each step and when its
state is loaded, always from the number of steps alone: only one of them can drive an optimizer.
OneCycleLR counts batches, the others whatever you call their steps, by custom epochs.
"""

from __future__ import annotations

import math
import operator

from minigrad.hints import module_getattr
from minigrad.optim.optimizer import Optimizer

__getattr__ = module_getattr(__name__)


class LRScheduler:
    """Base class: a subclass writes `options(epoch, i)`, the options of group i after that many
    steps; it sets what that needs before it calls this `__init__`."""

    def __init__(self, optimizer):
        self.optimizer = _checked(optimizer)
        self.last_epoch = 0
        self._apply(0)

    def step(self):
        """One step on; the options of every group follow."""
        self._apply(self.last_epoch + 1)
        self.last_epoch += 1

    def get_last_lr(self):
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self):
        """All that the schedule depends on, by name: numbers, strings and lists of numbers."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state):
        """Go on where `state_dict` was taken, with the schedule that was running then.

        Raises ValueError for the state of another kind of scheduler or other numbers of groups.
        """
        own, name = self.state_dict(), type(self).__name__
        if state.keys() != own.keys():
            raise ValueError(f"load_state_dict of {name}: missing or unexpected: "
                             f"{', '.join(sorted(state.keys() ^ own.keys()))}")
        for key, value in own.items():
            if isinstance(value, list) and len(value) != len(state[key]):
                raise ValueError(f"load_state_dict of {name}: {key} of {len(state[key])} groups "
                                 f"was saved, this optimizer has {len(value)}")
        vars(self).update(state)
        self._apply(self.last_epoch)

    def _apply(self, epoch):
        groups = self.optimizer.param_groups
        for group, options in zip(groups, [self.options(epoch, i) for i in range(len(groups))]):
            group.update(options)


class StepLR(LRScheduler):
    """lr = lr_0 gamma^(epoch // step_size)."""

    def __init__(self, optimizer, step_size, gamma=0.1):
        self.base_lrs = [group["lr"] for group in _checked(optimizer).param_groups]
        self.step_size, self.gamma = _count(step_size=step_size), gamma
        super().__init__(optimizer)

    def options(self, epoch, i):
        return {"lr": self.base_lrs[i] * self.gamma ** (epoch // self.step_size)}


class CosineAnnealingLR(LRScheduler):
    """lr = lr_min + (lr_0 - lr_min) (1 + cos(pi epoch / T_max)) / 2, with lr_min = eta_min.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    equation 5, without restarts: beyond T_max the rate rises again, as torch's does.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0):
        self.base_lrs = [group["lr"] for group in _checked(optimizer).param_groups]
        self.T_max, self.eta_min = _count(T_max=T_max), eta_min
        super().__init__(optimizer)

    def options(self, epoch, i):
        return {"lr": _cos(self.base_lrs[i], self.eta_min, epoch / self.T_max)}


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to that first rate / final_div_factor.

    Smith and Topin, "Super-convergence", 2018. With T = total_steps (or epochs * steps_per_epoch)
    batches, the peak lies at step pct_start T - 1, the lowest rate at the last, T - 1. three_phase:
    down to the first rate over as many steps again, then to the lowest. anneal_strategy: "cos" or
    "linear". cycle_momentum: momentum, or Adam's beta1, falls from max_momentum to base_momentum
    while the rate rises, and returns; it replaces what the optimizer was built with, 0 included.
    max_lr, base_momentum and max_momentum are numbers, or lists with one for each group.

    Building it sets step 0, so the T-th `step()`, after the last batch, leads past the end: as in
    torch it continues the curve, which no batch uses, and another raises ValueError.

    Differs from torch where T is so small that there is no warm-up, pct_start T <= 1, and torch
    divides by zero or starts beyond the peak: step 0 is the peak then, and with T = 1 the only one.
    """

    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None,
                 pct_start=0.3, anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85,
                 max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False):
        groups = _checked(optimizer).param_groups
        if total_steps is not None:
            self.total_steps = _count(total_steps=total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = _count(epochs=epochs) * _count(steps_per_epoch=steps_per_epoch)
        else:
            raise ValueError("OneCycleLR: needs total_steps, or epochs and steps_per_epoch")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be in [0, 1], got {pct_start}")
        if anneal_strategy not in _ANNEAL:
            raise ValueError("OneCycleLR: anneal_strategy must be one of "
                             f"{', '.join(_ANNEAL)}, got {anneal_strategy!r}")
        if cycle_momentum and not {"momentum", "betas"} & groups[0].keys():
            raise ValueError(f"OneCycleLR: {type(optimizer).__name__} has no momentum and no betas "
                             "to cycle; pass cycle_momentum=False")
        self.pct_start, self.three_phase = pct_start, three_phase
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.max_lrs = _per_group("max_lr", max_lr, groups)
        self.base_momentums = _per_group("base_momentum", base_momentum, groups)
        self.max_momentums = _per_group("max_momentum", max_momentum, groups)
        super().__init__(optimizer)

    def options(self, epoch, i):
        before, after, fraction = self._position(epoch)
        anneal = _ANNEAL[self.anneal_strategy]
        first = self.max_lrs[i] / self.div_factor
        lrs = {"first": first, "peak": self.max_lrs[i], "last": first / self.final_div_factor}
        options = {"lr": anneal(lrs[before], lrs[after], fraction)}
        if self.cycle_momentum:
            momentums = {"first": self.max_momentums[i], "peak": self.base_momentums[i],
                         "last": self.max_momentums[i]}
            momentum = anneal(momentums[before], momentums[after], fraction)
            group = self.optimizer.param_groups[i]
            options |= ({"betas": (momentum, group["betas"][1])} if "betas" in group
                        else {"momentum": momentum})
        return options

    def _position(self, step):
        """The corners of the curve before and after a step, and how far the step is from one to
        the other (0 to 1, more beyond the end)."""
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: Tried to step {step} times, but the cycle has "
                             f"total_steps={self.total_steps}")
        peak, end = max(self.pct_start * self.total_steps - 1, 0), self.total_steps - 1
        corners = [(0, "first"), (peak, "peak"), (end, "last")]
        if self.three_phase:
            corners.insert(2, (2 * peak, "first"))
        for (start, before), (stop, after) in zip(corners, corners[1:]):
            if step <= stop:
                break
        return before, after, (step - start) / (stop - start) if stop != start else 1.0


def _cos(start, end, fraction):
    return end + (start - end) / 2 * (1 + math.cos(math.pi * fraction))


def _linear(start, end, fraction):
    return start + (end - start) * fraction


_ANNEAL = {"cos": _cos, "linear": _linear}


def _checked(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a scheduler needs an Optimizer, got a {type(optimizer).__name__}")
    return optimizer


def _count(**named):
    """The value of the one argument as a positive int; TypeError and ValueError name it."""
    ((name, value),) = named.items()
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a positive integer, got {value!r}") from None
    if count < 1:
        raise ValueError(f"{name} must be a positive integer, got {count}")
    return count


def _per_group(name, value, groups):
    """[one value for each group], from a number for all of them or a list."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * len(groups)
    if len(values) != len(groups):
        raise ValueError(f"OneCycleLR: {name} has {len(values)} values for {len(groups)} groups")
    return values
