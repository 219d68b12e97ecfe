"""Losses as modules, as PyTorch has them: each holds its options and calls the op of its name.

    criterion = CrossEntropyLoss(label_smoothing=0.1)
    loss = criterion(model(x), y)

Options are given by name, and say what they do at the op.
"""

from __future__ import annotations

import numpy as np

from minigrad import ops
from minigrad.nn.module import Module
from minigrad.tensor import Tensor

_DEFAULTS = {"weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}


class _Loss(Module):
    """Shared by the losses: repr shows the options that are not the defaults."""

    def extra_repr(self):
        options = {name: getattr(self, name, default) for name, default in _DEFAULTS.items()}
        if options["weight"] is not None:
            options["weight"] = options["weight"].tolist()
        return ", ".join(f"{name}={value!r}" for name, value in options.items()
                         if value != _DEFAULTS[name])


class CrossEntropyLoss(_Loss):
    """`ops.cross_entropy`.  logits (N, C, ...), target (N, ...) integers; weight (C) or None.

    The weight is a buffer: `to` moves it, and state_dict holds it.
    """

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        self.weight, self.ignore_index = _buffer(weight), ignore_index
        self.reduction, self.label_smoothing = reduction, label_smoothing

    def forward(self, logits, target):
        return ops.cross_entropy(logits, target, self.weight, self.ignore_index, self.reduction,
                                 self.label_smoothing)


class NLLLoss(_Loss):
    """`ops.nll_loss`.  logp (N, C, ...), target (N, ...); the rest as in CrossEntropyLoss."""

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean"):
        self.weight, self.ignore_index = _buffer(weight), ignore_index
        self.reduction = reduction

    def forward(self, logp, target):
        return ops.nll_loss(logp, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(_Loss):
    """`ops.mse_loss`.  x and y of one shape."""

    def __init__(self, *, reduction="mean"):
        self.reduction = reduction

    def forward(self, x, y):
        return ops.mse_loss(x, y, self.reduction)


class BCEWithLogitsLoss(MSELoss):
    """`ops.binary_cross_entropy_with_logits`.  x and y of one shape, y between 0 and 1."""

    def forward(self, x, y):
        return ops.binary_cross_entropy_with_logits(x, y, self.reduction)


def _buffer(weight):
    """The weights of the classes as an array, or None."""
    if isinstance(weight, Tensor):
        return weight.data
    return weight if weight is None or hasattr(weight, "dtype") else np.asarray(weight, np.float32)
