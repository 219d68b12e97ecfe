"""Which plan computes a convolution on the CPU: the table, and what it depends on.

A plan is a module of this folder that computes some of the three maps:

    fits(x_shape, w_shape, window, groups, dtype)   whether it computes this convolution at all
    forward(x, w, b, window, groups, finish=None)
    input_gradient(gy, w, window, size, groups)
    weight_gradient(x, gy, window, groups)

A plan that has no function for a map is passed over. For each map, the table lists plans in the
order in which they are tried, each with the number of channels, in and out, from which on it is
worth its while. That depends on how BLAS multiplies matrices, so there is a row for each family of
OpenBLAS's kernels, of which it chooses one by the processor (the environment variable
OPENBLAS_CORETYPE chooses another). Those for AVX-512 multiply small matrices without copying them
first, and gain by shifted views. `python -m experiments.benchmarks conv` measures all plans.

The same shapes on the same machine always take the same plans, on any number of threads, and so
give the same bits, if arrays lie in memory in the same order. Another machine may take others, and
differs by rounding; `VERSION` rises with every change of the table, and is recorded with every
training.
"""

from typing import NamedTuple

from minigrad.kernels.conv import (banded, columns, depthwise, few, taps, winograd,
                                   winograd_views)
from minigrad.kernels.runtime.threads import blas_kernel

VERSION = 3
ALWAYS = 1  # channel or more


class Order(NamedTuple):
    """For each map, (plan, channels from which on) in the order in which they are tried.

    An input gradient that is a convolution itself, as most are at stride 1, is looked up as that.
    """

    forward: tuple
    input_gradient: tuple
    weight_gradient: tuple


FIRST = (depthwise, ALWAYS), (taps, ALWAYS), (few, ALWAYS), (banded, ALWAYS)
REST = (winograd, 8), (columns, ALWAYS)

USUAL = Order(forward=(*FIRST, *REST), input_gradient=(*FIRST, *REST),
              weight_gradient=(*FIRST, *REST))
WIDE = USUAL._replace(forward=(*FIRST, (winograd_views, 32), *REST))
PLAIN = Order(*[((columns, ALWAYS),)] * 3)

TABLE = {"Haswell": USUAL, "Zen": USUAL, "SkylakeX": WIDE, "Cooperlake": WIDE,
         "SapphireRapids": WIDE}
"""By `machine`. Every other BLAS (Accelerate, MKL, those of ARM) takes the row USUAL."""

_switch = {"plain": False}


def set_plain_columns(only: bool) -> None:
    """From now on, whether all convolutions on the CPU are computed by columns, the plainest plan.

    The results differ by rounding; which is faster depends on the convolution.
    """
    _switch["plain"] = only


def choose(task, x_shape, w_shape, window, groups, dtype):
    """The plan that computes this map, one of the fields of `Order`."""
    channels = max(1, min(x_shape[1], w_shape[0]))
    for plan, least in getattr(_order(), task):
        if channels >= least and hasattr(plan, task) and plan.fits(
                x_shape, w_shape, window, groups, dtype):
            return plan
    raise AssertionError("columns fit everything")


def machine() -> str:
    """What chooses the row: the kernels that BLAS runs."""
    return blas_kernel()


def _order():
    return PLAIN if _switch["plain"] else TABLE.get(machine(), USUAL)
