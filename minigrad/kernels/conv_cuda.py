"""Convolution on the GPU: the functions of kernels/conv.py, by one of three routes.

    groups with few channels        one thread per output element (conv.cu, direct)
    16 bits, or float32 as TF32     implicit GEMM on the tensor cores (gemm.cu)
    everything else                 columns (conv.cu), then a matrix product (cuBLAS), in float32 or
                                    float64: columns of 16 bits would be rounded before their sum

Every sum is taken in a fixed order, so that the same inputs give the same bits.
"""

from __future__ import annotations

from minigrad.backend import array_module
from minigrad.half import is_half, widened
from minigrad.kernels import gemm_cuda
from minigrad.kernels.cuda import channels_last, geometry, images, launch, split, wide

COLUMN_BYTES = 2**28  # of columns at a time
THIN = 32  # groups of fewer channels than this, in or out, take the direct route
PIXELS_PER_CHUNK, CHUNKS = 256, 1024  # of the direct weight gradient


def forward(x, w, window, groups=1, b=None):
    if _widens(x, w.shape[1], w.shape[0], groups):
        return forward(widened(x), widened(w), window, groups, widened(b)).astype(x.dtype)
    n, c, *size = x.shape
    o, out = w.shape[0], window.output_size(*size)
    y, memory = images(array_module(x), (n, o, *out), x.dtype)
    if _is_thin(w.shape[1], o, groups):
        launch("conv", "direct", [channels_last(x), _taps_first(w)], [memory],
               geometry(window, size, out, n, c, o, groups))
    elif gemm_cuda.usable(x, groups):
        gemm_cuda.forward(channels_last(x), _taps_first(w), memory,
                          geometry(window, size, out, n, c, o))
    else:
        matrix = _matrices(w, groups)
        for part, columns in _blocks(channels_last(x), window, groups, out):
            _grouped(memory[part], groups)[...] = (columns @ matrix).reshape(
                groups, -1, *out, o // groups)
    if b is not None:
        memory += b
    return y


def input_gradient(gy, w, window, size, groups=1):
    if _widens(gy, w.shape[1], w.shape[0], groups):
        return input_gradient(widened(gy), widened(w), window, size, groups).astype(gy.dtype)
    n, o, *out = gy.shape
    c = w.shape[1] * groups
    gx, memory = images(array_module(gy), (n, c, *size), gy.dtype)
    gy = channels_last(gy)
    if _is_thin(w.shape[1], o, groups):
        launch("conv", "direct_input_gradient", [gy, _transposed_taps_first(w, groups)], [memory],
               geometry(window, size, out, n, c, o, groups))
        return gx
    if gemm_cuda.usable(gy, groups):
        gemm_cuda.input_gradient(gy, _transposed_taps_first(w, 1), memory,
                                 geometry(window, size, out, n, c, o))
        return gx
    matrix = _matrices(w, groups).transpose(0, 2, 1)
    step = _images_per_block(matrix.shape[2] * groups * out[0] * out[1] * gy.itemsize)
    for start in range(0, n, step):
        part = slice(start, start + step)
        columns = _grouped(gy[part], groups).reshape(groups, -1, o // groups) @ matrix
        launch("conv", "columns_to_image", [columns], [memory[part]],
               geometry(window, size, out, len(gy[part]), c, o, groups))
    return gx


def weight_gradient(x, gy, window, groups=1):
    if _widens(x, x.shape[1] // groups, gy.shape[1], groups):
        return weight_gradient(widened(x), widened(gy), window, groups).astype(x.dtype)
    n, c, *size = x.shape
    o, *out = gy.shape[1:]
    taps, channels = window.kh * window.kw, c // groups
    x, gy, xp = channels_last(x), channels_last(gy), array_module(x)
    if n and _is_thin(channels, o, groups):
        chunks, chunk = split(n * out[0] * out[1], PIXELS_PER_CHUNK, CHUNKS)
        partial = xp.empty((chunks, taps, channels, o), wide(x.dtype))
        launch("conv", "direct_weight_gradient", [x, gy], [partial],
               geometry(window, size, out, n, c, o, groups), chunk)
        return _filters(_total(partial, x.dtype), window)
    if n and gemm_cuda.usable(x, groups):
        partial = gemm_cuda.weight_gradient(x, gy, geometry(window, size, out, n, c, o))
        return _filters(_total(partial, x.dtype), window)
    gw = xp.zeros((groups, taps * channels, o // groups), x.dtype)
    for part, columns in _blocks(x, window, groups, out):
        rows = _grouped(gy[part], groups).reshape(groups, -1, o // groups)
        gw += columns.transpose(0, 2, 1) @ rows
    gw = gw.reshape(groups, window.kh, window.kw, channels, -1)
    return gw.transpose(0, 4, 3, 1, 2).reshape(o, channels, window.kh, window.kw)


def _widens(x, channels, outputs, groups):
    """Whether x has 16 bits and would take the route by columns."""
    return is_half(x) and not (_is_thin(channels, outputs, groups) or gemm_cuda.usable(x, groups))


def _total(partial, dtype):
    """The sum over the first axis, in its order."""
    total = array_module(partial).empty(partial.shape[1:], dtype)
    launch("conv", "sum_chunks", [partial], [total], len(partial))
    return total


def _filters(gw, window):
    """gw (kh kw C/G, O), of any shape, as (O, C/G, kh, kw)."""
    return gw.reshape(window.kh, window.kw, -1, gw.shape[-1]).transpose(3, 2, 0, 1)


def _is_thin(channels, o, groups):
    return groups > 1 and (channels < THIN or o // groups < THIN)


def _blocks(x, window, groups, out):
    """A few images at a time: (which images, columns (G, n oh ow, kh kw C/G)); x (N, H, W, C)."""
    n, *size, c = x.shape
    taps, xp = window.kh * window.kw, array_module(x)
    if taps == 1 and not window.pads:
        strided = x[:, ::window.sh, ::window.sw][:, :out[0], :out[1]]
        yield slice(None), _grouped(strided, groups).reshape(groups, -1, c // groups)
        return
    step = _images_per_block(taps * c * out[0] * out[1] * x.itemsize)
    for start in range(0, n, step):
        part = slice(start, start + step)
        images_here = len(x[part])
        columns = xp.empty((groups, images_here * out[0] * out[1], taps * c // groups), x.dtype)
        launch("conv", "image_to_columns", [x[part]], [columns],
               geometry(window, size, out, images_here, c, 0, groups))
        yield part, columns


def _images_per_block(bytes_per_image):
    return max(1, COLUMN_BYTES // max(1, bytes_per_image))


def _grouped(x, groups):
    """x (N, H, W, C) as a view (G, N, H, W, C/G)."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w, groups, c // groups).transpose(3, 0, 1, 2, 4)


def _matrices(w, groups):
    """w (O, C/G, kh, kw) as the matrices (G, kh kw C/G, O/G) that multiply columns."""
    o, c, kh, kw = w.shape
    return w.reshape(groups, o // groups, c, kh, kw).transpose(0, 3, 4, 2, 1).reshape(
        groups, kh * kw * c, o // groups)


def _taps_first(w):
    """w (O, C/G, kh, kw) as (kh, kw, C/G, O)."""
    return w.transpose(2, 3, 1, 0)


def _transposed_taps_first(w, groups):
    """w (O, C/G, kh, kw) as (kh, kw, O/G, C), C over all groups."""
    o, c, kh, kw = w.shape
    w = w.reshape(groups, o // groups, c, kh, kw).transpose(3, 4, 1, 0, 2)
    return w.reshape(kh, kw, o // groups, groups * c)
