"""Matrix products on the GPU: cuBLAS by way of CuPy, and what CuPy does otherwise than it should.

16-bit numbers are to be multiplied and added in float32, and rounded once. CuPy adds those of a
product of a row and a column in 16 bits, and takes stacks of bfloat16 for integers. The precision
that `set_float32_matmul_precision` allows it passes on for single products alone.
"""

import numpy as np

from minigrad.backend import array_module, get_float32_matmul_precision
from minigrad.dtypes import is_half, widen

DEFAULT_MATH, TF32_MATH = 0, 3  # cublasMath_t


def matmul(a, b):
    if is_half(a) and (a.ndim > 2 or a.shape[0] == b.shape[1] == 1):
        return matmul(widen(a), widen(b)).astype(a.dtype)
    if a.ndim == 2 or a.dtype != np.float32 or get_float32_matmul_precision() == "highest":
        return a @ b
    cuda = array_module(a).cuda
    handle = cuda.Device().cublas_handle
    cuda.cublas.setMathMode(handle, TF32_MATH)
    try:
        return a @ b
    finally:
        cuda.cublas.setMathMode(handle, DEFAULT_MATH)
