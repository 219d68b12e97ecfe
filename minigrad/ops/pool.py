"""Max and average pooling, by torch's conventions: of windows, or of bins that cut up an image.

Of equal maxima the first wins, of several NaNs the last. Padding is -inf for the maximum; for the
mean it is zeros, which count. Adaptive pooling cuts each axis into a given number of bins. Bin i of
n covers the rows from floor(i H / n) to ceil((i + 1) H / n); bins may overlap.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minigrad.arguments import is_integer
from minigrad.backend import Array, array_module
from minigrad.engine import Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.pool import cpu as kernel
from minigrad.kernels.runtime.window import Window, pair
from minigrad.ops.conv import Size
from minigrad.ops.cost import Count, elements
from minigrad.ops.operands import batch_of_one, in_float32
from minigrad.ops.reduce import check_floating, mean
from minigrad.ops.shape import expand, permute, reshape


class LinearMap(Function):
    """y = there(x), and its gradient back(gy): a linear map and its transpose."""

    half_on_gpu = True

    def __init__(self, there: Callable[[Array], Array], back: Callable[[Array], Array]) -> None:
        self.there, self.back = there, back

    def forward(self, x: Array) -> Array:
        return self.there(x)

    def backward(self, gy: Values) -> Values:
        return LinearMap(self.back, self.there)(gy)


class MaxPool2d(Function):
    """y = the largest of each window.  x (N, C, H, W) -> y (N, C, oh, ow)."""

    half_on_gpu = True

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array) -> Array:
        y, self.winner = kernel.maximum(x, self.window)
        self.size = x.shape[2:]
        return y

    def backward(self, gy: Values) -> Values:
        places = {"winner": self.winner, "window": self.window}
        return LinearMap(partial(kernel.scatter, **places, size=self.size),
                         partial(kernel.gather, **places))(gy)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        return Count(compare=elements(y) * (self.window.kh * self.window.kw - 1))


class AvgPool2d(Function):
    """y = the mean of each window.  x (N, C, H, W) -> y (N, C, oh, ow)."""

    half_on_gpu = True

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array) -> Array:
        self.size = x.shape[2:]
        return kernel.average(x, self.window)

    def backward(self, gy: Values) -> Values:
        return LinearMap(partial(kernel.average_transpose, window=self.window, size=self.size),
                         partial(kernel.average, window=self.window))(gy)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        return Count(add=elements(y) * (self.window.kh * self.window.kw - 1), other=elements(y))


class AdaptiveAvgPool2d(Function):
    """y = the mean of each bin.  x (N, C, H, W) -> y (N, C, *size)."""

    half_on_gpu = True

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def forward(self, x: Array) -> Array:
        self.from_size = x.shape[2:]
        return adaptive.average(x, self.size)

    def backward(self, gy: Values) -> Values:
        return LinearMap(partial(adaptive.average_transpose, size=self.from_size),
                         partial(adaptive.average, size=self.size))(gy)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """Rows first, as kernels/adaptive/cpu.py does: a sum and a division for each bin."""
        (n, c, h, w), (oh, ow) = x.shape, y.shape[2:]
        adds = (_covered(h, oh) - oh) * w + oh * (_covered(w, ow) - ow)
        return Count(add=n * c * adds, other=n * c * (oh * w + oh * ow))


class AdaptiveMaxPool2d(Function):
    """y = the largest of each bin.  x (N, C, H, W) -> y (N, C, *size)."""

    half_on_gpu = True

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def forward(self, x: Array) -> Array:
        y, self.place = adaptive.maximum(x, self.size)
        self.from_size = x.shape[2:]
        return y

    def backward(self, gy: Values) -> Values:
        return LinearMap(partial(adaptive.scatter, place=self.place, size=self.from_size),
                         partial(adaptive.gather, place=self.place))(gy)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """All but one pixel of each bin cost a comparison."""
        (n, c, h, w), (oh, ow) = x.shape, y.shape[2:]
        return Count(compare=n * c * (_covered(h, oh) * _covered(w, ow) - oh * ow))


@batch_of_one(4)
def max_pool2d(x: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
               dilation: Size = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Largest element of each window.  x (N, C, H, W) or (C, H, W) -> (N, C, oh, ow).

    Sizes are an int or a pair (vertical, horizontal); stride defaults to kernel_size. `ceil_mode`
    rounds the output size up, unless the last window would start in the padding. With
    `return_indices` the result is a pair, whose second part says where in x each maximum is:
    row * W + column, as in torch. Raises ValueError naming the parameter that does not fit,
    TypeError for integers.
    """
    window = _window("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)
    op = MaxPool2d(window)
    y = op(x)
    if not return_indices:
        return y
    places = kernel.positions(op.winner, window, x.shape[3])
    return y, Tensor(places) if isinstance(x, Tensor) else places


@batch_of_one(4)
def avg_pool2d(x: Values, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Values:
    """Mean of each window.  x (N, C, H, W) or (C, H, W) -> (N, C, oh, ow).

    Sizes and errors are as in `max_pool2d`. The padding counts as zeros; without
    `count_include_pad` it does not count. With `ceil_mode` a last window can reach beyond the
    padding, and what lies there never counts. `divisor_override`, an integer other than 0, replaces
    the number of pixels by which the sums are divided.
    """
    window = _window("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    counts = _counts(window, x.shape[2:], count_include_pad)
    if divisor_override is not None:
        if not is_integer(divisor_override) or divisor_override == 0:
            raise ValueError("avg_pool2d: divisor_override must be an integer other than 0, got "
                             f"{divisor_override!r}")
        counts = int(divisor_override)
    return AvgPool2d(window)(x) if counts is None else _mean_over(window, x, counts)


@in_float32()
def _mean_over(window: Window, x: Values, counts: Any) -> Values:
    """The sum of each window divided by `counts`, a number or an array (oh, ow)."""
    factor = window.kh * window.kw / counts
    if not isinstance(factor, float):
        factor = array_module(data_of(x)).asarray(factor, x.dtype)
    return AvgPool2d(window)(x) * factor


@batch_of_one(4)
def adaptive_avg_pool2d(x: Values, output_size: Any) -> Values:
    """Mean of each bin.  x (N, C, H, W) or (C, H, W) -> (N, C, oh, ow).

    output_size: (oh, ow), or an int for both; None in place of a size keeps that of x. Raises
    ValueError for a size below 1 and unless x is a batch of images, TypeError for integers.
    """
    oh, ow = _size("adaptive_avg_pool2d", x, output_size)
    h, w = x.shape[2:]
    if oh == ow == 1:
        return mean(x, (2, 3), keepdim=True)
    if h % oh == w % ow == 0:
        return avg_pool2d(x, (h // oh, w // ow))
    return AdaptiveAvgPool2d((oh, ow))(x)


@batch_of_one(4)
def adaptive_max_pool2d(x: Values, output_size: Any) -> Values:
    """Largest element of each bin, the first at ties.  x (N, C, H, W) -> (N, C, oh, ow).

    Sizes and errors are those of `adaptive_avg_pool2d`.
    """
    return AdaptiveMaxPool2d(_size("adaptive_max_pool2d", x, output_size))(x)


def upsample_nearest2d(x: Values, scale_factor: Size) -> Values:
    """Each pixel repeated scale_factor times: torch's upsample with mode "nearest".

    x (N, C, H, W) -> (N, C, H sh, W sw), where scale_factor is (sh, sw), or an int for both.
    Raises ValueError unless x is a batch of images, TypeError for integers.
    """
    sh, sw = pair(scale_factor, 1, "scale_factor", "upsample_nearest2d")
    check_images("upsample_nearest2d", x)
    n, c, h, w = x.shape
    y = reshape(permute(x, (0, 2, 3, 1)), (n, h, 1, w, 1, c))
    y = reshape(expand(y, (n, h, sh, w, sw, c)), (n, h * sh, w * sw, c))
    return permute(y, (0, 3, 1, 2))  # channels-last


def _window(name: str, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
            ceil_mode: bool) -> Window:
    check_images(name, x)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, name,
                       dilation)
    if 2 * window.ph > window.kh or 2 * window.pw > window.kw:
        raise ValueError(f"{name}: padding must be at most half of kernel_size, got "
                         f"padding {padding!r} for kernel_size {kernel_size!r}")
    if not ceil_mode:
        return window
    eh, ew = (_ceil_extra(*sizes) for sizes in zip(
        x.shape[2:], window.span, window[2:4], window[4:6]))
    return window._replace(eh=eh, ew=ew)


def _ceil_extra(size: int, span: int, stride: int, pad: int) -> int:
    """The padding at the end that ceil_mode needs for one more window; 0 if it adds none."""
    before, rest = divmod(size + 2 * pad - span, stride)
    return stride - rest if rest and (before + 1) * stride < size + pad else 0


def _counts(window: Window, size: tuple[int, ...], count_include_pad: bool) -> Any:
    """How many pixels of each window count, (oh, ow); None if it is the same number for all."""
    if not (window.eh or window.ew or not count_include_pad and window.pads):
        return None
    counts = []
    for n, out, k, s, p in zip(size, window.output_size(*size), window[:2], window[2:4],
                               window[4:6]):
        first, end = (-p, n + p) if count_include_pad else (0, n)
        start = np.arange(out) * s - p
        counts.append(np.minimum(start + k, end) - np.maximum(start, first))
    return np.multiply.outer(*counts)


def check_images(name: str, x: Any) -> None:
    """Raise ValueError, naming the op, unless x is (N, C, H, W); TypeError for integers."""
    if x.ndim != 4:  # a single image has been made a batch before
        raise ValueError(f"{name}: needs images (N, C, H, W), got shape {x.shape}")
    check_floating(name, x)


def _size(name: str, x: Any, output_size: Any) -> tuple[int, int]:
    """(oh, ow) from an int or a pair; None stands for the size that x has."""
    check_images(name, x)
    both = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if None in both and len(both) == 2:
        both = [n if given is None else given for given, n in zip(both, x.shape[2:])]
    return pair(tuple(both), 1, "output_size", name)


def _covered(n: int, parts: int) -> int:
    """The pixels of all bins of a line of n, each as often as bins have it."""
    bins = (adaptive.bin_of(i, parts, n) for i in range(parts))
    return sum(some.stop - some.start for some in bins)
