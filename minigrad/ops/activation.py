"""Activations. Each keeps only its output for backward, because the output determines the slope."""

from __future__ import annotations

import numpy as np

from minigrad.function import Function
from minigrad.kernels import reduce
from minigrad.kernels.cuda import fused
from minigrad.ops.arithmetic import exp, expm1, where
from minigrad.ops.operands import for_loss
from minigrad.ops.reduce import _finite_max, sum


class Sigmoid(Function):
    """y = 1 / (1 + e^-x), computed as (1 + tanh(x/2)) / 2, which cannot overflow.

    The absolute error is an ulp of 1, so y is 0 below x = -17 in float32 and -37 in float64.
    """

    half_on_gpu = True

    @fused("sigmoid")
    def forward(self, x):
        return 0.5 * (1 + np.tanh(0.5 * x))

    @fused("sigmoid_gradient")
    def backward(self, gy, y):
        return gy * (y * (1 - y))


class Tanh(Function):
    """y = tanh x."""

    def forward(self, x):
        return np.tanh(x)

    @fused("tanh_gradient")
    def backward(self, gy, y):
        return gy * (1 - y * y)


class ReLU(Function):
    """y = max(x, 0), y'(0) = 0."""

    half_on_gpu = True

    @fused("relu")
    def forward(self, x):
        return np.maximum(x, 0)

    @fused("relu_gradient")
    def backward(self, gy, y):
        return gy * (y > 0)


class LeakyReLU(Function):
    """y = x if x > 0 else slope x. With slope >= 0, y has the sign of x."""

    def __init__(self, slope):
        self.slope = slope

    def forward(self, x):
        return np.where(x > 0, x, self.slope * x)

    def backward(self, gy, y):
        return where(y > 0, gy, self.slope * gy)


class Softplus(Function):
    """y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), y' = 1 - e^-y."""

    def forward(self, x):
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def backward(self, gy, y):
        return -gy * expm1(-y)


class Softmax(Function):
    """y_i = e^{x_i} / sum_j e^{x_j} along one axis."""

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        e = np.exp(x - _finite_max(x, self.dim))
        return e / reduce.sum(e, self.dim, keepdims=True)

    def backward(self, gy, y):
        return y * (gy - sum(gy * y, self.dim, keepdim=True))


class LogSoftmax(Function):
    """y_i = x_i - ln sum_j e^{x_j} along one axis."""

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        d = x - _finite_max(x, self.dim)
        return d - np.log(reduce.sum(np.exp(d), self.dim, keepdims=True))

    def backward(self, gy, y):
        return gy - exp(y) * sum(gy, self.dim, keepdim=True)


def sigmoid(x):
    """Logistic function 1 / (1 + e^-x)."""
    return Sigmoid()(x)


def tanh(x):
    """Hyperbolic tangent."""
    return Tanh()(x)


def relu(x):
    """max(x, 0)."""
    return ReLU()(x)


def leaky_relu(x, negative_slope=0.01):
    """x for x > 0, negative_slope x otherwise. Raises ValueError for a slope below 0, which the
    output could not tell from a positive input."""
    if not negative_slope >= 0:
        raise ValueError(f"leaky_relu: negative_slope must be >= 0, got {negative_slope}")
    return LeakyReLU(negative_slope)(x)


def softplus(x):
    """ln(1 + e^x), without overflow."""
    return Softplus()(x)


def softmax(x, dim):
    """e^x normalised to sum 1 along `dim`."""
    return Softmax(dim)(for_loss(x))


def log_softmax(x, dim):
    """ln softmax(x), without underflow."""
    return LogSoftmax(dim)(for_loss(x))
