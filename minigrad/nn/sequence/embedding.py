"""Tables of vectors for numbered things, such as words."""

from __future__ import annotations

import numpy as np

from minigrad import ops
from minigrad.arguments import integer
from minigrad.engine import Tensor
from minigrad.graph import no_grad
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter, unusual


class Embedding(Module):
    """The row of weight (num_embeddings, embedding_dim) of each number in x.  x (...) of integers
    -> (..., embedding_dim); see `ops.embedding`.

    The weight is drawn from N(0, 1), but for the row padding_idx, which is 0 and receives no
    gradient. Raises ValueError for max_norm, which is not offered, and IndexError for a padding_idx
    that is no row.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None) -> None:
        if max_norm is not None:
            raise ValueError("Embedding: max_norm is not offered; limit the weight under no_grad")
        self.num_embeddings = n = integer("Embedding", "num_embeddings", num_embeddings, 0)
        self.embedding_dim = integer("Embedding", "embedding_dim", embedding_dim, 0)
        if padding_idx is not None and not -n <= padding_idx < n:
            raise IndexError(f"Embedding: padding_idx {padding_idx} is none of {n} rows")
        self.padding_idx = None if padding_idx is None else padding_idx % n
        self.weight = init.normal_(Parameter(np.empty((n, embedding_dim), np.float32)))
        if padding_idx is not None:
            with no_grad():
                self.weight[padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        padding_idx: int | None = None) -> Embedding:
        """An Embedding with these rows (num_embeddings, embedding_dim), which it shares; they are
        not trained unless freeze is False."""
        rows, features = embeddings.shape
        layer = cls(rows, features, padding_idx)
        layer.weight = Parameter(embeddings, not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        return ops.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}",
                          *unusual(self, padding_idx=None)])
