"""Layers for images, and for lines: convolution and its transpose, pooling, padding, other sizes.

Each holds its settings and calls the op of its name, where the output sizes oh, ow are said. Sizes
of windows, strides, paddings and dilations are integers, or pairs (height, width).
"""

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import ops
from minigrad.arguments import integer, plain
from minigrad.engine import Tensor
from minigrad.kernels.runtime.window import Window
from minigrad.nn.layers import OpLayer, weight_and_bias
from minigrad.nn.module import Module, unusual
from minigrad.ops.images.lines import across
from minigrad.ops.pad import MODES

_Pair = int | tuple[int, int]


class _Convolution(Module):
    """What `Conv2d` and `ConvTranspose2d` share: sizes that are checked, parameters, and repr."""

    axes = 2  # of a filter; 1 for lines
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
        of, sizes = Window.of if transposed else Window.of_convolution, (
            kernel_size, stride, padding, dilation)
        k, s, p, d = sizes if self.axes == 2 else map(across, sizes, (1, 1, 0, 1))
        window = of(k, s, p, name, d)
        self.around = (window.pw, window.pw + window.ew, window.ph,
                       window.ph + window.eh)[:2 * self.axes]
        self.stride, self.padding = plain(stride), plain(padding)
        self.dilation, self.groups = plain(dilation), groups
        self.channels = c, o = in_channels, out_channels
        first, second = (c, o) if transposed else (o, c)
        self.weight, self.bias = weight_and_bias(
            (first, second // groups, *window[2 - self.axes:2]), out_channels if bias else 0)

    def extra_repr(self) -> str:
        c, o = self.channels
        return ", ".join([f"{c}, {o}, kernel_size={tuple(self.weight.shape[2:])}, "
                          f"stride={self.stride}",
                          *unusual(self, padding=0, dilation=1, groups=1),
                          *(["bias=False"] if self.bias is None else []),
                          *unusual(self, padding_mode="zeros")])


class Conv2d(_Convolution):
    """Convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow); see `ops.conv2d`.

    weight (out_channels, in_channels/groups, kh, kw), bias (out_channels), or None if bias=False.
    padding_mode says what the padding holds: "zeros", or pixels of the image by a mode of `ops.pad`
    ("reflect", "replicate", "circular"). Raises ValueError for settings that do not fit together.
    """

    op: Callable[..., Tensor] = staticmethod(ops.conv2d)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: _Pair, stride: _Pair = 1,
                 padding: _Pair | str = 0, dilation: _Pair = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros") -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                         bias)
        if padding_mode not in ("zeros", *MODES):
            raise ValueError(f"{type(self).__name__}: padding_mode must be 'zeros', "
                             f"{', '.join(map(repr, MODES))}, got {padding_mode!r}")
        self.padding_mode = padding_mode

    def forward(self, input: Tensor, op: Callable[..., Tensor] | None = None) -> Tensor:
        """The convolution; by another op with the same parameters where `minigrad.nn.fuse` has one.
        """
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = ops.pad(input, self.around, self.padding_mode), 0
        return (op or self.op)(input, self.weight, self.bias, self.stride, padding, self.dilation,
                               self.groups)


class Conv1d(Conv2d):
    """`Conv2d` of lines.  x (N, in_channels, L) -> (N, out_channels, ol); weight (out_channels,
    in_channels/groups, k)."""

    axes = 1
    op = staticmethod(ops.conv1d)


class ConvTranspose2d(_Convolution):
    """Transposed convolution.  x (N, in_channels, H, W) -> (N, out_channels, oh, ow); see
    `ops.conv_transpose2d`.

    weight (in_channels, out_channels/groups, kh, kw), bias (out_channels), or None if bias=False.
    Raises ValueError for settings that do not fit together.
    """

    op: Callable[..., Tensor] = staticmethod(ops.conv_transpose2d)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: _Pair, stride: _Pair = 1,
                 padding: _Pair = 0, output_padding: _Pair = 0, groups: int = 1, bias: bool = True,
                 dilation: _Pair = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                         bias, transposed=True)
        self.output_padding = plain(output_padding)

    def forward(self, input: Tensor) -> Tensor:
        return self.op(input, self.weight, self.bias, self.stride, self.padding,
                       self.output_padding, self.groups, self.dilation)

    def extra_repr(self) -> str:
        return ", ".join([super().extra_repr(), *unusual(self, output_padding=0)])


class ConvTranspose1d(ConvTranspose2d):
    """`ConvTranspose2d` of lines.  x (N, in_channels, L) -> (N, out_channels, ol)."""

    axes = 1
    op = staticmethod(ops.conv_transpose1d)


class _Pool2d(OpLayer):
    """What `MaxPool2d` and `AvgPool2d` share: the window, whose stride is its size if None."""

    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any = 1

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.stride = self.kernel_size if self.stride is None else self.stride
        Window.of(self.kernel_size, self.stride, self.padding, type(self).__name__, self.dilation)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d, op=ops.max_pool2d):
    """Largest element of each window.  x (N, C, H, W) -> (N, C, oh, ow); see `ops.max_pool2d`.

    stride None: kernel_size, so that windows lie side by side. return_indices=True: also where each
    element lies, as a second result of the same shape. Raises ValueError for settings that do not
    fit together.
    """

    def __init__(self, kernel_size: _Pair, stride: _Pair | None = None, padding: _Pair = 0,
                 dilation: _Pair = 1, return_indices: bool = False,
                 ceil_mode: bool = False) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    def extra_repr(self) -> str:
        return ", ".join([super().extra_repr(), *unusual(   # the first two are always said
            self, dilation=None, ceil_mode=None, return_indices=False)])


class AvgPool2d(_Pool2d, op=ops.avg_pool2d):
    """Mean of each window.  x (N, C, H, W) -> (N, C, oh, ow); see `ops.avg_pool2d`, which says
    which pixels count.

    stride None: kernel_size. Raises ValueError for settings that do not fit together.
    """

    def extra_repr(self) -> str:
        return ", ".join([super().extra_repr(), *unusual(
            self, ceil_mode=False, count_include_pad=True, divisor_override=None)])


class AdaptiveAvgPool2d(OpLayer, op=ops.adaptive_avg_pool2d):
    """Mean of each bin, if the image is cut into output_size (rows, columns) of bins.

    x (N, C, H, W) -> (N, C, *output_size); see `ops.adaptive_avg_pool2d`. One integer stands for
    both sizes, None for as many bins as there are pixels; output_size=1 is the mean of the image.
    """


class AdaptiveMaxPool2d(OpLayer, op=ops.adaptive_max_pool2d):
    """Largest element of each bin; sizes as in `AdaptiveAvgPool2d`."""


class AdaptiveAvgPool1d(OpLayer, op=ops.adaptive_avg_pool1d):
    """`AdaptiveAvgPool2d` of lines (N, C, L)."""


class AdaptiveMaxPool1d(OpLayer, op=ops.adaptive_max_pool1d):
    """`AdaptiveMaxPool2d` of lines (N, C, L)."""


class AvgPool1d(OpLayer, op=ops.avg_pool1d):
    """`AvgPool2d` of lines (N, C, L); see `ops.avg_pool1d`."""


class MaxPool1d(OpLayer, op=ops.max_pool1d):
    """`MaxPool2d` of lines (N, C, L); see `ops.max_pool1d`."""

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0,
                 dilation: int = 1, return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode, return_indices)


class Upsample(OpLayer, op=ops.interpolate):
    """x in another size, or scale_factor times as large, by the nearest pixel or by sums of
    neighbours; see `ops.interpolate`."""


def _nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    return ops.interpolate(input, size, scale_factor)


def _bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    return ops.interpolate(input, size, scale_factor, "bilinear", True)


class UpsamplingNearest2d(OpLayer, op=_nearest):
    """`Upsample` of images with mode "nearest": each pixel repeated, for a whole scale_factor."""


class UpsamplingBilinear2d(OpLayer, op=_bilinear):
    """`Upsample` of images with mode "bilinear" and align_corners."""


class PixelShuffle(OpLayer, op=ops.pixel_shuffle):
    """`ops.pixel_shuffle`: channels as pixels, upscale_factor times as many each way."""


class PixelUnshuffle(OpLayer, op=ops.pixel_unshuffle):
    """`ops.pixel_unshuffle`: pixels as channels."""


class ChannelShuffle(OpLayer, op=ops.channel_shuffle):
    """`ops.channel_shuffle`: the channels of all groups by turns."""


class _Pad(Module):
    """`ops.pad` of the last `axes` axes: padding is one width, or two for each axis, last first."""

    axes, mode = 2, "constant"
    value: float | None = None

    def __init__(self, padding: int | Sequence[int]) -> None:
        widths: Any = plain(padding)
        self.padding = (widths,) * 2 * self.axes if isinstance(widths, int) else tuple(widths)

    def forward(self, input: Tensor) -> Tensor:
        return ops.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return ", ".join([f"padding={self.padding}", *unusual(self, value=None)])


class ZeroPad1d(_Pad):
    """`ops.pad` of lines with zeros; padding is a width, or (left, right)."""

    axes = 1


class ZeroPad2d(_Pad):
    """`ops.pad` of images with zeros; padding is a width, or (left, right, top, bottom)."""


class ConstantPad2d(_Pad):
    """`ops.pad` of images with a value; padding as in `ZeroPad2d`."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = plain(value)


class ConstantPad1d(ConstantPad2d):
    """`ops.pad` of lines with a value; padding as in `ZeroPad1d`."""

    axes = 1


class ReflectionPad2d(_Pad):
    """`ops.pad` of images with mode "reflect"; padding as in `ZeroPad2d`."""

    mode = "reflect"


class ReflectionPad1d(ReflectionPad2d):
    """`ops.pad` of lines with mode "reflect"; padding as in `ZeroPad1d`."""

    axes = 1


class ReplicationPad2d(_Pad):
    """`ops.pad` of images with mode "replicate"; padding as in `ZeroPad2d`."""

    mode = "replicate"


class ReplicationPad1d(ReplicationPad2d):
    """`ops.pad` of lines with mode "replicate"; padding as in `ZeroPad1d`."""

    axes = 1


class CircularPad2d(_Pad):
    """`ops.pad` of images with mode "circular"; padding as in `ZeroPad2d`."""

    mode = "circular"


class CircularPad1d(CircularPad2d):
    """`ops.pad` of lines with mode "circular"; padding as in `ZeroPad1d`."""

    axes = 1
