"""Convolution of small images by shifted views: one product for each position in the window.

    y[n,o,i,j] += sum_c x[n, c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]      for each (u, v)

For each position, the product takes the pixels that there are, and the outputs that see them. Where
images are hardly larger than the window, most of what columns multiply is padding: of the 36 pairs
of a 3x3 window and an image of 2x2 pixels, 16 are in the image.
"""

import math

import numpy as np

from minigrad.kernels.conv.columns import filter_matrices, reordered
from minigrad.kernels.runtime.threads import for_each, slices
from minigrad.kernels.runtime.window import Window, zeros
from minigrad.kernels.runtime.window import pixels as rows_of
from minigrad.memory import uninitialised

CHANNELS = 64  # outputs of a product: threads share out the channels


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether at least half of what columns would multiply is padding."""
    size = x_shape[2:]
    sizes = window.output_size(*size)
    high, wide = (sum(outputs.stop - outputs.start for outputs, _ in _pairs(window, axis, *lengths))
                  for axis, lengths in enumerate(zip(size, sizes)))
    return groups == 1 and 2 * high * wide <= window.kh * window.kw * math.prod(sizes)


def forward(x, w, b, window: Window, groups, finish=None):
    """x (N, C, H, W), w (O, C, kh, kw), b (O) or None -> y (N, O, oh, ow), finished."""
    y = zeros((len(x), len(w), *window.output_size(*x.shape[2:])), x, w, x if b is None else b)
    c, matrices = x.shape[1], filter_matrices(w, 1)[0]  # (kh kw C, O)
    matrices = matrices.reshape(-1, c, len(w))  # (kh kw, C, O)
    taps = [(rows_of(seen), outputs, matrix)  # (n h w, C), (N, O, h, w), (C, O)
            for seen, outputs, matrix in zip(*_taps(x, y, window), matrices) if seen.size]

    def convolve(channels):
        part = y[:, channels]
        for rows, outputs, matrix in taps:
            to = outputs[:, channels].transpose(0, 2, 3, 1)  # (N, h, w, o)
            to += (rows @ matrix[:, channels]).reshape(to.shape)
        if b is None and finish is None:
            return
        rows = np.ascontiguousarray(rows_of(part))  # (N oh ow, o)
        if b is not None:
            rows += b[channels]
        if finish is not None:
            finish(rows, channels)
        part = part.transpose(0, 2, 3, 1)  # (N, oh, ow, o)
        part[...] = rows.reshape(part.shape)

    for_each(convolve, slices(len(w), 1, CHANNELS))
    return y


def weight_gradient(x, gy, window: Window, groups):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C, kh, kw)."""
    o, c = gy.shape[1], x.shape[1]
    gw = uninitialised((o, window.kh * window.kw, c), np.result_type(x, gy))  # (O, kh kw, C)
    taps = [(rows_of(seen), rows_of(outputs).T) for seen, outputs in zip(*_taps(x, gy, window))]

    def multiply(channels):
        for t, (rows, gradients) in enumerate(taps):
            np.matmul(gradients[channels], rows, out=gw[channels, t])  # (o, C)

    for_each(multiply, slices(o, 1, CHANNELS))
    return reordered(gw).reshape(o, c, window.kh, window.kw)  # (O, C, kh, kw)


def _taps(x, y, window):
    """For each position in the window the pixels of x that there are, and what sees them of y."""
    pairs = [list(_pairs(window, axis, *lengths)) for axis, lengths in enumerate(
        zip(x.shape[2:], y.shape[2:]))]
    both = [(row, column) for row in pairs[0] for column in pairs[1]]
    return ([x[:, :, row[1], column[1]] for row, column in both],
            [y[:, :, row[0], column[0]] for row, column in both])


def _pairs(window, axis, length, count):
    """For each row, or column, of the window (outputs that see pixels there, these pixels)."""
    k, s, p, d = window[axis], window[axis + 2], window[axis + 4], window[axis + 6]
    for tap in range(k):
        first = tap * d - p  # the pixel that output 0 sees
        start = min(max(0, -(first // s)), count)
        stop = max(start, min(count, (length - 1 - first) // s + 1))
        begin = first + start * s
        yield slice(start, stop), slice(begin, begin + (stop - start) * s, s)
