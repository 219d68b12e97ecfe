"""Dropout (Srivastava et al., JMLR 15, 2014, section 4), in the form that leaves eval untouched."""

from __future__ import annotations

from minigrad.backend import generator, on_gpu
from minigrad.function import Function
from minigrad.kernels import dropout_cuda
from minigrad.tensor import Tensor


class Dropout(Function):
    """y = x m / (1 - p) with a given mask m of zeros and ones."""

    def __init__(self, mask, p):
        self.mask = mask
        self.scale = 1 / (1 - p) if p < 1 else 0.0

    def forward(self, x):
        return x * self.mask * self.scale

    def backward(self, gy):
        return gy * self.mask * self.scale


def dropout(x, p=0.5, training=True):
    """In training, each element is zeroed with probability p and the others grow by 1 / (1 - p).

    The mask follows `minigrad.manual_seed`. Raises ValueError for p outside [0, 1].
    """
    return _dropout(x, p, training, x.shape)


def dropout2d(x, p=0.5, training=True):
    """dropout of whole channels: x (N, C, ...) loses or keeps each x[n, c]."""
    if x.ndim < 3:
        raise ValueError(f"dropout2d: needs (N, C, ...) with at least 3 axes, got {x.shape}")
    return _dropout(x, p, training, (*x.shape[:2], *[1] * (x.ndim - 2)))


def _dropout(x, p, training, mask_shape):
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
    if not training or p == 0:
        return x
    array = x.data if isinstance(x, Tensor) else x
    rng = generator("dropout")
    mask = (dropout_cuda.mask(rng, array, mask_shape, p) if on_gpu(array)
            else rng.random(mask_shape, "float32") >= p)
    return Dropout(mask, p)(x)
