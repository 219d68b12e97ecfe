"""Sums and extrema on the GPU: reduce.cu behind the functions of cpu.py.

Floating-point numbers alone come here, in an order that follows from the array's shape and layout.
Integers and booleans, whose sums do not depend on an order, are CuPy's.

Axes that are neighbours in memory are reduced as one, those that are not one after another: nothing
is copied unless the array has gaps. A sum is off by at most about 2 eps sum |x| for each launch
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 4.3), of which there are one
or two for each group of neighbours; 16-bit numbers are added in float32 and rounded once.
"""

import functools
import itertools
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minigrad.backend import array_module
from minigrad.kernels.runtime.cuda import launch, memory_order, record, split, wide

THREADS = 256       # as in reduce.cu
WARP = 32           # from so many neighbours on, neighbouring threads make neighbouring elements
PER_THREAD = 32     # numbers that a thread goes through before a chunk is split
BLOCKS = 1024       # from so many on, no chunk is split
AXIS = np.dtype([(name, np.int64) for name in ("n", "chunks", "each", "inner", "along")])


def _reduce(kernel, x, axis=None, keepdims=False):
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    order = memory_order(x)
    kept = [d for d in order if d not in axes]
    shape = [1 if d in axes else n for d, n in enumerate(x.shape)]
    if kernel != "sum" and not x.size and math.prod(shape):
        raise ValueError(f"{kernel}: nothing to take it of in an array of shape {x.shape} over "
                         f"axis {axis}; check for empty arrays first")
    y = array_module(x).ascontiguousarray(x.transpose(order))
    for outer, n, inner in _passes(tuple((x.shape[d], d in axes) for d in order)):
        y = _over_axis(kernel, y, outer, n, inner)
    y = y.reshape([x.shape[d] for d in kept]).transpose(np.argsort(kept).tolist())
    return (y.reshape(shape) if keepdims else y).astype(x.dtype, copy=False)


sum, amax, amin = (functools.partial(_reduce, kernel) for kernel in ("sum", "amax", "amin"))


@functools.lru_cache(1024)
def _passes(axes):
    """The (outer, n, inner) to reduce one after another, innermost first, n = 1 if nothing is.

    axes: (size, whether it is reduced) of each axis in the order of memory.
    """
    groups = [(reduced, math.prod(n for n, _ in group)) for reduced, group in itertools.groupby(
        (axis for axis in axes if axis[0] != 1), key=lambda axis: axis[1])]
    passes = []
    for k in reversed(range(len(groups))):
        reduced, n = groups[k]
        if reduced:
            outer, inner = (math.prod(m for _, m in part) for part in (groups[:k], groups[k + 1:]))
            passes.append((outer, n, inner))
            groups[k] = False, 1
    return passes or [(math.prod(n for _, n in groups), 1, 1)]


def _over_axis(kernel, x, outer, n, inner):
    """x (outer, n, inner) -> (outer, inner), in any shape."""
    sharers = _sharers(n, inner)
    blocks = max(1, outer * inner * sharers // THREADS)
    chunks, each = split(n, sharers * PER_THREAD, BLOCKS // blocks)
    y = _launch(kernel, x, outer, n, inner, chunks, each)
    return _launch(kernel, y, outer, chunks, inner, 1, chunks) if chunks > 1 else y


def _sharers(n, inner):
    """How many threads share an element: a power of two."""
    most = THREADS if inner < WARP else THREADS // WARP
    return min(most, 1 << max(0, n - 1).bit_length())


def _launch(kernel, x, outer, n, inner, chunks, each):
    """Chunks of x (outer, n, inner) -> (outer, chunks, inner), flat."""
    y = array_module(x).empty(outer * chunks * inner, wide(x.dtype))
    sharers, along = _sharers(n, inner), inner < WARP
    across = THREADS // sharers
    launch("reduce", kernel, [x], [y], record(AXIS, n, chunks, each, inner, along),
           blocks=-(-y.size // across), threads=(sharers, across) if along else (across, sharers))
    return y
