"""Tensors of random numbers, which follow from `minigrad.manual_seed` or from a Generator.

    randn(2, 3), rand(2, 3), randint(0, 10, (2, 3)), randperm(5)
    randn(3, generator=Generator().manual_seed(0))

The distributions are PyTorch's, the numbers are not. No graph leads to any of them. `options` are
generator, dtype, device and requires_grad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.arguments import ArgumentError
from minigrad.backend import Array
from minigrad.dtypes import finfo, kind, known_dtype
from minigrad.engine import Tensor
from minigrad.ops.arrays.creation import given, like, made, sizes
from minigrad.ops.shape import Shape


def _drawn(draw: Callable[[np.random.Generator, Shape, np.dtype], Array], size: Any,
           dtype: Any = None, generator: backend.Generator | None = None, kinds: str = "f",
           **options: Any) -> Tensor:
    """A Tensor of what `draw` makes of a stream, the size and the dtype."""
    dtype = known_dtype("dtype", "float32" if dtype is None else dtype)
    if kind(dtype) not in kinds:
        raise NotImplementedError(f"there are no such random numbers in {dtype}")
    stream = (generator or backend.default_generator).stream("random")
    return made(draw(stream, sizes(tuple(size)), dtype), dtype, **options)


def _uniform(stream: np.random.Generator, shape: Shape, dtype: np.dtype) -> Array:
    """Of as many bits as the dtype has, so that no number is rounded up to 1."""
    steps = 2.0 / float(finfo(dtype).eps)
    return np.floor(stream.random(shape) * steps) / steps


def _normal(stream: np.random.Generator, shape: Shape, dtype: np.dtype) -> Array:
    return stream.standard_normal(shape, "float64" if dtype == np.float64 else "float32")


def _cpu(x: Any) -> Array:
    """The array of a Tensor, or of a number, on the CPU."""
    return np.asarray(x.numpy(force=True) if isinstance(x, Tensor) else x)


def rand(*size: Any, **options: Any) -> Tensor:
    """Uniformly distributed numbers, 0 <= y < 1. NotImplementedError for integers."""
    return _drawn(_uniform, given(size, options), **options)


def randn(*size: Any, **options: Any) -> Tensor:
    """Numbers of the normal distribution, mean 0, variance 1. NotImplementedError for integers."""
    return _drawn(_normal, given(size, options), **options)


def rand_like(x: Tensor, **options: Any) -> Tensor:
    """`rand` of the shape, dtype and device of x."""
    return rand(x.shape, **like(x, options))


def randn_like(x: Tensor, **options: Any) -> Tensor:
    """`randn` of the shape, dtype and device of x."""
    return randn(x.shape, **like(x, options))


def randint(low: int = 0, high: Any = None, size: Any = None, *, dtype: Any = "int64",
            **options: Any) -> Tensor:
    """Integers, low <= y < high, all equally probable; randint(high, size) begins at 0.

    Raises ArgumentError if there is none.
    """
    if size is None:
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    if not low < high:
        raise ArgumentError(f"randint: low must be less than high, got {low} and {high}")
    return _drawn(lambda stream, shape, dtype: stream.integers(low, high, shape), size, dtype,
                  kinds="biuf", **options)


def randint_like(x: Tensor, low: int, high: int | None = None, **options: Any) -> Tensor:
    """`randint` of the shape, dtype and device of x."""
    return randint(*(0, low) if high is None else (low, high), x.shape, **like(x, options))


def randperm(n: int, *, dtype: Any = "int64", **options: Any) -> Tensor:
    """0, ..., n - 1 in random order."""
    return _drawn(lambda stream, shape, dtype: stream.permutation(*shape), (n,), dtype,
                  kinds="iuf", **options)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, **options: Any) -> Tensor:
    """Numbers of the normal distribution: of a size, or one for each element of mean and std.

    Raises ArgumentError for a negative std, TypeError for two numbers without a size.
    """
    means, deviations = _cpu(mean), _cpu(std)
    if size is None:
        tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
        if not tensors:
            raise TypeError("normal: give a size, or a Tensor for mean or std")
        size = np.broadcast_shapes(means.shape, deviations.shape)
        options = like(tensors[0], options)
    if (deviations < 0).any():
        raise ArgumentError("normal: std must not be negative")
    return _drawn(lambda *how: _normal(*how) * deviations + means, size, **options)


def bernoulli(x: Tensor, p: Any = None, *, generator: backend.Generator | None = None) -> Tensor:
    """1 with the probability x, or p if that is given, and 0 otherwise, of the shape of x.

    Raises ArgumentError for what is no probability.
    """
    chances = _cpu(x if p is None else p)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ArgumentError("bernoulli: probabilities must lie in [0, 1]")
    return _drawn(lambda stream, shape, dtype: stream.random(shape) < chances, x.shape, x.dtype,
                  generator, "f" if p is None else "biuf", device=x.device)


def get_rng_state() -> Tensor:
    """The state of minigrad's randomness, for `set_rng_state`: bytes, as in PyTorch."""
    state = "{seed} {count}".format(**backend.random_state())
    return Tensor(np.frombuffer(state.encode(), np.uint8).copy())


def set_rng_state(new_state: Tensor) -> None:
    """Go on where `get_rng_state` was called."""
    backend.set_random_state(dict(zip(("seed", "count"), map(int, bytes(new_state.data).split()))))


__all__ = [name for name, f in list(globals().items()) if getattr(f, "__module__", "") == __name__
           and not name.startswith("_")]
