"""Convolution (cross-correlation), and the two maps that transpose it.

    y[n,o,i,j] = b[o] + sum_{c,u,v} x[n, c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]

The sum is linear in x and in w, so each gradient is the transposed map: `input_gradient` spreads gy
through w, `weight_gradient` correlates x with gy. With G groups, output channels of the g-th part
see only the g-th part of the input channels. `direct` says it in the plainest way. The plans are:

    3x3, stride 1, one group, float32, 48 channels or more      winograd.py
    everything else                                             columns.py
    groups of fewer than 32 channels                            merged first, with zeros between
    input gradient at stride 1                                  a convolution again
    input gradient at another stride                            columns.input_gradient
    weight gradient                                             columns.weight_gradient
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels import columns, winograd
from minigrad.kernels.cuda import twin
from minigrad.kernels.window import Window, direct_windows, empty

GROUP_CHANNELS = 32  # merged groups have at least so many, or BLAS would be slow


def direct(x, w, window: Window, groups=1):
    """The definition, for any number type: k products and k - 1 additions per output element."""
    patches = direct_windows(x, window, value=0)  # (N, C, oh, ow, kh, kw)
    patches = patches.transpose(0, 2, 3, 1, 4, 5)  # (N, oh, ow, C, kh, kw)
    n, oh, ow = patches.shape[:3]
    c = w.shape[1]
    y = empty((n, len(w), oh, ow), x)
    for o, filter_ in enumerate(w):
        first = o * groups // len(w) * c
        y[:, o] = (patches[:, :, :, first:first + c] * filter_).reshape(n, oh, ow, -1).sum(-1)
    return y


@twin("conv")
def forward(x, w, window: Window, groups=1, b=None):
    """x (N, C, H, W), w (O, C/G, kh, kw), b (O) or None -> y (N, O, oh, ow)."""
    if winograd.fits(x, w, window, groups):
        return winograd.forward(x, w, b, window)
    return columns.forward(x, *merged(w, groups), b, window)


@twin("conv")
def input_gradient(gy, w, window: Window, size, groups=1):
    """The transpose of x -> y.  gy (N, O, oh, ow), w (O, C/G, kh, kw) -> gx (N, C, *size).

    At stride 1 it is the convolution of gy with the filters turned by 180 degrees.
    """
    w, groups = merged(w, groups)
    back = mirrored(window, gy.shape[2:], size)
    if back is None:
        return columns.input_gradient(gy, w, window, size, groups)
    return forward(gy, turned(w, groups), back, groups)


@twin("conv")
def weight_gradient(x, gy, window: Window, groups=1):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw)."""
    few = merged_groups(x.shape[1] // groups, groups)
    return unmerged(columns.weight_gradient(x, gy, window, few), groups, few)


def mirrored(window, size, target):
    """The window whose convolution takes images of `size` back to `target`; None if none does."""
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
    w = w[:, :, ::-1, ::-1].reshape(groups, o // groups, c, kh, kw).transpose(0, 2, 1, 3, 4)
    return w.reshape(groups * c, o // groups, kh, kw)


def merged_groups(channels, groups):
    """How many groups are left when neighbours are merged until each has GROUP_CHANNELS."""
    return next(few for few in range(groups, 0, -1) if groups % few == 0
                and (channels * groups // few >= GROUP_CHANNELS or few == 1))


def merged(w, groups):
    """The same convolution in fewer groups: (w with zeros between neighbours, its groups).

    32 groups of 4 channels are 32 tiny matrix products; 4 groups of 32 channels do 8 times the
    work in less time. An infinity in one group shows up as NaN in those merged with it.
    """
    o, c, kh, kw = w.shape
    few = merged_groups(c, groups)
    if few == groups:
        return w, groups
    many = groups // few
    out = np.zeros_like(w, shape=(few, many, o // groups, many, c, kh, kw))
    parts = w.reshape(few, many, o // groups, c, kh, kw)
    for i in range(many):
        out[:, i, :, i] = parts[:, i]
    return out.reshape(o, many * c, kh, kw), few


def unmerged(gw, groups, few):
    """The transpose of `merged`: gw (O, many C/G, kh, kw) without what lies between the groups."""
    if few == groups:
        return gw
    o, c, kh, kw = gw.shape
    many = groups // few
    parts = gw.reshape(few, many, o // groups, many, c // many, kh, kw)
    out = np.empty_like(gw, shape=(few, many, o // groups, c // many, kh, kw))
    for i in range(many):
        out[:, i] = parts[:, i, :, i]
    return out.reshape(o, c // many, kh, kw)
