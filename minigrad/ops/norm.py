"""Batch normalisation (Ioffe and Szegedy, ICML 2015, algorithm 1)."""

import math
from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.backend import Array, array_module, check_devices
from minigrad.changes import count_change
from minigrad.dtypes import is_half
from minigrad.engine import Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.norm import cpu as kernel
from minigrad.ops.arithmetic import sqrt
from minigrad.ops.cost import Count, elements, per_element
from minigrad.ops.operands import check_same_dtype, wide
from minigrad.ops.reduce import mean, sum
from minigrad.ops.select import masked
from minigrad.ops.shape import cast, clone, reshape


class BatchNorm(Function):
    """y = w (x - m) / sqrt(v + eps) + b with mean m and biased variance v of each channel.

    x (N, C, ...), w (C), b (C) -> y (N, C, ...)

    It is one op because a composition of ops would keep three arrays of the size of x, and this
    keeps only x.
    """

    relu = False
    half_on_gpu = True

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        self.mean, self.var, self.scale = kernel.statistics(x, self.eps)
        return kernel.normalise(x, self.mean, self.scale * w, b, self.relu)

    def backward(self, gy: Values, x: Values, w: Values) -> tuple[Values, ...]:
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

    def cost(self, y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Count:
        """Per number x - m, its square, times f, plus b; per channel m, v, f = w / sqrt(v + eps)"""
        n, channels = elements(y), y.shape[1]
        sums = 2 * (n - channels)  # for m and v, which one division each makes means
        return Count(multiply=2 * n + channels, add=sums + 2 * n + channels, other=4 * channels)


class BatchNormReLU(BatchNorm):
    """y = max(0, what BatchNorm gives).

    Fused: two ops would go through memory once more, forward and backward. The bits are the same.
    """

    relu = True

    def backward(  # type: ignore[override]  # the parameters say what is saved
            self, gy: Values, x: Values, w: Values, y: Values) -> tuple[Values, ...]:
        if not isinstance(x, Tensor):
            return kernel.gradient(gy, x, self.mean, self.scale, w, y)
        return super().backward(masked(gy, ~(y <= 0)), x, w)

    def cost(self, y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Count:
        return super().cost(y, x, w, b)._replace(compare=elements(y))


class ScaleShiftReLU(Function):
    """y = max(0, x f + s): batch normalisation by running statistics, and the ReLU of that.

    x (N, C, ...), f (C), s (C) -> y (N, C, ...)
    """

    half_on_gpu = True
    cost = per_element(multiply=1, add=1, compare=1)

    def forward(self, x: Array, f: Array, s: Array) -> Array:
        return kernel.normalise(x, array_module(f).zeros_like(f), f, s, relu=True)

    def backward(self, gy: Values, x: Values, f: Values, y: Values) -> tuple[Values, ...]:
        if not isinstance(gy, Tensor):
            return kernel.fixed_gradient(gy, x, f, y)
        g, dims = masked(gy, ~(y <= 0)), _batch_dims(x)
        return g * _channels(f, x), sum(g * x, dims), sum(g, dims)


def batch_norm(x: Values, running_mean: Any, running_var: Any, weight: Any, bias: Any,
               training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
               relu: bool = False) -> Values:
    """y = weight (x - mean) / sqrt(var + eps) + bias, channel by channel.

    x (N, C, ...); weight and bias (C), or None for 1 and 0; running_mean and running_var (C), plain
    arrays, or None -> y of the shape of x

    In training, mean and var are those of the batch, and the running statistics move towards them
    in place: run = (1 - momentum) run + momentum new, with the unbiased variance. In evaluation,
    mean and var are the running statistics. `relu`: y is the ReLU of that, computed in one op. With
    a 16-bit x everything else may be float32; y has 16 bits then.

    Raises ValueError for shapes that do not fit, for a single value per channel in training, and
    for evaluation without running statistics; TypeError for mixed dtypes.
    """
    eps = number(eps)
    channels = {"running_mean": running_mean, "running_var": running_var, "weight": weight,
                "bias": bias}
    given = {name: v for name, v in channels.items() if v is not None}
    for name, v in given.items():
        if x.ndim < 2 or tuple(v.shape) != (x.shape[1],):
            raise ValueError(f"batch_norm: input {x.shape} does not fit {name} {v.shape}: needs "
                             "(N, C, ...) and (C,)")
    if not (is_half(x) and all(v.dtype == np.float32 for v in given.values())):
        check_same_dtype("batch_norm", x, *given.values())
    if weight is None or bias is None:
        xp = array_module(data_of(x))
        dtype = np.float32 if is_half(x) else x.dtype
        weight = xp.ones(x.shape[1], dtype) if weight is None else weight
        bias = xp.zeros(x.shape[1], dtype) if bias is None else bias
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: evaluation needs running statistics")
        running_mean, running_var, weight, bias = map(
            wide, (running_mean, running_var, weight, bias))
        factor = weight / sqrt(running_var + eps)
        shift = bias - clone(running_mean) * factor  # a clone: training changes it in place
        if relu:
            return ScaleShiftReLU()(x, factor, shift)
        y = wide(x) * _channels(factor, x) + _channels(shift, x)
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
        try:
            kernel.update_running(op.mean, op.var, running_mean, running_var, momentum, n)
        except Exception:
            check_devices("batch_norm: running statistics", op.mean, running_mean, running_var)
            raise
        count_change(running_mean, running_var)
    return y


def _batch_dims(x: Any) -> tuple[int, ...]:
    """All axes of x but that of the channels."""
    return (0, *range(2, x.ndim))


def _channels(v: Values, x: Any) -> Values:
    """A vector (C) in the shape (1, C, 1, ...) that broadcasts over x."""
    return reshape(v, (1, -1) + (1,) * (x.ndim - 2))
