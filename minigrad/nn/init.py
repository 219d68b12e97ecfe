"""Initial values of parameters, written in place; they follow `minigrad.manual_seed`.

Names and formulas are torch.nn.init's; the numbers drawn are not (the generators differ).
fan_in and fan_out of a weight (O, I, ...) are I and O times the product of the other sizes.
"""

from __future__ import annotations

import math

from minigrad.backend import generator
from minigrad.hints import module_getattr
from minigrad.tensor import no_grad

__getattr__ = module_getattr(__name__)

_GAINS = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}


def calculate_gain(nonlinearity, param=None):
    """The factor that keeps a signal's variance through `nonlinearity`; ValueError if unknown.

    param: the negative slope of "leaky_relu" (default 0.01).
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}: "
                         f"use one of {', '.join([*_GAINS, 'leaky_relu'])}")
    return _GAINS[nonlinearity]


def uniform_(tensor, a=0.0, b=1.0):
    """U(a, b)."""
    return _fill(tensor, lambda rng: rng.uniform(a, b, tensor.shape))


def normal_(tensor, mean=0.0, std=1.0):
    """N(mean, std^2)."""
    return _fill(tensor, lambda rng: rng.normal(mean, std, tensor.shape))


def constant_(tensor, value):
    """Every element `value`."""
    return _fill(tensor, lambda rng: value)


def kaiming_uniform_(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu"):
    """U(-bound, bound) with bound = gain sqrt(3 / fan) (He et al., ICCV 2015, section 2.2)."""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu"):
    """N(0, std^2) with std = gain / sqrt(fan) (He et al., ICCV 2015, section 2.2)."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def xavier_uniform_(tensor, gain=1.0):
    """U(-bound, bound), bound = gain sqrt(6 / (fan_in + fan_out)) (Glorot, Bengio 2010, eq. 16)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor, gain=1.0):
    """N(0, std^2) with std = gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))


def fans(tensor):
    """(fan_in, fan_out) of a weight (O, I, ...). Raises ValueError for fewer than two axes."""
    if tensor.ndim < 2:
        raise ValueError(f"fan: a weight has at least two axes, this one has shape {tensor.shape}")
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


def _kaiming_std(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _fill(tensor, draw):
    with no_grad():
        tensor[...] = draw(generator("init"))
    return tensor
