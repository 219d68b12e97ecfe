"""Formulas of single elements on the GPU: elementwise.cu behind the functions of cpu.py."""

import numpy as np

from minigrad.backend import array_module, gpu_dtype
from minigrad.kernels.runtime.cuda import launch, memory_order


def sigmoid(x):
    return _each("sigmoid", x)


def erf(x):
    return _each("error_function", x)


def sigmoid_gradient(gy, y):
    return _each("sigmoid_gradient", gy, y)


def tanh_gradient(gy, y):
    return _each("tanh_gradient", gy, y)


def gelu(x, approximate):
    return _each("gelu", x, numbers=[int(approximate)])


def gelu_gradient(gy, x, approximate):
    return _each("gelu_gradient", gy, x, numbers=[int(approximate)])


def relu(x):
    return _each("relu", x)


def relu_gradient(gy, y):
    return _each("relu_gradient", gy, y)


def masked(x, mask, out=None):
    """CuPy's `where` is one pass, whatever the mask. The CPU form runs this too where it must."""
    y = np.where(mask, x, x.dtype.type(0))
    if out is None:
        return y
    out[...] = y
    return out


def cast(x, dtype):
    """Raises TypeError for numbers that GPUs do not have."""
    return x.astype(gpu_dtype(dtype))


def _each(kernel, *arrays, numbers=()):
    """The kernel's result for each element of arrays of one shape, laid out as the first.

    Their axes are permuted so that the first array is in C order, since the kernels know nothing of
    layouts. Others that lie differently are copied by `launch`.
    """
    axes = memory_order(arrays[0])
    views = [a.transpose(axes) for a in arrays]
    y = array_module(views[0]).empty(views[0].shape, views[0].dtype)
    launch("elementwise", kernel, views, [y], *numbers)
    return y.transpose(np.argsort(axes).tolist())
