"""Matrix products. Each map is linear in every argument, so gradients are products again."""

from __future__ import annotations

import math

import numpy as np

from minigrad.function import Function
from minigrad.ops.operands import check_same_dtype, for_product
from minigrad.ops.reduce import sum
from minigrad.ops.shape import expand, reshape, squeeze, transpose, unsqueeze


class MatMul(Function):
    """y = a b.  a (..., n, k), b (..., k, m) -> y (..., n, m), equal leading axes."""

    half_on_gpu = True  # cuBLAS adds in float32

    def forward(self, a, b):
        return a @ b

    def grad_a(self, gy, b):
        return gy @ transpose(b, -1, -2)

    def grad_b(self, gy, a):
        return transpose(a, -1, -2) @ gy


class Linear(Function):
    """y = x w^T + b.  x (N, I), w (O, I), b (O) -> y (N, O)."""

    half_on_gpu = True

    def forward(self, x, w, b=None):
        y = x @ w.T
        return y if b is None else y + b

    def grad_x(self, gy, w):
        return gy @ w

    def grad_w(self, gy, x):
        return gy.T @ x

    def grad_b(self, gy):
        return sum(gy, 0)


def matmul(a, b):
    """Matrix product as in numpy.matmul: 1-d operands are vectors, leading axes broadcast.

    Raises ValueError if the inner sizes differ or an operand is a scalar, TypeError for two dtypes.
    """
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit: "
                         "(..., n, k) @ (..., k, m)")
    a, b = for_product(a, b)
    check_same_dtype("matmul", a, b)
    if a.ndim == 1:
        return squeeze(matmul(unsqueeze(a, 0), b), -2 if b.ndim > 1 else 0)
    if b.ndim == 1:
        return squeeze(matmul(a, unsqueeze(b, 1)), -1)
    if b.ndim == 2 < a.ndim:  # one product of tall matrices instead of many small ones
        rows = reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return reshape(MatMul()(rows, b), (*a.shape[:-1], b.shape[-1]))
    if a.shape[:-2] != b.shape[:-2]:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = expand(a, (*lead, *a.shape[-2:])), expand(b, (*lead, *b.shape[-2:]))
    return MatMul()(a, b)


def linear(x, w, b=None):
    """x w^T + b.  x (..., I), w (O, I), b (O) or None -> (..., O); ValueError for other shapes.

    TypeError if the dtypes differ.
    """
    if x.ndim == 0 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"linear: input {x.shape} does not fit weight {w.shape}: "
                         f"the last axis must have {w.shape[-1]} elements")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"linear: bias of shape {b.shape} for {w.shape[0]} outputs")
    x, w, b = for_product(x, w, b)
    check_same_dtype("linear", x, w, b)
    inputs = (w,) if b is None else (w, b)
    if x.ndim == 2:
        return Linear()(x, *inputs)
    rows = reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    return reshape(Linear()(rows, *inputs), (*x.shape[:-1], w.shape[0]))
