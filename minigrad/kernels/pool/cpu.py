"""Pooling: the maximum or the mean of each window, and the linear maps behind their gradients.

Max pooling remembers which tap of its window won: the last NaN if there is one, the first at ties,
as in torch. Padding is -inf, and does not win even over pixels of -inf.
`scatter` sends a gradient to the winners and `gather` reads them: transposes of each other. The
mean is linear itself, and `average_transpose` is its transpose.
"""

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.elementwise.cpu import masked
from minigrad.kernels.pool import gpu
from minigrad.kernels.reduce.cpu import FEW
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.memory import uninitialised_like
from minigrad.kernels.runtime.threads import for_each, slices
from minigrad.kernels.runtime.window import Window, direct_windows, empty, zeros

BLOCK_BYTES = 2**19  # of images at a time: they stay in a core's cache


def max_direct(x, window: Window):
    """The definition, for any number type: k - 1 comparisons per output element."""
    patches = direct_windows(x, window, -np.inf if window.pads else 0)  # (N, C, oh, ow, kh, kw)
    flat = patches.reshape(*patches.shape[:4], -1)  # (N, C, oh, ow, kh kw)
    y = flat[..., 0]  # (N, C, oh, ow)
    for k in range(1, flat.shape[-1]):
        y = np.maximum(y, flat[..., k])
    return y


def average_direct(x, window: Window):
    """The definition, for any number type: k - 1 additions and 1 division per output element."""
    patches = direct_windows(x, window, value=0)  # (N, C, oh, ow, kh, kw)
    return patches.reshape(*patches.shape[:4], -1).sum(-1) / (window.kh * window.kw)  # as y above


@gpu_form(gpu.maximum)
def maximum(x, window: Window):
    """x (N, C, H, W) -> y, winner, both (N, C, oh, ow); winner is the tap's number."""
    oh, ow = window.output_size(*x.shape[2:])
    y = empty((*x.shape[:2], oh, ow), x)  # (N, C, oh, ow)
    winner = uninitialised_like(y, np.min_scalar_type(window.kh * window.kw))

    def find(images):
        padded = window.padded(x[images], -np.inf) if window.pads else x[images]
        _maximum(list(window.taps(padded, oh, ow)), y[images], winner[images])
        if not np.isfinite(y[images]).all():
            first = _first_inside(window, oh, ow, array_module(x))
            _maximum_with_care(window.taps(padded, oh, ow), y[images], winner[images], first)

    for_each(find, _images(x))
    return y, winner


def _maximum(taps, y, winner):
    """First the maximum of all taps, then the first tap that equals it; only for finite maxima."""
    y[...] = taps[0]
    for tap in taps[1:]:
        np.maximum(y, tap, out=y)
    winner[...] = 0
    for t, tap in enumerate(taps):  # for now winner holds how many taps are left, or 0
        left = (tap == y) * winner.dtype.type(len(taps) - t)
        np.maximum(winner, left, out=winner)
    np.subtract(len(taps), winner, out=winner)


def _maximum_with_care(taps, y, winner, first):
    """One tap after the other, where NaN or -inf may be the maximum; `first` wins to begin with."""
    y[...] = next(taps)
    winner[...] = first
    for t, tap in enumerate(taps, 1):
        better = (tap > y) | (tap != tap)
        np.copyto(y, tap, where=better)
        np.copyto(winner, t, where=better)


def _first_inside(window, oh, ow, xp):
    """The number (oh, ow) of the first tap that lies below and right of the padding."""
    # rows (oh, 1) and columns (ow) of taps
    rows = (window.ph - xp.arange(oh).reshape(-1, 1) * window.sh + window.dh - 1) // window.dh
    columns = (window.pw - xp.arange(ow) * window.sw + window.dw - 1) // window.dw
    return rows.clip(0, window.kh - 1) * window.kw + columns.clip(0, window.kw - 1)


def positions(winner, window: Window, width):
    """Where the winners stand in the image, as row * width + column."""
    xp = array_module(winner)
    oh, ow = winner.shape[2:]
    tap = winner.astype(np.int64)
    rows = xp.arange(oh).reshape(-1, 1) * window.sh - window.ph + tap // window.kw * window.dh
    columns = xp.arange(ow) * window.sw - window.pw + tap % window.kw * window.dw
    return rows * width + columns


@gpu_form(gpu.scatter)
def scatter(gy, winner, window: Window, size):
    """gx (N, C, *size): each gradient added to the pixel that won its window."""
    n, c, oh, ow = gy.shape
    padded = zeros((n, c, *window.padded_size(*size)), gy)  # (N, C, padded H, padded W)

    def add(images):
        for t, tap in enumerate(window.taps(padded[images], oh, ow)):
            tap += masked(gy[images], winner[images] == t)

    for_each(add, _images(padded))
    return window.cropped(padded, size)


def gather(x, winner, window: Window):
    """y (N, C, oh, ow): the pixel of x at each window's winner."""
    oh, ow = winner.shape[2:]
    y = zeros(winner.shape, x)  # (N, C, oh, ow)
    for t, tap in enumerate(window.taps(window.padded(x), oh, ow)):
        np.copyto(y, tap, where=winner == t)
    return y


@gpu_form(gpu.average)
def average(x, window: Window):
    """x (N, C, H, W) -> y (N, C, oh, ow); the padding counts as zeros."""
    n, (oh, ow) = window.kh * window.kw, window.output_size(*x.shape[2:])
    y = zeros((*x.shape[:2], oh, ow), x)  # (N, C, oh, ow)
    # as kernels/reduce/cpu.py: the sum of many float32 is taken in float64
    total = y.astype(np.float64) if n > 2 * FEW and x.dtype == np.float32 else y
    for tap in window.taps(window.padded(x), oh, ow):
        total += tap
    return np.divide(total, n, out=y, casting="same_kind")


@gpu_form(gpu.average_transpose)
def average_transpose(gy, window: Window, size):
    """gx (N, C, *size): each gradient spread evenly over its window."""
    n, c, oh, ow = gy.shape
    padded = zeros((n, c, *window.padded_size(*size)), gy)  # (N, C, padded H, padded W)
    share = gy / (window.kh * window.kw)
    for tap in window.taps(padded, oh, ow):
        tap += share
    return window.cropped(padded, size)


def _images(x):
    """Slices of the batch of about BLOCK_BYTES each."""
    return slices(len(x), x[:1].nbytes, BLOCK_BYTES)
