"""Convolution where each channel has one filter of its own: as many groups as channels.

    y[n,c,i,j] = b[c] + sum_{u,v} x[n, c, i sh + u dh - ph, j sw + v dw - pw] w[c,0,u,v]

A product of matrices would have one column. Instead each position (u, v) in the window is one pass
over a run of memory, y += x w. In channels-last memory and at stride 1, the pixels of a row that
meet one position follow each other, with all their channels, so that a run may be a whole row; the
filters are laid out as long as the run. `numpy.einsum` multiplies and adds in the same pass. The
letter r counts the runs in a row of outputs, k the numbers in a run.
"""

import numpy as np

from minigrad.kernels.conv import columns
from minigrad.kernels.conv.columns import bands
from minigrad.kernels.conv.merging import turned
from minigrad.kernels.runtime.threads import for_each, scratches, slices
from minigrad.kernels.runtime.window import Window, channels_last, empty, strided, zeros
from minigrad.kernels.runtime.window import pixels as rows_of

BLOCK_BYTES = 2**18  # of outputs at a time: with their pixels, a part of a core's cache
RUN_BYTES = 2**13  # at most: a run of outputs, of pixels and of filters fit into the nearest cache
PARTIAL_SUMS = 8  # of a weight gradient, at most


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether there is one filter (C, 1, kh, kw) for each of several channels."""
    return x_shape[1] == w_shape[0] == groups > 1


def forward(x, w, b, window: Window, groups, finish=None):
    """x (N, C, H, W), w (C, 1, kh, kw), b (C) or None -> y (N, C, oh, ow), finished."""
    oh, ow = window.output_size(*x.shape[2:])
    x = channels_last(x).transpose(0, 3, 1, 2)  # (N, C, H, W)
    y = empty((*x.shape[:2], oh, ow), x, w, x if b is None else b)  # (N, C, oh, ow)
    pixels = _run(x, window, ow)
    filters = np.ascontiguousarray(np.tile(w[:, 0].transpose(1, 2, 0), pixels))  # (kh, kw, k)
    bias = None if b is None else np.tile(b, pixels)  # (k)

    def convolve(block):
        part = _runs(y[block], pixels)  # (n, rows, r, k)
        np.einsum("nhrijk,ijk->nhrk", _windows(x, block, window, ow, pixels), filters, out=part)
        if b is not None:
            part += bias
        if finish is not None:
            finish(rows_of(y[block]), slice(0, y.shape[1]))

    for_each(convolve, _blocks(y))
    return y


def input_gradient(gy, w, window: Window, size, groups):
    """The transpose of x -> y, at any stride.  gy (N, C, oh, ow) -> gx (N, C, *size).

    It is that at stride 1 of gy with zeros between its pixels.
    """
    n, c, oh, ow = gy.shape
    wide = zeros((n, c, (oh - 1) * window.sh + 1, (ow - 1) * window.sw + 1), gy)
    wide[:, :, ::window.sh, ::window.sw] = gy
    window = window._replace(sh=1, sw=1)
    back = window.mirrored(wide.shape[2:], size)
    if back is None:
        return columns.input_gradient(wide, w, window, size, groups)
    return forward(wide, turned(w, groups), None, back, groups)


def weight_gradient(x, gy, window: Window, groups):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, C, oh, ow) -> gw (C, 1, kh, kw)."""
    c, _, ow = gy.shape[1:]
    x, gy = (channels_last(a).transpose(0, 3, 1, 2) for a in (x, gy))  # (N, C, ...)
    pixels = _run(x, window, ow)
    blocks = _blocks(gy)
    shares = [blocks[part] for part in slices(len(blocks), 1, -(-len(blocks) // PARTIAL_SUMS))]
    sums = np.zeros_like(x, np.result_type(x, gy), shape=(
        len(shares), window.kh, window.kw, pixels * c))  # (shares, kh, kw, k)

    def add(share):
        for block in shares[share]:
            sums[share] += np.einsum(
                "nhrijk,nhrk->ijk", _windows(x, block, window, ow, pixels),
                _runs(gy[block], pixels))  # (kh, kw, k)

    for_each(add, range(len(shares)))
    gw = sums.reshape(*sums.shape[:3], pixels, c).sum((0, 3))  # (kh, kw, C)
    return np.ascontiguousarray(gw.transpose(2, 0, 1))[:, None]  # (C, 1, kh, kw)


def _run(x, window, ow):
    """How many pixels of a row of outputs make a run: 1 unless the pixels that they see follow each
    other, and else a divisor of the row."""
    if window.sw > 1:
        return 1
    most = max(1, RUN_BYTES // (x.shape[1] * x.itemsize))
    return next(n for n in range(min(most, ow), 0, -1) if ow % n == 0)


def _blocks(y):
    """Indices (images, :, rows) of parts of y of about BLOCK_BYTES each."""
    n, c, oh, ow = y.shape
    row_bytes = max(1, ow * c * y.itemsize)
    rows = min(oh, max(1, BLOCK_BYTES // row_bytes))
    return bands(n, max(1, BLOCK_BYTES // (row_bytes * oh)), oh, rows)


def _runs(y, pixels):
    """y (n, C, rows, ow), channels-last, as a view (n, rows, r, k)."""
    n, c, rows, ow = y.shape
    return y.transpose(0, 2, 3, 1).reshape(n, rows, ow // pixels, pixels * c)  # (n, rows, r, k)


def _windows(x, block, window, ow, pixels):
    """For each run of a block of outputs the pixels that meet each position in the window, as a
    view (n, rows, r, kh, kw, k)."""
    images, _, rows = block
    n, high, width, c = window.band_shape(x[images].shape, rows)
    band, = scratches(x.dtype, (n, high, width, c))
    window.band(x[images], rows, band)
    line = width * c
    return strided(
        band, (n, rows.stop - rows.start, ow // pixels, window.kh, window.kw, pixels * c),
        (high * line, window.sh * line, window.sw * pixels * c, window.dh * line, window.dw * c, 1))
