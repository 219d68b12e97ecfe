"""torch.save's zip form (since torch 1.6): a pickle `X/data.pkl`, and one member per storage.

In the pickle, the persistent id ("storage", class, key, device, count) means member `X/data/KEY`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from minigrad.weights.errors import WeightsError, demand, quote
from minigrad.weights.formats.archive import Member, members
from minigrad.weights.placeholders import Placeholder
from minigrad.weights.tensors import Checksum, Storage, check_sums
from minigrad.weights.unpickle import unpickle
from minigrad.weights.vocabulary import VOCABULARY, NumberKind, other_name

_DAMAGED = "is damaged: its CRC-32 is not the one that was recorded"
_UNRECORDED = "has no CRC-32, its writer switched that off: to load it unchecked, pass verify=False"


def read_zip(data: memoryview, check_crc: bool) -> object:
    """The pickled object, with a TensorView in place of every tensor."""
    files = members(data)
    _refuse_others(files)
    tops = [name.removesuffix("data.pkl") for name in files if f"/{name}".endswith("/data.pkl")]
    if len(tops) != 1:
        whose = " but of NumPy's (.npz)" * all(name.endswith(".npy") for name in files)
        raise WeightsError(f"a zip archive with {len(tops)} members data.pkl, none of torch.save's"
                           f"{whose if files else ''}")
    (top,) = tops
    demand(top.count("/") == 1 and all(name.startswith(top) for name in files),
           "the zip archive has members outside of one folder")
    for member in files.values():
        if member.compressed:
            raise WeightsError(f"member {quote(member.name)} of the zip archive is compressed, and "
                               "torch.save compresses nothing: pack the archive again, without "
                               "compression")

    def fill(storage: Storage, member: Member) -> Storage:
        complaint = _DAMAGED if member.crc32 else _UNRECORDED
        storage.fill(data[member.start:member.stop],
                     Checksum(zlib.crc32, member.crc32, complaint) if check_crc else None)
        return storage

    def content(member: Member) -> memoryview:
        name, size = f"member {quote(member.name)}", member.stop - member.start
        storage = fill(Storage(name, None, size), member)
        check_sums([storage])
        return storage.data     # filled above

    demand(f"{top}byteorder" not in files or content(files[f"{top}byteorder"]) == b"little",
           "its numbers are big-endian: save it again on a little-endian machine")
    storages: dict[str, Storage] = {}

    def persistent(reference: object) -> Storage | Placeholder:
        match reference:
            case ("storage", NumberKind(kind), str(key), str(), int(count)):
                if key not in storages:
                    if f"{top}data/{key}" not in files:
                        raise WeightsError(f"storage {quote(key)} is not in the zip archive")
                    storages[key] = fill(Storage(f"storage {quote(key)}", kind, count),
                                         files[f"{top}data/{key}"])
                if (kind, count) != (storages[key].kind, storages[key].count):
                    raise WeightsError(f"storage {quote(key)} is described in two ways")
                return storages[key]
            case ("storage", Placeholder() as of_a_class, str(), str(), int()):
                return of_a_class
        raise WeightsError("the pickle refers to something that is no storage")

    program = content(files[f"{top}data.pkl"])
    result, end = unpickle(program, 0, VOCABULARY, persistent, other_name)
    demand(end == len(program), "something follows the pickle in data.pkl")
    return result


def _refuse_others(names: Iterable[str]) -> None:
    """Name what also comes as a zip archive, by members that no other has."""
    for name in names:
        file = name.rpartition("/")[2]
        demand(file != "archive_format",
               "a program of torch.export: save the model's state_dict() instead")
        demand(file not in ("constants.pkl", "bytecode.pkl") and not name.endswith(".py.debug_pkl"),
               "a TorchScript archive, a program: save the state_dict() of the model that "
               "torch.jit.load gives, by torch.save")
        demand(file != "model.weights.h5",
               "a model of Keras: save its arrays as safetensors instead")
