"""torch.save's oldest form, a tar archive (torch 0.1.11 and before; torchvision's ResNets of 2017).

Three of its members count:
    storages    pickle of n; n times: pickle of (key, device, class), int64 count, the numbers; then
                a pickle of [(key, key of the whole, start, count), ...], storages that are parts
    tensors     pickle of n; n times: pickle of (key, storage's key, class), int32 number of
                dimensions, 4 bytes of nothing, int64 sizes, int64 strides, int64 offset
    pickle      the object; the persistent id "2001" means the tensor of key 2001
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from minigrad.weights.errors import WeightsError, demand, quote
from minigrad.weights.formats.torch_stream import fill_from, no_reference, read_count
from minigrad.weights.tensors import MAX_DIMS, Storage, TensorView, tensor
from minigrad.weights.unpickle import unpickle
from minigrad.weights.vocabulary import VOCABULARY, NumberKind, other_name

BLOCK, RECORD = 512, 10240      # a tar is made of blocks; Python's tarfile fills up whole records
MAX_HEADERS = 32                # torch writes 4 members, each with one extended header or none
MAX_ITEMS = 50_000              # storages, tensors: ResNet-152 has 775 of each
_REST = "something follows the end of a member of the tar archive"
_HARMLESS = {b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"}


def read_tar(data: memoryview) -> object:
    """The pickled object, with a TensorView (or an old Parameter) in place of every tensor."""
    files = members(data)
    demand({"storages", "tensors", "pickle"} <= set(files), "a tar archive without torch's members "
           "storages, tensors and pickle: unpack it first")
    storages = _read_storages(files["storages"])
    tensors = _read_tensors(files["tensors"], storages)

    def persistent(reference: object) -> TensorView:
        if type(reference) is not str or reference not in tensors:
            raise WeightsError("the pickle refers to something that is no tensor of the file")
        return tensors[reference]

    result, end = unpickle(files["pickle"], 0, VOCABULARY, persistent, other_name)
    demand(end == len(files["pickle"]), _REST)
    return result


def members(data: memoryview) -> dict[str, memoryview]:
    """{name: bytes} of a tar archive of plain files; nothing is unpacked to disk.

    Layout: POSIX.1-2017, pax, "ustar Interchange Format". WeightsError for any other archive.
    """
    contents: dict[str, memoryview] = {}
    position = headers = 0
    while data[position:position + BLOCK] != bytes(BLOCK):
        headers += 1
        demand(headers <= MAX_HEADERS, f"the tar archive has more than {MAX_HEADERS} headers")
        name, size, kind = _fields(bytes(data[position:position + BLOCK]))
        start, position = position + BLOCK, position + BLOCK + -(-size // BLOCK) * BLOCK
        content = data[start:start + size]
        demand(position <= len(data), "the tar archive is cut off")
        if kind == b"x":    # records "length key=value" about the next member, such as its time
            keys = re.findall(rb"(?:^|\n)\d+ ([^=]*)=", content[:BLOCK])
            demand(size <= BLOCK and set(keys) <= _HARMLESS,
                   "an extended header of the tar archive changes more than a date")
        elif kind in (b"0", b"\0") and name not in contents:
            contents[name] = content
        else:
            raise WeightsError(f"member {quote(name)} of the tar archive is no plain file, or "
                               "there twice: not by torch.save; unpack it, if it holds other files")
    rest = data[position:]
    demand(not len(data) % RECORD and 2 * BLOCK <= len(rest) < 2 * BLOCK + RECORD
           and rest == bytes(len(rest)), "the tar archive is cut off, or something follows its end")
    return contents


def _fields(header: bytes) -> tuple[str, int, bytes]:
    """(name, size, kind) of the member that this block introduces."""
    size, checksum = (re.fullmatch(rb"[ 0]*([0-7]+)[ \0]*", field)
                      for field in (header[124:136], header[148:156]))
    sum_of_bytes = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    name = header[:100].rstrip(b"\0")
    if (not size or not checksum or int(checksum[1], 8) != sum_of_bytes or not name.isascii()
            or any(header[345:500])):
        raise WeightsError("a header of the tar archive is damaged")
    return name.decode(), int(size[1], 8), header[156:157]


def _read_storages(data: memoryview) -> dict[str, Storage]:
    storages: dict[str, Storage] = {}
    count, position = unpickle(data, 0, {}, no_reference)
    for _ in range(_check_count(count)):
        facts, position = unpickle(data, position, VOCABULARY, no_reference)
        match facts:
            case (int(key), str(), NumberKind(str(kind))) if str(key) not in storages:
                storage = Storage(f"storage {key}", kind, read_count(data, position))
                position = fill_from(data, position, storage)
                storages[str(key)] = storage
            case _:
                raise WeightsError("the tar's list of storages is damaged")
    parts, position = unpickle(data, position, {}, no_reference)
    for part in parts if type(parts) is list else [None]:
        match part:
            case (int(key), int(root), start, size) if (str(root) in storages
                                                        and str(key) not in storages):
                storages[str(key)] = storages[str(root)].part(start, size)
            case _:
                raise WeightsError("the tar's list of parts of storages is damaged")
    demand(position == len(data), _REST)
    return storages


def _read_tensors(data: memoryview, storages: Mapping[str, Storage]) -> dict[str, TensorView]:
    tensors: dict[str, TensorView] = {}
    count, position = unpickle(data, 0, {}, no_reference)
    for _ in range(_check_count(count)):
        facts, position = unpickle(data, position, VOCABULARY, no_reference)
        match facts:
            case (int(key), int(of), NumberKind(str(kind))) if (str(of) in storages
                                                                and str(key) not in tensors):
                dims, position = int.from_bytes(data[position:position + 4], "little"), position + 8
                layout = struct.Struct(f"<{2 * min(dims, MAX_DIMS) + 1}q")
                demand(dims <= MAX_DIMS and position + layout.size <= len(data),
                       "the tar's list of tensors is cut off")
                *numbers, offset = layout.unpack_from(data, position)
                position += layout.size
                tensors[str(key)] = tensor(storages[str(of)], kind, offset,
                                           tuple(numbers[:dims]), tuple(numbers[dims:]))
            case _:
                raise WeightsError("the tar's list of tensors is damaged")
    demand(position == len(data), _REST)
    return tensors


def _check_count(count: object) -> int:
    if type(count) is not int or not 0 <= count <= MAX_ITEMS:
        raise WeightsError(f"a wrong number of storages or tensors, or over {MAX_ITEMS:,}")
    return count
