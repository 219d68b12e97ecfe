"""Initial values of parameters, drawn as `minigrad.manual_seed` says.

    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

Each function writes into the Tensor and returns it. Names and formulas are those of torch.nn.init;
the numbers are not, because the generators differ. `generator`: one of NumPy's to draw from. fan_in
of a weight (O, I, ...) is I times the product of the sizes after it, the number of inputs that one
output sees; fan_out is O times that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import numpy as np

from minigrad import backend
from minigrad.engine import Tensor
from minigrad.graph import no_grad
from minigrad.hints import module_getattr

__getattr__ = module_getattr(__name__)

_T = TypeVar("_T", bound=Tensor)
_draws = ContextVar("_draws", default=True)
_GAINS = {**dict.fromkeys(["linear", "sigmoid", *(f"conv{kind}{n}d" for kind in ("", "_transpose")
                                                  for n in "123")], 1.0),
          "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_Generator: TypeAlias = "np.random.Generator | None"  # words: numpy.random is imported late


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the weights that keeps the variance of a signal from layer to layer, where
    `nonlinearity` follows each: "linear", "conv2d", "sigmoid", "tanh", "relu", "selu" or
    "leaky_relu".

    param: the negative slope of "leaky_relu" (default 0.01). The factors are torch's. Raises
    ValueError for another name.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}: "
                         f"use one of {', '.join([*_GAINS, 'leaky_relu'])}")
    return _GAINS[nonlinearity]


def uniform_(tensor: _T, a: float = 0.0, b: float = 1.0, generator: _Generator = None) -> _T:
    """Every element is drawn from U(a, b), uniformly between a and b."""
    return _fill(tensor, lambda rng: rng.uniform(a, b, tensor.shape), generator)


def normal_(tensor: _T, mean: float = 0.0, std: float = 1.0, generator: _Generator = None) -> _T:
    """Every element is drawn from N(mean, std^2), the normal distribution."""
    return _fill(tensor, lambda rng: rng.normal(mean, std, tensor.shape), generator)


def trunc_normal_(tensor: _T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: _Generator = None) -> _T:
    """Every element is drawn from N(mean, std^2) on condition that it lies between a and b.

    Numbers are proposed and accepted with the probability that their density asks for.
    """
    low, high = (a - mean) / std, (b - mean) / std
    top = min(max(0.0, low), high)              # where the density is largest
    reach = math.sqrt(top * top + 80)           # beyond, it is less than e^-40 of that
    low, high = max(low, -reach), min(high, reach)

    def draw(rng: np.random.Generator) -> np.ndarray:
        x = np.empty(tensor.numel())
        left = np.arange(x.size)
        while left.size:
            x[left] = z = rng.uniform(low, high, left.size)
            left = left[rng.random(left.size) >= np.exp((top * top - z * z) / 2)]
        return np.clip(mean + std * x, a, b).reshape(tensor.shape)

    return _fill(tensor, draw, generator)


def constant_(tensor: _T, val: float) -> _T:
    """Every element becomes `val`."""
    return _fill(tensor, lambda rng: val)


def ones_(tensor: _T) -> _T:
    """Every element becomes 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: _T) -> _T:
    """Every element becomes 0."""
    return constant_(tensor, 0.0)


def eye_(tensor: _T) -> _T:
    """The identity matrix. Raises ValueError unless the Tensor has two axes."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: needs two axes, got shape {tensor.shape}")
    rows, columns = tensor.shape
    return _fill(tensor, lambda rng: np.eye(rows, columns))


def dirac_(tensor: _T, groups: int = 1) -> _T:
    """Filters (O, I, ...) that give each group's channels as they are, as far as there are filters.

    Raises ValueError for another number of axes than 3 to 5, and if `groups` does not divide O.
    """
    if tensor.ndim not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: needs 3 to 5 axes, and groups={groups} to divide the first, got "
                         f"shape {tensor.shape}")
    o, i, *window = tensor.shape
    middle = tuple(n // 2 for n in window)
    filters = np.zeros((groups, o // groups, i, *window))
    filters[(slice(None),) * 3 + middle] = np.eye(o // groups, i)
    return _fill(tensor, lambda rng: filters.reshape(tensor.shape))


def orthogonal_(tensor: _T, gain: float = 1.0, generator: _Generator = None) -> _T:
    """gain Q, where the rows of Q (O, the rest), or its columns if there are more rows, are
    orthonormal (Saxe et al., ICLR 2014). Raises ValueError for fewer than two axes."""
    fans(tensor)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])

    def draw(rng: np.random.Generator) -> np.ndarray:
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q *= np.where(np.diag(r) < 0, -1, 1)    # without which Q would not be uniform
        return gain * (q if rows >= columns else q.T).reshape(tensor.shape)

    return _fill(tensor, draw, generator)


def kaiming_uniform_(tensor: _T, a: float = 0.0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu", generator: _Generator = None) -> _T:
    """U(-bound, bound) with bound = gain sqrt(3 / fan) (He et al., ICCV 2015, section 2.2).

    gain is `calculate_gain(nonlinearity, a)`; fan is fan_in, or fan_out with mode="fan_out".
    Raises ValueError for another mode, and for a weight of fewer than two axes.
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: _T, a: float = 0.0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu", generator: _Generator = None) -> _T:
    """N(0, std^2) with std = gain / sqrt(fan); gain, fan and errors as in `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def xavier_uniform_(tensor: _T, gain: float = 1.0, generator: _Generator = None) -> _T:
    """U(-bound, bound) with bound = gain sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio, AISTATS 2010, equation 16. Raises ValueError for fewer than two axes.
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: _T, gain: float = 1.0, generator: _Generator = None) -> _T:
    """N(0, std^2) with std = gain sqrt(2 / (fan_in + fan_out)); see `xavier_uniform_`."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (O, I, ...). Raises ValueError for fewer than two axes."""
    if tensor.ndim < 2:
        raise ValueError(f"fan: a weight has at least two axes, this one has shape {tensor.shape}")
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


_calculate_fan_in_and_fan_out = fans     # PyTorch's programs call it


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


def _fill(tensor: _T, draw: Callable[[np.random.Generator], Any],
          generator: _Generator = None) -> _T:
    rng = backend.generator("init") if generator is None else generator
    if _draws.get():
        with no_grad():
            tensor[...] = draw(rng)
    return tensor
