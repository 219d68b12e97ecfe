"""The arguments of transforms: each function returns a parameter in one form or refuses it.

The errors are ValueErrors of one line: the transform (`who`), the parameter, what it must be.
"""

from __future__ import annotations

import math
import operator
from numbers import Real

import numpy as np


def positive(who, value):
    """`value` if it is a positive integer."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ValueError(f"{who}: size must be one or two positive integers, got {value!r}")
    return number


def pair(who, size):
    """(height, width) of a size that is one number or two."""
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"{who}: size must be one integer or (height, width), got {size!r}")
    return tuple(positive(who, side) for side in sides)


def borders(padding):
    """(left, top, right, bottom) of a padding that is none, one number, two or four."""
    sides = tuple(padding) if isinstance(padding, (tuple, list)) else (padding or 0,)
    if len(sides) not in (1, 2, 4) or not all(isinstance(n, int) and n >= 0 for n in sides):
        raise ValueError("RandomCrop: padding must be 1, 2 or 4 integers that are not negative, "
                         f"got {padding!r}")
    return sides * (4 // len(sides))


def interval(who, name, value, low, high):
    """(least, greatest) as floats, both within low..high."""
    if (not isinstance(value, (tuple, list)) or len(value) != 2
            or not all(isinstance(v, Real) and math.isfinite(v) for v in value)
            or not low <= value[0] <= value[1] <= high):
        raise ValueError(f"{who}: {name} must be a range (least, greatest) within {low} .. {high}, "
                         f"got {value!r}")
    return float(value[0]), float(value[1])


def colour(who, fill):
    """A fill: one byte for all channels, or a tuple of one per channel."""
    values = fill if isinstance(fill, (tuple, list)) else (fill,)
    if not values or not all(isinstance(v, int) and 0 <= v <= 255 for v in values):
        raise ValueError(f"{who}: fill must be one byte (0..255) or one per channel, got {fill!r}")
    return tuple(fill) if isinstance(fill, (tuple, list)) else fill


def probability(who, p):
    """`p` if it is a number of 0 to 1."""
    if not isinstance(p, Real) or not 0 <= p <= 1:
        raise ValueError(f"{who}: p must be a probability, got {p!r}")
    return p


def channels_of(who, mean, std):
    """Check a mean and a deviation: finite, one per channel of each, the deviation positive."""
    for name, values in (("mean", mean), ("std", std)):
        if np.ndim(values) != 1 or not np.all(np.isfinite(values)):
            raise ValueError(f"{who}: {name} must be finite numbers, one per channel, "
                             f"got {values!r}")
    if len(mean) != len(std) or not np.all(np.asarray(std) > 0):
        raise ValueError(f"{who}: std must be positive, one per channel as mean, got "
                         f"mean={mean}, std={std}")
