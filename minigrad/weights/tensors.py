"""Storages (runs of numbers in a file) and the tensors that look at them.

A tensor in a file says "size (3, 4), strides (1, 3), from number 12 of storage 7"; several may
share a storage. Nothing of this is believed: `tensor` holds it against the storage before any array
is made, for a view past the end would read other memory, and a stride of 0 makes a million numbers
of one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from minigrad.weights.errors import WeightsError
from minigrad.weights.kinds import KINDS, itemsize

MAX_DIMS = 64               # NumPy's limit
MAX_EMPTY = 1 << 40         # the product of the other sizes of a tensor with a size of 0
_WORTH_THREADS = 1 << 20    # bytes to check


class Checksum(NamedTuple):
    """`function` must give `value` on the bytes; `complaint` is what to say of a storage if not."""

    function: Callable[[memoryview], object]
    value: object
    complaint: str


class Storage:
    """`count` numbers of one `kind` (None: bytes that each tensor reads as a kind of its own).

    `name` is how to call it in an error. The reader of the file fills it with its bytes. A part of
    a storage refers to its root, so that numbers are read and widened once, whoever looks at them.
    """

    def __init__(self, name: str, kind: str | None, count: int):
        if type(count) is not int or not 0 <= count < 2**63:
            raise WeightsError(f"{name}: its length is negative, or no integer of 64 bits")
        self.name, self.kind, self.count = name, kind, count
        self.root, self.start = self, 0
        self.data, self.checksum = None, None
        self._arrays: dict[str, np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        return self.count * (itemsize(self.kind) if self.kind else 1)

    def part(self, start: int, count: int) -> Storage:
        """The storage of `count` numbers from number `start` on."""
        part = Storage(f"a part of {self.name}", self.kind, count)
        if type(start) is not int or not 0 <= start <= self.count - count or not self.kind:
            raise WeightsError(f"{part.name} reaches outside of it")
        part.root, part.start = self.root, self.start + start
        return part

    def fill(self, data: memoryview, checksum: Checksum | None = None) -> None:
        if len(data) != self.nbytes:
            raise WeightsError(f"{self.name} has {len(data)} bytes instead of {self.nbytes}")
        self.data, self.checksum = data, checksum

    def numbers(self, kind: str) -> np.ndarray:
        """All of them, in one dimension: the mapped file itself, or a copy if NumPy needs one."""
        if kind not in self._arrays:
            stored, widen = KINDS[kind]
            x = np.frombuffer(self.data, stored)
            if kind == "bool" and x.view(np.uint8).max(initial=0) > 1:
                raise WeightsError(f"{self.name}: a truth value is neither 0 nor 1")
            x = widen(x) if widen else x if x.flags.aligned else x.copy()
            x.flags.writeable = False
            self._arrays[kind] = x
        return self._arrays[kind]


class TensorView(NamedTuple):
    """A tensor of the file that has passed the checks of `tensor`; `offset` is from the root."""

    storage: Storage
    kind: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    conjugate: bool = False
    negative: bool = False

    def array(self) -> np.ndarray:
        """The array, read-only. Its storage must be filled."""
        x = self.storage.root.numbers(self.kind)
        x = np.ndarray(self.size, x.dtype, x, self.offset * x.itemsize,
                       [step * x.itemsize for step in self.stride])
        x = np.asarray(np.conj(x)) if self.conjugate else x
        x = np.asarray(-x) if self.negative else x
        x.flags.writeable = False
        return x


def tensor(storage: Storage, kind: str, offset: int, size: tuple, stride: tuple,
           conjugate=False, negative=False) -> TensorView:
    """The view of `storage` from number `offset` on; `stride` counts numbers, as torch does.

    Raises WeightsError if the view is no view: wrong types, another kind of number, elements
    outside the storage, two indices for one element.
    """
    if not len(size) == len(stride) <= MAX_DIMS:
        raise WeightsError(f"{storage.name}: {len(size)} sizes and {len(stride)} strides")
    if not all(type(n) is int and 0 <= n < 2**63 for n in (offset, *size, *stride)):
        raise WeightsError(f"{storage.name}: an offset, size or stride is negative or no integer")

    def refuse(reason):
        raise WeightsError(f"{storage.name}: a tensor of size {size}, strides {stride} {reason}")

    if storage.kind not in (kind, None) or storage.nbytes % itemsize(kind):
        refuse(f"reads {storage.kind or f'{storage.nbytes} bytes'} as {kind}")
    if 0 in size:
        if math.prod(n for n in size if n) > MAX_EMPTY:
            refuse("is too large")
        return TensorView(storage, kind, 0, size, (0,) * len(size))
    reach = 0               # from the first element to the last of the dimensions so far
    for step, n in sorted((step, n) for step, n in zip(stride, size) if n > 1):
        if step <= reach:
            refuse("has overlapping elements; save a contiguous copy instead")
        reach += (n - 1) * step
    if offset + reach >= storage.nbytes // itemsize(kind):
        refuse("reaches past the end")
    stride = tuple(step if n > 1 else 0 for step, n in zip(stride, size))
    return TensorView(storage, kind, storage.start + offset, size, stride, conjugate, negative)


def check_sums(storages: Iterable[Storage]) -> None:
    """Measure every storage that has a checksum; WeightsError names one that is damaged."""
    checked = sorted((s for s in storages if s.checksum), key=lambda s: s.nbytes, reverse=True)
    if sum(s.nbytes for s in checked) < _WORTH_THREADS:
        found = map(_measure, checked)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:    # checksums let go of Python's lock
            found = pool.map(_measure, checked)
    for storage, value in zip(checked, found):
        if value != storage.checksum.value:
            raise WeightsError(f"{storage.name} {storage.checksum.complaint}")


def _measure(storage):
    return storage.checksum.function(storage.data)
