"""Distances between rows, and the losses that compare them."""

from typing import Any

import numpy as np

from minigrad.arguments import plain
from minigrad.engine import Values, data_of
from minigrad.ops.arithmetic import sqrt
from minigrad.ops.loss.elements import _reduce
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import norm, sum
from minigrad.ops.select import clip, minimum, where
from minigrad.ops.shape import expand


@in_float32()
def cosine_similarity(x1: Values, x2: Values, dim: int = 1, eps: float = 1e-8) -> Values:
    """sum x1 x2 / (|x1| |x2|) over `dim`, each length at least eps. The shapes broadcast."""
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    x1, x2 = expand(x1, shape), expand(x2, shape)
    return sum(_unit(x1, dim, plain(eps)) * _unit(x2, dim, plain(eps)), dim)


def _unit(x: Values, dim: int, eps: float) -> Values:
    """x with the length 1, if it was eps or more; below that the gradient sees no limit."""
    length = norm(x, 2, dim, True)
    return x / where(length < eps, length - data_of(length) + eps, length)


@in_float32()
def pairwise_distance(x1: Values, x2: Values, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Values:
    """(sum |x1 - x2 + eps|^p)^{1/p} over the last axis. The shapes broadcast.

    Raises ValueError for p = 0.
    """
    p = plain(p)
    if not p:
        raise ValueError("pairwise_distance: p must not be 0")
    return norm(x1 - x2 + plain(eps), p, -1, keepdim)


@in_float32(loss=True)
def cosine_embedding_loss(input1: Values, input2: Values, target: Any, margin: float = 0.0,
                          reduction: str = "mean") -> Values:
    """1 - c where the target is 1, max(0, c - margin) where it is -1, c the cosine of both inputs.

    input1, input2 (N, D), target (N) or (1); or (D) and one number without axes. Raises
    RuntimeError for other numbers of axes.
    """
    if input1.ndim != input2.ndim or input1.ndim != target.ndim + 1 or target.ndim > 1:
        raise RuntimeError(f"cosine_embedding_loss: inputs {input1.shape} and {input2.shape} need "
                           f"a target with one axis less, and at most one, not {target.shape}")
    squares = [sum(x * x, -1) + 1e-12 for x in (input1, input2)]    # torch's number
    c = sum(input1 * input2, -1) / sqrt(squares[0] * squares[1])
    return _reduce(where(target == 1, 1 - c, 0)
                   + where(target == -1, clip(c - plain(margin), min=0), 0), reduction)


@in_float32(loss=True)
def triplet_margin_loss(anchor: Values, positive: Values, negative: Values, margin: float = 1.0,
                        p: float = 2.0, eps: float = 1e-6, swap: bool = False,
                        reduction: str = "mean") -> Values:
    """max(0, d(a, p) - d(a, n) + margin), d the `pairwise_distance`; swap: d(p, n) in the place of
    d(a, n) where it is smaller (Balntas et al., BMVC 2016). Raises ValueError for a margin that is
    not positive, RuntimeError for different numbers of axes."""
    _check_axes("triplet_margin_loss", anchor, positive, negative)
    if not margin > 0:
        raise ValueError(f"triplet_margin_loss: margin must be positive, got {margin}")
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduce(clip(pairwise_distance(anchor, positive, p, eps) - far + plain(margin), min=0),
                   reduction)


def _check_axes(name: str, *inputs: Any) -> None:
    if len({x.ndim for x in inputs}) > 1:
        raise RuntimeError(f"{name}: the inputs have different numbers of axes: "
                           + ", ".join(str(x.shape) for x in inputs))
