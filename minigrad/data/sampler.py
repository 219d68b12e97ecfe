"""Which samples an epoch has, where it is not each of them once.

    counts = np.bincount(train.targets)
    balanced = WeightedRandomSampler(1 / counts[train.targets], len(train))
    loader = DataLoader(train, 32, sampler=balanced)        # every class as often as the others
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from minigrad.arguments import integer
from minigrad.backend import generator


class WeightedRandomSampler:
    """`num_samples` samples of a data set, each drawn with a chance in proportion to its weight.

    weights: a number for each sample, not negative; they need not sum to 1. With `replacement`
    every draw is from all samples; without it no sample is drawn twice, and each draw is from those
    that are left. Iterating draws anew from minigrad's generator; a DataLoader draws by its seed
    and epoch.
    """

    def __init__(self, weights: Sequence[float] | np.ndarray, num_samples: int,
                 replacement: bool = True) -> None:
        """Raises ValueError for weights that are no chances, or too few of them above 0."""
        num_samples = integer("WeightedRandomSampler", "num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError("WeightedRandomSampler: replacement must be True or False, got "
                             f"{replacement!r}")
        self.weights = np.array(weights, np.float64)        # a copy: later changes do not count
        if self.weights.ndim != 1:
            raise ValueError("WeightedRandomSampler: weights must have one dimension, got shape "
                             f"{self.weights.shape}")
        if not np.all(np.isfinite(self.weights)) or np.any(self.weights < 0):
            raise ValueError("WeightedRandomSampler: weights must be finite and not negative")
        possible = np.count_nonzero(self.weights)
        if possible < (1 if replacement else num_samples):
            raise ValueError(f"WeightedRandomSampler: {possible} weights are above 0, too few for "
                             f"{num_samples} samples{'' if replacement else ' without repetition'}")
        self.num_samples, self.replacement = int(num_samples), replacement

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        return iter(self.draw(generator("sampler")).tolist())

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
