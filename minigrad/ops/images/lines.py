"""Convolution and pooling of lines (N, C, L), or (C, L): those of images with one row.

What they do, and their errors, are those of the ops on images. Sizes are integers, or tuples of
one.
"""

from typing import Any

from minigrad.engine import Values
from minigrad.ops.conv import conv2d, conv_transpose2d
from minigrad.ops.pool import adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d
from minigrad.ops.shape import squeeze, unsqueeze


def conv1d(x: Values, w: Values, b: Values | None = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Values:
    """`conv2d` of lines.  x (N, C, L), w (O, C/groups, k), b (O) or None -> (N, O, ol)."""
    y = conv2d(_image("conv1d", x), _image("conv1d", w), b, across(stride, 1), across(padding, 0),
               across(dilation, 1), groups)
    return squeeze(y, -2)


def conv_transpose1d(x: Values, w: Values, b: Values | None = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Values:
    """`conv_transpose2d` of lines.  x (N, C, L), w (C, O/groups, k), b (O) or None -> (N, O, ol).
    """
    name = "conv_transpose1d"
    y = conv_transpose2d(_image(name, x), _image(name, w), b, across(stride, 1), across(padding, 0),
                         across(output_padding, 0), groups, across(dilation, 1))
    return squeeze(y, -2)


def max_pool1d(x: Values, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """`max_pool2d` of lines.  x (N, C, L) -> (N, C, ol), with `return_indices` a pair of them."""
    y = max_pool2d(_image("max_pool1d", x), across(kernel_size, 1), across(stride, 1),
                   across(padding, 0), across(dilation, 1), ceil_mode, return_indices)
    return tuple(squeeze(part, -2) for part in y) if return_indices else squeeze(y, -2)


def avg_pool1d(x: Values, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Values:
    """`avg_pool2d` of lines.  x (N, C, L) -> (N, C, ol)."""
    y = avg_pool2d(_image("avg_pool1d", x), across(kernel_size, 1), across(stride, 1),
                   across(padding, 0), ceil_mode, count_include_pad)
    return squeeze(y, -2)


def adaptive_avg_pool1d(x: Values, output_size: Any) -> Values:
    """`adaptive_avg_pool2d` of lines.  x (N, C, L) -> (N, C, output_size)."""
    return squeeze(adaptive_avg_pool2d(_image("adaptive_avg_pool1d", x), across(output_size, 1)),
                   -2)


def adaptive_max_pool1d(x: Values, output_size: Any) -> Values:
    """`adaptive_max_pool2d` of lines.  x (N, C, L) -> (N, C, output_size)."""
    return squeeze(adaptive_max_pool2d(_image("adaptive_max_pool1d", x), across(output_size, 1)),
                   -2)


def across(value: Any, along: int) -> Any:
    """A size for lines as a pair (vertical, horizontal) for images; None and words stay."""
    if isinstance(value, (tuple, list)):
        (value,) = value
    return value if value is None or isinstance(value, str) else (along, value)


def _image(name: str, x: Values) -> Values:
    if x.ndim not in (2, 3):
        raise ValueError(f"{name}: needs lines (N, C, L) or (C, L), got {x.shape}")
    return unsqueeze(x, -2)
