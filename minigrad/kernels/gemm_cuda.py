"""Convolution on tensor cores: kernels/gemm.cu, for one group.

Open to 16-bit numbers, and to float32 while `set_float32_matmul_precision("high")` allows TF32. It
does not by default, so that the GPU gives the CPU's numbers to rounding (PyTorch's default is on
for convolutions and off for matrix products).
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.backend import array_module, get_float32_matmul_precision
from minigrad.half import is_half
from minigrad.kernels.cuda import launch, split

ROWS, DEPTH, THREADS = 128, 16, 256  # as in gemm.cu
BLOCKS = 512  # that a weight gradient should have at least, if it has pixels enough
FIRST_CAPABILITY = 80


def usable(x, groups):
    """Whether this route is open to a convolution of the array x."""
    allowed = is_half(x) or (
        x.dtype == np.float32 and get_float32_matmul_precision() == "high")
    return (allowed and groups == 1 and x.size > 0
            and int(array_module(x).cuda.Device().compute_capability) >= FIRST_CAPABILITY)


def forward(x, w, y, g):
    """y (N, oh, ow, O) from x (N, H, W, C), w (kh, kw, C, O); g: the launcher's geometry."""
    _convolve("forward", x, w, y, g)


def input_gradient(gy, w, gx, g):
    """gx (N, H, W, C) from gy (N, oh, ow, O), w (kh, kw, O, C)."""
    _convolve("input_gradient", gy, w, gx, g)


def _convolve(kernel, source, w, result, g):
    pixels, columns = math.prod(result.shape[:3]), result.shape[3]
    variant, width = _variant(columns, source.shape[3], source)
    launch("gemm", kernel + variant, [source, w], [result], g, size=pixels,
           blocks=-(-pixels // ROWS) * -(-columns // width), threads=(THREADS,))


def weight_gradient(x, gy, g):
    """The parts (parts, kh kw C, O) of the weight gradient of x (N, H, W, C), gy (N, oh, ow, O)."""
    xp, c, o = array_module(x), x.shape[3], gy.shape[3]
    pixels, rows = math.prod(gy.shape[:3]), int(g["kh"]) * int(g["kw"]) * c
    variant, width = _variant(o, c, x, gy)
    tiles = -(-rows // ROWS) * -(-o // width)
    _, each = split(pixels, DEPTH * 8, max(1, BLOCKS // tiles))
    each = -(-each // DEPTH) * DEPTH
    parts = -(-pixels // each)
    partial = xp.empty((parts, rows, o), np.float32)
    launch("gemm", "weight_gradient" + variant, [x, gy], [partial], g, each, size=pixels,
           blocks=parts * tiles, threads=(THREADS,))
    return partial


def _variant(columns, channels, *copied):
    """The kernel's suffix and the width of its tiles; `copied`: the arrays that it copies from."""
    vector = 16 // copied[0].itemsize  # numbers per copy of 16 bytes
    if columns % vector or channels % vector or any(a.data.ptr % 16 for a in copied):
        return "_odd", 64
    return ("", 128) if columns > 64 else ("_narrow", 64)
