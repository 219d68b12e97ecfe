"""Batch normalisation layers: weight, bias, and running statistics as plain arrays.

    batch_norm_relu(norm, x)        relu(norm(x)), in one pass over memory
"""

from __future__ import annotations

import numpy as np

from minigrad import ops
from minigrad.nn.layers import check_positive
from minigrad.nn.module import Module, Parameter
from minigrad.tensor import mode


class _BatchNorm(Module):
    """Normalises each channel by the batch's statistics in training, by running ones in eval.

    run = (1 - momentum) run + momentum new, starting at mean 0 and variance 1; momentum=None is
    the plain mean over all batches so far. Checkpoints hold weight, bias, running_mean,
    running_var and num_batches_tracked.
    """

    axes = ()  # the numbers of axes that the input may have

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        check_positive(type(self).__name__, num_features=num_features)
        self.eps, self.momentum = eps, momentum
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)
        self.num_batches_tracked = np.zeros((), np.int64)

    def forward(self, x, relu=False):
        if x.ndim not in self.axes or x.shape[1] != self.weight.shape[0]:
            raise ValueError(f"{type(self).__name__}({self.weight.shape[0]}): input of shape "
                             f"{x.shape} needs {' or '.join(map(str, self.axes))} axes, and "
                             f"{self.weight.shape[0]} channels in the second")
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / (int(self.num_batches_tracked) + 1)
        y = ops.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                           self.training, momentum, self.eps, relu)
        if self.training:
            self.num_batches_tracked += 1
        return y

    def extra_repr(self):
        return f"{self.weight.shape[0]}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of x (N, C) or (N, C, L)."""

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images x (N, C, H, W)."""

    axes = (4,)


def batch_norm_relu(norm, x, relu=ops.relu):
    """relu(norm(x)) of a batch normalisation layer, in one op instead of two with the same bits
    (in evaluation: for channels-last x, which convolutions make).

    `Sequential` and the networks call it wherever the two are adjacent. While ops are traced (by
    `minigrad.profile` and `minigrad.draw`, or after NaN) there are two, each in its own layer.
    """
    if mode.trace is not None or not runs(norm, _BatchNorm):
        return relu(norm(x))
    return norm.forward(x, relu=True)


def runs(module, kind):
    """Whether `module(x)` runs the forward of that class, and not one that replaces it."""
    return getattr(module.forward, "__func__", None) is kind.forward
