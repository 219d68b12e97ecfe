"""Batch normalisation on the GPU: kernels/norm.cu behind the functions of kernels/norm.py."""

from __future__ import annotations

from minigrad.backend import array_module
from minigrad.kernels.cuda import launch, split, wide

CHANNELS, SHARERS = 32, 8  # the block of norm.cu's sums
ROWS_PER_CHUNK, CHUNKS = 128, 256


def statistics(x, eps):
    rows, c = _rows(x)
    xp, n, dtype = array_module(x), rows.size // c, wide(x.dtype)
    chunks, each = split(n, ROWS_PER_CHUNK, CHUNKS)
    means, spreads = xp.empty((chunks, c), dtype), xp.empty((chunks, c), dtype)
    _over_channels("moments", n, c, chunks, [rows], [means, spreads], c, each)
    mean, var, scale = (xp.empty(c, dtype) for _ in range(3))
    _over_channels("merge_moments", n, c, 1, [means, spreads], [mean, var, scale], c, each,
                   chunks, float(eps))
    return mean, var, scale


def normalise(x, mean, factor, b, relu=False):
    rows, c = _rows(x)
    y = array_module(x).empty(rows.shape, x.dtype)
    launch("norm", "normalise", [rows, mean, factor, b], [y], c, int(relu))
    return _back(y)


def gradient(gy, x, mean, scale, w, y=None):
    rows, c = _rows(x)
    gys, _ = _rows(gy)
    relu = int(y is not None)
    ys = _rows(y)[0] if relu else gys  # any array, if it is not to be looked at
    gb, gw = _gradient_sums(rows, gys, ys, mean, scale, relu)
    gx = array_module(x).empty(rows.shape, x.dtype)
    launch("norm", "input_gradient", [rows, gys, ys, mean, scale, w, gb, gw], [gx], c,
           float(rows.size // c), relu)
    return _back(gx), gw, gb


def fixed_gradient(gy, x, factor, y):
    rows, c = _rows(x)
    (gys, _), (ys, _), xp = _rows(gy), _rows(y), array_module(x)
    zeros, ones = xp.zeros(c, wide(x.dtype)), xp.ones(c, wide(x.dtype))
    shift, scale = _gradient_sums(rows, gys, ys, zeros, ones, 1)
    gx = xp.empty(rows.shape, x.dtype)
    launch("norm", "scale_passed", [gys, ys, factor], [gx], c)
    return _back(gx), scale, shift


def _gradient_sums(rows, gys, ys, mean, scale, relu):
    """sum gy and scale sum gy (x - mean), both (C), of the gy that passes."""
    xp, c, dtype = array_module(rows), len(mean), wide(rows.dtype)
    n = rows.size // c
    chunks, each = split(n, ROWS_PER_CHUNK, CHUNKS)
    shifts, scales = (xp.empty((chunks, c), dtype) for _ in range(2))
    _over_channels("gradient_sums", n, c, chunks, [rows, gys, ys, mean], [shifts, scales], c,
                   each, relu)
    gb, gw = (xp.empty(c, dtype) for _ in range(2))
    _over_channels("merge_gradient_sums", n, c, 1, [shifts, scales, scale], [gb, gw], c, chunks)
    return gb, gw


def update_running(mean, var, running_mean, running_var, momentum, n):
    """See ops/norm.py."""
    launch("norm", "update_running", [mean, var], [running_mean, running_var], float(momentum),
           n / (n - 1))


def _over_channels(kernel, n, c, chunks, inputs, outputs, *numbers):
    launch("norm", kernel, inputs, outputs, *numbers, size=n,
           blocks=-(-c // CHANNELS) * chunks, threads=(CHANNELS, SHARERS))


def _rows(x):
    """x (N, C, ...) with its channels last, in C order; and C."""
    last = x.transpose(0, *range(2, x.ndim), 1)
    return array_module(x).ascontiguousarray(last), x.shape[1]


def _back(y):
    """(N, ..., C) -> (N, C, ...), a view."""
    return y.transpose(0, y.ndim - 1, *range(1, y.ndim - 1))
