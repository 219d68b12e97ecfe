"""Reduce and expand: the two separable linear filters that every image pyramid is made of.

    small = pyr_down(image)             # each axis halved, rounding up: 5x8 -> 3x4
    large = pyr_up(small, image.shape)  # each axis doubled, to exactly that shape

Both use the five taps of Burt & Adelson, "The Laplacian Pyramid as a Compact Image Code" (IEEE
Transactions on Communications 31(4), 1983), one axis after the other. Along an axis, samples of
even and of odd index are summed as slices, so nothing is ever multiplied by an inserted zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.arguments import Axes, Shape, check_image, check_out_shape
from pyramids.borders import extension
from pyramids.lines import along, down_lines, up_lines
from pyramids.threads import for_each

Lines = Callable[[Array, int, int, int, int], Array]
Store = Callable[[tuple, Array], object]
STRIP = 200_000
"""Samples of a strip, in or out: few enough for the cache, enough to keep two threads busy."""


def kernel(a: float = 0.375) -> tuple[float, float, float]:
    """Taps w[0], w[1] = w[-1], w[2] = w[-2] = a, 1/4, 1/4 - a/2 (Burt & Adelson 1983, section II).

    They sum to 1, and even and odd samples contribute equally: a + 2 w[2] = 2 w[1]. a = 3/8 is the
    binomial (1, 4, 6, 4, 1)/16 and the default, a = 0.4 the paper's Gaussian-like choice, a = 0.5
    the triangle; above 0.5 the outer taps are negative. ValueError unless 0 <= a <= 1.
    """
    if not 0 <= a <= 1:
        raise ValueError(f"kernel parameter a = {a}: use a number from 0 to 1, such as 0.375")
    return float(a), 0.25, 0.25 - float(a) / 2


def pyr_down(x: Array, a: float = 0.375, border: str = "reflect101",
             axes: Axes = (-2, -1)) -> Array:
    """y[i] = sum over m = -2..2 of w[m] x[2i + m], along each of `axes`: the paper's REDUCE.

    x (..., H, W) -> y (..., ceil(H/2), ceil(W/2)), same dtype; other `axes` likewise. `border` is
    one of `BORDERS` and says what x is beyond its edge. An axis of length 1 is copied.

    Integers are filtered without rounding errors (with a = 3/8) and rounded once, halves upwards,
    as OpenCV does; where a > 1/2 overshoots the dtype's range, they saturate. float16 is filtered
    in float32 and rounded once. TypeError for other dtypes (bool, complex, 64-bit integers);
    ValueError for an unknown border, wrong axes, an empty axis or a outside [0, 1].
    """
    x, axes = check_image(x, axes)
    lines = partial(down_lines, taps=kernel(a), extend=extension(border))
    y = array_module(x).empty(half_shape(x.shape, axes), x.dtype)
    filter_strips(lines, x, y.shape, axes, y.__setitem__, overshoots=a > 0.5)
    return y


def pyr_up(x: Array, out_shape: Shape, a: float = 0.375, border: str = "reflect101",
           axes: Axes = (-2, -1)) -> Array:
    """y[j] = 2 sum over m = -2..2 of w[m] z[j + m], z[2i] = x[i], z[2i + 1] = 0: EXPAND.

    x (..., ceil(H/2), ceil(W/2)) -> y of shape `out_shape` = (..., H, W), same dtype; other `axes`
    likewise. z is as long as y, and `border` says what z is beyond its edge: with reflect101, and
    with wrap at even lengths, constants stay constant; the others shade the edge. An axis that is
    1 long in y is copied. Rounding as in `pyr_down`; the other borders may saturate as well.
    Errors as in `pyr_down`, and ValueError for an `out_shape` that does not halve to x's shape.
    """
    x, axes = check_image(x, axes)
    y = array_module(x).empty(check_out_shape(out_shape, x.shape, axes), x.dtype)
    up_strips(x, y.shape, a, border, axes, y.__setitem__)
    return y


def up_strips(x: Array, shape: Shape, a: float, border: str, axes: Sequence[int],
              store: Store) -> None:
    """`pyr_up` of checked arguments, strip by strip: `store(index, y[index])` for all that tile y.

    `store` may write over a strip, and several threads call it at a time.
    """
    lines = partial(up_lines, taps=tuple(2 * w for w in kernel(a)), extend=extension(border))
    overshoots = a > 0.5 or border not in ("reflect101", "zero")
    filter_strips(lines, x, shape, axes, store, overshoots)


def half_shape(shape: Shape, axes: Collection[int]) -> tuple[int, ...]:
    """The shape one level up: ceil(n/2) along `axes` (non-negative), unchanged along the others."""
    return tuple((n + 1) // 2 if axis in axes else n for axis, n in enumerate(shape))


def filter_strips(lines: Lines, x: Array, shape: Shape, axes: Sequence[int], store: Store,
                  overshoots: bool = True) -> None:
    """Apply the 1-D filter `lines` along every axis of `axes`, strip by strip of the first one.

    `store(index, y[index])` receives every strip of the result y, which has that `shape`.
    `overshoots` False: every value of y lies within the range of x and 0, so none can saturate.
    """
    first, *others = axes
    length = rows = shape[first]
    if array_module(x) is np:  # a GPU is better served by all the work at once
        samples = max(x.size, math.prod(shape), 1)
        rows = max(2, STRIP * length // samples // 2 * 2)  # an even number: see up_lines

    def strip(start: int) -> None:
        stop = min(start + rows, length)
        part = lines(x, first, length, start, stop)
        for axis in others:
            part = lines(part, axis, shape[axis], 0, shape[axis])
        store(along(first, slice(start, stop)), round_to(part, x.dtype, overshoots))

    for_each(strip, range(0, length, rows))


def round_to(part: Array, dtype: np.dtype, overshoots: bool = True) -> Array:
    """`part`, which may be written over, in `dtype`; integers are rounded halves upwards."""
    if dtype.kind == "f":
        return part.astype(dtype, copy=False)
    part += 0.5
    if dtype.kind == "i":  # without negative numbers, the cast below will do
        array_module(part).floor(part, out=part)
    return (saturate(part, dtype) if overshoots else part).astype(dtype)


def saturate(values: Array, dtype: np.dtype) -> Array:
    """`values`, clipped in place to the range of `dtype` if that is an integer type."""
    if dtype.kind == "f":
        return values
    limits = np.iinfo(dtype)
    return array_module(values).clip(values, limits.min, limits.max, out=values)
