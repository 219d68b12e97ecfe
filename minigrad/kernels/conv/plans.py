"""Which plan computes a convolution on the CPU: the table, and what it depends on.

A plan is a module of this folder that computes some of the three maps:

    fits(x_shape, w_shape, window, groups, dtype)   whether it computes this convolution at all
    forward(x, w, b, window, groups)
    input_gradient(gy, w, window, size, groups)
    weight_gradient(x, gy, window, groups)

For each map, the table lists plans in the order in which they are tried, each with the number of
channels, in and out, from which on it is worth its while. That number depends on how fast the
machine multiplies matrices. Winograd's transforms are passes over memory that save products: with
AVX2 they pay from 48 channels on, with AVX-512 never. So there is a row for each family of kernels
of OpenBLAS, which chooses one by the processor (its environment variable OPENBLAS_CORETYPE chooses
another). `python -m experiments.benchmarks conv` measures all plans.

The same shapes on the same machine always take the same plans, on any number of threads, and so
give the same bits. Another machine may take others, and differs by rounding; `VERSION` rises with
every change of the table, and is recorded with every training.
"""

from functools import cache
from typing import NamedTuple

from minigrad.kernels.conv import columns, depthwise, winograd
from minigrad.kernels.runtime.threads import blas_kernel

VERSION = 2
ALWAYS = 1  # channel or more


class Order(NamedTuple):
    """For each map, (plan, channels from which on) in the order in which they are tried."""

    forward: tuple
    input_gradient: tuple
    weight_gradient: tuple


AVX2 = Order(
    forward=((depthwise, ALWAYS), (winograd, 48), (columns, ALWAYS)),
    input_gradient=((depthwise, ALWAYS), (winograd, 48), (columns, ALWAYS)),
    weight_gradient=((depthwise, ALWAYS), (columns, ALWAYS)))

AVX512 = Order(
    forward=((depthwise, ALWAYS), (columns, ALWAYS)),
    input_gradient=((depthwise, ALWAYS), (columns, ALWAYS)),
    weight_gradient=((depthwise, ALWAYS), (columns, ALWAYS)))

PLAIN = Order(*[((columns, ALWAYS),)] * 3)

TABLE = {"Haswell": AVX2, "Zen": AVX2, "SkylakeX": AVX512, "Cooperlake": AVX512,
         "SapphireRapids": AVX512}
"""By the kernels of OpenBLAS. Every other BLAS (Accelerate, MKL, those of ARM) takes AVX2's row."""

_switch = {"plain": False}


def set_plain_columns(only: bool) -> None:
    """From now on, whether all convolutions on the CPU are computed by columns, the plainest plan.

    The results differ by rounding; which is faster depends on the convolution.
    """
    _switch["plain"] = only


def choose(task, x_shape, w_shape, window, groups, dtype):
    """The plan that computes this map, one of the fields of `Order`."""
    channels = min(w_shape[:2])
    for plan, least in getattr(_order(), task):
        if channels >= least and plan.fits(x_shape, w_shape, window, groups, dtype):
            return plan
    raise AssertionError("columns fit everything")


def _order():
    return PLAIN if _switch["plain"] else _of_this_machine()


@cache
def _of_this_machine():
    return TABLE.get(blas_kernel(), AVX2)
