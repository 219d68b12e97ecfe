"""Layers that slide windows over images: convolution, its transpose, pooling, upsampling.

Each holds its settings and calls the op of its name, where the output sizes oh, ow are said. Sizes
of windows, strides, paddings and dilations are integers, or pairs (height, width).
"""

from minigrad import ops
from minigrad.arguments import integer, plain
from minigrad.engine import Tensor
from minigrad.kernels.runtime.window import Window
from minigrad.nn.layers import weight_and_bias
from minigrad.nn.module import Module, unusual
from minigrad.ops.pad import MODES

_Pair = int | tuple[int, int]


class _Convolution(Module):
    """What `Conv2d` and `ConvTranspose2d` share: sizes that are checked, parameters, and repr."""

    padding_mode = "zeros"  # the only one of a transposed convolution

    def __init__(self, in_channels: int, out_channels: int, kernel_size: _Pair, stride: _Pair,
                 padding: _Pair | str, dilation: _Pair, groups: int, bias: bool,
                 transposed: bool = False) -> None:
        name = type(self).__name__
        in_channels = integer(name, "in_channels", in_channels)
        out_channels = integer(name, "out_channels", out_channels)
        groups = integer(name, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: groups={groups} does not divide in_channels={in_channels} "
                             f"and out_channels={out_channels}")
        of = Window.of if transposed else Window.of_convolution
        window = of(kernel_size, stride, padding, name, dilation)
        self.stride, self.padding = plain(stride), plain(padding)
        self.dilation, self.groups = plain(dilation), groups
        self.channels = c, o = in_channels, out_channels
        first, second = (c, o) if transposed else (o, c)
        self.weight, self.bias = weight_and_bias(
            (first, second // groups, window.kh, window.kw), out_channels if bias else 0)

    def extra_repr(self) -> str:
        c, o = self.channels
        kh, kw = self.weight.shape[2:]
        return ", ".join([f"{c}, {o}, kernel_size=({kh}, {kw}), stride={self.stride}",
                          *unusual(self, padding=0, dilation=1, groups=1),
                          *(["bias=False"] if self.bias is None else []),
                          *unusual(self, padding_mode="zeros")])


class Conv2d(_Convolution):
    """Convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow); see `ops.conv2d`.

    weight (out_channels, in_channels/groups, kh, kw), bias (out_channels), or None if bias=False.
    padding_mode says what the padding holds: "zeros", or pixels of the image by a mode of `ops.pad`
    ("reflect", "replicate", "circular"). Raises ValueError for settings that do not fit together.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: _Pair, stride: _Pair = 1,
                 padding: _Pair | str = 0, dilation: _Pair = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros") -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                         bias)
        if padding_mode not in ("zeros", *MODES):
            raise ValueError(f"Conv2d: padding_mode must be 'zeros', "
                             f"{', '.join(map(repr, MODES))}, got {padding_mode!r}")
        self.padding_mode = padding_mode

    def forward(self, input: Tensor) -> Tensor:
        if self.padding_mode != "zeros":
            window = Window.of_convolution(tuple(self.weight.shape[2:]), self.stride, self.padding,
                                           "Conv2d", self.dilation)
            around = (window.pw, window.pw + window.ew, window.ph, window.ph + window.eh)
            return ops.conv2d(ops.pad(input, around, self.padding_mode), self.weight, self.bias,
                              self.stride, 0, self.dilation, self.groups)
        return ops.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation,
                          self.groups)


class ConvTranspose2d(_Convolution):
    """Transposed convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow); see
    `ops.conv_transpose2d`.

    weight (in_channels, out_channels/groups, kh, kw), bias (out_channels), or None if bias=False.
    Raises ValueError for settings that do not fit together.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: _Pair, stride: _Pair = 1,
                 padding: _Pair = 0, output_padding: _Pair = 0, groups: int = 1, bias: bool = True,
                 dilation: _Pair = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                         bias, transposed=True)
        self.output_padding = plain(output_padding)

    def forward(self, input: Tensor) -> Tensor:
        return ops.conv_transpose2d(input, self.weight, self.bias, self.stride, self.padding,
                                    self.output_padding, self.groups, self.dilation)

    def extra_repr(self) -> str:
        return ", ".join([super().extra_repr(), *unusual(self, output_padding=0)])


class _Pool2d(Module):
    """What `MaxPool2d` and `AvgPool2d` share: the window, whose stride is its size if None."""

    def __init__(self, kernel_size: _Pair, stride: _Pair | None, padding: _Pair, dilation: _Pair,
                 ceil_mode: bool) -> None:
        self.kernel_size, self.padding = plain(kernel_size), plain(padding)
        self.stride = self.kernel_size if stride is None else plain(stride)
        self.ceil_mode = bool(ceil_mode)
        Window.of(self.kernel_size, self.stride, self.padding, type(self).__name__, dilation)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """Largest element of each window.  x (N, C, H, W) -> (N, C, oh, ow); see `ops.max_pool2d`.

    stride None: kernel_size, so that windows lie side by side. return_indices=True: also where each
    element lies, as a second result of the same shape. Raises ValueError for settings that do not
    fit together.
    """

    def __init__(self, kernel_size: _Pair, stride: _Pair | None = None, padding: _Pair = 0,
                 dilation: _Pair = 1, ceil_mode: bool = False, *,
                 return_indices: bool = False) -> None:
        self.dilation, self.return_indices = plain(dilation), bool(return_indices)
        super().__init__(kernel_size, stride, padding, self.dilation, ceil_mode)

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return ops.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation,
                              self.ceil_mode, return_indices=self.return_indices)

    def extra_repr(self) -> str:
        text = f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        return ", ".join([text, *unusual(self, return_indices=False)])


class AvgPool2d(_Pool2d):
    """Mean of each window.  x (N, C, H, W) -> (N, C, oh, ow); see `ops.avg_pool2d`, which says
    which pixels count.

    stride None: kernel_size. Raises ValueError for settings that do not fit together.
    """

    def __init__(self, kernel_size: _Pair, stride: _Pair | None = None, padding: _Pair = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True,
                 divisor_override: int | None = None) -> None:
        super().__init__(kernel_size, stride, padding, 1, ceil_mode)
        self.count_include_pad = bool(count_include_pad)
        self.divisor_override = plain(divisor_override)

    def forward(self, input: Tensor) -> Tensor:
        return ops.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                              self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return ", ".join([super().extra_repr(), *unusual(
            self, ceil_mode=False, count_include_pad=True, divisor_override=None)])


class AdaptiveAvgPool2d(Module):
    """Mean of each bin, if the image is cut into output_size (rows, columns) of bins.

    x (N, C, H, W) -> (N, C, *output_size); see `ops.adaptive_avg_pool2d`. One integer stands for
    both sizes, None for as many bins as there are pixels; output_size=1 is the mean of the image.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        self.output_size = plain(output_size)

    def forward(self, input: Tensor) -> Tensor:
        return ops.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """Largest element of each bin; sizes as in `AdaptiveAvgPool2d`."""

    def forward(self, input: Tensor) -> Tensor:
        return ops.adaptive_max_pool2d(input, self.output_size)


class UpsamplingNearest2d(Module):
    """Each pixel repeated scale_factor times down and across, or as a pair (sh, sw) says.

    x (N, C, H, W) -> (N, C, H sh, W sw); see `ops.upsample_nearest2d`.
    """

    def __init__(self, scale_factor: _Pair) -> None:
        self.scale_factor = plain(scale_factor)

    def forward(self, input: Tensor) -> Tensor:
        return ops.upsample_nearest2d(input, self.scale_factor)

    def extra_repr(self) -> str:
        return f"scale_factor={self.scale_factor}"
