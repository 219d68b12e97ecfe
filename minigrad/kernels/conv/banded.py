"""Convolution of few channels: neighbouring outputs of a row are computed as channels of one.

q neighbours see kw + (q - 1) sw columns of pixels (at dilation 1) between them. They are the
outputs of one wide window, with q O filters: each is the filter of the convolution, shifted to
where its output sees it, with zeros beside it. In channels-last memory, the outputs of that wider
convolution lie as those of the given one do. There are more products, by the zeros, but columns are
copied in fewer and longer runs, and the matrices are wide enough for BLAS.
"""

import numpy as np

from minigrad.kernels.conv import columns, winograd
from minigrad.kernels.conv.merging import all_finite
from minigrad.kernels.runtime.window import Window, image, pixels

SHORT, CHANNELS, NARROW = 24, 64, 32
"""If a row of a window is at most SHORT numbers, the wider convolution has up to CHANNELS outputs,
and else up to NARROW."""
NEIGHBOURS = 8  # at most


def neighbours(c, o, window: Window, ow):
    """How many neighbouring outputs become one: a divisor of ow, and 1 for no change."""
    most = (CHANNELS if window.kw * c <= SHORT else NARROW) // o
    return next(q for q in range(max(1, min(most, NEIGHBOURS)), 0, -1) if ow % q == 0)


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether there are neighbours to bring together."""
    ow = window.output_size(*x_shape[2:])[1]
    return (groups == 1 and window.kw > 1 and w_shape[0] > 0
            and neighbours(x_shape[1], w_shape[0], window, ow) > 1)


def forward(x, w, b, window: Window, groups, finish=None):
    """x (N, C, H, W), w (O, C, kh, kw), b (O) or None -> y (N, O, oh, ow), finished."""
    given = x, w, b, window, groups, finish
    o, (oh, ow) = len(w), window.output_size(*x.shape[2:])
    q = neighbours(x.shape[1], o, window, ow)
    wide = _widened(window, q)
    filters = np.zeros((q, *w.shape[:3], wide.kw), w.dtype)  # (q, O, C, kh, wide)
    for k, part in enumerate(filters):
        _within(part, window, k)[...] = w
    filters = filters.reshape(q * o, *filters.shape[2:])  # (q O, C, kh, wide)

    def finish_wide(rows, channels):  # all channels, as there are no more than CHANNELS
        finish(rows.reshape(-1, o), slice(0, o))

    plan = _plan(x.shape, filters.shape, wide, np.result_type(x, w))
    with np.errstate(over="ignore", invalid="ignore"):
        y = plan.forward(x, filters, None if b is None else np.tile(b, q), wide, 1,
                         None if finish is None else finish_wide)  # (N, q O, oh, ow / q)
    if not all_finite(y):  # an infinity times one of the zeros is NaN
        return columns.forward(*given)
    return image(pixels(y).reshape(-1, o), len(x), oh, ow)  # (N, O, oh, ow)


def weight_gradient(x, gy, window: Window, groups):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C, kh, kw)."""
    o, oh, ow = gy.shape[1:]
    q = neighbours(x.shape[1], o, window, ow)
    wide = _widened(window, q)
    gy = image(pixels(gy).reshape(-1, q * o), len(gy), oh, ow // q)  # (N, q O, oh, ow / q)
    shape = q * o, x.shape[1], wide.kh, wide.kw
    filters = _plan(x.shape, shape, wide, np.result_type(x, gy)).weight_gradient(x, gy, wide, 1)
    filters = filters.reshape(q, o, *shape[1:])  # (q, O, C, kh, wide)
    return sum(_within(part, window, k) for k, part in enumerate(filters))  # (O, C, kh, kw)


def _widened(window, q):
    return window._replace(kw=window.span[1] + (q - 1) * window.sw, sw=q * window.sw, dw=1)


def _within(filters, window, k):
    """The part of wide filters (O, C, kh, wide) that belongs to neighbour k, as a view."""
    first = k * window.sw
    return filters[..., first:first + window.span[1]:window.dw]  # (O, C, kh, kw)


def _plan(x_shape, w_shape, window, dtype):
    return winograd if winograd.fits(x_shape, w_shape, window, 1, dtype) else columns
