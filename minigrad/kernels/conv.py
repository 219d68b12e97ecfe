"""Convolution (cross-correlation) as matrix products, and the two maps that transpose it.

    y[n,o,i,j] = sum_{c,u,v} x[n, c, i sh + u - ph, j sw + v - pw] w[o,c,u,v]

The sum is linear in x and in w, so each gradient is the transposed map: `input_gradient` spreads gy
through w, `weight_gradient` correlates x with gy. `direct` says the same in the plainest way.
"""

from __future__ import annotations

from minigrad.kernels.window import Window, direct_windows, empty, image, pixels, zeros


def direct(x, w, window: Window):
    """The definition, for any number type: k products and k - 1 additions per output element."""
    patches = direct_windows(x, window, value=0)  # (N, C, oh, ow, kh, kw)
    patches = patches.transpose(0, 2, 3, 1, 4, 5)  # (N, oh, ow, C, kh, kw)
    n, oh, ow = patches.shape[:3]
    y = empty((n, len(w), oh, ow), x)
    for o, filter_ in enumerate(w):
        y[:, o] = (patches * filter_).reshape(n, oh, ow, -1).sum(-1)
    return y


def forward(x, w, window: Window):
    """x (N, C, H, W), w (O, C, kh, kw) -> y (N, O, oh, ow), by im2col and one matrix product."""
    oh, ow = window.output_size(*x.shape[2:])
    return image(_columns(x, window, oh, ow) @ _matrix(w), x.shape[0], oh, ow)


def input_gradient(gy, w, window: Window, size):
    """The transpose of x -> y.  gy (N, O, oh, ow), w (O, C, kh, kw) -> gx (N, C, *size)."""
    n, _, oh, ow = gy.shape
    c = w.shape[1]
    columns = pixels(gy) @ _matrix(w).T  # (N oh ow, kh kw C)
    columns = columns.reshape(n, oh, ow, window.kh * window.kw, c)
    padded = zeros((n, c, size[0] + 2 * window.ph, size[1] + 2 * window.pw), gy)
    for t, tap in enumerate(window.taps(padded, oh, ow)):
        tap += columns[:, :, :, t].transpose(0, 3, 1, 2)
    return window.cropped(padded)


def weight_gradient(x, gy, window: Window):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C, kh, kw)."""
    oh, ow = gy.shape[2:]
    gw = _columns(x, window, oh, ow).T @ pixels(gy)  # (kh kw C, O)
    return gw.reshape(window.kh, window.kw, x.shape[1], -1).transpose(3, 2, 0, 1)


def _columns(x, window, oh, ow):
    """im2col: one row per output pixel, holding the kh kw C numbers under its window."""
    n, c = x.shape[:2]
    columns = empty((n, window.kh * window.kw * c, oh, ow), x)
    for t, tap in enumerate(window.taps(window.padded(x), oh, ow)):
        columns[:, t * c:(t + 1) * c] = tap
    return pixels(columns)


def _matrix(w):
    """w (O, C, kh, kw) as the matrix (kh kw C, O) that multiplies columns."""
    return w.transpose(2, 3, 1, 0).reshape(-1, w.shape[0])
