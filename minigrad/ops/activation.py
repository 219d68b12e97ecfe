"""Activations. Each keeps only its output for backward, because the output determines the slope."""

import numpy as np

from minigrad.arguments import number
from minigrad.backend import Array
from minigrad.engine import Tensor, Values
from minigrad.function import Function
from minigrad.kernels.elementwise import cpu as kernel
from minigrad.kernels.loss import cpu as loss
from minigrad.kernels.reduce import cpu as reduce
from minigrad.ops.arithmetic import exp, expm1
from minigrad.ops.cost import Count, elements, per_element
from minigrad.ops.operands import for_loss
from minigrad.ops.reduce import sum
from minigrad.ops.select import masked, where
from minigrad.ops.shape import _axis


class Sigmoid(Function):
    """y = 1 / (1 + e^-x) with all its digits; 0 where e^-x is infinite, as in torch.

    Backward needs y alone: where x <= 0 the gradient has all digits too, above those of 1 - y.
    """

    floating = half_on_gpu = True
    cost = per_element(add=1, other=3)

    def forward(self, x: Array) -> Array:
        return kernel.sigmoid(x)

    def backward(self, gy: Values, y: Values) -> Values:
        return kernel.sigmoid_gradient(gy, y)


class Tanh(Function):
    """y = tanh x."""

    floating = True
    cost = per_element(other=1)

    def forward(self, x: Array) -> Array:
        return np.tanh(x)

    def backward(self, gy: Values, y: Values) -> Values:
        return kernel.tanh_gradient(gy, y)


class ReLU(Function):
    """y = max(x, 0), y'(0) = 0."""

    half_on_gpu = True
    cost = per_element(compare=1)

    def forward(self, x: Array) -> Array:
        return kernel.relu(x)

    def backward(self, gy: Values, y: Values) -> Values:
        if isinstance(gy, Tensor):
            return masked(gy, ~(y <= 0))  # where y is NaN, gy passes
        return kernel.relu_gradient(gy, y)


class LeakyReLU(Function):
    """y = x if x > 0 else slope x. With slope >= 0, y has the sign of x."""

    floating = True
    cost = per_element(compare=1, multiply=1)

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, self.slope * x)

    def backward(self, gy: Values, y: Values) -> Values:
        return where(y > 0, gy, self.slope * gy)


class Softplus(Function):
    """y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), y' = 1 - e^-y."""

    floating = True
    cost = per_element(compare=1, add=1, other=4)

    def forward(self, x: Array) -> Array:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def backward(self, gy: Values, y: Values) -> Values:
        return -gy * expm1(-y)


class AlongAxis(Function):
    """Shared by the two below: the axis, and floating-point results."""

    floating = True

    def __init__(self, dim: int) -> None:
        self.dim = dim


class Softmax(AlongAxis):
    """y_i = e^{x_i} / sum_j e^{x_j} along one axis."""

    def forward(self, x: Array) -> Array:
        e = np.exp(x - reduce.finite_max(x, self.dim))
        return e / reduce.sum(e, self.dim, keepdims=True)

    def backward(self, gy: Values, y: Values) -> Values:
        return y * (gy - sum(gy * y, self.dim, keepdim=True))

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """Per row: largest of n, n differences, n exponentials, their sum, n divisions."""
        n = elements(y)
        rows = n // y.shape[self.dim]
        return Count(compare=n - rows, add=2 * n - rows, other=2 * n)


class LogSoftmax(AlongAxis):
    """y_i = x_i - ln sum_j e^{x_j} along one axis."""

    def forward(self, x: Array) -> Array:
        return loss.log_softmax(x, self.dim)

    def backward(self, gy: Values, y: Values) -> Values:
        return gy - exp(y) * sum(gy, self.dim, keepdim=True)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """Per row: as Softmax, but the sum's log and n differences in place of n divisions."""
        n = elements(y)
        rows = n // y.shape[self.dim]
        return Count(compare=n - rows, add=3 * n - rows, other=n + rows)


def sigmoid(x: Values) -> Values:
    """Logistic function 1 / (1 + e^-x)."""
    return Sigmoid()(x)


def tanh(x: Values) -> Values:
    """Hyperbolic tangent."""
    return Tanh()(x)


def relu(x: Values) -> Values:
    """max(x, 0)."""
    return ReLU()(x)


def leaky_relu(x: Values, negative_slope: float = 0.01) -> Values:
    """x for x > 0, negative_slope x otherwise. Raises ValueError for a slope below 0, which the
    output could not tell from a positive input."""
    if not negative_slope >= 0:
        raise ValueError(f"leaky_relu: negative_slope must be >= 0, got {negative_slope}")
    return LeakyReLU(number(negative_slope))(x)


def softplus(x: Values) -> Values:
    """ln(1 + e^x), without overflow."""
    return Softplus()(x)


def softmax(x: Values, dim: int) -> Values:
    """e^x normalised to sum 1 along `dim`."""
    return Softmax(_axis("softmax", dim, x.ndim or 1))(for_loss(x))


def log_softmax(x: Values, dim: int) -> Values:
    """ln softmax(x), without underflow."""
    return LogSoftmax(_axis("log_softmax", dim, x.ndim or 1))(for_loss(x))
