"""Attention by several heads, with parameters of PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import integer, plain
from minigrad.engine import Tensor, Values
from minigrad.nn import init
from minigrad.nn.layers import Linear
from minigrad.nn.module import Module, Parameter


class MultiheadAttention(Module):
    """Attention of num_heads heads, each on embed_dim / num_heads numbers of projected inputs.

    query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim) -> (output (L, N, embed_dim),
    weights (N, L, S)); with batch_first N comes first; without N for a single sequence. See
    `ops.scaled_dot_product_attention`.

    Its parameters are in_proj_weight (3 embed_dim, embed_dim) with the rows of query, key and value
    one after the other (or q_proj_weight, k_proj_weight and v_proj_weight, if kdim or vdim is
    another size), in_proj_bias, and those of the layer out_proj. bias=False: without biases.
    Raises ValueError unless num_heads divides embed_dim, and for add_bias_kv and add_zero_attn,
    which are not there.
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Any
    k_proj_weight: Any
    v_proj_weight: Any

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
                 vdim: int | None = None, batch_first: bool = False) -> None:
        if add_bias_kv or add_zero_attn:
            raise ValueError("MultiheadAttention: add_bias_kv and add_zero_attn are not offered; "
                             "concatenate a row to key and value before the call")
        self.embed_dim = e = integer("MultiheadAttention", "embed_dim", embed_dim)
        self.num_heads = integer("MultiheadAttention", "num_heads", num_heads)
        if e % num_heads:
            raise ValueError(f"MultiheadAttention: num_heads={num_heads} does not divide "
                             f"embed_dim={embed_dim}")
        self.dropout, self.batch_first, self.head_dim = plain(dropout), batch_first, e // num_heads
        self.kdim, self.vdim = e if kdim is None else kdim, e if vdim is None else vdim
        same = self.kdim == self.vdim == e
        shapes = {"q_proj_weight": (e, e), "k_proj_weight": (e, self.kdim),
                  "v_proj_weight": (e, self.vdim), "in_proj_weight": (3 * e, e)}
        for name, shape in shapes.items():
            used = same == (name == "in_proj_weight")
            setattr(self, name, init.xavier_uniform_(Parameter(np.empty(shape, np.float32)))
                    if used else None)
        self.in_proj_bias = Parameter(np.zeros(3 * e, np.float32)) if bias else None
        self.out_proj = Linear(e, e, bias)
        if self.out_proj.bias is not None:
            init.constant_(self.out_proj.bias, 0.0)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Any = None,
                need_weights: bool = True, attn_mask: Any = None,
                average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """(output, weights): the weights are None without need_weights, and those of each head,
        (N, num_heads, L, S), without average_attn_weights.

        attn_mask (L, S) or (N num_heads, L, S) and key_padding_mask (N, S): booleans say which
        scores do not count, numbers are added to the scores. is_causal says that attn_mask is
        causal, and needs it all the same.
        """
        if is_causal and attn_mask is None:
            raise RuntimeError("MultiheadAttention: is_causal needs attn_mask too")
        alone = query.ndim == 2
        inputs = [self._batch_first(x, alone) for x in
                  ([query] if query is key is value else [query, key, value])]
        q, k, v = map(self._heads, self._projected(*inputs))   # (N, heads, L or S, head_dim)
        mask = self._mask(attn_mask, key_padding_mask, q, k)
        p, weights = self.dropout if self.training else 0.0, None
        if need_weights:
            scores = ops.matmul(q * (1 / math.sqrt(self.head_dim)), ops.transpose(k, -1, -2))
            weights = ops.dropout(ops.softmax(scores if mask is None else scores + mask, -1), p)
            y = ops.matmul(weights, v)
            weights = ops.mean(weights, 1) if average_attn_weights else weights
            weights = weights[0] if alone else weights
        else:
            y = ops.scaled_dot_product_attention(q, k, v, mask, p)
        y = self.out_proj(ops.reshape(ops.permute(y, (0, 2, 1, 3)),
                                      (y.shape[0], y.shape[2], self.embed_dim)))
        return (y[0] if alone else y if self.batch_first else ops.transpose(y, 0, 1)), weights

    def _batch_first(self, x: Tensor, alone: bool) -> Tensor:
        if x.ndim != (2 if alone else 3):
            raise RuntimeError(f"MultiheadAttention: query, key and value must all have 3 axes, or "
                               f"all 2 without a batch, got one of shape {x.shape}")
        return ops.unsqueeze(x, 0) if alone else x if self.batch_first else ops.transpose(x, 0, 1)

    def _projected(self, *inputs: Tensor) -> Iterable[Tensor]:
        """query, key and value, each (N, L or S, embed_dim); of one input for all, in one go."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if len(inputs) == 1 and weight is not None:
            return ops.chunk(ops.linear(inputs[0], weight, bias), 3, -1)
        weights = ((self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
                   if weight is None else ops.chunk(weight, 3))
        biases = (None,) * 3 if bias is None else ops.chunk(bias, 3)
        return map(ops.linear, inputs if len(inputs) > 1 else inputs * 3, weights, biases)

    def _heads(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        return ops.permute(ops.reshape(x, (n, length, self.num_heads, self.head_dim)), (0, 2, 1, 3))

    def _mask(self, attn_mask: Any, padding: Any, q: Tensor, k: Tensor) -> Any:
        """What is added to the scores (N, heads, L, S), or None."""
        (n, heads, length, _), size = q.shape, k.shape[2]
        if attn_mask is not None:
            if tuple(attn_mask.shape) not in ((length, size), (n * heads, length, size)):
                raise RuntimeError(f"MultiheadAttention: attn_mask of shape {attn_mask.shape}, "
                                   f"needs {(length, size)} or {(n * heads, length, size)}")
            attn_mask = ops.reshape(_added(attn_mask, q), (-1, heads if attn_mask.ndim == 3 else 1,
                                                           length, size))
        if padding is None:
            return attn_mask
        if tuple(padding.shape) not in ((n, size), (size,)[n - 1:]):
            raise RuntimeError(f"MultiheadAttention: key_padding_mask of shape {padding.shape}, "
                               f"needs {(n, size)}")
        padding = ops.reshape(_added(padding, q), (n, 1, 1, size))
        return padding if attn_mask is None else attn_mask + padding


def _added(mask: Any, like: Values) -> Any:
    """Numbers for a mask: minus infinity where a boolean says that something does not count."""
    if mask.dtype == bool:
        mask = ops.where(mask, -math.inf, 0.0)
    return ops.cast(mask, like.dtype)
