"""Formulas of single elements on the GPU: elementwise.cu behind the functions of cpu.py."""

import numpy as np

from minigrad.backend import array_module, gpu_dtype
from minigrad.kernels.runtime.cuda import launch, memory_order, parameters


def _each(kernel):
    """The GPU form that has the kernel make each element of arrays of one shape, laid out as the
    first; the kernel's numbers follow its arrays.

    The axes are permuted so that the first array is in C order, since the kernels know nothing of
    layouts. Others that lie differently are copied by `launch`.
    """
    def form(*arguments):
        count = len(parameters("elementwise")[kernel]) - 1
        axes = memory_order(arguments[0])
        views = [a.transpose(axes) for a in arguments[:count]]
        y = array_module(views[0]).empty(views[0].shape, views[0].dtype)
        launch("elementwise", kernel, views, [y], *arguments[count:])
        return y.transpose(np.argsort(axes).tolist())
    return form


erf = _each("error_function")
relu, relu_gradient = _each("relu"), _each("relu_gradient")
sigmoid, sigmoid_gradient = _each("sigmoid"), _each("sigmoid_gradient")
tanh_gradient = _each("tanh_gradient")
gelu, gelu_gradient = _each("gelu"), _each("gelu_gradient")


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
