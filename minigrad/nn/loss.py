"""Losses as modules, as PyTorch has them: each holds its options and calls the op of its name.

    criterion = CrossEntropyLoss(label_smoothing=0.1)
    loss = criterion(model(x), y)

What a loss and its options mean is said at the op; the module takes the op's inputs when it is
called, and the options when it is made: `places` by their place too, the others by name alone.
(They come behind PyTorch's old `size_average` and `reduce`, which are not there.) `reduction` is
"mean", "sum" or "none"; the loss is one number, with "none" one for each target. Weights are
buffers: `to` moves them, and state_dict holds them.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import plain
from minigrad.engine import Tensor, data_of
from minigrad.nn.layers import OpLayer, bound


class _Loss(OpLayer):
    """Shared by the losses: the options of the op, as attributes and buffers of the same names."""

    weight: np.ndarray | None
    pos_weight: np.ndarray | None
    ignore_index: int

    def __init_subclass__(cls, op: Callable | None = None, places: str = "") -> None:
        super().__init_subclass__(op)
        if op is not None:      # else it is a subclass of one of the losses
            cls.options = cls.__signature__ = inspect.Signature(sorted(
                [p if p.name in places.split() else p.replace(kind=p.KEYWORD_ONLY)
                 for p in cls.options.parameters.values() if p.default is not p.empty],
                key=lambda p: p.kind))

    def __init__(self, *places: Any, **named: Any) -> None:
        for name, value in bound(type(self).__name__, self.options, places, named).items():
            if name.endswith("weight"):
                self.register_buffer(name, _buffer(value))
            else:
                setattr(self, name, plain(value))

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        return self.op(*inputs, **named, **self.values())

    def extra_repr(self) -> str:
        """The options that are not the defaults, weights first."""
        values = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in self.values().items()}
        return ", ".join(f"{k}={values[k]!r}"
                         for k in sorted(values, key=lambda k: not k.endswith("weight"))
                         if values[k] != self.options.parameters[k].default)


class CrossEntropyLoss(_Loss, op=ops.cross_entropy, places="weight"):
    """`ops.cross_entropy`.  input: logits (N, C, ...), target (N, ...) classes or (N, C, ...)
    probabilities; weight (C) or None."""


class NLLLoss(_Loss, op=ops.nll_loss, places="weight"):
    """`ops.nll_loss`.  input: ln p (N, C, ...), target (N, ...) classes; weight (C) or None."""


class MSELoss(_Loss, op=ops.mse_loss):
    """`ops.mse_loss`.  input and target of one shape."""


class L1Loss(_Loss, op=ops.l1_loss):
    """`ops.l1_loss`.  input and target of one shape."""


class SmoothL1Loss(_Loss, op=ops.smooth_l1_loss):
    """`ops.smooth_l1_loss`.  input and target of one shape."""


class HuberLoss(_Loss, op=ops.huber_loss, places="reduction delta"):
    """`ops.huber_loss`.  input and target of one shape."""


class BCELoss(_Loss, op=ops.binary_cross_entropy, places="weight"):
    """`ops.binary_cross_entropy`.  input and target: probabilities, of one shape."""


class BCEWithLogitsLoss(_Loss, op=ops.binary_cross_entropy_with_logits, places="weight"):
    """`ops.binary_cross_entropy_with_logits`.  input: logits, target: probabilities; one shape."""


class SoftMarginLoss(_Loss, op=ops.soft_margin_loss):
    """`ops.soft_margin_loss`.  input, and target of 1 and -1, of one shape."""


class KLDivLoss(_Loss, op=ops.kl_div):
    """`ops.kl_div`.  input: ln p, target: q, or ln q with log_target."""


class CosineSimilarity(_Loss, op=ops.cosine_similarity, places="dim eps"):
    """`ops.cosine_similarity`.  x1, x2, whose shapes broadcast."""


class PairwiseDistance(_Loss, op=ops.pairwise_distance, places="p eps keepdim"):
    """`ops.pairwise_distance`.  x1, x2 (N, D)."""


def _buffer(weight: Any) -> np.ndarray | None:
    """Weights as an array, or None."""
    weight = data_of(weight)
    whole = weight is None or hasattr(weight, "dtype") and not isinstance(weight, np.generic)
    return weight if whole else np.asarray(weight, np.float32)
