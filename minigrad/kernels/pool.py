"""Pooling: the maximum or the mean of each window, and the linear maps behind their gradients.

Max pooling remembers which tap of its window won (the first at ties; NaN wins; padding is -inf).
`scatter` sends a gradient to the winners and `gather` reads them: transposes of each other. The
mean is linear itself, and `average_transpose` is its transpose.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.window import Window, direct_windows, empty, zeros


def max_direct(x, window: Window):
    """The definition, for any number type: k - 1 comparisons per output element."""
    low = -np.inf
    patches = direct_windows(x, window, low if window.ph or window.pw else 0)
    flat = patches.reshape(*patches.shape[:4], -1)
    y = flat[..., 0]
    for k in range(1, flat.shape[-1]):
        y = np.maximum(y, flat[..., k])
    return y


def average_direct(x, window: Window):
    """The definition, for any number type: k - 1 additions and 1 division per output element."""
    patches = direct_windows(x, window, value=0)
    return patches.reshape(*patches.shape[:4], -1).sum(-1) / (window.kh * window.kw)


def maximum(x, window: Window):
    """x (N, C, H, W) -> y, winner, both (N, C, oh, ow); winner is the tap's number."""
    oh, ow = window.output_size(*x.shape[2:])
    padded = window.padded(x, -np.inf) if window.ph or window.pw else x
    taps = window.taps(padded, oh, ow)
    y = empty((*x.shape[:2], oh, ow), x)
    y[...] = next(taps)
    winner = np.zeros_like(y, np.min_scalar_type(window.kh * window.kw))
    for t, tap in enumerate(taps, 1):
        better = (tap > y) | ((tap != tap) & (y == y))
        np.copyto(y, tap, where=better)
        np.copyto(winner, t, where=better)
    return y, winner


def scatter(gy, winner, window: Window, size):
    """gx (N, C, *size): each gradient added to the pixel that won its window."""
    n, c, oh, ow = gy.shape
    padded = zeros((n, c, size[0] + 2 * window.ph, size[1] + 2 * window.pw), gy)
    for t, tap in enumerate(window.taps(padded, oh, ow)):
        tap += np.where(winner == t, gy, 0)
    return window.cropped(padded)


def gather(x, winner, window: Window):
    """y (N, C, oh, ow): the pixel of x at each window's winner."""
    oh, ow = winner.shape[2:]
    y = zeros(winner.shape, x)
    for t, tap in enumerate(window.taps(window.padded(x), oh, ow)):
        np.copyto(y, tap, where=winner == t)
    return y


def average(x, window: Window):
    """x (N, C, H, W) -> y (N, C, oh, ow); the padding counts as zeros."""
    oh, ow = window.output_size(*x.shape[2:])
    y = zeros((*x.shape[:2], oh, ow), x)
    for tap in window.taps(window.padded(x), oh, ow):
        y += tap
    y /= window.kh * window.kw
    return y


def average_transpose(gy, window: Window, size):
    """gx (N, C, *size): each gradient spread evenly over its window."""
    n, c, oh, ow = gy.shape
    padded = zeros((n, c, size[0] + 2 * window.ph, size[1] + 2 * window.pw), gy)
    share = gy / (window.kh * window.kw)
    for tap in window.taps(padded, oh, ow):
        tap += share
    return window.cropped(padded)
