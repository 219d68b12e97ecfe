"""Normalisation: over the batch (Ioffe and Szegedy, ICML 2015, algorithm 1), over each sample, over
groups of its channels, over neighbouring channels, and by a norm.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.arguments import is_integer, number
from minigrad.backend import Array, array_module, check_devices
from minigrad.changes import count_change
from minigrad.dtypes import is_half
from minigrad.engine import Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.elementwise.cpu import passes_relu
from minigrad.kernels.layer_norm import cpu as by_rows
from minigrad.kernels.norm import cpu as kernel
from minigrad.ops.arithmetic import pow, sqrt
from minigrad.ops.cost import Count, elements, per_element
from minigrad.ops.operands import check_same_dtype, for_loss, in_float32, wide
from minigrad.ops.pad import pad
from minigrad.ops.pool import avg_pool2d
from minigrad.ops.reduce import mean, norm, sum
from minigrad.ops.select import clip, masked
from minigrad.ops.shape import cast, clone, reshape


class BatchNorm(Function):
    """y = w (x - m) / sqrt(v + eps) + b with mean m and biased variance v of each channel.

    x (N, C, ...), w (C), b (C) -> y (N, C, ...)

    It is one op because a composition of ops would keep three arrays of the size of x, and this
    keeps only x.
    """

    relu = 0
    half_on_gpu = True

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        self.mean, self.var, self.scale = kernel.statistics(x, self.eps)
        return kernel.normalise(x, self.mean, self.scale * w, b, self.relu)

    def backward(self, gy: Values, x: Values, w: Values) -> tuple[Values, ...]:
        if not isinstance(x, Tensor):
            return kernel.gradient(gy, x, self.mean, self.scale, w)
        dims = _batch_dims(x)
        return _recorded_gradients(gy, x, _channels(w, x), self.eps, dims, dims)

    def cost(self, y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Count:
        """Per number x - m, its square, times f, plus b; per channel m, v, f = w / sqrt(v + eps)"""
        n, channels = elements(y), y.shape[1]
        sums = 2 * (n - channels)  # for m and v, which one division each makes means
        return Count(multiply=2 * n + channels, add=sums + 2 * n + channels, other=4 * channels)


class BatchNormReLU(BatchNorm):
    """y = the ReLU of what BatchNorm gives, or with relu=6 the ReLU6.

    Fused: two ops would go through memory once more, forward and backward. The bits are the same.
    """

    def __init__(self, eps: float, relu: int = 1) -> None:
        super().__init__(eps)
        self.relu = relu

    def backward(  # type: ignore[override]  # the parameters say what is saved
            self, gy: Values, x: Values, w: Values, y: Values) -> tuple[Values, ...]:
        if not isinstance(x, Tensor):
            return kernel.gradient(gy, x, self.mean, self.scale, w, y, self.relu)
        return super().backward(masked(gy, passes_relu(y, self.relu)), x, w)

    def cost(self, y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Count:
        return super().cost(y, x, w, b)._replace(compare=elements(y) * (1 + (self.relu > 1)))


class ScaleShiftReLU(Function):
    """y = ReLU(x f + s), or ReLU6 with relu=6: batch normalisation by running statistics, and that.

    x (N, C, ...), f (C), s (C) -> y (N, C, ...)
    """

    half_on_gpu = True
    cost = per_element(multiply=1, add=1, compare=1)

    def __init__(self, relu: int = 1) -> None:
        self.relu = relu

    def forward(self, x: Array, f: Array, s: Array) -> Array:
        return kernel.normalise(x, array_module(f).zeros_like(f), f, s, self.relu)

    def backward(self, gy: Values, x: Values, f: Values, y: Values) -> tuple[Values, ...]:
        if not isinstance(gy, Tensor):
            return kernel.fixed_gradient(gy, x, f, y, self.relu)
        g, dims = masked(gy, passes_relu(y, self.relu)), _batch_dims(x)
        return g * _channels(f, x), sum(g * x, dims), sum(g, dims)


class LayerNorm(Function):
    """y = w (x - m) / sqrt(v + eps) + b with mean m and biased variance v of each row.

    x (R, n), w (n), b (n) -> y (R, n)

    One op because it keeps x alone, as `BatchNorm` does.
    """

    half_on_gpu = True

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        y, self.mean, self.scale = by_rows.normalise(x, w, b, self.eps)
        return y

    def backward(self, gy: Values, x: Values, w: Values) -> tuple[Values, ...]:
        if not isinstance(x, Tensor):
            return by_rows.gradient(gy, x, self.mean, self.scale, w)
        return _recorded_gradients(gy, x, w, self.eps, 1, 0)

    def cost(self, y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Count:
        """As `BatchNorm`: per number x - m, its square, two products, plus b; per row m, v, s."""
        n, rows = elements(y), y.shape[0]
        return Count(multiply=3 * n, add=2 * (n - rows) + 2 * n + rows, other=4 * rows)


def batch_norm(x: Values, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
               training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
               relu: int = 0) -> Values:
    """y = weight (x - mean) / sqrt(var + eps) + bias, channel by channel.

    x (N, C, ...); weight and bias (C), or None for 1 and 0; running_mean and running_var (C), plain
    arrays, or None -> y of the shape of x

    In training, mean and var are those of the batch, and the running statistics move towards them
    in place: run = (1 - momentum) run + momentum new, with the unbiased variance. In evaluation,
    mean and var are the running statistics. `relu`: y is the ReLU of that,
    or with 6 the ReLU6, computed in one op. With
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
        factor, shift = factor_and_shift(running_mean, running_var, weight, bias, eps)
        if relu:
            return ScaleShiftReLU(relu)(x, factor, shift)
        y = wide(x) * _channels(factor, x) + _channels(shift, x)
        return cast(y, x.dtype) if is_half(x) else y
    n = math.prod(x.shape) // x.shape[1]
    if n < 2:
        raise ValueError("batch_norm: expected more than 1 value per channel when training, "
                         f"got input size {tuple(x.shape)}")
    if is_half(x) and is_half(weight):
        raise TypeError(f"batch_norm: {x.dtype} statistics would stand still in training; keep "
                        "weight, bias and running statistics float32")
    op = BatchNormReLU(eps, relu) if relu else BatchNorm(eps)
    y = op(x, weight, bias)
    if running_mean is not None:
        try:
            kernel.update_running(op.mean, op.var, running_mean, running_var, momentum, n)
        except Exception:
            check_devices("batch_norm: running statistics", op.mean, running_mean, running_var)
            raise
        count_change(running_mean, running_var)
    return y


def factor_and_shift(running_mean: Any, running_var: Any, weight: Any, bias: Any,
                     eps: float) -> tuple[Values, Values]:
    """f and s, both (C), of batch normalisation in evaluation, which is x f + s."""
    running_mean, running_var, weight, bias = map(wide, (running_mean, running_var, weight, bias))
    factor = weight / sqrt(running_var + eps)
    # a clone: training changes the running mean in place
    return factor, bias - clone(running_mean) * factor


def layer_norm(x: Values, normalized_shape: Sequence[int], weight: Values | None = None,
               bias: Values | None = None, eps: float = 1e-5) -> Values:
    """y = weight (x - mean) / sqrt(var + eps) + bias, with the statistics of each sample alone.

    x (..., *normalized_shape); weight and bias of normalized_shape, or None for 1 and 0 -> y of the
    shape of x. Mean and biased variance are taken over the last axes, those of normalized_shape.

    Raises RuntimeError for shapes that do not fit. Ba, Kiros and Hinton, arXiv 1607.06450.
    """
    shape = _last_shape("layer_norm", x, normalized_shape, weight, bias)
    n, lead = math.prod(shape), x.shape[:x.ndim - len(shape)]
    rows = reshape(x, (math.prod(lead), n))
    return reshape(_by_rows(rows, number(eps), weight, bias), x.shape)


@in_float32()
def group_norm(x: Values, num_groups: int, weight: Values | None = None,
               bias: Values | None = None, eps: float = 1e-5) -> Values:
    """y = weight (x - mean) / sqrt(var + eps) + bias, with the statistics of a sample's channels.

    x (N, C, ...), weight and bias (C), or None for 1 and 0 -> y of the shape of x. Mean and biased
    variance are those of each of num_groups groups of neighbouring channels.

    Raises RuntimeError for shapes that do not fit. Wu and He, ECCV 2018.
    """
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise RuntimeError(f"group_norm: {num_groups} groups do not divide the channels of "
                           f"{x.shape}: needs (N, C, ...)")
    for name, v in ("weight", weight), ("bias", bias):
        if v is not None and tuple(v.shape) != (x.shape[1],):
            raise RuntimeError(f"group_norm: {name} of shape {v.shape} for {x.shape[1]} channels")
    rows = x.shape[0] * num_groups
    y = reshape(x, (rows, math.prod(x.shape) // max(rows, 1)))
    y = reshape(_by_rows(y, number(eps)), x.shape)
    y = y if weight is None else y * _channels(weight, x)
    return y if bias is None else y + _channels(bias, x)


def instance_norm(x: Values, running_mean: Any = None, running_var: Any = None,
                  weight: Values | None = None, bias: Values | None = None,
                  use_input_stats: bool = True, momentum: float = 0.1,
                  eps: float = 1e-5) -> Values:
    """`batch_norm` of each sample by itself.  x (N, C, ...) -> y of the same shape.

    With use_input_stats, mean and var are those of each channel of each sample, and their means
    over the samples move the running statistics, if there are any; else they are the running ones.
    Raises ValueError for a single value per channel. Ulyanov et al., arXiv 1607.08022.
    """
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    n = math.prod(x.shape[2:])
    if n < 2:
        raise ValueError("instance_norm: expected more than 1 spatial element when training, got "
                         f"input size {tuple(x.shape)}")
    if running_mean is not None:
        array = wide(data_of(x)).reshape(*x.shape[:2], n)
        kernel.update_running(array.mean(2).mean(0), array.var(2).mean(0), running_mean,
                              running_var, momentum, n)
        count_change(running_mean, running_var)
    return group_norm(x, x.shape[1], weight, bias, eps)


@in_float32()
def rms_norm(x: Values, normalized_shape: Sequence[int], weight: Values | None = None,
             eps: float | None = None) -> Values:
    """y = weight x / sqrt(mean x^2 + eps), with the mean over the last axes, of normalized_shape.

    eps: by default numpy.finfo's of the dtype of x, or of float32 if that has 16 bits. Raises
    RuntimeError for shapes that do not fit. Zhang and Sennrich, NeurIPS 2019.
    """
    shape = _last_shape("rms_norm", x, normalized_shape, weight)
    eps = float(np.finfo(x.dtype).eps) if eps is None else number(eps)
    squares = mean(x * x, tuple(range(x.ndim - len(shape), x.ndim)), keepdim=True)
    y = x / sqrt(squares + eps)
    return y if weight is None else y * weight


@in_float32()
def local_response_norm(x: Values, size: int, alpha: float = 1e-4, beta: float = 0.75,
                        k: float = 1.0) -> Values:
    """y = x / (k + alpha mean x^2)^beta with the mean over `size` neighbouring channels.

    x (N, C, ...) -> y of the same shape; channels that are not there count as zeros. Raises
    ValueError for less than 3 axes. Krizhevsky et al., NIPS 2012, section 3.3.
    """
    if x.ndim < 3:
        raise ValueError(f"local_response_norm: needs (N, C, ...) with 3 axes or more, got "
                         f"{x.shape}")
    n, c = x.shape[:2]
    squares = reshape(x * x, (n, 1, c, math.prod(x.shape[2:])))
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    return x / pow(reshape(avg_pool2d(squares, (size, 1), 1), x.shape) * alpha + k, beta)


@in_float32()
def normalize(x: Values, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Values:
    """x divided by its norm of order p along `dim`, or by eps where that is larger."""
    return x / clip(norm(x, p, dim, True), min=eps)


def _recorded_gradients(gy: Any, x: Any, w: Any, eps: float, of: Any, to: Any) -> tuple:
    """The gradients of x, w and b, recorded: mean and variance, over the axes `of`, depend on x.

    w broadcasts over x; its gradient and that of b are sums over the axes `to`.
    """
    d = x - mean(x, of, keepdim=True)
    scale = 1 / sqrt(mean(d * d, of, keepdim=True) + eps)
    d, g = d * scale, gy * w
    gx = scale * (g - mean(g, of, keepdim=True) - d * mean(g * d, of, keepdim=True))
    return gx, sum(gy * d, to), sum(gy, to)


def _by_rows(rows: Values, eps: float, weight: Values | None = None,
             bias: Values | None = None) -> Values:
    """LayerNorm of a matrix, with 1 and 0 where there is no weight or no bias."""
    xp, n, rows = array_module(data_of(rows)), rows.shape[1], for_loss(rows)
    dtype = np.float32 if is_half(rows) else rows.dtype
    w = xp.ones(n, dtype) if weight is None else reshape(wide(weight), (n,))
    b = xp.zeros(n, dtype) if bias is None else reshape(wide(bias), (n,))
    check_same_dtype("layer_norm", wide(rows), w, b)
    return LayerNorm(eps)(rows, w, b)


def _last_shape(name: str, x: Any, shape: Any, *parameters: Any) -> tuple[int, ...]:
    """`shape` as a tuple. Raises RuntimeError unless x ends on it, and parameters have it."""
    shape = (shape,) if is_integer(shape) else tuple(shape)
    for given in (tuple(x.shape[max(x.ndim - len(shape), 0):]),
                  *(tuple(v.shape) for v in parameters if v is not None)):
        if not shape or given != shape:
            raise RuntimeError(f"{name}: normalized_shape {shape} does not fit an input of shape "
                               f"{tuple(x.shape)}, or a weight or bias of shape {given}")
    return shape


def _batch_dims(x: Any) -> tuple[int, ...]:
    """All axes of x but that of the channels."""
    return (0, *range(2, x.ndim))


def _channels(v: Values, x: Any) -> Values:
    """A vector (C) in the shape (1, C, 1, ...) that broadcasts over x."""
    return reshape(v, (1, -1) + (1,) * (x.ndim - 2))
