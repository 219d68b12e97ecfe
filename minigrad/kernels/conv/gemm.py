"""Convolution on tensor cores: launches gemm.cu, for one group.

16-bit numbers always take this plan. float32 does so only after
`set_float32_matmul_precision("high")`, which allows its factors to be rounded to TF32. By default
they are not, so that the numbers of the GPU are those of the CPU, up to rounding. (PyTorch's
default allows TF32 in convolutions, but not in matrix products.)
"""

import math

import numpy as np

from minigrad.backend import array_module, get_float32_matmul_precision
from minigrad.dtypes import is_half
from minigrad.kernels.runtime.cuda import launch, split

ROWS, DEPTH, THREADS = 128, 16, 256  # as in gemm.cu
BLOCKS = 512  # at least, for a weight gradient that has enough pixels to be shared out
FIRST_CAPABILITY = 80  # the GPUs that these instructions begin with: sm_80


def usable(x, groups):
    """Whether this plan is open to a convolution of the array x."""
    allowed = is_half(x) or (
        x.dtype == np.float32 and get_float32_matmul_precision() == "high")
    return (allowed and groups == 1 and x.size > 0
            and int(array_module(x).cuda.Device().compute_capability) >= FIRST_CAPABILITY)


def forward(x, w, y, g, b=None):
    """Writes y (N, oh, ow, O), from x (N, H, W, C), w (kh, kw, C, O), b (O); g: `cuda.geometry`."""
    _convolve("forward", x, [w, w if b is None else b], y, g, int(b is not None))


def input_gradient(gy, w, gx, g):
    """Writes gx (N, H, W, C), from gy (N, oh, ow, O), w (kh, kw, O, C)."""
    _convolve("input_gradient", gy, [w], gx, g)


def _convolve(kernel, source, factors, result, *numbers):
    pixels, columns = math.prod(result.shape[:3]), result.shape[3]
    variant = width, _ = _variant(columns, source.shape[3], source, factors[0])
    launch("gemm", kernel, [source, *factors], [result], *numbers, size=pixels,
           blocks=-(-pixels // ROWS) * -(-columns // width), threads=(THREADS,), variant=variant)


def weight_gradient(x, gy, g):
    """The weight gradient of x (N, H, W, C), gy (N, oh, ow, O) as (parts, kh kw C, O), to be summed
    over the parts."""
    xp, c, o = array_module(x), x.shape[3], gy.shape[3]
    pixels, rows = math.prod(gy.shape[:3]), int(g["kh"]) * int(g["kw"]) * c
    variant = width, _ = _variant(o, c, x, gy)
    tiles = -(-rows // ROWS) * -(-o // width)
    _, each = split(pixels, DEPTH * 8, max(1, BLOCKS // tiles))
    each = -(-each // DEPTH) * DEPTH
    parts = -(-pixels // each)
    partial = xp.empty((parts, rows, o), np.float32)  # (parts, kh kw C, O)
    launch("gemm", "weight_gradient", [x, gy], [partial], g, each, size=pixels,
           blocks=parts * tiles, threads=(THREADS,), variant=variant)
    return partial


def _variant(columns, channels, *copied):
    """WIDTH and V of gemm.cu's kernels: the width of tiles, and the numbers that a copy takes.

    `copied` are the arrays that a kernel copies from. It copies 16 bytes at a time if the channels
    and all addresses allow it: if they are multiples of 16 bytes. An array that is not in C order
    does, since the launcher copies it to new memory first.
    """
    vector = 16 // copied[0].itemsize
    if columns % vector or channels % vector or any(
            a.data.ptr % 16 and a.flags.c_contiguous for a in copied):
        return 64, 1
    return 128 if columns > 64 else 64, vector
