"""Initial values of parameters, drawn as `minigrad.manual_seed` says.

    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

Each function writes into the Tensor and returns it. Names and formulas are those of torch.nn.init;
the numbers are not, because the generators differ. fan_in of a weight (O, I, ...) is I times the
product of the sizes after it, the number of inputs that one output sees; fan_out is O times that.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from minigrad.backend import generator
from minigrad.engine import Tensor
from minigrad.graph import no_grad
from minigrad.hints import module_getattr

__getattr__ = module_getattr(__name__)

_T = TypeVar("_T", bound=Tensor)
_draws = ContextVar("_draws", default=True)
_GAINS = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the weights that keeps the variance of a signal from layer to layer, where
    `nonlinearity` follows each: "linear", "conv2d", "sigmoid", "tanh", "relu" or "leaky_relu".

    param: the negative slope of "leaky_relu" (default 0.01). The factors are torch's. Raises
    ValueError for another name.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}: "
                         f"use one of {', '.join([*_GAINS, 'leaky_relu'])}")
    return _GAINS[nonlinearity]


def uniform_(tensor: _T, a: float = 0.0, b: float = 1.0) -> _T:
    """Every element is drawn from U(a, b), uniformly between a and b."""
    return _fill(tensor, lambda rng: rng.uniform(a, b, tensor.shape))


def normal_(tensor: _T, mean: float = 0.0, std: float = 1.0) -> _T:
    """Every element is drawn from N(mean, std^2), the normal distribution."""
    return _fill(tensor, lambda rng: rng.normal(mean, std, tensor.shape))


def constant_(tensor: _T, value: float) -> _T:
    """Every element becomes `value`."""
    return _fill(tensor, lambda rng: value)


def kaiming_uniform_(tensor: _T, a: float = 0.0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu") -> _T:
    """U(-bound, bound) with bound = gain sqrt(3 / fan) (He et al., ICCV 2015, section 2.2).

    gain is `calculate_gain(nonlinearity, a)`; fan is fan_in, or fan_out with mode="fan_out".
    Raises ValueError for another mode, and for a weight of fewer than two axes.
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: _T, a: float = 0.0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu") -> _T:
    """N(0, std^2) with std = gain / sqrt(fan); gain, fan and errors as in `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def xavier_uniform_(tensor: _T, gain: float = 1.0) -> _T:
    """U(-bound, bound) with bound = gain sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio, AISTATS 2010, equation 16. Raises ValueError for fewer than two axes.
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: _T, gain: float = 1.0) -> _T:
    """N(0, std^2) with std = gain sqrt(2 / (fan_in + fan_out)); see `xavier_uniform_`."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (O, I, ...). Raises ValueError for fewer than two axes."""
    if tensor.ndim < 2:
        raise ValueError(f"fan: a weight has at least two axes, this one has shape {tensor.shape}")
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@contextmanager
def undrawn(active: bool = True) -> Iterator[None]:
    """Inside this block the functions above leave every tensor as it is, for networks whose weights
    are read from a file next. What is drawn after it is the same as if they had not. active=False:
    a block like any other."""
    token = _draws.set(not active)
    try:
        yield
    finally:
        _draws.reset(token)


def _fill(tensor: _T, draw: Callable[[np.random.Generator], Any]) -> _T:
    rng = generator("init")
    if _draws.get():
        with no_grad():
            tensor[...] = draw(rng)
    return tensor
