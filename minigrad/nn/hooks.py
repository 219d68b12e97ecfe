"""Hooks: functions of the user's that are called when a module runs.

    handle = layer.register_forward_hook(lambda module, inputs, output: print(output.shape))
    model(x)
    handle.remove()

A module with hooks is always called itself: `minigrad.nn.fuse` lets no other layer run it. What a
hook does to the output may be `y.register_hook(f)`, which shows f the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    def run(self, module: Any, inputs: tuple, named: dict[str, Any]) -> Any:
        """module.forward(*inputs, **named), with all hooks around it."""
        for hook, takes_named in list(self.before.values()):
            result = hook(module, inputs, named) if takes_named else hook(module, inputs)
            if result is not None and takes_named:
                inputs, named = result
            elif result is not None:
                inputs = result if isinstance(result, tuple) else (result,)
        y = module.forward(*inputs, **named)
        for hook, takes_named in list(self.after.values()):
            result = hook(module, inputs, named, y) if takes_named else hook(module, inputs, y)
            y = y if result is None else result
        return y
