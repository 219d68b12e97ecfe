"""What optimizers share: groups of parameters with their options, state, and the walk over them."""

from __future__ import annotations

import numpy as np

from minigrad.backend import device_of, memory_error, to_device
from minigrad.tensor import Tensor

BLOCK = 1 << 15  # elements updated at once: a handful of such arrays stays in a core's cache


class Optimizer:
    """Base class: a subclass writes `update(p, g, state, group)`, which changes the array p.

    params: the parameters, or a list of groups, dicts of "params" and of options that are to differ
    from `defaults`. `param_groups` holds the groups with all their options, which may be changed
    between steps; `state` holds a dict per parameter, made at its first step. g is the gradient's
    array, never changed. A parameter without gradient is left alone: no decay, no state.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.param_groups = []
        self.state = {}
        groups = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: got no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group):
        """Train the Tensors of group["params"] (one or several) too; the rest are its options.

        Raises TypeError for what is no group or no Tensor; ValueError for an unknown or wrong
        option, no parameters, a Tensor that an op made, and one that is listed already.
        """
        name, number = type(self).__name__, len(self.param_groups)
        if not isinstance(group, dict):
            raise TypeError(f"{name}: parameter group {number} is a {type(group).__name__}, "
                            "not a dict")
        unknown = group.keys() - self.defaults.keys() - {"params"}
        if unknown or "params" not in group:
            raise ValueError(f"{name}: parameter group {number} " + (
                f"has unknown options: {', '.join(sorted(unknown))}" if unknown
                else "has no 'params'"))
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        if not params:
            raise ValueError(f"{name}: got no parameters in group {number}")
        seen = {id(p) for other in self.param_groups for p in other["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: parameter {i} of group {number} is a "
                                f"{type(p).__name__}, not a Tensor")
            if not p.is_leaf:
                raise ValueError(f"{name}: parameter {i} of group {number} is the result of an op, "
                                 "not a leaf Tensor")
            if id(p) in seen:
                raise ValueError(f"{name}: parameter {i} of group {number} is listed twice")
            seen.add(id(p))
        group = {**self.defaults, **group, "params": params}
        self.check(group)
        self.param_groups.append(group)

    def check(self, group):
        """ValueError for an option of the group that makes no sense."""
        self.check_ranges(lr=(group["lr"], 0, None))

    def check_ranges(self, **ranges):
        """ValueError unless each (value, low, high) has low <= value < high."""
        for name, (value, low, high) in ranges.items():
            if not low <= value or (high is not None and not value < high):
                limit = f"at least {low}" if high is None else f"in [{low}, {high})"
                raise ValueError(f"{type(self).__name__}: {name} must be {limit}, got {value}")

    def zero_grad(self):
        """Forget every gradient."""
        for p in self._params():
            p.grad = None

    def step(self):
        """Update every parameter that has a gradient, in place."""
        for group in self.param_groups:
            on_gpu = []
            for p in group["params"]:
                if p.grad is not None:
                    item = p.data, p.grad.data, self.state.setdefault(p, {})
                    if p.device == "cuda":
                        on_gpu.append(item)
                    else:
                        self.update(*item, group)
                    p.counter()[0] += 1     # a graph that saved p must not run backward any more
            try:
                self.update_together(on_gpu, group)
            except MemoryError as error:    # their state is made in the first step
                raise memory_error(error, f"{type(self).__name__}.step") from error

    def update_together(self, items, group):
        """Update many parameters on the GPU; a subclass may have one kernel for all of them."""
        for item in items:
            self.update(*item, group)

    def state_dict(self):
        """{"state": {number of a parameter: its state}, "param_groups": [group]}, as torch's.

        Parameters are numbered through all groups, and a group's "params" are their numbers. The
        arrays are the live ones.
        """
        number = {p: i for i, p in enumerate(self._params())}
        return {"state": {number[p]: dict(state) for p, state in self.state.items() if state},
                "param_groups": [{**group, "params": [number[p] for p in group["params"]]}
                                 for group in self.param_groups]}

    def load_state_dict(self, saved):
        """Go on with copies of the state and options that `state_dict` gave, or torch's, as arrays.

        Options and state go to the parameters in order. Raises ValueError listing whatever differs:
        the number and sizes of groups, options and shapes; nothing is loaded then.
        """
        groups, name = saved["param_groups"], type(self).__name__
        sizes, own = ([len(group["params"]) for group in some]
                      for some in (groups, self.param_groups))
        if sizes != own:
            raise ValueError(f"load_state_dict of {name}: groups of {sizes} parameters were saved, "
                             f"this optimizer has groups of {own}")
        numbers = [i for group in groups for i in group["params"]]
        owner = dict(zip(numbers, self._params()))
        problems = [f"group {i} {problem}" for i, group in enumerate(groups)
                    for problem in self._misfits(group)]
        for i, entries in saved["state"].items():
            if i not in owner:
                problems.append(f"there is state of parameter {i}, which is in no group")
                continue
            problems += [f"{entry} of parameter {i} has shape {np.shape(value)}, the parameter "
                         f"{owner[i].shape}" for entry, value in entries.items()
                         if entry != "step" and np.shape(value) != owner[i].shape]
        if problems:
            raise ValueError(f"load_state_dict of {name}: {'; '.join(problems)}")
        self.state = {owner[i]: {entry: int(value) if entry == "step" else _like(owner[i], value)
                                 for entry, value in entries.items()}
                      for i, entries in saved["state"].items()}
        for group, new in zip(self.param_groups, groups):
            group.update({option: tuple(new[option]) if isinstance(new[option], list)
                          else new[option] for option in self.defaults})      # JSON has no tuples

    def _misfits(self, group):
        """What a saved group lacks, and what it asks for that this optimizer cannot do."""
        missing = [option for option in self.defaults if option not in group]
        if missing:
            yield f"lacks {', '.join(missing)}"
        for option, value in group.items():
            if value is True and option not in self.defaults:
                yield f"asks for {option}"

    def _params(self):
        return [p for group in self.param_groups for p in group["params"]]


def _like(p, value):
    """A copy of the array `value` with the dtype, device and memory layout of p."""
    copy = np.empty_like(p.data)
    copy[...] = to_device(np.asarray(value) if isinstance(value, np.generic) else value, p.device)
    return copy


def blocks(*arrays):
    """Corresponding pieces of arrays of one shape: views, small enough for several passes in cache.

    Arrays that lie in memory in one order are cut in that order, which is fastest; others along
    their first axis. On a GPU there is one piece.
    """
    size = arrays[0].size
    if device_of(arrays[0]) != "cpu" or size <= BLOCK:
        yield arrays
        return
    order = sorted(range(arrays[0].ndim), key=lambda axis: -abs(arrays[0].strides[axis]))
    ordered = [a.transpose(order) for a in arrays]
    if all(a.flags.c_contiguous for a in ordered):
        arrays = [a.reshape(-1) for a in ordered]
    rows = max(1, BLOCK * len(arrays[0]) // size)
    for start in range(0, len(arrays[0]), rows):
        yield [a[start:start + rows] for a in arrays]
