"""What optimizers share: groups of parameters with their options, state, and the walk over them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from numbers import Real
from typing import Any

import numpy as np

from minigrad.arguments import demand, plain
from minigrad.backend import check_devices, memory_error, to_device
from minigrad.engine import Tensor
from minigrad.kernels.optim.cpu import by_device

IMPLEMENTATIONS = "foreach", "fused", "capturable", "differentiable"    # of torch; here is one
ADDED_LATER = {"maximize": False, "amsgrad": False}     # options that earlier files do not have
_NOT_NEGATIVE = ("lr", "eps", "weight_decay", "momentum", "alpha", "lr_decay",
                 "initial_accumulator_value")
NOT_OPTIONS = {"params", "param_names", "initial_lr"}     # what else a group has

Group = dict[str, Any]      # "params" and the options by name
Params = Iterable[Tensor] | Iterable[Group]
State = dict[str, Any]
Item = tuple[np.ndarray, np.ndarray, State]     # parameter, gradient, state of one parameter


class Optimizer:
    """Base class: a subclass writes `update(p, g, state, group)`, which changes the array p. (It is
    called for every parameter, even if the class that it derives from has one call for all.)

    params: the parameters, or a list of groups: dicts of "params" and of the options in which a
    group differs from `defaults`. `param_groups` holds the groups with all their options, which may
    be changed between steps; `state` holds a dict per parameter, made at its first step. g is the
    gradient's array, never changed, or its negative if the group says "maximize". A parameter
    without gradient is left alone: no decay, no state.

    initial_lrs: the rate that each group had when a scheduler first saw it. Schedulers that are
    made later start from these rates too.
    """

    update: Callable[..., None]

    def __init_subclass__(cls) -> None:
        if "update" in vars(cls) and "update_together" not in vars(cls):
            setattr(cls, "update_together", Optimizer.update_together)

    def __init__(self, params: Params, defaults: dict[str, Any], **chosen: Any) -> None:
        """chosen: torch's choices of an implementation (see `IMPLEMENTATIONS`), None or False.
        Raises as `add_param_group`, and ValueError for another choice."""
        for option, value in chosen.items():
            if option not in IMPLEMENTATIONS:
                raise TypeError(f"{type(self).__name__}: unknown option {option!r}")
            if value:
                raise ValueError(f"{type(self).__name__}: {option} must be None or False, got "
                                 f"{value!r}: there is one implementation")
        self.defaults = {option: plain(value) for option, value in defaults.items()}
        self.param_groups: list[Group] = []
        self.initial_lrs: list[float] = []
        self.state: dict[Tensor, State] = defaultdict(dict)
        groups = self._in_order(params)
        demand(groups, f"{type(self).__name__}: got no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Group) -> None:
        """Train the Tensors of group["params"] (one or several) too; the rest are its options.

        They may come with names, all or none, as `minigrad.nn.Module.named_parameters` gives them:
        the group keeps these as "param_names". "initial_lr": where its schedule started.
        Raises TypeError for what is no group or no Tensor; ValueError for an unknown or wrong
        option, no parameters, a Tensor that an op made, and one that is listed already.
        """
        name, number = type(self).__name__, len(self.param_groups)
        where = f"{name}: parameter group {number}"
        if not isinstance(group, dict):
            raise TypeError(f"{where} is a {type(group).__name__}, not a dict")
        unknown = group.keys() - self.defaults.keys() - NOT_OPTIONS
        demand(not unknown, f"{where} has unknown options: {', '.join(sorted(unknown))}")
        demand("params" in group, f"{where} has no 'params'")
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else self._in_order(params)
        demand(params, f"{name}: got no parameters in group {number}")
        if all(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in params):
            names, params = map(list, zip(*params))
            group = {**group, "param_names": names}
        demand(all(("param_names" in other) == ("param_names" in group)
                   for other in self.param_groups),
               f"{where} must have names of its parameters as the other groups have, or none as "
               "they")
        seen = {id(p) for other in self.param_groups for p in other["params"]}
        for i, p in enumerate(params):
            where = f"{name}: parameter {i} of group {number}"
            if not isinstance(p, Tensor):
                raise TypeError(f"{where} is a {type(p).__name__}, not a Tensor")
            demand(p.is_leaf, f"{where} is the result of an op, not a leaf Tensor")
            demand(id(p) not in seen, f"{where} is listed twice")
            seen.add(id(p))
        group = {option: plain(value) for option, value in {**self.defaults, **group}.items()
                 if option != "params"} | {"params": params}
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: Group) -> None:
        """ValueError for an option of the group that makes no sense."""
        if "lr" in group:
            self.check_ranges(lr=(group["lr"], 0))

    def check_ranges(self, **ranges: tuple) -> None:
        """TypeError unless each (value, low) or (value, low, high) has a number, ValueError unless
        it has low <= value < high."""
        for name, bounds in ranges.items():
            check_range(type(self).__name__, name, *bounds)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every gradient, or make it zero."""
        clear_gradients(trained_tensors(self), set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place. closure: computes gradients first,
        and the loss, which is returned."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            try:
                self._step(group)
            except MemoryError as error:    # their state is made in the first step
                raise memory_error(error, f"{type(self).__name__}.step") from error
            except Exception:
                for p in group["params"]:
                    check_devices(f"{type(self).__name__}.step", p, p.grad)
                raise
        return loss

    def _step(self, group: Group) -> None:
        for option in self.defaults:        # which may have been set to a NumPy number
            group[option] = plain(group[option])
        maximize, items = group.get("maximize"), []
        for p in group["params"]:
            if p.grad is not None:
                g = -p.grad.data if maximize else p.grad.data
                items.append((p.data, g, self.state.setdefault(p, {})))
                p.version_counter().version += 1  # no graph that saved p may run backward any more
        for some in by_device(items):
            self.update_together(some, group)

    def update_together(self, items: list[Item], group: Group) -> None:
        """Update many parameters of one device; a subclass may have one call for all of them.

        items: the arguments of `update` without the group, (p, g, state) for each parameter.
        """
        for item in items:
            self.update(*item, group)

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number of a parameter: its state}, "param_groups": [group]}, as torch's.

        Parameters are numbered through all groups, and a group's "params" are their numbers. The
        arrays are the live ones. Where a schedule started is in its group, as "initial_lr".
        """
        number = {p: i for i, p in enumerate(trained_tensors(self))}
        groups = [{**group, "params": [number[p] for p in group["params"]]}
                  for group in self.param_groups]
        for group, lr in zip(groups, self.initial_lrs):
            group["initial_lr"] = lr
        return {"state": {number[p]: dict(state) for p, state in self.state.items() if state},
                "param_groups": [{option: plain(value) for option, value in group.items()}
                                 for group in groups]}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on with copies of the state and options that `state_dict` gave, or torch's, as arrays.

        Options and state go to the parameters in order. Raises ValueError listing whatever differs:
        the number and sizes of groups, options and shapes; nothing is loaded then.
        """
        groups, name = saved["param_groups"], type(self).__name__
        sizes, own = ([len(group["params"]) for group in some]
                      for some in (groups, self.param_groups))
        demand(sizes == own, f"load_state_dict of {name}: groups of {sizes} parameters were saved, "
               f"this optimizer has groups of {own}")
        numbers = [i for group in groups for i in group["params"]]
        owner = dict(zip(numbers, trained_tensors(self)))
        problems = [f"group {i} {problem}" for i, group in enumerate(groups)
                    for problem in self._misfits(group)]
        for i, entries in saved["state"].items():
            if i not in owner:
                problems.append(f"there is state of parameter {i}, which is in no group")
                continue
            problems += [f"{entry} of parameter {i} has shape {np.shape(value)}, the parameter "
                         f"{owner[i].shape}" for entry, value in entries.items()
                         if entry != "step" and np.shape(value) != owner[i].shape]
        demand(not problems, f"load_state_dict of {name}: {'; '.join(problems)}")
        self.state = defaultdict(dict, {
            owner[i]: {entry: int(value) if entry == "step" else _like(owner[i], value)
                       for entry, value in entries.items()}
            for i, entries in saved["state"].items()})
        if all("initial_lr" in group for group in groups):
            self.initial_lrs = [plain(group["initial_lr"]) for group in groups]
        for group, new in zip(self.param_groups, groups):
            new = {**ADDED_LATER, **new}
            group.update({option: tuple(new[option]) if isinstance(new[option], list)
                          else plain(new[option])
                          for option in self.defaults})     # JSON has no tuples

    def _misfits(self, group: Group) -> Iterator[str]:
        """What a saved group lacks, and what it asks for that this optimizer cannot do."""
        missing = [option for option in self.defaults if option not in {*group, *ADDED_LATER}]
        if missing:
            yield f"lacks {', '.join(missing)}"
        for option, value in group.items():
            if value is True and option not in {*self.defaults, *IMPLEMENTATIONS}:
                yield f"asks for {option}"

    def _in_order(self, params: Any) -> list:
        """Parameters, or groups of them, as a list."""
        if isinstance(params, (Set, Tensor)) or not isinstance(params, Iterable):
            raise TypeError(f"{type(self).__name__}: the parameters must come in an order, as in a "
                            f"list; got {type(params).__name__}")
        return list(params)


class Standard(Optimizer):
    """Base of PyTorch's optimizers.

    options: those of the constructor, as its `locals()`, which are the defaults of the groups.
    """

    def __init__(self, params: Params, options: dict[str, Any]) -> None:
        super().__init__(params, {name: value for name, value in options.items()
                                  if name not in ("self", "params", "chosen", "__class__")},
                         **options["chosen"])

    def check(self, group: Group) -> None:
        super().check(group)
        if "betas" in group:
            demand(np.shape(group["betas"]) == (2,), f"{type(self).__name__}: betas must be two "
                   f"numbers, got {group['betas']!r}")
            b1, b2 = group["betas"] = plain(tuple(group["betas"]))
            self.check_ranges(beta1=(b1, 0, 1), beta2=(b2, 0, 1))
        self.check_ranges(**{name: (group[name], 0) for name in _NOT_NEGATIVE if name in group})


def trained_tensors(optimizer: Optimizer) -> list[Tensor]:
    """All Tensors of all groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def check_range(who: str, name: str, value: Any, low: float, high: float | None = None) -> None:
    """TypeError unless `value` is a number, ValueError unless low <= value < high; `who` and the
    name of the argument are named."""
    if not isinstance(value, Real):
        raise TypeError(f"{who}: {name} must be a number, got {value!r}")
    limit = f"at least {low}" if high is None else f"in [{low}, {high})"
    demand(low <= value and (high is None or value < high),  # type: ignore[operator]
           f"{who}: {name} must be {limit}, got {value}")


def clear_gradients(tensors: Iterable[Tensor], set_to_none: bool = True) -> None:
    """Forget the gradient of each, or make it zero, in place."""
    for p in tensors:
        if set_to_none:
            p.grad = None
        elif p.grad is not None:
            p.grad = p.grad.detach()
            p.grad[...] = 0


def _like(p: Tensor, value: Any) -> np.ndarray:
    """A copy of the array `value` with the dtype, device and memory layout of p."""
    copy = np.empty_like(p.data)
    copy[...] = to_device(np.asarray(value) if isinstance(value, np.generic) else value, p.device)
    return copy
