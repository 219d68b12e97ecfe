"""Convolution by filters of 2 to 5 rows, at stride 1 downwards, with about half of the products:
Winograd's F(m, r) along the columns of the image, for r rows of filters and m = 7 - r.

    Y = A^T [ (G g) * (B^T d) ]    d: 6 rows of pixels, g: the r rows of a filter, Y: m rows

Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.1, where
the numbers of the equation are here whole rows, and each of the 6 products is a convolution of a
row by a row: the windows of kw C/G numbers are laid out as in columns.py, and multiplied. For 4
rows of outputs and 3 of filters these are 6 products of matrices instead of 12. The weight gradient
is the transpose, gw = G^T [ (A gy) (B^T d) ].

Lavin and Gray go on along the rows, to a quarter of the products. These are 36, and small, the
transforms make twice as many numbers again, and the rounding error grows; that was no faster on
the layers of ResNet-18. The error here is about twice that of the plain sum, so this is for float32
only. It is relative to the largest pixel of a tile: one that is 1e5 times its neighbours costs the
outputs of its whole tile digits. It is also for finite numbers only, because an infinity becomes
NaN in a whole tile: what is not finite is computed again by columns.

In shapes, t counts the tiles of m rows of outputs, and 6 stands for the points of transforms.py.
"""

import math
from typing import NamedTuple

import numpy as np

from minigrad.kernels.conv import columns
from minigrad.kernels.conv.columns import bands
from minigrad.kernels.conv.merging import all_finite, merged, merged_groups, unmerged
from minigrad.kernels.conv.transforms import (POINTS, filter_gradients, spread_rows, sum_products,
                                              transformed, transforms)
from minigrad.kernels.runtime.threads import for_each, scratches, slices
from minigrad.kernels.runtime.window import Window, channels_last, empty, strided
from minigrad.memory import uninitialised

BLOCK_BYTES = 2**21  # of columns at a time
BLOCK_ROWS = 192  # of a matrix product, at least: with fewer, BLAS is slower
TASKS = 4  # at least: if there are fewer blocks, they are computed in parts, some channels each
PART_CHANNELS = 64  # of such a part, at least: those of banded.py's convolutions are all in one
LEAST_PIXELS = 512  # of all outputs: with fewer, transforming the filters takes too long
PARTIAL_SUMS, SUM_BYTES = 8, 2**24  # of a weight gradient, at most


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether this is such a convolution, of enough outputs."""
    oh, ow = window.output_size(*x_shape[2:])
    return (2 <= window.kh <= 5 and (window.sh, window.dh) == (1, 1) and dtype == np.float32
            and x_shape[0] * oh * ow >= LEAST_PIXELS
            and POINTS * _tiles(window, oh) <= 0.75 * window.kh * oh)


class Part(NamedTuple):
    """Some of the groups, or of a single group some of the outputs."""

    groups: slice
    within: slice  # output channels of each of these groups
    inputs: slice  # of all input channels, those of these groups
    outputs: slice  # of all output channels, these


def forward(x, w, b, window: Window, groups, finish=None, by_views=False):
    """x (N, C, H, W), w (O, C/G, kh, kw), b (O) or None -> y (N, O, oh, ow), finished.

    by_views: for one group, the rows are convolved by shifted views in place of columns.
    """
    given = x, w, b, window, groups, finish
    w, groups = merged(w, groups)
    oh, ow = window.output_size(*x.shape[2:])
    y = empty((len(x), len(w), oh, ow), x, w, x if b is None else b)  # (N, O, oh, ow)
    x, (_, _, back), infinite = _channels_last(x), transforms(window.kh, y.dtype), []
    filters = transformed(w, groups, not by_views)  # (6, G, kw C/G, O/G)
    blocks, multiply = _blocks(x, window, oh, ow), _by_views if by_views else _by_columns

    def convolve(task):
        block, part = task
        matrices = filters[:, part.groups, :, part.within]  # (6, g, kw C/G, o/g)
        to = y[block][:, part.outputs].transpose(0, 2, 3, 1)  # (n, rows, ow, o)
        tiles, out = multiply(x[:, part.inputs], block, window, part.groups, matrices, to.shape)
        if to.strides[2] == to.shape[3] * to.itemsize:  # all channels: in C order itself
            out = to
        sum_products(tiles, out, back)
        rows = out.reshape(-1, out.shape[3])  # (n rows ow, o)
        if not all_finite(rows):
            infinite.append(task)
        if b is not None:
            rows += b[part.outputs]
        if finish is not None:
            finish(rows, part.outputs)
        if out is not to:
            to[...] = out

    with np.errstate(over="ignore", invalid="ignore"):
        for_each(convolve, [(block, part) for block in blocks
                            for part in _parts(len(blocks), groups, *w.shape[:2])])
    return columns.forward(*given) if infinite else y


def _by_columns(x, block, window, groups, matrices, shape):
    """The products (n, t, 6, ow o) for outputs of the shape (n, rows, ow, o), and from the same
    scratch an array for these."""
    n, _, ow, o = shape
    columns, products, out = _columns(x, block, window, groups, ow, o, shape)
    np.matmul(columns, matrices, out=_by_group(products, groups))
    return products.reshape(6, n, -1, ow * o).transpose(1, 2, 0, 3), out


def _by_views(x, block, window, groups, matrices, shape):
    """The same: the sum of products of views of the rows, one for each position along a row."""
    n, rows, ow, o = shape
    tiles, c = _tiles(window, rows), x.shape[1]
    seen, products, product, out = _seen(
        x, block, window, *[(n, tiles, 6, ow, o)] * 2, shape)
    matrices = matrices.reshape(6, window.kw, c, o)  # (6, kw, C, o)
    s = window.sw
    views = [seen[..., v:v + s * (ow - 1) + 1:s, :] for v in range(0, window.span[1], window.dw)]
    for v, view in enumerate(views):
        np.matmul(view, matrices[:, v], out=product if v else products)
        if v:
            products += product
    return products.reshape(n, tiles, 6, ow * o), out


def weight_gradient(x, gy, window: Window, groups):
    """The transpose of w -> y.  x (N, C, H, W), gy (N, O, oh, ow) -> gw (O, C/G, kh, kw)."""
    few = merged_groups(x.shape[1] // groups, groups)
    channels, pixels, gradients = (x.shape[1] // few, *map(_channels_last, (x, gy)))
    oh, ow = gy.shape[2:]
    blocks, forth = _blocks(x, window, oh, ow), transforms(window.kh, gy.dtype)[2].T
    size = 6, few, gy.shape[1] // few, window.kw * channels  # of the sums over tiles
    most = max(1, min(PARTIAL_SUMS, SUM_BYTES // (math.prod(size) * x.itemsize)))
    shares = [blocks[part] for part in slices(len(blocks), 1, -(-len(blocks) // most))]
    sums = uninitialised((len(shares), *size), x.dtype)  # (shares, 6, G, O/G, kw C/G)

    def add(task):
        share, part = task
        total = sums[share][:, part.groups, part.within]  # (6, g, o/g, kw C/G)
        total[...] = 0
        for block in shares[share]:
            rows = gradients[block][:, part.outputs].transpose(0, 2, 3, 1)  # (n, rows, ow, o)
            columns, tiles, product = _columns(
                pixels[:, part.inputs], block, window, part.groups, ow, rows.shape[3], total.shape)
            spread_rows(rows, tiles, forth)
            np.matmul(_by_group(tiles, part.groups).swapaxes(2, 3), columns, out=product)
            total += product

    with np.errstate(over="ignore", invalid="ignore"):
        for_each(add, [(share, part) for share in range(len(shares))
                       for part in _parts(len(shares), few, gy.shape[1], channels)])
        gw = filter_gradients(
            sums.reshape(len(shares), 6, gy.shape[1], window.kw, channels), window.kh)
    if not all_finite(gw):
        return columns.weight_gradient(x, gy, window, groups)
    return unmerged(gw, groups, few)


def _columns(x, block, window, groups, ow, outputs, *shapes):
    """B^T d of what a block of outputs sees, as columns (6, g, n t ow, kw C/G); and from the same
    scratch, arrays of shape (6, n t ow, outputs) and `shapes`."""
    n, tiles = len(range(len(x))[block[0]]), _tiles(window, block[2].stop - block[2].start)
    g, c = groups.stop - groups.start, x.shape[1]
    seen, columns, *others = _seen(
        x, block, window, (6, g, n * tiles * ow, window.kw * c // g), (6, n * tiles * ow, outputs),
        *shapes)
    line = seen[0, 0, 0].size
    windows = strided(seen, (6, g, n, tiles, ow, window.kw, c // g), (
        line, c // g, seen[0].size, seen[0, 0].size, window.sw * c, window.dw * c, 1))
    columns.reshape(windows.shape)[...] = windows
    return columns, *others


def _seen(x, block, window, *shapes):
    """B^T d of what a block of outputs sees (n, t, 6, W, C), and arrays from the same scratch."""
    images, _, rows = block
    tiles, step = _tiles(window, rows.stop - rows.start), POINTS + 1 - window.kh
    rows = slice(rows.start, rows.start + step * tiles)
    n, height, width, c = window.band_shape(x[images].shape, rows)
    line = width * c
    band, seen, *others = scratches(
        x.dtype, (n, height, width, c), (n, tiles, 6, width, c), *shapes)
    window.band(x[images], rows, band)
    tiles_of = strided(band, (n, tiles, 6, line), (height * line, step * line, line, 1))
    np.matmul(transforms(window.kh, x.dtype)[0], tiles_of, out=seen.reshape(n, tiles, 6, line))
    return seen, *others


def _blocks(x, window, oh, ow):
    """Indices (images, :, output rows) of parts of y, each with about BLOCK_BYTES of columns."""
    n, c = x.shape[:2]
    high, step = _tiles(window, oh), POINTS + 1 - window.kh
    row_bytes = 6 * ow * window.kw * c * x.itemsize  # of a row of tiles
    rows = -(-high // -(-high * row_bytes // BLOCK_BYTES))
    if rows < high:
        return bands(n, 1, oh, step * rows)
    most = max(1, min(BLOCK_BYTES // (high * row_bytes), n // TASKS), -(-BLOCK_ROWS // (high * ow)))
    return bands(n, -(-n // max(1, n // most)), oh, step * high)


def _parts(count, groups, o, c):
    """The parts in which each of `count` blocks, or sums, is computed: o outputs, c of each group.
    """
    few = -(-TASKS // count)
    if groups == 1:
        size = max(PART_CHANNELS, -(-o // few))
        return [Part(slice(0, 1), part, slice(0, c), part) for part in slices(o, 1, size)]
    return [Part(part, slice(0, o // groups), *(
        slice(part.start * each, part.stop * each) for each in (c, o // groups)))
            for part in slices(groups, 1, -(-groups // few))]


def _by_group(rows, groups):
    """Rows (6, pixels, C) as a view (6, g, pixels, C/G), of the groups of a part."""
    g = groups.stop - groups.start
    return rows.reshape(6, rows.shape[1], g, -1).swapaxes(1, 2)  # (6, g, pixels, C/G)


def _channels_last(x):
    return channels_last(x).transpose(0, 3, 1, 2)  # (N, C, H, W)


def _tiles(window, rows):
    """The tiles of so many rows of outputs."""
    return -(-rows // (POINTS + 1 - window.kh))
