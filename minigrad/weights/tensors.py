"""Storages (runs of numbers in a file) and the tensors that look at them.

A tensor in a file says "size (3, 4), strides (1, 3), from number 12 of storage 7"; several may
share a storage. Nothing of this is believed: `tensor` holds it against the storage before any array
is made, for a view past the end would read other memory, and a stride of 0, which torch's `expand`
makes, a million numbers of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, NoReturn

import numpy as np

from minigrad.kernels.runtime.threads import CORES
from minigrad.weights.errors import WeightsError, demand

MAX_DIMS = 64               # NumPy's limit
MAX_EMPTY = 1 << 40         # the product of the other sizes of a tensor with a size of 0
MAX_EXPANDED = 1 << 19      # numbers of a tensor that repeats some
_WORTH_THREADS = 1 << 20    # bytes to check


class Kind(NamedTuple):
    """The dtype of the bytes in the file; `widen` makes float32 of them, for NumPy to compute."""

    stored: np.dtype
    widen: Callable[[np.ndarray], np.ndarray] | None = None


def _from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """bfloat16 is the upper half of a float32."""
    wide = bits.astype("<u4")
    wide <<= 16
    return wide.view("<f4")


def _from_float16(x: np.ndarray) -> np.ndarray:
    """NumPy keeps a NaN signalling, so that computing with it warns; torch makes it quiet."""
    wide = x.astype("<f4")
    nan = np.isnan(wide)
    wide.view("<u4")[nan] |= 0x00400000
    return wide


def _from_float8_e5m2(bits: np.ndarray) -> np.ndarray:
    """float8_e5m2 is the upper half of a float16."""
    return _from_float16((bits.astype("<u2") << 8).view("<f2"))


def _from_float8_e4m3fn(bits: np.ndarray) -> np.ndarray:
    """Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinity, all ones is NaN.

    In the places that these fields have in a float16 (bias 15) the number is 2^8 too small.
    """
    magnitude = bits & 0x7f
    half = (magnitude.astype("<u2") << 7) | ((bits & 0x80).astype("<u2") << 8)
    wide = half.view("<f2").astype("<f4") * 256
    nan = magnitude == 0x7f
    wide.view("<u4")[nan] = 0x7ff00000 | ((bits[nan] & 0x80).astype("<u4") << 24)   # torch's bits
    return wide


# Kinds of numbers by torch's name: how they are stored, and how NumPy gets them.
_STORED = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2",
           "float8_e5m2": "u1", "float8_e4m3fn": "u1",
           "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "i1",
           "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "u1",
           "bool": "?", "complex128": "<c16", "complex64": "<c8"}
_WIDEN = {"float16": _from_float16, "bfloat16": _from_bfloat16,
          "float8_e5m2": _from_float8_e5m2, "float8_e4m3fn": _from_float8_e4m3fn}
KINDS = {name: Kind(np.dtype(stored), _WIDEN.get(name)) for name, stored in _STORED.items()}


def itemsize(kind: str) -> int:
    """Bytes per number in the file."""
    return KINDS[kind].stored.itemsize


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

    def __init__(self, name: str, kind: str | None, count: int) -> None:
        demand(type(count) is int and 0 <= count < 2**63,
               f"{name}: its length is negative, or no integer of 64 bits")
        self.name, self.kind, self.count = name, kind, count
        self.root: Storage = self
        self.start = 0
        self.data = memoryview(b"")     # until it is filled
        self.checksum: Checksum | None = None
        self._arrays: dict[tuple, np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        """How many bytes its numbers take in the file."""
        return self.count * (itemsize(self.kind) if self.kind else 1)

    def part(self, start: int, count: int) -> Storage:
        """The storage of `count` numbers from number `start` on."""
        part = Storage(f"a part of {self.name}", self.kind, count)
        demand(type(start) is int and 0 <= start <= self.count - count and self.kind,
               f"{part.name} reaches outside of it")
        part.root, part.start = self.root, self.start + start
        return part

    def fill(self, data: memoryview, checksum: Checksum | None = None) -> None:
        """Give it its bytes. Raises WeightsError if there are more or fewer than it needs."""
        demand(len(data) == self.nbytes,
               f"{self.name} has {len(data)} bytes instead of {self.nbytes}")
        self.data, self.checksum = data, checksum

    def numbers(self, kind: str, conjugate: bool = False, negative: bool = False) -> np.ndarray:
        """All of them, in one dimension: the mapped file itself, or a copy if NumPy needs one."""
        key = kind, conjugate, negative
        if key not in self._arrays:
            if conjugate or negative:
                x = self.numbers(kind)
                x = np.conj(x) if conjugate else x
                x = -x if negative else x
            else:
                stored, widen = KINDS[kind]
                x = np.frombuffer(self.data, stored)
                if kind == "bool" and x.view(np.uint8).max(initial=0) > 1:
                    raise WeightsError(f"{self.name}: a truth value is neither 0 nor 1")
                x = widen(x) if widen else x if x.flags.aligned else x.copy()
            x.flags.writeable = False
            self._arrays[key] = x
        return self._arrays[key]


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
        x = self.storage.root.numbers(self.kind, self.conjugate, self.negative)
        x = np.ndarray(self.size, x.dtype, x, self.offset * x.itemsize,
                       [step * x.itemsize for step in self.stride])
        x.flags.writeable = False
        return x


def tensor(storage: Storage, kind: str, offset: int, size: tuple, stride: tuple,
           conjugate: bool = False, negative: bool = False) -> TensorView:
    """The view of `storage` from number `offset` on; `stride` counts numbers, as torch does.

    Raises WeightsError if the view is no view: wrong types, another kind of number, elements
    outside the storage, two indices for one element.
    """
    demand(len(size) == len(stride) <= MAX_DIMS,
           f"{storage.name}: {len(size)} sizes and {len(stride)} strides")
    demand(all(type(n) is int and 0 <= n < 2**63 for n in (offset, *size, *stride)),
           f"{storage.name}: an offset, size or stride is negative or no integer")

    def refuse(reason: str) -> NoReturn:
        raise WeightsError(f"{storage.name}: a tensor of size {size}, strides {stride} {reason}")

    if storage.kind not in (kind, None) or storage.nbytes % itemsize(kind):
        refuse(f"reads {storage.kind or f'{storage.nbytes} bytes'} as {kind}")
    if 0 in size:
        if math.prod(n for n in size if n) > MAX_EMPTY:
            refuse("is too large")
        return TensorView(storage, kind, 0, size, (0,) * len(size))
    repeats = any(n > 1 and not step for step, n in zip(stride, size))
    reach = 0               # from the first element to the last of the dimensions so far
    for step, n in sorted((step, n) for step, n in zip(stride, size) if n > 1 and step):
        if step <= reach:
            refuse("has overlapping elements; save a contiguous copy instead")
        reach += (n - 1) * step
    if repeats and math.prod(size) > MAX_EXPANDED:
        refuse("has overlapping elements, one number in many places, and more than "
               f"{MAX_EXPANDED:,}; save a contiguous copy instead")
    if offset + reach >= storage.nbytes // itemsize(kind):
        refuse("reaches past the end")
    stride = tuple(step if n > 1 else 0 for step, n in zip(stride, size))
    return TensorView(storage, kind, storage.start + offset, size, stride, conjugate, negative)


def check_sums(storages: Iterable[Storage]) -> None:
    """Measure every storage that has a checksum; WeightsError names one that is damaged."""
    with_sums = sorted((storage for storage in storages if storage.checksum),
                       key=lambda storage: -storage.nbytes)
    if len(with_sums) > 1 and sum(storage.nbytes for storage in with_sums) >= _WORTH_THREADS:
        with ThreadPoolExecutor(CORES) as pool:     # checksums let go of Python's lock
            list(pool.map(_check_sum, with_sums))
    else:
        list(map(_check_sum, with_sums))


def _check_sum(storage: Storage) -> None:
    checksum = storage.checksum
    if checksum and checksum.function(storage.data) != checksum.value:
        raise WeightsError(f"{storage.name} {checksum.complaint}")
