"""Matrix products of the stand-in for CuPy, rounded as CuPy 14.2 has cuBLAS round them.

Single products of float32 follow the compute type, those of stacks the handle's math mode; either
may be TF32. Numbers of 16 bits are multiplied and added in float32, other than in CuPy's own kernel
for one row times one column, and stacks of bfloat16 are refused.
"""

import functools
from types import SimpleNamespace

import numpy as np

from minigrad.dtypes import is_half, widen

TF32_TYPE, TF32_MATH = 7, 3     # of CuPy's compute types, and of cuBLAS's modes
_told = SimpleNamespace(single=1, stacks=0)     # the defaults: float32


def reset():
    _told.single, _told.stacks = 1, 0


def set_compute_type(dtype, kind):
    assert dtype == np.float32
    _told.single = kind


def set_math_mode(handle, mode):
    _told.stacks = mode


def matmul(a, b):
    """a b, of NumPy arrays."""
    if max(a.ndim, b.ndim) > 2:
        if np.result_type(a, b).name == "bfloat16":
            raise TypeError("data type 'E' not understood")
        return _product(a, b, _told.stacks == TF32_MATH)
    if is_half(a) and a.size == b.size == a.shape[-1] > 0:
        return _added_in_16_bits(a, b)
    return _product(a, b, _told.single == TF32_TYPE)


def _product(a, b, tf32):
    if is_half(a):
        return (widen(a) @ widen(b)).astype(a.dtype)
    if tf32 and a.dtype == np.float32:
        a, b = map(tf32_rounded, (a, b))
    return a @ b


def _added_in_16_bits(a, b):
    total = functools.reduce(lambda total, pair: a.dtype.type(total + pair[0] * pair[1]),
                             zip(a.ravel(), b.ravel()), a.dtype.type(0))
    return np.full((*a.shape[:-1], *b.shape[1:]), total)


def tf32_rounded(x):
    """x rounded to 10 bits of mantissa."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32)
