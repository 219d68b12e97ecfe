"""Batches of a data set, in the right order, fetched while the network computes.

    loader = DataLoader(dataset, batch_size=32, shuffle=True, seed=45)
    for x, y in loader:         # Tensors float32 (N, C, H, W), int64 (N,): the epoch loader.epoch
        ...

A data set is one of minigrad's, a list of samples, or any object with `__getitem__` and `__len__`.
Samples are mostly pairs (input, target), of which integer targets make y int64; what becomes of
others tells `default_collate`.

Order and augmentation are functions of (seed, epoch, index), whatever the workers. The loader
remembers where it is: `state_dict()` after any batch, loaded into an equal loader, goes on with the
next one. Leaving the loop, by whatever way, ends the workers.
"""

from __future__ import annotations

import collections
import operator
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np

from minigrad.arguments import demand, is_integer, plain
from minigrad.backend import keyed_generator
from minigrad.data.collate import as_array, default_collate, is_leaf, stack_arrays
from minigrad.data.dataset import Dataset, as_dataset, input_and_target, is_pair
from minigrad.data.images import ImageError
from minigrad.data.sampler import DrawnSampler, Sampler, WeightedRandomSampler, stream_of
from minigrad.data.transforms.base import TransformError
from minigrad.data.workers import PIECE, Piece, Sample, Workers

ON_ERROR = ("raise", "skip", "replace")
_NO_EFFECT = {"pin_memory", "persistent_workers", "prefetch_factor", "pin_memory_device"}
MAX_BAD = 0.1       # an epoch in which more than this share of the samples is bad is given up


class SampleError(RuntimeError):
    """A sample that cannot be had: its name, and why. The reason itself is the `__cause__`."""


class DataLoader:
    """The batches [x, y] of a data set; iterating runs from `position` to the end of an epoch.

    dataset: see above. An object that is no data set of minigrad is wrapped in an `Items`, which is
    then the attribute `dataset`.

    workers: threads that fetch, or processes if `processes` (started by the start method of
    `multiprocessing`, at every epoch; under "spawn" the data set must be one that can be pickled,
    and a script needs its `if __name__ == "__main__"`). With 0 the loop fetches for itself. Without
    a number, 2. `num_workers` is PyTorch's name for it.

    sampler: which samples an epoch has, instead of each of them once: an iterable of indices. What
    those of minigrad draw without a generator of their own is a function of (seed, epoch) as well.
    batch_sampler: the indices of each batch as a list. What they set cannot be set beside them.

    collate_fn: makes a batch of a list of samples, which are left as they are then. generator: the
    seed is drawn from it. pin_memory, persistent_workers, prefetch_factor and pin_memory_device are
    taken, and change nothing.

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
                 sampler: Iterable[int] | None = None, num_workers: int | None = None, *,
                 batch_sampler: Iterable[Sequence[int]] | None = None,
                 collate_fn: Callable[[list], Any] | None = None, generator: Any = None,
                 **other: Any) -> None:
        """Raises TypeError for what is no data set, ValueError for options that cannot be."""
        try:
            dataset = as_dataset(dataset)
        except TypeError as error:
            raise TypeError(f"DataLoader: {error}") from None
        _check_sampler(sampler, shuffle, dataset)
        demand(not batch_sampler or not (
            batch_size != 1 or shuffle or sampler is not None or drop_last),
            "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        for name in other.keys() - _NO_EFFECT:
            raise TypeError(f"DataLoader: unknown option {name!r}")
        if generator is not None:
            seed = int(stream_of(generator, "loader").integers(2**32))
        demand(workers is None or num_workers is None,
               "DataLoader: workers and num_workers are two names of one number; give one")
        label = "num_workers" if num_workers is not None else "workers"
        workers = next((n for n in (workers, num_workers) if n is not None), 2)
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0),
                                   (label, workers, 1 if processes else 0)):
            demand(is_integer(value, least),
                   f"DataLoader: {name} must be an integer of at least {least}, got {value!r}")
        self.batch_size, self.seed, self.workers = int(batch_size), int(seed), int(workers)
        demand(isinstance(plain(timeout), Real) and timeout > 0,
               f"DataLoader: timeout must be positive seconds, got {timeout!r}")
        demand(on_error in ON_ERROR,
               f"DataLoader: on_error must be one of {', '.join(ON_ERROR)}, got {on_error!r}")
        samples = len(dataset if sampler is None else sampler)  # type: ignore[arg-type]
        demand(samples >= (batch_size if drop_last else 1), f"DataLoader: {samples} samples make "
               f"no batch of {batch_size}{' with drop_last' if drop_last else ''}")
        self.dataset, self.shuffle, self.drop_last = dataset, bool(shuffle), bool(drop_last)
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn
        self.processes, self.timeout, self.on_error = bool(processes), plain(timeout), on_error
        self._samples, self._bad_limit = samples, max(1, int(MAX_BAD * samples))    # of an epoch
        self._drawn: tuple[int, Any] = -1, None     # an epoch, and the order that it has
        self.epoch = self.position = 0
        self.skipped: list[tuple[str, str]] = []
        self._iteration: object = None      # a mark of the newest one, which alone moves `position`

    def __len__(self) -> int:
        """Batches in an epoch."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        full, rest = divmod(self._samples, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Generator[Any, None, None]:
        iteration = self._iteration = object()
        if self.position == 0:
            self.skipped = []
        order = self._order(self.epoch)
        samples_ahead = 2 * max(self.batch_size, PIECE * self.workers) if self.workers else 1
        waiting: collections.deque[list[Piece]] = collections.deque()       # batches
        batch = self.position               # the next that workers get
        workers = Workers(self._fetch(), self.workers, self.processes)
        try:
            for position in range(self.position, len(self)):
                while batch < len(self) and samples_ahead > sum(
                        len(piece.indices) for pieces in waiting for piece in pieces):
                    indices = self._indices(order, batch)
                    waiting.append([Piece(indices[i:i + PIECE])
                                    for i in range(0, len(indices), PIECE)])
                    for piece in waiting[-1]:
                        workers.submit(piece)
                    batch += 1
                samples = self._wait_for(waiting.popleft())
                if self._iteration is not iteration:
                    raise RuntimeError("DataLoader: a newer iteration of this loader has begun; "
                                       "give each its own DataLoader")
                self.position = position + 1
                if samples:
                    yield self._collate(samples)
        finally:
            workers.close()
        if self._iteration is iteration:
            self.epoch, self.position = self.epoch + 1, 0

    def peek(self) -> Sample | None:
        """The first sample of the epoch that can be had, as the loop would prepare it.

        Raises SampleError like the loop. What it finds bad is not counted.
        """
        fetch = self._fetch()
        order = self._order(self.epoch)
        for index in chain.from_iterable(self._indices(order, k) for k in range(len(self))):
            try:
                sample = fetch(index)
            except Exception as error:
                raise self._failure(index, error) from error
            if sample.x is not None:
                return sample
        return None

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

        Raises ValueError if this loader has another number of samples, batch size, `shuffle`,
        `drop_last` or sampler, because the saved position would then mean a different batch.
        """
        for name, value in self._form().items():
            demand(state.get(name) == value, f"DataLoader: the state was taken with {name} = "
                   f"{state.get(name)!r}, this loader has {value!r}")
        demand(0 <= state["position"] <= len(self), f"DataLoader: position {state['position']} in "
               f"the state is not within the epoch's {len(self)} batches")
        self.epoch, self.position, self.seed = state["epoch"], state["position"], state["seed"]
        self._iteration = None

    def _form(self) -> dict[str, object]:
        source = self._source       # told by its printed form, or its class if that is anybody's
        text = repr(source) if isinstance(source, Sampler) else type(source).__name__
        return {"samples": len(self.dataset), "batch_size": self.batch_size,
                "shuffle": self.shuffle, "drop_last": self.drop_last,
                "sampler": None if source is None else text}

    @property
    def _source(self) -> Iterable | None:
        """What gives the indices, if they are not in order or shuffled."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _order(self, epoch: int) -> Any:
        """The indices of an epoch, or those of each batch if they come from the batch_sampler."""
        source = self._source
        if isinstance(source, DrawnSampler) and source.generator is None:
            return source.draw(keyed_generator(self.seed, "sampler", epoch))
        if source is not None:
            if self._drawn[0] != epoch:         # if it was asked again it might give others
                self._drawn = epoch, list(source)
            return self._drawn[1]
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return keyed_generator(self.seed, "order", epoch).permutation(len(self.dataset))

    def _indices(self, order: Any, position: int) -> list[int]:
        some = (order[position * self.batch_size:(position + 1) * self.batch_size]
                if self.batch_sampler is None else order[position])
        return [operator.index(i) for i in some]

    def _fetch(self) -> _Fetch:
        return _Fetch(self.dataset, self.seed, self.epoch, self.on_error, self._bad_limit,
                      self.collate_fn is not None)

    def _wait_for(self, pieces: list[Piece]) -> list[Sample]:
        """The samples of a batch, once they are there, without those that are skipped."""
        samples = []
        for piece in pieces:
            if not piece.done.wait(min(self.timeout, threading.TIMEOUT_MAX)):
                position_in_piece = min(len(piece.outcomes), len(piece.indices) - 1)
                name = self.dataset.name(piece.indices[position_in_piece])
                raise SampleError(f"DataLoader: {name} is not there after timeout={self.timeout} "
                                  "seconds: its worker hangs, or the timeout is too short")
            for index, outcome in zip(piece.indices, piece.outcomes):
                if isinstance(outcome, BaseException):
                    raise self._failure(index, outcome) from outcome
                self._count_bad(outcome.bad)
                samples += [outcome] if outcome.x is not None else []
        return samples

    def _failure(self, index: int, error: BaseException) -> SampleError:
        """The error for a sample; if its file cannot be read, also what can be done about it."""
        remedy = ('; on_error="skip" or "replace" goes on without such files, and '
                  "minigrad.data.check(folder) finds all of them")
        return SampleError(_explain(self.dataset.name(index), error)
                           + remedy * isinstance(error, ImageError))

    def _count_bad(self, bad: list[tuple[str, str]]) -> None:
        self.skipped += [one for one in bad if one not in self.skipped]
        if len(self.skipped) > self._bad_limit:
            name, reason = self.skipped[-1]
            raise SampleError(f"DataLoader: {len(self.skipped)} of {self._samples} samples are "
                              f"bad, more than a tenth; the last: {_explain(name, reason)}")

    def _collate(self, samples: list[Sample]) -> Any:
        """The batch of what collate_fn is for, [x (N, ...), y (N, ...)] of pairs of arrays that are
        alike, else what default_collate makes of it."""
        if self.collate_fn is not None:
            return self.collate_fn([sample.item for sample in samples])
        whole = [sample for sample in samples if sample.y is None]
        if not whole:
            def names(i: int) -> str:
                return self.dataset.name(samples[i].index)
            return [stack_arrays("samples", names, [sample.x for sample in samples],
                                 "; resize or crop them to one size"),
                    stack_arrays("targets", names, [sample.y for sample in samples])]
        if len(whole) < len(samples):
            source = getattr(self.dataset, "source", self.dataset)
            try:
                input_and_target(source, whole[0].item, whole[0].index)
            except TypeError as error:
                raise self._failure(whole[0].index, error) from error
        return default_collate([sample.item for sample in samples])


@dataclass(frozen=True)
class _Fetch:
    """index -> Sample, by the loader's policy: what a worker has to know."""

    dataset: Dataset
    seed: int
    epoch: int
    on_error: str
    most_bad: int
    whole: bool

    def sample(self, place: int, item: Any, bad: list[tuple[str, str]]) -> Sample:
        """A sample as it is, if it is to stay so, or is no pair of what arrays can be made of."""
        if self.whole or not is_pair(item) or not all(map(is_leaf, item)) or (
                hasattr(item, "_fields")):      # the batch of named tuples is one
            return Sample(place, (item,), None, bad)
        x = as_array("a sample", item[0], "; does the transform end with ToArray?")
        return Sample(place, x, as_array("a target", item[1]), bad)

    def __call__(self, index: int) -> Sample:
        bad: list[tuple[str, str]] = []
        while True:
            place = (index + len(bad)) % len(self.dataset)
            try:
                item = self.dataset.get(
                    place, keyed_generator(self.seed, "sample", self.epoch, place))
            except (ImageError, ValueError, TransformError) as error:
                bad.append((self.dataset.name(place), str(error)))
                cause = error.__cause__ if isinstance(error, TransformError) else error
                if (self.on_error == "raise" or len(bad) > self.most_bad
                        or not isinstance(cause, (ImageError, ValueError))):
                    raise       # or another sample may do better
                if self.on_error == "skip":
                    return Sample(place, None, None, bad)
                continue
            return self.sample(place, item, bad)


def _check_sampler(sampler: Iterable[int] | None, shuffle: bool, dataset: Dataset) -> None:
    if sampler is None:
        return
    if not isinstance(sampler, Iterable):
        raise TypeError(f"DataLoader: sampler must give indices, got a {type(sampler).__name__}")
    demand(not shuffle, "DataLoader: sampler and shuffle=True exclude each other: the sampler sets "
           "the order; leave one out")
    if isinstance(sampler, WeightedRandomSampler):
        demand(len(sampler.weights) == len(dataset), f"DataLoader: the sampler has "
               f"{len(sampler.weights)} weights, for a data set of {len(dataset)} samples")


def _explain(name: str, reason: str | BaseException) -> str:
    """One line: the name, unless the reason tells it already, and the reason."""
    label = str(reason) or type(reason).__name__
    if isinstance(reason, BaseException) and not isinstance(
            reason, (ImageError, ValueError, TransformError)):
        label = f"{type(reason).__name__}: {label}"
    return label if name in label else f"{name}: {label}"
