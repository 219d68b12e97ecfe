"""Convolution by columns (im2col): each window laid out as a row, then one matrix product.

    y = columns(x) matrix(w),   columns (N oh ow, kh kw C), matrix (kh kw C, O)

The outputs are cut into blocks whose columns stay in a core's cache: several images, or a band of
rows of one image. Each block is computed by one thread. In channels-last memory, a row of a window
is kw C numbers in one run. With G groups there are G such products, of the channels of a group.
Small groups are merged (merging.py): for the weight gradient always, as what mixes two groups is
dropped, and for the other maps unless the pixels hold an infinity or NaN.
"""

import numpy as np

from minigrad.kernels.conv.merging import merged_for, merged_groups, unmerged
from minigrad.kernels.runtime.threads import for_each, scratches, slices
from minigrad.kernels.runtime.window import Window, empty, pixels, strided, zeros
from minigrad.memory import uninitialised

BLOCK_BYTES = 2**20  # of columns at a time: half of a core's cache
FILTER_BYTES = 2**19  # of filters copied at a time
BLOCK_ROWS = 64  # of a matrix product, at least: with fewer, BLAS is slower
PARTIAL_SUMS = 8  # of a weight gradient, at most: each takes as much memory as the filters
TAP_CHANNELS = 256  # at most, whose pixels a thread multiplies at a time


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Every convolution."""
    return True


def forward(x, w, b, window: Window, groups, finish=None):
    """x (N, C, H, W), w (O, C/G, kh, kw), b (O) or None -> y (N, O, oh, ow), finished."""
    w, groups = merged_for(x, w, groups)
    oh, ow = window.output_size(*x.shape[2:])
    y = empty((len(x), len(w), oh, ow), x, w, x if b is None else b)  # (N, O, oh, ow)
    matrix = filter_matrices(w, groups)  # (G, kh kw C/G, O/G)

    def convolve(block):
        rows = pixels(y[block])  # (n rows ow, O)
        columns = _columns(x, block, window, groups, ow)  # (G, n rows ow, kh kw C/G)
        np.matmul(columns, matrix, out=_by_group(rows, groups))  # (G, n rows ow, O/G)
        if b is not None:
            rows += b
        if finish is not None:
            finish(rows, slice(0, y.shape[1]))

    for_each(convolve, _blocks(x, window, oh, ow))
    return y


def input_gradient(gy, w, window: Window, size, groups):
    """The transpose of x -> y, at any stride.  gy (N, O, oh, ow) -> gx (N, C, *size) (col2im)."""
    w, groups = merged_for(gy, w, groups)
    n, _, oh, ow = gy.shape
    c, dtype = w.shape[1], np.result_type(gy, w)
    matrix = filter_matrices(w, groups).transpose(0, 2, 1)  # (G, O/G, kh kw C/G)
    padded = zeros((n, c * groups, *window.padded_size(*size)), gy, w)  # (N, C, padded H, padded W)

    def spread(images):
        rows = pixel_rows(gy[images], groups)  # (G, n oh ow, O/G)
        columns, = scratches(dtype, (groups, rows.shape[1], matrix.shape[2]))
        np.matmul(rows, matrix, out=columns)  # (G, n oh ow, kh kw C/G)
        columns = columns.reshape(
            groups, len(gy[images]), oh, ow, window.kh * window.kw, c)  # (G, n, oh, ow, kh kw, C/G)
        for t, tap in enumerate(window.taps(padded[images], oh, ow)):
            grouped(tap, groups)[...] += columns[:, :, :, :, t]  # (G, n, oh, ow, C/G)

    for_each(spread, slices(n, matrix.shape[2] * groups * oh * ow * gy.itemsize, BLOCK_BYTES))
    return window.cropped(padded, size)


def weight_gradient(x, gy, window: Window, groups):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw).

    Threads share out the blocks of outputs if the filters are small, each adding up matrices as
    large as these, and else the positions in the window.
    """
    given, groups = groups, merged_groups(x.shape[1] // groups, groups)
    c, o = x.shape[1] // groups, gy.shape[1] // groups
    taps = window.kh * window.kw
    gw = uninitialised((groups, o, taps, c), np.result_type(x, gy))  # (G, O/G, kh kw, C/G)
    fill = _sum_by_block if gw.nbytes <= BLOCK_BYTES else _sum_by_tap
    fill(gw, x, gy, window, groups)
    gw = gw.reshape(groups * o, taps, c)  # (O, kh kw, C/G)
    return unmerged(reordered(gw).reshape(groups * o, c, window.kh, window.kw), given, groups)


def reordered(gw):
    """gw (O, kh kw, C/G) as an array (O, C/G, kh kw)."""
    o, taps, c = gw.shape
    if taps == 1:
        return gw.reshape(o, c, 1)  # (O, C/G, 1)
    out = uninitialised((o, c, taps), gw.dtype)  # (O, C/G, kh kw)

    def copy(some):
        for t in range(taps):  # in this order, the copy is fast
            out[some, :, t] = gw[some, t]  # (o, C/G)

    for_each(copy, slices(o, taps * c * gw.itemsize, BLOCK_BYTES))
    return out


def _sum_by_block(gw, x, gy, window, groups):
    """Writes gw, the sum of the products of all blocks: each thread adds up some of them."""
    oh, ow = gy.shape[2:]
    blocks = _blocks(x, window, oh, ow)
    shares = [blocks[part] for part in slices(len(blocks), 1, -(-len(blocks) // PARTIAL_SUMS))]
    sums = np.zeros_like(gw, shape=(
        len(shares), *gw.shape[:2], gw.shape[2] * gw.shape[3]))

    def add(share):
        for block in shares[share]:
            rows = pixel_rows(gy[block], groups).transpose(0, 2, 1)  # (G, O/G, n rows ow)
            sums[share] += rows @ _columns(x, block, window, groups, ow)  # (G, O/G, kh kw C/G)

    for_each(add, range(len(shares)))
    sums.sum(0, out=gw.reshape(sums.shape[1:]))  # (G, O/G, kh kw C/G)


def _sum_by_tap(gw, x, gy, window, groups):
    """Writes gw, for each position in the window and some of the channels by one product."""
    padded = window.padded(x) if window.pads else x  # (N, C, padded H, padded W)
    taps = [grouped(tap, groups) for tap in window.taps(padded, *gy.shape[2:])]
    rows = pixel_rows(gy, groups).transpose(0, 2, 1)  # (G, O/G, N oh ow)

    def add(task):
        t, channels = task
        tap = taps[t][..., channels]  # (G, N, oh, ow, channels)
        tap = tap.reshape(groups, rows.shape[2], tap.shape[4])  # (G, N oh ow, channels)
        np.matmul(rows, tap, out=gw[:, :, t, channels])  # (G, O/G, channels)

    for_each(add, [(t, channels) for t in range(len(taps))
                   for channels in slices(gw.shape[3], 1, TAP_CHANNELS)])


def _blocks(x, window, oh, ow):
    """Indices (images, :, output rows) of parts of y, each with about BLOCK_BYTES of columns."""
    n, c = x.shape[:2]
    row_bytes = max(1, ow * window.kh * window.kw * c * x.itemsize)
    rows = min(oh, max(BLOCK_BYTES // row_bytes, -(-BLOCK_ROWS // ow)))
    images = max(BLOCK_BYTES // (row_bytes * oh), -(-BLOCK_ROWS // (oh * ow))) if rows == oh else 1
    return bands(n, images, oh, rows)


def bands(n, images, oh, rows):
    """Indices (images, :, output rows) that cut N images into parts of so many images and rows."""
    return [(part, slice(None), band)
            for part in slices(n, 1, images) for band in slices(oh, 1, rows)]


def _columns(x, block, window, groups, ow):
    """The windows of a block of outputs as rows of matrices (G, n rows ow, kh kw C/G)."""
    images, _, rows = block
    if (window.kh, window.kw) == (1, 1) and not window.pads:
        return pixel_rows(x[images, :, rows.start * window.sh:rows.stop * window.sh:window.sh,
                            :ow * window.sw:window.sw], groups)
    shape = window.band_shape(x[images].shape, rows)
    n, c, high = shape[0], x.shape[1] // groups, rows.stop - rows.start
    band, columns = scratches(x.dtype, shape, (groups, n * high * ow, window.kh * window.kw * c))
    window.band(x[images], rows, band)
    line = shape[2] * shape[3]
    windows = strided(band, (groups, n, high, ow, window.kh, window.kw, c), (
        c, band[0].size, window.sh * line, window.sw * shape[3], window.dh * line,
        window.dw * shape[3], 1))
    columns.reshape(windows.shape)[...] = windows  # the only copy
    return columns  # (G, n rows ow, kh kw C/G)


def grouped(x, groups):
    """x (N, C, H, W) as a view (G, N, H, W, C/G)."""
    n, c, h, w = x.shape
    x = x.transpose(0, 2, 3, 1).reshape(n, h, w, groups, c // groups)  # (N, H, W, G, C/G)
    return x.transpose(3, 0, 1, 2, 4)  # (G, N, H, W, C/G)


def _by_group(rows, groups):
    """Rows (pixels, C) as a view (G, pixels, C/G)."""
    return rows.reshape(len(rows), groups, rows.shape[1] // groups).transpose(1, 0, 2)


def pixel_rows(x, groups):
    """x (N, C, H, W) as matrices (G, N H W, C/G); no copy for one group and channels-last x."""
    n, c, h, w = x.shape
    return grouped(x, groups).reshape(groups, n * h * w, c // groups)  # (G, N H W, C/G)


def filter_matrices(w, groups):
    """w (O, C/G, kh, kw) as the matrices (G, kh kw C/G, O/G) that multiply columns.

    The numbers that are closest together in w, along O or along C, stay so. If these are along C,
    the matrix is the transpose of what is in memory, which BLAS takes as well.
    """
    o, c, kh, kw = w.shape
    w = w.reshape(groups, o // groups, c, kh, kw)  # (G, O/G, C/G, kh, kw)
    if abs(w.strides[2]) < abs(w.strides[1]):
        memory = uninitialised((groups, o // groups, kh, kw, c), w.dtype)
        to, axis = memory.transpose(0, 1, 4, 2, 3), 1  # (G, O/G, C/G, kh, kw)
        matrices = memory.reshape(
            groups, o // groups, kh * kw * c).transpose(0, 2, 1)  # (G, kh kw C/G, O/G)
    else:
        memory = uninitialised((groups, kh, kw, c, o // groups), w.dtype)
        to, axis = memory.transpose(0, 4, 3, 1, 2), 2  # (G, O/G, C/G, kh, kw)
        matrices = memory.reshape(groups, kh * kw * c, o // groups)  # (G, kh kw C/G, O/G)

    def copy(some):
        part = (slice(None),) * axis + (some,)
        to[part] = w[part]

    for_each(copy, slices(w.shape[axis], w.nbytes // max(1, w.shape[axis]), FILTER_BYTES))
    return matrices
