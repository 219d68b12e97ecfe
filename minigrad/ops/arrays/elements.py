"""Functions of single elements beyond those in `ops.arithmetic` and `ops.compare`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import Array
from minigrad.dtypes import has_integers, result_type
from minigrad.engine import Operand, Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.elementwise import cpu as kernel
from minigrad.ops.arithmetic import (RoundedDiv, Smooth, SmoothByOutput, _check_divisor, abs, div,
                                     exp, mul, pow, sqrt)
from minigrad.ops.compare import isnan
from minigrad.ops.cost import per_element
from minigrad.ops.operands import binary, in_float32
from minigrad.ops.select import clip, where
from minigrad.ops.shape import cast, clone


class Remainder(Function):
    """y = a - b floor(a / b), which has the sign of b; fmod rounds towards 0: the sign of a."""

    bools = False
    cost = per_element(other=1)

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def forward(self, a: Array, b: Array) -> Array:
        _check_divisor(self.name, a, b)
        return np.remainder(a, b) if self.mode == "floor" else np.fmod(a, b)

    def grad_a(self, gy: Values) -> Values:
        return gy

    def grad_b(self, gy: Values, a: Values, b: Values) -> Values:
        return -gy * RoundedDiv(self.mode)(a, b)


class Atan2(Function):
    """y = the angle of the point (b, a), from -pi to pi."""

    floating = True
    cost = per_element(other=1)

    def forward(self, a: Array, b: Array) -> Array:
        return np.arctan2(a, b)

    def backward(self, gy: Values, a: Values, b: Values) -> tuple[Values, Values]:
        square = a * a + b * b
        g = gy / where(data_of(square) == 0, 1, square)
        return g * b, -g * a


class Step(Function):
    """y = f(x) for a function f that rounds; y' = 0."""

    cost = per_element(other=1)

    def __init__(self, f: Callable, **options: Any) -> None:
        self.f, self.name, self.options = f, f.__name__, options

    def forward(self, x: Array) -> Array:
        return x.copy() if has_integers(x) else self.f(x, **self.options)

    def backward(self, gy: Values) -> Values:
        return where(np.False_, gy, 0)


def erf(x: Values) -> Values:
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x: the error function."""
    return Smooth(kernel.erf, lambda gy, x: gy * (2 / math.sqrt(math.pi) * exp(-x * x)))(x)


def floor(x: Values) -> Values:
    """The largest whole number that is not above x; its derivative is 0."""
    return Step(np.floor)(x)


def ceil(x: Values) -> Values:
    """The smallest whole number that is not below x; its derivative is 0."""
    return Step(np.ceil)(x)


def trunc(x: Values) -> Values:
    """x without what is behind the decimal point; its derivative is 0."""
    return Step(np.trunc)(x)


def frac(x: Values) -> Values:
    """x - trunc(x), which has the sign of x."""
    return x - trunc(x)


def round(x: Values, *, decimals: int = 0) -> Values:
    """x rounded to so many decimals, halves to the even digit; its derivative is 0.

    Raises RuntimeError for decimals of integers.
    """
    demand(not decimals or not has_integers(x), f"round: {x.dtype} has no decimals")
    return Step(np.around, decimals=decimals)(x)


def tan(x: Values) -> Values:
    """Tangent, x in radians."""
    return Smooth(np.tan, lambda gy, x: gy * (1 + tan(x)**2))(x)


def asin(x: Values) -> Values:
    """The angle in radians, from -pi/2 to pi/2, whose sine is x; nan outside [-1, 1]."""
    return Smooth(np.arcsin, lambda gy, x: gy / sqrt(1 - x * x))(x)


def acos(x: Values) -> Values:
    """The angle in radians, from 0 to pi, whose cosine is x; nan outside [-1, 1]."""
    return Smooth(np.arccos, lambda gy, x: -gy / sqrt(1 - x * x))(x)


def atan(x: Values) -> Values:
    """The angle in radians, from -pi/2 to pi/2, whose tangent is x."""
    return Smooth(np.arctan, lambda gy, x: gy / (1 + x * x))(x)


def atan2(a: Operand[Values], b: Operand[Values]) -> Values:
    """The angle of the point (b, a) in radians, from -pi to pi."""
    return binary(Atan2(), a, b)


def sinh(x: Values) -> Values:
    """Hyperbolic sine, (e^x - e^-x) / 2."""
    return Smooth(np.sinh, lambda gy, x: gy * cosh(x))(x)


def cosh(x: Values) -> Values:
    """Hyperbolic cosine, (e^x + e^-x) / 2."""
    return Smooth(np.cosh, lambda gy, x: gy * sinh(x))(x)


def asinh(x: Values) -> Values:
    """The number whose hyperbolic sine is x."""
    return Smooth(np.arcsinh, lambda gy, x: gy / sqrt(x * x + 1))(x)


def acosh(x: Values) -> Values:
    """The number >= 0 whose hyperbolic cosine is x; nan for x < 1."""
    return Smooth(np.arccosh, lambda gy, x: gy / sqrt(x * x - 1))(x)


def atanh(x: Values) -> Values:
    """The number whose hyperbolic tangent is x; nan outside [-1, 1]."""
    return Smooth(np.arctanh, lambda gy, x: gy / (1 - x * x))(x)


def log2(x: Values) -> Values:
    """Logarithm to base 2."""
    return Smooth(np.log2, lambda gy, x: gy / (x * math.log(2)))(x)


def log10(x: Values) -> Values:
    """Logarithm to base 10."""
    return Smooth(np.log10, lambda gy, x: gy / (x * math.log(10)))(x)


def exp2(x: Values) -> Values:
    """2^x."""
    return SmoothByOutput(np.exp2, lambda gy, y: gy * (math.log(2) * y))(x)


def floor_divide(a: Operand[Values], b: Operand[Values]) -> Values:
    """a // b, the quotient rounded down; outside the graph. Raises as div with a rounding_mode."""
    y = binary(RoundedDiv("floor"), a, b)
    return y.detach() if isinstance(y, Tensor) else y


def remainder(a: Operand[Values], b: Operand[Values]) -> Values:
    """a % b = a - b floor(a / b), which has the sign of b.

    Raises RuntimeError for integers and a divisor that is 0.
    """
    return binary(Remainder("floor"), a, b)


def fmod(a: Operand[Values], b: Operand[Values]) -> Values:
    """a - b trunc(a / b), which has the sign of a. Raises as `remainder`."""
    return binary(Remainder("trunc"), a, b)


def reciprocal(x: Values) -> Values:
    """1 / x."""
    return div(1, x)


@in_float32()
def rsqrt(x: Values) -> Values:
    """1 / sqrt(x)."""
    return 1 / sqrt(x)


def square(x: Values) -> Values:
    """x^2."""
    return pow(x, 2)


def clamp_min(x: Values, min: Operand[Values]) -> Values:
    """The larger of x and min. See `clip`."""
    return clip(x, min=min)


def clamp_max(x: Values, max: Operand[Values]) -> Values:
    """The smaller of x and max. See `clip`."""
    return clip(x, max=max)


@in_float32()
def lerp(start: Values, end: Values, weight: Any) -> Values:
    """start + weight (end - start), which is exact at both ends: for weight 0 and 1."""
    d = end - start
    return where(data_of(abs(weight)) < 0.5, start + weight * d, end - d * (1 - weight))


@in_float32()
def addcmul(x: Values, a: Values, b: Values, *, value: float = 1) -> Values:
    """x + value a b, element by element."""
    return x + mul(value, cast(a, result_type(x, a, b))) * b


@in_float32()
def addcdiv(x: Values, a: Values, b: Values, *, value: float = 1) -> Values:
    """x + value a / b, element by element. Raises RuntimeError if a and b are integers."""
    demand(not (has_integers(a) and has_integers(b)), "addcdiv: not for a and b of integers")
    return x + mul(value, cast(a, result_type(x, a, b))) / b


def nan_to_num(x: Values, nan: float = 0.0, posinf: float | None = None,
               neginf: float | None = None) -> Values:
    """x with `nan` in place of NaN, and with posinf and neginf in place of the infinities.

    These two are the largest and the smallest finite number of the dtype unless given.
    """
    if has_integers(x):
        return clone(x)
    limit = float(np.finfo(x.dtype).max) if x.dtype.char != "E" else 255 * 2.0**120  # bfloat16
    y = where(isnan(x), nan, x)
    y = where(data_of(x) == math.inf, limit if posinf is None else posinf, y)
    return where(data_of(x) == -math.inf, -limit if neginf is None else neginf, y)
