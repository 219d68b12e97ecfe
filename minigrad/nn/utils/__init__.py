"""What one does with the parameters of a model: limits on gradients, one vector of all of them.

    nn.utils.clip_grad_norm_(model.parameters(), 1.0)       # between backward and step
    nn.utils.rnn.pad_sequence([a, b, c], batch_first=True)
"""

from collections.abc import Iterable

import numpy as np

from minigrad import optim
from minigrad.engine import Tensor
from minigrad.graph import no_grad
from minigrad.nn.utils import rnn
from minigrad.ops import concatenate, reshape

__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "rnn",
           "vector_to_parameters"]


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


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters in one Tensor (n), in which their gradients flow back."""
    return concatenate([reshape(p, (-1,)) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector (n), as `parameters_to_vector` gives, into the parameters."""
    start = 0
    with no_grad():
        for p in parameters:
            p[...] = reshape(vec[start:start + p.numel()], p.shape)
            start += p.numel()
