"""How a window slides over an image: sizes, strides, padding, dilation, and the views of it.

Behind the window are the functions for the memory of images.
"""

import operator
from typing import NamedTuple

import numpy as np

from minigrad.arguments import is_integer
from minigrad.backend import array_module
from minigrad.memory import uninitialised


class Window(NamedTuple):
    """A kh x kw window that moves in steps (sh, sw) over an image padded by (ph, pw) on each side.

    Its elements lie (dh, dw) pixels apart. (eh, ew) is additional padding at the bottom and on the
    right: for even kernels under padding="same", and for the last window under ceil_mode.
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

    @classmethod
    def of_convolution(cls, kernel_size, stride, padding, name, dilation=1):
        """As `of`; padding may also be "valid" (none) or "same", which keeps the size of an image.

        "same" needs stride 1. If it is an odd number of pixels, the last one goes to the bottom or
        to the right.
        """
        if not isinstance(padding, str):
            return cls.of(kernel_size, stride, padding, name, dilation)
        if padding not in ("valid", "same"):
            raise ValueError(f"{name}: padding must be an integer >= 0, a pair of them, 'valid' or "
                             f"'same', got {padding!r}")
        window = cls.of(kernel_size, stride, 0, name, dilation)
        if padding == "valid":
            return window
        if (window.sh, window.sw) != (1, 1):
            raise ValueError(f"{name}: padding='same' needs stride 1, got {stride!r}")
        (ph, eh), (pw, ew) = (divmod(n - 1, 2) for n in window.span)
        return window._replace(ph=ph, pw=pw, eh=eh, ew=ew)

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
        """For each position in the window, row by row, the pixels (N, C, oh, ow) that meet it.

        They are views of `padded`, the images with their padding.
        """
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

    def mirrored(self, size, target):
        """The window at stride 1 whose convolution takes gradients of size (oh, ow) to images of
        size `target`, or None if there is none: at other strides, and where it would crop."""
        kh, kw, sh, sw, ph, pw, dh, dw, *_ = self
        ph, pw = self.span[0] - 1 - ph, self.span[1] - 1 - pw
        eh, ew = (t - (n + 2 * p - span + 1) for t, n, p, span in zip(
            target, size, (ph, pw), self.span))
        if (sh, sw) != (1, 1) or min(ph, pw, ph + eh, pw + ew) < 0:
            return None
        return Window(kh, kw, 1, 1, ph, pw, dh, dw, eh, ew)

    def padded(self, x, value=0):
        """x (N, C, H, W) with `value` around it, channels-last."""
        size = self.padded_size(*x.shape[2:])
        out = empty((*x.shape[:2], *size), x)  # (N, C, padded H, padded W)
        if self.pads:
            out[...] = value
        self.cropped(out, x.shape[2:])[...] = x
        return out

    def band_shape(self, shape, rows):
        """The shape (N, rows, W, C) of `band` for x of the shape (N, C, H, W)."""
        n, c, *size = shape
        height = (rows.stop - rows.start - 1) * self.sh + self.span[0]
        return n, height, self.padded_size(*size)[1], c

    def band(self, x, rows, memory):
        """Fills the memory, of shape `band_shape`, with the padded rows of x (N, C, H, W) that the
        output rows of the slice `rows` see."""
        top = rows.start * self.sh - self.ph  # as a row of x; negative above it
        first = min(max(top, 0), x.shape[2])
        last = max(min(top + memory.shape[1], x.shape[2]), first)
        left, right = self.pw, self.pw + x.shape[3]
        for edge in (memory[:, :first - top], memory[:, last - top:],
                     memory[:, :, :left], memory[:, :, right:]):
            edge[...] = 0
        memory[:, first - top:last - top, left:right] = x[:, :, first:last].transpose(0, 2, 3, 1)

    def cropped(self, padded, size):
        """The image of that size, (H, W), inside its padding, as a view."""
        return padded[:, :, self.ph:self.ph + size[0], self.pw:self.pw + size[1]]


def pair(value, least, parameter, name):
    """An int twice, or a pair as it is. Raises ValueError, which names the parameter, if a number
    is not an integer or is below `least`."""
    if type(value) is int and value >= least:  # the usual case, of which every op has several
        return value, value
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if not (len(both) == 2 and all(is_integer(v, least) for v in both)):
        raise ValueError(f"{name}: {parameter} must be an integer >= {least} or a pair of them, "
                         f"got {value!r}")
    return operator.index(both[0]), operator.index(both[1])


def images(like, shape, dtype=None):
    """A new array of shape (N, C, ...), channels-last; device and dtype follow the array `like`."""
    n, c, *sizes = shape
    xp = array_module(like)
    new = uninitialised if xp is np else xp.empty
    memory = new((n, *sizes, c), dtype or like.dtype)
    return memory.transpose(0, memory.ndim - 1, *range(1, memory.ndim - 1))


def channels_last(x):
    """x (N, C, ...) as an array (N, ..., C) in C order; no copy if its memory is so."""
    return array_module(x).ascontiguousarray(x.transpose(0, *range(2, x.ndim), 1))


def empty(shape, *like):
    """An uninitialised (N, C, H, W) array, channels-last; device and dtype follow the arrays."""
    return images(like[0], shape, np.result_type(*like))  # (N, C, H, W)


def zeros(shape, *like):
    """Like `empty`, filled with zeros."""
    out = empty(shape, *like)
    out[...] = 0
    return out


def strided(memory, shape, strides):
    """A view of the memory, an array in C order, of any shape and strides, these in elements.

    What numpy.lib.stride_tricks.as_strided gives, in a tenth of the time.
    """
    return np.ndarray(shape, memory.dtype, memory, 0, [n * memory.itemsize for n in strides])


def pixels(x):
    """x (N, C, H, W) as a matrix (N H W, C); no copy if x is channels-last."""
    n, c, h, w = x.shape
    return x.transpose(0, 2, 3, 1).reshape(n * h * w, c)  # (N H W, C)


def image(rows, n, h, w):
    """A matrix (N H W, C) as (N, C, H, W), channels-last, no copy."""
    return rows.reshape(n, h, w, rows.shape[1]).transpose(0, 3, 1, 2)  # (N, C, H, W)


def direct_windows(x, window: Window, value):
    """Every window of x, (N, C, oh, ow, kh, kw): for the slow specifications."""
    taps = window.taps(window.padded(x, value), *window.output_size(*x.shape[2:]))
    windows = np.stack(list(taps), -1)  # (N, C, oh, ow, kh kw)
    return windows.reshape(*windows.shape[:4], window.kh, window.kw)  # (N, C, oh, ow, kh, kw)
