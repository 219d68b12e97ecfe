"""Convolution by columns (im2col): each window laid out as a row, then one matrix product.

    y = columns(x) matrix(w),   columns (N oh ow, kh kw C), matrix (kh kw C, O)

The batch is cut into blocks whose columns stay in a core's cache, whole images or bands of rows of
one image; a block is the task of one thread. In channels-last memory a row of the window is one run
of kw C numbers. With G groups there are G products side by side.
"""

from __future__ import annotations

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.threads import for_each, slices
from minigrad.kernels.window import Window, empty, zeros

BLOCK_BYTES = 2**20  # of columns at a time: half of a core's cache
BLOCK_ROWS = 64  # of a matrix product, at least: below, BLAS is slower
PARTIAL_SUMS = 8  # of a weight gradient: each needs the memory of the filters
BLOCKS_AT_A_TIME = 16  # where filters are shared out, and all their threads need the same columns


def forward(x, w, groups, b, window: Window):
    """x (N, C, H, W), w (O, C/G, kh, kw), b (O) or None -> y (N, O, oh, ow)."""
    oh, ow = window.output_size(*x.shape[2:])
    y = empty((x.shape[0], w.shape[0], oh, ow), x, w, x if b is None else b)
    matrix = _matrix(w, groups)
    bias = None if b is None else b.reshape(groups, 1, 1, 1, -1)

    def convolve(block):
        part = _grouped(y[block], groups)
        part[...] = (_columns(x, block, window, groups, ow) @ matrix).reshape(part.shape)
        if b is not None:
            part += bias

    for_each(convolve, _blocks(x, window, oh, ow))
    return y


def input_gradient(gy, w, window: Window, size, groups):
    """The transpose of x -> y, any stride.  gy (N, O, oh, ow) -> gx (N, C, *size) (col2im)."""
    n, _, oh, ow = gy.shape
    c = w.shape[1]
    matrix = _matrix(w, groups).transpose(0, 2, 1)
    padded = zeros((n, c * groups, *window.padded_size(*size)), gy, w)

    def spread(images):
        columns = _rows(gy[images], groups) @ matrix  # (G, n oh ow, kh kw C/G)
        columns = columns.reshape(groups, -1, oh, ow, window.kh * window.kw, c)
        for t, tap in enumerate(window.taps(padded[images], oh, ow)):
            _grouped(tap, groups)[...] += columns[:, :, :, :, t]

    for_each(spread, slices(n, matrix.shape[2] * groups * oh * ow * gy.itemsize, BLOCK_BYTES))
    return window.cropped(padded, size)


def weight_gradient(x, gy, window: Window, groups):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw).

    The sum over the blocks is shared out by blocks for small filters, by filters for large ones.
    """
    oh, ow = gy.shape[2:]
    c, o = x.shape[1] // groups, gy.shape[1] // groups
    blocks = _blocks(x, window, oh, ow)
    gw = np.zeros_like(x, np.result_type(x, gy), shape=(groups, o, window.kh * window.kw * c))
    share = _sum_by_block if gw.nbytes <= BLOCK_BYTES else _sum_by_filter
    share(gw, blocks, lambda block: _rows(gy[block], groups).transpose(0, 2, 1),
          lambda block: _columns(x, block, window, groups, ow))
    gw = gw.reshape(groups * o, -1, c)
    out = np.empty_like(gw, shape=(groups * o, c, window.kh * window.kw))
    for t in range(window.kh * window.kw):  # the fast order of this copy
        out[:, :, t] = gw[:, t]
    return out.reshape(groups * o, c, window.kh, window.kw)


def _sum_by_block(gw, blocks, rows, columns):
    """gw += rows(block) columns(block) for all blocks: each thread sums some, then all are summed.
    """
    shares = [blocks[part] for part in _slices(len(blocks), -(-len(blocks) // PARTIAL_SUMS))]
    sums = np.zeros_like(gw, shape=(len(shares), *gw.shape))

    def add(share):
        for block in shares[share]:
            sums[share] += rows(block) @ columns(block)

    for_each(add, range(len(shares)))
    gw += sums.sum(0)


def _sum_by_filter(gw, blocks, rows, columns):
    """gw += rows(block) columns(block) for all blocks: each thread does some of the rows of gw."""
    for start in range(0, len(blocks), BLOCKS_AT_A_TIME):
        some = blocks[start:start + BLOCKS_AT_A_TIME]
        lefts, rights = [None] * len(some), [None] * len(some)

        def prepare(i):
            lefts[i], rights[i] = rows(some[i]), columns(some[i])

        def add(filters):
            gw[:, filters] += left[:, filters] @ right

        for_each(prepare, range(len(some)))
        left, right = np.concatenate(lefts, 2), np.concatenate(rights, 1)
        for_each(add, _slices(gw.shape[1], BLOCK_ROWS))


def _blocks(x, window, oh, ow):
    """Indices (images, :, output rows) that cut y into parts with columns of about BLOCK_BYTES."""
    n, c = x.shape[:2]
    row_bytes = max(1, ow * window.kh * window.kw * c * x.itemsize)
    rows = min(oh, max(BLOCK_BYTES // row_bytes, -(-BLOCK_ROWS // ow)))
    images = max(BLOCK_BYTES // (row_bytes * oh), -(-BLOCK_ROWS // (oh * ow))) if rows == oh else 1
    return [(part, slice(None), band) for part in _slices(n, images) for band in _slices(oh, rows)]


def _slices(total, step):
    return [slice(i, min(i + step, total)) for i in range(0, total, max(1, step))]


def _columns(x, block, window, groups, ow):
    """The windows of a block of outputs as rows (G, n rows ow, kh kw C/G)."""
    images, _, rows = block
    if (window.kh, window.kw) == (1, 1) and not window.pads:
        return _rows(x[images, :, rows.start * window.sh:rows.stop * window.sh:window.sh,
                       :ow * window.sw:window.sw], groups)
    band = window.band(x[images], rows)
    n, c, (s0, s1, s2, s3) = len(band), x.shape[1] // groups, band.strides
    windows = array_module(x).lib.stride_tricks.as_strided(
        band, (groups, n, rows.stop - rows.start, ow, window.kh, window.kw, c),
        (c * s1, s0, window.sh * s2, window.sw * s3, window.dh * s2, window.dw * s3, s1))
    return windows.reshape(groups, -1, window.kh * window.kw * c)  # the one copy


def _grouped(x, groups):
    """x (N, C, H, W) as a view (G, N, H, W, C/G)."""
    n, c, h, w = x.shape
    return x.transpose(0, 2, 3, 1).reshape(n, h, w, groups, c // groups).transpose(3, 0, 1, 2, 4)


def _rows(x, groups):
    """x (N, C, H, W) as matrices (G, N H W, C/G); no copy for one group and channels-last x."""
    return _grouped(x, groups).reshape(groups, -1, x.shape[1] // groups)


def _matrix(w, groups):
    """w (O, C/G, kh, kw) as the matrices (G, kh kw C/G, O/G) that multiply columns.

    The copy runs along O or C, whichever is closer together in memory; the matrix is its transpose
    in one of the cases, which BLAS takes as well.
    """
    o, c, kh, kw = w.shape
    w = w.reshape(groups, o // groups, c, kh, kw)
    if abs(w.strides[1]) < abs(w.strides[2]):
        return w.transpose(0, 3, 4, 2, 1).reshape(groups, kh * kw * c, -1)
    return w.transpose(0, 1, 3, 4, 2).reshape(groups, o // groups, -1).transpose(0, 2, 1)
