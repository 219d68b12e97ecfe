"""Rows of a table by their numbers."""

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.dtypes import has_integers
from minigrad.engine import Values, data_of
from minigrad.ops.cost import free
from minigrad.ops.select import masked
from minigrad.ops.shape import Index


class Embedding(Index):
    """y = w[x]; the row number `padding` of w receives no gradient."""

    cost = free

    def __init__(self, x: Array, padding: int | None) -> None:
        super().__init__((x,))
        self.padding = padding

    def backward(self, gy: Values) -> Values:
        if self.padding is not None:
            gy = masked(gy, (self.index_[0] != self.padding)[..., None])
        return super().backward(gy)


def embedding(x: Any, weight: Values, padding_idx: int | None = None) -> Values:
    """y[i] = weight[x[i]].  x of integers (...), weight (R, D) -> y (..., D).

    The row padding_idx (negative: counted from the end) receives no gradient. Raises IndexError for
    a number without a row, RuntimeError for an x that does not hold integers.
    """
    numbers, rows = data_of(x), weight.shape[0]
    if not has_integers(numbers) or numbers.dtype == bool:
        raise RuntimeError(f"embedding: needs integers, got {numbers.dtype}")
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise IndexError(f"embedding: padding_idx {padding_idx} is none of {rows} rows")
        padding_idx %= rows
    numbers = numbers.astype(np.int64)  # a copy: a later change of x cannot reach the backward
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < rows:
        raise IndexError(f"embedding: needs numbers of rows, 0 to {rows - 1}, got some from "
                         f"{numbers.min()} to {numbers.max()}")
    return Embedding(numbers, padding_idx)(weight)
