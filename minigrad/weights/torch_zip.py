"""torch.save's zip form (since torch 1.6): a pickle `X/data.pkl`, and one member per storage.

In the pickle, the persistent id ("storage", class, key, device, count) means member `X/data/KEY`.
"""

from __future__ import annotations

import zlib

from minigrad.weights.archive import Member, members
from minigrad.weights.errors import WeightsError, shown
from minigrad.weights.tensors import Checksum, Storage, check_sums
from minigrad.weights.unpickle import unpickle
from minigrad.weights.vocabulary import VOCABULARY, NumberKind

_DAMAGED = "is damaged: its CRC-32 is not the one that was recorded"
_UNRECORDED = "has no CRC-32, its writer switched that off: to load it unchecked, pass verify=False"


def read_zip(data: memoryview, check_crc: bool):
    """The pickled object, with a TensorView in place of every tensor."""
    found = members(data)
    tops = [name.removesuffix("data.pkl") for name in found if f"/{name}".endswith("/data.pkl")]
    if len(tops) != 1:
        raise WeightsError(f"a zip archive with {len(tops)} members data.pkl, none of torch.save's")
    (top,) = tops
    if top.count("/") != 1 or not all(name.startswith(top) for name in found):
        raise WeightsError("the zip archive has members outside of one folder")
    if f"{top}constants.pkl" in found:
        raise WeightsError("a TorchScript program: save the model's state_dict() instead")

    def fill(storage: Storage, member: Member) -> Storage:
        complaint = _DAMAGED if member.crc32 else _UNRECORDED
        storage.fill(data[member.start:member.stop],
                     Checksum(zlib.crc32, member.crc32, complaint) if check_crc else None)
        return storage

    def content(member: Member) -> memoryview:
        name, size = f"member {shown(member.name)}", member.stop - member.start
        storage = fill(Storage(name, None, size), member)
        check_sums([storage])
        return storage.data

    if f"{top}byteorder" in found and content(found[f"{top}byteorder"]) != b"little":
        raise WeightsError("its numbers are big-endian: save it again on a little-endian machine")
    storages: dict[str, Storage] = {}

    def persistent(reference):
        match reference:
            case ("storage", NumberKind(kind), str(key), str(), int(count)):
                if key not in storages:
                    if f"{top}data/{key}" not in found:
                        raise WeightsError(f"storage {shown(key)} is not in the zip archive")
                    storages[key] = fill(Storage(f"storage {shown(key)}", kind, count),
                                         found[f"{top}data/{key}"])
                if (kind, count) != (storages[key].kind, storages[key].count):
                    raise WeightsError(f"storage {shown(key)} is described in two ways")
                return storages[key]
        raise WeightsError("the pickle refers to something that is no storage")

    program = content(found[f"{top}data.pkl"])
    result, end = unpickle(program, 0, VOCABULARY, persistent)
    if end != len(program):
        raise WeightsError("something follows the pickle in data.pkl")
    return result
