"""Batch normalisation of each channel: statistics, values and gradient, each in one pass over x.

    m = mean x,   v = mean (x - m)^2,   s = 1 / sqrt(v + eps),   y = (x - m) s w + b

An image is seen as rows of W C numbers, channels side by side, and a vector over the channels is
repeated W times: long runs are what NumPy is fast at. Blocks of rows stay in a core's cache.
"""

import math

import numpy as np

from minigrad.kernels.elementwise.cpu import masked, passes_relu
from minigrad.kernels.norm import gpu
from minigrad.kernels.reduce.cpu import sum, sum_along
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.memory import uninitialised_like
from minigrad.kernels.runtime.threads import for_each, scratches, slices

SMALL = 2048  # numbers, up to so many, take no longer in float64
RUN = 4096  # numbers in a row, at most, while a vector over the channels is repeated
BLOCK_BYTES = 2**20  # of x at a time: smaller blocks are done too soon for threads to take turns


@gpu_form(gpu.statistics)
def statistics(x, eps):
    """x (N, C, ...) -> mean m, biased variance v and 1 / sqrt(v + eps), each (C), rounded once.

    The squares of each block are taken around the mean of every eighth of its rows, and put right
    by what is left of the sum: Chan, Golub and LeVeque, "Algorithms for computing the sample
    variance", 1983, equation 1.7. Their equation 2.1 brings the blocks together.
    """
    rows, blocks, c = _rows(x)
    sums, squares = np.zeros_like(rows, _accurate(x.dtype), shape=(2, len(blocks), c))
    counts = np.empty_like(sums, shape=(len(blocks), 1))

    def add(k):
        part = rows[blocks[k]]
        if part.size <= SMALL:
            part = part.astype(sums.dtype)
        counts[k] = part.size // c
        some = part[::8]
        centre = some.sum(0).reshape(-1, c).sum(0) / (some.size // c)  # (C)
        d, = scratches(part.dtype, part.shape)
        np.subtract(part, _wide(centre, part), out=d)
        left = _sum(d, c)
        sums[k] = counts[k] * centre + left
        d *= d
        squares[k] = _sum(d, c) - left * left / counts[k]

    for_each(add, range(len(blocks)))
    n = math.prod(x.shape) // c
    mean = sums.sum(0) / n  # (C)
    var = (squares.sum(0) + (counts * (sums / counts - mean) ** 2).sum(0)) / n
    return tuple(v.astype(x.dtype) for v in (mean, var, 1 / np.sqrt(var + eps)))


@gpu_form(gpu.normalise)
def normalise(x, mean, factor, b, relu=0):
    """(x - mean) factor + b, all but x (N, C, ...) of shape (C); channels-last.

    relu: 1 for the ReLU of that, 6 for its ReLU6, while a block is in the cache.
    """
    rows, blocks, _ = _rows(x)
    out = uninitialised_like(rows, np.result_type(x, factor, b))  # complex for the complex step

    def write(block):
        y = np.subtract(rows[block], _wide(mean, rows), out=out[block])
        _scale_and_shift(y, factor, b, relu)

    for_each(write, blocks)
    return _image(out, x)


def scale_and_shift(rows, factor, shift, relu=0):
    """rows (pixels, C) become rows factor + shift, in place, the other two (C): what `normalise`
    gives with mean 0. relu as there."""
    _scale_and_shift(_long_runs(rows), factor, shift, relu)


def _scale_and_shift(rows, factor, shift, relu):
    """The same for rows of any number of pixels."""
    rows *= _wide(factor, rows)
    rows += _wide(shift, rows)
    if relu:
        np.maximum(rows, 0, out=rows)
    if relu > 1:
        np.minimum(rows, relu, out=rows)


@gpu_form(gpu.gradient)
def gradient(gy, x, mean, scale, w, y=None, relu=1):
    """(gx, gw, gb) of y = (x - mean) scale w + b, where mean and scale are those of x itself.

    Given y, it is the ReLU of that, or with relu=6 the ReLU6, and gy counts where it passes.
    """
    (rows, blocks, c), (gradients, _, _) = _rows(x), _rows(gy)
    dtype = np.result_type(x, gy, w)  # x's, or complex for the complex step
    sums, products = np.zeros_like(rows, _accurate(dtype), shape=(2, len(blocks), c))
    mean, out = _wide(mean, rows), uninitialised_like(rows, dtype)  # (W C), (N ..., W C)
    if y is not None:
        outputs, arriving, gradients = _rows(y)[0], gradients, out

    def add(k):
        block = blocks[k]
        if y is not None:  # what passes the ReLU; `write` reads it before it overwrites it
            masked(arriving[block], passes_relu(outputs[block], relu), out=out[block])
        d, = scratches(dtype, rows[block].shape)
        np.subtract(rows[block], mean, out=d)
        d *= gradients[block]
        sums[k], products[k] = _sum(gradients[block], c), _sum(d, c)

    for_each(add, range(len(blocks)))
    n = math.prod(x.shape) // c
    gb, gw = sums.sum(0).astype(dtype), products.sum(0).astype(dtype) * scale
    factor, slope = _wide(scale * w, rows), _wide(scale * w * scale * gw / n, rows)
    shift = _wide(scale * w * gb / n, rows)

    def write(block):
        d, = scratches(dtype, rows[block].shape)
        np.subtract(rows[block], mean, out=d)
        d *= slope
        d += shift
        gx = np.multiply(gradients[block], factor, out=out[block])
        gx -= d

    for_each(write, blocks)
    return _image(out, x), gw, gb


@gpu_form(gpu.fixed_gradient)
def fixed_gradient(gy, x, factor, y, relu=1):
    """(gx, gradient of factor, of shift) of y = ReLU(x factor + shift), the last two (C).

    relu: 6 for ReLU6.
    """
    g, dims = masked(gy, passes_relu(y, relu)), (0, *range(2, x.ndim))
    gx = g * factor.reshape(1, -1, *[1] * (x.ndim - 2))  # (N, C, ...) times (1, C, 1, ...)
    return gx, sum(g * x, dims), sum(g, dims)


def _rows(x):
    """x (N, C, ..., W) as a matrix (N ..., W C), its blocks of rows, and C; a copy unless x is
    channels-last."""
    c, wide = x.shape[1], x.shape[-1] if x.ndim > 2 else 1
    rows = np.moveaxis(x, 1, -1).reshape(-1, wide * c)  # (N ..., W C)
    return rows, slices(len(rows), rows.shape[1] * x.itemsize, BLOCK_BYTES), c


def _long_runs(rows):
    """Rows (pixels, C) as fewer rows of up to RUN numbers, a view."""
    n, c = rows.shape
    pixels = next(k for k in range(max(1, min(n, RUN // max(1, c))), 0, -1) if n % k == 0)
    return rows.reshape(n // pixels, pixels * c)  # (runs, pixels C)


def _image(rows, like):
    """The rows as an array of the shape of `like`, channels-last."""
    n, c, *sizes = like.shape
    return np.moveaxis(rows.reshape(n, *sizes, c), -1, 1)  # (N, C, ...)


def _wide(v, rows):
    """A vector (C) repeated to the width of the rows."""
    return v[np.newaxis].repeat(rows.shape[1] // len(v), 0).ravel()  # (W C); np.tile is slower


def _sum(rows, c):
    """The sums (C) over a block."""
    return sum_along(rows, 0).reshape(-1, c).sum(0, dtype=_accurate(rows.dtype))  # (C)


def _accurate(dtype):
    """The dtype in which the sums of blocks are added up."""
    return np.result_type(dtype, np.float64)


@gpu_form(gpu.update_running)
def update_running(mean, var, running_mean, running_var, momentum, n):
    """run = (1 - momentum) run + momentum new, in place, from n values per channel."""
    running_mean += momentum * (mean - running_mean)
    running_var += momentum * (var * (n / (n - 1)) - running_var)
