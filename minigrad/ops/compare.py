"""Functions of elements without a useful derivative: comparisons, logic, sign."""

from __future__ import annotations

import numpy as np

from minigrad.function import Function
from minigrad.ops.operands import binary


class Elementwise(Function):
    """y = f(a, ...) for an f that is constant almost everywhere: nothing flows back."""

    def __init__(self, f, **options):
        self.f, self.name, self.options = f, f.__name__, options

    def forward(self, *arrays):
        return self.f(*arrays, **self.options)


def eq(a, b):
    """a == b, element by element, as booleans."""
    return binary(Elementwise(np.equal), a, b)


def ne(a, b):
    """a != b, element by element, as booleans."""
    return binary(Elementwise(np.not_equal), a, b)


def lt(a, b):
    """a < b, element by element, as booleans."""
    return binary(Elementwise(np.less), a, b)


def le(a, b):
    """a <= b, element by element, as booleans."""
    return binary(Elementwise(np.less_equal), a, b)


def gt(a, b):
    """a > b, element by element, as booleans."""
    return binary(Elementwise(np.greater), a, b)


def ge(a, b):
    """a >= b, element by element, as booleans."""
    return binary(Elementwise(np.greater_equal), a, b)


def logical_and(a, b):
    """a and b, element by element, as booleans."""
    return binary(Elementwise(np.logical_and), a, b)


def logical_or(a, b):
    """a or b, element by element, as booleans."""
    return binary(Elementwise(np.logical_or), a, b)


def logical_not(x):
    """not x, element by element, as booleans."""
    return Elementwise(np.logical_not)(x)


def sign(x):
    """-1, 0 or 1; its derivative is taken as none."""
    return Elementwise(np.sign)(x)
