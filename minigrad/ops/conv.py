"""Two-dimensional convolution: three maps, each linear in both arguments.

    y  = conv(x, w)          <y, gy> = <x, gx> = <w, gw>
    gx = input map(gy, w)
    gw = weight map(x, gy)

The gradient of any of them is given by the other two, so derivatives of every order close here.
"""

from __future__ import annotations

from minigrad.function import Function
from minigrad.kernels import conv as kernel
from minigrad.kernels.window import Window
from minigrad.ops.operands import check_same_dtype
from minigrad.ops.reduce import sum


class Conv2d(Function):
    """y[n,o] = b[o] + sum_c x[n,c] correlated with w[o,c].

    x (N, C, H, W), w (O, C, kh, kw), b (O) -> y (N, O, oh, ow)
    """

    def __init__(self, window):
        self.window = window

    def forward(self, x, w, b=None):
        self.size = x.shape[2:]
        y = kernel.forward(x, w, self.window)
        return y if b is None else y + b.reshape(-1, 1, 1)

    def grad_x(self, gy, w):
        return ConvInputGradient(self.window, self.size)(gy, w)

    def grad_w(self, gy, x):
        return ConvWeightGradient(self.window, self.size)(x, gy)

    def grad_b(self, gy):
        return sum(gy, (0, 2, 3))


class ConvInputGradient(Function):
    """The transpose of x -> conv(x, w).  g (N, O, oh, ow), w (O, C, kh, kw) -> (N, C, H, W)."""

    def __init__(self, window, size):
        self.window, self.size = window, size

    def forward(self, g, w):
        return kernel.input_gradient(g, w, self.window, self.size)

    def grad_g(self, gy, w):
        return Conv2d(self.window)(gy, w)

    def grad_w(self, gy, g):
        return ConvWeightGradient(self.window, self.size)(gy, g)


class ConvWeightGradient(Function):
    """The transpose of w -> conv(x, w).  x (N, C, H, W), g (N, O, oh, ow) -> (O, C, kh, kw)."""

    def __init__(self, window, size):
        self.window, self.size = window, size

    def forward(self, x, g):
        return kernel.weight_gradient(x, g, self.window)

    def grad_x(self, gy, g):
        return ConvInputGradient(self.window, self.size)(g, gy)

    def grad_g(self, gy, x):
        return Conv2d(self.window)(x, gy)


def conv2d(x, w, b=None, stride=1, padding=0):
    """Cross-correlate images with filters; stride and padding are ints or (vertical, horizontal).

    x (N, C, H, W), w (O, C, kh, kw), b (O) or None -> (N, O, oh, ow) with
    oh = floor((H + 2 padding - kh) / stride) + 1. Raises ValueError naming what does not fit,
    TypeError if the dtypes differ.
    """
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1]:
        raise ValueError(f"conv2d: input {x.shape} does not fit weight {w.shape}: "
                         "(N, C, H, W) and (O, C, kh, kw) with the same C")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"conv2d: bias of shape {b.shape} for {w.shape[0]} filters")
    check_same_dtype("conv2d", x, w, b)
    window = Window.of(tuple(w.shape[2:]), stride, padding, "conv2d")
    return Conv2d(window)(x, w) if b is None else Conv2d(window)(x, w, b)
