"""Convolution (cross-correlation), and the two maps that transpose it.

    y[n,o,i,j] = b[o] + sum_{c,u,v} x[n, c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]

The sum is linear in x and in w, so each gradient is the transposed map: `input_gradient` spreads gy
through w, `weight_gradient` correlates x with gy. With G groups, the output channels of a group see
only the input channels of the same group. `direct` is the equation as it stands. The arithmetic of
each map is in this folder: gpu.py has the GPU forms, and says which kernels of conv.cu and gemm.cu
they launch. On the CPU a map is computed by one of several plans, which the table in plans.py
chooses:

    columns.py          windows as rows of a matrix, and one product
    depthwise.py        one filter per channel: a pass over the pixels for each position in it
    taps.py             small images: a product for each position in the window, without padding
    few.py              few outputs: the filters are multiplied as they lie in memory
    banded.py           few channels: neighbouring outputs become channels of one
    winograd.py         2 to 5 rows, at stride 1 downwards: half of the products, and transforms
    winograd_views.py   the same for small matrices, without columns

At stride 1 the input gradient is a convolution itself, of gy with turned filters, and takes the
plan of that. merging.py merges small groups. Beside the letters of minigrad/ops, shapes in this
folder have n, which stands for some of the N images.
"""

import numpy as np

from minigrad.kernels.conv import gpu, plans
from minigrad.kernels.conv.merging import turned
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.kernels.runtime.window import Window, direct_windows, empty


def direct(x, w, window: Window, groups=1):
    """The definition, for any number type: k products and k - 1 additions per output element."""
    patches = direct_windows(x, window, value=0)  # (N, C, oh, ow, kh, kw)
    patches = patches.transpose(0, 2, 3, 1, 4, 5)  # (N, oh, ow, C, kh, kw)
    n, oh, ow = patches.shape[:3]
    c = w.shape[1]
    y = empty((n, len(w), oh, ow), x)  # (N, O, oh, ow)
    for o, filter_ in enumerate(w):
        first = o * groups // len(w) * c
        products = patches[:, :, :, first:first + c] * filter_  # (N, oh, ow, C/G, kh, kw)
        y[:, o] = products.sum((3, 4, 5))  # (N, oh, ow)
    return y


@gpu_form(gpu.forward)
def forward(x, w, window: Window, groups=1, b=None):
    """x (N, C, H, W), w (O, C/G, kh, kw), b (O) or None -> y (N, O, oh, ow)."""
    return finished(x, w, window, groups, b, None)


def finished(x, w, window: Window, groups, b, finish):
    """`forward` on the CPU, and then `finish(rows, channels)`, unless it is None, for all outputs:
    rows (pixels, o) in C order of some pixels, the channels of the slice `channels`. It changes
    them in place, while they are in the cache."""
    plan = plans.choose("forward", x.shape, w.shape, window, groups, np.result_type(x, w))
    return plan.forward(x, w, b, window, groups, finish)


@gpu_form(gpu.input_gradient)
def input_gradient(gy, w, window: Window, size, groups=1):
    """The transpose of x -> y.  gy (N, O, oh, ow), w (O, C/G, kh, kw) -> gx (N, C, *size)."""
    back = window.mirrored(gy.shape[2:], size)
    if back is not None:
        return forward(gy, turned(w, groups), back, groups)
    x_shape = (len(gy), w.shape[1] * groups, *size)
    plan = plans.choose("input_gradient", x_shape, w.shape, window, groups, np.result_type(gy, w))
    return plan.input_gradient(gy, w, window, size, groups)


@gpu_form(gpu.weight_gradient)
def weight_gradient(x, gy, window: Window, groups=1):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw)."""
    w_shape = (gy.shape[1], x.shape[1] // groups, window.kh, window.kw)
    plan = plans.choose("weight_gradient", x.shape, w_shape, window, groups,
                        np.result_type(x, gy))
    return plan.weight_gradient(x, gy, window, groups)


def plan_name(x, w, window: Window, groups):
    """The name of the plan that computes `forward` of such x and w."""
    dtype = np.result_type(x.dtype, w.dtype)
    plan = plans.choose("forward", x.shape, w.shape, window, groups, dtype)
    return plan.__name__.rpartition(".")[2]
