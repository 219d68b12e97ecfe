"""Max and average pooling, torch's conventions: ties to the first, padding -inf for the maximum and
counted zeros for the mean."""

from __future__ import annotations

from minigrad.function import Function
from minigrad.kernels import pool as kernel
from minigrad.kernels.window import Window
from minigrad.ops.reduce import floating


class MaxPool2d(Function):
    """y = the largest of each window.  x (N, C, H, W) -> y (N, C, oh, ow)."""

    def __init__(self, window):
        self.window = window

    def forward(self, x):
        y, self.winner = kernel.maximum(x, self.window)
        self.size = x.shape[2:]
        return y

    def backward(self, gy):
        return Scatter(self.winner, self.window, self.size)(gy)


class Scatter(Function):
    """y = zeros, each g added where its window's maximum stood: (N, C, oh, ow) -> (N, C, H, W)."""

    def __init__(self, winner, window, size):
        self.winner, self.window, self.size = winner, window, size

    def forward(self, g):
        return kernel.scatter(g, self.winner, self.window, self.size)

    def backward(self, gy):
        return Gather(self.winner, self.window)(gy)


class Gather(Function):
    """y = the element of x where each window's maximum stood: Scatter's transpose."""

    def __init__(self, winner, window):
        self.winner, self.window = winner, window

    def forward(self, x):
        self.size = x.shape[2:]
        return kernel.gather(x, self.winner, self.window)

    def backward(self, gy):
        return Scatter(self.winner, self.window, self.size)(gy)


class AvgPool2d(Function):
    """y = the mean of each window.  x (N, C, H, W) -> y (N, C, oh, ow)."""

    def __init__(self, window):
        self.window = window

    def forward(self, x):
        self.size = x.shape[2:]
        return kernel.average(x, self.window)

    def backward(self, gy):
        return AvgPoolTranspose(self.window, self.size)(gy)


class AvgPoolTranspose(Function):
    """y = each g spread evenly over its window.  g (N, C, oh, ow) -> (N, C, H, W)."""

    def __init__(self, window, size):
        self.window, self.size = window, size

    def forward(self, g):
        return kernel.average_transpose(g, self.window, self.size)

    def backward(self, gy):
        return AvgPool2d(self.window)(gy)


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """Largest element of each window; sizes are ints or pairs, stride defaults to kernel_size.

    x (N, C, H, W) -> (N, C, oh, ow). Raises ValueError naming the parameter that does not fit.
    """
    return MaxPool2d(_window("max_pool2d", x, kernel_size, stride, padding))(x)


def avg_pool2d(x, kernel_size, stride=None, padding=0):
    """Mean of each window, padding counted as zeros; see max_pool2d."""
    return AvgPool2d(_window("avg_pool2d", x, kernel_size, stride, padding))(x)


def _window(name, x, kernel_size, stride, padding):
    if x.ndim != 4:
        raise ValueError(f"{name}: needs images (N, C, H, W), got shape {x.shape}")
    floating(name, x)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, name)
    if 2 * window.ph > window.kh or 2 * window.pw > window.kw:
        raise ValueError(f"{name}: padding must be at most half of kernel_size, got "
                         f"padding {padding!r} for kernel_size {kernel_size!r}")
    return window
