"""Pooling on the GPU: kernels/pool.cu behind the functions of kernels/pool.py."""

from __future__ import annotations

from minigrad.backend import array_module
from minigrad.kernels.cuda import channels_last, geometry, images, launch


def maximum(x, window):
    n, c, *size = x.shape
    out = window.output_size(*size)
    xp = array_module(x)
    y, y_memory = images(xp, (n, c, *out), x.dtype)
    winner, winner_memory = images(xp, (n, c, *out), "uint16")
    launch("pool", "maximum", [channels_last(x)], [y_memory, winner_memory],
           geometry(window, size, out, n, c))
    return y, winner


def scatter(gy, winner, window, size):
    n, c, *out = gy.shape
    gx, memory = images(array_module(gy), (n, c, *size), gy.dtype)
    launch("pool", "scatter", [channels_last(gy), channels_last(winner)], [memory],
           geometry(window, size, out, n, c))
    return gx


def gather(x, winner, window):
    n, c, *size = x.shape
    out = winner.shape[2:]
    y, memory = images(array_module(x), winner.shape, x.dtype)
    launch("pool", "gather", [channels_last(x), channels_last(winner)], [memory],
           geometry(window, size, out, n, c))
    return y


def average(x, window):
    n, c, *size = x.shape
    out = window.output_size(*size)
    y, memory = images(array_module(x), (n, c, *out), x.dtype)
    launch("pool", "average", [channels_last(x)], [memory], geometry(window, size, out, n, c))
    return y


def average_transpose(gy, window, size):
    n, c, *out = gy.shape
    gx, memory = images(array_module(gy), (n, c, *size), gy.dtype)
    launch("pool", "average_transpose", [channels_last(gy)], [memory],
           geometry(window, size, out, n, c))
    return gx
