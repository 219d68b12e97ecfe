"""Formulas of single elements: activations, their gradients, masks, and conversions of dtype.

The gradients of sigmoid and tanh are operators alone, so they hold for Tensors too: a backward pass
that is recorded runs the same lines.
"""

import math

import numpy as np

from minigrad.dtypes import convert
from minigrad.kernels.elementwise import gpu
from minigrad.kernels.runtime.cuda import floats, gpu_form
from minigrad.memory import uninitialised_like
from minigrad.kernels.runtime.threads import for_each, slices

# W. J. Cody, Rational Chebyshev approximations for the error function, Math. of Computation 23
# (1969), with the digits of his program CALERF. Highest powers first.
NEAR = ([1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
         3.77485237685302021e2, 3.20937758913846947e3],
        [1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
         2.84423683343917062e3])
FAR = ([2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
        6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
        1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3],
       [1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
        1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
        3.43936767414372164e3, 1.23033935480374942e3])
BLOCK = 1 << 13  # elements: the intermediate arrays of float64 stay in the cache

BLOCK_BYTES = 2**20  # of each array, at a time, of arrays that threads share
LARGE = 2 * BLOCK_BYTES  # threads share arrays of so many bytes

_INTEGERS = {"f": np.int32, "d": np.int64}  # of the size of a numpy.dtype.char


def shared(f, *arrays):
    """f(*arrays), a ufunc, for arrays of LARGE bytes or more: each thread computes some blocks."""
    x = arrays[0]
    if x.dtype.char not in "fd" or not x.dtype.isnative or any(
            type(a) is not np.ndarray or a.dtype != x.dtype or a.shape != x.shape
            or a.strides != x.strides for a in arrays):
        return f(*arrays)
    y = uninitialised_like(x)
    if y.strides != x.strides:  # x has gaps
        return f(*arrays)
    flat = [a.ravel(order="K") for a in (*arrays, y)]

    def compute(block):
        f(*[a[block] for a in flat[:-1]], out=flat[-1][block])

    for_each(compute, slices(x.size, x.itemsize, BLOCK_BYTES))
    return y


@gpu_form(gpu.sigmoid, takes=floats)
def sigmoid(x):
    """y = 1 / (1 + e^-x)."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


@gpu_form(gpu.erf, takes=floats)
def erf(x):
    """y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.

    Computed in float64: there the relative error is below 1e-15, and float32 is rounded once. Near
    0 it is x N(x^2), elsewhere 1 - e^(-x^2) F(|x|), for rational functions N and F. F was made for
    |x| <= 4. Up to 6, from where on y is 1, it is right to more digits than e^(-x^2) leaves of it.
    """
    flat = x.reshape(-1)
    y = np.empty(flat.shape, x.dtype)
    for start in range(0, len(flat), BLOCK):
        block = flat[start:start + BLOCK].astype(np.float64)
        a = np.minimum(np.abs(block), 6)  # NaN stays
        square = a * a
        far = 1 - np.exp(-square) * _rational(FAR, a)
        y[start:start + BLOCK] = np.where(
            a <= 0.46875, block * _rational(NEAR, square), np.copysign(far, block))
    return y.reshape(x.shape)


def _rational(coefficients, x):
    """The quotient of two polynomials."""
    above, below = (np.polyval(c, x) for c in coefficients)
    return above / below


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


def _relu(x, out=None):
    return np.maximum(x, 0, out=out)


@gpu_form(gpu.relu, takes=floats)
def relu(x):
    """y = max(x, 0)."""
    return np.maximum(x, 0) if x.nbytes < LARGE else shared(_relu, x)


@gpu_form(gpu.relu_gradient, takes=floats)
def relu_gradient(gy, y):
    """gx = gy where the output y of relu is not <= 0, so where it is NaN too; 0 elsewhere."""
    return masked(gy, passes_relu(y)) if gy.nbytes < LARGE else shared(_masked_by_relu, gy, y)


def _masked_by_relu(gy, y, out=None):
    return masked(gy, passes_relu(y), out=out)


def passes_relu(y, relu=1):
    """Where y, what ReLU gave, or ReLU6 for relu=6, lets the gradient pass: NaN too."""
    stops = y <= 0
    return ~(stops | (y >= relu) if relu > 1 else stops)


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
    """A copy of x in another dtype: see `dtypes.convert`."""
    return convert(x, dtype)
