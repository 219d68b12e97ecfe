"""Matrix products, of stacks too."""

from minigrad.kernels.matmul import gpu
from minigrad.kernels.runtime.cuda import gpu_form


@gpu_form(gpu.matmul)
def matmul(a, b):
    """y = a b.  a (..., n, k), b (..., k, m), equal leading axes -> y (..., n, m)."""
    return a @ b
