"""Windows of images side by side, and channels that become pixels."""

import math
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.engine import Values
from minigrad.function import Function
from minigrad.kernels.runtime.window import Window, pair, zeros
from minigrad.ops.cost import Count, elements, free
from minigrad.ops.operands import batch_of_one
from minigrad.ops.shape import permute, reshape


class Unfold(Function):
    """y[:, c, k, l] = pixel k of window number l of channel c.

    x (N, C, H, W) -> y (N, C kh kw, L)
    """

    cost = free

    def __init__(self, window: Window, size: tuple[int, ...]) -> None:
        self.window, self.size = window, size

    def forward(self, x: Array) -> Array:
        n, c, *size = x.shape
        taps = self.window.taps(self.window.padded(x), *self.window.output_size(*size))
        y = np.stack(list(taps), 2)  # (N, C, kh kw, oh, ow)
        return y.reshape(n, c * y.shape[2], y.shape[3] * y.shape[4])

    def backward(self, gy: Values) -> Values:
        return Fold(self.window, self.size)(gy)


class Fold(Unfold):
    """y = zeros, with each window's pixels added in their places: the transpose of Unfold.

    x (N, C kh kw, L) -> y (N, C, H, W)
    """

    def forward(self, x: Array) -> Array:
        n, c, _ = x.shape
        window, taps = self.window, self.window.kh * self.window.kw
        out = window.output_size(*self.size)
        x = x.reshape(n, c // taps, taps, *out)
        padded = zeros((n, c // taps, *window.padded_size(*self.size)), x)
        for k, place in enumerate(window.taps(padded, *out)):
            place += x[:, :, k]
        return window.cropped(padded, self.size)

    def backward(self, gy: Values) -> Values:
        return Unfold(self.window, self.size)(gy)

    def cost(self, y: Any, x: Any) -> Count:
        return Count(add=elements(x))


@batch_of_one(4)
def unfold(x: Values, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
           stride: Any = 1) -> Values:
    """The windows of x side by side.  x (N, C, H, W) -> (N, C kh kw, L), for L windows.

    Sizes are an int or a pair. Raises ValueError for sizes that do not fit, and unless x is images.
    """
    if x.ndim != 4:
        raise ValueError(f"unfold: needs images (N, C, H, W) or (C, H, W), got {x.shape}")
    window = Window.of(kernel_size, stride, padding, "unfold", dilation)
    window.output_size(*x.shape[2:])
    return Unfold(window, tuple(x.shape[2:]))(x)


@batch_of_one(3)
def fold(x: Values, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1) -> Values:
    """Windows added in their places, the transpose of `unfold`.

    x (N, C kh kw, L) -> (N, C, *output_size). Raises RuntimeError unless x has a column for each
    window and a row for each of its pixels.
    """
    size = pair(output_size, 1, "output_size", "fold")
    window = Window.of(kernel_size, stride, padding, "fold", dilation)
    oh, ow = window.output_size(*size)
    if x.ndim != 3 or x.shape[1] % (window.kh * window.kw) or x.shape[2] != oh * ow:
        raise RuntimeError(f"fold: input of shape {x.shape}, needs (N, C {window.kh} {window.kw}, "
                           f"{oh * ow}) for output_size {size}")
    return Fold(window, size)(x)


def pixel_shuffle(x: Values, upscale_factor: int) -> Values:
    """Channels as pixels.  x (..., C r^2, H, W) -> (..., C, H r, W r) with r = upscale_factor.

    Raises RuntimeError for a number of channels that r^2 does not divide. Shi et al., CVPR 2016.
    """
    *lead, c, h, w = x.shape
    r: int = upscale_factor
    n: int = len(lead)
    if r < 1 or c % r**2:
        raise RuntimeError(f"pixel_shuffle: {r}^2 does not divide the {c} channels of {x.shape}")
    y = reshape(x, (*lead, c // r**2, r, r, h, w))
    y = permute(y, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))  # (..., C, H, r, W, r)
    return reshape(y, (*lead, c // r**2, h * r, w * r))


def pixel_unshuffle(x: Values, downscale_factor: int) -> Values:
    """Pixels as channels, the inverse of `pixel_shuffle`.

    x (..., C, H r, W r) -> (..., C r^2, H, W) with r = downscale_factor. Raises RuntimeError for a
    height or width that r does not divide.
    """
    *lead, c, h, w = x.shape
    r: int = downscale_factor
    n: int = len(lead)
    if r < 1 or h % r or w % r:
        raise RuntimeError(f"pixel_unshuffle: {r} does not divide the size of {x.shape}")
    y = reshape(x, (*lead, c, h // r, r, w // r, r))
    y = permute(y, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))  # (..., C, r, r, H, W)
    return reshape(y, (*lead, c * r**2, h // r, w // r))


def channel_shuffle(x: Values, groups: int) -> Values:
    """The first channel of each group, then the second of each, ...  x (N, C, ...) -> the same.

    Raises RuntimeError unless `groups` divides C. Zhang et al., CVPR 2018.
    """
    n, c, *rest = x.shape
    if groups < 1 or c % groups:
        raise RuntimeError(f"channel_shuffle: {groups} groups of the {c} channels of {x.shape}")
    y = reshape(x, (n, groups, c // groups, math.prod(rest)))
    return reshape(permute(y, (0, 2, 1, 3)), x.shape)
