"""Losses of single numbers, and what all losses share: reductions, targets, weights."""

from typing import Any

import numpy as np

from minigrad.arguments import plain
from minigrad.backend import Array, check_devices, device_of, to_device
from minigrad.dtypes import has_integers
from minigrad.engine import Values, data_of
from minigrad.function import Function
from minigrad.ops.activation import softplus
from minigrad.ops.arithmetic import abs, exp, log, log1p
from minigrad.ops.cost import per_element
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import mean, sum
from minigrad.ops.select import clip, where
from minigrad.ops.shape import cast


@in_float32(loss=True)
def mse_loss(input: Values, target: Any, reduction: str = "mean") -> Values:
    """(x - t)^2. Raises ValueError if the shapes differ: broadcasting here is mostly a bug."""
    d = input - _target("mse_loss", target, input)
    return _reduce(d * d, reduction)


@in_float32(loss=True)
def l1_loss(input: Values, target: Any, reduction: str = "mean") -> Values:
    """|x - t|. Raises ValueError if the shapes differ."""
    return _reduce(abs(input - _target("l1_loss", target, input)), reduction)


@in_float32(loss=True)
def smooth_l1_loss(input: Values, target: Any, reduction: str = "mean",
                   beta: float = 1.0) -> Values:
    """d^2 / (2 beta) where d = |x - t| is less than beta, and d - beta / 2 elsewhere.

    Girshick, "Fast R-CNN", 2015, equation 3. Raises ValueError if the shapes differ, RuntimeError
    for a negative beta.
    """
    beta = plain(beta)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    if not beta:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta


@in_float32(loss=True)
def huber_loss(input: Values, target: Any, reduction: str = "mean",
               delta: float = 1.0) -> Values:
    """d^2 / 2 where d = |x - t| is at most delta, and delta (d - delta / 2) elsewhere.

    Huber, 1964. Raises ValueError if the shapes differ, RuntimeError for a delta that is not
    positive.
    """
    delta = plain(delta)
    if not delta > 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    d = input - _target("huber_loss", target, input)
    near = clip(d, -delta, delta)  # which is also the gradient
    return _reduce(near * (d - near / 2), reduction)


class BinaryCrossEntropy(Function):
    """y = -t max(ln p, -100) - (1 - t) max(ln(1 - p), -100), dy/dp = (p - t) / (p - p^2).

    As in torch the denominator is at least 1e-12, which keeps the gradient at p = 0 and 1 finite.
    """

    floating = True
    cost = per_element(multiply=2, add=3, compare=2, other=3)

    def forward(self, p: Array, t: Array) -> Array:
        with np.errstate(divide="ignore"):
            return -t * np.maximum(np.log(p), -100) - (1 - t) * np.maximum(np.log1p(-p), -100)

    def grad_p(self, gy: Values, p: Values, t: Values) -> Values:
        return gy * (p - t) / clip(p * (1 - p), min=1e-12)

    def grad_t(self, gy: Values, p: Values) -> Values:
        return gy * (log1p(-p) - log(p))


@in_float32(loss=True)
def binary_cross_entropy(input: Values, target: Any, weight: Any = None,
                         reduction: str = "mean") -> Values:
    """w (-t ln x - (1 - t) ln(1 - x)) for probabilities x, each logarithm at least -100.

    weight broadcasts to their shape. Raises ValueError for shapes that do not fit, RuntimeError for
    an x or t outside [0, 1]. Of the outputs of a network binary_cross_entropy_with_logits is the
    more exact loss.
    """
    target = _target("binary_cross_entropy", target, input)
    _check_weight("binary_cross_entropy", "weight", weight, input)
    for what, x in {"input": _array(input), "target": _array(target)}.items():
        if not bool(((x >= 0) & (x <= 1)).all()):
            raise RuntimeError(f"binary_cross_entropy: the {what} must lie between 0 and 1")
    loss = BinaryCrossEntropy()(input, target)
    return _reduce(loss if weight is None else loss * _like(weight, input), reduction)


@in_float32(loss=True)
def binary_cross_entropy_with_logits(input: Values, target: Any, reduction: str = "mean",
                                     weight: Any = None, pos_weight: Any = None) -> Values:
    """w (-p t ln s(x) - (1-t) ln(1 - s(x))), s the logistic function, w = weight, p = pos_weight.

    x, t of one shape, t between 0 and 1; weight and pos_weight broadcast to it, or are None for 1.
    -ln s(x) = ln(1 + e^-x), and no two terms cancel. Raises ValueError for shapes that do not fit.
    """
    name, x = "binary_cross_entropy_with_logits", input
    target = _target(name, target, x)
    _check_weight(name, "weight", weight, x)
    _check_weight(name, "pos_weight", pos_weight, x)
    positive = target if pos_weight is None else target * _like(pos_weight, x)
    loss = positive * softplus(-x) + (1 - target) * softplus(x)
    return _reduce(loss if weight is None else loss * _like(weight, x), reduction)


@in_float32(loss=True)
def soft_margin_loss(input: Values, target: Any, reduction: str = "mean") -> Values:
    """ln(1 + e^{-t x}) for targets 1 and -1. Raises ValueError if the shapes differ."""
    return _reduce(softplus(-_target("soft_margin_loss", target, input) * input), reduction)


@in_float32(loss=True)
def kl_div(input: Values, target: Any, reduction: str = "mean",
           log_target: bool = False) -> Values:
    """t (ln t - x), and 0 where t = 0, for ln probabilities x; e^t (t - x) with log_target.

    The sum over an axis is the Kullback-Leibler divergence. "batchmean" is the sum divided by N,
    the size of the first axis; "mean" divides by the number of elements, as in torch.
    """
    loss = exp(target) * (target - input) if log_target else (
        target * log(where(target == 0, 1, target)) - target * input)
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.ndim else loss
    return _reduce(loss, reduction)


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


def _target(name: str, y: Any, x: Values) -> Any:
    """The target y, in the dtype of x if it holds integers; ValueError for another shape."""
    if x.shape != y.shape:
        raise ValueError(f"{name}: shapes {x.shape} and {y.shape} differ")
    return cast(y, x.dtype) if has_integers(y) else y


def _check_weight(name: str, what: str, weight: Any, x: Any) -> None:
    """Raise ValueError unless the weight is None or broadcasts to the shape of x."""
    shape = () if weight is None else np.shape(_array(weight))
    if len(shape) > x.ndim or any(n not in (1, m) for n, m in zip(shape[::-1], x.shape[::-1])):
        raise ValueError(f"{name}: {what} of shape {shape} does not broadcast to the input's "
                         f"{x.shape}")


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
