"""Formulas of single elements: activations, their gradients, masks, and conversions of dtype.

The gradients of sigmoid and tanh are operators alone, so they hold for Tensors too: a backward pass
that is recorded runs the same lines.
"""

import math

import numpy as np

from minigrad.kernels.elementwise import gpu
from minigrad.kernels.runtime.cuda import floats, gpu_form

_INTEGERS = {"f": np.int32, "d": np.int64}  # of the size of a numpy.dtype.char


@gpu_form(gpu.sigmoid, takes=floats)
def sigmoid(x):
    """y = 1 / (1 + e^-x)."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


@gpu_form(gpu.sigmoid_gradient, takes=floats)
def sigmoid_gradient(gy, y):
    """gx = gy y (1 - y) for y = sigmoid(x)."""
    return gy * (y * (1 - y))


@gpu_form(gpu.tanh_gradient, takes=floats)
def tanh_gradient(gy, y):
    """gx = gy (1 - y^2) for y = tanh(x)."""
    return gy * (1 - y * y)


@gpu_form(gpu.gelu, takes=floats)
def gelu(x, approximate):
    """y = x P(x) with P as in ops/activation.py's GELU."""
    return x * _normal(x, approximate)[0]


@gpu_form(gpu.gelu_gradient, takes=floats)
def gelu_gradient(gy, x, approximate):
    """gx = gy (P + x P') for y = gelu(x)."""
    p, slope = _normal(x, approximate)
    return gy * (p + x * slope())


def _normal(x, approximate):
    """P(x), and a function that gives its slope."""
    if not approximate:
        return 0.5 * (1 + erf(x * math.sqrt(0.5))), (
            lambda: np.exp(-0.5 * x * x) * math.sqrt(0.5 / math.pi))
    u = x * (1 + 0.044715 * x * x) * math.sqrt(2 / math.pi)
    t = np.tanh(u)
    return 0.5 * (1 + t), (
        lambda: 0.5 * (1 - t * t) * (1 + 0.134145 * x * x) * math.sqrt(2 / math.pi))


@gpu_form(gpu.relu, takes=floats)
def relu(x):
    """y = max(x, 0)."""
    return np.maximum(x, 0)


@gpu_form(gpu.relu_gradient, takes=floats)
def relu_gradient(gy, y):
    """gx = gy where the output y of relu is not <= 0, so where it is NaN too; 0 elsewhere."""
    return masked(gy, ~(y <= 0))


@gpu_form(gpu.masked)
def masked(x, mask, out=None):
    """x where the mask holds, 0 elsewhere, even for infinity and NaN; written to `out` if given.

    0 times infinity is NaN, but the bits of x as an integer times 0 are 0, and times 1 themselves.
    That takes as long as a product; numpy.where, which tests every element, takes ten times longer
    where the mask is irregular.
    """
    integer = _INTEGERS.get(x.dtype.char)
    if integer is None:
        return gpu.masked(x, mask, out)
    if mask.shape != x.shape:
        return (x.view(integer) * mask).view(x.dtype)
    if out is None:
        bits = mask.astype(integer)
    else:
        bits = out.view(integer)
        bits[...] = mask
    bits *= x.view(integer)
    return bits.view(x.dtype)


@gpu_form(gpu.cast)
def cast(x, dtype):
    """A copy of x in another dtype."""
    return x.astype(dtype)
