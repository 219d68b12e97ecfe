"""Losses as modules, as PyTorch has them: each holds its options and calls the op of its name.

    criterion = CrossEntropyLoss(label_smoothing=0.1)
    loss = criterion(model(x), y)

What a loss and its options mean is said at the op. All options but `weight` are given by name.
`reduction` is "mean", "sum" or "none"; the loss is one number, with "none" one for each target.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import plain
from minigrad.engine import Tensor, data_of
from minigrad.nn.module import Module

_Weights = np.ndarray | Tensor | Sequence[float] | None
_DEFAULTS: dict[str, Any] = {"weight": None, "pos_weight": None, "ignore_index": -100,
                             "reduction": "mean", "label_smoothing": 0.0}


class _Loss(Module):
    """Shared by the losses: repr shows the options that are not the defaults."""

    weight: np.ndarray | None
    pos_weight: np.ndarray | None

    def extra_repr(self) -> str:
        options = {k: getattr(self, k, default) for k, default in _DEFAULTS.items()}
        options = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in options.items()}
        return ", ".join(f"{k}={v!r}" for k, v in options.items() if v != _DEFAULTS[k])


class CrossEntropyLoss(_Loss):
    """`ops.cross_entropy`.  input: logits (N, C, ...), target (N, ...) classes or (N, C, ...)
    probabilities; weight (C) or None.

    The weight is a buffer: `to` moves it, and state_dict holds it.
    """

    def __init__(self, weight: _Weights = None, *, ignore_index: int = -100,
                 reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        self.register_buffer("weight", _buffer(weight))
        self.ignore_index = plain(ignore_index)
        self.reduction, self.label_smoothing = reduction, plain(label_smoothing)

    def forward(self, input: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return ops.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction,
                                 self.label_smoothing)


class NLLLoss(_Loss):
    """`ops.nll_loss`.  input: ln p (N, C, ...), target (N, ...) classes; weight as in
    `CrossEntropyLoss`."""

    def __init__(self, weight: _Weights = None, *, ignore_index: int = -100,
                 reduction: str = "mean") -> None:
        self.register_buffer("weight", _buffer(weight))
        self.ignore_index, self.reduction = plain(ignore_index), reduction

    def forward(self, input: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return ops.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(_Loss):
    """`ops.mse_loss`.  input and target of one shape."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return ops.mse_loss(input, target, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`ops.binary_cross_entropy_with_logits`.  input: logits, target: probabilities, of one shape.

    weight and pos_weight, which broadcast to that shape, are buffers as in `CrossEntropyLoss`.
    """

    def __init__(self, weight: _Weights = None, *, reduction: str = "mean",
                 pos_weight: _Weights = None) -> None:
        self.register_buffer("weight", _buffer(weight))
        self.register_buffer("pos_weight", _buffer(pos_weight))
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return ops.binary_cross_entropy_with_logits(input, target, self.reduction, self.weight,
                                                    self.pos_weight)


def _buffer(weight: Any) -> np.ndarray | None:
    """Weights as an array, or None."""
    weight = data_of(weight)
    whole = weight is None or hasattr(weight, "dtype") and not isinstance(weight, np.generic)
    return weight if whole else np.asarray(weight, np.float32)
