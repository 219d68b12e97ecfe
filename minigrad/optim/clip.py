"""Limits on gradients, between backward and step; torch.nn.utils' names and formulas."""

from __future__ import annotations

import math

import numpy as np

from minigrad.backend import DEVICES
from minigrad.kernels import optim_cuda
from minigrad.tensor import Tensor


def clip_grad_value_(parameters, clip_value):
    """g = min(max(g, -clip_value), clip_value) for every element of every gradient, in place.

    parameters: a Tensor or several; those without gradient are passed over. NaN stays NaN. Raises
    ValueError for a negative limit.
    """
    _check("clip_grad_value_", "clip_value", clip_value)
    grads = _gradients(parameters)
    on_cpu, on_gpu = _by_device(grads)
    for g in on_cpu:
        np.clip(g, -clip_value, clip_value, out=g)
    optim_cuda.clip(on_gpu, clip_value)
    _changed(grads)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """g *= min(max_norm / (norm + 1e-6), 1), where norm is that of all gradients together.

    Returns the norm before clipping, a float: the p-norm, p = norm_type, math.inf for the largest
    element. Changes the gradients in place; parameters without are passed over. A norm that is
    infinite or NaN raises RuntimeError if asked, before any change; else a NaN makes every gradient
    NaN, and infinite elements become NaN and finite ones 0. Raises ValueError for a negative limit,
    and for an order that is not positive.
    """
    _check("clip_grad_norm_", "max_norm", max_norm)
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_: norm_type must be positive, got {norm_type}")
    grads = _gradients(parameters)
    on_cpu, on_gpu = _by_device(grads)
    norms = [float(np.linalg.norm(g.ravel("K"), norm_type)) for g in on_cpu if g.size]
    norms += [optim_cuda.norm(on_gpu, norm_type)] if on_gpu else []
    norm = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the gradients' norm of order {norm_type} is {norm}; "
                           "gradients cannot be clipped by it")
    scale = max_norm / (norm + 1e-6)
    scale = 1.0 if scale > 1 else scale
    with np.errstate(invalid="ignore"):     # infinity times 0
        for g in on_cpu:
            g *= scale
    optim_cuda.scale(on_gpu, scale)
    _changed(grads)
    return norm


def _gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def _by_device(grads):
    """(arrays on the CPU, arrays on the GPU)."""
    return [[grad.data for grad in grads if grad.device == device] for device in DEVICES]


def _changed(grads):
    for grad in grads:
        grad.counter()[0] += 1


def _check(function, name, limit):
    if not limit >= 0:
        raise ValueError(f"{function}: {name} must be at least 0, got {limit}")
