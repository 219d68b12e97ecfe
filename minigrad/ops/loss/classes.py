"""Losses of classes: cross entropy, and the same of log-probabilities."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.arguments import plain
from minigrad.backend import Array, array_module, device_of, to_device
from minigrad.dtypes import kind
from minigrad.engine import Tensor, Values
from minigrad.function import Function
from minigrad.kernels.loss import cpu as kernel
from minigrad.kernels.loss.targets import Targets, check_classes, total
from minigrad.ops.activation import log_softmax
from minigrad.ops.arithmetic import exp
from minigrad.ops.arrays.gather import gather
from minigrad.ops.cost import Count, elements
from minigrad.ops.loss.elements import _array, _check_reduction, _like, _reduce
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import sum
from minigrad.ops.select import masked, where
from minigrad.ops.shape import expand, reshape, squeeze, unsqueeze


class CrossEntropy(Function):
    """y_n = -sum_c w_c q_nc ln softmax(x_n)_c, or their sum or mean over n: see `cross_entropy`.

    x (N, C, ...) -> y (N, ...), or one number.
    """

    floating = True

    def __init__(self, targets: Targets) -> None:
        self.targets = targets  # prepared: see kernels/loss

    def forward(self, x: Array) -> Array:
        y, self.kept = kernel.cross_entropy(x, self.targets)
        return y

    def backward(self, gy: Values, x: Values) -> Values:
        if not isinstance(x, Tensor):
            return kernel.cross_entropy_gradient(x, self.targets, gy, self.kept)
        gs = [masked(self.spread(gy * share, x.shape) * -q, q != 0)
              for share, q in self.terms(x.data)]
        g = gs[0] if len(gs) == 1 else gs[0] + gs[1]  # the gradient of ln softmax(x)
        return g - exp(log_softmax(x, 1)) * sum(g, 1, keepdim=True)

    def cost(self, y: Tensor, x: Tensor) -> Count:
        """ln softmax of the rows, minus one number of each (and smoothed: their sum over the
        classes), times the weight if there is one; then the reduction, once or for both terms."""
        targets, n, rows = self.targets, elements(x), self.targets.classes.size
        smoothed, weighted = bool(targets.smoothing), targets.weight is not None
        terms, ended = 1 + smoothed, targets.reduction != "none"
        return Count(
            multiply=weighted * (rows + smoothed * n) + smoothed * 2 * elements(y),
            add=3 * n - rows + smoothed * (n - rows + elements(y)) + ended * terms * (rows - 1),
            compare=n - rows,
            other=n + rows + terms * (rows + (targets.reduction == "mean")))

    def spread(self, gy: Values, shape: tuple[int, ...]) -> Values:
        """The gradient of each row, in every column: (N, C, ...)."""
        if self.targets.reduction == "mean":
            gy = gy / self.targets.total
        return expand(unsqueeze(expand(gy, self.targets.classes.shape), 1), shape)

    def terms(self, x: Array) -> Iterator[tuple[float, Array]]:
        """Pairs (s, q) with q (N, C, ...): a row's loss is the sum of -s q_c ln softmax(x)_c."""
        targets, n_classes = self.targets, x.shape[1]
        counts = targets.keep()[:, None]
        if targets.weight is not None:
            counts = np.where(counts, kernel.along(targets.weight, x), 0)
        at_class = kernel.along(array_module(x).arange(n_classes), x) == targets.classes[:, None]
        yield 1 - targets.smoothing, np.where(at_class, counts, 0).astype(x.dtype)
        if targets.smoothing:
            yield targets.smoothing / n_classes, np.broadcast_to(counts, x.shape).astype(x.dtype)


@in_float32(loss=True)
def cross_entropy(input: Values, target: Any, weight: Any = None, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Values:
    """-sum_c w_c q_c ln softmax(input)_c with q the target, smoothed towards 1/C.

    input (N, C, ...), weight (C) or None; target (N, ...), the numbers of classes, whose q is 1 at
    the class and 0 elsewhere, or probabilities q (N, C, ...). One row alone is (C), and its class a
    target without axes. With smoothing e the loss of a class
    t is (1-e) w_t (-ln p_t) + e/C sum_c w_c (-ln p_c) (Szegedy et al., "Rethinking the Inception
    Architecture", 2016, section 7, with torch's class weights). Elements equal to ignore_index
    count nothing. The mean divides by the sum of the weights of the classes t, or by the number of
    the q; it is nan if there are none. Raises IndexError for a class outside 0..C-1, TypeError for
    one that is not integer, RuntimeError for probabilities with an ignore_index, ValueError for
    shapes that do not fit and for a weight on another device.
    """
    label_smoothing = plain(label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ValueError("cross_entropy: label_smoothing must lie in [0, 1], "
                         f"got {label_smoothing}")
    soft = getattr(target, "shape", None) == input.shape and kind(target.dtype) == "f"
    if soft and ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index is for a target of classes, this one holds "
                           "probabilities")
    if input.ndim < 2:
        return reshape(cross_entropy(*_rows("cross_entropy", input, target, soft), weight,
                                     ignore_index, reduction, label_smoothing), ())
    if soft:
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    _check_reduction(reduction)
    targets = Targets(_classes(target, input), _class_weights(weight, input), ignore_index,
                      label_smoothing, reduction)
    return CrossEntropy(kernel.prepared(_array(input), targets))(input)


def _soft_cross_entropy(logits: Values, q: Any, weight: Any, reduction: str,
                        label_smoothing: float) -> Values:
    """cross_entropy with probabilities q as target; the mean is that of all elements."""
    q = q * (1 - label_smoothing) + label_smoothing / logits.shape[1] if label_smoothing else q
    logp = log_softmax(logits, 1)
    if weight is not None:
        logp = logp * kernel.along(_class_weights(weight, logp), logp)
    return _reduce(-sum(logp * q, 1), reduction)


@in_float32(loss=True)
def nll_loss(input: Values, target: Any, weight: Any = None, ignore_index: int = -100,
             reduction: str = "mean") -> Values:
    """-w_t x_t for log-probabilities.  input (N, C, ...), target (N, ...), or (C) and one class;
    see cross_entropy."""
    if input.ndim < 2:
        return reshape(nll_loss(*_rows("nll_loss", input, target), weight, ignore_index, reduction),
                       ())
    target, weight = _classes(target, input), _class_weights(weight, input)
    check_classes(target, ignore_index, input.shape[1])
    target = to_device(target, device_of(_array(input)))
    targets = Targets(target, weight, ignore_index, 0.0, reduction)
    picked = squeeze(gather(input, 1, targets.safe()[:, None]), 1)
    loss = where(targets.keep(), -picked, 0)  # not times 0: an ignored inf is no nan
    shares = targets.shares()
    return _reduce(loss if weight is None else loss * shares, reduction, total(shares))


def _rows(name: str, scores: Values, target: Any, soft: bool = False) -> tuple[Values, Any]:
    """Scores (1, C) of (C), and their target (1), or (1, C) if it is soft."""
    target = target if hasattr(target, "dtype") else np.asarray(target)
    if scores.ndim != 1 or target.ndim != soft:
        raise ValueError(f"{name}: scores of shape {scores.shape} and a target of shape "
                         f"{target.shape}: needs (N, C, ...) and (N, ...), or (C) and one class")
    return unsqueeze(scores, 0), unsqueeze(target, 0)


def _classes(target: Any, scores: Values) -> Array:
    """The class numbers as an array (N, ...) that goes with scores (N, C, ...)."""
    target = _array(target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"loss: target must hold integer class numbers, got {target.dtype}"
                        f" of shape {target.shape}; probabilities have the scores' shape")
    if scores.ndim < 2 or target.shape != scores.shape[:1] + scores.shape[2:]:
        raise ValueError(f"loss: target of shape {target.shape} does not fit scores of shape "
                         f"{scores.shape}: (N, ...) for (N, C, ...)")
    return target


def _class_weights(weight: Any, logp: Values) -> Array | None:
    """The weights as an array (C) that goes with logp (N, C, ...), or None."""
    if weight is None:
        return None
    weight, n_classes = _array(_like(weight, logp)), logp.shape[1]
    if weight.shape != (n_classes,):
        raise ValueError(f"loss: weight of shape {weight.shape} for {n_classes} classes")
    return weight
