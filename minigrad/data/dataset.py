"""Data sets: samples in a fixed order, each an input and the number of its class.

    train = ArrayDataset(x, y, transform)       # arrays; see folder.py for photographs in folders
    x, label = train[0]
    first = Subset(train, range(100))           # some of its samples
    plain = train.with_transform(None)          # the same samples, prepared in another way

A transform is called with an input and a NumPy generator, from which alone it may draw, or with the
input alone (see `transforms.Step`). So a sample is a function of (index, generator), whoever
computes it and in whatever order.
"""

from __future__ import annotations

import copy
import operator
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from minigrad.backend import generator
from minigrad.data.transforms.base import Step, prepared


class Dataset:
    """Samples 0 to len - 1. A subclass has `targets`, the list of their classes, and `get`.

    `classes`: the names of classes 0, 1, ..., or None where they have none.
    """

    targets: list[int]
    classes: list[str] | None = None
    transform = None
    _step = None            # how `transform` is called

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
        """The same samples under another transform; what is in memory is shared, not copied.

        Raises as `transforms.Step` for one that cannot be called with a sample.
        """
        other = copy.copy(self)
        other._set_transform(transform)
        return other

    def _place(self, index) -> int:
        """`index` as a number from 0; negative ones count from the end, as in a list."""
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{type(self).__name__}: no sample {place}, there are {len(self)}")
        return place % len(self)

    def _set_transform(self, transform):
        self._step = None if transform is None else Step(transform, type(self).__name__)
        self.transform = transform

    def _prepared(self, x, rng, index):
        """What the transform makes of the input of sample `index`. Raises TransformError."""
        if self.transform is None:
            return x
        step = self._step
        if step is None or step.transform is not self.transform:    # it was assigned
            step = self._step = Step(self.transform, type(self).__name__)
        return prepared(step, x, rng, self.name(index))


class ArrayDataset(Dataset):
    """Inputs x (N, ...) with classes y (N,), which are whole numbers; `classes` names them."""

    def __init__(self, x, y, transform=None, classes: Sequence[str] | None = None):
        """Raises ValueError if the lengths differ or a class has no name or two have the same,
        TypeError if y holds anything but integers or `classes` anything but texts.
        """
        y = np.asarray(y)
        if y.ndim != 1 or len(x) != len(y):
            raise ValueError(f"ArrayDataset: {len(x)} inputs need as many classes in one dimension,"
                             f" got an array of shape {y.shape}")
        if len(y) and y.dtype.kind not in "iu":
            raise TypeError(f"ArrayDataset: classes must be integers, got {y.dtype}")
        self.x, self.targets = x, y.tolist()
        self.classes = None if classes is None else _checked(classes, self.targets)
        self._set_transform(transform)

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        place = self._place(index)
        return self._prepared(self.x[place], rng, place), self.targets[place]


def _checked(classes, targets):
    """The names as a list, if they are names and every target has one of its own."""
    names = list(classes)
    if isinstance(classes, str) or not all(isinstance(name, str) for name in names):
        raise TypeError("ArrayDataset: classes must be a list of names, one for each class, got "
                        f"{classes!r}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"ArrayDataset: classes has {twice[0]!r} twice; give each its own name")
    nameless = [target for target in targets if not 0 <= target < len(names)]
    if nameless:
        raise ValueError(f"ArrayDataset: classes has {len(names)} names, which are those of "
                         f"classes 0 to {len(names) - 1}, and y has a class {nameless[0]}")
    return names


class Subset(Dataset):
    """The samples `indices` of another data set, in that order."""

    def __init__(self, dataset: Dataset, indices: Iterable[int]):
        """Raises IndexError for an index that the data set does not have."""
        self.dataset = dataset
        self.indices = [dataset._place(i) for i in indices]
        self.targets = [dataset.targets[i] for i in self.indices]

    @property
    def classes(self):
        """Those of the data set, also where the subset has no sample of one."""
        return self.dataset.classes

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
