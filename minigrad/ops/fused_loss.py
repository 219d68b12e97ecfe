"""Cross entropy in two launches on the GPU, where the composition of ops/loss.py takes dozens."""

from __future__ import annotations

import math

import numpy as np

from minigrad.backend import on_gpu, to_device
from minigrad.function import Function
from minigrad.kernels import loss_cuda
from minigrad.ops.activation import softmax
from minigrad.ops.shape import expand, unsqueeze
from minigrad.tensor import Tensor


class CrossEntropy(Function):
    """y_n = -sum_c q_nc ln softmax(x_n)_c, q the smoothed one-hot target, 0 in ignored rows.

    x (N, C) -> y (N), on the GPU.
    """

    def __init__(self, target, ignored, smoothing):
        self.settings = target, ignored, smoothing

    def forward(self, x):
        y, self.logsum = loss_cuda.forward(x, *self.settings)
        return y

    def backward(self, gy, x):
        target, ignored, smoothing = self.settings
        if not isinstance(x, Tensor):
            return loss_cuda.backward(gy, x, target, self.logsum, ignored, smoothing)
        classes = to_device(np.arange(x.shape[1]), "cuda")
        q = (1 - smoothing) * (classes == target[:, None]) + smoothing / x.shape[1]
        keep = (target != ignored)[:, None].astype(x.dtype)
        return expand(unsqueeze(gy, 1), x.shape) * (softmax(x, 1) - q.astype(x.dtype)) * keep


def applies(logits):
    """Whether `cross_entropy` can take these logits."""
    x = logits.data if isinstance(logits, Tensor) else logits
    return on_gpu(x) and x.ndim == 2 and x.dtype in ("float32", "float64")


def cross_entropy(logits, target, ignore_index, label_smoothing):
    """The loss of each row, and the number of rows that count (nan instead of 0).

    Class numbers on the host are checked as on the CPU. Those on the GPU are not, because looking
    at them would wait for it: one that does not exist makes the loss nan. Raises IndexError,
    TypeError and ValueError as ops.cross_entropy.
    """
    target = target.data if isinstance(target, Tensor) else target
    target = target if hasattr(target, "dtype") else np.asarray(target)
    n, classes = logits.shape
    if target.dtype.kind not in "iu":
        raise TypeError(f"loss: target must hold integer class numbers, got {target.dtype}")
    if target.shape != (n,):
        raise ValueError(f"loss: target of shape {target.shape} does not fit scores of shape "
                         f"{logits.shape}: (N, ...) for (N, C, ...)")
    keep = target != ignore_index
    if on_gpu(target):
        total = keep.sum(dtype=logits.dtype)
    else:
        bad = target[keep & ((target < 0) | (target >= classes))]
        if bad.size:
            raise IndexError(f"Target {int(bad.flat[0])} is out of bounds: there are {classes} "
                             f"classes, 0..{classes - 1} (or ignore_index={ignore_index})")
        total = float(keep.sum()) or math.nan
    target = to_device(target.astype(np.int64), "cuda")
    return CrossEntropy(target, ignore_index, label_smoothing)(logits), total
