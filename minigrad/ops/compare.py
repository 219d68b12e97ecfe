"""Functions of elements without a useful derivative: comparisons, and logic on truth and on bits.

Booleans have one bit, so that masks combine by & | ^ ~.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import Array
from minigrad.dtypes import has_integers
from minigrad.engine import Operand, Tensor, Values, data_of
from minigrad.function import Function
from minigrad.ops.cost import Count, elements
from minigrad.ops.operands import align, binary


class Elementwise(Function):
    """y = f(a, ...) for an f that is constant almost everywhere: nothing flows back."""

    def __init__(self, f: Callable, **options: Any) -> None:
        self.f, self.name, self.options = f, f.__name__, options

    def forward(self, *arrays: Array) -> Array:
        return self.f(*arrays, **self.options)

    def cost(self, y: Tensor, *inputs: Tensor) -> Count | None:
        """By the function f; None, which `profile` refuses, for one that is not listed here."""
        if self.f in (np.argmax, np.argmin, np.all, np.any):
            return Count(compare=elements(inputs[0]) - elements(y))
        if self.f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
            return Count(compare=elements(y))
        if self.f in (np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.isnan,
                      np.isinf, np.isfinite, np.isclose, np.bitwise_and, np.bitwise_or,
                      np.bitwise_xor, np.invert, np.left_shift, np.right_shift):
            return Count(other=elements(y))
        return None


def eq(a: Operand[Values], b: Operand[Values]) -> Values:
    """a == b, element by element, as booleans."""
    return binary(Elementwise(np.equal), a, b)


def ne(a: Operand[Values], b: Operand[Values]) -> Values:
    """a != b, element by element, as booleans."""
    return binary(Elementwise(np.not_equal), a, b)


def lt(a: Operand[Values], b: Operand[Values]) -> Values:
    """a < b, element by element, as booleans."""
    return binary(Elementwise(np.less), a, b)


def le(a: Operand[Values], b: Operand[Values]) -> Values:
    """a <= b, element by element, as booleans."""
    return binary(Elementwise(np.less_equal), a, b)


def gt(a: Operand[Values], b: Operand[Values]) -> Values:
    """a > b, element by element, as booleans."""
    return binary(Elementwise(np.greater), a, b)


def ge(a: Operand[Values], b: Operand[Values]) -> Values:
    """a >= b, element by element, as booleans."""
    return binary(Elementwise(np.greater_equal), a, b)


def logical_and(a: Operand[Values], b: Operand[Values]) -> Values:
    """a and b, element by element, as booleans."""
    return binary(Elementwise(np.logical_and), a, b)


def logical_or(a: Operand[Values], b: Operand[Values]) -> Values:
    """a or b, element by element, as booleans."""
    return binary(Elementwise(np.logical_or), a, b)


def logical_xor(a: Operand[Values], b: Operand[Values]) -> Values:
    """Exactly one of a and b, element by element, as booleans."""
    return binary(Elementwise(np.logical_xor), a, b)


def logical_not(x: Values) -> Values:
    """not x, element by element, as booleans."""
    return Elementwise(np.logical_not)(x)


def isnan(x: Values) -> Values:
    """Which elements are NaN."""
    return Elementwise(np.isnan)(x)


def isinf(x: Values) -> Values:
    """Which elements are infinity or -infinity."""
    return Elementwise(np.isinf)(x)


def isfinite(x: Values) -> Values:
    """Which elements are neither NaN nor infinite."""
    return Elementwise(np.isfinite)(x)


def isclose(a: Values, b: Values, rtol: float = 1e-5, atol: float = 1e-8,
            equal_nan: bool = False) -> Values:
    """|a - b| <= atol + rtol |b|, element by element; equal infinities are close.

    Raises RuntimeError for two dtypes.
    """
    demand(a.dtype == b.dtype, f"isclose: dtypes {a.dtype} and {b.dtype} differ; use .to(dtype)")
    return binary(Elementwise(np.isclose, rtol=rtol, atol=atol, equal_nan=equal_nan), a, b)


def allclose(a: Values, b: Values, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> bool:
    """Whether all elements are close, as True or False. See `isclose`."""
    return bool(data_of(isclose(a, b, rtol, atol, equal_nan)).all())


def equal(a: Values, b: Values) -> bool:
    """Whether a and b have one shape and the same elements, as True or False."""
    return a.shape == b.shape and bool(data_of(a == b).all())


def bitwise_and(a: Operand[Values], b: Operand[Values]) -> Values:
    """The bits set in both a and b. Raises TypeError unless they are integers or booleans."""
    return _bits(np.bitwise_and, a, b)


def bitwise_or(a: Operand[Values], b: Operand[Values]) -> Values:
    """The bits set in a, in b or in both. Raises TypeError for floating-point numbers."""
    return _bits(np.bitwise_or, a, b)


def bitwise_xor(a: Operand[Values], b: Operand[Values]) -> Values:
    """The bits set in exactly one of a and b. Raises TypeError for floating-point numbers."""
    return _bits(np.bitwise_xor, a, b)


def bitwise_not(x: Values) -> Values:
    """Every bit turned around: ~x = -x - 1, and not x for booleans.

    Raises TypeError for floating-point numbers.
    """
    return _bits(np.invert, x)


def bitwise_left_shift(a: Operand[Values], b: Operand[Values]) -> Values:
    """a 2^b in integers; bits that do not fit into their dtype are lost.

    Raises TypeError for booleans and for floating-point numbers.
    """
    return _bits(np.left_shift, a, b, bools=False)


def bitwise_right_shift(a: Operand[Values], b: Operand[Values]) -> Values:
    """a / 2^b in integers, rounded down.

    Raises TypeError for booleans and for floating-point numbers.
    """
    return _bits(np.right_shift, a, b, bools=False)


def _bits(f: Callable, *operands: Operand[Values], bools: bool = True) -> Values:
    """f of the operands in their common dtype, which TypeError limits to integers and `bools`."""
    op = Elementwise(f)
    alike = align(op, *operands)
    for x in alike:
        if hasattr(x, "dtype") and not (has_integers(x) and (bools or x.dtype != bool)):
            raise TypeError(f"{op.name}: needs integers{' or booleans' * bools}, got {x.dtype}")
    return op(*alike)
