"""Limits on gradients, between backward and step; torch.nn.utils' names and formulas."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels import optim_cuda
from minigrad.tensor import Tensor


def clip_grad_value_(parameters, clip_value):
    """g = min(max(g, -clip_value), clip_value) for every element of every gradient, in place.

    parameters: a Tensor or several; those without gradient are passed over. NaN stays NaN. Raises
    ValueError for a negative limit.
    """
    _check("clip_grad_value_", "clip_value", clip_value)
    on_gpu = []
    for grad in _gradients(parameters):
        if grad.device == "cuda":
            on_gpu.append(grad.data)
        else:
            np.clip(grad.data, -clip_value, clip_value, out=grad.data)
        grad.counter()[0] += 1
    optim_cuda.clip(on_gpu, clip_value)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """g *= min(max_norm / (norm + 1e-6), 1), where norm is that of all gradients together.

    Returns the norm before clipping, a float: the p-norm, p = norm_type, math.inf for the largest
    element. Changes the gradients in place; parameters without are passed over. A norm that is
    infinite or NaN raises RuntimeError if asked, before any change; else a NaN makes every gradient
    NaN, and infinite elements become NaN and finite ones 0. Raises ValueError for a negative limit.
    """
    _check("clip_grad_norm_", "max_norm", max_norm)
    grads = _gradients(parameters)
    norms = [float(np.linalg.norm(grad.data.ravel("K"), norm_type))
             for grad in grads if grad.data.size]
    norm = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the gradients' norm of order {norm_type} is {norm}; "
                           "gradients cannot be clipped by it")
    scale = max_norm / (norm + 1e-6)
    for grad in grads:
        with np.errstate(invalid="ignore"):     # infinity times 0
            grad.data *= 1.0 if scale > 1 else scale
        grad.counter()[0] += 1
    return norm


def _gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def _check(function, name, limit):
    if not limit >= 0:
        raise ValueError(f"{function}: {name} must be at least 0, got {limit}")
