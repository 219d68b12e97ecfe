"""Data sets: samples in a fixed order, mostly an input and a target, the number of its class.

    train = ArrayDataset(x, y, transform)       # arrays; see folder.py for photographs in folders
    x, label = train[0]
    first = Subset(train, range(100))           # some of its samples
    plain = train.with_transform(None)          # the same samples, prepared in another way
    pairs = Items([(x0, y0), (x1, y1)])         # what has __getitem__ and __len__; a DataLoader
                                                # takes such an object as it is

A transform is called with an input and a NumPy generator, from which alone it may draw, or with the
input alone (see `transforms.Step`). So a sample is a function of (index, generator), whoever
computes it and in whatever order.
"""

from __future__ import annotations

import copy
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.arguments import demand, is_integer
from minigrad.backend import generator
from minigrad.data.transforms.base import Step, apply_step
from minigrad.dtypes import kind
from minigrad.engine import Tensor


class Dataset:
    """Samples 0 to len - 1, each an input and a target.

    A subclass has `targets`, those of all samples in their order, and `get`; or, as in PyTorch,
    `__len__` and `__getitem__`, which may give another sample each time, and samples of any kind.
    `classes`: the names of classes 0, 1, ..., or None where they have none.
    """

    targets: Sequence | np.ndarray | None = None
    classes: list[str] | None = None
    transform: Callable | None = None
    _step: Step | None = None       # how `transform` is called

    def __len__(self) -> int:
        if self.targets is None:
            raise TypeError(f"{type(self).__name__} has no targets, and defines no __len__")
        return len(self.targets)

    def get(self, index: int, rng: np.random.Generator) -> Any:
        """Sample `index`, mostly (input, target), everything random in it drawn from `rng`."""
        if type(self).__getitem__ is Dataset.__getitem__:
            raise NotImplementedError(f"{type(self).__name__} does not define get, nor __getitem__")
        return self[index]

    def __getitem__(self, index: int) -> Any:
        """As `get`, with minigrad's next generator for transforms."""
        return self.get(index, generator("transforms"))

    def name(self, index: int) -> str:
        """How messages call a sample."""
        return f"sample {self._place(index)}"

    def __add__(self, other: Any) -> Dataset:
        """The samples of both, one after the other."""
        from minigrad.data.combine import ConcatDataset     # which is made of data sets
        return ConcatDataset([self, other])

    def with_transform(self, transform: Callable | None) -> Dataset:
        """The same samples under another transform; what is in memory is shared, not copied.

        Raises as `transforms.Step` for one that cannot be called with a sample.
        """
        other = copy.copy(self)
        other._set_transform(transform)
        return other

    def _place(self, index: int) -> int:
        """`index` as a number from 0; negative ones count from the end, as in a list."""
        if not is_integer(index):
            raise TypeError(f"{type(self).__name__}: the number of a sample must be an integer, "
                            f"got {index!r}")
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{type(self).__name__}: no sample {place}, there are {len(self)}")
        return place % len(self)

    def _set_transform(self, transform: Callable | None) -> None:
        self._step = None if transform is None else Step(transform, type(self).__name__)
        self.transform = transform

    def _prepare(self, x: object, rng: np.random.Generator, index: int) -> object:
        """What the transform makes of the input of sample `index`. Raises TransformError."""
        if self.transform is None:
            return x
        step = self._step
        if step is None or step.transform is not self.transform:    # it was assigned
            step = self._step = Step(self.transform, type(self).__name__)
        return apply_step(step, x, rng, self.name(index))


class ArrayDataset(Dataset):
    """Inputs x (N, ...) with targets y (N, ...): integers (N,) are classes, which `classes` names;
    floating-point numbers are values to be predicted, an image (N, C, H, W) for an autoencoder."""

    def __init__(self, x: np.ndarray | Tensor, y: np.ndarray | Sequence,
                 transform: Callable | None = None, classes: Sequence[str] | None = None) -> None:
        """Raises ValueError if the lengths differ or a class has no name or two have the same,
        TypeError if y holds anything but numbers, `classes` anything but texts, or if there are
        names for targets that are no classes.
        """
        y = np.asarray(y)
        demand(y.ndim and len(x) == len(y), f"ArrayDataset: {len(x)} inputs need as many classes, "
               f"or other targets, got an array of shape {y.shape}")
        if len(y) and kind(y.dtype) not in "iuf":
            raise TypeError("ArrayDataset: classes must be integers, other targets floating-point "
                            f"numbers, got {y.dtype}")
        whole = y.ndim == 1 and (y.dtype.kind in "iu" or not len(y))
        self.x: Any = x                         # an array, a Tensor or a list
        self.targets: Any = y.tolist() if whole else y
        if classes is not None and not whole:
            raise TypeError("ArrayDataset: classes are the names of targets that are integers "
                            f"(N,), got {y.dtype} {y.shape}")
        self.classes = None if classes is None else _check_classes(classes, self.targets)
        self._set_transform(transform)

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        place = self._place(index)
        return self._prepare(self.x[place], rng, place), self.targets[place]


def _check_classes(classes: Sequence[str], targets: Any) -> list[str]:
    """The names as a list, if they are names and every target has one of its own."""
    names = list(classes)
    if isinstance(classes, str) or not all(isinstance(name, str) for name in names):
        raise TypeError("ArrayDataset: classes must be a list of names, one for each class, got "
                        f"{classes!r}")
    for name, count in Counter(names).items():
        demand(count == 1, f"ArrayDataset: classes has {name!r} twice; give each its own name")
    for target in set(targets):
        demand(0 <= target < len(names), f"ArrayDataset: classes has {len(names)} names, which are "
               f"those of classes 0 to {len(names) - 1}, and y has a class {target}")
    return names


class Items(Dataset):
    """The samples of an object with `__getitem__` and `__len__`: a list, an array, or a data set as
    PyTorch has them. The transform, if there is one, is of the inputs of pairs (input, target)."""

    def __init__(self, source: Any, transform: Callable | None = None) -> None:
        """Raises TypeError for an object that has no such samples."""
        if not all(hasattr(source, name) for name in ("__getitem__", "__len__")) or (
                isinstance(source, (str, bytes, Mapping))):
            raise TypeError(
                f"{type(source).__name__} is no data set of minigrad, nor a list of samples, nor "
                "an object with __getitem__ and __len__; for arrays or lists x and y use "
                "ArrayDataset(x, y), for photographs ImageFolder, or subclass Dataset")
        self.source = source
        self.targets = _matching_targets(getattr(source, "targets", None), len(source))
        self.classes = getattr(source, "classes", None)
        self._set_transform(transform)

    def __len__(self) -> int:
        return len(self.source)

    def get(self, index: int, rng: np.random.Generator) -> Any:
        place = self._place(index)
        sample = self.source[place]
        if self.transform is None:
            return sample
        x, y = input_and_target(self.source, sample, place)
        return self._prepare(x, rng, place), y


def _matching_targets(targets: Any, samples: int) -> Sequence | np.ndarray | None:
    """The targets, if there is one for each sample; None for whatever else an object of the user's
    calls so. A Tensor's are its array."""
    if isinstance(targets, Tensor):
        targets = targets.numpy(force=True)
    try:
        matching = len(targets) == samples and not isinstance(targets, (str, Mapping))
    except TypeError:           # it has no length
        return None
    return targets if matching else None


def input_and_target(source: object, sample: Any, index: int) -> tuple:
    """`sample`, if it is an input and a target. Raises TypeError naming its place."""
    if not is_pair(sample):
        size = f" of {len(sample)}" if isinstance(sample, (tuple, list)) else ""
        raise TypeError(f"{type(source).__name__}: sample {index} must be a pair (input, target), "
                        f"got a {type(sample).__name__}{size}")
    return tuple(sample)


def is_pair(sample: object) -> bool:
    return isinstance(sample, (tuple, list)) and len(sample) == 2


def as_dataset(source: Any) -> Dataset:
    """`source`, if it is a data set of minigrad, or its `Items`. Raises TypeError."""
    own = isinstance(source, Dataset) or all(
        hasattr(source, name) for name in ("get", "name", "targets", "__len__"))
    return source if own else Items(source)


class Subset(Dataset):
    """The samples `indices` of another data set, or list of samples, in that order."""

    def __init__(self, dataset: Dataset, indices: Iterable[int]) -> None:
        """Raises IndexError for an index that the data set does not have."""
        self.dataset = dataset = as_dataset(dataset)
        self.classes = getattr(dataset, "classes", None)    # also where it has no sample of one
        self.indices = [dataset._place(i) for i in indices]
        self.targets = None if dataset.targets is None else [
            dataset.targets[i] for i in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def transform(self) -> Callable | None:  # type: ignore[override]  # read only
        """That of the data set, which prepares the samples."""
        return self.dataset.transform

    def get(self, index: int, rng: np.random.Generator) -> Any:
        return self.dataset.get(self.indices[self._place(index)], rng)

    def name(self, index: int) -> str:
        return self.dataset.name(self.indices[self._place(index)])

    def with_transform(self, transform: Callable | None) -> Subset:
        return Subset(self.dataset.with_transform(transform), self.indices)
