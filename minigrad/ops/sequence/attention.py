"""Attention: each query takes a mean of values, weighted by how well their keys fit it."""

import math
from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.backend import array_module
from minigrad.engine import Values, data_of
from minigrad.ops.activation import softmax
from minigrad.ops.linear import matmul
from minigrad.ops.operands import in_float32
from minigrad.ops.select import dropout, masked, where
from minigrad.ops.shape import transpose


@in_float32()
def scaled_dot_product_attention(query: Values, key: Values, value: Values, attn_mask: Any = None,
                                 dropout_p: float = 0.0, is_causal: bool = False,
                                 scale: float | None = None) -> Values:
    """softmax(scale query key^T + attn_mask) value.

    query (..., L, E), key (..., S, E), value (..., S, V) -> (..., L, V); leading axes broadcast.
    attn_mask broadcasts to (..., L, S): booleans say which keys a query looks at, numbers are
    added. is_causal: query i looks at the keys 0 to i. A query that may look at no key gives zeros.
    scale is 1 / sqrt(E) unless given. `dropout` of the weights happens with probability dropout_p.

    Raises RuntimeError for attn_mask together with is_causal. Vaswani et al., NIPS 2017, eq. 1.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError("scaled_dot_product_attention: give attn_mask or is_causal, not both")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else number(scale)
    scores = matmul(query * scale, transpose(key, -1, -2))  # (..., L, S)
    if is_causal:
        attn_mask = array_module(data_of(query)).tri(*scores.shape[-2:], dtype=bool)
    if attn_mask is None:
        return matmul(dropout(softmax(scores, -1), dropout_p), value)
    visible = data_of(attn_mask)
    if visible.dtype == bool:
        scores = where(attn_mask, scores, -math.inf)
    else:
        scores, visible = scores + attn_mask, visible > -np.inf
    sees = visible.any(-1, keepdims=True)
    if sees.all():
        weights = softmax(scores, -1)
    else:
        weights = masked(softmax(where(sees, scores, 0.0), -1), sees)
    return matmul(dropout(weights, dropout_p), value)
