"""Work on several blocks of a batch at once: NumPy releases Python's lock while it computes.

    for_each(task, blocks)      task(block) for every block, on all cores
    set_num_threads(1)          from now on, in the calling thread only

How a batch is cut into blocks depends on the shapes of the arrays and never on the number of
threads, and sums over blocks are taken in the order of the blocks. So results are the same bits on
any number of threads. Meanwhile BLAS is limited to one thread: our own threads already use every
core.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from threading import Lock, local
from typing import Any

import numpy as np

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SCRATCH_BYTES = 2**22  # of each thread
_settings = {"threads": CORES}
_own = local()


def set_num_threads(count: int) -> None:
    """How many threads share the work of one call, counting the thread that calls.

    Unless this is set, there is one for each core that this process may use. Raises ValueError for
    less than 1.
    """
    if count < 1:
        raise ValueError(f"set_num_threads: the number must be at least 1, got {count}")
    _settings["threads"] = count


def get_num_threads() -> int:
    """How many threads share the work of one call."""
    return _settings["threads"]


def for_each(task: Callable[[Any], object], items: Iterable[Any]) -> None:
    """task(item) for every item, in any order and on several threads; raises what a task raises.

    Each task must write to places of its own. A thread that has finished an item takes the next
    one, so a core that is busy with other programs gets fewer items. The calling thread works too,
    and does what no other thread has started. So calls may be nested, and may come from many
    threads.
    """
    queue = deque(items)
    team = _team(os.getpid())
    with team.one_blas_thread():
        # each thread gets a copy of the caller's context, because numpy.errstate is part of it
        others = [team.pool(get_num_threads()).submit(copy_context().run, _work, task, queue)
                  for _ in range(min(get_num_threads(), len(queue)) - 1)]
        try:
            _work(task, queue)
        finally:
            queue.clear()  # after an error no further item is started
            started = [other for other in others if not other.cancel()]
            errors = [other.exception() for other in started]  # waits
        for error in filter(None, errors):
            raise error


def blas_kernel() -> str:
    """The kernels that NumPy's BLAS runs on this processor, such as "SkylakeX" or "Haswell"; where
    it does not say (only OpenBLAS does), its own name, or "unknown" if it is not found."""
    for library in _team(os.getpid()).blas.info():
        return library.get("architecture") or library["internal_api"]
    return "unknown"


def scratch(shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised array that the calling thread lends: its memory is that of the thread's
    scratch before, which must be of no more use. New memory would have to be zeroed by the system
    page by page, which takes as long as filling it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > SCRATCH_BYTES:
        return np.empty(shape, dtype)
    if not hasattr(_own, "scratch"):
        _own.scratch = np.empty(SCRATCH_BYTES, np.uint8)
    return _own.scratch[:size].view(dtype).reshape(shape)


def slices(total: int, bytes_each: int, block_bytes: int) -> list[slice]:
    """Slices that cut range(total), items of `bytes_each`, into blocks of about `block_bytes`."""
    step = max(1, block_bytes // max(1, bytes_each))
    return [slice(i, min(i + step, total)) for i in range(0, total, step)]


def _work(task: Callable[[Any], object], queue: deque) -> None:
    while True:
        try:
            item = queue.popleft()
        except IndexError:  # empty
            return
        task(item)


class _Team:
    """The threads of this process, and how many calls are limiting BLAS to one thread."""

    def __init__(self) -> None:
        # not at the top: `import minigrad` would take a tenth longer
        from concurrent.futures import ThreadPoolExecutor

        from threadpoolctl import ThreadpoolController

        self.lock, self.calls = Lock(), 0
        self.limit: Any = None  # threadpoolctl's, while there are calls
        self.blas = ThreadpoolController().select(user_api="blas")
        self.pool = cache(lambda threads: ThreadPoolExecutor(threads, "minigrad"))

    @contextmanager
    def one_blas_thread(self) -> Iterator[None]:
        with self.lock:
            if not self.calls:
                self.limit = self.blas.limit(limits=1)
            self.calls += 1
        try:
            yield
        finally:
            with self.lock:
                self.calls -= 1
                if not self.calls:
                    self.limit.restore_original_limits()


@cache
def _team(process: int) -> _Team:  # a forked process needs threads and a lock of its own
    return _Team()
