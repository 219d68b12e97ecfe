"""Max and average pooling, torch's conventions: ties to the first, padding -inf for the maximum and
counted zeros for the mean."""

from __future__ import annotations

from minigrad.function import Function
from minigrad.kernels import pool as kernel
from minigrad.kernels.window import Window, pair
from minigrad.ops.reduce import floating
from minigrad.ops.shape import expand, permute, reshape
from minigrad.tensor import Tensor


class MaxPool2d(Function):
    """y = the largest of each window.  x (N, C, H, W) -> y (N, C, oh, ow)."""

    half_on_gpu = True

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

    half_on_gpu = True

    def __init__(self, winner, window, size):
        self.winner, self.window, self.size = winner, window, size

    def forward(self, g):
        return kernel.scatter(g, self.winner, self.window, self.size)

    def backward(self, gy):
        return Gather(self.winner, self.window)(gy)


class Gather(Function):
    """y = the element of x where each window's maximum stood: Scatter's transpose."""

    half_on_gpu = True

    def __init__(self, winner, window):
        self.winner, self.window = winner, window

    def forward(self, x):
        self.size = x.shape[2:]
        return kernel.gather(x, self.winner, self.window)

    def backward(self, gy):
        return Scatter(self.winner, self.window, self.size)(gy)


class AvgPool2d(Function):
    """y = the mean of each window.  x (N, C, H, W) -> y (N, C, oh, ow)."""

    half_on_gpu = True

    def __init__(self, window):
        self.window = window

    def forward(self, x):
        self.size = x.shape[2:]
        return kernel.average(x, self.window)

    def backward(self, gy):
        return AvgPoolTranspose(self.window, self.size)(gy)


class AvgPoolTranspose(Function):
    """y = each g spread evenly over its window.  g (N, C, oh, ow) -> (N, C, H, W)."""

    half_on_gpu = True

    def __init__(self, window, size):
        self.window, self.size = window, size

    def forward(self, g):
        return kernel.average_transpose(g, self.window, self.size)

    def backward(self, gy):
        return AvgPool2d(self.window)(gy)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    """Largest element of each window; sizes are ints or pairs, stride defaults to kernel_size.

    x (N, C, H, W) -> (N, C, oh, ow). `ceil_mode` rounds the output size up, unless the last window
    would start in the padding; `return_indices` adds the winners' places, row * W + column, as in
    torch. Raises ValueError naming the parameter that does not fit.
    """
    window = _window("max_pool2d", x, kernel_size, stride, padding, dilation)
    if ceil_mode:
        eh, ew = (_ceil_extra(*sizes) for sizes in zip(
            x.shape[2:], window.span, window[2:4], window[4:6]))
        window = window._replace(eh=eh, ew=ew)
    op = MaxPool2d(window)
    y = op(x)
    if not return_indices:
        return y
    places = kernel.positions(op.winner, window, x.shape[3])
    return y, Tensor(places) if isinstance(x, Tensor) else places


def avg_pool2d(x, kernel_size, stride=None, padding=0):
    """Mean of each window, padding counted as zeros; see max_pool2d."""
    return AvgPool2d(_window("avg_pool2d", x, kernel_size, stride, padding, 1))(x)


def upsample_nearest2d(x, scale_factor):
    """Each pixel repeated scale_factor (an int or a pair) times down and across.

    x (N, C, H, W) -> (N, C, H sh, W sw), torch's upsample with mode "nearest".
    """
    sh, sw = pair(scale_factor, 1, "scale_factor", "upsample_nearest2d")
    check_images("upsample_nearest2d", x)
    n, c, h, w = x.shape
    y = reshape(permute(x, (0, 2, 3, 1)), (n, h, 1, w, 1, c))
    y = reshape(expand(y, (n, h, sh, w, sw, c)), (n, h * sh, w * sw, c))
    return permute(y, (0, 3, 1, 2))  # channels-last


def _ceil_extra(size, span, stride, pad):
    """Padding at the end that the last window of ceil_mode needs; 0 if there is no such window."""
    rest = (size + 2 * pad - span) % stride
    last = (size + 2 * pad - span) // stride + 1  # its number if there is one
    return stride - rest if rest and last * stride < size + pad else 0


def _window(name, x, kernel_size, stride, padding, dilation):
    check_images(name, x)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, name,
                       dilation)
    if 2 * window.ph > window.kh or 2 * window.pw > window.kw:
        raise ValueError(f"{name}: padding must be at most half of kernel_size, got "
                         f"padding {padding!r} for kernel_size {kernel_size!r}")
    return window


def check_images(name, x):
    """ValueError naming the op unless x is a batch of images, TypeError for integers."""
    if x.ndim != 4:
        raise ValueError(f"{name}: needs images (N, C, H, W), got shape {x.shape}")
    floating(name, x)
