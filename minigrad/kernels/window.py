"""How a window slides over an image: sizes, strides, padding, dilation, and the views of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigrad.backend import array_module


class Window(NamedTuple):
    """A kh x kw window moving in steps (sh, sw) over an image padded by (ph, pw) on each side.

    Its elements lie (dh, dw) pixels apart. (eh, ew) is more padding at the bottom and on the right,
    for even kernels under padding="same" and for the last window under ceil_mode.
    """

    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int
    dh: int = 1
    dw: int = 1
    eh: int = 0
    ew: int = 0

    @classmethod
    def of(cls, kernel_size, stride, padding, name, dilation=1):
        """From ints or pairs. Raises ValueError naming the operation and the parameter."""
        return cls(*pair(kernel_size, 1, "kernel_size", name), *pair(stride, 1, "stride", name),
                   *pair(padding, 0, "padding", name), *pair(dilation, 1, "dilation", name))

    @property
    def span(self):
        """(height, width) that the dilated window covers."""
        return self.dh * (self.kh - 1) + 1, self.dw * (self.kw - 1) + 1

    def output_size(self, height, width):
        """(oh, ow) = floor((size + padding - span) / stride) + 1; ValueError if none fits."""
        oh = (height + 2 * self.ph + self.eh - self.span[0]) // self.sh + 1
        ow = (width + 2 * self.pw + self.ew - self.span[1]) // self.sw + 1
        if oh < 1 or ow < 1:
            raise ValueError(f"kernel_size {self.kh}x{self.kw}, dilation {self.dh}x{self.dw}: the "
                             f"window {self.span[0]}x{self.span[1]} is larger than the image "
                             f"{height}x{width} with padding {self.ph}x{self.pw}")
        return oh, ow

    def taps(self, padded, oh, ow):
        """For each position in the window, row by row, the pixels (N, C, oh, ow) that meet it."""
        for i in range(0, self.kh * self.dh, self.dh):
            for j in range(0, self.kw * self.dw, self.dw):
                yield padded[:, :, i:i + self.sh * oh:self.sh, j:j + self.sw * ow:self.sw]

    @property
    def pads(self):
        """Whether there is any padding."""
        return any((self.ph, self.pw, self.eh, self.ew))

    def padded_size(self, height, width):
        """The size of an image with its padding around it."""
        return height + 2 * self.ph + self.eh, width + 2 * self.pw + self.ew

    def padded(self, x, value=0):
        """x (N, C, H, W) with `value` around it, channels-last."""
        out = empty((*x.shape[:2], *self.padded_size(*x.shape[2:])), x)
        if self.pads:
            out[...] = value
        self.cropped(out, x.shape[2:])[...] = x
        return out

    def band(self, x, rows):
        """The padded rows of x (N, C, H, W) that the output rows from rows.start to stop see."""
        height = (rows.stop - rows.start - 1) * self.sh + self.span[0]
        top = rows.start * self.sh - self.ph  # in x, above it if negative
        first = min(max(top, 0), x.shape[2])
        last = max(min(top + height, x.shape[2]), first)
        if last - first == height and not (self.pw or self.ew):
            return x[:, :, first:last]
        out = zeros((*x.shape[:2], height, self.padded_size(*x.shape[2:])[1]), x)
        out[:, :, first - top:last - top, self.pw:self.pw + x.shape[3]] = x[:, :, first:last]
        return out

    def cropped(self, padded, size):
        """The image of that size inside its padding, as a view."""
        return padded[:, :, self.ph:self.ph + size[0], self.pw:self.pw + size[1]]


def pair(value, least, parameter, name):
    """An int twice, or a pair as it is; ValueError naming the parameter below `least`."""
    both = (value, value) if isinstance(value, int) else value
    if not (isinstance(both, (tuple, list)) and len(both) == 2
            and all(isinstance(v, int) and v >= least for v in both)):
        raise ValueError(f"{name}: {parameter} must be an integer >= {least} or a pair of them, "
                         f"got {value!r}")
    return both


def empty(shape, *like):
    """An uninitialised (N, C, H, W) array, channels-last; device and dtype follow the arrays."""
    n, c, h, w = shape
    dtype = np.result_type(*like)
    return array_module(like[0]).empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def zeros(shape, *like):
    """Like `empty`, filled with zeros."""
    out = empty(shape, *like)
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
    widths = ((0, 0), (0, 0), (window.ph, window.ph + window.eh),
              (window.pw, window.pw + window.ew))
    padded = np.pad(x, widths, constant_values=value)
    return np.stack(list(window.taps(padded, oh, ow)), -1).reshape(
        *x.shape[:2], oh, ow, window.kh, window.kw)
