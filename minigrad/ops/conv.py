"""Two-dimensional convolution: three maps, each linear in both arguments.

    y  = conv(x, w)          <y, gy> = <x, gx> = <w, gw>
    gx = input map(gy, w)
    gw = weight map(x, gy)

The gradient of any of them is given by the other two, so derivatives of every order close here. The
input map by itself is the transposed convolution.
"""

from __future__ import annotations

from minigrad.function import Function
from minigrad.kernels import conv as kernel
from minigrad.kernels.window import Window, pair
from minigrad.ops.operands import check_same_dtype, for_product
from minigrad.ops.reduce import sum


class Convolution(Function):
    """Shared by the three maps: the window, the groups, and the size (H, W) of x."""

    half_on_gpu = True

    def __init__(self, window, groups, size):
        self.window, self.groups, self.size = window, groups, size
        self.settings = window, groups, size


class Conv2d(Convolution):
    """y[n,o] = b[o] + sum_c x[n,c] correlated with w[o,c].

    x (N, C, H, W), w (O, C/G, kh, kw), b (O) -> y (N, O, oh, ow)
    """

    def forward(self, x, w, b=None):
        return kernel.forward(x, w, self.window, self.groups, b)

    def grad_x(self, gy, w):
        return ConvInputGradient(*self.settings)(gy, w)

    def grad_w(self, gy, x):
        return ConvWeightGradient(*self.settings)(x, gy)

    def grad_b(self, gy):
        return sum(gy, (0, 2, 3))


class ConvInputGradient(Convolution):
    """The transpose of x -> conv(x, w).  g (N, O, oh, ow), w (O, C/G, kh, kw) -> (N, C, H, W)."""

    def forward(self, g, w):
        self.used = _all_of(g)
        return kernel.input_gradient(g, w, self.window, self.size, self.groups)

    def grad_g(self, gy, w):
        return Conv2d(*self.settings)(gy, w)[self.used]

    def grad_w(self, gy, g):
        return ConvWeightGradient(*self.settings)(gy, g)


class ConvWeightGradient(Convolution):
    """The transpose of w -> conv(x, w).  x (N, C, H, W), g (N, O, oh, ow) -> (O, C/G, kh, kw)."""

    def forward(self, x, g):
        self.used = _all_of(g)
        return kernel.weight_gradient(x, g, self.window, self.groups)

    def grad_x(self, gy, g):
        return ConvInputGradient(*self.settings)(g, gy)

    def grad_g(self, gy, x):
        return Conv2d(*self.settings)(x, gy)[self.used]


def _all_of(g):
    """The index of g in conv(x, w), which is larger if output_padding has room for windows."""
    return (..., slice(g.shape[2]), slice(g.shape[3]))


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlate images with filters; stride and dilation are ints or (vertical, horizontal).

    x (N, C, H, W), w (O, C/groups, kh, kw), b (O) or None -> (N, O, oh, ow) with
    oh = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1. padding: an int, a pair, or
    "same" (stride 1; an odd rest goes to the bottom and the right). Group g of the outputs sees
    group g of the inputs. Raises ValueError naming what does not fit, TypeError for mixed dtypes.
    """
    _check_groups("conv2d", groups)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(f"conv2d: input {x.shape} does not fit weight {w.shape} with groups="
                         f"{groups}: needs (N, C, H, W) and (O, C/groups, kh, kw)")
    _check_bias("conv2d", b, w.shape[0])
    x, w, b = for_product(x, w, b)
    check_same_dtype("conv2d", x, w, b)
    same = padding == "same"
    window = Window.of(tuple(w.shape[2:]), stride, 0 if same else padding, "conv2d", dilation)
    if same:
        if (window.sh, window.sw) != (1, 1):
            raise ValueError(f"conv2d: padding='same' needs stride 1, got {stride!r}")
        total = [n - 1 for n in window.span]
        window = window._replace(ph=total[0] // 2, pw=total[1] // 2,
                                 eh=total[0] % 2, ew=total[1] % 2)
    window.output_size(*x.shape[2:])
    op = Conv2d(window, groups, tuple(x.shape[2:]))
    return op(x, w) if b is None else op(x, w, b)


def conv_transpose2d(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of conv2d's map of the same window: each pixel of x spreads w over the output.

    x (N, C, H, W), w (C, O/groups, kh, kw), b (O) or None -> (N, O, oh, ow) with
    oh = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1; output_padding must be
    smaller than stride or dilation. Raises ValueError naming what does not fit.
    """
    _check_groups("conv_transpose2d", groups)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise ValueError(f"conv_transpose2d: input {x.shape} does not fit weight {w.shape} with "
                         f"groups={groups}: needs (N, C, H, W) and (C, O/groups, kh, kw)")
    _check_bias("conv_transpose2d", b, w.shape[1] * groups)
    x, w, b = for_product(x, w, b)
    check_same_dtype("conv_transpose2d", x, w, b)
    window = Window.of(tuple(w.shape[2:]), stride, padding, "conv_transpose2d", dilation)
    extra = pair(output_padding, 0, "output_padding", "conv_transpose2d")
    if any(e >= max(s, d) for e, s, d in zip(extra, window[2:4], window[6:8])):
        raise ValueError("conv_transpose2d: output_padding must be smaller than stride or "
                         f"dilation, got {output_padding!r}")
    size = tuple((n - 1) * s - 2 * p + span + e for n, s, p, span, e in
                 zip(x.shape[2:], window[2:4], window[4:6], window.span, extra))
    if min(size) < 1:
        raise ValueError(f"conv_transpose2d: padding {padding!r} leaves no output, size {size}")
    y = ConvInputGradient(window, groups, size)(x, w)
    return y if b is None else y + b.reshape(-1, 1, 1)


def _check_groups(name, groups):
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{name}: groups must be a positive integer, got {groups!r}")


def _check_bias(name, b, outputs):
    if b is not None and tuple(b.shape) != (outputs,):
        raise ValueError(f"{name}: bias of shape {b.shape} for {outputs} output channels")
