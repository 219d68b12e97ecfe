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
from itertools import accumulate
from typing import Any

from minigrad.engine import Tensor
from minigrad.graph import context
from minigrad.ops import cast, concatenate, reshape


class Handle:
    """A registered hook: `remove()`, or the end of a `with` block, takes it away."""

    def __init__(self, hooks: dict[Handle, Any], entry: Any) -> None:
        self.hooks = hooks
        hooks[self] = entry

    def remove(self) -> None:
        """Take the hook away; nothing happens the second time."""
        self.hooks.pop(self, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Hooks:
    """The hooks of one module, in the order in which they were registered."""

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
            if result is not None and takes_named:
                inputs, named = result
            elif result is not None:
                inputs = _tuple(result)
        watching = list(self.backward.values()) if context.grad else []
        entry = _Gate(inputs if watching else ())
        y = module.forward(*(entry.values if watching else inputs), **named)
        for hook, takes_named in list(self.after.values()):
            result = hook(module, inputs, named, y) if takes_named else hook(module, inputs, y)
            y = y if result is None else result
        if not (watching and isinstance(y, (Tensor, tuple))):
            return y
        way_out = _Gate(_tuple(y))
        outputs = way_out.values
        _watch(module, watching, entry, way_out)
        return outputs if isinstance(y, tuple) else outputs[0]


class _Gate:
    """One Tensor through which the gradients of several values pass, and the values behind it.

    The gradients are those of the Tensors that require one: `forms` has their shapes and dtypes,
    and None for other values. Without any, the Tensor is None.
    """

    def __init__(self, values: tuple) -> None:
        self.forms = [(x.shape, x.dtype) if isinstance(x, Tensor) and x.requires_grad else None
                      for x in values]
        self.tensor = self.joined(values) if any(self.forms) else None
        self.values = tuple(x if part is None else part
                            for x, part in zip(values, self.parts(self.tensor)))

    def joined(self, values: Sequence) -> Tensor:
        """One Tensor of all values that require gradients."""
        return concatenate([reshape(x, (-1,)) for x, form in zip(values, self.forms) if form])

    def parts(self, whole: Any) -> tuple[Tensor | None, ...]:
        """Of the one Tensor, or of its gradient, what belongs to each value."""
        sizes = [math.prod(form[0]) if form else 0 for form in self.forms]
        return tuple(form and cast(reshape(whole[stop - n:stop], form[0]), form[1])
                     for form, n, stop in zip(self.forms, sizes, accumulate(sizes)))


def _watch(module: Any, hooks: list[Callable], entry: _Gate, way_out: _Gate) -> None:
    """Have the hooks called when the gradients of the inputs are known, or those of the outputs if
    no input requires one. What they return replaces the gradients of the inputs."""
    start, end = entry.tensor, way_out.tensor
    if end is None:
        return
    for gate in (entry, way_out):       # a graph must not refer to what comes after it
        gate.tensor, gate.values = None, ()
    at_outputs: list[Any] = [()]

    def at_inputs(g: Tensor | None) -> Tensor | None:
        gradients = entry.parts(g)
        for hook in hooks:
            result = hook(module, gradients, at_outputs[0])
            gradients = gradients if result is None else _tuple(result)
        return entry.joined(gradients) if g is not None else None

    def note(g: Tensor) -> None:
        at_outputs[0] = way_out.parts(g)
        if start is None:
            at_inputs(None)

    end.register_hook(note)
    if start is not None:
        start.register_hook(at_inputs)


def _tuple(x: Any) -> tuple:
    return x if isinstance(x, tuple) else (x,)
