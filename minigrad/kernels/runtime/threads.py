"""Work on several blocks of a batch at once: NumPy releases Python's lock while it computes.

    for_each(task, blocks)      task(block) for every block, on all cores
    set_num_threads(1)          from now on, in the calling thread only

How a batch is cut into blocks depends on the shapes of the arrays and never on the number of
threads, and sums over blocks are taken in the order of the blocks. So results are the same bits on
any number of threads. Meanwhile BLAS is limited to one thread: our own threads already use every
core.
"""

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread, local
from typing import Any

import numpy as np

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SCRATCH_BYTES, ALIGNMENT = 2**25, 64  # of each thread
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
    helpers = deque(range(min(get_num_threads(), len(queue)) - 1))  # that have not begun
    errors: list[BaseException] = []
    ended: SimpleQueue = SimpleQueue()

    def help() -> None:
        try:
            helpers.pop()
        except IndexError:  # all is done
            return
        try:
            _work(task, queue)
        except BaseException as error:
            errors.append(error)
        finally:
            ended.put(None)

    with team.one_blas_thread():
        count, interrupt = len(helpers), None
        try:
            for _ in range(count):
                # each thread gets a copy of the caller's context: numpy.errstate is part of it
                team.call(partial(copy_context().run, help))
            _work(task, queue)
        finally:
            queue.clear()  # after an error no further item is started
            count -= sum(1 for _ in _popped(helpers))
            while count:
                try:
                    ended.get()
                    count -= 1
                except KeyboardInterrupt as error:  # not before all have ended
                    interrupt = error
        if interrupt is not None:
            raise interrupt
        if errors:
            try:
                raise errors[0]
            finally:
                errors.clear()  # which the traceback refers to


def blas_kernel() -> str:
    """The kernels that NumPy's BLAS runs on this processor, such as "SkylakeX" or "Haswell"; where
    it does not say (only OpenBLAS does), its own name, or "unknown" if it is not found."""
    for library in _team(os.getpid()).blas:
        return getattr(library, "architecture", None) or library.internal_api
    return "unknown"


def scratches(dtype: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """Uninitialised arrays that the calling thread lends: their memory is that of the thread's
    arrays before, which must be of no more use. New memory would have to be zeroed by the system
    page by page, which takes as long as filling it."""
    sizes = [-(-math.prod(shape) * np.dtype(dtype).itemsize // ALIGNMENT) * ALIGNMENT
             for shape in shapes]
    total = sum(sizes)
    if total > SCRATCH_BYTES:
        return [np.empty(shape, dtype) for shape in shapes]
    if not hasattr(_own, "scratch"):
        _own.scratch = np.empty(SCRATCH_BYTES, np.uint8)  # takes no memory where it is not used
    ends = itertools.accumulate(sizes)
    return [_own.scratch[end - size:end].view(dtype)[:math.prod(shape)].reshape(shape)
            for shape, size, end in zip(shapes, sizes, ends)]


def slices(total: int, bytes_each: int, block_bytes: int) -> list[slice]:
    """Slices that cut range(total), items of `bytes_each`, into blocks of about `block_bytes`."""
    step = max(1, block_bytes // max(1, bytes_each))
    return [slice(i, min(i + step, total)) for i in range(0, total, step)]


def _popped(queue: deque) -> Iterator[Any]:
    """The items of the queue, each taken away from all other threads."""
    while True:
        try:
            item = queue.pop()
        except IndexError:  # empty
            return
        yield item


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
        from threadpoolctl import ThreadpoolController

        self.lock, self.threads, self.jobs = Lock(), 0, SimpleQueue()  # type: ignore[var-annotated]
        self.calls = 0
        self.blas = ThreadpoolController().select(user_api="blas").lib_controllers
        self.before: list[int] = []  # each library's own number of threads, while there are calls

    def call(self, job: Callable[[], object]) -> None:
        """Run the job in one of the threads, of which there are as many as may share a call."""
        if self.threads < get_num_threads() - 1:
            with self.lock:
                for _ in range(self.threads, get_num_threads() - 1):
                    with suppress(RuntimeError):  # no more threads: the caller does the work
                        Thread(target=self.run, name="minigrad", daemon=True).start()
                        self.threads += 1
        self.jobs.put(job)

    def run(self) -> None:
        while True:
            self.jobs.get()()  # not kept in a variable: it would hold arrays until the next one

    @contextmanager
    def one_blas_thread(self) -> Iterator[None]:
        with self.lock:
            if not self.calls:
                self.before = [library.num_threads for library in self.blas]
                for library in self.blas:
                    library.set_num_threads(1)
            self.calls += 1
        try:
            yield
        finally:
            with self.lock:
                self.calls -= 1
                if not self.calls:
                    for library, threads in zip(self.blas, self.before):
                        library.set_num_threads(threads)


_teams: dict[int, _Team] = {}  # by process: a forked one needs threads and a lock of its own


def _team(process: int) -> _Team:
    team = _teams.get(process)
    return team if team is not None else _teams.setdefault(process, _Team())
