"""Checks of what a caller hands over: one clear line each, naming what is allowed."""

from __future__ import annotations

import operator

import numpy as np

from minigrad.backend import array_module, device_of


def check_image(x, axes):
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


def check_float_image(x, axes):
    """`check_image`, and TypeError unless x holds floats."""
    x, axes = check_image(x, axes)
    if x.dtype.kind != "f":
        raise TypeError(f"an image of dtype {x.dtype} has no gradient: use float16, float32 or "
                        "float64")
    return x, axes


def check_one_device(*arrays):
    """TypeError if some of the arrays are NumPy's and others CuPy's: none is moved silently."""
    if len({device_of(x) for x in arrays}) > 1:
        raise TypeError("some arrays are NumPy's and some CuPy's: move them to one device, with "
                        "cupy.asarray(x) or x.get()")


def check_axes(axes, ndim: int) -> tuple[int, ...]:
    """`axes`, such as (-2, -1), as sorted integers 0..ndim-1. ValueError if that cannot be."""
    try:
        given = [operator.index(axis) for axis in axes]
    except TypeError:
        raise TypeError(f"axes = {axes!r}: use a sequence of integers such as (-2, -1)") from None
    if not given or any(not -ndim <= axis < ndim for axis in given):
        raise ValueError(f"axes = {axes} of an array with {ndim} axes: use one or more of "
                         f"{-ndim}..{ndim - 1}" if ndim else "a scalar has no axes to filter")
    found = sorted({axis % ndim for axis in given})
    if len(found) < len(given):
        raise ValueError(f"axes = {axes} of an array with {ndim} axes name an axis twice")
    return tuple(found)


def check_out_shape(out_shape, shape, axes) -> tuple[int, ...]:
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


def check_levels(levels, most: int) -> int:
    """How many levels to build: `levels`, or all `most` of them if it is None.

    TypeError if it is no integer, ValueError outside 1..most.
    """
    if levels is None:
        return most
    if isinstance(levels, (bool, np.bool_)) or not hasattr(levels, "__index__"):
        raise TypeError(f"levels = {levels!r}: use an integer from 1 to {most}, or None for all")
    if not 1 <= operator.index(levels) <= most:
        raise ValueError(f"levels = {levels}: this image allows 1 to {most} (the number of arrays, "
                         "the coarsest included)")
    return operator.index(levels)
