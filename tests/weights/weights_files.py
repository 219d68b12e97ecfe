"""Weights files as torch writes them, made byte by byte, so that tests can make other ones too.

A value stands for the instructions that push it: `code` writes those of a plain object, and takes
`bytes` as instructions that are already written.
"""

import struct
import zlib
from typing import NamedTuple

import numpy as np

from minigrad.weights.formats.safetensors import pack
from minigrad.weights.formats.torch_stream import MAGIC

CLASSES = {"float64": "Double", "float32": "Float", "float16": "Half", "int64": "Long",
           "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
           "complex128": "ComplexDouble", "complex64": "ComplexFloat"}
FORMS = ("torch zip", "torch stream", "torch tar", "safetensors")


# Pickles

def code(value) -> bytes:
    """The instructions, in protocol 2, that push `value`."""
    match value:
        case bytes():
            return value
        case None | True | False:
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case int():
            size = value.bit_length() // 8 + 1
            return (b"J" + struct.pack("<i", value) if -2**31 <= value < 2**31
                    else b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True))
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return b"X" + struct.pack("<I", len(text)) + text
        case tuple():
            return b"(" + b"".join(map(code, value)) + b"t"
        case list():
            return b"](" + b"".join(map(code, value)) + b"e"
        case dict():
            return b"}(" + b"".join(code(k) + code(v) for k, v in value.items()) + b"u"
    raise TypeError(value)


def name(module, attribute) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments) -> bytes:
    """REDUCE."""
    return function + code(arguments) + b"R"


def reference(value) -> bytes:
    """BINPERSID."""
    return code(value) + b"Q"


def program(value) -> bytes:
    return b"\x80\x02" + code(value) + b"."


ORDERED_DICT = name("collections", "OrderedDict") + b")R"


def storage_class(kind) -> bytes:
    return name("torch", f"{CLASSES[kind]}Storage")


def storage(key, kind, count, *view) -> bytes:
    return reference(("storage", storage_class(kind), key, "cpu", count, *view))


def tensor(storage: bytes, offset, size, stride) -> bytes:
    return call(name("torch._utils", "_rebuild_tensor_v2"), storage, offset, size, stride, False,
                ORDERED_DICT)


def strides(shape):
    """Of a C-ordered tensor, in numbers."""
    return tuple(int(np.prod(shape[i + 1:], dtype=int)) for i in range(len(shape)))


# The zip form

class Member(NamedTuple):
    """A member of a zip archive. What is None is what it should be."""

    name: str
    data: bytes
    crc32: int | None = None
    local_name: str | None = None
    flags: int = 0x0808
    method: int = 0
    local_method: int = 0
    size: int | None = None
    packed: int | None = None
    offset: int | None = None
    extra: bytes = b""


def zip_file(members, *, count=None, directory_size=None, directory_start=None, comment=b"",
             zip64=True, end64=None, locator=None, end=None, entry_mark=b"PK\1\2") -> bytes:
    """A zip archive laid out as torch does: bytes at multiples of 64, their size behind them."""
    out, directory = bytearray(), bytearray()
    for m in members:
        crc32 = zlib.crc32(m.data) if m.crc32 is None else m.crc32
        central_name, local_name = (text.encode("utf-8", "surrogateescape") for text in (
            m.name, m.name if m.local_name is None else m.local_name))
        offset = len(out)
        padding = -(offset + 30 + len(local_name) + 4) % 64
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 0, m.flags, m.local_method or m.method, 0, 0, 0,
                           0, 0, len(local_name), 4 + padding)
        out += local_name + struct.pack("<2sH", b"FB", padding) + b"Z" * padding + m.data
        if m.data:
            out += struct.pack("<4s3I", b"PK\7\10", crc32, len(m.data), len(m.data))
        size = len(m.data) if m.size is None else m.size
        directory += struct.pack(
            "<4s6H3I5H2I", entry_mark, 0, 0, m.flags, m.method, 0, 0, crc32,
            size if m.packed is None else m.packed, size, len(central_name), len(m.extra), 0, 0, 0,
            0, offset if m.offset is None else m.offset) + central_name + m.extra
    start = len(out) if directory_start is None else directory_start
    size = len(directory) if directory_size is None else directory_size
    count = len(members) if count is None else count
    out += directory
    if zip64:
        end_start = len(out)
        out += end64 or struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x031e, 45, 0, 0, count, count,
                                    size, start)
        out += locator or struct.pack("<4sIQI", b"PK\6\7", 0, end_start, 1)
    out += end or struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, min(count, 0xffff), min(count, 0xffff),
                              min(size, 0xffffffff), min(start, 0xffffffff), len(comment))
    out += comment
    return bytes(out)


def zip_members(pickle: bytes, storages: dict[str, bytes], top="archive") -> list[Member]:
    files = {"data.pkl": pickle, "byteorder": b"little",
             **{f"data/{key}": data for key, data in storages.items()}, "version": b"3\n"}
    return [Member(f"{top}/{file}", data) for file, data in files.items()]


def torch_zip(value, storages=()) -> bytes:
    return zip_file(zip_members(program(value), dict(storages)))


# The stream form

FACTS = {"protocol_version": 1001, "little_endian": True,
         "type_sizes": {"short": 2, "int": 4, "long": 4}}


def counted(data: bytes, count: int) -> bytes:
    return struct.pack("<q", count) + data


def torch_stream(value, storages=(), *, version=1001, facts=FACTS, keys=None, magic=MAGIC) -> bytes:
    """`storages`: {key: (bytes, count)}."""
    storages = dict(storages)
    return (magic + program(version) + program(facts) + program(value)
            + program(list(storages) if keys is None else keys)
            + b"".join(counted(*s) for s in storages.values()))


# The tar form

def tar_header(name, size, kind=b"0", **fields) -> bytes:
    header = bytearray(512)
    values = {"name": (0, name.encode()), "mode": (100, b"0000644\0"),
              "size": (124, b"%011o\0" % size), "kind": (156, kind), "ustar": (257, b"ustar\x0000")}
    places = {"octal_size": 124, "link": 157, "prefix": 345}
    values |= {key: (places[key], value) for key, value in fields.items()}
    for start, value in values.values():
        header[start:start + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def tar_member(name, data, kind=b"0", **fields) -> bytes:
    return tar_header(name, len(data), kind, **fields) + data + bytes(-len(data) % 512)


def tar_file(members: bytes) -> bytes:
    size = len(members) + 1024
    return members + bytes(1024 + -size % 10240)


def tar_tensor(key, storage_key, kind, offset, size, stride, dims=None) -> bytes:
    return (program((key, storage_key, name("torch", f"{CLASSES[kind]}Tensor")))
            + struct.pack("<iI", len(size) if dims is None else dims, 0)
            + struct.pack(f"<{len(size) + len(stride) + 1}q", *size, *stride, offset))


def tar_storage(key, kind, data, count) -> bytes:
    return program((key, "cpu", storage_class(kind))) + counted(data, count)


def tar_members(value, storages=(), tensors=(), *, parts=(), counts=None) -> bytes:
    """The members of a checkpoint; `storages` and `tensors` by `tar_storage` and `tar_tensor`."""
    numbers = (len(storages), len(tensors)) if counts is None else counts
    return (tar_member("sys_info", program(FACTS)) + tar_member("pickle", program(value))
            + tar_member("storages", program(numbers[0]) + b"".join(storages)
                         + program(list(parts)))
            + tar_member("tensors", program(numbers[1]) + b"".join(tensors)))


def torch_tar(*args, **kwargs) -> bytes:
    return tar_file(tar_members(*args, **kwargs))


# A checkpoint in any form

def checkpoint(form: str, arrays: dict[str, np.ndarray]) -> bytes:
    """{name: array} as a file of that form, every array in a storage of its own."""
    kinds = {key: array.dtype.name for key, array in arrays.items()}
    tensors = {key: tensor(storage(key, kinds[key], a.size, *[None] * (form == "torch stream")), 0,
                           a.shape, strides(a.shape)) for key, a in arrays.items()}
    match form:
        case "torch zip":
            return torch_zip(tensors, {key: a.tobytes() for key, a in arrays.items()})
        case "torch stream":
            return torch_stream(tensors, {key: (a.tobytes(), a.size) for key, a in arrays.items()})
        case "torch tar":
            return torch_tar(
                {key: reference(str(i)) for i, key in enumerate(arrays)},
                [tar_storage(i, kinds[key], a.tobytes(), a.size)
                 for i, (key, a) in enumerate(arrays.items())],
                [tar_tensor(i, i, kinds[key], 0, a.shape, strides(a.shape))
                 for i, (key, a) in enumerate(arrays.items())])
        case "safetensors":
            return b"".join(bytes(piece) for piece in pack(arrays, {"epoch": "7"}))


def example(numbers=700) -> dict[str, np.ndarray]:
    """A few arrays, of about `4 * numbers` bytes altogether."""
    rng = np.random.default_rng(0)
    return {"conv.weight": rng.standard_normal((numbers // 7, 7)).astype(np.float32),
            "bn.running_var": rng.random(3), "bn.num_batches_tracked": np.array(12345),
            "mask": np.array([True, False, True]), "empty": np.zeros((0, 4), np.float32)}
