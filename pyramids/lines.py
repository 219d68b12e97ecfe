"""The two filters along one axis, for a part of their outputs: what `filters.py` is made of.

The taps run over a signal z of n samples: `down_lines` over x itself, `up_lines` over x at even and
zeros at odd positions. A border's function says what z is beyond 0..n-1.

First the samples that a result needs are copied to an array of their own, those beyond the edge
included, so that the sums know no edge. They then take this array as one long line, in which
neighbours along the axis are some constant stride apart: NumPy is fastest on long lines. At the end
of each row two samples of the sums are void, for they reach into the next row, and are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.borders import Border

Taps = Sequence[float]


def down_lines(x: Array, axis: int, length: int, start: int, stop: int, taps: Taps,
               extend: Border) -> Array:
    """y[i] = sum over m = -2..2 of taps[|m|] z[2i + m], i = start..stop-1, along `axis` of x.

    `length` is that of all of y, ceil(n/2). float32 at least; a copy of x if n = 1.
    """
    n = x.shape[axis]
    if n == 1:
        return x.astype(work_dtype(x))
    xp = array_module(x)
    even = _samples(x, axis, range(2 * start - 2, 2 * stop + 2, 2), 1, n, extend)
    odd = _samples(x, axis, range(2 * start - 1, 2 * stop + 3, 2), 1, n, extend)
    y = xp.empty_like(even)
    total, _, _ = _neighbours(y, axis)
    before, centre, after = _neighbours(even, axis)  # z[2i - 2], z[2i], z[2i + 2]
    left, right, _ = _neighbours(odd, axis)          # z[2i - 1], z[2i + 1]
    xp.multiply(centre, taps[0], out=total)
    _add_pair(total, taps[1], left, right)
    _add_pair(total, taps[2], before, after)
    return y[along(axis, slice(stop - start))]


def up_lines(x: Array, axis: int, length: int, start: int, stop: int, taps: Taps,
             extend: Border) -> Array:
    """y[j] = sum over m = -2..2 of taps[|m|] z[j + m], j = start..stop-1, along `axis` of x.

    z[2i] = x[i], z[2i + 1] = 0; z and all of y are `length` long; start is even. float32 at least;
    a copy of x if `length` = 1.
    """
    if length == 1:
        return x.astype(work_dtype(x))
    xp = array_module(x)
    evens, odds = (stop - start + 1) // 2, (stop - start) // 2
    near = _samples(x, axis, range(start - 2, start + 2 * evens + 2, 2), 2, length, extend)
    even, odd = xp.empty_like(near), xp.empty_like(near)
    before, centre, after = _neighbours(near, axis)  # z[j - 2], z[j], z[j + 2] of an even j
    total, _, _ = _neighbours(even, axis)
    xp.multiply(centre, taps[0], out=total)
    _add_pair(total, taps[2], before, after)
    total, _, _ = _neighbours(odd, axis)
    xp.add(centre, after, out=total)  # z[j - 1], z[j + 1] of an odd j
    total *= taps[1]
    y = xp.empty((*x.shape[:axis], stop - start, *x.shape[axis + 1:]), near.dtype)
    _move(even[along(axis, slice(evens))], y[along(axis, slice(0, None, 2))])
    _move(odd[along(axis, slice(odds))], y[along(axis, slice(1, None, 2))])
    for edge in (-1, length | 1):  # odd positions, where some borders have other than zeros
        source = extend(edge, length)
        if source is not None and source % 2 == 0:
            for j in range(max(edge - 2, start), min(edge + 3, stop)):
                y[along(axis, j - start)] += (
                    taps[abs(j - edge)] * x[along(axis, source // 2)].astype(y.dtype))
    return y


def along(axis: int, index: Any) -> tuple:
    """An index that takes `index` along one axis and everything along those before and after."""
    return (slice(None),) * axis + (index,)


def work_dtype(x: Array) -> np.dtype:
    """float32 for 8- and 16-bit samples, float64 for 32-bit integers: exact sums for a = 3/8."""
    return np.result_type(x.dtype, np.float32)


def _samples(x: Array, axis: int, positions: range, spacing: int, length: int,
             extend: Border) -> Array:
    """z at `positions`, a range, along `axis`, as a new contiguous array.

    z is `length` long and holds x at multiples of `spacing`, as all `positions` inside it are.
    """
    shape = (*x.shape[:axis], len(positions), *x.shape[axis + 1:])
    samples = array_module(x).empty(shape, work_dtype(x))
    step = positions.step
    begin = max(0, -(positions.start // step))  # so many lie before 0
    end = len(range(positions.start, min(positions.stop, length), step))
    first, step = positions[begin] // spacing, step // spacing
    inside = slice(first, first + (end - begin) * step, step)
    _move(x[along(axis, inside)], samples[along(axis, slice(begin, end))])
    for k in (*range(begin), *range(end, len(positions))):
        source = extend(positions[k], length)
        samples[along(axis, k)] = (0 if source is None or source % spacing
                                   else x[along(axis, source // spacing)])
    return samples


def _neighbours(samples: Array, axis: int) -> tuple[Array, Array, Array]:
    """The memory of `samples` as a line, beside those of the next and next but one along `axis`."""
    stride = math.prod(samples.shape[axis + 1:])
    line = samples.reshape(-1)
    return line[:-2 * stride], line[stride:-stride], line[2 * stride:]


def _add_pair(y: Array, weight: float, left: Array, right: Array) -> None:
    """y += weight (left + right): mirror images give mirror images, to the bit."""
    pair = left + right
    pair *= weight
    y += pair


def _move(source: Array, target: Array) -> None:
    """target[...] = source, the channels of a pixel as one element: several times faster."""
    runs = [_runs(source), _runs(target)]
    if runs[0].dtype == runs[1].dtype:
        source, target = runs
    target[...] = source


def _runs(x: Array) -> Array:
    """x with its last axis as one element of so many bytes, if that is short and without gaps."""
    if array_module(x) is np and x.ndim > 1 and 1 < x.shape[-1] <= 16 and (
            x.strides[-1] == x.itemsize):
        return x.view(f"V{x.shape[-1] * x.itemsize}")[..., 0]
    return x
