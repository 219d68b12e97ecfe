"""Reductions beyond those in `ops.reduce`, and running sums and products.

`dim` and `keepdim` mean what they mean there.
"""

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.dtypes import has_integers
from minigrad.engine import Values, data_of
from minigrad.function import Function
from minigrad.ops.arrays.moves import flip, narrow
from minigrad.ops.compare import Elementwise, ne
from minigrad.ops.cost import per_element
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import _dims, sum
from minigrad.ops.shape import Dims, _axis, cast, concatenate, reshape


class CumSum(Function):
    """y_i = x_0 + ... + x_i along `dim`."""

    cost = per_element(add=1)

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        return np.cumsum(x, self.dim, dtype=np.int64 if has_integers(x) else x.dtype)

    def backward(self, gy: Values) -> Values:
        return flip(cumsum(flip(gy, self.dim), self.dim), self.dim)


def cumsum(x: Values, dim: int, *, dtype: Any = None) -> Values:
    """The sums of the first elements along `dim`, y_i = x_0 + ... + x_i; of integers int64."""
    y = x if dtype is None else cast(x, dtype)
    d = _axis("cumsum", dim, x.ndim)
    y = reshape(CumSum(d)(y if x.ndim else reshape(y, (1,))), x.shape)
    return y if dtype is None else cast(y, dtype)


def cumprod(x: Values, dim: int, *, dtype: Any = None) -> Values:
    """The products of the first elements along `dim`, y_i = x_0 ... x_i; of integers int64.

    Products of 2, 4, 8, ... neighbours are multiplied, so derivatives are right at zeros too.
    """
    return _cumprod(_factors(x, dtype), _axis("cumprod", dim, x.ndim))


@in_float32()
def _cumprod(y: Values, dim: int) -> Values:
    step, n = 1, y.shape[dim] if y.ndim else 1
    while step < n:
        longer = narrow(y, dim, step, n - step) * narrow(y, dim, 0, n - step)
        y, step = concatenate([narrow(y, dim, 0, step), longer], dim), 2 * step
    return y


def prod(x: Values, dim: int | None = None, keepdim: bool = False, *,
         dtype: Any = None) -> Values:
    """Product over `dim`, one axis or all; of integers int64. `dtype`: of factors and product.

    One half is multiplied by the other half, again and again, so that derivatives of every order
    are right where factors are 0.
    """
    dims = _dims("prod", x, dim) or tuple(range(x.ndim))
    y, kept = _factors(x, dtype), tuple(1 if d in dims else n for d, n in enumerate(x.shape))
    y = _prod(y, dims[0]) if dim is not None and x.ndim else _prod(reshape(y, (-1,)), 0)
    return reshape(y, kept if keepdim else tuple(n for d, n in enumerate(x.shape) if d not in dims))


@in_float32()
def _prod(y: Values, dim: int) -> Values:
    n = y.shape[dim]
    if not n:
        return sum(y, dim) + np.ones_like(data_of(y), shape=())
    while n > 1:
        halves = narrow(y, dim, 0, n // 2) * narrow(y, dim, n // 2, n // 2)
        y = concatenate([halves, narrow(y, dim, n - 1, 1)], dim) if n % 2 else halves
        n = y.shape[dim]
    return y


def _factors(x: Values, dtype: Any) -> Values:
    return cast(x, dtype or (np.int64 if has_integers(x) else x.dtype))


def all(x: Values, dim: Dims = None, keepdim: bool = False) -> Values:
    """Whether no element over `dim` is 0, as booleans; as uint8 for an x of uint8."""
    return _truth(np.all, x, dim, keepdim)


def any(x: Values, dim: Dims = None, keepdim: bool = False) -> Values:
    """Whether an element over `dim` is not 0, as booleans; as uint8 for an x of uint8."""
    return _truth(np.any, x, dim, keepdim)


def _truth(f: Any, x: Values, dim: Dims, keepdim: bool) -> Values:
    y = Elementwise(f, axis=_dims(f.__name__, x, dim), keepdims=keepdim)(x)
    return cast(y, np.uint8) if x.dtype == np.uint8 else y


def count_nonzero(x: Values, dim: Dims = None) -> Values:
    """How many elements over `dim` are not 0, as int64."""
    return sum(ne(x, 0), dim)
