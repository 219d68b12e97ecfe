"""Convolution (cross-correlation), and the two maps that transpose it.

    y[n,o,i,j] = b[o] + sum_{c,u,v} x[n, c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]

The sum is linear in x and in w, so each gradient is the transposed map: `input_gradient` spreads gy
through w, `weight_gradient` correlates x with gy. With G groups, the output channels of a group see
only the input channels of the same group. `direct` is the equation as it stands. The arithmetic of
each map is in this folder:

    map                 CPU: the first plan that fits                 GPU
    forward             depthwise.forward: one filter per channel     gpu.forward
                        winograd.forward: 3x3, stride 1, one group,
                            float32, 48 channels or more
                        columns.forward
    input_gradient      `forward` of gy and turned filters: stride 1  gpu.input_gradient
                            or, with zeros between, depthwise
                        columns.input_gradient
    weight_gradient     depthwise.weight_gradient                     gpu.weight_gradient
                        columns.weight_gradient

gpu.py says which kernels of conv.cu and gemm.cu its functions launch. On the CPU, groups of fewer
than 32 channels are merged for the columns, with zeros between them. Merged groups and Winograd's
transforms multiply pixels by zeros that are not in the equation: an infinity or NaN would become a
NaN in outputs whose windows do not see it. So images that hold one take the columns, group by
group. Only the weight gradient may always merge: what mixes two groups is dropped. Beside the
letters of minigrad/ops, shapes in this folder have n, which stands for some of the N images.
"""

import numpy as np

from minigrad.kernels.conv import columns, depthwise, gpu, winograd
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.kernels.runtime.window import Window, direct_windows, empty

GROUP_CHANNELS = 32  # merged groups have at least so many; with fewer, BLAS is slow


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
        y[:, o] = products.reshape(n, oh, ow, -1).sum(-1)  # (N, oh, ow)
    return y


@gpu_form(gpu.forward)
def forward(x, w, window: Window, groups=1, b=None):
    """x (N, C, H, W), w (O, C/G, kh, kw), b (O) or None -> y (N, O, oh, ow)."""
    if depthwise.fits(w, groups):
        return depthwise.forward(x, w, b, window)
    if winograd.fits(x, w, window, groups) and _all_finite(x):
        return winograd.forward(x, w, b, window)
    w, groups = _merged_for(x, w, groups)
    return columns.forward(x, w, groups, b, window)


@gpu_form(gpu.input_gradient)
def input_gradient(gy, w, window: Window, size, groups=1):
    """The transpose of x -> y.  gy (N, O, oh, ow), w (O, C/G, kh, kw) -> gx (N, C, *size).

    At stride 1 it is the convolution of gy with the filters turned by 180 degrees.
    """
    if depthwise.fits(w, groups):
        gy, window = depthwise.spread(gy, window)
    else:
        w, groups = _merged_for(gy, w, groups)
    back = mirrored(window, gy.shape[2:], size)
    if back is None:
        return columns.input_gradient(gy, w, window, size, groups)
    return forward(gy, turned(w, groups), back, groups)


@gpu_form(gpu.weight_gradient)
def weight_gradient(x, gy, window: Window, groups=1):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw)."""
    if x.shape[1] == gy.shape[1] == groups > 1:
        return depthwise.weight_gradient(x, gy, window)
    few = merged_groups(x.shape[1] // groups, groups)
    return unmerged(columns.weight_gradient(x, gy, window, few), groups, few)


def mirrored(window, size, target):
    """The window whose convolution takes gradients of size (oh, ow) to images of `target` (H, W).

    None if there is none.
    """
    kh, kw, sh, sw, ph, pw, dh, dw, *_ = window
    ph, pw = window.span[0] - 1 - ph, window.span[1] - 1 - pw
    eh, ew = (t - (n + 2 * p - span + 1) for t, n, p, span in zip(
        target, size, (ph, pw), window.span))
    if (sh, sw) != (1, 1) or min(ph, pw, ph + eh, pw + ew) < 0:
        return None
    return Window(kh, kw, 1, 1, ph, pw, dh, dw, eh, ew)


def turned(w, groups):
    """w (O, C/G, kh, kw) with each filter turned by 180 degrees and C, O swapped, as a view."""
    o, c, kh, kw = w.shape
    w = w[:, :, ::-1, ::-1].reshape(groups, o // groups, c, kh, kw)  # (G, O/G, C/G, kh, kw)
    w = w.transpose(0, 2, 1, 3, 4)  # (G, C/G, O/G, kh, kw)
    return w.reshape(groups * c, o // groups, kh, kw)  # (C, O/G, kh, kw)


def merged_groups(channels, groups):
    """How many groups are left when neighbours merge until each has GROUP_CHANNELS channels."""
    return next(few for few in range(groups, 0, -1) if groups % few == 0
                and (channels * groups // few >= GROUP_CHANNELS or few == 1))


def merged(w, groups):
    """The same convolution in fewer groups: (w with zeros between neighbours, its groups).

    32 groups of 4 channels are 32 tiny matrix products; 4 groups of 32 channels are 8 times the
    work, and take less time.
    """
    o, c, kh, kw = w.shape
    few = merged_groups(c, groups)
    if few == groups:
        return w, groups
    many = groups // few
    out = np.zeros_like(w, shape=(few, many, o // groups, many, c, kh, kw))
    parts = w.reshape(few, many, o // groups, c, kh, kw)  # (few, many, O/G, C/G, kh, kw)
    for i in range(many):
        out[:, i, :, i] = parts[:, i]  # (few, O/G, C/G, kh, kw)
    return out.reshape(o, many * c, kh, kw), few  # (O, many C/G, kh, kw)


def _merged_for(x, w, groups):
    """`merged`, unless x holds an infinity or NaN, which would spread to neighbouring groups."""
    if merged_groups(w.shape[1], groups) < groups and not _all_finite(x):
        return w, groups
    return merged(w, groups)


def _all_finite(x):
    """Whether all of x is finite, in one pass. The answer is also no if the sum of x overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()))


def unmerged(gw, groups, few):
    """The transpose of `merged`: gw (O, many C/G, kh, kw) without what lies between the groups."""
    if few == groups:
        return gw
    o, c, kh, kw = gw.shape
    many = groups // few
    parts = gw.reshape(
        few, many, o // groups, many, c // many, kh, kw)  # (few, many, O/G, many, C/G, kh, kw)
    out = np.empty_like(gw, shape=(few, many, o // groups, c // many, kh, kw))
    for i in range(many):
        out[:, i] = parts[:, i, :, i]  # (few, O/G, C/G, kh, kw)
    return out.reshape(o, c // many, kh, kw)  # (O, C/G, kh, kw)
