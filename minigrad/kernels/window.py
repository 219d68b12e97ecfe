"""How a window slides over an image: sizes, strides, padding, and the views that follow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigrad.backend import array_module


class Window(NamedTuple):
    """A kh x kw window moving in steps (sh, sw) over an image padded by (ph, pw) on each side."""

    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int

    @classmethod
    def of(cls, kernel_size, stride, padding, name):
        """From ints or pairs. Raises ValueError naming the operation and the parameter."""
        pairs = {"kernel_size": (kernel_size, 1), "stride": (stride, 1), "padding": (padding, 0)}
        numbers = []
        for parameter, (value, least) in pairs.items():
            pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
            if len(pair) != 2 or not all(isinstance(v, int) and v >= least for v in pair):
                raise ValueError(f"{name}: {parameter} must be an integer >= {least} or a pair of "
                                 f"them, got {value!r}")
            numbers += pair
        return cls(*numbers)

    def output_size(self, height, width):
        """(oh, ow) = floor((size + 2 padding - kernel) / stride) + 1; ValueError if none fits."""
        oh = (height + 2 * self.ph - self.kh) // self.sh + 1
        ow = (width + 2 * self.pw - self.kw) // self.sw + 1
        if oh < 1 or ow < 1:
            raise ValueError(f"window {self.kh}x{self.kw} is larger than the image "
                             f"{height}x{width} with padding {self.ph}, {self.pw}")
        return oh, ow

    def taps(self, padded, oh, ow):
        """For each position in the window, row by row, the pixels (N, C, oh, ow) that meet it."""
        for i in range(self.kh):
            for j in range(self.kw):
                yield padded[:, :, i:i + self.sh * oh:self.sh, j:j + self.sw * ow:self.sw]

    def padded(self, x, value=0):
        """x (N, C, H, W) with `value` around it, channels-last."""
        n, c, h, w = x.shape
        out = empty((n, c, h + 2 * self.ph, w + 2 * self.pw), x)
        if self.ph or self.pw:
            out[...] = value
        self.cropped(out)[...] = x
        return out

    def cropped(self, padded):
        """The image inside its padding, as a view."""
        h, w = padded.shape[2:]
        return padded[:, :, self.ph:h - self.ph, self.pw:w - self.pw]


def empty(shape, like):
    """An uninitialised (N, C, H, W) array with channels-last memory, dtype and device of `like`."""
    n, c, h, w = shape
    return array_module(like).empty((n, h, w, c), like.dtype).transpose(0, 3, 1, 2)


def zeros(shape, like):
    """Like `empty`, filled with zeros."""
    out = empty(shape, like)
    out[...] = 0
    return out


def pixels(x):
    """x (N, C, H, W) as a matrix (N H W, C); no copy if x is channels-last."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def image(rows, n, h, w):
    """A matrix (N H W, C) as (N, C, H, W), channels-last, no copy."""
    return rows.reshape(n, h, w, rows.shape[1]).transpose(0, 3, 1, 2)


def direct_windows(x, window: Window, value):
    """Every window of x, (N, C, oh, ow, kh, kw): for the slow specifications."""
    oh, ow = window.output_size(*x.shape[2:])
    widths = ((0, 0), (0, 0), (window.ph, window.ph), (window.pw, window.pw))
    padded = np.pad(x, widths, constant_values=value)
    return np.stack(list(window.taps(padded, oh, ow)), -1).reshape(
        *x.shape[:2], oh, ow, window.kh, window.kw)
