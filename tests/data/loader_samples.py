"""What the tests of DataLoader share: ways to fetch, a data set that misbehaves on command, and a
watch over what a loader leaves behind.
"""

import gc
import multiprocessing
import multiprocessing.resource_tracker
import os
import threading

import numpy as np
import pytest

from minigrad.data import Dataset, ImageError

HOW = [dict(workers=0), dict(workers=1), dict(workers=2), dict(workers=4),
       dict(workers=1, processes=True), dict(workers=3, processes=True)]
TWO = [dict(workers=2), dict(workers=2, processes=True)]
EVERY = pytest.mark.parametrize("how", [HOW[0], *TWO], ids=["inline", "threads", "processes"])
BOTH = pytest.mark.parametrize("how", TWO, ids=["threads", "processes"])
# Python 3.12 and later warn of any fork beside threads, NumPy's own included
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def forking():
    """Processes by fork, so that a data set may be defined in a test."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method("fork", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


def left():
    """What a loader could leave behind: threads, children, descriptors."""
    return (threading.active_count(), multiprocessing.active_children(),
            len(os.listdir("/proc/self/fd")))


@pytest.fixture(autouse=True)
def nothing_is_left(only_new_objects):
    multiprocessing.resource_tracker.ensure_running()   # Python's own with spawn: one, for good
    gc.collect()                # what other tests have left in cycles
    before = left()
    yield
    if left() != before:
        gc.collect()        # an exception's traceback may hold an iterator, in a cycle
    assert left() == before


class Numbers(Dataset):
    """Sample i is [i, a draw]; `acts` maps samples to functions that are called before."""

    def __init__(self, count, acts=None):
        self.targets, self.acts = [i % 3 for i in range(count)], acts or {}

    def get(self, index, rng):
        self.acts.get(index, int)()
        return np.array([index, rng.random()], np.float32), self.targets[index]


def bad(message="unreadable"):
    def act():
        raise ImageError(message)
    return act


def indices(batches):
    return [x.data[:, 0].astype(int).tolist() for x, _ in batches]
