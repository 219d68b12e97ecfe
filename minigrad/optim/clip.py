"""Limits on gradients, between backward and step; torch.nn.utils' names and formulas."""

import math
from collections.abc import Iterable

import numpy as np

from minigrad.arguments import demand, plain
from minigrad.engine import Tensor
from minigrad.kernels.optim import cpu as kernel
from minigrad.optim.optimizer import check_range

Parameters = Tensor | Iterable[Tensor]


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """g = min(max(g, -clip_value), clip_value) for every element of every gradient, in place.

    parameters: a Tensor or several; those without gradient are passed over. NaN stays NaN. Raises
    ValueError for a negative limit.
    """
    clip_value = _limit("clip_grad_value_", "clip_value", clip_value)
    grads = gradients(parameters)
    for some in arrays_by_device(grads):
        kernel.clip(some, clip_value)
    count_changes(grads)


def clip_grad_norm_(parameters: Parameters, max_norm: float, norm_type: float | str = 2.0,
                    error_if_nonfinite: bool = False) -> float:
    """g *= min(max_norm / (norm + 1e-6), 1), where norm is that of all gradients together.

    Returns the norm before clipping, a float: the p-norm, p = norm_type, math.inf or "inf" for the
    largest element. Changes the gradients in place; parameters without are passed over. A norm that
    is infinite or NaN raises RuntimeError if asked, before any change; else a NaN makes every
    gradient NaN, and infinite elements become NaN and finite ones 0. Raises ValueError for a
    negative limit, and for an order that is not positive.
    """
    max_norm, norm_type = _limit("clip_grad_norm_", "max_norm", max_norm), float(norm_type)
    demand(norm_type > 0, f"clip_grad_norm_: norm_type must be positive, got {norm_type}")
    grads = gradients(parameters)
    lists = arrays_by_device(grads)
    norms = [norm for some in lists for norm in kernel.norms(some, norm_type)]
    norm = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    demand(math.isfinite(norm) or not error_if_nonfinite, "clip_grad_norm_: the gradients' norm of "
           f"order {norm_type} is {norm}; gradients cannot be clipped by it")
    scale = max_norm / (norm + 1e-6)
    scale = 1.0 if scale > 1 else scale
    for some in lists:
        kernel.scale(some, scale)
    count_changes(grads)
    return norm


def gradients(parameters: Parameters) -> list[Tensor]:
    """The gradients of a Tensor or of several; none of those without."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def arrays_by_device(grads: list[Tensor]) -> list[list[np.ndarray]]:
    """The arrays of the gradients, in one list for each device."""
    return list(kernel.by_device([grad.data for grad in grads]))


def count_changes(grads: list[Tensor]) -> None:
    """Tell backward that the gradients were changed in place."""
    for grad in grads:
        grad.version_counter().version += 1


def _limit(function: str, name: str, limit: float) -> float:
    """The limit, checked, as a Python number: a NumPy one could widen the gradients."""
    limit = plain(limit)
    check_range(function, name, limit, 0)
    return float(limit)
