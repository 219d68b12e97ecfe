"""Batches of a data set, in the right order, fetched while the network computes.

    loader = DataLoader(dataset, batch_size=32, shuffle=True, seed=45)
    for x, y in loader:         # float32 (N, C, H, W), int64 (N,): the epoch loader.epoch
        ...

Order and augmentation are functions of (seed, epoch, index), whatever the workers. The loader
remembers where it is: `state_dict()` after any batch, loaded into an equal loader, goes on with the
next one. Leaving the loop, by whatever way, ends the workers.
"""

from __future__ import annotations

import collections
import operator
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from minigrad.backend import keyed_generator
from minigrad.data.dataset import Dataset
from minigrad.data.images import ImageError
from minigrad.data.sampler import WeightedRandomSampler
from minigrad.data.transforms.base import TransformError
from minigrad.data.workers import PIECE, Piece, Sample, Workers

ON_ERROR = ("raise", "skip", "replace")
MAX_BAD = 0.1       # an epoch in which more than this share of the samples is bad is given up


class SampleError(RuntimeError):
    """A sample that cannot be had: its name, and why. The reason itself is the `__cause__`."""


class DataLoader:
    """The batches (x, y) of a data set; iterating runs from `position` to the end of an epoch.

    workers: threads that fetch, or processes if `processes` (started by the start method of
    `multiprocessing`, at every epoch; under "spawn" the data set must be one that can be pickled,
    and a script needs its `if __name__ == "__main__"`). With 0 the loop fetches for itself. Without
    a number, 2. `num_workers` is PyTorch's name of it.

    sampler: which samples an epoch has, instead of each of them once. What it draws is a function
    of (seed, epoch) as well; `shuffle` has no place beside it.

    timeout: the seconds that a piece of a batch, at most 8 samples, may take once it is needed. A
    process that hangs is then ended; a thread cannot be, and stays until it returns.

    on_error, for a sample whose file cannot be read (ImageError) or for which the data set or its
    transform raises ValueError, such as a crop larger than this one photograph (any other
    exception, like a TypeError, is a fault of the program and always raised):
      "raise"    SampleError.
      "skip"     the batch is smaller by it; a batch in which nothing is left does not come.
      "replace"  in its place comes the next readable sample of the data set (in its order, from
                 the last to the first again), augmented as that sample is in this epoch.
    The last two list (name, reason) in `skipped`, and raise SampleError when more than one sample
    and more than a tenth of the epoch is bad.

    While a loop is in a batch, `position` is already that of the next one. At the end of the epoch
    `epoch` goes up by one and `position` back to 0.
    """

    def __init__(self, dataset: Dataset, batch_size: int = 1, shuffle: bool = False,
                 drop_last: bool = False, seed: int = 0, workers: int | None = None,
                 processes: bool = False, timeout: float = 60.0, on_error: str = "raise",
                 sampler: WeightedRandomSampler | None = None, num_workers: int | None = None):
        """Raises TypeError for what is no data set, ValueError for numbers that cannot be."""
        _check_dataset(dataset)
        _check_sampler(sampler, shuffle, dataset)
        if workers is not None and num_workers is not None:
            raise ValueError("DataLoader: workers and num_workers are two names of one number; "
                             "give one")
        told = "num_workers" if num_workers is not None else "workers"
        workers = next((n for n in (workers, num_workers) if n is not None), 2)
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0),
                                   (told, workers, 1 if processes else 0)):
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"DataLoader: {name} must be an integer of at least {least}, "
                                 f"got {value!r}")
        if not isinstance(timeout, Real) or not timeout > 0:
            raise ValueError(f"DataLoader: timeout must be positive seconds, got {timeout!r}")
        if on_error not in ON_ERROR:
            raise ValueError(f"DataLoader: on_error must be one of {', '.join(ON_ERROR)}, "
                             f"got {on_error!r}")
        samples = len(dataset if sampler is None else sampler)
        if samples < (batch_size if drop_last else 1):
            raise ValueError(f"DataLoader: {samples} samples make no batch of {batch_size}"
                             f"{' with drop_last' if drop_last else ''}")
        self.dataset, self.batch_size, self.shuffle = dataset, int(batch_size), bool(shuffle)
        self.sampler, self._samples = sampler, samples      # of an epoch
        self.drop_last, self.seed, self.on_error = bool(drop_last), int(seed), on_error
        self.workers, self.processes, self.timeout = int(workers), processes, timeout
        self.epoch = self.position = 0
        self.skipped: list[tuple[str, str]] = []
        self._turn = None       # what tells the iteration that moves `position` from older ones

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(self._samples, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self):
        turn = self._turn = object()
        if self.position == 0:
            self.skipped = []
        order = self._order(self.epoch)
        ahead = 2 * max(self.batch_size, PIECE * self.workers) if self.workers else 1
        waiting = collections.deque()       # of batches: lists of pieces
        upcoming = iter(range(self.position, len(self)))
        fetch = _Fetch(self.dataset, self.seed, self.epoch, self.on_error, self._most_bad())
        workers = Workers(fetch, self.workers, self.processes)
        try:
            for position in range(self.position, len(self)):
                while len(waiting) * self.batch_size < ahead:
                    batch = next(upcoming, None)
                    if batch is None:
                        break
                    pieces = _pieces(self._indices(order, batch))
                    waiting.append(pieces)
                    for piece in pieces:
                        workers.submit(piece)
                samples = self._finished(waiting.popleft())
                if self._turn is not turn:
                    raise RuntimeError("DataLoader: a newer iteration of this loader has begun; "
                                       "give each its own DataLoader")
                self.position = position + 1
                if samples:
                    yield self._collated(samples)
        finally:
            workers.close()
        if self._turn is turn:
            self.epoch, self.position = self.epoch + 1, 0

    def peek(self) -> None:
        """Prepare the first sample of the epoch that can be had, as the loop would, and forget it.

        Raises SampleError like the loop. What it finds bad is not counted.
        """
        fetch = _Fetch(self.dataset, self.seed, self.epoch, self.on_error, self._most_bad())
        for index in self._order(self.epoch).tolist():
            try:
                sample = fetch(index)
            except Exception as error:
                raise SampleError(_explained(self.dataset.name(index), error)
                                  + _way_on(error)) from error
            if sample.x is not None:
                return

    def batch_names(self, epoch: int, position: int) -> list[str]:
        """The names of the samples that make up a batch (before any is skipped or replaced)."""
        if not 0 <= position < len(self):
            raise IndexError(f"DataLoader: no batch {position}, an epoch has {len(self)}")
        return [self.dataset.name(i) for i in self._indices(self._order(epoch), position)]

    def state_dict(self) -> dict:
        """Where it is, and what this place depends on; JSON values."""
        return {"epoch": self.epoch, "position": self.position, "seed": self.seed, **self._form()}

    def load_state_dict(self, state: dict) -> None:
        """Go on where `state` was taken; its seed is taken over.

        Raises ValueError if the loader has another number of samples, another batch size ..., under
        which the place would be another one.
        """
        for name, value in self._form().items():
            if state.get(name) != value:
                raise ValueError(f"DataLoader: the state was taken with {name} = "
                                 f"{state.get(name)!r}, this loader has {value!r}")
        if not 0 <= state["position"] <= len(self):
            raise ValueError(f"DataLoader: position {state['position']} in the state is not within "
                             f"the epoch's {len(self)} batches")
        self.epoch, self.position, self.seed = state["epoch"], state["position"], state["seed"]
        self._turn = None

    def _form(self):
        return {"samples": len(self.dataset), "batch_size": self.batch_size,
                "shuffle": self.shuffle, "drop_last": self.drop_last,
                "sampler": None if self.sampler is None else repr(self.sampler)}

    def _order(self, epoch):
        if self.sampler is not None:
            return self.sampler.draw(keyed_generator(self.seed, "sampler", epoch))
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return keyed_generator(self.seed, "order", epoch).permutation(len(self.dataset))

    def _indices(self, order, position):
        return order[position * self.batch_size:(position + 1) * self.batch_size].tolist()

    def _most_bad(self):
        return max(1, int(MAX_BAD * self._samples))

    def _finished(self, pieces):
        """The samples of a batch, once they are there, without those that are skipped."""
        samples = []
        for piece in pieces:
            if not piece.done.wait(self.timeout):
                late = min(len(piece.outcomes), len(piece.indices) - 1)
                name = self.dataset.name(piece.indices[late])
                raise SampleError(f"DataLoader: {name} is not there after timeout={self.timeout} "
                                  "seconds: its worker hangs, or the timeout is too short")
            for index, outcome in zip(piece.indices, piece.outcomes):
                if isinstance(outcome, BaseException):
                    raise SampleError(_explained(self.dataset.name(index), outcome)
                                      + _way_on(outcome)) from outcome
                self._count_bad(outcome.bad)
                samples += [outcome] if outcome.x is not None else []
        return samples

    def _count_bad(self, bad):
        self.skipped += [one for one in bad if one not in self.skipped]
        if len(self.skipped) > self._most_bad():
            name, reason = self.skipped[-1]
            raise SampleError(f"DataLoader: {len(self.skipped)} of {self._samples} samples are "
                              f"bad, more than a tenth; the last: {_explained(name, reason)}")

    def _collated(self, samples):
        """(x (N, ...), y (N,) int64) of samples that are alike in shape and dtype."""
        first = samples[0]
        for other in samples:
            if (other.x.shape, other.x.dtype) != (first.x.shape, first.x.dtype):
                raise ValueError("DataLoader: the samples of a batch differ: " + " but ".join(
                    f"{self.dataset.name(one.index)} is {one.x.shape} {one.x.dtype}"
                    for one in (first, other)) + "; resize or crop them to one size")
        return np.stack([one.x for one in samples]), np.array([one.y for one in samples], np.int64)


class _Fetch(NamedTuple):
    """index -> Sample, by the loader's policy: what a worker has to know."""

    dataset: Dataset
    seed: int
    epoch: int
    on_error: str
    most_bad: int

    def __call__(self, index):
        bad = []
        while True:
            place = (index + len(bad)) % len(self.dataset)
            try:
                x, y = self.dataset.get(
                    place, keyed_generator(self.seed, "sample", self.epoch, place))
            except (ImageError, ValueError, TransformError) as error:
                bad.append((self.dataset.name(place), str(error)))
                if (self.on_error == "raise" or len(bad) > self.most_bad
                        or not _of_the_sample(error)):
                    raise
                if self.on_error == "skip":
                    return Sample(place, None, -1, bad)
                continue
            if not isinstance(x, (np.ndarray, np.generic)) or x.dtype.kind not in "biuf":
                raise TypeError(f"a sample must be an array of numbers, not "
                                f"{getattr(x, 'dtype', type(x).__name__)}; does the transform end "
                                "with ToArray?")
            return Sample(place, np.asarray(x), operator.index(y), bad)


def _check_dataset(dataset):
    if not isinstance(dataset, Dataset) and not all(
            hasattr(dataset, name) for name in ("get", "name", "targets", "__len__")):
        raise TypeError(f"DataLoader: {type(dataset).__name__} is no data set of minigrad; for "
                        "arrays or lists x and y use ArrayDataset(x, y), for photographs "
                        "ImageFolder, or subclass Dataset with `targets` and `get(index, rng)`")


def _check_sampler(sampler, shuffle, dataset):
    if sampler is None:
        return
    if not isinstance(sampler, WeightedRandomSampler):
        raise TypeError(f"DataLoader: sampler must be a WeightedRandomSampler, got "
                        f"{type(sampler).__name__}; for samples of your choice use "
                        "Subset(dataset, indices)")
    if shuffle:
        raise ValueError("DataLoader: sampler and shuffle=True exclude each other: the sampler "
                         "sets the order; leave one out")
    if len(sampler.weights) != len(dataset):
        raise ValueError(f"DataLoader: the sampler has {len(sampler.weights)} weights, for a data "
                         f"set of {len(dataset)} samples")


def _of_the_sample(error):
    """Whether another sample may do better: of a transform's errors, if it was a ValueError."""
    cause = error.__cause__ if isinstance(error, TransformError) else error
    return isinstance(cause, (ImageError, ValueError))


def _way_on(error):
    """What can be done about a file that cannot be read."""
    if not isinstance(error, ImageError):
        return ""
    return ('; on_error="skip" or "replace" goes on without such files, and '
            "minigrad.data.check(folder) finds all of them")


def _pieces(indices):
    return [Piece(indices[i:i + PIECE]) for i in range(0, len(indices), PIECE)]


def _explained(name, reason):
    """One line: the name, unless the reason tells it already, and the reason."""
    told = str(reason) or type(reason).__name__
    if isinstance(reason, BaseException) and not isinstance(
            reason, (ImageError, ValueError, TransformError)):
        told = f"{type(reason).__name__}: {told}"
    return told if name in told else f"{name}: {told}"
