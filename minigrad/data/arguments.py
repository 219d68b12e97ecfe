"""The arguments of transforms: each function returns a parameter in one form or refuses it.

The errors are ValueErrors of one line: the transform (`who`), the parameter, what it must be.
"""

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from PIL import Image

from minigrad.arguments import demand, is_integer, plain
from minigrad.data.images import MAX_PIXELS

Size = int | tuple[int, int]            # a side, or (height, width)
Range = tuple[float, float]             # (least, greatest)
Fill = int | tuple[int, ...]            # a byte, or one per channel
Channels = Sequence[float] | np.ndarray     # a number per channel


def positive_integer(who: str, value: Any) -> int:
    """`value` if it is a positive integer."""
    demand(is_integer(value, 1),
           f"{who}: size must be one or two positive integers, got {value!r}")
    return operator.index(value)


def resize_image(who: str, image: Image.Image, size: Size,
                 filter: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    """The image at (height, width), or with a shorter side of this length: bilinear, or by another
    filter, and antialiased. The longer side is cut to an integer, as in torchvision.

    ValueError if that has more than MAX_PIXELS pixels, as a line of 1 x 65000 made 256 wide has.
    """
    if isinstance(size, int):
        short = min(image.size)
        size = int(size * image.height / short), int(size * image.width / short)
    height, width = size
    demand(width * height <= MAX_PIXELS, f"{who}: {image.width:,} x {image.height:,} pixels would "
           f"become {width:,} x {height:,}, more than the limit of {MAX_PIXELS:,}")
    return image.resize((width, height), filter)


def height_and_width(who: str, size: object) -> tuple[int, int]:
    """(height, width) of a size that is one number or two."""
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    demand(len(sides) == 2, f"{who}: size must be one integer or (height, width), got {size!r}")
    return positive_integer(who, sides[0]), positive_integer(who, sides[1])


def side_or_sides(who: str, size: object) -> Size:
    """A size as it is given: the side, or (height, width)."""
    two = isinstance(size, (tuple, list))
    return height_and_width(who, size) if two else positive_integer(who, size)


def borders(padding: object) -> tuple[int, ...]:
    """(left, top, right, bottom) of a padding that is none, one number, two or four."""
    sides = tuple(padding) if isinstance(padding, (tuple, list)) else (padding or 0,)
    demand(len(sides) in (1, 2, 4) and all(is_integer(n, 0) for n in sides), "RandomCrop: padding "
           f"must be 1, 2 or 4 integers that are not negative, got {padding!r}")
    return plain(sides) * (4 // len(sides))


def interval(who: str, name: str, value: object, low: float, high: float) -> Range:
    """(least, greatest) as floats, both within low..high."""
    if (not isinstance(value, (tuple, list)) or len(value) != 2
            or not all(isinstance(v, Real) and math.isfinite(v) for v in value)
            or not low <= value[0] <= value[1] <= high):
        raise ValueError(f"{who}: {name} must be a range (least, greatest) within {low} .. {high}, "
                         f"got {value!r}")
    return float(value[0]), float(value[1])


def colour(who: str, fill: object) -> Fill:
    """A fill: one byte for all channels, or a tuple of one per channel."""
    values = fill if isinstance(fill, (tuple, list)) else (fill,)
    demand(values and all(is_integer(v, 0) and v <= 255 for v in values),
           f"{who}: fill must be one byte (0..255) or one per channel, got {fill!r}")
    return plain(tuple(fill) if isinstance(fill, (tuple, list)) else fill)


def probability(who: str, p: Any) -> float:
    """`p` if it is a number of 0 to 1."""
    demand(isinstance(p, Real) and 0 <= float(p) <= 1,
           f"{who}: p must be a probability, got {p!r}")
    return plain(p)


def check_channels(who: str, mean: Channels, std: Channels) -> None:
    """Check a mean and a deviation: finite, one per channel of each, the deviation positive."""
    for name, values in (("mean", mean), ("std", std)):
        demand(np.ndim(values) == 1 and np.all(np.isfinite(values)),
               f"{who}: {name} must be finite numbers, one per channel, got {values!r}")
    demand(len(mean) == len(std) and np.all(np.asarray(std) > 0), f"{who}: std must be positive, "
           f"one per channel as mean, got mean={mean}, std={std}")
