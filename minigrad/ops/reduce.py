"""Sums, means, extrema and log-sum-exp over `dim`: an axis, a tuple of axes, or None for all.

A result lacks the axes of `dim`; with `keepdim` it has them at size 1.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import Array
from minigrad.dtypes import has_integers
from minigrad.engine import Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.reduce import cpu as kernel
from minigrad.ops.arithmetic import abs, exp, pow, sign, sqrt
from minigrad.ops.arrays.gather import gather
from minigrad.ops.compare import Elementwise, logical_or
from minigrad.ops.cost import Count, elements, reduced
from minigrad.ops.operands import in_float32, wide
from minigrad.ops.select import masked, maximum, minimum, where
from minigrad.ops.shape import Dims, _axis, cast, expand, reshape, squeeze


class Reduction(Function):
    """Shared by the reductions: their axes, and how a gradient gets back to the input's shape."""

    def __init__(self, dim: Any, keepdim: bool) -> None:
        self.dim, self.keepdim = dim, keepdim  # dim: what `_dims` gives

    def kept(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`shape` with the reduced axes at size 1."""
        dims = range(len(shape)) if self.dim is None else self.dim
        return tuple(1 if d in dims else n for d, n in enumerate(shape))


class Sum(Reduction):
    """y = sum_i x_i."""

    half_on_gpu = True
    cost = reduced("add")

    def forward(self, x: Array) -> Array:
        self.from_shape = x.shape
        y = kernel.sum(x, self.dim, self.keepdim)
        return y.astype(np.int64, copy=False) if has_integers(x) else y

    def backward(self, gy: Values) -> Values:
        return expand(reshape(gy, self.kept(self.from_shape)), self.from_shape)


class Amax(Reduction):
    """y = max_i x_i; equal maxima share the gradient. One NaN makes y and all gradients NaN."""

    cost = reduced("compare")

    def forward(self, x: Array) -> Array:
        return kernel.amax(x, self.dim, self.keepdim)

    def backward(self, gy: Values, x: Values, y: Values) -> Values:
        kept = self.kept(x.shape)
        wide = reshape(y, kept)
        at = x == wide
        share = reshape(gy, kept) / self.ties(at, y.dtype)
        return masked(share, logical_or(at, wide != wide))

    def ties(self, at: Values, dtype: np.dtype) -> Array:
        """How many elements share each extremum, as plain numbers; NaN for none."""
        n = data_of(at).sum(axis=self.dim, keepdims=True)
        return np.where(n, n, math.nan).astype(dtype)


class Amin(Amax):
    """y = min_i x_i; equal minima share the gradient. NaN as in Amax."""

    cost = reduced("compare")

    def forward(self, x: Array) -> Array:
        return kernel.amin(x, self.dim, self.keepdim)


class Max(Amax):
    """y = max_i x_i; equal maxima share the gradient. If there are NaNs, they share it."""

    cost = reduced("compare")

    def backward(self, gy: Values, x: Values, y: Values) -> Values:
        wide = reshape(y, self.kept(x.shape))
        at = logical_or(x == wide, x != x)
        return masked(reshape(gy, wide.shape) / self.ties(at, y.dtype), at)


class Min(Max):
    """y = min_i x_i; equal minima share the gradient. NaNs as in Max."""

    cost = reduced("compare")

    def forward(self, x: Array) -> Array:
        return kernel.amin(x, self.dim, self.keepdim)


class LogSumExp(Reduction):
    """y = ln sum_i e^{x_i}, with the maximum taken out first."""

    floating = True

    def forward(self, x: Array) -> Array:
        self.top = kernel.finite_max(x, self.dim)
        with np.errstate(divide="ignore"):  # ln 0 of no numbers, or where all are -inf
            y = np.log(kernel.sum(np.exp(x - self.top), self.dim, keepdims=True)) + self.top
        return y if self.keepdim else y.squeeze(self.dim)

    def backward(self, gy: Values, x: Values) -> Values:
        e = exp(x - self.top)  # e^(x - y) would carry the rounding of a large y
        return reshape(gy, self.kept(x.shape)) * (e / sum(e, self.dim, keepdim=True))

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """Per row: largest of n, n differences, n exponentials, their sum, its log, an addition."""
        n, rows = elements(x), elements(y)
        return Count(compare=n - rows, add=2 * n, other=n + rows)


class MaxResult(NamedTuple):
    """What max and min along a dimension return, as in torch: Tensors, or arrays."""

    values: Any
    indices: Any


def sum(x: Values, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Values:
    """Sum over `dim`; of integers and booleans as int64. `dtype`: of the terms and of the sum.

    Raises IndexError for an axis that x does not have, RuntimeError for one that is named twice.
    """
    if dtype is not None:
        return cast(sum(cast(x, dtype), dim, keepdim), dtype)
    return Sum(_dims("sum", x, dim), keepdim)(x)


def mean(x: Values, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Values:
    """Mean over `dim`. Raises TypeError for integers, whose mean needs another dtype: `dtype`."""
    if dtype is not None:
        x = cast(x, dtype)
    check_floating("mean", x)
    return _mean(x, _dims("mean", x, dim), keepdim)


@in_float32()
def _mean(x: Values, dim: tuple[int, ...] | None, keepdim: bool) -> Values:
    return _over(Sum(dim, keepdim)(x), _count(x, dim))


@in_float32()
def var(x: Values, dim: Dims = None, correction: float | None = None, keepdim: bool = False,
        unbiased: bool | None = None) -> Values:
    """Variance over `dim`: sum (x - mean)^2 / (n - correction), with correction 1 unless given.

    correction=0 is the biased variance. torch has an older name for this, unbiased=False, which is
    understood too, also as a boolean in the place of `dim`. As in torch, the result is infinite for
    n <= correction, or nan if moreover all x are equal. Raises TypeError for integers, and for
    `correction` together with `unbiased`.
    """
    check_floating("var", x)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        if correction is not None:
            raise TypeError("var: give correction or unbiased, not both")
        correction = bool(unbiased)
    dim, correction = _dims("var", x, dim), 1 if correction is None else correction
    n, d = _count(x, dim), x - mean(x, dim, keepdim=True)
    return _over(Sum(dim, keepdim)(d * d), n - correction if n > correction else 0)


@in_float32()
def std(x: Values, dim: Dims = None, correction: float | None = None, keepdim: bool = False,
        unbiased: bool | None = None) -> Values:
    """Standard deviation over `dim`, the square root of `var`; its derivative is 0 where it is 0.

    The parameters are those of `var`.
    """
    return _root(var(x, dim, correction, keepdim, unbiased))


def std_mean(x: Values, dim: Dims = None, correction: float | None = None, keepdim: bool = False,
             unbiased: bool | None = None) -> tuple[Values, Values]:
    """(std, mean) over `dim`."""
    return _with_mean(std, x, dim, correction, keepdim, unbiased)


def var_mean(x: Values, dim: Dims = None, correction: float | None = None, keepdim: bool = False,
             unbiased: bool | None = None) -> tuple[Values, Values]:
    """(var, mean) over `dim`."""
    return _with_mean(var, x, dim, correction, keepdim, unbiased)


def _with_mean(f: Callable, x: Any, dim: Any, correction: Any, keepdim: bool, unbiased: Any) -> Any:
    """f and the mean, whose gradients are added before they are rounded to 16 bits."""
    w, dims = wide(x), None if isinstance(dim, bool) else dim
    found = f(w, dim, correction, keepdim, unbiased), mean(w, dims, keepdim)
    return tuple(cast(y, x.dtype) for y in found)


@in_float32()
def norm(x: Values, p: float | str | None = "fro", dim: Dims = None, keepdim: bool = False,
         dtype: Any = None) -> Values:
    """(sum |x_i|^p)^(1/p) over `dim`: for infinity the largest |x_i|, for 0 how many are not 0.

    p="fro" is 2. Where the norm is 0, so is its derivative. Raises RuntimeError for integers.
    """
    x = x if dtype is None else cast(x, dtype)
    demand(not has_integers(x), f"norm: needs a floating-point input, got {x.dtype}")
    p = 2.0 if p in ("fro", None) else float(p)  # type: ignore[arg-type]  # None is none here
    if p == 2:
        return _root(sum(x * x, dim, keepdim))
    if p == 0:
        return sum(abs(sign(x)), dim, keepdim)
    if math.isinf(p):
        return (amax if p > 0 else amin)(abs(x), dim, keepdim)
    return _power(sum(_power(abs(x), p), dim, keepdim), 1 / p)


def _root(x: Values) -> Values:
    return _power(x, 0.5)


def _power(x: Values, p: float) -> Values:
    """x^p, where x is 0 with the derivative 0 in place of an infinite one."""
    if p == 1:
        return x
    zero = data_of(x) == 0
    y = where(zero, 1, x)
    return where(zero, 0 if p > 0 else math.inf, sqrt(y) if p == 0.5 else pow(y, p))


def amax(x: Values, dim: Dims = None, keepdim: bool = False) -> Values:
    """Largest element over `dim`; equal maxima share the gradient.

    Raises IndexError for an axis without elements, and RuntimeError for an x without any.
    """
    return Amax(_filled_dims("amax", x, dim), keepdim)(x)


def amin(x: Values, dim: Dims = None, keepdim: bool = False) -> Values:
    """Smallest element over `dim`; equal minima share the gradient. Raises as amax."""
    return Amin(_filled_dims("amin", x, dim), keepdim)(x)


def max(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Without `dim` the largest element; along one axis `(values, indices)`, the first at ties.

    Without `dim` equal maxima share the gradient; with it the element at the index gets all of it,
    as in torch. max(x, y) of two Tensors is maximum(x, y). Raises the errors of `amax`.
    """
    if isinstance(dim, Tensor) or getattr(dim, "ndim", False):
        return maximum(x, dim)
    if dim is None:
        return Max(_filled_dims("max", x, None), keepdim)(x)
    return _picked(x, _place(np.argmax, "max", x, dim, True), dim, keepdim)


def min(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Without `dim` the smallest element; along one axis `(values, indices)`. See `max`."""
    if isinstance(dim, Tensor) or getattr(dim, "ndim", False):
        return minimum(x, dim)
    if dim is None:
        return Min(_filled_dims("min", x, None), keepdim)(x)
    return _picked(x, _place(np.argmin, "min", x, dim, True), dim, keepdim)


def _picked(x: Any, indices: Any, dim: int, keepdim: bool) -> MaxResult:
    """The elements at `indices`, which have the axis `dim` at size 1, and the indices."""
    found = gather(x, dim, indices), indices
    return MaxResult(*(y if keepdim or not x.ndim else squeeze(y, dim) for y in found))


def argmax(x: Values, dim: int | None = None, keepdim: bool = False) -> Values:
    """Index of the largest element along `dim`, or in the flattened x; the first at ties.

    Raises IndexError if there is no element, TypeError if `dim` is not one axis.
    """
    return _place(np.argmax, "argmax", x, dim, keepdim)


def argmin(x: Values, dim: int | None = None, keepdim: bool = False) -> Values:
    """Index of the smallest element along `dim`, or in the flattened x; the first at ties.

    Raises the errors of `argmax`.
    """
    return _place(np.argmin, "argmin", x, dim, keepdim)


def logsumexp(x: Values, dim: Dims, keepdim: bool = False) -> Values:
    """ln sum e^x over `dim`, without overflow; integers are taken as float32."""
    return LogSumExp(_dims("logsumexp", x, dim), keepdim)(x)


def _dims(name: str, x: Any, dim: Any) -> tuple[int, ...] | None:
    """The axes `dim` counted from the front, as a tuple; None for all, which None and () mean.

    As in torch, the axis 0 of a number without axes may be named. Raises IndexError for an axis
    that x does not have, RuntimeError for one that is named twice.
    """
    if dim is None:
        return None
    if type(dim) is int and -x.ndim <= dim < x.ndim:  # nearly always
        return (dim % x.ndim,)
    dims = tuple(_axis(name, d, x.ndim or 1)
                 for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"{name}: dim {d} appears multiple times in {tuple(dim)}")
    return dims if x.ndim and dims else None


def _filled_dims(name: str, x: Any, dim: Any) -> tuple[int, ...] | None:
    """`_dims` for an extremum, which needs elements."""
    dims = _dims(name, x, dim)
    if 0 in x.shape:
        if dims is None:
            raise RuntimeError(f"{name}: the input of shape {x.shape} has no elements; name a dim "
                               "that has some")
        for d in dims:
            if not x.shape[d]:
                raise IndexError(f"{name}: dim {d} of shape {x.shape} has no elements")
    return dims


def _place(f: Callable, name: str, x: Values, dim: Any, keepdim: bool) -> Values:
    """f, which is argmax or argmin, for the op `name`."""
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"{name}: dim must be one axis, got {dim}")
    if dim is None and 0 in x.shape:
        raise IndexError(f"{name}: the input of shape {x.shape} has no elements; name a dim that "
                         "has some")
    axis = _filled_dims(name, x, dim)
    return Elementwise(f, axis=axis and axis[0], keepdims=keepdim)(x)


def _count(x: Any, dims: tuple[int, ...] | None) -> int:
    """How many elements are reduced to one."""
    return math.prod(x.shape if dims is None else (x.shape[d] for d in dims))


def _over(total: Values, n: float) -> Values:
    """total / n, infinite or nan for n = 0."""
    if n:
        return total / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / n


def check_floating(name: str, x: Any) -> None:
    """Raise TypeError, naming the op, unless x has a floating-point or complex dtype."""
    if has_integers(x):
        raise TypeError(f"{name}: needs a floating-point input, got {x.dtype}; use .to('float32')")
