"""Batches on their way to the GPU while it computes with the ones before.

    for place, x, y in sent_ahead(batches): ...

A batch takes three steps, each of which goes on beside what the GPU computes:

    a thread            copies it into pinned memory: it stays where it is, so the GPU can fetch
                        from there by itself
    the copy stream     copies it into the GPU's memory
    the compute stream  waits for the event behind that copy, and for nothing else
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.backend import memory_error


def sent_ahead(batches: Iterable[tuple]) -> Generator[tuple, None, None]:
    """The (place, x, y) of `batches`, with NumPy arrays x and y, as CuPy arrays.

    One batch more than was asked for is taken, and sent. An exception of `batches` is raised when
    its turn has come. However this ends, no thread and no copy is left behind.
    """
    import cupy
    stream = cupy.cuda.Stream(non_blocking=True)
    parcels = itertools.cycle([_Parcel(cupy, stream), _Parcel(cupy, stream)])
    waiting: deque[Callable[[], tuple]] = deque()  # functions that give a batch once it is there
    try:
        with ThreadPoolExecutor(1, "prefetch") as helper:
            for arrive in _start_copies(batches, parcels, helper):
                waiting.append(arrive)
                if len(waiting) > 1:
                    yield waiting.popleft()()
            yield from (arrive() for arrive in waiting)
    finally:
        stream.synchronize()


def _start_copies(batches: Iterable[tuple], parcels: Iterator[_Parcel],
                  helper: ThreadPoolExecutor) -> Generator[Callable[[], tuple], None, None]:
    """For each batch a function that gives it; one that raises the exception that ends them."""
    try:
        for place, *arrays in batches:
            yield next(parcels).send(place, arrays, helper)
    except Exception as error:
        failed: Future = Future()
        failed.set_exception(error)
        yield failed.result


class _Parcel:
    """Pinned memory for a batch, and the event behind the last copies out of it."""

    def __init__(self, cupy: ModuleType, stream: Any) -> None:
        self.cupy, self.stream = cupy, stream
        self.sent = cupy.cuda.Event(disable_timing=True)
        self.pinned: dict[tuple, np.ndarray] = {}   # by place in a batch, shape, dtype

    def send(self, place: int, arrays: list[np.ndarray],
             helper: ThreadPoolExecutor) -> Callable[[], tuple]:
        """Have the batch copied. Returns a function that waits for it: () -> (place, *arrays)."""
        cuda = self.cupy.cuda
        try:
            targets = [self.cupy.empty(a.shape, a.dtype) for a in arrays]
        except MemoryError as error:
            raise memory_error(error, "a batch on its way to the GPU") from error
        # whoever had this memory before must have done with it
        self.stream.wait_event(cuda.get_current_stream().record())
        copied = helper.submit(self._copy, arrays, targets)

        def arrive() -> tuple:
            copied.result()
            cuda.get_current_stream().wait_event(self.sent)
            return place, *targets
        return arrive

    def _copy(self, arrays: list[np.ndarray], targets: list) -> None:
        import cupyx
        self.sent.synchronize()  # before the memory is written again
        for i, (a, target) in enumerate(zip(arrays, targets)):
            key = i, a.shape, a.dtype
            if key not in self.pinned:
                self.pinned[key] = cupyx.empty_pinned(a.shape, a.dtype)
            self.pinned[key][...] = a
            target.set(self.pinned[key], stream=self.stream)
        self.sent.record(self.stream)
