"""Schedulers that ask others, one after the other or all at each step, or figures of the epochs.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.arguments import demand, plain
from minigrad.optim.lr_scheduler.base import (LRScheduler, Options, PerGroup, check_optimizer,
                                              initial_lrs, number, one_of, per_group)
from minigrad.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """lr = max(factor lr, min_lr), after more than `patience` steps in a row with no better figure.

    step(figure): the figure of the epoch, such as the loss in validation. mode: the lower the
    better ("min"), or the higher ("max"). A figure is better by more than `threshold`, a share of
    the best one ("rel"), or as a number ("abs"). After a fall, `cooldown` steps are not counted.
    Changes of no more than eps are left out.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: PerGroup = 0, eps: float = 1e-8) -> None:
        self.mode = one_of("ReduceLROnPlateau", "mode", mode, ("min", "max"))
        self.threshold_mode = one_of("ReduceLROnPlateau", "threshold_mode", threshold_mode,
                                     ("rel", "abs"))
        self.factor, self.patience = number("factor", factor), number("patience", patience)
        self.threshold, self.eps = number("threshold", threshold), number("eps", eps)
        demand(self.factor < 1, f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        self.optimizer = check_optimizer(optimizer)
        self.min_lrs = per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer.param_groups)
        self.cooldown = number("cooldown", cooldown)
        self.best: float = math.inf if mode == "min" else -math.inf
        self.cooldown_counter: float = 0
        self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = self._rates()

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        current, sign = float(metrics), -1 if self.mode == "min" else 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        bound = (self.best * (1 + sign * self.threshold) if self.threshold_mode == "rel"
                 else self.best + sign * self.threshold)
        self.num_bad_epochs += 1
        if sign * current > sign * bound:
            self.best, self.num_bad_epochs = current, 0
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            added = len(self.optimizer.param_groups) - len(self.min_lrs)
            for group, least in zip(self.optimizer.param_groups,
                                    self.min_lrs + self.min_lrs[-1:] * added):
                lr = max(group["lr"] * self.factor, least)
                group["lr"] = lr if group["lr"] - lr > self.eps else group["lr"]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()


class _Combined(LRScheduler):
    """Base: `_schedulers` are those that it steps, all of one optimizer; their states are in its.

    Raises TypeError for what is no scheduler, ValueError for none, a ReduceLROnPlateau, which needs
    a figure at each step, and one of another optimizer.
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        self.optimizer, self._schedulers = check_optimizer(optimizer), list(schedulers)
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"{name}: number {i} of the schedulers is a "
                                f"{type(scheduler).__name__}")
            demand(not isinstance(scheduler, ReduceLROnPlateau), f"{name}: number {i} of the "
                   "schedulers is a ReduceLROnPlateau, which needs a figure at each step")
            demand(scheduler.optimizer is optimizer,
                   f"{name}: number {i} of the schedulers has another optimizer")

    def begin(self) -> None:
        self.step()

    def start(self, i: int) -> Options:
        return {name: value for scheduler in self._schedulers[::-1]
                for name, value in scheduler.start(i).items()}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(),
                "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def _take(self, state: Mapping[str, Any]) -> None:
        groups = self.optimizer.param_groups
        before, state = [dict(group) for group in groups], dict(state)
        for scheduler, own in zip(self._schedulers, state.pop("_schedulers")):
            scheduler.load_state_dict(own)
        for group, old in zip(groups, before):      # the rates come with the optimizer's state
            group.update(old)
        super()._take(state)


class SequentialLR(_Combined):
    """The first scheduler until step milestones[0], where the second one begins, and so on."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler],
                 milestones: Sequence[int], last_epoch: int = -1) -> None:
        super().__init__(optimizer, schedulers)
        demand(schedulers and len(milestones) == len(schedulers) - 1, f"SequentialLR: "
               f"{len(schedulers)} schedulers need a milestone between each two, got "
               f"{len(milestones)}")
        self._milestones, self.last_epoch = plain(list(milestones)), last_epoch + 1
        for group, lr in zip(optimizer.param_groups, initial_lrs(optimizer)):
            group["lr"] = lr
        _undo(self)
        scheduler = self._schedulers[bisect_right(self._milestones, 0)]
        scheduler.begin()
        self._last_lr = scheduler.get_last_lr()

    def step(self) -> None:  # type: ignore[override]  # to one after the other
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        begins = index > 0 and self._milestones[index - 1] == self.last_epoch
        if begins and not isinstance(scheduler, _Combined):
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Combined):
    """All schedulers at each step, in their order, of the optimizer that they have."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
                 ) -> None:
        demand(schedulers, "ChainedScheduler: got no schedulers")
        super().__init__(optimizer or schedulers[0].optimizer, schedulers)
        self._last_lr = self._rates()

    def step(self) -> None:  # type: ignore[override]  # to one after the other
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


def _undo(scheduler: LRScheduler) -> None:
    """Take back the count of the first step, which each of the schedulers made by itself."""
    if isinstance(scheduler, _Combined):
        for inner in scheduler._schedulers:
            _undo(inner)
    else:
        scheduler.last_epoch -= 1
