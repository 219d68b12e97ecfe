"""Sums and extrema over axes of an array: an axis, a tuple of axes, or None for all.

Sums over no numbers are 0. Extrema are NaN where a number is, and raise ValueError where there is
none.
"""

from __future__ import annotations

from minigrad.kernels.cuda import twin


@twin("reduce")
def sum(x, axis=None, keepdims=False):
    """y = sum_i x_i."""
    return x.sum(axis=axis, keepdims=keepdims)


@twin("reduce")
def amax(x, axis=None, keepdims=False):
    """y = max_i x_i."""
    return x.max(axis=axis, keepdims=keepdims)


@twin("reduce")
def amin(x, axis=None, keepdims=False):
    """y = min_i x_i."""
    return x.min(axis=axis, keepdims=keepdims)
