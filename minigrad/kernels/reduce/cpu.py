"""Sums and extrema over axes of an array: an axis, a tuple of axes, or None for all.

Sums over no numbers are 0. Extrema are NaN where a number is, and raise ValueError where there is
none.

NumPy adds in pairs along the axis that is nearest in memory, and one number after another along the
others, where a million float32 numbers lose five of seven digits. NumPy 2.2 also adds one after
another the sums of each 8192 neighbours. Here up to 32 are added one after another, up to 16 of
those sums likewise, and more of them in float64: at any size and layout a float32 sum of numbers of
one sign is right to 1e-6. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section
4.2.
"""

import functools
import itertools
import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minigrad.kernels.reduce import gpu
from minigrad.kernels.runtime.cuda import floats, gpu_form

FEW = 16  # numbers, up to twice as many, are added one after another in float32
SMALL = 2048  # from so many numbers on, repetitions are worth a look
LARGE = 2**18  # numbers, up to so many, stay in a core's cache
LONG = FEW * 8192  # up to so many numbers in a row are left to NumPy


@gpu_form(gpu.sum, takes=floats)
def sum(x, axis=None, keepdims=False):
    """y = sum_i x_i."""
    if x.dtype.char != "f" or x.size <= FEW or (
            x.size <= LONG and (axis is None or axis == (x.ndim - 1,)) and x.flags.c_contiguous):
        return x.sum(axis=axis, keepdims=keepdims)
    plan = _plan(x.shape, x.strides, axis)
    if plan is None:
        return x.sum(axis=axis, keepdims=keepdims)
    order, merged, along, shape, back, kept_shape = plan
    if shape is None:
        y = np.broadcast_to(sum(_once(x, axis), axis, True), kept_shape).copy()
        return y if keepdims else y.squeeze(axis)
    y = x if order is None else x.transpose(order).reshape(merged)
    for dim in along:
        y = sum_along(y, dim)
    if y.dtype.char != "f":
        y = y.astype(np.float32)
    if order is not None:
        y = y.reshape(shape).transpose(back)
    return y.reshape(kept_shape) if keepdims else y


@gpu_form(gpu.amax, takes=floats)
def amax(x, axis=None, keepdims=False):
    """y = max_i x_i."""
    return x.max(axis=axis, keepdims=keepdims)


@gpu_form(gpu.amin, takes=floats)
def amin(x, axis=None, keepdims=False):
    """y = min_i x_i."""
    return x.min(axis=axis, keepdims=keepdims)


def finite_max(x, axis):
    """The largest x along an axis, kept, or 0 where that is infinite; by real part if complex."""
    if not x.size:
        return sum(x.real, axis, keepdims=True)
    top = amax(x.real, axis, keepdims=True)
    return np.where(np.isfinite(top), top, 0)


@functools.lru_cache(1024)
def _plan(shape, strides, axis):
    """How to sum an array of float32; None where NumPy's order is as good.

    (axes in the order of memory or None if they are in order, sizes once neighbours are one, the
    axes of those to sum, last first, the shape that is left or None if numbers are repeated beside
    the sums, its axes in logical order, the shape with axes of size 1 kept)
    """
    axes = range(len(shape)) if axis is None else normalize_axis_tuple(axis, len(shape))
    kept_shape = [1 if d in axes else n for d, n in enumerate(shape)]
    if math.prod(shape) > SMALL and any(
            n > 1 and not step for n, step, m in zip(shape, strides, kept_shape) if n == m):
        return None, None, None, None, None, kept_shape
    far = [abs(s) or math.inf for s in strides]  # 0: repeated, which NumPy adds one by one too
    order = sorted(range(len(shape)), key=lambda d: (-far[d], d))
    kept = [d for d in order if d not in axes]
    groups = [(summed, math.prod(shape[d] for d in dims)) for summed, dims in itertools.groupby(
        (d for d in order if shape[d] != 1), key=lambda d: d in axes)]
    along = [i for i, (summed, _) in enumerate(groups) if summed]
    few = math.prod(groups[i][1] for i in along) <= 2 * FEW
    if few or 0 in shape or along == [len(groups) - 1] and groups[-1][1] <= LONG:
        return None
    merged = tuple(n for _, n in groups)
    return (None if merged == shape and order == sorted(order) else order, merged, along[::-1],
            [shape[d] for d in kept], sorted(range(len(kept)), key=kept.__getitem__), kept_shape)


def _once(x, axis):
    """x without the repetitions along axes that are not summed, which NumPy would put innermost."""
    axes = normalize_axis_tuple(axis, x.ndim)
    return x[tuple(slice(None if stride or d in axes else 1) for d, stride in enumerate(x.strides))]


def sum_along(x, dim):
    """x, its axes in the order of memory, summed along one of them; not yet rounded."""
    steps = _steps(x.shape, dim) if x.dtype.char == "f" else None
    if steps is None:
        return x.sum(dim)
    add, blocks, sums, dtype, rest = steps
    if rest is None:
        return add(x.reshape(blocks)).reshape(sums).sum(dim, dtype)
    head, tail, first = rest
    y = add(x[head].reshape(blocks)).reshape(sums)
    y[first] += x[tail]
    return y.sum(dim, dtype)


@functools.lru_cache(1024)
def _steps(shape, dim):
    """How to sum an array of float32 along one axis; None where NumPy's order is as good.

    (what adds the rows of each block, the blocks' shape, that of the sums, the dtype to add those
    in, None or which rows are in blocks, which are left over, and which sums take one of them more)
    """
    before, n, after = shape[:dim], shape[dim], shape[dim + 1:]
    inner, size = math.prod(after), math.prod(shape)
    if n <= 2 * FEW or inner == 1 and n <= LONG:
        return None
    if size <= LARGE:
        add, wide = None, 256  # more than this BLAS might share among threads
    elif inner <= 1024:
        add, wide = functools.partial(np.einsum, "...ij->...j"), 1024  # the nearest cache has room
    else:
        add, wide = operator.methodcaller("sum", -2), LARGE
    # A block holds at most 2 FEW runs, a run of as many rows as a power of 2; its runs are added.
    least = -(-n // (2 * FEW))
    run = 1 << (min(least, max(1, wide // inner)).bit_length() - 1)
    sums = -(-least // run) * run
    done = n - n % sums
    if add is None:
        add = functools.partial(np.matmul, np.ones(done // sums, np.float32))
    axes = (slice(None),) * dim
    rest = (*axes, slice(done)), (*axes, slice(done, None)), (*axes, slice(n - done))
    return (add, (*before, sums // run, done // sums, run * inner), (*before, sums, *after),
            np.float32 if sums <= FEW else np.float64, rest if done < n else None)
