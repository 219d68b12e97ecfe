"""Distances between rows."""

import numpy as np

from minigrad.arguments import plain
from minigrad.engine import Values, data_of
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import norm, sum
from minigrad.ops.select import where
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
