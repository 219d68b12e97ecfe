"""Reduce and expand: the two separable linear filters that every image pyramid is made of.

    small = pyr_down(image)             # each axis halved, rounding up: 5x8 -> 3x4
    large = pyr_up(small, image.shape)  # each axis doubled, to exactly that shape

Both use the five taps of Burt & Adelson, "The Laplacian Pyramid as a Compact Image Code" (IEEE
Transactions on Communications 31(4), 1983), one axis after the other. Along an axis, samples of
even and of odd index are summed as slices, so nothing is ever multiplied by an inserted zero.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import chain

import numpy as np

from minigrad.backend import array_module
from pyramids.arguments import check_image, check_out_shape
from pyramids.borders import extension

STRIP = 2**16  # samples per strip: few enough for its temporaries to stay in the cache


def kernel(a: float = 0.375) -> tuple[float, float, float]:
    """Taps w[0], w[1] = w[-1], w[2] = w[-2] = a, 1/4, 1/4 - a/2 (Burt & Adelson 1983, section II).

    They sum to 1, and even and odd samples contribute equally: a + 2 w[2] = 2 w[1]. a = 3/8 is the
    binomial (1, 4, 6, 4, 1)/16 and the default, a = 0.4 the paper's Gaussian-like choice, a = 0.5
    the triangle; above 0.5 the outer taps are negative. ValueError unless 0 <= a <= 1.
    """
    if not 0 <= a <= 1:
        raise ValueError(f"kernel parameter a = {a}: use a number from 0 to 1, such as 0.375")
    return float(a), 0.25, 0.25 - float(a) / 2


def pyr_down(x, a: float = 0.375, border: str = "reflect101", axes=(-2, -1)):
    """y[i] = sum over m = -2..2 of w[m] x[2i + m], along each of `axes`: the paper's REDUCE.

    x (..., H, W) -> y (..., ceil(H/2), ceil(W/2)), same dtype; other `axes` likewise. `border` is
    one of `BORDERS` and says what x is beyond its edge. An axis of length 1 is copied.

    Integers are filtered without rounding errors (with a = 3/8) and rounded once, halves upwards,
    as OpenCV does; where a > 1/2 overshoots the dtype's range, they saturate. float16 is filtered
    in float32 and rounded once. TypeError for other dtypes (bool, complex, 64-bit integers);
    ValueError for an unknown border, wrong axes, an empty axis or a outside [0, 1].
    """
    x, axes = check_image(x, axes)
    lines = partial(_down_lines, taps=kernel(a), extend=extension(border))
    y = array_module(x).empty(halved(x.shape, axes), x.dtype)
    _filter_strips(lines, x, y.shape, axes, y.__setitem__)
    return y


def pyr_up(x, out_shape, a: float = 0.375, border: str = "reflect101", axes=(-2, -1)):
    """y[j] = 2 sum over m = -2..2 of w[m] z[j + m], z[2i] = x[i], z[2i + 1] = 0: EXPAND.

    x (..., ceil(H/2), ceil(W/2)) -> y of shape `out_shape` = (..., H, W), same dtype; other `axes`
    likewise. z is as long as y, and `border` says what z is beyond its edge: with reflect101, and
    with wrap at even lengths, constants stay constant; the others shade the edge. An axis that is
    1 long in y is copied. Rounding as in `pyr_down`; reflect and replicate may saturate as well.
    Errors as in `pyr_down`, and ValueError for an `out_shape` that does not halve to x's shape.
    """
    x, axes = check_image(x, axes)
    y = array_module(x).empty(check_out_shape(out_shape, x.shape, axes), x.dtype)
    up_strips(x, y.shape, a, border, axes, y.__setitem__)
    return y


def up_strips(x, shape, a, border, axes, store):
    """`pyr_up` of checked arguments, strip by strip: `store(index, y[index])` for all that tile y.

    Strips of integer images are floats of integer value. `store` may write over a strip.
    """
    lines = partial(_up_lines, taps=tuple(2 * w for w in kernel(a)), extend=extension(border))
    _filter_strips(lines, x, shape, axes, store)


def halved(shape, axes) -> tuple[int, ...]:
    """The shape one level up: ceil(n/2) along `axes` (non-negative), unchanged along the others."""
    return tuple((n + 1) // 2 if axis in axes else n for axis, n in enumerate(shape))


def _filter_strips(lines, x, shape, axes, store):
    """Apply the 1-D filter `lines` along every axis of `axes`, strip by strip of the first one."""
    first, *others = axes
    length = rows = shape[first]
    if array_module(x) is np:  # a GPU is better served by all the work at once
        rows = max(2, STRIP * length // max(math.prod(shape), 1) // 2 * 2)  # even: see _up_lines
    for start in range(0, length, rows):
        stop = min(start + rows, length)
        part = _along(first, lines, x, length, start, stop)
        for axis in others:
            part = _along(axis, lines, part, shape[axis], 0, shape[axis])
        store((slice(None),) * first + (slice(start, stop),), _rounded(part, x.dtype))


def _along(axis, lines, x, length, start, stop):
    """Samples start..stop-1, of `length`, of the result of filtering x along `axis`."""
    return lines(x.swapaxes(0, axis), length, start, stop).swapaxes(0, axis)


def _down_lines(x, length, start, stop, taps, extend):
    """Samples start..stop-1 of `pyr_down` along the first axis of x; `length` = ceil(len(x)/2)."""
    work = _work_dtype(x)
    if len(x) == 1:
        return x.astype(work)
    w0, w1, w2 = taps
    y = array_module(x).empty_like(x, work, shape=(stop - start, *x.shape[1:]))
    inner, outer = _inside(start, stop, 1, (len(x) - 1) // 2)
    if inner < outer:
        even = x[2 * inner - 2:2 * outer + 1:2].astype(work)  # x[2i - 2], x[2i], x[2i + 2]
        odd = x[2 * inner - 1:2 * outer:2].astype(work)       # x[2i - 1], x[2i + 1]
        y[inner - start:outer - start] = _weighted_sum(
            w0, even[1:-1], (w1, odd[:-1], odd[1:]), (w2, even[:-2], even[2:]))
    for i in chain(range(start, inner), range(outer, stop)):
        y[i - start] = _at_edge(x, 2 * i, len(x), 1, taps, extend, work)
    return y


def _up_lines(x, length, start, stop, taps, extend):
    """Samples start..stop-1, of `length`, of `pyr_up` along the first axis of x; start is even."""
    work = _work_dtype(x)
    if length == 1:
        return x.astype(work)
    w0, w1, w2 = taps
    y = array_module(x).empty_like(x, work, shape=(stop - start, *x.shape[1:]))
    inner, outer = _inside(start, stop, 2, length - 2)
    if inner < outer:
        evens, odds = (outer - inner + 1) // 2, (outer - inner) // 2
        near = x[inner // 2 - 1:inner // 2 + evens + 1].astype(work, copy=False)
        y[inner - start:outer - start:2] = _weighted_sum(
            w0, near[1:-1], (w2, near[:-2], near[2:]))
        y[inner + 1 - start:outer - start:2] = w1 * (near[1:odds + 1] + near[2:odds + 2])
    for j in chain(range(start, inner), range(outer, stop)):
        y[j - start] = _at_edge(x, j, length, 2, taps, extend, work)
    return y


def _inside(start, stop, first, end):
    """The part of start..stop-1 that lies in first..end-1, as (inner, outer); maybe empty."""
    inner = min(max(start, first), stop)
    return inner, max(inner, min(stop, end))


def _weighted_sum(weight, centre, *pairs):
    """weight centre + sum of w (left + right): mirror images give mirror images, to the bit."""
    total = weight * centre
    for w, left, right in pairs:
        pair = left + right
        pair *= w
        total += pair
    return total


def _at_edge(x, j, length, spacing, taps, extend, work):
    """Sum of w[m] z[j + m], m = -2..2; z holds x at multiples of `spacing` and is extended."""
    def z(position):
        source = extend(position, length)
        if source is None or source % spacing:
            return 0.0
        return x[source // spacing].astype(work)

    w0, w1, w2 = taps
    return _weighted_sum(w0, z(j), (w1, z(j - 1), z(j + 1)), (w2, z(j - 2), z(j + 2)))


def _work_dtype(x):
    """float32 for 8- and 16-bit samples, float64 for 32-bit integers: exact sums for a = 3/8."""
    return np.result_type(x.dtype, np.float32)


def _rounded(part, dtype):
    """`part` in the precision of `dtype`; integers, rounded halves upwards, remain floats."""
    if dtype.kind == "f":
        return part.astype(dtype, copy=False)
    part += 0.5
    xp = array_module(part)
    return saturated(xp.floor(part, out=part), dtype)


def saturated(values, dtype):
    """`values`, clipped in place to the range of `dtype` if that is an integer type."""
    if dtype.kind == "f":
        return values
    limits = np.iinfo(dtype)
    return array_module(values).clip(values, limits.min, limits.max, out=values)
