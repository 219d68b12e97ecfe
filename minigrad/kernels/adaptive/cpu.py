"""Adaptive pooling: the mean or the maximum of bins that cut an image into given numbers of parts.

Bin i of `parts` in a line of n pixels covers those from floor(i n / parts) to ceil((i + 1) n /
parts), so bins overlap where parts does not divide n. Exchange pixels and bins, and the same
formula names the bins in which a pixel lies, which is what the CUDA twins go by.

`average_transpose` is the transpose of the mean. Of a maximum its place is kept: `gather` reads the
pixels there, and `scatter`, its transpose, sends a gradient back to them. These two take the places
for an index like any other, on a GPU too.
"""

import math

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.adaptive import gpu
from minigrad.kernels.index.cpu import add_at
from minigrad.kernels.reduce.cpu import sum
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.kernels.runtime.window import empty, zeros


def bin_of(i, parts, n):
    """The pixels of bin i, a slice."""
    return slice(i * n // parts, -(-(i + 1) * n // parts))


@gpu_form(gpu.average)
def average(x, size):
    """x (N, C, H, W) -> y (N, C, *size): rows first, then columns."""
    for dim, parts in zip((2, 3), size):
        y = empty((*x.shape[:dim], parts, *x.shape[dim + 1:]), x)
        for i in range(parts):
            some = bin_of(i, parts, x.shape[dim])
            y[_at(dim, i)] = sum(x[_at(dim, some)], dim) / (some.stop - some.start)
        x = y
    return y


@gpu_form(gpu.average_transpose)
def average_transpose(gy, size):
    """gy (N, C, oh, ow) -> gx (N, C, *size): each gradient spread evenly over its bin."""
    for dim, n in zip((2, 3), size):
        gx, parts = zeros((*gy.shape[:dim], n, *gy.shape[dim + 1:]), gy), gy.shape[dim]
        for i in range(parts):
            some = bin_of(i, parts, n)
            gx[_at(dim, some)] += gy[_at(dim, slice(i, i + 1))] / (some.stop - some.start)
        gy = gx
    return gx


@gpu_form(gpu.maximum)
def maximum(x, size):
    """x (N, C, H, W) -> y, place, both (N, C, *size); place is row W + column of int32.

    The last NaN wins if there is one, the first at ties.
    """
    n, c, h, w = x.shape
    y, place = empty((n, c, *size), x), np.empty((n, c, *size), np.int32)
    for i, j in np.ndindex(*size):
        rows, columns = bin_of(i, size[0], h), bin_of(j, size[1], w)
        width = columns.stop - columns.start
        pixels = x[:, :, rows, columns].reshape(n, c, width * (rows.stop - rows.start))
        best = pixels.argmax(2)
        y[:, :, i, j] = top = np.take_along_axis(pixels, best[..., None], 2)[..., 0]
        if np.isnan(top).any():
            last = pixels.shape[2] - 1 - np.isnan(pixels)[..., ::-1].argmax(2)
            best = np.where(np.isnan(top), last, best)
        row, column = np.divmod(best, width)
        place[:, :, i, j] = (rows.start + row) * w + columns.start + column
    return y, place


def scatter(gy, place, size):
    """gx (N, C, *size): each gradient added to the pixel at its place."""
    shape = *gy.shape[:2], *size
    index = _flat(place, math.prod(size)).reshape(-1)
    return add_at(gy.reshape(-1), (index,), (math.prod(shape),)).reshape(shape)


def gather(x, place):
    """y, of the shape of `place`: the pixels of x (N, C, H, W) there."""
    return x.reshape(-1)[_flat(place, math.prod(x.shape[2:]))]


def _flat(place, pixels):
    """The places (N, C, ...) in images of so many pixels, as places in all images in a row."""
    n, c = place.shape[:2]
    return place + array_module(place).arange(0, n * c * pixels, pixels).reshape(n, c, 1, 1)


def _at(dim, where):
    """The index of all that stands at `where` along an axis."""
    return (slice(None),) * dim + (where,)
