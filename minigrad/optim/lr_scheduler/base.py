"""What schedulers share: the walk over the groups, state, and rates that multiply with others."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from minigrad.arguments import demand, is_integer, plain
from minigrad.optim.optimizer import Group, Optimizer

Options = dict[str, Any]                # of a group of parameters
PerGroup = float | Sequence[float]      # one number for all groups, or one for each


class LRScheduler:
    """Base class: a subclass writes `options(epoch, i)`, the options of group i after that many
    steps; it sets what that needs before it calls this `__init__`. Or, as in torch, it writes
    `get_lr()`, the rates of all groups at `last_epoch`.

    `options` may depend on the epoch alone, or also on what the group has: see ChainableLR.
    `base_lrs` are the rates that the groups had when the first scheduler saw them; a group that is
    added later joins with its own.
    last_epoch: the number of the step before the first, if it goes on with an optimizer that was
    trained already and has "initial_lr" in its groups, from a state or as given; else KeyError.
    """

    get_lr: Callable[[], list[float]]
    unsaved: tuple[str, ...] = ("optimizer",)       # attributes that are not in a state

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(optimizer, last_epoch)
        self.base_lrs, self.last_epoch = initial_lrs(optimizer), last_epoch
        self._last_lr: list[float] = []
        self.begin()

    def begin(self) -> None:
        """The first step, when it is made."""
        self._apply(self.last_epoch + 1, self.first)

    def step(self, epoch: float | None = None) -> None:
        """One step on, or to this one; the options of every group follow."""
        if epoch is None:
            self._apply(self.last_epoch + 1, self.options)
        else:
            self._apply(epoch, self.at)

    def options(self, epoch: Any, i: int) -> Options:
        before, self.last_epoch = self.last_epoch, epoch
        try:
            return {"lr": self.get_lr()[i]}
        finally:
            self.last_epoch = before

    def first(self, epoch: int, i: int) -> Options:
        """What a new scheduler sets at its first step."""
        return self.options(epoch, i)

    def at(self, epoch: Any, i: int) -> Options:
        """The options of a step that is gone to from anywhere."""
        return self.options(epoch, i)

    def start(self, i: int) -> Options:
        """The options of group i that this schedule begins with."""
        return {"lr": self.base_lrs[i]} if i < len(self.base_lrs) else {}

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group after the last step of this scheduler."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule depends on, by name: numbers, strings and lists of numbers."""
        self._join()
        return {name: value for name, value in vars(self).items() if name not in self.unsaved}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, with the schedule that was running then.

        The state of the optimizer, which has the rates, is loaded too, before or after. Raises
        ValueError for the state of another kind of scheduler or other numbers of groups.
        """
        own, name = self.state_dict(), type(self).__name__
        state = {"_last_lr": own["_last_lr"], **state}      # which earlier versions did not save
        demand(state.keys() == own.keys(), f"load_state_dict of {name}: missing or unexpected: "
               f"{', '.join(sorted(state.keys() ^ own.keys()))}")
        for key in [key for key in own if key in PER_GROUP]:
            demand(len(own[key]) == len(state[key]), f"load_state_dict of {name}: {key} of "
                   f"{len(state[key])} groups was saved, this optimizer has {len(own[key])}")
        self._take(state)

    def _take(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)

    def _apply(self, epoch: float, options: Callable[[Any, int], Options]) -> None:
        self._join()
        groups = self.optimizer.param_groups
        for group, new in zip(groups, [options(epoch, i) for i in range(len(groups))]):
            group.update(new)
        self.last_epoch, self._last_lr = math.floor(epoch), self._rates()

    def _join(self) -> None:
        """Take in the groups that were added since; those that step others have no rates."""
        if hasattr(self, "base_lrs"):
            self.base_lrs += initial_lrs(self.optimizer)[len(self.base_lrs):]
            self._last_lr += self._rates()[len(self._last_lr):]

    def _rates(self) -> list[float]:
        return [plain(group["lr"]) for group in self.optimizer.param_groups]


class ChainableLR(LRScheduler):
    """Base of schedules that multiply with others and with what is set by hand: a subclass writes
    `next(lr, epoch, i)`, the rate at a step of group i that has the rate lr."""

    next: Callable[[float, int, int], float]
    moves_when_made = False         # or the rate of the groups is that of the first step

    def options(self, epoch: int, i: int) -> Options:
        return {"lr": self.next(self._rates()[i], epoch, i)}

    def first(self, epoch: int, i: int) -> Options:
        return self.options(epoch, i) if self.moves_when_made else {}

    def at(self, epoch: int, i: int) -> Options:
        lr = self.base_lrs[i]
        for step in range(not self.moves_when_made, epoch + 1):
            lr = self.next(lr, step, i)
        return {"lr": lr}


PER_GROUP = {"base_lrs", "_last_lr", "max_lrs", "base_momentums", "max_momentums", "min_lrs",
             "lr_lambdas", "_schedulers"}       # entries of a state that must keep their length


def check_optimizer(optimizer: Optimizer, last_epoch: int = -1) -> Optimizer:
    """The optimizer; TypeError for something else, KeyError if a schedule that goes on after a step
    is not told where it started."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a scheduler needs an Optimizer, got a {type(optimizer).__name__}")
    for i, group in enumerate(optimizer.param_groups[len(optimizer.initial_lrs):]):
        if last_epoch >= 0 and "initial_lr" not in group:
            raise KeyError(f"a scheduler with last_epoch={last_epoch} needs 'initial_lr' in each "
                           f"group, where the schedule started; group {i} has none")
    return optimizer


def initial_lrs(optimizer: Optimizer) -> list[float]:
    """The rate of each group when a scheduler first saw it."""
    rates = optimizer.initial_lrs
    rates += [plain(group.get("initial_lr", group["lr"]))
              for group in optimizer.param_groups[len(rates):]]
    return list(rates)


def count(name: str, value: Any) -> int:
    """The value of an argument as a positive int; TypeError and ValueError name it."""
    if not is_integer(value, 1):
        error = ValueError if is_integer(value) else TypeError
        raise error(f"{name} must be a positive integer, got {value!r}")
    return operator.index(value)


def number(name: str, value: Any) -> float:
    """The value of an argument as Python's number; the TypeError names it."""
    if not isinstance(plain(value), Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return plain(value)


def per_group(who: str, name: str, value: Any, groups: list[Group]) -> list[float]:
    """[one value for each group], from a number for all of them, or a list or array."""
    one = not isinstance(value, (list, tuple)) and not getattr(value, "ndim", 0)
    values = [number(name, v) for v in ([value] * len(groups) if one else value)]
    demand(len(values) == len(groups),
           f"{who}: {name} has {len(values)} values for {len(groups)} groups")
    return values


def one_of(who: str, name: str, value: Any, known: Iterable[str]) -> str:
    """The value of an argument that is one of these; else ValueError."""
    demand(value in known, f"{who}: {name} must be one of {', '.join(known)}, got {value!r}")
    return value
