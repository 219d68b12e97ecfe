"""Batch normalisation on the GPU: norm.cu behind the functions of cpu.py."""

from minigrad.backend import array_module
from minigrad.kernels.runtime.cuda import launch, split, wide
from minigrad.kernels.runtime.window import channels_last, images

CHANNELS, SHARERS = 32, 8  # the block of norm.cu's sums
ROWS_PER_CHUNK, CHUNKS = 128, 256


def statistics(x, eps):
    chunks, each = _chunks(x)
    means, spreads = _vectors(x, 2, chunks)  # (chunks, C)
    _over_channels("moments", x, chunks, [channels_last(x)], [means, spreads], each)
    mean, var, scale = _vectors(x, 3)  # (C)
    _over_channels("merge_moments", x, 1, [means, spreads], [mean, var, scale], each, chunks,
                   float(eps))
    return mean, var, scale


def normalise(x, mean, factor, b, relu=0):
    y = images(x, x.shape)  # (N, C, ...)
    launch("norm", "normalise", [channels_last(x), mean, factor, b], [channels_last(y)],
           x.shape[1], relu)
    return y


def gradient(gy, x, mean, scale, w, y=None, relu=1):
    c, rows = x.shape[1], [channels_last(x), channels_last(gy)]
    rows.append(rows[1] if y is None else channels_last(y))  # any array, if it is not looked at
    relu = 0 if y is None else relu
    gb, gw = _gradient_sums(x, rows, mean, scale, relu)  # (C)
    gx = images(x, x.shape)  # (N, C, ...)
    launch("norm", "input_gradient", [*rows, mean, scale, w, gb, gw], [channels_last(gx)], c,
           float(x.size // c), relu)
    return gx, gw, gb


def fixed_gradient(gy, x, factor, y, relu=1):
    xp, c, rows = array_module(x), x.shape[1], [channels_last(a) for a in (x, gy, y)]
    zeros, ones = xp.zeros(c, wide(x.dtype)), xp.ones(c, wide(x.dtype))
    shift, scale = _gradient_sums(x, rows, zeros, ones, relu)  # (C)
    gx = images(x, x.shape)  # (N, C, ...)
    launch("norm", "scale_passed", [*rows[1:], factor], [channels_last(gx)], c, relu)
    return gx, scale, shift


def update_running(mean, var, running_mean, running_var, momentum, n):
    """See ops/norm.py."""
    launch("norm", "update_running", [mean, var], [running_mean, running_var], float(momentum),
           n / (n - 1))


def _gradient_sums(x, rows, mean, scale, relu):
    """sum gy and scale sum gy (x - mean), both (C), of the gy that passes; rows: x, gy and y."""
    chunks, each = _chunks(x)
    shifts, scales = _vectors(x, 2, chunks)  # (chunks, C)
    _over_channels("gradient_sums", x, chunks, [*rows, mean], [shifts, scales], each, relu)
    gb, gw = _vectors(x, 2)  # (C)
    _over_channels("merge_gradient_sums", x, 1, [shifts, scales, scale], [gb, gw], chunks)
    return gb, gw


def _chunks(x):
    """How many chunks the rows of x (N, C, ...) are summed in, and how many rows each has."""
    return split(x.size // x.shape[1], ROWS_PER_CHUNK, CHUNKS)


def _vectors(x, count, *chunks):
    """So many new arrays (*chunks, C) for the sums and statistics of x (N, C, ...)."""
    return (array_module(x).empty((*chunks, x.shape[1]), wide(x.dtype)) for _ in range(count))


def _over_channels(kernel, x, chunks, inputs, outputs, *numbers):
    c = x.shape[1]
    launch("norm", kernel, inputs, outputs, c, *numbers, size=x.size // c,
           blocks=-(-c // CHANNELS) * chunks, threads=(CHANNELS, SHARERS))
