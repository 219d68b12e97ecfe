"""torch.save's stream (torch 0.1.12 to 1.5; torchvision's ResNeXt and wide ResNets, V1).

One after the other: three pickles (a magic number, a version, facts about the writer), the pickled
object, the pickled list of storage keys; then for each key an int64, how many numbers, and they. In
the object, the persistent id ("storage", class, key, device, count, view) means the storage of that
key; view is None or (its own key, start, count), a part of the storage (torch 0.4 and before).
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

from minigrad.weights.errors import WeightsError, demand, quote
from minigrad.weights.placeholders import Placeholder
from minigrad.weights.tensors import Storage
from minigrad.weights.unpickle import unpickle
from minigrad.weights.vocabulary import VOCABULARY, NumberKind, other_name

MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")     # a pickle of 0x1950a86a20f9469cfc6c
_VERSION = 1001
# Storages that are passed over, and numbers of the same size.
_QUANTIZED = {"torch.QInt8Storage": "int8", "torch.QUInt8Storage": "uint8",
              "torch.QInt32Storage": "int32", "torch.QUInt4x2Storage": "uint8",
              "torch.QUInt2x4Storage": "uint8"}


def read_stream(data: memoryview) -> object:
    """The pickled object, with a TensorView in place of every tensor."""
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Storage | Placeholder:
        match reference:
            case ("storage", NumberKind(kind), str(key), str(), int(count), view):
                storage = storages.setdefault(key, Storage(f"storage {quote(key)}", kind, count))
                demand((kind, count) == (storage.kind, storage.count),
                       f"{storage.name} is described in two ways")
                match view:
                    case None:
                        return storage
                    case (str(), start, part_count):     # which `part` looks at
                        return storage.part(start, part_count)
            case ("storage", Placeholder(what=what) as of_a_class, str(key), str(), int(count),
                  None):
                demand(what in _QUANTIZED,
                       f"it has a storage of {quote(what)}, whose size is unknown")
                storages.setdefault(key, Storage(f"storage {quote(key)}", _QUANTIZED[what], count))
                return of_a_class
            case ("module", Placeholder() as of_a_class, str(), str()):     # its source code
                return of_a_class
        raise WeightsError("the pickle refers to something that is no storage")

    version, position = unpickle(data, len(MAGIC), {}, no_reference)
    demand(version == _VERSION, f"its version is not {_VERSION}, the only one there was")
    facts, position = unpickle(data, position, {}, no_reference)
    demand(type(facts) is dict and facts.get("little_endian") is True,
           "its numbers are big-endian: save it again on a little-endian machine")
    result, position = unpickle(data, position, VOCABULARY, persistent, other_name)
    keys, position = unpickle(data, position, {}, no_reference)
    if (type(keys) is not list or not all(type(key) is str for key in keys)
            or sorted(keys) != sorted(storages)):
        raise WeightsError("its list of storages is not that of its tensors")
    for key in keys:
        position = fill_from(data, position, storages[key])
    demand(position == len(data), f"{len(data) - position} bytes follow its last storage")
    return result


def no_reference(reference: object) -> NoReturn:
    """For pickles that refer to nothing outside."""
    raise WeightsError("a pickle refers to a storage, and is none of the tensors' pickles")


def read_count(data: memoryview, position: int) -> int:
    """The int64 at `position`."""
    demand(position + 8 <= len(data), "it is cut off between two storages")
    return struct.unpack_from("<q", data, position)[0]


def fill_from(data: memoryview, position: int, storage: Storage) -> int:
    """Give a storage its bytes, an int64 (its count) and the numbers; returns where they end."""
    count, start = read_count(data, position), position + 8
    demand(count == storage.count,
           f"{storage.name} has {count} numbers instead of {storage.count}")
    end = start + storage.nbytes
    demand(end <= len(data), f"it is cut off in {storage.name}")
    storage.fill(data[start:end])
    return end
