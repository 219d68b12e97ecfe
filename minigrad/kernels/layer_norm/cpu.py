"""Normalisation of each row of a matrix x (R, n): values and gradient, block by block.

    m = mean x,   v = mean (x - m)^2,   s = 1 / sqrt(v + eps),   y = (x - m) s w + b
"""

import numpy as np

from minigrad.kernels.layer_norm import gpu
from minigrad.kernels.reduce.cpu import sum, sum_along
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.kernels.runtime.threads import for_each, slices

BLOCK_BYTES = 2**18  # of x at a time, which stay in a core's cache


@gpu_form(gpu.normalise)
def normalise(x, w, b, eps):
    """(y, m, s), of which y (R, n), m and s (R, 1); w and b are (n)."""
    y = np.empty_like(x, np.result_type(x, w, b))  # complex for the complex step
    mean, scale = np.empty_like(x, shape=(2, len(x), 1))

    def write(block):
        part = x[block]
        centre = _mean(part)
        d = part - centre
        left = _mean(d)  # what rounding has left of it
        d -= left
        mean[block] = centre + left
        scale[block] = 1 / np.sqrt(_mean(d * d) + eps)
        d *= scale[block]
        y[block] = d * w + b

    for_each(write, _blocks(x))
    return y, mean, scale


@gpu_form(gpu.gradient)
def gradient(gy, x, mean, scale, w):
    """(gx, gw, gb) of y = (x - mean) scale w + b, where mean and scale are those of x itself."""
    dtype, blocks = np.result_type(x, gy, w), _blocks(x)
    gx = np.empty_like(x, dtype)
    gw, gb = np.zeros_like(x, np.result_type(dtype, np.float64), shape=(2, len(blocks), len(w)))

    def add(k):
        g, d = gy[blocks[k]], (x[blocks[k]] - mean[blocks[k]]) * scale[blocks[k]]
        gw[k], gb[k] = sum_along(g * d, 0), sum_along(g, 0)
        g = g * w
        gx[blocks[k]] = scale[blocks[k]] * (g - _mean(g) - d * _mean(g * d))

    for_each(add, range(len(blocks)))
    return gx, gw.sum(0).astype(dtype), gb.sum(0).astype(dtype)


def _blocks(x):
    return slices(len(x), x.shape[1] * x.itemsize, BLOCK_BYTES)


def _mean(x):
    return sum(x, (1,), keepdims=True) / x.dtype.type(x.shape[1])
