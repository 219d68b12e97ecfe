"""The transformer's encoder (Vaswani et al., NIPS 2017): its layers, and a stack of them.

Inputs are (length, batch, features), or (batch, length, features) with batch_first, or without the
batch. Masks are those of `MultiheadAttention`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from minigrad import ops
from minigrad.engine import Tensor
from minigrad.nn.containers import ModuleList
from minigrad.nn.layers import Dropout, Linear
from minigrad.nn.module import Module
from minigrad.nn.norm import LayerNorm
from minigrad.nn.sequence.attention import MultiheadAttention


class TransformerEncoderLayer(Module):
    """Self-attention and two linear layers, each with dropout, a shortcut and a `LayerNorm`.

    activation: "relu", "gelu", or a function or layer. norm_first normalises what enters the two
    parts, instead of what leaves the sum. Raises RuntimeError for another name of an activation.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable[[Tensor], Tensor] = "relu",
                 layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True) -> None:
        known: dict[Any, Any] = {"relu": ops.relu, "gelu": ops.gelu}
        activation = known.get(activation, activation)
        if isinstance(activation, str):
            raise RuntimeError(f"{type(self).__name__}: activation must be 'relu', 'gelu' or a "
                               f"function, got {activation!r}")
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.norm_first, self.activation = norm_first, activation

    def forward(self, src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool = False) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.dropout1(self.self_attn(
                x, x, x, src_key_padding_mask, need_weights=False, attn_mask=src_mask,
                is_causal=is_causal)[0])

        def feed_forward(x: Tensor) -> Tensor:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + feed_forward(self.norm2(x))
        x = self.norm1(src + attend(src))
        return self.norm2(x + feed_forward(x))


class TransformerEncoder(Module):
    """num_layers copies of an encoder layer, which start with the same weights; then `norm`, unless
    it is None.

    enable_nested_tensor and mask_check, which make PyTorch faster, are accepted and change nothing.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(self, src: Tensor, mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool | None = None) -> Tensor:
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)
