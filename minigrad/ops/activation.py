"""Activations: functions of single elements, and softmax along an axis.

Where the output determines the slope, an op keeps its output alone for backward, else its input.
What loses neither memory nor digits by it is composed of other ops. `inplace` is accepted because
PyTorch's programs say it to save memory: the result is the same, in new memory, and x stays as it
is.
"""

import math
from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.backend import Array
from minigrad.engine import Tensor, Values
from minigrad.function import Function
from minigrad.kernels.elementwise import cpu as kernel
from minigrad.kernels.loss import cpu as loss
from minigrad.kernels.reduce import cpu as reduce
from minigrad.ops.arithmetic import abs, exp, expm1
from minigrad.ops.arrays.elements import erf
from minigrad.ops.cost import Count, elements, per_element
from minigrad.ops.operands import for_loss, in_float32
from minigrad.ops.reduce import sum
from minigrad.ops.select import masked, where
from minigrad.ops.shape import _axis, cast, getitem

SQRT_2, SQRT_2_PI = math.sqrt(2), math.sqrt(2 / math.pi)


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
            return masked(gy, kernel.passes_relu(y))  # where y is NaN, gy passes
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


class SiLU(Function):
    """y = x s with s = sigmoid(x), y' = s (1 + x (1 - s)). It keeps x alone."""

    floating = True
    cost = per_element(multiply=1, add=1, other=3)

    def forward(self, x: Array) -> Array:
        return x * kernel.sigmoid(x)

    def backward(self, gy: Values, x: Values) -> Values:
        s = sigmoid(x)
        return gy * (s * (1 + x * (1 - s)))


class GELU(Function):
    """y = x P with the normal distribution P(x) = (1 + erf(x / sqrt 2)) / 2. It keeps x alone.

    `approximate`: P(x) = (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3).
    """

    floating = half_on_gpu = True

    def __init__(self, approximate: bool) -> None:
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        return kernel.gelu(x, self.approximate)

    def backward(self, gy: Values, x: Values) -> Values:
        if not isinstance(gy, Tensor):
            return kernel.gelu_gradient(gy, x, self.approximate)
        if self.approximate:
            t = tanh(SQRT_2_PI * (x + 0.044715 * x * x * x))
            slope = 0.5 * (1 - t * t) * SQRT_2_PI * (1 + 0.134145 * x * x)
        else:
            t, slope = erf(x / SQRT_2), exp(-0.5 * x * x) * (0.5 * SQRT_2_PI)
        return gy * (0.5 * (1 + t) + x * slope)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """Of the exact form 3 products, a sum and erf; of the other 4 more products, a sum more."""
        n = elements(y)
        return Count(multiply=n * (6 if self.approximate else 3),
                     add=n * (2 if self.approximate else 1), other=n)


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


def relu(x: Values, inplace: bool = False) -> Values:
    """max(x, 0)."""
    return ReLU()(x)


def leaky_relu(x: Values, negative_slope: float = 0.01, inplace: bool = False) -> Values:
    """x for x > 0, negative_slope x otherwise."""
    slope = number(negative_slope)
    if slope >= 0:
        return LeakyReLU(slope)(x)
    return where(x > 0, x, slope * x)  # y does not tell which x it is of


def silu(x: Values, inplace: bool = False) -> Values:
    """x sigmoid(x)."""
    return SiLU()(x)


def gelu(x: Values, approximate: str = "none") -> Values:
    """x P(X <= x) for a normally distributed X; approximate="tanh": the normal distribution
    taken for (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Raises RuntimeError for another `approximate`. Hendrycks and Gimpel, arXiv 1606.08415.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return GELU(approximate == "tanh")(x)


@in_float32()
def mish(x: Values, inplace: bool = False) -> Values:
    """x tanh(softplus(x)) (Misra, BMVC 2020)."""
    return x * tanh(Softplus()(x))


def logsigmoid(x: Values) -> Values:
    """ln sigmoid(x), without underflow."""
    return -Softplus()(-x)


@in_float32()
def softsign(x: Values) -> Values:
    """x / (1 + |x|)."""
    return x / (1 + abs(x))


@in_float32()
def tanhshrink(x: Values) -> Values:
    """x - tanh(x)."""
    return x - tanh(x)


@in_float32()
def glu(x: Values, dim: int = -1) -> Values:
    """a sigmoid(b) for the first half a of x along `dim` and the second half b.

    Raises RuntimeError for a `dim` of odd size.
    """
    axis = _axis("glu", dim, x.ndim)
    n, rest = divmod(x.shape[axis] if x.ndim else 1, 2)
    if rest:
        raise RuntimeError(f"glu: dim {dim} of shape {x.shape} has no two halves")
    lead: tuple[slice, ...] = (slice(None),) * axis
    return getitem(x, (*lead, slice(n))) * sigmoid(getitem(x, (*lead, slice(n, None))))


@in_float32()
def softplus(x: Values, beta: float = 1.0, threshold: float = 20.0) -> Values:
    """ln(1 + e^{beta x}) / beta, without overflow; x where beta x > threshold.

    A threshold of 20 or more is not looked at: the two differ by less than 2e-9 / beta there.
    """
    beta, threshold = number(beta), number(threshold)
    y = Softplus()(x) if beta == 1 else Softplus()(beta * x) / beta
    return y if threshold >= 20 else where(beta * x > threshold, x, y)


def softmax(x: Values, dim: int | None = None, dtype: Any = None) -> Values:
    """e^x normalised to sum 1 along `dim`. With `dtype`, x is cast to that first.

    Without `dim` it is, as in torch, 0 if x has 0, 1 or 3 axes, else 1; better name it.
    """
    return Softmax(_softmax_axis("softmax", dim, x))(_softmax_operand(x, dtype))


def log_softmax(x: Values, dim: int | None = None, dtype: Any = None) -> Values:
    """ln softmax(x), without underflow; arguments as in `softmax`."""
    return LogSoftmax(_softmax_axis("log_softmax", dim, x))(_softmax_operand(x, dtype))


def softmin(x: Values, dim: int | None = None, dtype: Any = None) -> Values:
    """softmax(-x); arguments as in `softmax`."""
    return softmax(-x, dim, dtype)


def _softmax_axis(name: str, dim: int | None, x: Any) -> int:
    return _axis(name, (0 if x.ndim in (0, 1, 3) else 1) if dim is None else dim, x.ndim)


def _softmax_operand(x: Values, dtype: Any) -> Values:
    return for_loss(x) if dtype is None else cast(x, dtype)
