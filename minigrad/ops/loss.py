"""Losses, composed of other ops; torch's names, reductions and definitions.

`reduction` is "mean" (default), "sum" or "none".
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.backend import array_module, device_of, to_device
from minigrad.kernels import reduce
from minigrad.ops import fused_loss
from minigrad.ops.activation import log_softmax, softplus
from minigrad.ops.arithmetic import where
from minigrad.ops.operands import for_loss
from minigrad.ops.reduce import mean, sum
from minigrad.ops.shape import getitem, permute, reshape
from minigrad.tensor import Tensor


def cross_entropy(logits, target, weight=None, ignore_index=-100, reduction="mean",
                  label_smoothing=0.0):
    """-sum_c q_c ln softmax(logits)_c with q the one-hot target, smoothed towards 1/C.

    logits (N, C, ...), target (N, ...) integers, weight (C) or None. With smoothing e the loss is
    (1-e) w_t (-ln p_t) + e/C sum_c w_c (-ln p_c) (Szegedy et al., "Rethinking the Inception
    Architecture", 2016, section 7, with torch's class weights). Elements equal to ignore_index
    count nothing; the mean divides by the sum of the targets' weights, nan if that is empty.
    Raises IndexError for a target outside 0..C-1, TypeError for one that is not integer.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError("cross_entropy: label_smoothing must lie in [0, 1], "
                         f"got {label_smoothing}")
    if logits.ndim < 2:
        raise ValueError(f"cross_entropy: logits must be (N, C, ...), got shape {logits.shape}")
    logits = for_loss(logits)
    if weight is None and fused_loss.applies(logits):
        loss, total = fused_loss.cross_entropy(logits, target, ignore_index, label_smoothing)
        return _reduce(loss, reduction, total)
    logp = log_softmax(logits, 1)
    loss = nll_loss(logp, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    n_classes = logits.shape[1]
    w, target = _array(weight, logp), _array(target)
    spread = logp if w is None else logp * w.reshape(-1, *[1] * (logp.ndim - 2))
    keep = target != ignore_index
    uniform = where(keep, -sum(spread, 1), 0)
    total = _total(keep if w is None else w[np.where(keep, target, 0)] * keep)
    return (1 - label_smoothing) * loss + label_smoothing / n_classes * _reduce(
        uniform, reduction, total)


def nll_loss(logp, target, weight=None, ignore_index=-100, reduction="mean"):
    """-w_t logp_t for log-probabilities.  logp (N, C, ...), target (N, ...); see cross_entropy."""
    logp = for_loss(logp)
    target, weight = _array(target), _array(weight, logp)
    device = device_of(logp.data if isinstance(logp, Tensor) else logp)
    if target.dtype.kind not in "iu":
        raise TypeError(f"loss: target must hold integer class numbers, got {target.dtype}")
    if logp.ndim < 2 or target.shape != logp.shape[:1] + logp.shape[2:]:
        raise ValueError(f"loss: target of shape {target.shape} does not fit scores of shape "
                         f"{logp.shape}: (N, ...) for (N, C, ...)")
    keep = target != ignore_index
    n_classes = logp.shape[1]
    if weight is not None and weight.shape != (n_classes,):
        raise ValueError(f"loss: weight of shape {weight.shape} for {n_classes} classes")
    bad = target[keep & ((target < 0) | (target >= n_classes))]
    if bad.size:
        raise IndexError(f"Target {int(bad.flat[0])} is out of bounds: there are {n_classes} "
                         f"classes, 0..{n_classes - 1} (or ignore_index={ignore_index})")
    target, keep = to_device(target, device), to_device(keep, device)
    rows = reshape(permute(logp, (0, *range(2, logp.ndim), 1)), (-1, n_classes))
    safe = np.where(keep, target, 0)
    picked = getitem(rows, (array_module(target).arange(rows.shape[0]), safe.reshape(-1)))
    loss = where(keep, -reshape(picked, target.shape), 0)  # not times 0: an ignored inf is no nan
    w = keep if weight is None else weight[safe] * keep
    return _reduce(loss if weight is None else loss * w, reduction, _total(w))


def mse_loss(x, y, reduction="mean"):
    """(x - y)^2. Raises ValueError if the shapes differ: broadcasting here is mostly a bug."""
    _same_shape("mse_loss", x, y)
    x, y = for_loss(x), for_loss(y)
    d = x - y
    return _reduce(d * d, reduction)


def binary_cross_entropy_with_logits(x, y, reduction="mean"):
    """-y ln s(x) - (1-y) ln(1 - s(x)) = (1-y) x + ln(1 + e^-x), s the logistic function."""
    _same_shape("binary_cross_entropy_with_logits", x, y)
    x, y = for_loss(x), for_loss(y)
    return _reduce((1 - y) * x + softplus(-x), reduction)


def _reduce(loss, reduction, total=None):
    """The elementwise loss, its sum, or its sum over `total` (None: its mean)."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return sum(loss)
    if reduction == "mean":
        return mean(loss) if total is None else sum(loss) / total
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def _total(weights):
    """Their sum as a number; nan instead of 0, so that an empty mean is nan as in torch."""
    return float(reduce.sum(weights).real) or math.nan


def _same_shape(name, x, y):
    if x.shape != y.shape:
        raise ValueError(f"{name}: shapes {x.shape} and {y.shape} differ")


def _array(x, like=None):
    """The plain array of a target or of class weights (in the dtype of `like`)."""
    x = x.data if isinstance(x, Tensor) else x
    if x is None or not hasattr(x, "dtype"):
        x = None if x is None else np.asarray(x)
    return x if x is None or like is None else x.astype(like.dtype)
