"""The layers: each holds its parameters and hyper-parameters, and calls one op."""

from __future__ import annotations

import math

import numpy as np

from minigrad import ops
from minigrad.kernels.window import Window
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter


def _weight_and_bias(shape, bias):
    """torch's default: both U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    weight = Parameter(np.empty(shape, np.float32))
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if not bias:
        return weight, None
    bound = 1 / math.sqrt(init.fans(weight)[0])
    return weight, init.uniform_(Parameter(np.empty(shape[0], np.float32)), -bound, bound)


class Linear(Module):
    """y = x w^T + b.  x (..., in_features) -> (..., out_features)."""

    def __init__(self, in_features, out_features, bias=True):
        _positive("Linear", in_features=in_features, out_features=out_features)
        self.weight, self.bias = _weight_and_bias((out_features, in_features), bias)

    def forward(self, x):
        return ops.linear(x, self.weight, self.bias)

    def extra_repr(self):
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}" + (", bias=False" if self.bias is None else "")


class Conv2d(Module):
    """Two-dimensional convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
        _positive("Conv2d", in_channels=in_channels, out_channels=out_channels)
        kh, kw, *_ = Window.of(kernel_size, stride, padding, "Conv2d")
        self.stride, self.padding = stride, padding
        self.weight, self.bias = _weight_and_bias((out_channels, in_channels, kh, kw), bias)

    def forward(self, x):
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def extra_repr(self):
        o, c, kh, kw = self.weight.shape
        return (f"{c}, {o}, kernel_size=({kh}, {kw}), stride={self.stride}, padding={self.padding}"
                + (", bias=False" if self.bias is None else ""))


class _Pool2d(Module):
    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        Window.of(kernel_size, self.stride, padding, type(self).__name__)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """Largest element of each window."""

    def forward(self, x):
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """Mean of each window, padding counted as zeros."""

    def forward(self, x):
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class Flatten(Module):
    """(N, ...) -> (N, everything else in one axis)."""

    def forward(self, x):
        return ops.flatten(x, 1)


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1 / (1 - p)."""

    def __init__(self, p=0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie in [0, 1], got {p}")
        self.p = p

    def forward(self, x):
        return ops.dropout(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"


class Sigmoid(Module):
    """Logistic function."""

    def forward(self, x):
        return ops.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x):
        return ops.tanh(x)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x):
        return ops.relu(x)


class LeakyReLU(Module):
    """x for x > 0, negative_slope x otherwise."""

    def __init__(self, negative_slope=0.01):
        if not negative_slope >= 0:
            raise ValueError(f"LeakyReLU: negative_slope must be >= 0, got {negative_slope}")
        self.negative_slope = negative_slope

    def forward(self, x):
        return ops.leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class Softplus(Module):
    """ln(1 + e^x)."""

    def forward(self, x):
        return ops.softplus(x)


def _positive(name, **sizes):
    for key, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: {key} must be a positive integer, got {value!r}")
