"""The transforms of Winograd's convolution (winograd.py), each a product of matrices.

    pixels (6, 6), filters (6, r), outputs (m, 6) = transforms(r, dtype)       B^T, G, A^T
"""

from functools import cache

import numpy as np

from minigrad.kernels.runtime.threads import for_each, scratches, slices
from minigrad.memory import uninitialised

FINITE = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
"""The points, beside infinity, where the polynomials of the transforms are evaluated. Lavin and
Gray's 0, 1, -1, 2, -2 give rounder matrices, but a larger rounding error. How to choose points for
accuracy: Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution for
deep neural networks", ACM TOMS 46(4), 2020."""

POINTS = len(FINITE) + 1
BLOCK_BYTES = 2**18  # of filters that are transformed at a time


@cache
def transforms(rows, dtype):
    """B^T (6, 6), G (6, r) and A^T (m, 6) of F(m, r) for r rows, by Toom and Cook's construction.

    Row k of G evaluates the filter, as a polynomial, at point p_k, and divides the value by the
    product of all p_k - p_l with l != k. Row k of B^T holds the coefficients of the product of all
    x - p_l with l != k. The last row of each, and the last column of A^T, belong to infinity.
    """
    bt, g, at = (np.zeros(shape) for shape in (
        (POINTS, POINTS), (POINTS, rows), (POINTS + 1 - rows, POINTS)))
    for k, p in enumerate(FINITE):
        others = np.delete(FINITE, k)
        bt[k, :-1] = np.poly(others)[::-1]
        g[k] = p ** np.arange(rows) / np.prod(p - others)
        at[:, k] = p ** np.arange(len(at))
    bt[-1] = np.poly(FINITE)[::-1]
    g[-1, -1] = at[-1, -1] = 1
    return tuple(matrix.astype(dtype) for matrix in (bt, g, at))


def sum_products(tiles, y, back):
    """Writes y (n, rows, ow, O), A^T times the products (n, t, 6, ow O)."""
    n, rows, ow, o = y.shape
    y = y.reshape(n, rows, ow * o)  # (n, rows, ow O)
    step = len(back)
    whole, left = divmod(rows, step)
    np.matmul(back, tiles[:, :whole], out=y[:, :step * whole].reshape(n, whole, step, ow * o))
    if left:
        np.matmul(back[:left], tiles[:, whole], out=y[:, step * whole:])


def spread_rows(gy, tiles, forth):
    """The transpose: writes tiles (6, n t ow, O), A times the rows gy (n, rows, ow, O)."""
    n, rows, ow, o = gy.shape
    gy = gy.reshape(n, rows, ow * o)  # (n, rows, ow O)
    tiles = tiles.reshape(6, n, -1, ow * o).transpose(1, 2, 0, 3)  # (n, t, 6, ow O)
    step = forth.shape[1]
    whole, left = divmod(rows, step)
    np.matmul(forth, gy[:, :step * whole].reshape(n, whole, step, ow * o), out=tiles[:, :whole])
    if left:
        np.matmul(forth[:, :left], gy[:, step * whole:], out=tiles[:, whole])


def transformed(w, groups, transpose=True):
    """G g for the filters w (O, C/G, r, kw), as matrices (6, G, kw C/G, O/G).

    The numbers that are closest together in w, along O or along C, stay so. If these are along C,
    the matrix is the transpose of what is in memory, which BLAS takes as well; for small matrices
    it is slower then, so transpose=False gives them in C order.
    """
    o, c, kh, kw = w.shape
    if transpose and abs(w.strides[1]) < abs(w.strides[0]):
        memory = uninitialised((6, o, kw, c), w.dtype)
        given, to = w.transpose(2, 0, 3, 1)[None, None], memory[None, None]  # (1, 1, r, O, kw, C/G)
        matrices = memory.reshape(6, groups, o // groups, -1).swapaxes(2, 3)  # (6, G, kw C/G, O/G)
    else:
        memory = uninitialised((6, groups, kw, c, o // groups), w.dtype)
        given = w.reshape(groups, o // groups, c, kh, kw).transpose(0, 4, 3, 2, 1)
        to = memory.transpose(1, 2, 0, 3, 4)  # given and to: (G, kw, r or 6, C/G, O/G)
        matrices = memory.reshape(6, groups, -1, o // groups)  # (6, G, kw C/G, O/G)
    forth = transforms(kh, w.dtype)[1]

    def transform(some):
        for i, j in np.ndindex(given.shape[:2]):
            part = given[i, j, :, some]
            rows, = scratches(w.dtype, part.shape)
            rows[...] = part
            np.matmul(forth, rows.reshape(kh, -1), out=to[i, j, :, some].reshape(6, -1))

    for_each(transform, slices(given.shape[3], w.nbytes // given.shape[3], BLOCK_BYTES))
    return matrices


def filter_gradients(sums, rows):
    """G^T s for the sum s of sums (shares, 6, O, kw, C/G), as filters (O, C/G, r, kw)."""
    _, _, o, kw, c = sums.shape
    out = uninitialised((o, c, rows, kw), sums.dtype)
    back = transforms(rows, sums.dtype)[1].T

    def transform(some):
        g = back @ sums[:, :, some].sum(0).reshape(6, -1)  # (r, o kw C/G)
        g = g.reshape(rows, -1, kw, c)  # (r, o, kw, C/G)
        for i, j in np.ndindex(rows, kw):  # in this order, the copy is fast
            out[some, :, i, j] = g[i, :, j]  # (o, C/G)

    for_each(transform, slices(o, 6 * kw * c * sums.itemsize, BLOCK_BYTES))
    return out
