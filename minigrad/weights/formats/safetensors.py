"""safetensors files: a length, a header in JSON, the numbers. And the checksums we add to ours.

    uint64      N, the length of the header
    N bytes     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
                 "__metadata__": {"text": "text"}}, filled up with spaces
    the rest    the tensors, one after the other without gaps, in C order, little-endian

Format and checks: github.com/huggingface/safetensors, README and safetensors/src/tensor.rs. The
format has no checksums. A file that `pack` makes has three more entries in its metadata,

    minigrad.format     "1"
    minigrad.tensors    {"name": SHA-256 of the tensor's bytes, ...}, as JSON
    minigrad.header     SHA-256 of length and header, with 64 zeros in the place of this number

and `read_safetensors` insists on all of them as soon as there is one, so that no flipped bit goes
unnoticed; other readers of safetensors ignore them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from hashlib import sha256
from itertools import accumulate
from typing import Any, NoReturn

import numpy as np

from minigrad.backend import to_device
from minigrad.files import write_file
from minigrad.weights.errors import WeightsError, demand, quote
from minigrad.weights.tensors import MAX_DIMS, Checksum, Storage, TensorView, tensor

MAX_HEADER = 1 << 23        # ResNet-152 takes 0.2 MB; parsed, it may take 30 times as much
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
          "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
          "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
          "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
          "BOOL": "bool", "C64": "complex64"}
_NAMES = {kind: dtype for dtype, kind in DTYPES.items()}
FORMAT, TENSORS, HEADER = "minigrad.format", "minigrad.tensors", "minigrad.header"
_VERSION = "1"
_UNKNOWN = "0" * 64         # the digest of the header while it is being computed


def read_safetensors(data: memoryview) -> tuple[dict[str, TensorView], dict[str, str], bool]:
    """({name: TensorView}, {text: text} of the metadata, whether `pack` made the file)."""
    length = int.from_bytes(data[:8], "little")
    demand(length <= MAX_HEADER, f"its header has {length:,} bytes, more than {MAX_HEADER:,}")
    head, numbers = bytes(data[:8 + length]), data[8 + length:]
    demand(len(head) == 8 + length, "it is cut off in its header")
    try:
        entries = _parse(head[8:].decode())
    except UnicodeDecodeError:
        raise WeightsError("its header is not UTF-8") from None
    metadata = entries.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata         # some writers put null
    demand(type(metadata) is dict and all(type(text) is str for text in metadata.values()),
           "its metadata is no table of texts")
    digests = _digests(head, metadata, entries)
    metadata = {key: text for key, text in metadata.items() if not key.startswith("minigrad.")}
    views, places = {}, []
    for name, entry in entries.items():
        view, begin, end = _view(name, entry)
        view.storage.fill(numbers[begin:end], None if digests is None else Checksum(
            _sha256, digests[name], "is damaged: its SHA-256 is not the one that was recorded"))
        views[name] = view
        places.append((begin, end))
    ends = [0, *(end for _, end in sorted(places))]
    demand([begin for begin, _ in sorted(places)] == ends[:-1] and ends[-1] == len(numbers),
           "its tensors leave a gap, overlap, or do not end where the file does")
    return views, metadata, digests is not None


def _parse(text: str) -> dict:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(pairs)
        demand(len(table) == len(pairs), "its header has a name twice")
        return table

    def refuse(constant: str) -> NoReturn:
        raise WeightsError(f"its header contains {constant}")

    try:
        entries = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except WeightsError:
        raise
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"its header is not JSON: {quote(str(error))}") from None
    demand(type(entries) is dict, "its header is not a table")
    return entries


def _view(name: str, entry: object) -> tuple[TensorView, int, int]:
    """(TensorView, begin, end) of one entry; the bytes are not there yet."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [begin, end],
              **rest} if not rest:
            pass
        case _:
            raise WeightsError(f"tensor {quote(name)} has something else than dtype, shape and "
                               "data_offsets")
    if dtype not in DTYPES:
        raise WeightsError(f"tensor {quote(name)} is of dtype {quote(dtype)}, unknown here")
    if len(shape) > MAX_DIMS or not all(type(n) is int and 0 <= n < 2**63
                                        for n in (*shape, begin, end)):
        raise WeightsError(f"tensor {quote(name)}: a size or offset is negative, or no integer")
    kind = DTYPES[dtype]
    storage = Storage(f"tensor {quote(name)}", kind, math.prod(shape))
    strides = tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))
    return tensor(storage, kind, 0, tuple(shape), strides), begin, end


def _digests(head: bytes, metadata: Mapping[str, str],
             names: Mapping[str, object]) -> dict[str, str] | None:
    """{name: SHA-256} of a file that `pack` made, whose header is checked; None for another."""
    if not metadata.keys() & {FORMAT, TENSORS, HEADER}:
        return None
    version, recorded, digest = (metadata.get(key, "") for key in (FORMAT, TENSORS, HEADER))
    demand(digest.isascii() and len(digest) == len(_UNKNOWN)
           and digest == _sha256(head.replace(digest.encode(), _UNKNOWN.encode())),
           "its header is damaged: its SHA-256 is not the one that was recorded")
    demand(version == _VERSION,
           f"it is of minigrad's format {quote(version)}; this minigrad reads {_VERSION!r}")
    digests = _parse(recorded)
    demand(digests.keys() == names.keys(), "its list of SHA-256 is not that of its tensors")
    return digests


def _sha256(data: Any) -> str:
    return sha256(data).hexdigest()


def save(path: str | os.PathLike, arrays: Mapping,
         metadata: Mapping[str, str] | None = None) -> None:
    """Write {name: array} (NumPy or CuPy) and {text: text} to a safetensors file for `load`.

    It carries the SHA-256 of every array and of the header, which `load` checks. A crash leaves the
    old file or the new one, whole; `arrays` may come from `load(path)` of the same path. Raises,
    before anything is written, TypeError for names and metadata that are not text and for dtypes
    that the format lacks, ValueError for reserved names. OSError, naming the path, if writing
    fails.
    """
    write_file(path, pack(arrays, metadata or {}))


def pack(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> list:
    """The pieces of a safetensors file with checksums, buffers to be written one after the other.

    Header and metadata keep the given order. The bytes are sorted by the size of a number, so that
    every array begins where NumPy can use it in place. TypeError for names and metadata that are
    not text, and for dtypes that the format lacks (complex128, objects); ValueError for reserved
    names.
    """
    for text in (*arrays, *metadata, *metadata.values()):
        if not isinstance(text, str):
            raise TypeError(f"names and metadata are text, not {type(text).__name__}: {text!r}")
    for name in (*({"__metadata__"} & arrays.keys()),
                 *(key for key in metadata if key.startswith("minigrad."))):
        raise ValueError(f"the name {name!r} is reserved by the format")
    plain = {name: _little_endian(name, array) for name, array in arrays.items()}
    order = sorted(plain, key=lambda name: -plain[name].itemsize)
    ends = dict(zip(order, accumulate(plain[name].nbytes for name in order)))
    pieces = {name: plain[name].reshape(-1).view(np.uint8) for name in order}
    checks = {FORMAT: _VERSION, HEADER: _UNKNOWN,
              TENSORS: json.dumps({name: _sha256(pieces[name]) for name in plain})}
    header = json.dumps({"__metadata__": {**metadata, **checks}, **{
        name: {"dtype": _NAMES[array.dtype.name], "shape": array.shape,
               "data_offsets": [ends[name] - array.nbytes, ends[name]]}
        for name, array in plain.items()}}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER:
        raise ValueError(f"too many names and texts: {len(header):,} bytes of header "
                         f"are more than {MAX_HEADER:,}")
    head = len(header).to_bytes(8, "little") + header
    entry = f'"{HEADER}":"{{}}"'.format     # inside a text the quotes would have backslashes
    head = head.replace(entry(_UNKNOWN).encode(), entry(_sha256(head)).encode())
    return [head, *pieces.values()]


def _little_endian(name: str, array: np.ndarray) -> np.ndarray:
    array = to_device(array, "cpu")
    if array.dtype.name not in _NAMES:
        raise TypeError(f"{name!r}: safetensors has no dtype for {array.dtype}")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")
