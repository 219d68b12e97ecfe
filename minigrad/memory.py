"""Memory of large arrays on the CPU, used again as soon as nobody holds it any more.

    y = uninitialised(shape, dtype)     as numpy.empty(shape, dtype)
    y = uninitialised_like(x)           as numpy.empty_like(x)
    only(holder, key)                   does nobody else hold the array holder[key]?

The system hands out new memory page by page when it is first written, and zeroes each page. That
takes longer than the sums and products that an element-wise op writes there. A step of training
needs arrays of the same sizes as the step before, so this module keeps their memory. Whether an
array is still in use is seen from Python's count of references: each view holds a reference to the
array that owns its memory, which is here a plain run of bytes.
"""

import math
import mmap
import os
import sys
from contextlib import suppress
from threading import Lock
from typing import Any

import numpy as np

LARGE_BYTES = 2**19  # smaller arrays are left to numpy.empty: C's malloc keeps their memory
IDLE_BYTES, IDLE_SHARE = 3 * 2**25, 1 / 5
"""How much of what is kept may be idle: so many bytes, or this share of all. With more, a step of
training takes less time and more memory."""

HUGE_BYTES = 2**22  # from here on in pages of 2 MiB, where the system has them, as NumPy does
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
STEPS = 64  # sizes between a power of two and the next, to which sizes are rounded up


class _Pool:
    """Runs of bytes by their size. Each is in one of the lists, whether or not it is in use."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.runs: dict[int, list[np.ndarray]] = {}

    def take(self, size: int) -> np.ndarray:
        """A run of at least so many bytes that nobody else uses: the last that was taken, which may
        still be in a cache, or a new one."""
        # Not waited for: another thread may have held it when this process was forked, or this
        # thread, when the garbage collector came in between.
        if not self.lock.acquire(blocking=False):
            return np.empty(size, np.uint8)
        try:
            size = _rounded(size)
            runs = self.runs.setdefault(size, [])
            for i in range(len(runs) - 1, -1, -1):
                if sys.getrefcount(runs[i]) == ALONE:
                    runs.append(runs.pop(i))
                    return runs[-1]
            self.release()
            try:
                runs.append(_from_system(size))
            except MemoryError:
                self.release(everything=True)
                runs.append(_from_system(size))
            return runs[-1]
        finally:
            self.lock.release()

    def release(self, everything: bool = False) -> None:
        """Give the largest idle runs back to the system, until few enough are left."""
        idle = [(size, i) for size, runs in self.runs.items() for i in range(len(runs))
                if sys.getrefcount(runs[i]) == ALONE]
        total = sum(size * len(runs) for size, runs in self.runs.items())
        kept = 0 if everything else max(IDLE_BYTES, IDLE_SHARE * total)
        excess = sum(size for size, _ in idle) - kept
        for size, i in sorted(idle, reverse=True):  # of one size, the last first
            if excess <= 0:
                break
            del self.runs[size][i]
            excess -= size

    def holds(self, run: Any) -> bool:
        """Whether this is one of the runs, in use or not."""
        return any(run is other for other in self.runs.get(run.nbytes, ()))


def _from_system(size: int) -> np.ndarray:
    """So many bytes by a mapping of their own: when it ends, the system has them back at once."""
    try:
        mapping = mmap.mmap(-1, size, **_PRIVATE)
    except OSError as error:
        raise MemoryError(f"Unable to allocate {size:,} bytes") from error
    if size >= HUGE_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):                 # a kernel without huge pages does without
            mapping.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(mapping, np.uint8)


def uninitialised(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array in C order whose elements are not set."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE_BYTES or not COUNTS:
        return np.empty(shape, dtype)
    return _pool.take(size)[:size].view(dtype).reshape(shape)


def uninitialised_like(x: np.ndarray, dtype: Any = None) -> np.ndarray:
    """An array of the shape of x, and with its order in memory, whose elements are not set."""
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    if x.size * dtype.itemsize < LARGE_BYTES:
        return np.empty_like(x, dtype)
    order = sorted(range(x.ndim), key=lambda dim: -abs(x.strides[dim]))
    y = uninitialised(tuple(x.shape[dim] for dim in order), dtype)
    return y.transpose(sorted(range(x.ndim), key=order.__getitem__))


def only(holder: Any, key: Any) -> bool:
    """Whether holder[key] is a NumPy array of numbers of its own, with most of the memory that it
    keeps, and nobody else holds it or a part of that memory."""
    x = holder[key]
    if not COUNTS or type(x) is not np.ndarray or not x.flags.writeable or 0 in x.strides:
        return False
    size, owns, owners = x.nbytes, x.flags.owndata, [x.base]
    del x
    if sys.getrefcount(holder[key]) != ALONE:
        return False
    if owners[0] is None:
        return owns
    if type(owners[0]) is not np.ndarray or 8 * size < 7 * owners[0].nbytes:
        return False
    kept = _pool.holds(owners[0])
    if not kept and not owners[0].flags.owndata:    # the memory is of something else
        return False
    return sys.getrefcount(owners[0]) == ALONE + 1 + kept


def add_to(holder: Any, key: Any, x: Any) -> bool:
    """Add x to the array holder[key] in place, if nobody else holds that, it is large and both are
    alike; whether that was done."""
    if type(x) is not np.ndarray or x.nbytes < LARGE_BYTES or not only(holder, key):
        return False
    y = holder[key]
    if (y.shape, y.dtype) != (x.shape, x.dtype):
        return False
    np.add(y, x, out=y)
    return True


def _rounded(size: int) -> int:
    step = 1 << max(0, size.bit_length() - STEPS.bit_length())
    return -(-size // step) * step


_held = [np.empty(0)]
ALONE = sys.getrefcount(_held[0])
"""What Python counts for an object that only a list or dict holds, while it is looked at."""

COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether the counts can be relied on. A Python without its lock counts in each thread apart."""

_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: setattr(_pool, "lock", Lock()))
