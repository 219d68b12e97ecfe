"""What one call of an op costs: the vocabulary in which each op says it, beside its formulas.

    class Square(Function):
        cost = per_element(multiply=1)      # one multiplication for each number of the output

A cost that depends on more is a method `cost(self, y, *inputs)` with the output and the inputs of
the call, which returns a `Count`. It counts what the definition of the op computes, padding
included, and not the plan that computes it. One multiplication, one addition, one comparison, and
one call of any other function of numbers (a division, a root, a tanh) is 1 FLOP each; moving,
selecting and converting numbers is free. `minigrad.profile` adds the counts up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Count(NamedTuple):
    """Operations on numbers, by kind."""

    multiply: int = 0
    add: int = 0  # subtractions too
    compare: int = 0
    other: int = 0  # divisions, powers, roots, elementary functions, changes of sign
    macs: int = 0  # those multiplications whose products are summed: multiply-accumulates

    @property
    def flops(self) -> int:
        return self.multiply + self.add + self.compare + self.other


Cost = Callable[..., Count]  # cost(op, y, *inputs)


def elements(x: Any) -> int:
    """The number of elements of a Tensor or an array."""
    return math.prod(x.shape)


def per_element(**kinds: int) -> Cost:
    """The cost of an op that does the same for every element of its output."""
    def cost(self: Any, y: Any, *inputs: Any) -> Count:
        return Count(**{kind: n * elements(y) for kind, n in kinds.items()})
    return cost


free = per_element()  # the cost of moving, selecting and converting numbers


def reduced(kind: str) -> Cost:
    """The cost of reducing n numbers to one: n - 1 operations of `kind`."""
    def cost(self: Any, y: Any, x: Any) -> Count:
        return Count(**{kind: elements(x) - elements(y)})
    return cost


def products(self: Any, y: Any, x: Any, w: Any, b: Any = None) -> Count:
    """The cost where each number of y is a sum of k products, plus a bias if there is one."""
    n, k = elements(y), elements(w) // w.shape[0]
    return Count(multiply=n * k, add=n * (k - (b is None)), macs=n * k)
