"""Convolution with few outputs: the filters are multiplied as they lie in memory.

    y^T = matrix(w) columns(x)^T,   matrix (O, C kh kw), columns (N oh ow, C kh kw)

For one photograph, the last layers of a network have far more filters than pixels. Laying out the
filters as columns.py needs them would take longer than the product. Here the windows are laid out
as w has its numbers, and threads share out the output channels.
"""

import numpy as np

from minigrad.kernels.runtime.threads import for_each, slices
from minigrad.kernels.runtime.window import Window, empty, strided
from minigrad.memory import uninitialised

PIXELS = 256  # of all outputs, at most
CHANNELS = 64  # of an output, multiplied at a time
FILTERS = 2**16  # pairs of an input and an output channel, at least


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether there are few outputs, of many channels."""
    oh, ow = window.output_size(*x_shape[2:])
    return (groups == 1 and x_shape[0] * oh * ow <= PIXELS
            and w_shape[0] * w_shape[1] >= FILTERS)


def forward(x, w, b, window: Window, groups, finish=None):
    """x (N, C, H, W), w (O, C, kh, kw), b (O) or None -> y (N, O, oh, ow), finished."""
    n, o = len(x), len(w)
    oh, ow = window.output_size(*x.shape[2:])
    y = empty((n, o, oh, ow), x, w, x if b is None else b)  # (N, O, oh, ow)
    columns = _columns(x, window, oh, ow)  # (C kh kw, N oh ow)
    matrix = w.reshape(o, -1)  # (O, C kh kw)
    pixels = y.transpose(0, 2, 3, 1).reshape(-1, o)  # (N oh ow, O)

    def convolve(channels):
        rows = np.ascontiguousarray((matrix[channels] @ columns).T)  # (N oh ow, o)
        if b is not None:
            rows += b[channels]
        if finish is not None:
            finish(rows, channels)
        pixels[:, channels] = rows

    for_each(convolve, slices(o, 1, CHANNELS))
    return y


def _columns(x, window, oh, ow):
    """The windows of x as columns (C kh kw, N oh ow)."""
    n, c, h, width = x.shape
    high, wide = window.padded_size(h, width)
    padded = np.zeros((c, n, high, wide), x.dtype)
    padded[:, :, window.ph:window.ph + h, window.pw:window.pw + width] = x.transpose(1, 0, 2, 3)
    image, line = high * wide, wide
    windows = strided(padded, (c, window.kh, window.kw, n, oh, ow), (
        n * image, window.dh * line, window.dw, image, window.sh * line, window.sw))
    columns = uninitialised(windows.shape, x.dtype)  # (C, kh, kw, N, oh, ow)
    columns[...] = windows
    return columns.reshape(c * window.kh * window.kw, n * oh * ow)
