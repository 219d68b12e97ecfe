"""Which plan computes a convolution on the CPU: the table, and what it depends on.

A plan is a module of this folder that computes some of the three maps:

    fits(x_shape, w_shape, window, groups, dtype)   whether it computes this convolution at all
    forward(x, w, b, window, groups, finish=None)
    input_gradient(gy, w, window, size, groups)
    weight_gradient(x, gy, window, groups)

For each map, the table lists plans in the order in which they are tried, each with the number of
channels, in and out, from which on it is worth its while. That number depends on how fast the
machine multiplies matrices. Winograd's transforms are passes over memory that save products. With
AVX2, and in the half-width AVX-512 of AMD's Zen 4, they pay from 48 channels on; with the full
AVX-512 of a Zen 5 they were slower than columns at all 3x3 layers of ResNet-18. So there is a row
for each family of kernels of OpenBLAS, which chooses one by the processor (its environment variable
OPENBLAS_CORETYPE chooses another). `python -m experiments.benchmarks conv` measures all plans.

The same shapes on the same machine always take the same plans, on any number of threads, and so
give the same bits. Another machine may take others, and differs by rounding; `VERSION` rises with
every change of the table, and is recorded with every training.
"""

import platform
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from minigrad.kernels.conv import columns, depthwise, winograd
from minigrad.kernels.runtime.threads import blas_kernel

VERSION = 2
ALWAYS = 1  # channel or more


class Order(NamedTuple):
    """For each map, (plan, channels from which on) in the order in which they are tried.

    An input gradient that is a convolution itself, as most are at stride 1, is looked up as that.
    """

    forward: tuple
    input_gradient: tuple
    weight_gradient: tuple


NARROW = Order(
    forward=((depthwise, ALWAYS), (winograd, 48), (columns, ALWAYS)),
    input_gradient=((depthwise, ALWAYS), (columns, ALWAYS)),
    weight_gradient=((depthwise, ALWAYS), (columns, ALWAYS)))

WIDE = Order(
    forward=((depthwise, ALWAYS), (columns, ALWAYS)),
    input_gradient=((depthwise, ALWAYS), (columns, ALWAYS)),
    weight_gradient=((depthwise, ALWAYS), (columns, ALWAYS)))

PLAIN = Order(*[((columns, ALWAYS),)] * 3)

TABLE = {"Haswell": NARROW, "Zen": NARROW, "SkylakeX": WIDE, "Cooperlake": WIDE,
         "SapphireRapids": WIDE, "SkylakeX, Zen 4": NARROW, "Cooperlake, Zen 4": NARROW}
"""By `machine`. Every other BLAS (Accelerate, MKL, those of ARM) takes the row NARROW."""

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


@cache
def machine() -> str:
    """What chooses the row: the kernels that BLAS runs, and "Zen 4" where they are of AVX-512 and
    the processor is one of those."""
    kernel = blas_kernel()
    return f"{kernel}, Zen 4" if TABLE.get(kernel) is WIDE and _is_zen_4() else kernel


def _order():
    return PLAIN if _switch["plain"] else TABLE.get(machine(), NARROW)


def _is_zen_4():
    """Whether this is a processor of AMD's family 25; those without AVX-512 are older Zens."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:                 # not Linux
        text = platform.processor()
    return bool("AuthenticAMD" in text and re.search(r"(cpu family\s*:|Family) 25\b", text))
