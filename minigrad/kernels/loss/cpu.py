"""Softmax cross entropy of scores and class numbers, and its gradient.

With p = softmax x, the class t of a row, weights w (all 1 if there are none) and smoothing e:

    loss of a row = -(1 - e) w_t ln p_t - e / C sum_c w_c ln p_c,   0 in ignored rows

The two terms are reduced apart, and added afterwards.
"""

import numpy as np

from minigrad.backend import array_module, device_of, to_device
from minigrad.kernels.loss import gpu
from minigrad.kernels.loss.targets import check_classes, total
from minigrad.kernels.reduce.cpu import finite_max, sum
from minigrad.kernels.runtime.cuda import gpu_form
from minigrad.kernels.runtime.window import channels_last


@gpu_form(gpu.prepared, takes=gpu.has_kernel)
def prepared(x, targets):
    """`targets` with their classes on the device of x (N, C, ...), and the total of a mean.

    Raises IndexError for a class outside 0..C-1.
    """
    check_classes(targets.classes, targets.ignored, x.shape[1])
    targets = targets._replace(  # of copies, which no later change can reach
        classes=to_device(targets.classes.astype(np.int64), device_of(x)),
        weight=None if targets.weight is None else targets.weight.copy())
    return targets._replace(total=total(targets.shares()))


@gpu_form(gpu.cross_entropy, takes=gpu.has_kernel)
def cross_entropy(x, targets):
    """x (N, C, ...), prepared targets -> y, and what `cross_entropy_gradient` wants to be kept.

    y (N, ...), or one number if the losses are to be reduced.
    """
    logp = log_softmax(x, 1)
    rows = channels_last(logp).reshape(-1, x.shape[1])              # (N ..., C)
    safe, keep = targets.safe(), targets.keep()
    picked = rows[array_module(x).arange(len(rows)), safe.reshape(-1)].reshape(safe.shape)
    loss = np.where(keep, -picked, 0)  # not times 0: an ignored inf is no nan
    if targets.weight is not None:
        loss = loss * targets.shares()
    y = targets.reduced(loss)
    if targets.smoothing:
        weighted = logp if targets.weight is None else logp * along(targets.weight, x)
        uniform = np.where(keep, -sum(weighted, (1,)), 0)           # (N, ...)
        share = targets.smoothing / x.shape[1]
        y = (1 - targets.smoothing) * y + share * targets.reduced(uniform)
    return y, logp


@gpu_form(gpu.cross_entropy_gradient, takes=gpu.has_kernel)
def cross_entropy_gradient(x, targets, gy, logp):
    """gx (N, C, ...) from gy, of the shape of y, and what `cross_entropy` kept.

    g, the gradient of ln p, holds one number per row, at its class, and those of the smoothing.
    """
    smoothing, safe, keep = targets.smoothing, targets.safe(), targets.keep()
    row = targets.spread(gy * (1 - smoothing) if smoothing else gy)
    if targets.weight is not None:
        row = row * targets.shares()
    row = np.where(keep, row, 0).reshape(-1)                        # (N ...)
    n, c, *sizes = x.shape
    rows = array_module(x).zeros((safe.size, c), x.dtype)           # (N ..., C)
    rows[array_module(x).arange(len(rows)), safe.reshape(-1)] += -row
    g = rows.reshape(n, *sizes, c).transpose(0, x.ndim - 1, *range(1, x.ndim - 1))  # (N, C, ...)
    if smoothing:
        uniform = np.where(keep, targets.spread(gy * (smoothing / c)), 0)
        uniform = np.broadcast_to(-uniform.reshape(n, 1, *sizes), x.shape)
        g = (uniform if targets.weight is None else uniform * along(targets.weight, x)) + g
    return g - np.exp(logp) * sum(g, (1,), keepdims=True)


def log_softmax(x, axis):
    """y_i = x_i - ln sum_j e^{x_j} along an axis."""
    d = x - finite_max(x, axis)
    return d - np.log(sum(np.exp(d), axis, keepdims=True))


def along(weight, x):
    """A vector (C) that broadcasts with x (N, C, ...)."""
    return weight.reshape(-1, *[1] * (x.ndim - 2))
