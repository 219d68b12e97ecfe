"""Functions of single elements beyond those in `ops.arithmetic` and `ops.compare`."""

import math

from minigrad.backend import Array
from minigrad.engine import Values
from minigrad.function import Function
from minigrad.kernels.elementwise import cpu as kernel
from minigrad.ops.arithmetic import exp
from minigrad.ops.cost import per_element


class Erf(Function):
    """y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""

    floating = half_on_gpu = True
    cost = per_element(other=1)

    def forward(self, x: Array) -> Array:
        return kernel.erf(x)

    def backward(self, gy: Values, x: Values) -> Values:
        return gy * (2 / math.sqrt(math.pi) * exp(-x * x))


def erf(x: Values) -> Values:
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x: the error function."""
    return Erf()(x)
