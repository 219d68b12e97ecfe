"""Adaptive pooling: the mean or the maximum of bins that cut each axis into given numbers of parts.

Bin i of n covers the rows from floor(i H / n) to ceil((i + 1) H / n); bins may overlap.
"""

from __future__ import annotations

from minigrad.function import Function
from minigrad.kernels import adaptive as kernel
from minigrad.kernels.window import pair
from minigrad.ops.pool import avg_pool2d, check_images
from minigrad.ops.reduce import mean


class AdaptiveAvgPool2d(Function):
    """y = the mean of each bin.  x (N, C, H, W) -> y (N, C, *size)."""

    half_on_gpu = True

    def __init__(self, size):
        self.size = size

    def forward(self, x):
        self.from_size = x.shape[2:]
        return kernel.average(x, self.size)

    def backward(self, gy):
        return AdaptiveAvgPoolTranspose(self.from_size)(gy)


class AdaptiveAvgPoolTranspose(Function):
    """y = each g spread evenly over its bin.  g (N, C, oh, ow) -> (N, C, *size)."""

    half_on_gpu = True

    def __init__(self, size):
        self.size = size

    def forward(self, g):
        self.from_size = g.shape[2:]
        return kernel.average_transpose(g, self.size)

    def backward(self, gy):
        return AdaptiveAvgPool2d(self.from_size)(gy)


class AdaptiveMaxPool2d(Function):
    """y = the largest of each bin.  x (N, C, H, W) -> y (N, C, *size)."""

    half_on_gpu = True

    def __init__(self, size):
        self.size = size

    def forward(self, x):
        y, self.place = kernel.maximum(x, self.size)
        self.from_size = x.shape[2:]
        return y

    def backward(self, gy):
        return AdaptiveScatter(self.place, self.from_size)(gy)


class AdaptiveScatter(Function):
    """y = zeros, each g added where its bin's maximum stood: (N, C, oh, ow) -> (N, C, *size)."""

    half_on_gpu = True

    def __init__(self, place, size):
        self.place, self.size = place, size

    def forward(self, g):
        return kernel.scatter(g, self.place, self.size)

    def backward(self, gy):
        return AdaptiveGather(self.place)(gy)


class AdaptiveGather(Function):
    """y = the element of x where each bin's maximum stood: AdaptiveScatter's transpose."""

    half_on_gpu = True

    def __init__(self, place):
        self.place = place

    def forward(self, x):
        self.from_size = x.shape[2:]
        return kernel.gather(x, self.place)

    def backward(self, gy):
        return AdaptiveScatter(self.place, self.from_size)(gy)


def adaptive_avg_pool2d(x, output_size):
    """Mean of each bin.  x (N, C, H, W) -> (N, C, *output_size), an int or a pair.

    Raises ValueError for a size below 1.
    """
    oh, ow = pair(output_size, 1, "output_size", "adaptive_avg_pool2d")
    check_images("adaptive_avg_pool2d", x)
    h, w = x.shape[2:]
    if oh == ow == 1:
        return mean(x, (2, 3), keepdim=True)
    if h % oh == w % ow == 0:
        return avg_pool2d(x, (h // oh, w // ow))
    return AdaptiveAvgPool2d((oh, ow))(x)


def adaptive_max_pool2d(x, output_size):
    """Largest element of each bin, the first at ties; see adaptive_avg_pool2d."""
    size = tuple(pair(output_size, 1, "output_size", "adaptive_max_pool2d"))
    check_images("adaptive_max_pool2d", x)
    return AdaptiveMaxPool2d(size)(x)
