"""Hooks: functions of the user's that are called when a module runs, forward or backward.

    handle = layer.register_forward_hook(lambda module, inputs, output: print(output.shape))
    model(x)
    handle.remove()

A module with hooks is always called itself: `minigrad.nn.fuse` lets no other layer run it.
Backward hooks see the gradients of the Tensors among the inputs (not of those given by name), and
of an output that is a Tensor or a tuple of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.engine import Tensor
from minigrad.graph import context
from minigrad.ops import cast, clone, concatenate, reshape


class Handle:
    """A registered hook: `remove()`, or the end of a `with` block, takes it away."""

    def __init__(self, hooks: dict[Handle, Any], entry: Any, prepend: bool) -> None:
        self.hooks = hooks
        others = dict(hooks) if prepend else {}
        for handle in others:
            del hooks[handle]
        hooks[self] = entry
        hooks.update(others)

    def remove(self) -> None:
        """Take the hook away; nothing happens the second time."""
        self.hooks.pop(self, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Hooks:
    """The hooks of one module, in the order in which they are called."""

    def __init__(self) -> None:
        self.before: dict[Handle, tuple[Callable, bool]] = {}   # whether it takes named arguments
        self.after: dict[Handle, tuple[Callable, bool]] = {}
        self.backward: dict[Handle, Callable] = {}

    def __bool__(self) -> bool:
        return bool(self.before or self.after or self.backward)

    def run(self, module: Any, inputs: tuple, named: dict[str, Any]) -> Any:
        """module.forward(*inputs, **named), with all hooks around it."""
        for hook, takes_named in list(self.before.values()):
            result = hook(module, inputs, named) if takes_named else hook(module, inputs)
            if result is None:
                continue
            if not takes_named:
                inputs = result if isinstance(result, tuple) else (result,)
            elif isinstance(result, tuple) and len(result) == 2:
                inputs, named = result
            else:
                raise RuntimeError("forward pre-hook: must return None or (inputs, named inputs), "
                                   f"got {result!r}")
        watching = list(self.backward.values()) if context.grad else []
        entry, inputs = _gate(inputs) if watching else (None, inputs)
        y = module.forward(*inputs, **named)
        for hook, takes_named in list(self.after.values()):
            result = hook(module, inputs, named, y) if takes_named else hook(module, inputs, y)
            y = y if result is None else result
        if entry is None or not isinstance(y, (Tensor, tuple)):
            return y
        way_out, outputs = _gate(y if isinstance(y, tuple) else (y,))
        _watch(module, watching, entry, way_out)
        return outputs if isinstance(y, tuple) else outputs[0]


class _Gate:
    """One Tensor through which the gradients of several values pass, and the form of each value:
    its shape and dtype, or None if it requires no gradient."""

    def __init__(self, values: tuple) -> None:
        self.forms = [(x.shape, x.dtype) if isinstance(x, Tensor) and x.requires_grad else None
                      for x in values]
        self.alone = len(values) - self.forms.count(None) == 1
        self.tensor = self.joined(values) if any(self.forms) else None

    def joined(self, values: Sequence) -> Tensor:
        """One Tensor of all values that require gradients."""
        tracked = [x for x, form in zip(values, self.forms) if form is not None]
        return clone(tracked[0]) if self.alone else concatenate([reshape(x, (-1,))
                                                                 for x in tracked])

    def parts(self, whole: Tensor) -> tuple[Tensor | None, ...]:
        """Of the one Tensor, or of its gradient, what belongs to each value."""
        found: list[Tensor | None] = []
        start = 0
        for form in self.forms:
            stop = start + (0 if form is None else math.prod(form[0]))
            found.append(None if form is None else whole if self.alone else
                         cast(reshape(whole[start:stop], form[0]), form[1]))
            start = stop
        return tuple(found)


def _gate(values: tuple) -> tuple[_Gate, tuple]:
    """A gate in front of the values, and the values behind it."""
    gate = _Gate(values)
    if gate.tensor is not None:
        values = tuple(x if part is None else part
                       for x, part in zip(values, gate.parts(gate.tensor)))
    return gate, values


def _watch(module: Any, hooks: list[Callable], entry: _Gate, way_out: _Gate) -> None:
    """Have the hooks called when the gradients of the inputs are known, or those of the outputs if
    no input requires one. What they return replaces the gradients of the inputs."""
    start, end = entry.tensor, way_out.tensor
    entry.tensor = way_out.tensor = None    # a graph must not refer to what comes after it
    at_outputs: list[Any] = [None]

    def call(at_inputs: tuple) -> tuple:
        for hook in hooks:
            result = hook(module, at_inputs, at_outputs[0])
            if result is not None:
                result = result if isinstance(result, tuple) else (result,)
                if [x is None for x in result] != [form is None for form in entry.forms]:
                    raise RuntimeError(f"backward hook of {type(module).__name__}: must return "
                                       f"None or {len(entry.forms)} gradients, None for each "
                                       "input that requires none")
                at_inputs = result
        return at_inputs

    def see_outputs(g: Tensor) -> None:
        at_outputs[0] = way_out.parts(g)
        if not any(entry.forms):
            call((None,) * len(entry.forms))

    if end is not None:
        end.register_hook(see_outputs)
    if start is not None and end is not None:
        start.register_hook(lambda g: entry.joined(call(entry.parts(g))))
