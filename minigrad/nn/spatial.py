"""Layers that slide windows over images: convolution, its transpose, pooling, upsampling."""

from __future__ import annotations

from minigrad import ops
from minigrad.kernels.window import Window
from minigrad.nn.layers import check_positive, weight_and_bias
from minigrad.nn.module import Module


class _Convolution(Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                 bias, transposed=False):
        name = type(self).__name__
        check_positive(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: groups={groups} does not divide in_channels={in_channels} "
                             f"and out_channels={out_channels}")
        same = padding == "same" and not transposed
        window = Window.of(kernel_size, stride, 0 if same else padding, name, dilation)
        if same and (window.sh, window.sw) != (1, 1):
            raise ValueError(f"{name}: padding='same' needs stride 1, got {stride!r}")
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        first, second = ((in_channels, out_channels) if transposed
                         else (out_channels, in_channels))
        self.weight, self.bias = weight_and_bias(
            (first, second // groups, window.kh, window.kw), out_channels if bias else 0)
        self.channels = in_channels, out_channels

    def extra_repr(self):
        c, o = self.channels
        kh, kw = self.weight.shape[2:]
        rest = {"padding": (self.padding, 0), "dilation": (self.dilation, 1),
                "groups": (self.groups, 1), "bias": (self.bias is not None, True)}
        return f"{c}, {o}, kernel_size=({kh}, {kw}), stride={self.stride}" + "".join(
            f", {name}={value!r}" for name, (value, default) in rest.items() if value != default)


class Conv2d(_Convolution):
    """Convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow); see `ops.conv2d`."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1,
                 groups=1, bias=True):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                         bias)

    def forward(self, x):
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation,
                          self.groups)


class ConvTranspose2d(_Convolution):
    """Transposed convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 output_padding=0, groups=1, bias=True, dilation=1):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                         bias, transposed=True)
        self.output_padding = output_padding

    def forward(self, x):
        return ops.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding,
                                    self.output_padding, self.groups, self.dilation)

    def extra_repr(self):
        more = f", output_padding={self.output_padding}" if self.output_padding else ""
        return super().extra_repr() + more


class MaxPool2d(Module):
    """Largest element of each window."""

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride, self.ceil_mode = kernel_size if stride is None else stride, ceil_mode
        Window.of(kernel_size, self.stride, padding, "MaxPool2d", dilation)

    def forward(self, x):
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation,
                              self.ceil_mode)

    def extra_repr(self):
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class AvgPool2d(Module):
    """Mean of each window, padding counted as zeros."""

    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        Window.of(kernel_size, self.stride, padding, "AvgPool2d")

    def forward(self, x):
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Mean over output_size bins per axis; output_size=1 is the global mean."""

    def __init__(self, output_size):
        self.output_size = output_size

    def forward(self, x):
        return ops.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """Largest element of output_size bins per axis."""

    def forward(self, x):
        return ops.adaptive_max_pool2d(x, self.output_size)


class UpsamplingNearest2d(Module):
    """Each pixel repeated scale_factor times down and across."""

    def __init__(self, scale_factor):
        self.scale_factor = scale_factor

    def forward(self, x):
        return ops.upsample_nearest2d(x, self.scale_factor)

    def extra_repr(self):
        return f"scale_factor={self.scale_factor}"
