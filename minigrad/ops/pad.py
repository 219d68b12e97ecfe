"""Padding: elements put around an array, a number or copies of the elements that it has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.arguments import is_integer, number
from minigrad.backend import Array, array_module
from minigrad.engine import Values
from minigrad.function import Function
from minigrad.ops.cost import free
from minigrad.ops.operands import in_float32
from minigrad.ops.shape import concatenate, expand, getitem

MODES: dict[str, tuple] = {  # how wide each may pad an axis of n elements, also in words
    "reflect": (lambda n: n - 1, "needs widths smaller than the axis"),
    "replicate": (lambda n: math.inf if n else 0, "needs an axis that is not empty"),
    "circular": (lambda n: n, "needs widths up to the axis's size"),
}

Pairs = list[tuple[int, int]]  # (before, after) for each axis


class Pad(Function):
    """y = x with `widths[d] = (before, after)` elements of `value` added around axis d."""

    cost = free

    def __init__(self, widths: Pairs, value: float) -> None:
        self.widths, self.value = widths, value

    def forward(self, x: Array) -> Array:
        self.inner = tuple(slice(b, b + n) for (b, _), n in zip(self.widths, x.shape))
        shape = [before + n + after for n, (before, after) in zip(x.shape, self.widths)]
        y = array_module(x).full_like(x, self.value, shape=shape)  # channels-last if x is
        y[self.inner] = x
        return y

    def backward(self, gy: Values) -> Values:
        return getitem(gy, self.inner)


def pad(x: Values, pad: int | Sequence[int], mode: Any = "constant", value: Any = None) -> Values:
    """x with more elements around it.

    pad: how many elements come before and after the last axis, then the one before it, and so on,
    for example (left, right, top, bottom) for images. A negative width removes elements.

    mode "constant" adds `value`, which is 0 unless given. The other modes copy elements of x. They
    make of an axis 0 1 2 3 with the pad (2, 2)
        "reflect"    2 1 | 0 1 2 3 | 2 1     a mirror image beyond the outermost elements
        "replicate"  0 0 | 0 1 2 3 | 3 3     copies of the outermost elements
        "circular"   2 3 | 0 1 2 3 | 0 1     the elements from the other end
    As in torch, these three pad the last 1, 2 or 3 axes, and one or two axes must remain before
    them. A number in the place of `mode` is the value.

    Raises ValueError for an odd number of widths, for more widths than x has axes, for widths that
    the mode cannot fill, for an unknown mode, and for a value that the mode does not use.
    """
    if not isinstance(mode, str):
        mode, value = "constant", mode
    widths: Any = tuple(pad) if isinstance(pad, (tuple, list, np.ndarray)) else (pad,)
    pairs = _pairs(x, widths)
    added = [(max(before, 0), max(after, 0)) for before, after in pairs]
    if mode == "constant":
        x = _without(x, pairs)
        return Pad(added, 0.0 if value is None else number(value))(x) if any(map(any, added)) else x
    if mode not in MODES:
        raise ValueError(f"pad: mode must be 'constant', {', '.join(map(repr, MODES))}, got "
                         f"{mode!r}")
    if value:
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value!r}")
    count = len(widths) // 2
    if count not in (1, 2, 3) or x.ndim - count not in (1, 2):
        raise ValueError(f"pad: mode {mode!r} pads the last 1, 2 or 3 axes, and one or two axes "
                         f"stay before them; got pad {widths} for shape {x.shape}")
    return _by_own(x, pairs, added, mode)


@in_float32()  # in which the gradients of the copies of an element are added
def _by_own(x: Values, pairs: Pairs, added: Pairs, mode: str) -> Values:
    """x padded by its own elements, and without those that negative widths remove."""
    if mode == "circular":  # it copies only elements that are not removed
        x, pairs = _without(x, pairs), added
    for axis, (before, after) in enumerate(added):
        if before or after:
            x = _around(x, axis, before, after, mode)
    return _without(x, pairs)


def _around(x: Values, axis: int, before: int, after: int, mode: str) -> Values:
    """x with elements of its own before and after it along an axis."""
    n = x.shape[axis]
    most, limit = MODES[mode]
    if max(before, after) > most(n):
        raise ValueError(f"pad: mode {mode!r} {limit}, got ({before}, {after}) for axis {axis} of "
                         f"shape {x.shape}")

    def part(start: int, stop: int, step: int = 1) -> Values:
        return getitem(x, (*[slice(None)] * axis, slice(start, stop, step)))

    def repeated(edge: Values, count: int) -> Values:
        return expand(edge, (*x.shape[:axis], count, *x.shape[axis + 1:]))

    if mode == "reflect":
        first, last = part(before, 0, -1), part(-2, -2 - after, -1)
    elif mode == "circular":
        first, last = part(n - before, n), part(0, after)
    else:
        first, last = repeated(part(0, 1), before), repeated(part(n - 1, n), after)
    return concatenate([first, x, last], axis)


def _pairs(x: Any, pad: tuple) -> Pairs:
    """(before, after) for each axis of x, the first axis first; ValueError unless they fit."""
    if any(isinstance(width, (tuple, list)) for width in pad):
        raise ValueError(f"pad: {pad} holds pairs, as numpy.pad takes them; here it is one row of "
                         "widths, the last axis first: (left, right, top, bottom)")
    if not all(map(is_integer, pad)) or len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: {pad} must hold a pair of integers for each of at most "
                         f"{x.ndim} axes")
    pairs = [(int(before), int(after)) for before, after in zip(pad[::2], pad[1::2])]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def _without(x: Values, pairs: Pairs) -> Values:
    """x without the elements that the negative widths among `pairs` remove."""
    if all(width >= 0 for both in pairs for width in both):
        return x
    kept = [(max(-before, 0), n - max(-after, 0)) for n, (before, after) in zip(x.shape, pairs)]
    if any(start > stop for start, stop in kept):
        raise ValueError(f"pad: the negative widths among {pairs}, a pair for each axis, remove "
                         f"more than there is of shape {x.shape}")
    return getitem(x, tuple(slice(start, stop) for start, stop in kept))
