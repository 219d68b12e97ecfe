"""Convolution on the GPU: the three maps of kernels/conv/__init__.py, each by one of three plans.

    plan            taken by                            kernels
    direct          groups with few channels            conv.cu: direct, direct_input_gradient and
                                                        direct_weight_gradient
    tensor cores    16 bits, or float32 as TF32         gemm.cu, launched by gemm.py
    columns         everything else                     conv.cu: image_to_columns, columns_to_image;
                                                        and a matrix product by cuBLAS

The plan by columns computes in float32 or float64: 16-bit numbers are widened for it, or columns
would be rounded before they are added up. Every sum is taken in a fixed order, so that the same
inputs give the same bits.
"""

import math

from minigrad.backend import array_module
from minigrad.dtypes import is_half, widen
from minigrad.kernels.conv import gemm
from minigrad.kernels.conv.columns import grouped, pixel_rows
from minigrad.kernels.matmul.gpu import matmul
from minigrad.kernels.runtime.cuda import geometry, launch, split, wide
from minigrad.kernels.runtime.threads import slices
from minigrad.kernels.runtime.window import channels_last, images

COLUMN_BYTES = 2**28  # of columns at a time
THIN = 32  # groups of fewer channels than this, in or out, take the direct plan
PIXELS_PER_CHUNK, CHUNKS = 256, 1024  # of the direct weight gradient


def forward(x, w, window, groups=1, b=None):
    n, c, *size = x.shape
    o, out = len(w), window.output_size(*size)
    plan = _plan(x, w.shape[1], o, groups)
    if is_half(x) and (plan == "columns" or plan == "direct" and b is not None):
        return forward(widen(x), widen(w), window, groups, widen(b)).astype(x.dtype)
    y = images(x, (n, o, *out))  # (N, O, oh, ow)
    memory = channels_last(y)  # (N, oh, ow, O)
    g = geometry(window, x.shape, y.shape, groups)
    if plan == "tensor cores":
        gemm.forward(channels_last(x), _taps_first(w), memory, g, b)
        return y
    if plan == "direct":
        launch("conv", "direct", [channels_last(x), _taps_first(w)], [memory], g)
    else:
        matrix = _matrices(w, groups)  # (G, kh kw C/G, O/G)
        for part, columns in _blocks(x, window, groups, out):
            product = matmul(columns, matrix)  # (G, n oh ow, O/G)
            grouped(y[part], groups)[...] = product.reshape(
                groups, -1, *out, o // groups)  # (G, n, oh, ow, O/G)
    if b is not None:
        memory += b
    return y


def input_gradient(gy, w, window, size, groups=1):
    n, o, *out = gy.shape
    c = w.shape[1] * groups
    plan = _plan(gy, w.shape[1], o, groups)
    if is_half(gy) and plan == "columns":
        return input_gradient(widen(gy), widen(w), window, size, groups).astype(gy.dtype)
    gx = images(gy, (n, c, *size))  # (N, C, H, W)
    memory = channels_last(gx)  # (N, H, W, C)
    g = geometry(window, gx.shape, gy.shape, groups)
    if plan == "direct":
        launch("conv", "direct_input_gradient",
               [channels_last(gy), _transposed_taps_first(w, groups)], [memory], g)
    elif plan == "tensor cores":
        gemm.input_gradient(channels_last(gy), _transposed_taps_first(w, groups), memory, g)
    else:
        matrix = _matrices(w, groups).transpose(0, 2, 1)  # (G, O/G, kh kw C/G)
        column_bytes = matrix.shape[2] * groups * math.prod(out) * gy.itemsize
        for part in slices(n, column_bytes, COLUMN_BYTES):
            columns = matmul(pixel_rows(gy[part], groups), matrix)  # (G, n oh ow, kh kw C/G)
            launch("conv", "columns_to_image", [columns], [memory[part]],
                   geometry(window, gx[part].shape, gy.shape, groups))
    return gx


def weight_gradient(x, gy, window, groups=1):
    n, c, *size = x.shape
    o, *out = gy.shape[1:]
    taps, channels = window.kh * window.kw, c // groups
    plan = _plan(x, channels, o, groups)
    if is_half(x) and plan == "columns":
        return weight_gradient(widen(x), widen(gy), window, groups).astype(x.dtype)
    xp, g = array_module(x), geometry(window, x.shape, gy.shape, groups)
    if n and plan == "direct":
        chunks, chunk = split(n * math.prod(out), PIXELS_PER_CHUNK, CHUNKS)
        partial = xp.empty((chunks, taps, channels, o), wide(x.dtype))  # (chunks, kh kw, C/G, O)
        launch("conv", "direct_weight_gradient", [channels_last(x), channels_last(gy)], [partial],
               g, chunk)
        return _filters(partial, x.dtype, window)
    if plan == "tensor cores":
        partial = gemm.weight_gradient(channels_last(x), channels_last(gy), g)
        return _filters(partial, x.dtype, window)
    gw = xp.zeros((groups, taps * channels, o // groups), x.dtype)  # (G, kh kw C/G, O/G)
    for part, columns in _blocks(x, window, groups, out):
        gradients = pixel_rows(gy[part], groups)  # (G, n oh ow, O/G)
        gw += matmul(columns.transpose(0, 2, 1), gradients)  # (G, kh kw C/G, O/G)
    gw = gw.reshape(groups, window.kh, window.kw, channels, -1)  # (G, kh, kw, C/G, O/G)
    gw = gw.transpose(0, 4, 3, 1, 2)  # (G, O/G, C/G, kh, kw)
    return gw.reshape(o, channels, window.kh, window.kw)  # (O, C/G, kh, kw)


def _plan(x, channels, outputs, groups):
    """The plan of a convolution of x: channels of one group, outputs of all groups together."""
    if groups > 1 and min(channels, outputs // groups) < THIN:
        return "direct"
    return "tensor cores" if gemm.usable(x, groups) else "columns"


def _filters(partial, dtype, window):
    """partial (chunks, kh kw C/G, O), of any shape, summed in order as (O, C/G, kh, kw)."""
    gw = array_module(partial).empty(partial.shape[1:], dtype)
    launch("conv", "sum_chunks", [partial], [gw], len(partial))
    gw = gw.reshape(window.kh, window.kw, -1, gw.shape[-1])  # (kh, kw, C/G, O)
    return gw.transpose(3, 2, 0, 1)  # (O, C/G, kh, kw)


def _blocks(x, window, groups, out):
    """A few images at a time: (which images, columns (G, n oh ow, kh kw C/G)); x (N, C, H, W)."""
    n, c = x.shape[:2]
    taps, pixels = window.kh * window.kw, math.prod(out)
    if taps == 1 and not window.pads:
        strided = x[:, :, ::window.sh, ::window.sw][:, :, :out[0], :out[1]]  # (N, C, oh, ow)
        yield slice(None), pixel_rows(strided, groups)
        return
    for part in slices(n, taps * c * pixels * x.itemsize, COLUMN_BYTES):
        some = channels_last(x[part])  # (n, H, W, C)
        columns = array_module(x).empty((groups, len(some) * pixels, taps * c // groups),
                                        x.dtype)  # (G, n oh ow, kh kw C/G)
        launch("conv", "image_to_columns", [some], [columns],
               geometry(window, x[part].shape, (n, 0, *out), groups))
        yield part, columns


def _matrices(w, groups):
    """w (O, C/G, kh, kw) as the matrices (G, kh kw C/G, O/G) that multiply columns."""
    o, c, kh, kw = w.shape
    w = w.reshape(groups, o // groups, c, kh, kw)  # (G, O/G, C/G, kh, kw)
    w = w.transpose(0, 3, 4, 2, 1)  # (G, kh, kw, C/G, O/G)
    return w.reshape(groups, kh * kw * c, o // groups)  # (G, kh kw C/G, O/G)


def _taps_first(w):
    """w (O, C/G, kh, kw) as (kh, kw, C/G, O)."""
    return w.transpose(2, 3, 1, 0)  # (kh, kw, C/G, O)


def _transposed_taps_first(w, groups):
    """w (O, C/G, kh, kw) as (kh, kw, O/G, C), C over all groups."""
    o, c, kh, kw = w.shape
    w = w.reshape(groups, o // groups, c, kh, kw)  # (G, O/G, C/G, kh, kw)
    w = w.transpose(3, 4, 1, 0, 2)  # (kh, kw, O/G, G, C/G)
    return w.reshape(kh, kw, o // groups, groups * c)  # (kh, kw, O/G, C)
