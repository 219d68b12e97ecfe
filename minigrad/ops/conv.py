"""Two-dimensional convolution: three maps, each linear in both arguments.

    y  = conv(x, w)          <y, gy> = <x, gx> = <w, gw>
    gx = input map(gy, w)
    gw = weight map(x, gy)

Each of them has the other two for its gradients, so these three give derivatives of every order.
The input map by itself is the transposed convolution.
"""

import math
from collections.abc import Callable
from typing import Any, Union

from minigrad.arguments import integer
from minigrad.backend import Array
from minigrad.engine import Tensor, Values
from minigrad.function import Function
from minigrad.graph import no_grad
from minigrad.kernels import conv as kernel
from minigrad.kernels.norm.cpu import scale_and_shift
from minigrad.kernels.runtime.window import Window, pair
from minigrad.ops.cost import Count, elements, products
from minigrad.ops.operands import batch_of_one, for_product, in_float32
from minigrad.ops.reduce import sum

Size = Union[int, tuple[int, int]]  # of windows and the like: for both axes, or for each


class Convolution(Function):
    """Shared by the three maps: the window, the groups, and the size (H, W) of x."""

    half_on_gpu = True

    def __init__(self, window: Window, groups: int, size: tuple[int, ...]) -> None:
        self.window, self.groups, self.size = self.settings = window, groups, size


class Conv2d(Convolution):
    """y[n,o] = b[o] + sum_c x[n,c] correlated with w[o,c].

    x (N, C, H, W), w (O, C/G, kh, kw), b (O) -> y (N, O, oh, ow)
    """

    cost = products
    finish: Callable[[Array], None] | None = None   # done to rows of the output: `conv2d_scaled`

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        if self.finish is not None:
            return kernel.finished(x, w, self.window, self.groups, b, self.finish)
        return kernel.forward(x, w, self.window, self.groups, b)

    def plan(self, x: Any, w: Any, b: Any = None) -> str:
        """How the CPU computes it: the name of one of the plans in minigrad/kernels/conv; on a GPU
        there is only one way, ""."""
        return "" if x.device != "cpu" else kernel.plan_name(x, w, self.window, self.groups)

    def grad_x(self, gy: Values, w: Values) -> Values:
        return ConvInputGradient(*self.settings)(gy, w)

    def grad_w(self, gy: Values, x: Values) -> Values:
        return ConvWeightGradient(*self.settings)(x, gy)

    def grad_b(self, gy: Values) -> Values:
        return sum(gy, (0, 2, 3))


class ConvInputGradient(Convolution):
    """The transpose of x -> conv(x, w).  g (N, O, oh, ow), w (O, C/G, kh, kw) -> (N, C, H, W)."""

    def forward(self, g: Array, w: Array) -> Array:
        self.used = _all_of(g)
        return kernel.input_gradient(g, w, self.window, self.size, self.groups)

    def grad_g(self, gy: Values, w: Values) -> Values:
        return Conv2d(*self.settings)(gy, w)[self.used]

    def grad_w(self, gy: Values, g: Values) -> Values:
        return ConvWeightGradient(*self.settings)(gy, g)

    def cost(self, y: Tensor, g: Tensor, w: Tensor) -> Count:
        """Each pixel times its channel's filters; pixels of the padded y sum what reaches them."""
        n, window = elements(g) * elements(w) // w.shape[0], self.window
        reached = [len({i * stride + tap * dilation for i in range(pixels) for tap in range(taps)})
                   for pixels, taps, stride, dilation in zip(
                       g.shape[2:], window[:2], window[2:4], window[6:8])]
        sums = g.shape[0] * self.groups * w.shape[1] * math.prod(reached)
        return Count(multiply=n, add=n - sums, macs=n)


class ConvWeightGradient(Convolution):
    """The transpose of w -> conv(x, w).  x (N, C, H, W), g (N, O, oh, ow) -> (O, C/G, kh, kw)."""

    def forward(self, x: Array, g: Array) -> Array:
        self.used = _all_of(g)
        return kernel.weight_gradient(x, g, self.window, self.groups)

    def grad_x(self, gy: Values, g: Values) -> Values:
        return ConvInputGradient(*self.settings)(g, gy)

    def grad_g(self, gy: Values, x: Values) -> Values:
        return Conv2d(*self.settings)(x, gy)[self.used]


def _all_of(g: Any) -> tuple:
    """Selects the part of conv(x, w) that corresponds to g.

    conv(x, w) can be larger when output_padding leaves room for another window.
    """
    return (..., slice(g.shape[2]), slice(g.shape[3]))


@batch_of_one(4)
def conv2d(x: Values, w: Values, b: Values | None = None, stride: Size = 1,
           padding: Size | str = 0, dilation: Size = 1, groups: int = 1) -> Values:
    """Cross-correlate images x with filters w, and add b.

    x (N, C, H, W), w (O, C/groups, kh, kw), b (O) or None -> (N, O, oh, ow), or without N, with
    oh = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1

    stride, padding and dilation are an int or a pair (vertical, horizontal). padding can also be
    "valid", which is none, or "same", which keeps the size and needs stride 1; of an odd number of
    rows or columns, the one left over goes to the bottom or the right. Group g of the outputs sees
    only group g of the inputs. Raises ValueError naming what does not fit, TypeError for mixed
    dtypes.
    """
    op, *operands = _conv2d(x, w, b, stride, padding, dilation, groups)
    return op(*operands)


@batch_of_one(4)
@no_grad()
def conv2d_scaled(x: Values, w: Values, b: Values | None, stride: Size, padding: Size | str,
                  dilation: Size, groups: int, factor: Array, shift: Array,
                  relu: int = 0) -> Values:
    """conv2d(x, w, b, ...) factor + shift, and with relu=1 the ReLU of that, or with 6 the ReLU6.

    factor and shift (O). For evaluation on the CPU: no graph is recorded, and each output is
    scaled while it is in the cache. The bits are those of the ops one after another.
    """
    op, *operands = _conv2d(x, w, b, stride, padding, dilation, groups)
    op.finish = lambda rows, channels: scale_and_shift(
        rows, factor[channels], shift[channels], relu)
    return op(*operands)


def _conv2d(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> list:
    """The op of `conv2d` and its operands, checked."""
    groups = integer("conv2d", "groups", groups)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(f"conv2d: input {x.shape} does not fit weight {w.shape} with groups="
                         f"{groups}: needs (N, C, H, W) and (O, C/groups, kh, kw)")
    _check_bias("conv2d", b, w.shape[0])
    x, w, b = for_product("conv2d", x, w, b)
    window = Window.of_convolution(tuple(w.shape[2:]), stride, padding, "conv2d", dilation)
    window.output_size(*x.shape[2:])
    op = Conv2d(window, groups, tuple(x.shape[2:]))
    return [op, x, w] if b is None else [op, x, w, b]


@batch_of_one(4)
def conv_transpose2d(x: Values, w: Values, b: Values | None = None, stride: Size = 1,
                     padding: Size = 0, output_padding: Size = 0, groups: int = 1,
                     dilation: Size = 1) -> Values:
    """The transpose of conv2d's map of the same window: each pixel of x spreads w over the output.

    x (N, C, H, W), w (C, O/groups, kh, kw), b (O) or None -> (N, O, oh, ow), or without N, with
    oh = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1

    stride, padding, output_padding and dilation are an int or a pair (vertical, horizontal);
    output_padding must be smaller than stride or dilation. Raises ValueError naming what does not
    fit, TypeError for mixed dtypes.
    """
    groups = integer("conv_transpose2d", "groups", groups)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise ValueError(f"conv_transpose2d: input {x.shape} does not fit weight {w.shape} with "
                         f"groups={groups}: needs (N, C, H, W) and (C, O/groups, kh, kw)")
    _check_bias("conv_transpose2d", b, w.shape[1] * groups)
    x, w, b = for_product("conv_transpose2d", x, w, b)
    window = Window.of(tuple(w.shape[2:]), stride, padding, "conv_transpose2d", dilation)
    extra = pair(output_padding, 0, "output_padding", "conv_transpose2d")
    if any(e >= max(s, d) for e, s, d in zip(extra, window[2:4], window[6:8])):
        raise ValueError("conv_transpose2d: output_padding must be smaller than stride or "
                         f"dilation, got {output_padding!r}")
    size = tuple((n - 1) * s - 2 * p + span + e for n, s, p, span, e in
                 zip(x.shape[2:], window[2:4], window[4:6], window.span, extra))
    if min(size) < 1:
        raise ValueError(f"conv_transpose2d: padding {padding!r} leaves no output, size {size}")
    op = ConvInputGradient(window, groups, size)
    return op(x, w) if b is None else _with_bias(op, x, w, b)


@in_float32()
def _with_bias(op: Function, x: Values, w: Values, b: Values) -> Values:
    return op(x, w) + b.reshape(-1, 1, 1)


def _check_bias(name: str, b: Any, outputs: int) -> None:
    if b is not None and tuple(b.shape) != (outputs,):
        raise ValueError(f"{name}: bias of shape {b.shape} for {outputs} output channels")
