"""Losses; torch's names, reductions and definitions. All but cross entropy are composed of ops.

`reduction` is "mean" (default), "sum" or "none".
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.arguments import plain
from minigrad.backend import Array, array_module, check_devices, device_of, to_device
from minigrad.dtypes import has_integers, kind
from minigrad.engine import Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.loss import cpu as kernel
from minigrad.kernels.loss.targets import Targets, check_classes, total
from minigrad.ops.activation import log_softmax, softplus
from minigrad.ops.arithmetic import exp
from minigrad.ops.cost import Count, elements
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import mean, sum
from minigrad.ops.select import masked, where
from minigrad.ops.shape import cast, expand, getitem, permute, reshape, unsqueeze


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
def cross_entropy(logits: Values, target: Any, weight: Any = None, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Values:
    """-sum_c w_c q_c ln softmax(logits)_c with q the target, smoothed towards 1/C.

    logits (N, C, ...), weight (C) or None; target (N, ...), the numbers of classes, whose q is 1 at
    the class and 0 elsewhere, or probabilities q (N, C, ...). With smoothing e the loss of a class
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
    if logits.ndim < 2:
        raise ValueError(f"cross_entropy: logits must be (N, C, ...), got shape {logits.shape}")
    if getattr(target, "shape", None) == logits.shape and kind(target.dtype) == "f":
        if ignore_index >= 0:
            raise RuntimeError("cross_entropy: ignore_index is for a target of classes, this one "
                               "holds probabilities")
        return _soft_cross_entropy(logits, target, weight, reduction, label_smoothing)
    _check_reduction(reduction)
    targets = Targets(_classes(target, logits), _class_weights(weight, logits), ignore_index,
                      label_smoothing, reduction)
    return CrossEntropy(kernel.prepared(_array(logits), targets))(logits)


def _soft_cross_entropy(logits: Values, q: Any, weight: Any, reduction: str,
                        label_smoothing: float) -> Values:
    """cross_entropy with probabilities q as target; the mean is that of all elements."""
    q = q * (1 - label_smoothing) + label_smoothing / logits.shape[1] if label_smoothing else q
    logp = log_softmax(logits, 1)
    if weight is not None:
        logp = logp * kernel.along(_class_weights(weight, logp), logp)
    return _reduce(-sum(logp * q, 1), reduction)


@in_float32(loss=True)
def nll_loss(logp: Values, target: Any, weight: Any = None, ignore_index: int = -100,
             reduction: str = "mean") -> Values:
    """-w_t logp_t for log-probabilities.  logp (N, C, ...), target (N, ...); see cross_entropy."""
    target, weight = _classes(target, logp), _class_weights(weight, logp)
    check_classes(target, ignore_index, logp.shape[1])
    target = to_device(target, device_of(_array(logp)))
    targets = Targets(target, weight, ignore_index, 0.0, reduction)
    rows = reshape(permute(logp, (0, *range(2, logp.ndim), 1)), (-1, logp.shape[1]))
    places = array_module(target).arange(rows.shape[0]), targets.safe().reshape(-1)
    picked = reshape(getitem(rows, places), target.shape)
    loss = where(targets.keep(), -picked, 0)  # not times 0: an ignored inf is no nan
    shares = targets.shares()
    return _reduce(loss if weight is None else loss * shares, reduction, total(shares))


@in_float32(loss=True)
def mse_loss(x: Values, y: Values | Array, reduction: str = "mean") -> Values:
    """(x - y)^2. Raises ValueError if the shapes differ: broadcasting here is mostly a bug."""
    d = x - _target("mse_loss", y, x)
    return _reduce(d * d, reduction)


@in_float32(loss=True)
def binary_cross_entropy_with_logits(x: Values, y: Values | Array, reduction: str = "mean",
                                     weight: Any = None, pos_weight: Any = None) -> Values:
    """w (-p y ln s(x) - (1-y) ln(1 - s(x))), s the logistic function, w = weight, p = pos_weight.

    x, y of one shape, y between 0 and 1; weight and pos_weight broadcast to it, or are None for 1.
    -ln s(x) = ln(1 + e^-x), and no two terms cancel. Raises ValueError for shapes that do not fit.
    """
    name = "binary_cross_entropy_with_logits"
    target = _target(name, y, x)
    for what, w in {"weight": weight, "pos_weight": pos_weight}.items():
        if w is not None and not _broadcasts_to(np.shape(_array(w)), x.shape):
            raise ValueError(f"{name}: {what} of shape {np.shape(_array(w))} does not broadcast to "
                             f"the input's {x.shape}")
    positive = target if pos_weight is None else target * _like(pos_weight, x)
    loss = positive * softplus(-x) + (1 - target) * softplus(x)
    return _reduce(loss if weight is None else loss * _like(weight, x), reduction)


def _reduce(loss: Values, reduction: str, total: float | None = None) -> Values:
    """The elementwise loss, its sum, or its sum over `total` (None: its mean)."""
    _check_reduction(reduction)
    if reduction == "none":
        return loss
    if reduction == "sum":
        return sum(loss)
    return mean(loss) if total is None else sum(loss) / total


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


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


def _target(name: str, y: Any, x: Values) -> Any:
    """The target y, in the dtype of x if it holds integers; ValueError for another shape."""
    if x.shape != y.shape:
        raise ValueError(f"{name}: shapes {x.shape} and {y.shape} differ")
    return cast(y, x.dtype) if has_integers(y) else y


def _broadcasts_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    return len(shape) <= len(target) and all(
        n in (1, m) for n, m in zip(shape[::-1], target[::-1]))


def _class_weights(weight: Any, logp: Values) -> Array | None:
    """The weights as an array (C) that goes with logp (N, C, ...), or None."""
    if weight is None:
        return None
    weight, n_classes = _array(_like(weight, logp)), logp.shape[1]
    if weight.shape != (n_classes,):
        raise ValueError(f"loss: weight of shape {weight.shape} for {n_classes} classes")
    return weight


def _like(weight: Any, x: Values) -> Any:
    """A weight in the dtype of x. Raises DeviceError if it is on another device."""
    if not hasattr(weight, "dtype"):
        weight = to_device(np.asarray(weight), device_of(_array(x)))
    check_devices("loss: weight", weight, x)
    return cast(weight, x.dtype)


def _array(x: Any) -> Array:
    """The plain array of a Tensor, an array or a list."""
    x = data_of(x)
    return x if hasattr(x, "dtype") else np.asarray(x)
