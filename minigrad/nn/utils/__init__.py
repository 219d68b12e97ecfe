"""What one does with the gradients of a model, and sequences of several lengths.

    nn.utils.clip_grad_norm_(model.parameters(), 1.0)       # between backward and step
    nn.utils.rnn.pad_sequence([a, b, c], batch_first=True)
"""

from collections.abc import Iterable

import numpy as np

from minigrad import optim
from minigrad.engine import Tensor
from minigrad.nn.utils import rnn

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                    norm_type: float | str = 2.0, error_if_nonfinite: bool = False,
                    foreach: bool | None = None) -> Tensor:
    """`minigrad.optim.clip_grad_norm_`, whose result, the norm before clipping, is a Tensor here.

    foreach, which is PyTorch's, says nothing.
    """
    norm = optim.clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)
    return Tensor(np.float32(norm))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float,
                     foreach: bool | None = None) -> None:
    """`minigrad.optim.clip_grad_value_`; foreach, which is PyTorch's, says nothing."""
    optim.clip_grad_value_(parameters, clip_value)
