"""3x3 convolution at stride 1 with a quarter of the products: Winograd's F(4x4, 3x3).

    Y = A^T [ (G g G^T) * (B^T d B) ] A        d: 6x6 pixels, g: 3x3 filter, Y: 4x4 outputs

Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, equation 8 and
section 4.3. For the 16 outputs of a tile, each pair of an input and an output channel takes 36
products instead of 144, and the sums over the channels are 36 matrix products. The transforms act
on rows and columns alike, so for tiles laid out as vectors each of them is a single matrix, the
Kronecker product of the small one with itself.

The price is accuracy: the rounding error is about 4 times that of the plain sum, so this is for
float32 only. It is also for finite pixels only, because an infinity becomes NaN all over its tile;
images that hold one take the columns.
The weight gradient would gain nothing: it would have to keep 36 sums over the tiles for each
filter, which take 4 times the memory of the filters.
"""

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.conv import columns
from minigrad.kernels.conv.columns import bands
from minigrad.kernels.conv.merging import all_finite
from minigrad.kernels.runtime.threads import for_each
from minigrad.kernels.runtime.window import Window, empty, pixels

POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)  # and infinity
"""Where the polynomials of the transforms are evaluated. Lavin and Gray's points 0, 1, -1, 2, -2
give rounder matrices, but 2 to 5 times the rounding error (measured with 128 channels). How to
choose points for accuracy: Barabasz et al., "Error analysis and improving the accuracy of Winograd
convolution for deep neural networks", ACM TOMS 46(4), 2020."""


def _transforms():
    """B^T (6, 6), G (6, 3) and A^T (4, 6) of F(4, 3) for POINTS, by Toom and Cook's construction.

    Row k of G evaluates the filter, as a polynomial, at point p_k, and divides the value by the
    product of all p_k - p_l with l != k. Row k of B^T holds the coefficients of the product of all
    x - p_l with l != k. The last row of each, and the last column of A^T, belong to infinity.
    """
    bt, g, at = np.zeros((6, 6)), np.zeros((6, 3)), np.zeros((4, 6))
    for k, p in enumerate(POINTS):
        others = np.delete(POINTS, k)
        bt[k, :5] = np.poly(others)[::-1]
        g[k] = p ** np.arange(3) / np.prod(p - others)
        at[:, k] = p ** np.arange(4)
    bt[5] = np.poly(POINTS)[::-1]
    g[5, 2] = at[3, 5] = 1
    return bt, g, at


PIXELS, FILTERS, OUTPUTS = (np.kron(m, m) for m in _transforms())  # (36, 36), (36, 9), (16, 36)

BLOCK_BYTES = 2**19  # of transformed pixels at a time
BLOCK_TILES = 64  # at least: with fewer rows BLAS is slower


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether this is such a convolution, of enough pixels for 36 matrix products to pay."""
    oh, ow = window.output_size(*x_shape[2:])
    tiles = -(-oh // 4) * -(-ow // 4)
    return (window[:4] == (3, 3, 1, 1) and window[6:8] == (1, 1) and groups == 1
            and dtype == np.float32 and x_shape[0] * tiles >= BLOCK_TILES
            and 16 * tiles <= 1.5 * oh * ow)


def forward(x, w, b, window: Window, groups=1, finish=None):
    """x (N, C, H, W), w (O, C, 3, 3), b (O) or None -> y (N, O, oh, ow), finished."""
    if not all_finite(x):
        return columns.forward(x, w, b, window, groups, finish)
    oh, ow = window.output_size(*x.shape[2:])
    o, c = w.shape[:2]
    filters = _like(FILTERS, w) @ w.reshape(o * c, 9).T  # (36, O C)
    filters = filters.reshape(36, o, c).transpose(0, 2, 1)  # (36, C, O)
    y = empty((len(x), o, oh, ow), x, w)  # (N, O, oh, ow)
    back = _like(OUTPUTS, x)

    def convolve(block):
        products = _tiles(x, window, block) @ filters  # (36, tiles, O)
        tiles = back @ products.reshape(36, -1)  # (16, tiles O)
        part = y[block]
        n, _, h, width = part.shape
        tiles = tiles.reshape(4, 4, n, -(-h // 4), -(-width // 4), o)  # (4, 4, n, high, wide, O)
        if b is not None:
            tiles += b
        for i in range(4):
            for j in range(4):
                to = part[:, :, i::4, j::4].transpose(0, 2, 3, 1)  # (n, high, wide, O)
                to[...] = tiles[i, j, :, :to.shape[1], :to.shape[2]]
        if finish is not None:
            finish(pixels(part))

    for_each(convolve, _blocks(x, oh, ow))
    return y


def _tiles(x, window, block):
    """B^T d B of the pixels that a block of outputs sees: (36, tiles, C)."""
    images, _, rows = block
    n, c = len(range(len(x))[images]), x.shape[1]
    high, wide = -(-(rows.stop - rows.start) // 4), -(-window.output_size(*x.shape[2:])[1] // 4)
    band = window._replace(ew=4 * wide + 2 - x.shape[3] - 2 * window.pw).band(
        x[images], slice(rows.start, rows.start + 4 * high))
    s0, s1, s2, s3 = band.strides
    seen = array_module(x).lib.stride_tricks.as_strided(
        band, (6, 6, n, high, wide, c), (s2, s3, s0, 4 * s2, 4 * s3, s1))
    tiles = _like(PIXELS, x) @ seen.reshape(36, -1)  # (36, tiles C)
    return tiles.reshape(36, -1, c)  # (36, tiles, C)


def _blocks(x, oh, ow):
    """Indices (images, :, output rows) of blocks of about BLOCK_TILES tiles."""
    n, high, wide = len(x), -(-oh // 4), -(-ow // 4)
    tiles = max(BLOCK_TILES, BLOCK_BYTES // (36 * x.shape[1] * x.itemsize))
    rows = 4 * max(1, min(high, tiles // wide))
    images = max(1, tiles // (high * wide))
    return bands(n, images, oh, rows)


def _like(matrix, x):
    return array_module(x).asarray(matrix, x.dtype)
