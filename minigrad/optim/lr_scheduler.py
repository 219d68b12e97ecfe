"""Learning rates that change while training: call `step()` after each `optimizer.step()`.

Several schedulers can drive one optimizer, one after the other at each step. StepLR and
CosineAnnealingLR go on from the rates that the groups have, whoever set them; OneCycleLR computes
the rates from the number of steps and nothing else. A step of OneCycleLR is a batch. A step of the
others is whatever you call `step()` after, which is usually an epoch.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from minigrad.arguments import is_integer, plain
from minigrad.hints import module_getattr
from minigrad.optim.optimizer import Group, Optimizer

__getattr__ = module_getattr(__name__)

Options = dict[str, Any]                # of a group of parameters
PerGroup = float | Sequence[float]      # one number for all groups, or one for each


class LRScheduler:
    """Base class: a subclass writes `options(epoch, i)`, the options of group i after that many
    steps; it sets what that needs before it calls this `__init__`.

    `options` may depend on the epoch alone, or also on what the group has: see `_ChainableLR`.
    """

    options: Callable[[int, int], Options]

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = _check(optimizer)
        self.last_epoch = 0
        self._apply(0)

    def step(self) -> None:
        """One step on; the options of every group follow."""
        self._apply(self.last_epoch + 1)
        self.last_epoch += 1

    def start(self, i: int) -> Options:
        """The options of group i that this schedule begins with."""
        return self.options(0, i)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group after the last step of this scheduler."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule depends on, by name: numbers, strings and lists of numbers."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, with the schedule that was running then.

        The state of the optimizer, which has the rates, is loaded too, before or after. Raises
        ValueError for the state of another kind of scheduler or other numbers of groups.
        """
        own, name = self.state_dict(), type(self).__name__
        state = {"_last_lr": own["_last_lr"], **state}      # which earlier versions did not save
        if state.keys() != own.keys():
            raise ValueError(f"load_state_dict of {name}: missing or unexpected: "
                             f"{', '.join(sorted(state.keys() ^ own.keys()))}")
        for key, value in own.items():
            if isinstance(value, list) and len(value) != len(state[key]):
                raise ValueError(f"load_state_dict of {name}: {key} of {len(state[key])} groups "
                                 f"was saved, this optimizer has {len(value)}")
        untouched = self._rates() == self._last_lr
        vars(self).update(state)
        self._resume(untouched)

    def _resume(self, untouched: bool) -> None:
        """What becomes of the groups when a state is loaded. `untouched`: they have the rates that
        this scheduler gave them, so no state of the optimizer was loaded since."""
        if untouched:
            self._apply(self.last_epoch)

    def _apply(self, epoch: int) -> None:
        groups = self.optimizer.param_groups
        for group, options in zip(groups, [self.options(epoch, i) for i in range(len(groups))]):
            group.update(options)
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [plain(group["lr"]) for group in self.optimizer.param_groups]


class _ChainableLR(LRScheduler):
    """Base of schedules whose `options` go from the rate that a group has to the next one, so that
    they multiply with those of other schedulers and with what is set by hand.

    `base_lrs` holds the rates that the groups had when the first scheduler saw them. A group that
    is added later joins with its own.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.base_lrs, self._last_lr = _initial_lrs(_check(optimizer)), []
        super().__init__(optimizer)

    def start(self, i: int) -> Options:
        return {"lr": self.base_lrs[i]} if i < len(self.base_lrs) else {}

    def state_dict(self) -> dict[str, Any]:
        self._join()
        return super().state_dict()

    def _resume(self, untouched: bool) -> None:
        pass        # the rates come with the state of the optimizer

    def _apply(self, epoch: int) -> None:
        self._join()
        super()._apply(epoch)

    def _join(self) -> None:
        """Take in the groups that were added since."""
        self.base_lrs += _initial_lrs(self.optimizer)[len(self.base_lrs):]
        self._last_lr += self._rates()[len(self._last_lr):]


class StepLR(_ChainableLR):
    """lr *= gamma after every step_size steps: by itself, lr = lr_0 gamma^(epoch // step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _count("step_size", step_size), _number("gamma", gamma)
        super().__init__(optimizer)

    def options(self, epoch: int, i: int) -> Options:
        lr, due = self._rates()[i], epoch > 0 and epoch % self.step_size == 0
        return {"lr": lr * self.gamma if due else lr}


class CosineAnnealingLR(_ChainableLR):
    """By itself lr = lr_min + (lr_0 - lr_min) (1 + cos(pi epoch / T_max)) / 2, lr_min = eta_min.

    Each step multiplies lr - lr_min by the ratio of two values of that curve; from its lowest
    point, where both are 0, it adds the difference. Loshchilov and Hutter, "SGDR: stochastic
    gradient descent with warm restarts", ICLR 2017, equation 5, without restarts: beyond T_max the
    rate rises again, as torch's does.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = _count("T_max", T_max), _number("eta_min", eta_min)
        super().__init__(optimizer)

    def options(self, epoch: int, i: int) -> Options:
        lr, least = self._rates()[i], self.eta_min
        if epoch == 0:
            return {"lr": lr}
        if (epoch - 1) % (2 * self.T_max) == self.T_max:
            return {"lr": lr + (self.base_lrs[i] - least) * self._height(self.T_max + 1)}
        return {"lr": least + (lr - least) * self._height(epoch) / self._height(epoch - 1)}

    def _height(self, epoch: int) -> float:
        """The curve from 1 at epoch 0 to 0 at T_max."""
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2


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
                 three_phase: bool = False) -> None:
        groups = _check(optimizer).param_groups
        if total_steps is not None:
            self.total_steps = _count("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = (_count("epochs", epochs)
                                * _count("steps_per_epoch", steps_per_epoch))
        else:
            raise ValueError("OneCycleLR: needs total_steps, or epochs and steps_per_epoch")
        pct_start = _number("pct_start", pct_start)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be in [0, 1], got {pct_start}")
        if anneal_strategy not in _ANNEAL:
            raise ValueError("OneCycleLR: anneal_strategy must be one of "
                             f"{', '.join(_ANNEAL)}, got {anneal_strategy!r}")
        if cycle_momentum and not {"momentum", "betas"} & groups[0].keys():
            raise ValueError(f"OneCycleLR: {type(optimizer).__name__} has no momentum and no betas "
                             "to cycle; pass cycle_momentum=False")
        self.pct_start, self.three_phase = pct_start, bool(three_phase)
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, bool(cycle_momentum)
        self.div_factor = _number("div_factor", div_factor)
        self.final_div_factor = _number("final_div_factor", final_div_factor)
        self.max_lrs = _per_group("max_lr", max_lr, groups)
        self.base_momentums = _per_group("base_momentum", base_momentum, groups)
        self.max_momentums = _per_group("max_momentum", max_momentum, groups)
        super().__init__(optimizer)
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
            options |= ({"betas": (momentum, group["betas"][1])} if "betas" in group
                        else {"momentum": momentum})
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


def _cos(start: float, end: float, fraction: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * fraction))


def _linear(start: float, end: float, fraction: float) -> float:
    return start + (end - start) * fraction


_ANNEAL = {"cos": _cos, "linear": _linear}


def _check(optimizer: Optimizer) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a scheduler needs an Optimizer, got a {type(optimizer).__name__}")
    return optimizer


def _initial_lrs(optimizer: Optimizer) -> list[float]:
    """The rate of each group when a scheduler first saw it."""
    rates = optimizer.initial_lrs
    rates += [plain(group["lr"]) for group in optimizer.param_groups[len(rates):]]
    return list(rates)


def _count(name: str, value: Any) -> int:
    """The value of an argument as a positive int; TypeError and ValueError name it."""
    if not is_integer(value, 1):
        error = ValueError if is_integer(value) else TypeError
        raise error(f"{name} must be a positive integer, got {value!r}")
    return operator.index(value)


def _number(name: str, value: Any) -> float:
    """The value of an argument as Python's number; the TypeError names it."""
    if not isinstance(plain(value), Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return plain(value)


def _per_group(name: str, value: Any, groups: list[Group]) -> list[float]:
    """[one value for each group], from a number for all of them, or a list or array."""
    one = not isinstance(value, (list, tuple)) and not getattr(value, "ndim", 0)
    values = [_number(name, v) for v in ([value] * len(groups) if one else value)]
    if len(values) != len(groups):
        raise ValueError(f"OneCycleLR: {name} has {len(values)} values for {len(groups)} groups")
    return values
