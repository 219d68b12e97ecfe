"""Sums, means, extrema, log-sum-exp over `dim`: an axis, a tuple of axes, or None for all."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minigrad.backend import device_of, to_device
from minigrad.function import Function
from minigrad.kernels import reduce as kernel
from minigrad.ops.arithmetic import exp, where
from minigrad.ops.compare import Elementwise
from minigrad.ops.shape import expand, getitem, reshape
from minigrad.tensor import Tensor


class Reduction(Function):
    """Shared by the reductions: their axes, and how a gradient gets back to the input's shape."""

    def __init__(self, dim, keepdim):
        self.dim = tuple(dim) if isinstance(dim, list) else dim
        self.keepdim = keepdim

    def kept(self, shape):
        """`shape` with the reduced axes at size 1."""
        dims = range(len(shape)) if self.dim is None else np.atleast_1d(self.dim) % len(shape)
        return tuple(1 if d in dims else n for d, n in enumerate(shape))


class Sum(Reduction):
    """y = sum_i x_i."""

    half_on_gpu = True

    def forward(self, x):
        self.from_shape = x.shape
        return kernel.sum(x, self.dim, self.keepdim)

    def backward(self, gy):
        return expand(reshape(gy, self.kept(self.from_shape)), self.from_shape)


class Amax(Reduction):
    """y = max_i x_i; equal maxima share the gradient. NaN wins."""

    def forward(self, x):
        return kernel.amax(x, self.dim, self.keepdim)

    def backward(self, gy, x, y):
        kept = self.kept(x.shape)
        at = x == reshape(y, kept)
        return where(at, reshape(gy / self.ties(at, y), kept), 0)

    def ties(self, at, y):
        """How many elements share each extremum, as plain numbers in y's dtype."""
        at = at.data if isinstance(at, Tensor) else at
        return at.sum(axis=self.dim, dtype=y.dtype).reshape(y.shape)


class Amin(Amax):
    """y = min_i x_i; equal minima share the gradient. NaN wins."""

    def forward(self, x):
        return kernel.amin(x, self.dim, self.keepdim)


class LogSumExp(Reduction):
    """y = ln sum_i e^{x_i}, with the maximum taken out first."""

    def forward(self, x):
        self.top = _finite_max(x, self.dim)
        y = np.log(kernel.sum(np.exp(x - self.top), self.dim, keepdims=True)) + self.top
        return y if self.keepdim else y.squeeze(self.dim)

    def backward(self, gy, x):
        e = exp(x - self.top)  # e^(x - y) would carry the rounding of a large y
        return reshape(gy, self.kept(x.shape)) * (e / sum(e, self.dim, keepdim=True))


def _finite_max(x, dim):
    """The largest x along dim, kept, or 0 where that is infinite; by real part if complex."""
    if not x.size:
        return kernel.sum(x.real, dim, keepdims=True)
    top = kernel.amax(x.real, dim, keepdims=True)
    return np.where(np.isfinite(top), top, 0)


class MaxResult(NamedTuple):
    """What max and min along a dimension return, as in torch."""

    values: object
    indices: object


def sum(x, dim=None, keepdim=False):
    """Sum over `dim`."""
    return Sum(dim, keepdim)(x)


def mean(x, dim=None, keepdim=False):
    """Mean over `dim`. Raises TypeError for integers, whose mean would have to change dtype."""
    floating("mean", x)
    return Sum(dim, keepdim)(x) / _count(x, dim)


def var(x, dim=None, correction=1, keepdim=False):
    """Variance over `dim`: sum (x - mean)^2 / (n - correction); correction=0 is the biased one."""
    floating("var", x)
    n, d = _count(x, dim), x - mean(x, dim, keepdim=True)
    return Sum(dim, keepdim)(d * d) / (n - correction if n > correction else math.nan)


def amax(x, dim=None, keepdim=False):
    """Largest element over `dim`; equal maxima share the gradient."""
    return Amax(dim, keepdim)(x)


def amin(x, dim=None, keepdim=False):
    """Smallest element over `dim`; equal minima share the gradient."""
    return Amin(dim, keepdim)(x)


def max(x, dim=None, keepdim=False):
    """Without dim the largest element; along one axis `(values, indices)`, first index at ties.

    Without dim equal maxima share the gradient, with dim the indexed one has it all, as in torch.
    """
    if dim is None:
        return amax(x, None, keepdim)
    return _select(x, argmax(x, dim, keepdim=True), dim, keepdim)


def min(x, dim=None, keepdim=False):
    """Without dim the smallest element; along one axis `(values, indices)`; ties as for max."""
    if dim is None:
        return amin(x, None, keepdim)
    return _select(x, argmin(x, dim, keepdim=True), dim, keepdim)


def _select(x, indices, dim, keepdim):
    picked = indices.data if isinstance(indices, Tensor) else indices
    grid = [to_device(axis, device_of(picked))
            for axis in np.ogrid[tuple(slice(n) for n in picked.shape)]]
    grid[dim] = picked
    values = getitem(x, tuple(grid))
    if keepdim:
        return MaxResult(values, indices)
    shape = tuple(n for d, n in enumerate(x.shape) if d != dim % x.ndim)
    return MaxResult(reshape(values, shape), reshape(indices, shape))


def argmax(x, dim=None, keepdim=False):
    """Index of the largest element along `dim`, or in the flattened x; the first at ties."""
    return Elementwise(np.argmax, axis=dim, keepdims=keepdim)(x)


def argmin(x, dim=None, keepdim=False):
    """Index of the smallest element along `dim`, or in the flattened x; the first at ties."""
    return Elementwise(np.argmin, axis=dim, keepdims=keepdim)(x)


def logsumexp(x, dim, keepdim=False):
    """ln sum e^x over `dim`, without overflow."""
    return LogSumExp(dim, keepdim)(x)


def _count(x, dim):
    """How many elements are reduced to one."""
    if dim is None:
        return math.prod(x.shape)
    return math.prod(x.shape[d] for d in np.atleast_1d(dim))


def floating(name, x):
    """TypeError naming the op unless x has a floating-point (or complex) dtype."""
    if x.dtype.kind in "iub":
        raise TypeError(f"{name}: needs a floating-point input, got {x.dtype}; use .to('float32')")
