"""Schedulers of schedulers: one after the other, or all at each step."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.arguments import plain
from minigrad.optim.lr_scheduler.base import LRScheduler, Options, check_optimizer, initial_lrs
from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.optimizer import Optimizer


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
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{name}: number {i} of the schedulers is a ReduceLROnPlateau, "
                                 "which needs a figure at each step")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name}: number {i} of the schedulers has another optimizer")

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

    def _resume(self, untouched: bool) -> None:
        pass


class SequentialLR(_Combined):
    """The first scheduler until step milestones[0], where the second one begins, and so on."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler],
                 milestones: Sequence[int], last_epoch: int = -1) -> None:
        super().__init__(optimizer, schedulers)
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: {len(schedulers)} schedulers need a milestone between "
                             f"each two, got {len(milestones)}")
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
        scheduler.step(0 if index and self._milestones[index - 1] == self.last_epoch else None)
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Combined):
    """All schedulers at each step, in their order, of the optimizer that they have."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
                 ) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler: got no schedulers")
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
