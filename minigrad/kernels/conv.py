"""Convolution (cross-correlation) as matrix products, and the two maps that transpose it.

    y[n,o,i,j] = sum_{c,u,v} x[n, c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]

The sum is linear in x and in w, so each gradient is the transposed map: `input_gradient` spreads gy
through w, `weight_gradient` correlates x with gy. With G groups, output channels of the g-th part
see only the g-th part of the input channels: G products side by side, and one for G = 1. The batch
is taken in blocks whose columns stay in the cache. `direct` says the same in the plainest way.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.window import Window, direct_windows, empty, zeros

BLOCK_BYTES = 2**22  # of columns at a time: about the size of a core's cache


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


def forward(x, w, window: Window, groups=1):
    """x (N, C, H, W), w (O, C/G, kh, kw) -> y (N, O, oh, ow), by im2col and a matrix product."""
    oh, ow = window.output_size(*x.shape[2:])
    y = empty((x.shape[0], w.shape[0], oh, ow), x, w)
    matrix = _matrix(w, groups)
    for part, columns in _blocks(x, window, groups, oh, ow):
        _store(_grouped(y[part], groups), columns @ matrix)
    return y


def input_gradient(gy, w, window: Window, size, groups=1):
    """The transpose of x -> y.  gy (N, O, oh, ow), w (O, C/G, kh, kw) -> gx (N, C, *size)."""
    n, _, oh, ow = gy.shape
    c = w.shape[1]
    matrix = _matrix(w, groups).transpose(0, 2, 1)
    padded = zeros((n, c * groups, *window.padded_size(*size)), gy, w)
    step = _images_per_block(matrix.shape[2] * groups * oh * ow * gy.itemsize)
    for start in range(0, n, step):
        part = slice(start, start + step)
        columns = _rows(gy[part], groups) @ matrix  # (G, n oh ow, kh kw C/G)
        columns = columns.reshape(groups, -1, oh, ow, window.kh * window.kw, c)
        for t, tap in enumerate(window.taps(padded[part], oh, ow)):
            _grouped(tap, groups)[...] += columns[:, :, :, :, t]
    return window.cropped(padded, size)


def weight_gradient(x, gy, window: Window, groups=1):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw)."""
    oh, ow = gy.shape[2:]
    c, o = x.shape[1] // groups, gy.shape[1]
    gw = np.zeros_like(x, np.result_type(x, gy), shape=())
    for part, columns in _blocks(x, window, groups, oh, ow):
        gw = gw + columns.transpose(0, 2, 1) @ _rows(gy[part], groups)  # (G, kh kw C/G, O/G)
    gw = np.broadcast_to(gw, (groups, window.kh * window.kw * c, o // groups))  # if N = 0
    gw = gw.reshape(groups, window.kh, window.kw, c, -1)
    return gw.transpose(0, 4, 3, 1, 2).reshape(o, c, window.kh, window.kw)


def _blocks(x, window, groups, oh, ow):
    """im2col, a few images at a time: (which images, columns (G, n oh ow, kh kw C/G))."""
    n, c = x.shape[:2]
    taps = window.kh * window.kw
    if taps == 1 and not window.pads:
        yield slice(None), _rows(x[:, :, ::window.sh, ::window.sw][:, :, :oh, :ow], groups)
        return
    step = min(max(n, 1), _images_per_block(taps * c * oh * ow * x.itemsize))
    block = np.empty_like(x, shape=(groups, step, oh, ow, taps, c // groups))
    for start in range(0, n, step):
        part = slice(start, start + step)
        padded = window.padded(x[part])
        columns = block[:, :len(padded)]
        for t, tap in enumerate(window.taps(padded, oh, ow)):
            columns[:, :, :, :, t] = _grouped(tap, groups)
        yield part, columns.reshape(groups, -1, taps * c // groups)


def _images_per_block(bytes_per_image):
    return max(1, BLOCK_BYTES // max(1, bytes_per_image))


def _grouped(x, groups):
    """x (N, C, H, W) as a view (G, N, H, W, C/G)."""
    n, c, h, w = x.shape
    return x.transpose(0, 2, 3, 1).reshape(n, h, w, groups, c // groups).transpose(3, 0, 1, 2, 4)


def _rows(x, groups):
    """x (N, C, H, W) as matrices (G, N H W, C/G); no copy for one group and channels-last x."""
    return _grouped(x, groups).reshape(groups, -1, x.shape[1] // groups)


def _store(view, rows):
    view[...] = rows.reshape(view.shape)


def _matrix(w, groups):
    """w (O, C/G, kh, kw) as the matrices (G, kh kw C/G, O/G) that multiply columns."""
    o, c, kh, kw = w.shape
    return w.reshape(groups, o // groups, c, kh, kw).transpose(0, 3, 4, 2, 1).reshape(
        groups, kh * kw * c, o // groups)
