"""Batch normalisation (Ioffe and Szegedy, ICML 2015, algorithm 1)."""

from __future__ import annotations

import math

import numpy as np

from minigrad.backend import array_module
from minigrad.function import Function
from minigrad.half import is_half
from minigrad.kernels import norm as kernel
from minigrad.ops.arithmetic import sqrt
from minigrad.ops.operands import check_same_dtype
from minigrad.ops.reduce import mean, sum
from minigrad.ops.shape import cast, reshape
from minigrad.tensor import Tensor


class BatchNorm(Function):
    """y = w (x - m) / sqrt(v + eps) + b with mean m and biased variance v of each channel.

    x (N, C, ...), w (C), b (C) -> y (N, C, ...)

    Fused: as a composition it would keep three arrays of the size of x instead of x alone.
    """

    relu = False
    half_on_gpu = True

    def __init__(self, eps):
        self.eps = eps

    def forward(self, x, w, b):
        self.mean, self.var, self.scale = kernel.statistics(x, self.eps)
        return kernel.normalise(x, self.mean, self.scale * w, b, self.relu)

    def backward(self, gy, x, w):
        if not isinstance(x, Tensor):
            return kernel.gradient(gy, x, self.mean, self.scale, w)
        dims, n = _batch_dims(x), math.prod(x.shape) // x.shape[1]
        d = x - mean(x, dims, keepdim=True)  # recorded: the statistics depend on x
        scale = 1 / sqrt(mean(d * d, dims, keepdim=True) + self.eps)
        gb = sum(gy, dims)
        gw = sum(gy * d, dims) * reshape(scale, (-1,))
        per_channel = _channels(w, x) * scale
        gx = per_channel * (gy - _channels(gb, x) / n) - d * (
            per_channel * scale * _channels(gw, x) / n)
        return gx, gw, gb


class BatchNormReLU(BatchNorm):
    """y = max(0, what BatchNorm gives).

    Fused: two ops would go through memory once more, forward and backward; the numbers are theirs.
    """

    relu = True

    def backward(self, gy, x, w, y):
        if not isinstance(x, Tensor):
            return kernel.gradient(gy, x, self.mean, self.scale, w, y)
        return super().backward(gy * (y > 0), x, w)


class ScaleShiftReLU(Function):
    """y = max(0, x f + s): batch normalisation by given statistics, and a ReLU.

    x (N, C, ...), f (C), s (C) -> y (N, C, ...)
    """

    half_on_gpu = True

    def forward(self, x, f, s):
        return kernel.normalise(x, array_module(f).zeros_like(f), f, s, relu=True)

    def backward(self, gy, x, f, y):
        if not isinstance(gy, Tensor):
            return kernel.fixed_gradient(gy, x, f, y)
        g, dims = gy * (y > 0), _batch_dims(x)
        return g * _channels(f, x), sum(g * x, dims), sum(g, dims)


def batch_norm(x, running_mean, running_var, weight, bias, training=False, momentum=0.1, eps=1e-5,
               relu=False):
    """Normalise each channel of x (N, C, ...), then scale by weight (C) and shift by bias (C).

    In training the statistics are the batch's, and the running ones (plain arrays, or None) move
    towards them in place: run = (1 - momentum) run + momentum new, with the unbiased variance. In
    evaluation the running statistics are used. `relu`: the ReLU of that, in one op. A 16-bit x
    takes float32 for all the rest, and gives 16-bit output. Raises ValueError for shapes that do
    not fit, for a single value per channel in training, and for no statistics in evaluation;
    TypeError for mixed dtypes.
    """
    channels = {"running_mean": running_mean, "running_var": running_var, "weight": weight,
                "bias": bias}
    given = {name: v for name, v in channels.items() if v is not None}
    for name, v in given.items():
        if x.ndim < 2 or tuple(v.shape) != (x.shape[1],):
            raise ValueError(f"batch_norm: input {x.shape} does not fit {name} {v.shape}: needs "
                             "(N, C, ...) and (C,)")
    if not (is_half(x) and all(v.dtype == np.float32 for v in given.values())):
        check_same_dtype("batch_norm", x, *given.values())
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: evaluation needs running statistics")
        factor = weight / sqrt(running_var + eps)
        shift = bias - running_mean * factor
        if relu:
            return ScaleShiftReLU()(x, factor, shift)
        y = x * _channels(factor, x) + _channels(shift, x)
        return cast(y, x.dtype) if is_half(x) else y
    n = math.prod(x.shape) // x.shape[1]
    if n < 2:
        raise ValueError("batch_norm: expected more than 1 value per channel when training, "
                         f"got input size {tuple(x.shape)}")
    if is_half(x) and is_half(weight):
        raise TypeError(f"batch_norm: {x.dtype} statistics would stand still in training; keep "
                        "weight, bias and running statistics float32")
    op = (BatchNormReLU if relu else BatchNorm)(eps)
    y = op(x, weight, bias)
    if running_mean is not None:
        kernel.update_running(op.mean, op.var, running_mean, running_var, momentum, n)
    return y


def _batch_dims(x):
    return (0, *range(2, x.ndim))


def _channels(v, x):
    """A vector (C) in the shape (1, C, 1, ...) that broadcasts over x."""
    return reshape(v, (1, -1) + (1,) * (x.ndim - 2))
