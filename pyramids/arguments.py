"""Checks of what a caller hands over: one clear line each, naming what is allowed."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from minigrad.arguments import is_integer
from minigrad.backend import Array, array_module, device_of

Axes = Iterable[int]
Shape = Sequence[int]


def check_image(x: Array, axes: Axes) -> tuple[Array, tuple[int, ...]]:
    """`x` as a plain array, and `axes` as sorted non-negative integers.

    TypeError unless x is a NumPy or CuPy array of integers (8 to 32 bits) or floats (16 to 64
    bits); ValueError for repeated or missing axes, or one of length 0.
    """
    x = array_module(x).asarray(x)
    if not (x.dtype.kind in "iu" and x.dtype.itemsize <= 4
            or x.dtype.kind == "f" and x.dtype.itemsize <= 8):
        raise TypeError(f"cannot filter an image of dtype {x.dtype}: use integers of 8, 16 or 32 "
                        "bits, or float16, float32 or float64")
    axes = check_axes(axes, x.ndim)
    if 0 in [x.shape[axis] for axis in axes]:
        raise ValueError(f"image of shape {x.shape} is empty: each of its axes {axes} needs a "
                         "length of 1 or more")
    return x, axes


def check_float_image(x: Array, axes: Axes) -> tuple[Array, tuple[int, ...]]:
    """`check_image`, and TypeError unless x holds floats."""
    x, axes = check_image(x, axes)
    if x.dtype.kind != "f":
        raise TypeError(f"an image of dtype {x.dtype} has no gradient: use float16, float32 or "
                        "float64")
    return x, axes


def check_finite(x: Array, what: str) -> None:
    """ValueError that names the first NaN or infinite number of an array of floats, and its place.

    For what compares, counts or searches, where one such number would decide the whole answer.
    """
    if x.dtype.kind != "f":
        return
    odd = ~array_module(x).isfinite(x)
    if odd.any():
        place = tuple(map(int, np.unravel_index(int(odd.argmax()), x.shape)))
        raise ValueError(f"{what} holds {float(x[place])} at {place}: use finite numbers")


def check_one_device(*arrays: Array) -> None:
    """TypeError if some of the arrays are NumPy's and others CuPy's: none is moved silently."""
    if len({device_of(x) for x in arrays}) > 1:
        raise TypeError("some arrays are NumPy's and some CuPy's: move them to one device, with "
                        "cupy.asarray(x) or x.get()")


def check_axes(axes: Axes, ndim: int) -> tuple[int, ...]:
    """`axes`, such as (-2, -1), as sorted integers 0..ndim-1. ValueError if that cannot be."""
    try:
        numbers = [operator.index(axis) for axis in axes]
    except TypeError:
        raise TypeError(f"axes = {axes!r}: use a sequence of integers such as (-2, -1)") from None
    if not numbers or any(not -ndim <= axis < ndim for axis in numbers):
        raise ValueError(f"axes = {axes} of an array with {ndim} axes: use one or more of "
                         f"{-ndim}..{ndim - 1}" if ndim else "a scalar has no axes to filter")
    places = sorted({axis % ndim for axis in numbers})
    if len(places) < len(numbers):
        raise ValueError(f"axes = {axes} of an array with {ndim} axes name an axis twice")
    return tuple(places)


def check_out_shape(out_shape: Shape, shape: Shape, axes: Collection[int]) -> tuple[int, ...]:
    """`out_shape` as a tuple of integers, if `pyr_down` takes it to `shape`; else ValueError."""
    try:
        out_shape = tuple(operator.index(n) for n in out_shape)
    except TypeError:
        raise TypeError(f"out_shape = {out_shape!r}: use the shape of the result, one integer per "
                        "axis") from None
    allowed = [(2 * n - 1, 2 * n) if axis in axes else (n,) for axis, n in enumerate(shape)]
    if len(out_shape) != len(shape) or any(n not in ns for n, ns in zip(out_shape, allowed)):
        wanted = ", ".join(" or ".join(map(str, ns)) for ns in allowed)
        raise ValueError(f"out_shape {out_shape} for an array of shape {tuple(shape)}: "
                         f"use ({wanted})")
    return out_shape


def check_levels(levels: int | None, most: int) -> int:
    """How many levels to build: `levels`, or all `most` of them if it is None.

    TypeError if it is no integer, ValueError outside 1..most.
    """
    if levels is None:
        return most
    if not is_integer(levels):
        raise TypeError(f"levels = {levels!r}: use an integer from 1 to {most}, or None for all")
    if not 1 <= operator.index(levels) <= most:
        raise ValueError(f"levels = {levels}: this image allows 1 to {most} (the number of arrays, "
                         "the coarsest included)")
    return operator.index(levels)
