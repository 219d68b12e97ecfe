"""Data sets: samples in a fixed order, each an input and the number of its class.

    train = ArrayDataset(x, y, transform)       # arrays; see folder.py for photographs in folders
    x, label = train[0]
    first = Subset(train, range(100))           # some of its samples
    plain = train.with_transform(None)          # the same samples, prepared in another way

A transform is called with an input and a NumPy generator, from which alone it may draw. So a sample
is a function of (index, generator), whoever computes it and in whatever order.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable

import numpy as np

from minigrad.backend import generator


class Dataset:
    """Samples 0 to len - 1. A subclass has `targets`, the list of its classes, and `get`."""

    targets: list[int]
    classes: list[str] | None = None
    transform = None

    def __len__(self) -> int:
        return len(self.targets)

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        """Sample `index` as (input, class), everything random in it drawn from `rng`."""
        raise NotImplementedError(f"{type(self).__name__} does not define get")

    def __getitem__(self, index: int) -> tuple:
        """As `get`, with minigrad's next generator for transforms."""
        return self.get(index, generator("transforms"))

    def name(self, index: int) -> str:
        """How messages call a sample."""
        return f"sample {self._place(index)}"

    def with_transform(self, transform) -> Dataset:
        """The same samples under another transform; what is in memory is shared, not copied."""
        other = copy.copy(self)
        other.transform = transform
        return other

    def _place(self, index) -> int:
        """`index` as a number from 0; negative ones count from the end, as in a list."""
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{type(self).__name__}: no sample {place}, there are {len(self)}")
        return place % len(self)

    def _prepared(self, x, rng):
        return x if self.transform is None else self.transform(x, rng)


class ArrayDataset(Dataset):
    """Inputs x (N, ...) with classes y (N,), which are whole numbers."""

    def __init__(self, x, y, transform=None):
        """Raises ValueError if the lengths differ, TypeError if y holds anything but integers."""
        y = np.asarray(y)
        if y.ndim != 1 or len(x) != len(y):
            raise ValueError(f"ArrayDataset: {len(x)} inputs need as many classes in one dimension,"
                             f" got an array of shape {y.shape}")
        if len(y) and y.dtype.kind not in "iu":
            raise TypeError(f"ArrayDataset: classes must be integers, got {y.dtype}")
        self.x, self.targets, self.transform = x, y.tolist(), transform

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        place = self._place(index)
        return self._prepared(self.x[place], rng), self.targets[place]


class Subset(Dataset):
    """The samples `indices` of another data set, in that order."""

    def __init__(self, dataset: Dataset, indices: Iterable[int]):
        """Raises IndexError for an index that the data set does not have."""
        self.dataset = dataset
        self.indices = [dataset._place(i) for i in indices]
        self.targets = [dataset.targets[i] for i in self.indices]

    @property
    def transform(self):
        """That of the data set, which prepares the samples."""
        return self.dataset.transform

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        return self.dataset.get(self.indices[self._place(index)], rng)

    def name(self, index: int) -> str:
        return self.dataset.name(self.indices[self._place(index)])

    def with_transform(self, transform) -> Subset:
        return Subset(self.dataset.with_transform(transform), self.indices)
