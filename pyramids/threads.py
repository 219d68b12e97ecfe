"""Work on several parts of an image at once: NumPy lets go of Python's lock while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from typing import Any

from minigrad.kernels.runtime.threads import CORES

THREADS = min(CORES, 2)
"""How many threads: one per core that this process may use, but no more than two.

NumPy's calls here are short, and Python's lock is taken between any two of them: measured on two
cores, the second thread saves a quarter of the time, so a third would mostly wait. Each thread also
has arrays of its own.
"""


def for_each(task: Callable[[Any], object], items: Iterable[Any]) -> None:
    """task(item) for every item, by `THREADS` threads, the caller's own among them.

    Tasks must not depend on one another, so that neither do results on the number of threads.
    """
    items = list(items)
    count = min(THREADS, len(items))
    others = [_pool(os.getpid()).submit(copy_context().run, _run, task, items[k::count])
              for k in range(1, count)]  # with the caller's context, for numpy.errstate's sake
    try:
        _run(task, items[::max(count, 1)])
    finally:
        wait(others)
    for other in others:
        other.result()  # raises what the task raised


def _run(task: Callable[[Any], object], items: list[Any]) -> None:
    for item in items:
        task(item)


@cache
def _pool(process: int) -> ThreadPoolExecutor:  # a forked process needs threads of its own
    return ThreadPoolExecutor(CORES, "pyramids")
