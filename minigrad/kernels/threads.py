"""Work on several blocks of a batch at once: NumPy lets go of Python's lock while it computes.

    for_each(task, blocks)      task(block) for every block, on all cores
    set_num_threads(1)          on this thread alone

What the blocks are follows from the shapes of the arrays, never from the number of threads, and
what is summed over blocks is summed in their order: so results are the same bits on any number of
threads. BLAS keeps to one thread meanwhile, which is the same for it: one thread per core is us.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_settings = {"threads": CORES}


def set_num_threads(count: int) -> None:
    """How many threads share the work of one call, the caller's own among them; at first one per
    core that this process may use. Raises ValueError below 1."""
    if count < 1:
        raise ValueError(f"set_num_threads: the number must be at least 1, got {count}")
    _settings["threads"] = count


def get_num_threads() -> int:
    """How many threads share the work of one call."""
    return _settings["threads"]


def for_each(task, items) -> None:
    """task(item) for every item, in any order and on several threads; raises what a task raises.

    Tasks write to places of their own. A thread takes the next item when it is done with one, so a
    core that others use does less. The calling thread works too, and takes back what no other has
    started: calls may be nested, and come from many threads.
    """
    queue = deque(items)
    team = _team(os.getpid())
    with team.blas_alone():
        # each with a copy of the caller's context, for numpy.errstate's sake
        others = [team.pool(get_num_threads()).submit(copy_context().run, _work, task, queue)
                  for _ in range(min(get_num_threads(), len(queue)) - 1)]
        try:
            _work(task, queue)
        finally:
            queue.clear()  # after an error nothing more is begun
            started = [other for other in others if not other.cancel()]
            errors = [other.exception() for other in started]  # waits
        for error in filter(None, errors):
            raise error


def slices(total, bytes_each, block_bytes):
    """Slices that cut range(total) into blocks of about `block_bytes`."""
    step = max(1, block_bytes // max(1, bytes_each))
    return [slice(i, min(i + step, total)) for i in range(0, total, step)]


def _work(task, queue):
    while True:
        try:
            item = queue.popleft()
        except IndexError:  # empty
            return
        task(item)


class _Team:
    """The threads of this process, and how many calls are keeping BLAS to one thread."""

    def __init__(self):
        self.lock, self.calls, self.limit = Lock(), 0, None
        self.blas = ThreadpoolController().select(user_api="blas")
        self.pool = cache(lambda threads: ThreadPoolExecutor(threads, "minigrad"))

    @contextmanager
    def blas_alone(self):
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
def _team(process):  # a forked process needs threads and a lock of its own
    return _Team()
