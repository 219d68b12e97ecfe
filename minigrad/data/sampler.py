"""Which samples an epoch has, and in which order.

    counts = np.bincount(train.targets)
    balanced = WeightedRandomSampler(1 / counts[train.targets], len(train))
    loader = DataLoader(train, 32, sampler=balanced)        # every class as often as the others

A DataLoader also takes any other object that gives indices, such as a list.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.arguments import demand, integer


class Sampler:
    """Base class, as in torch: `__iter__` gives the indices of an epoch, `__len__` their number."""

    def __init__(self, data_source: Sized | None = None) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def __repr__(self) -> str:
        size = len(self) if isinstance(self, Sized) else ""
        return f"{type(self).__name__}({size})"


class DrawnSampler(Sampler):
    """Base of those that write `draw(rng)`, the indices of an epoch as an array. Iterating draws
    from `generator`, or anew from minigrad's; a DataLoader draws by its seed and epoch, unless
    there is a generator."""

    generator: Any = None
    num_samples: int

    def __len__(self) -> int:
        return self.num_samples

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} does not define draw")

    def __iter__(self) -> Iterator[int]:
        return iter(self.draw(stream_of(self.generator, "sampler")).tolist())


class SequentialSampler(DrawnSampler):
    """Each sample once, in their order."""

    def __len__(self) -> int:
        return len(self.data_source)  # type: ignore[arg-type]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        return np.arange(len(self))


class RandomSampler(DrawnSampler):
    """`num_samples` of a data set, default all, in random order: with `replacement` each is drawn
    from all, without it none comes again before all have come."""

    def __init__(self, data_source: Sized, replacement: bool = False,
                 num_samples: int | None = None, generator: Any = None) -> None:
        super().__init__(data_source)
        if not isinstance(replacement, bool):
            raise TypeError("RandomSampler: replacement must be True or False, got "
                            f"{replacement!r}")
        self.replacement, self.generator = replacement, generator
        self.num_samples = len(data_source) if num_samples is None else (
            integer("RandomSampler", "num_samples", num_samples))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        n = len(self.data_source)  # type: ignore[arg-type]
        if self.replacement:
            return rng.integers(n, size=len(self))
        return np.concatenate([rng.permutation(n) for _ in range(0, len(self) or 1, n or 1)])[
            :len(self)]


class SubsetRandomSampler(DrawnSampler):
    """Each of the indices once, in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.num_samples, self.generator = indices, len(indices), generator

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(np.array(list(self.indices), int))


class BatchSampler(Sampler):
    """The indices of a sampler in lists of `batch_size`; drop_last: without a smaller last one."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.drop_last = sampler, drop_last
        self.batch_size = integer("BatchSampler", "batch_size", batch_size)
        demand(isinstance(drop_last, bool),
               f"BatchSampler: drop_last must be True or False, got {drop_last!r}")

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)


def stream_of(generator: Any, purpose: str) -> np.random.Generator:
    """NumPy's generator behind a `generator=`: itself, the next one of a minigrad Generator, or
    minigrad's next one if there is none."""
    if generator is None:
        return backend.generator(purpose)
    return generator if isinstance(generator, np.random.Generator) else generator.stream(purpose)


class WeightedRandomSampler(DrawnSampler):
    """`num_samples` samples of a data set, each drawn with a chance in proportion to its weight.

    weights: a number for each sample, not negative; they need not sum to 1. With `replacement`
    every draw is from all samples; without it no sample is drawn twice, and each draw is from those
    that are left.
    """

    def __init__(self, weights: Sequence[float] | np.ndarray, num_samples: int,
                 replacement: bool = True, generator: Any = None) -> None:
        """Raises ValueError for weights that are no chances, or too few of them above 0."""
        num_samples = integer("WeightedRandomSampler", "num_samples", num_samples)
        demand(isinstance(replacement, bool),
               f"WeightedRandomSampler: replacement must be True or False, got {replacement!r}")
        self.weights = np.array(weights, np.float64)        # a copy: later changes do not count
        demand(self.weights.ndim == 1, "WeightedRandomSampler: weights must have one dimension, "
               f"got shape {self.weights.shape}")
        demand(np.all(np.isfinite(self.weights)) and not np.any(self.weights < 0),
               "WeightedRandomSampler: weights must be finite and not negative")
        possible = np.count_nonzero(self.weights)
        demand(possible >= (1 if replacement else num_samples),
               f"WeightedRandomSampler: {possible} weights are above 0, too few for "
               f"{num_samples} samples{'' if replacement else ' without repetition'}")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """The samples' indices (num_samples,), in the order of an epoch.

        Without repetition: the first to come of exponential waiting times whose rates are the
        weights (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", Information
        Processing Letters 97, 2006).
        """
        weights = self.weights / self.weights.max()         # their sum is finite then
        if self.replacement:
            ends = np.cumsum(weights)
            places = rng.random(self.num_samples) * ends[-1]
            return np.searchsorted(ends, places, side="right")      # weights of 0 have no places
        possible = np.flatnonzero(weights)
        times = rng.standard_exponential(len(possible)) / weights[possible]
        return possible[np.argsort(times, kind="stable")[:self.num_samples]]

    def __repr__(self) -> str:
        digest = hashlib.sha256(self.weights.tobytes()).hexdigest()[:16]
        return (f"WeightedRandomSampler({len(self.weights)} weights of SHA-256 {digest}, "
                f"num_samples={self.num_samples}, replacement={self.replacement})")
