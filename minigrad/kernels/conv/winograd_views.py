"""Winograd's convolution (winograd.py), with rows convolved by shifted views in place of columns.

    sum_v x[:, v:v + ow] matrix_v

Nothing is copied, and the rounding error is smaller. The matrices are those of single rows. For
such small ones, some kernels of BLAS do without a copy of their own, and are faster than for large
ones; others are slower.
"""

from functools import partial

from minigrad.kernels.conv import winograd
from minigrad.kernels.runtime.window import Window

LEAST, MOST = 8, 2**19  # outputs in a row, and numbers multiplied in one product of matrices
FILTERS = 2**14  # pairs of an input and an output channel, at most


def fits(x_shape, w_shape, window: Window, groups, dtype):
    """Whether Winograd's convolution fits, and the matrices are small, but not tiny."""
    ow, pairs = window.output_size(*x_shape[2:])[1], w_shape[0] * w_shape[1]
    return (groups == 1 and LEAST <= ow and pairs <= FILTERS and ow * pairs <= MOST
            and winograd.fits(x_shape, w_shape, window, groups, dtype))


forward = partial(winograd.forward, by_views=True)
