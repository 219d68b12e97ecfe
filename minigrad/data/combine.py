"""Data sets of Tensors, and of other data sets.

    pairs = TensorDataset(images, labels)       # sample i is (images[i], labels[i])
    both = ConcatDataset([pairs, others])       # or pairs + others
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, chain
from typing import Any

import numpy as np

from minigrad.data.dataset import Dataset, as_dataset
from minigrad.engine import Tensor


class TensorDataset(Dataset):
    """Sample i is (a[i], b[i], ...) of Tensors, or arrays, of one length; else AssertionError."""

    def __init__(self, *tensors: Tensor) -> None:
        if len({len(tensor) for tensor in tensors}) != 1:
            raise AssertionError("TensorDataset: the Tensors must have one length, got "
                                 f"{[len(tensor) for tensor in tensors]}")
        self.tensors = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple:
        return tuple(tensor[index] for tensor in self.tensors)


class ConcatDataset(Dataset):
    """The samples of several data sets, one after the other. The names of classes are the first's.
    AssertionError for none."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset: got no data sets")
        self._parts = [as_dataset(dataset) for dataset in self.datasets]
        self.cumulative_sizes = list(accumulate(map(len, self._parts)))
        targets: list[Any] = [part.targets for part in self._parts]
        self.targets = None if any(t is None for t in targets) else list(chain(*targets))
        self.classes = self._parts[0].classes

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def get(self, index: int, rng: np.random.Generator) -> Any:
        part, place = self._find(index)
        return part.get(place, rng)

    def name(self, index: int) -> str:
        part, place = self._find(index)
        return part.name(place)

    def _find(self, index: int) -> tuple[Dataset, int]:
        place = self._place(index)
        k = bisect_right(self.cumulative_sizes, place)
        return self._parts[k], place - self.cumulative_sizes[k] + len(self._parts[k])
