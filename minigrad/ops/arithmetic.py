"""Element-wise arithmetic, with NumPy's broadcasting (see `operands.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.arguments import ArgumentError, demand
from minigrad.backend import Array
from minigrad.dtypes import has_integers, result_type
from minigrad.engine import Operand, Tensor, Values
from minigrad.function import Function
from minigrad.kernels.elementwise.cpu import LARGE, shared
from minigrad.ops.cost import Count, elements, per_element
from minigrad.ops.operands import align, binary, in_float32
from minigrad.ops.select import where
from minigrad.ops.shape import cast


class Add(Function):
    """y = a + b."""

    cost = per_element(add=1)

    def forward(self, a: Array, b: Array) -> Array:
        return shared(np.add, a, b) if getattr(a, "nbytes", 0) >= LARGE else a + b

    def backward(self, gy: Values) -> tuple[Values, Values]:
        return gy, gy


class Sub(Function):
    """y = a - b."""

    bools = False
    cost = per_element(add=1)

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def grad_a(self, gy: Values) -> Values:
        return gy

    def grad_b(self, gy: Values) -> Values:
        return -gy


class Mul(Function):
    """y = a b."""

    cost = per_element(multiply=1)

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def grad_a(self, gy: Values, b: Values) -> Values:
        return gy * b

    def grad_b(self, gy: Values, a: Values) -> Values:
        return gy * a


class Div(Function):
    """y = a / b."""

    floating = True
    cost = per_element(other=1)

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def grad_a(self, gy: Values, b: Values) -> Values:
        return gy / b

    def grad_b(self, gy: Values, a: Values, b: Values) -> Values:
        return -gy * (a / b) / b  # y may have been rounded to 16 bits


class RoundedDiv(Function):
    """y = a / b rounded to a whole number, down ("floor") or towards 0 ("trunc"); y' = 0."""

    bools = False

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def forward(self, a: Array, b: Array) -> Array:
        _check_divisor(self.name, a, b)
        if self.mode == "trunc" and not (has_integers(a) or has_integers(b)):
            return np.trunc(a / b)
        return np.floor_divide(a if self.mode == "floor" else a - np.fmod(a, b), b)

    def backward(self, gy: Values) -> tuple[Values, Values]:
        nothing = where(np.False_, gy, 0)
        return nothing, nothing

    def cost(self, y: Tensor, *inputs: Tensor) -> Count:
        return Count(other=elements(y) * (1 + (self.mode == "trunc")))


class Pow(Function):
    """y = a^b, with dy/da = 0 where b = 0, and dy/db = 0 where a = 0 and b >= 0."""

    cost = per_element(other=1)

    def forward(self, a: Array, b: Array) -> Array:
        if has_integers(a):
            return _integer_power(a, b)
        return a**b

    def grad_a(self, gy: Values, a: Values, b: Values) -> Values:
        if not hasattr(b, "dtype"):  # a Python number
            return gy * (b * a ** (b - 1)) if b else where(np.False_, gy, 0)
        return where(b == 0, 0, gy * b * where(b == 0, 1, a) ** where(b == 0, 0, b - 1))

    def grad_b(self, gy: Values, a: Values, b: Values) -> Values:
        zero = (a == 0) & (b >= 0)
        return where(zero, 0, gy * a**b * log(where(zero, 1, a)))  # y may have been rounded


class Neg(Function):
    """y = -x."""

    cost = per_element(other=1)

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, gy: Values) -> Values:
        return -gy


class Sign(Function):
    """y = -1, 0 or 1, and 0 for NaN, as in torch; y' = 0."""

    cost = per_element(compare=2, add=1)

    def forward(self, x: Array) -> Array:
        positive = x > 0
        return positive if x.dtype == bool else positive.astype(x.dtype) - (x < 0)

    def backward(self, gy: Values) -> Values:
        return where(np.False_, gy, 0)


class Abs(Function):
    """y = |x|, y' = sign x (0 at 0)."""

    cost = per_element(other=1)

    def forward(self, x: Array) -> Array:
        return np.abs(x)

    def backward(self, gy: Values, x: Values) -> Values:
        return gy * sign(x)


class Smooth(Function):
    """y = f(x) for a function f of NumPy; gx = gradient(gy, x)."""

    floating = True
    cost = per_element(other=1)

    def __init__(self, f: Callable, gradient: Callable) -> None:
        self.f, self.gradient, self.name = f, gradient, f.__name__.capitalize()

    def forward(self, x: Array) -> Array:
        return self.f(x)

    def backward(self, gy: Values, x: Values) -> Values:
        return self.gradient(gy, x)


class SmoothByOutput(Smooth):
    """y = f(x) where y determines the slope: gx = gradient(gy, y), and x need not be kept."""

    cost = per_element(other=1)

    def backward(self, gy: Values, y: Values) -> Values:  # type: ignore[override]  # what is saved
        return self.gradient(gy, y)


def add(a: Operand[Values], b: Operand[Values], *, alpha: float = 1) -> Values:
    """a + alpha b. Raises ArgumentError for integers with a factor that is none."""
    return binary(Add(), a, b) if alpha == 1 else _with_factor(Add(), a, b, alpha)


def sub(a: Operand[Values], b: Operand[Values], *, alpha: float = 1) -> Values:
    """a - alpha b. Raises ArgumentError for integers with a factor that is none."""
    return binary(Sub(), a, b) if alpha == 1 else _with_factor(Sub(), a, b, alpha)


@in_float32()
def _with_factor(op: Function, a: Any, b: Any, alpha: float) -> Any:
    """op(a, alpha b), computed in the dtype in which a and b meet."""
    a, b = align(op, a, b)
    dtype = result_type(a, b)
    if dtype.kind in "iub" and not isinstance(alpha, int):
        raise ArgumentError(f"{op.name}: alpha must be an integer for {dtype}, got {alpha}")
    scaled = mul(b, alpha)
    return binary(op, a, cast(scaled, dtype) if hasattr(scaled, "dtype") else scaled)


def mul(a: Operand[Values], b: Operand[Values]) -> Values:
    """a b, element by element; for the matrix product see `matmul`."""
    return binary(Mul(), a, b)


def div(a: Operand[Values], b: Operand[Values], *, rounding_mode: str | None = None) -> Values:
    """a / b; integers divide to float32.

    With rounding_mode="floor" or "trunc" the quotient is rounded down or towards 0, and integers
    stay integers. Raises RuntimeError for another mode, and for integers divided by 0 then.
    """
    if rounding_mode is None:
        return binary(Div(), a, b)
    demand(rounding_mode in ("floor", "trunc"), f"div: rounding_mode {rounding_mode!r}: use None, "
           "'trunc' or 'floor'")
    return binary(RoundedDiv(rounding_mode), a, b)


def pow(a: Operand[Values], b: Operand[Values]) -> Values:
    """a to the power b.

    Raises ValueError for integers to a negative power, and to one that does not fit into their
    dtype.
    """
    op = Pow()
    if isinstance(b, Tensor) and not isinstance(a, Tensor):
        base, exponent = align(op, a, b)
        if not isinstance(base, Tensor):
            base = Tensor(base, dtype=exponent.dtype).to(exponent.device)
        return binary(op, base, exponent)
    if isinstance(b, int) and not 0 <= b <= 127 and has_integers(a):  # 127 fits everywhere
        _check_exponent(b, getattr(a, "dtype"))
    return binary(op, a, b)


def neg(x: Values) -> Values:
    """-x."""
    return Neg()(x)


def abs(x: Values) -> Values:
    """|x|."""
    return Abs()(x)


def sign(x: Values) -> Values:
    """-1, 0 or 1, the sign of x, and 0 for NaN; its derivative is 0."""
    return Sign()(x)


def exp(x: Values) -> Values:
    """e^x."""
    return SmoothByOutput(np.exp, lambda gy, y: gy * y)(x)


def log(x: Values) -> Values:
    """Natural logarithm; -inf for 0, nan below."""
    return Smooth(np.log, lambda gy, x: gy / x)(x)


def log1p(x: Values) -> Values:
    """ln(1 + x), accurate near 0."""
    return Smooth(np.log1p, lambda gy, x: gy / (1 + x))(x)


def expm1(x: Values) -> Values:
    """e^x - 1, accurate near 0."""
    return SmoothByOutput(np.expm1, lambda gy, y: gy * (y + 1))(x)


def sqrt(x: Values) -> Values:
    """Square root."""
    return SmoothByOutput(np.sqrt, lambda gy, y: gy / (2 * y))(x)


def sin(x: Values) -> Values:
    """Sine, x in radians."""
    return Smooth(np.sin, lambda gy, x: gy * cos(x))(x)


def cos(x: Values) -> Values:
    """Cosine, x in radians."""
    return Smooth(np.cos, lambda gy, x: -gy * sin(x))(x)


def _check_divisor(name: str, a: Any, b: Any) -> None:
    integers = has_integers(a) or has_integers(b)
    demand(not integers or np.all(b), f"{name}: integers divided by 0")


def _check_exponent(b: int, dtype: np.dtype) -> None:
    if b < 0:
        raise ValueError(f"pow: integers to the power of {b} are no integers; use {float(b)}")
    if dtype != bool and b > np.iinfo(dtype).max:
        raise ValueError(f"pow: the exponent {b} does not fit into {dtype}")


def _integer_power(a: Any, b: Any) -> Any:
    """a^b in integers. For b < 0 it is the whole part of 1 / a^-b: 1, -1 or 0."""
    if a.dtype == bool:
        return a >= b  # only 0^1 is 0
    if not hasattr(b, "dtype"):
        return a**b
    whole = np.where(np.abs(a) == 1, a ** (b & 1), 0)
    return np.where(b < 0, whole, a ** np.maximum(b, 0)).astype(a.dtype, copy=False)
