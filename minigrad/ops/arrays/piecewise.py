"""Activations of pieces that meet at kinks: lines, and exponentials below 0.

`inplace` is accepted as in `minigrad.ops.activation`: the result lies in new memory.
"""

import numpy as np

from minigrad.arguments import number
from minigrad.backend import Array
from minigrad.dtypes import has_integers
from minigrad.engine import Values
from minigrad.function import Function
from minigrad.ops.arithmetic import exp
from minigrad.ops.cost import per_element
from minigrad.ops.operands import in_float32
from minigrad.ops.select import clip, masked, where
from minigrad.ops.shape import reshape

SELU = 1.0507009873554804934, 1.6732632423543772848  # scale, alpha: Klambauer et al., NIPS 2017


class ELU(Function):
    """y = s x where x > 0, and s a (e^{c x} - 1) elsewhere."""

    floating = True
    cost = per_element(compare=2, multiply=3, other=1)

    def __init__(self, scale: float, alpha: float, c: float = 1.0) -> None:
        self.scale, self.alpha, self.c = scale, alpha, c

    def forward(self, x: Array) -> Array:
        below = self.scale * self.alpha * np.expm1(self.c * np.minimum(x, 0))
        return np.where(x > 0, self.scale * x, below)

    def backward(self, gy: Values, x: Values) -> Values:
        below = self.alpha * self.c * exp(self.c * clip(x, max=0))
        return gy * (where(x <= 0, below, 1.0) * self.scale)  # where x is NaN, gy passes


class Hardtanh(Function):
    """y = min(max(x, low), high), y' = 0 at both limits, where `clip` has 1."""

    cost = per_element(compare=2)

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array) -> Array:
        return np.minimum(np.maximum(x, self.low), self.high)

    def backward(self, gy: Values, x: Values) -> Values:
        return masked(gy, (x > self.low) & (x < self.high))


class ReLU6(Hardtanh):
    """Hardtanh from 0 to 6: numbers that 16 bits hold, so that y determines the slope."""

    cost = per_element(compare=2)

    def backward(self, gy: Values, y: Values) -> Values:  # type: ignore[override]  # what is saved
        return masked(gy, ~((y <= 0) | (y >= 6)))  # where y is NaN, gy passes


class Hardswish(Function):
    """y = x min(max(x + 3, 0), 6) / 6. It keeps x alone."""

    floating = True
    cost = per_element(compare=2, multiply=1, add=1, other=1)

    def forward(self, x: Array) -> Array:
        return x * np.minimum(np.maximum(x + 3, 0), 6) / 6

    def backward(self, gy: Values, x: Values) -> Values:
        return where(x <= -3, 0, where(x < 3, gy * (x / 3 + 0.5), gy))


@in_float32()
def prelu(x: Values, weight: Values) -> Values:
    """x for x > 0, weight x otherwise.  x (N, C, ...), weight (C), or (1) for all channels.

    Raises RuntimeError for a weight that does not fit.
    """
    channels = x.shape[1] if x.ndim > 1 else 1
    if tuple(weight.shape) not in ((), (1,), (channels,)):
        raise RuntimeError(f"prelu: weight of shape {weight.shape} for {channels} channels of x "
                           f"{x.shape}")
    weight = reshape(weight, (-1, *[1] * (x.ndim - 2)) if x.ndim else ())
    return where(x > 0, x, weight * where(x > 0, 0.0, x))


def elu(x: Values, alpha: float = 1.0, inplace: bool = False) -> Values:
    """x for x > 0, alpha (e^x - 1) otherwise."""
    return ELU(1.0, number(alpha))(x)


def celu(x: Values, alpha: float = 1.0, inplace: bool = False) -> Values:
    """x for x > 0, alpha (e^{x / alpha} - 1) otherwise. Raises ZeroDivisionError for alpha 0."""
    return ELU(1.0, number(alpha), 1 / number(alpha))(x)


def selu(x: Values, inplace: bool = False) -> Values:
    """scale x for x > 0, scale alpha (e^x - 1) otherwise: scale 1.0507, alpha 1.6733."""
    return ELU(*SELU)(x)


def hardtanh(x: Values, min_val: float = -1.0, max_val: float = 1.0,
             inplace: bool = False) -> Values:
    """x limited to [min_val, max_val], with slope 0 at the limits.

    Raises ValueError if min_val is the larger one.
    """
    low, high = number(min_val), number(max_val)
    if has_integers(x):
        low, high = int(low), int(high)
    if low > high:
        raise ValueError(f"hardtanh: min_val {min_val} is larger than max_val {max_val}")
    return Hardtanh(low, high)(x)


def relu6(x: Values, inplace: bool = False) -> Values:
    """min(max(x, 0), 6)."""
    return ReLU6(0, 6)(x)


@in_float32()
def hardsigmoid(x: Values, inplace: bool = False) -> Values:
    """min(max(x + 3, 0), 6) / 6."""
    return Hardtanh(0, 6)(x + 3) / 6


def hardswish(x: Values, inplace: bool = False) -> Values:
    """x hardsigmoid(x)."""
    return Hardswish()(x)


def softshrink(x: Values, lambd: float = 0.5) -> Values:
    """x - lambd above lambd, x + lambd below -lambd, 0 between. Raises RuntimeError for lambd < 0.
    """
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must be >= 0, got {lambd}")
    return where(x < -lambd, x + lambd, where(x <= lambd, 0, x - lambd))


def hardshrink(x: Values, lambd: float = 0.5) -> Values:
    """x where |x| > lambd, 0 elsewhere."""
    return where((x >= -lambd) & (x <= lambd), 0, x)


def threshold(x: Values, threshold: float, value: float, inplace: bool = False) -> Values:
    """x where x > threshold, value elsewhere."""
    return where(x <= threshold, value, x)
