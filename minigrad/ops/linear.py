"""Matrix products. They are linear in every argument, so their gradients are products again."""

import math
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.dtypes import is_half
from minigrad.engine import Tensor, Values
from minigrad.function import Function
from minigrad.kernels.matmul import cpu as kernel
from minigrad.ops.cost import Count, elements, products
from minigrad.ops.operands import for_product
from minigrad.ops.reduce import sum
from minigrad.ops.shape import reshape, spread, squeeze, transpose, unsqueeze


class MatMul(Function):
    """y = a b.  a (..., n, k), b (..., k, m) -> y (..., n, m), equal leading axes."""

    half_on_gpu = True  # cuBLAS adds in float32

    def forward(self, a: Array, b: Array) -> Array:
        return kernel.matmul(a, b)

    def grad_a(self, gy: Values, b: Values) -> Values:
        return _product(gy, transpose(b, -1, -2))

    def grad_b(self, gy: Values, a: Values) -> Values:
        return _product(transpose(a, -1, -2), gy)

    def cost(self, y: Tensor, a: Tensor, b: Tensor) -> Count:
        n, k = elements(y), a.shape[-1]
        return Count(multiply=n * k, add=n * (k - 1), macs=n * k)


class Linear(Function):
    """y = x w^T + b.  x (N, I), w (O, I), b (O) -> y (N, O)."""

    half_on_gpu = True
    cost = products

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        if b is not None and is_half(x):  # on a GPU: b is added before the product is rounded
            x, w = _with_column(x, np.ones_like(b, shape=(len(x), 1))), _with_column(w, b[:, None])
            b = None
        y = kernel.matmul(x, w.T)
        return y if b is None else y + b

    def grad_x(self, gy: Values, w: Values) -> Values:
        return _product(gy, w)

    def grad_w(self, gy: Values, x: Values) -> Values:
        return _product(gy.T, x)

    def grad_b(self, gy: Values) -> Values:
        return sum(gy, 0)


def _product(a: Values, b: Values) -> Values:
    """a b, of arrays or of Tensors."""
    return a @ b if isinstance(a, Tensor) else kernel.matmul(a, b)


def _with_column(x: Any, column: Any) -> Any:
    """x (N, I), a column (N, 1), and zeros: tensor cores need a multiple of 8 columns."""
    zeros = np.zeros_like(x, shape=(len(x), -(x.shape[1] + 1) % 8))
    return np.concatenate([x, column, zeros], 1)


def matmul(a: Values, b: Values) -> Values:
    """Matrix product a b, as numpy.matmul.  a (..., n, k), b (..., k, m) -> (..., n, m).

    An operand with one axis is a vector; leading axes broadcast. Raises ValueError if the sizes k
    differ or an operand has no axes, TypeError for two dtypes.
    """
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit: "
                         "(..., n, k) @ (..., k, m)")
    a, b = for_product("matmul", a, b)
    if a.ndim == 1:
        return squeeze(matmul(unsqueeze(a, 0), b), -2 if b.ndim > 1 else 0)
    if b.ndim == 1:
        return squeeze(matmul(a, unsqueeze(b, 1)), -1)
    if b.ndim == 2 < a.ndim:  # one product of tall matrices instead of many small ones
        rows = reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return reshape(MatMul()(rows, b), (*a.shape[:-1], b.shape[-1]))
    if a.shape[:-2] != b.shape[:-2]:
        lead: tuple[int, ...] = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = spread(a, (*lead, *a.shape[-2:])), spread(b, (*lead, *b.shape[-2:]))
    return MatMul()(a, b)


def linear(x: Values, w: Values, b: Values | None = None) -> Values:
    """x w^T + b.  x (..., I), w (O, I), b (O) or None -> (..., O).

    Raises ValueError for other shapes, TypeError if the dtypes differ.
    """
    if x.ndim == 0 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"linear: input {x.shape} does not fit weight {w.shape}: "
                         f"the last axis must have {w.shape[-1]} elements")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"linear: bias of shape {b.shape} for {w.shape[0]} outputs")
    x, w, b = for_product("linear", x, w, b)
    inputs = (w,) if b is None else (w, b)
    if x.ndim == 2:
        return Linear()(x, *inputs)
    rows = reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    return reshape(Linear()(rows, *inputs), (*x.shape[:-1], w.shape[0]))
