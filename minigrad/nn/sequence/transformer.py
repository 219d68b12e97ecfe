"""Transformers (Vaswani et al., NIPS 2017): encoder and decoder layers, stacks of them, and both.

Inputs are (length, batch, features), or (batch, length, features) with batch_first, or without the
batch. Masks are those of `MultiheadAttention`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.engine import Tensor
from minigrad.nn import init
from minigrad.nn.containers import ModuleList
from minigrad.nn.layers import Dropout, Linear
from minigrad.nn.module import Module
from minigrad.nn.norm import LayerNorm
from minigrad.nn.sequence.attention import MultiheadAttention

_Activation = str | Callable[[Tensor], Tensor]


class TransformerEncoderLayer(Module):
    """Self-attention and two linear layers, each with dropout, a shortcut and a `LayerNorm`.

    activation: "relu", "gelu", or a function or layer. norm_first normalises what enters the two
    parts, instead of what leaves the sum. Raises RuntimeError for another name of an activation.
    """

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention  # the decoder's
    blocks = 2  # how many parts there are, each with a norm and a dropout

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: _Activation = "relu", layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True) -> None:
        known: dict[Any, Any] = {"relu": ops.relu, "gelu": ops.gelu}
        activation = known.get(activation, activation)
        if isinstance(activation, str):
            raise RuntimeError(f"{type(self).__name__}: activation must be 'relu', 'gelu' or a "
                               f"function, got {activation!r}")
        for name in ("self_attn", "multihead_attn")[:self.blocks - 1]:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias,
                                                   batch_first=batch_first))
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        for i in range(1, self.blocks + 1):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for i in range(1, self.blocks + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.norm_first, self.activation = norm_first, activation

    def forward(self, src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool = False) -> Tensor:
        x = self._added(1, src, lambda x: self._attend(self.self_attn, x, x, src_mask,
                                                       src_key_padding_mask, is_causal))
        return self._added(2, x, self._feed_forward)

    def _added(self, i: int, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """x plus what part number i makes of it."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        if self.norm_first:
            return x + dropout(part(norm(x)))
        return norm(x + dropout(part(x)))

    def _attend(self, attention: Any, x: Tensor, memory: Tensor, mask: Any, padding: Any,
                is_causal: bool) -> Tensor:
        return attention(x, memory, memory, attn_mask=mask, key_padding_mask=padding,
                         need_weights=False, is_causal=is_causal)[0]

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerDecoderLayer(TransformerEncoderLayer):
    """As `TransformerEncoderLayer`, with attention to what an encoder gave between its parts."""

    blocks = 3

    def forward(  # type: ignore[override]  # another input comes second
            self, tgt: Tensor, memory: Tensor, tgt_mask: Any = None, memory_mask: Any = None,
            tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
            tgt_is_causal: bool = False, memory_is_causal: bool = False) -> Tensor:
        x = self._added(1, tgt, lambda x: self._attend(
            self.self_attn, x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self._added(2, x, lambda x: self._attend(
            self.multihead_attn, x, memory, memory_mask, memory_key_padding_mask,
            memory_is_causal))
        return self._added(3, x, self._feed_forward)


class _Stack(Module):
    """So many copies of a layer one after the other, and a norm behind them unless it is None."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def run(self, x: Tensor, *inputs: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *inputs)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """num_layers copies of an encoder layer, which start with the same weights; then `norm`.

    enable_nested_tensor and mask_check, which make PyTorch faster, are accepted and change nothing.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(self, src: Tensor, mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool | None = None) -> Tensor:
        return self.run(src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoder(_Stack):
    """num_layers copies of a decoder layer, which start with the same weights; then `norm`."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Any = None, memory_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Tensor:
        return self.run(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                        memory_key_padding_mask, bool(tgt_is_causal), memory_is_causal)


class Transformer(Module):
    """An encoder, and a decoder that looks at what it gives.

    src (S, N, d_model), tgt (T, N, d_model) -> (T, N, d_model). All weights are drawn by
    `nn.init.xavier_uniform_`. custom_encoder and custom_decoder take the place of either.
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
                 num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: _Activation = "relu", custom_encoder: Module | None = None,
                 custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True) -> None:
        settings: Any = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                         batch_first, norm_first, bias)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*settings), num_encoder_layers,
            LayerNorm(d_model, layer_norm_eps, bias=bias))
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*settings), num_decoder_layers,
            LayerNorm(d_model, layer_norm_eps, bias=bias))
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Any = None, tgt_mask: Any = None,
                memory_mask: Any = None, src_key_padding_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
                src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Tensor:
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                            memory_key_padding_mask, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int) -> Tensor:
        """(sz, sz): 0 up to the diagonal and minus infinity above it, for a causal attn_mask."""
        return Tensor(np.triu(np.full((sz, sz), -math.inf, np.float32), 1))
