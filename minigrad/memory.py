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
        size = _rounded(size)
        with self.lock:
            runs = self.runs.setdefault(size, [])
            for i in range(len(runs) - 1, -1, -1):
                if sys.getrefcount(runs[i]) == ALONE:
                    runs.append(runs.pop(i))
                    return runs[-1]
            self.release()
            runs.append(_from_system(size))
            return runs[-1]

    def release(self) -> None:
        """Give the largest idle runs back to the system, until few enough are left."""
        idle = [(size, i) for size, runs in self.runs.items() for i in range(len(runs))
                if sys.getrefcount(runs[i]) == ALONE]
        total = sum(size * len(runs) for size, runs in self.runs.items())
        excess = sum(size for size, _ in idle) - max(IDLE_BYTES, IDLE_SHARE * total)
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
    if size < LARGE_BYTES:
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
    """Whether holder[key] is a NumPy array of numbers of its own, and nobody else holds it or a
    part of its memory."""
    x = holder[key]
    if type(x) is not np.ndarray or not x.flags.writeable or 0 in x.strides:
        return False
    del x
    if sys.getrefcount(holder[key]) != ALONE:
        return False
    owner = holder[key].base
    if owner is None:
        return True
    return isinstance(owner, np.ndarray) and sys.getrefcount(owner) == (
        ALONE + 1 + _pool.holds(owner))


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

_pool = _Pool()
