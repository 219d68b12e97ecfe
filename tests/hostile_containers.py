"""Hostile files with tricks in the container: zip, stream, tar, safetensors, or anything else."""

import gzip
import hashlib
import io
import json
import pickle
import struct
import zipfile
import zlib

import numpy as np

from tests.weights_files import (MAGIC, Member, checkpoint, example, name, program, reference,
                                 storage, storage_class, tar_file, tar_header, tar_member,
                                 tar_members, tar_storage, tar_tensor, tensor, torch_stream,
                                 torch_tar, torch_zip, zip_file, zip_members)

GOOD = program({"w": tensor(storage("0", "float32", 2), 0, (2,), (1,))})
NUMBERS = np.float32([1, 2]).tobytes()
HUGE = 40 * 10**9


def zips():
    pkl, order, data, version = members = zip_members(GOOD, {"0": NUMBERS})

    def changed(member, **fields):
        return zip_file([m._replace(**fields) if m is member else m for m in members])

    def wide(*values):
        return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)

    def end64(count=4, size=None, start=None, mark=b"PK\6\6", length=44):
        whole = zip_file(members)
        true_size, true_start = struct.unpack("<2I", whole[-10:-2])
        return struct.pack("<4sQ2H2I4Q", mark, length, 0x31e, 45, 0, 0, count, count,
                           true_size if size is None else size,
                           true_start if start is None else start)

    honest = zip_file(members)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", GOOD)
        archive.writestr("archive/data/0", bytes(10**8))
    npz = io.BytesIO()
    np.savez(npz, w=np.zeros(2))
    yield from {
        "wrong CRC of the pickle": (changed(pkl, crc32=1), "CRC-32 is not the one"),
        "wrong CRC of a storage": (changed(data, crc32=1), "CRC-32 is not the one"),
        "no CRC of the pickle": (changed(pkl, crc32=0), "pass verify=False"),
        "no CRC of a storage": (changed(data, crc32=0), "pass verify=False"),
        "a name twice": (zip_file([*members, data]), "there twice"),
        "two pickles": (zip_file([*members, Member("other/data.pkl", GOOD)]), "2 members data.pkl"),
        "no pickle": (zip_file(members[1:]), "0 members data.pkl"),
        "pickle at the top": (zip_file([Member("data.pkl", GOOD)]), "outside of one folder"),
        "pickle two folders down": (zip_file(zip_members(GOOD, {}, "a/b")), "outside of one"),
        "member outside": (zip_file([*members, Member("x", b"")]), "outside of one folder"),
        "member above": (zip_file([*members, Member("archive/../../x", b"")]), "leads out"),
        "absolute name": (zip_file([*members, Member("/etc/passwd", b"")]), "leads out"),
        "backslash": (zip_file([*members, Member("archive\\x", b"")]), "leads out"),
        "null": (zip_file([*members, Member("archive/x\0.txt", b"")]), "leads out"),
        "name that is no UTF-8": (zip_file([*members, Member("archive/\udcff", b"")]), "not UTF-8"),
        "control codes": (changed(data, name="archive/data/0\x1b[2J\n"), "not in the zip"),
        "encrypted": (changed(data, flags=0x0809), "encrypted"),
        "strongly encrypted": (changed(data, flags=0x0841), "encrypted"),
        "masked": (changed(data, flags=0x2808), "encrypted"),
        "deflated": (changed(data, method=8), "is compressed"),
        "deflated in front only": (changed(data, local_method=8), "not what its directory says"),
        "packed to less": (changed(data, packed=1), "is compressed"),
        "bomb": (inner.getvalue(), "is compressed"),
        "other name in front": (changed(pkl, local_name="archive/data.pk_"), "not what its"),
        "name of other length in front": (changed(pkl, local_name="x"), "not what its"),
        "too large": (changed(data, size=10**6), "reaches into"),
        "one byte too large": (changed(version, size=2 + 17), "reaches into"),
        "two members in one place": (changed(data, offset=0), "not what its"),
        "overlapping members": (zip_file([
            pkl._replace(size=9**5), order, data._replace(data=bytes(2 * 9**5))]), "reaches into"),
        "offset past the end": (changed(data, offset=10**6), "not in the file"),
        "offset in the end": (changed(data, offset=len(honest) - 10), "not in the file"),
        "40 GB": (changed(data, size=0xffffffff, extra=wide(HUGE, HUGE)), "reaches into"),
        "2^64 bytes": (changed(data, size=0xffffffff, extra=wide(2**64 - 1, 2**64 - 1)),
                       "reaches into"),
        "40 GB away": (changed(data, offset=0xffffffff, extra=wide(HUGE)), "not in the file"),
        "no wide size": (changed(data, size=0xffffffff), "size is missing"),
        "half a wide size": (changed(data, size=0xffffffff, extra=wide(2)), "size is missing"),
        "broken entry": (zip_file(members, entry_mark=b"PK\1\3"), "entry of its directory is"),
        "too few counted": (zip_file(members, count=3), "more members than"),
        "too many counted": (zip_file(members, count=5), "directory is cut off"),
        "2^32 counted": (zip_file(members, end64=end64(count=2**32)), "contradict"),
        "counts that contradict": (zip_file(members, end64=end64(count=3)), "contradict"),
        "a million members": (zip_file(members, count=10**6), "more than 100,000"),
        "directory elsewhere": (zip_file(members, directory_start=0), "not where its end says"),
        "directory too long": (zip_file(members, directory_size=10**6), "not where its end says"),
        "gap behind the directory": (zip_file(members, directory_size=1), "not where its end says"),
        "2^63 away": (zip_file(members, end64=end64(start=2**63)), "contradict"),
        "64-bit end unmarked": (zip_file(members, end64=end64(mark=b"PK\6\5")), "64-bit end"),
        "64-bit end too long": (zip_file(members, end64=end64(length=2**40)), "64-bit end"),
        "64-bit end elsewhere": (
            zip_file(members, locator=struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)), "64-bit end"),
        "two disks": (zip_file(members, locator=struct.pack("<4sIQI", b"PK\6\7", 1, 0, 2)),
                      "64-bit end"),
        "comment": (zip_file(members, comment=b"x"), "not at the end"),
        "empty archive": (b"PK\3\4" + zip_file([], directory_start=4, zip64=False), "0 members"),
        "something behind": (honest + b"x", "not at the end"),
        "another archive behind": (honest + zip_file(members), "64-bit end is not in its place"),
        "something in front": (b"x" + honest, "neither"),
        "four bytes": (b"PK\3\4", "not at the end"),
        "a program": (zip_file([*members, Member("archive/constants.pkl", b"")]), "TorchScript"),
        "big-endian": (zip_file([pkl, order._replace(data=b"big"), data]), "big-endian"),
        "archive as pickle": (zip_file(zip_members(honest, {})), "not of protocol 2"),
        "safetensors as pickle": (zip_file(zip_members(checkpoint("safetensors", {}), {})),
                                  "not of protocol 2"),
        "empty pickle": (zip_file(zip_members(b"", {})), "cut off"),
        "NumPy archive": (npz.getvalue(), "0 members data.pkl")}.items()


def streams():
    value = {"w": tensor(storage("0", "float32", 2, None), 0, (2,), (1,))}
    stored = {"0": (NUMBERS, 2)}

    def part(*view):
        return torch_stream({"w": storage("0", "float32", 2, view)}, stored)

    yield from {
        "version 1002": (torch_stream(value, stored, version=1002), "version is not 1001"),
        "version of another type": (torch_stream(value, stored, version=[1001]), "version is not"),
        "facts of another type": (torch_stream(value, stored, facts=[]), "big-endian"),
        "big-endian": (torch_stream(value, stored, facts={"little_endian": False}), "big-endian"),
        "reference in the facts": (torch_stream(value, stored, facts=storage("0", "float32", 2)),
                                   "which weights do not need"),
        "reference in the keys": (torch_stream(value, stored, keys=b"NQ"), "none of the tensors'"),
        "keys of another type": (torch_stream(value, stored, keys="0"), "list of storages"),
        "unknown key": (torch_stream(value, stored, keys=["1"]), "list of storages"),
        "key twice": (torch_stream(value, stored, keys=["0", "0"]), "list of storages"),
        "key missing": (torch_stream(value, stored, keys=[]), "list of storages"),
        "key that is a number": (torch_stream(value, stored, keys=[0]), "list of storages"),
        "key that is a list": (torch_stream(value, stored, keys=["0", []]), "list of storages"),
        "fewer numbers": (torch_stream(value, {"0": (NUMBERS, 1)}), "1 numbers instead of 2"),
        "negative count": (torch_stream(value, {"0": (NUMBERS, -2)}), "-2 numbers instead of 2"),
        "2^62 numbers": (torch_stream(value, {"0": (NUMBERS, 2**62)}), "instead of 2"),
        "too few bytes": (torch_stream(value, {"0": (NUMBERS[1:], 2)}), "cut off in storage"),
        "too many bytes": (torch_stream(value, {"0": (NUMBERS + b"x", 2)}), "1 bytes follow"),
        "40 GB announced": (torch_stream({"w": storage("0", "float32", HUGE, None)},
                                         {"0": (NUMBERS, HUGE)}), "cut off in storage"),
        "part past the end": (part("1", 1, 2), "reaches outside"),
        "part before the start": (part("1", -1, 2), "reaches outside"),
        "negative part": (part("1", 2, -1), "is negative"),
        "part of another type": (part("1", 0.0, 2), "reaches outside"),
        "part of a length that is text": (part("1", 0, "2"), "no integer"),
        "part of raw bytes": (torch_stream({"w": reference((
            "storage", name("torch.storage", "UntypedStorage"), "0", "cpu", 8, ("1", 0, 4)))},
            {"0": (NUMBERS, 8)}), "reaches outside"),
        "half a part": (part("1", 0), "no storage"),
        "no part": (torch_stream({"w": storage("0", "float32", 2)}, stored), "no storage"),
        "tensor past its part": (torch_stream({"w": tensor(storage(
            "0", "float32", 2, ("1", 1, 1)), 0, (2,), (1,))}, stored), "past the end"),
        "two kinds": (torch_stream({"v": storage("0", "int32", 2, None), **value}, stored),
                      "two ways"),
        "magic number alone": (MAGIC, "cut off"),
        "magic number of protocol 3": (b"\x80\3" + torch_stream(value, stored)[2:], "bare pickle")
    }.items()


def tars():
    good = [tar_storage(0, "float32", NUMBERS, 2)], [tar_tensor(0, 0, "float32", 0, (2,), (1,))]
    value = {"w": program("0")[2:-1] + b"Q"}
    whole = torch_tar(value, *good)
    pickle_member = tar_member("pickle", program(value))

    def with_first(member):
        return tar_file(member + tar_members(value, *good))

    def tensors(*args, **kwargs):
        return torch_tar(value, good[0], [tar_tensor(*args, **kwargs)])

    def storages(*storages, **kwargs):
        return torch_tar(value, storages, good[1], **kwargs)

    pax = "an extended header"
    plain = "no plain file"
    yield from {
        **{f"member of kind {kind}": (with_first(tar_member("x", b"", kind, link=b"/etc/passwd")),
                                      plain) for kind in (b"1", b"2", b"3", b"5", b"6", b"7")},
        "long name": (with_first(tar_member("././@LongLink", b"x" * 300, b"L")), plain),
        "sparse": (with_first(tar_member("x", b"", b"S")), plain),
        "global header": (with_first(tar_member("x", b"9 mtime=1\n", b"g")), plain),
        "header that changes the size": (with_first(tar_member("x", b"12 size=99\n", b"x")), pax),
        "header that changes the name": (with_first(tar_member("x", b"12 path=/x\n", b"x")), pax),
        "header with a name behind a date": (with_first(tar_member(
            "x", b"11 mtime=1\n12 path=/x\n", b"x")), pax),
        "header of a link": (with_first(tar_member("x", b"17 linkpath=/etc\n", b"x")), pax),
        "member twice": (with_first(pickle_member), plain),
        "50 members": (with_first(b"".join(tar_member(str(i), b"") for i in range(50))),
                       "more than 32 headers"),
        "50 extended headers": (with_first(tar_member("x", b"11 mtime=1\n", b"x") * 50),
                                "more than 32 headers"),
        "long extended header": (with_first(tar_member("x", b"\n1 " * 10**6, b"x")), pax),
        "prefixed name": (with_first(tar_member("x", b"", prefix=b"/etc")), "header of the tar"),
        "name that is no ASCII": (with_first(tar_header("é", 0)), "header of the tar"),
        "size in base 256": (with_first(tar_header("x", 0, octal_size=b"\x80" + b"\xff" * 11)),
                             "header of the tar"),
        "negative size": (with_first(tar_header("x", 0, octal_size=b"-0000000001\0")),
                          "header of the tar"),
        "size with 0o": (with_first(tar_header("x", 0, octal_size=b"0o000000001\0")),
                         "header of the tar"),
        "8 GB": (with_first(tar_header("x", 8**11 - 1)), "cut off"),
        "wrong checksum": (whole[:100] + b"1" + whole[101:], "header of the tar"),
        "no pickle": (tar_file(tar_member("tensors", program(0))), "without torch's members"),
        "something behind": (whole + b"x" * 10240, "something follows"),
        "a second end": (whole + bytes(10240), "something follows"),
        "no end": (whole[:-512], "cut off"),
        "2^31 storages": (torch_tar(value, *good, counts=(2**31, 1)), "wrong number"),
        "-1 storages": (torch_tar(value, *good, counts=(-1, 1)), "wrong number"),
        "storages counted in text": (torch_tar(value, *good, counts=("1", 1)), "wrong number"),
        "too many storages counted": (torch_tar(value, *good, counts=(2, 1)),
                                      "storages is damaged"),
        "too few storages counted": (torch_tar(value, [*good[0], good[0][0]], good[1],
                                               counts=(1, 1)), "which weights do not"),
        "storage twice": (torch_tar(value, good[0] * 2, good[1]), "storages is damaged"),
        "storage of unknown kind": (storages(program((0, "cpu", name("torch", "QInt8Storage")))),
                                    "which weights do not need"),
        "storage of raw bytes": (storages(program(
            (0, "cpu", name("torch.storage", "UntypedStorage")))), "storages is damaged"),
        "storage of -2": (storages(tar_storage(0, "float32", NUMBERS, -2)), "is negative"),
        "storage of 40 GB": (storages(tar_storage(0, "float32", NUMBERS, HUGE)), "cut off"),
        "storage of 2^62": (storages(tar_storage(0, "float32", NUMBERS, 2**62)), "cut off"),
        "part past the end": (storages(*good[0], parts=[(1, 0, 1, 2)]), "reaches outside"),
        "part of nothing": (storages(*good[0], parts=[(1, 5, 0, 2)]), "parts of storages"),
        "part of itself": (storages(*good[0], parts=[(1, 1, 0, 2)]), "parts of storages"),
        "part under a taken key": (storages(*good[0], parts=[(0, 0, 0, 2)]), "parts of storages"),
        "parts of another type": (storages(*good[0], parts=[7]), "parts of storages"),
        "2^31 tensors": (torch_tar(value, *good, counts=(1, 2**31)), "wrong number"),
        "too many tensors counted": (torch_tar(value, *good, counts=(1, 2)), "cut off"),
        "too few tensors counted": (torch_tar(value, *good, counts=(1, 0)), "something follows"),
        "tensor of no storage": (tensors(0, 7, "float32", 0, (2,), (1,)), "tensors is damaged"),
        "tensor twice": (torch_tar(value, good[0], good[1] * 2), "tensors is damaged"),
        "tensor of another kind": (tensors(0, 0, "int32", 0, (2,), (1,)), "reads float32 as int32"),
        "-1 dimensions": (tensors(0, 0, "float32", 0, (2,), (1,), dims=-1), "tensors is cut off"),
        "10^9 dimensions": (tensors(0, 0, "float32", 0, (2,), (1,), dims=10**9), "is cut off"),
        "9 dimensions": (tensors(0, 0, "float32", 0, (2,), (1,), dims=9), "tensors is cut off"),
        "tensor past the end": (tensors(0, 0, "float32", 1, (2,), (1,)), "past the end"),
        "tensor before the start": (tensors(0, 0, "float32", -1, (2,), (1,)), "negative"),
        "tensor of stride 0": (tensors(0, 0, "float32", 0, (10**9,), (0,)), "overlapping"),
        "tensor of negative stride": (tensors(0, 0, "float32", 1, (2,), (-1,)), "negative"),
        "unknown reference": (torch_tar({"w": program("9")[2:-1] + b"Q"}, *good), "no tensor of"),
        "reference by number": (torch_tar({"w": b"K\0Q"}, *good), "no tensor of"),
        "container": (torch_tar({"w": b"(" + storage_class("float32") + b"NNtQ"}, *good),
                      "no tensor of")}.items()


def safetensors():
    def file(header, data=NUMBERS, length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return (len(text) if length is None else length).to_bytes(8, "little") + text + data

    def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}

    def text(inner):
        return file(b'{"w":{"dtype":"F32","shape":%s,"data_offsets":[0,8]}}' % inner)

    def sealed(digests):
        """A file whose header is just as we write it, but for the list of the tensors' SHA-256."""
        header = json.dumps({"__metadata__": {
            "minigrad.format": "1", "minigrad.tensors": digests, "minigrad.header": "0" * 64},
            "w": w}).encode()
        head = len(header).to_bytes(8, "little") + header
        return head.replace(b"0" * 64, hashlib.sha256(head).hexdigest().encode()) + NUMBERS

    w = entry()
    half = entry(shape=[1], offsets=[0, 4]), entry(shape=[1], offsets=[4, 8])
    own = checkpoint("safetensors", example(70))
    where = "gap, overlap"
    integer = "negative, or no integer"
    yield from {
        "length of 2^63": (file({"w": w}, length=2**63), "more than 8,388,608"),
        "length of 2^64 - 1": (file({"w": w}, length=2**64 - 1), "more than 8,388,608"),
        "length past the end": (file({"w": w}, length=10**6), "cut off in its header"),
        "length of 0": (file({"w": w}, length=0), "not JSON"),
        "length too short": (file({"w": w}, length=20), "not JSON"),
        "a brace alone": (bytes(8) + b"{", "not JSON"),
        "not a number": (text(b"[NaN]"), "contains NaN"),
        "infinity": (text(b"[Infinity]"), "contains Infinity"),
        "minus infinity": (text(b"[-Infinity]"), "contains -Infinity"),
        "name twice": (file(b'{"w":{},"w":{}}'), "a name twice"),
        "key twice": (file(b'{"w":{"dtype":"F32","dtype":"F64"}}'), "a name twice"),
        "byte order mark": (file(b"\xef\xbb\xbf{}", length=5), "neither"),
        "not UTF-8": (file(b'{"\xff":{}}'), "not UTF-8"),
        "UTF-16": (file('{"w":{}}'.encode("utf-16-le")), "not JSON"),
        "text behind the table": (file(json.dumps({"w": w}).encode() + b"{}"), "not JSON"),
        "a million lists": (file(b'{"w":' + b"[" * 10**6 + b"]" * 10**6 + b"}"), "not JSON"),
        "a million tables": (file(b'{"w":' * 10**6 + b"1" + b"}" * 10**6), "not JSON"),
        "8 MB of empty tables": (file(b'{"w":[' + b"{}," * 2700000 + b"{}]}"), "else than dtype"),
        "8 MB of empty lists": (file(b'{"w":[' + b"[]," * 2700000 + b"[]]}"), "else than dtype"),
        "8 MB of texts": (file(b'{"w":[' + b'"ab",' * 1600000 + b'""]}'), "else than dtype"),
        "8 MB of names": (file(b"{" + b",".join(b'"%d":0' % i for i in range(750000)) + b"}"),
                          "else than dtype"),
        "9 MB of spaces": (file(json.dumps({"w": w}).encode() + b" " * 9 * 10**6), "more than 8"),
        "number of 5000 digits": (text(b"[" + b"9" * 5000 + b"]"), "not JSON"),
        "entry that is a number": (file({"w": 1}), "else than dtype"),
        "entry with more": (file({"w": entry(code="x")}), "else than dtype"),
        "entry without shape": (file({"w": {"dtype": "F32", "data_offsets": [0, 8]}}), "else than"),
        "three offsets": (file({"w": entry(offsets=[0, 8, 8])}), "else than dtype"),
        "dtype that is a number": (file({"w": entry(dtype=4)}), "else than dtype"),
        "unknown dtype": (file({"w": entry(dtype="F4")}), "unknown here"),
        "object dtype": (file({"w": entry(dtype="O")}), "unknown here"),
        "negative size": (file({"w": entry(shape=[-2])}), integer),
        "two negative sizes": (file({"w": entry(shape=[-1, -2])}), integer),
        "float size": (file({"w": entry(shape=[2.0])}), integer),
        "truth value as size": (file({"w": entry(shape=[True, 2])}), integer),
        "size of 2^63": (file({"w": entry(shape=[2**63])}), integer),
        "product of 2^64 + 2": (file({"w": entry(shape=[2**32, 2**32])}), "of 64 bits"),
        "product of 2^62": (file({"w": entry(shape=[2**31, 2**31])}), "8 bytes instead of"),
        "empty and huge": (file({"w": entry(shape=[2**62, 0, 2**30], offsets=[0, 0])}, b""),
                           "too large"),
        "65 dimensions": (file({"w": entry(shape=[1] * 65)}), integer),
        "negative offset": (file({"w": entry(offsets=[-8, 0])}), integer),
        "float offset": (file({"w": entry(offsets=[0, 8.0])}), integer),
        "offsets the wrong way round": (file({"w": entry(offsets=[8, 0])}), "0 bytes instead of 8"),
        "offset past the end": (file({"w": entry(offsets=[8, 16])}), "0 bytes instead of 8"),
        "half past the end": (file({"w": entry(offsets=[4, 12])}), "4 bytes instead of 8"),
        "40 GB": (file({"w": entry(shape=[HUGE], offsets=[0, 4 * HUGE])}), "8 bytes instead of"),
        "overlap": (file({"v": w, "w": w}), where),
        "gap in front": (file({"w": half[1]}), where),
        "gap at the end": (file({"w": half[0]}), where),
        "gap inside": (file({"v": half[0], "w": entry(shape=[1], offsets=[8, 12])}, bytes(12)),
                       where),
        "bytes behind": (file({"w": w}, NUMBERS + b"PK\5\6"), where),
        "no tensors, but bytes": (file({}), where),
        "size mismatch": (file({"w": entry(shape=[3])}), "8 bytes instead of 12"),
        "truth values of 2": (file({"w": entry("BOOL", [8])}, b"\2" * 8), "neither 0 nor 1"),
        "metadata as list": (file({"__metadata__": [], "w": w}), "no table of texts"),
        "metadata with a number": (file({"__metadata__": {"a": 1}, "w": w}), "no table of texts"),
        "metadata with a table": (file({"__metadata__": {"a": {}}, "w": w}), "no table of texts"),
        "no checksums": (file({"__metadata__": {"minigrad.format": "1"}, "w": w}),
                         "header is damaged"),
        "checksum of length 0": (file({"__metadata__": {"minigrad.header": ""}, "w": w}),
                                 "header is damaged"),
        "a number changed": (own[:-1] + bytes([own[-1] ^ 1]), "SHA-256 is not the one"),
        "a name changed": (own.replace(b'"mask":{', b'"task":{'), "header is damaged"),
        "metadata changed": (own.replace(b'"7"', b'"8"'), "header is damaged"),
        "marks removed": (own.replace(b"minigrad.tensors", b"minigrad.tensorz"), "is damaged"),
        "digests that are a list": (sealed("[]"), "not a table"),
        "digests that are no JSON": (sealed("{"), "not JSON"),
        "digests of nothing": (sealed("{}"), "list of SHA-256"),
        "digests of others": (sealed('{"v": "00"}'), "list of SHA-256"),
        "a digest that is none": (sealed('{"w": 7}'), "SHA-256 is not the one"),
        "format 2": (own.replace(b'"minigrad.format":"1"', b'"minigrad.format":"2"'), "is damaged"),
    }.items()


def others():
    yield from {
        "nothing": (b"", "is empty"), "one byte": (b"\0", "neither"),
        "text": (b"weights", "neither"),
        "web page": (b"<!DOCTYPE html><title>404</title>", "a web page"),
        "pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        "gzip": (gzip.compress(torch_zip({})), "gzip"), "HDF5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
        "NumPy array": (b"\x93NUMPY\1\0", "NumPy"), "zlib": (zlib.compress(b"x" * 99), "neither"),
        "executable": (b"\x7fELF" + bytes(99), "neither"), "zeros": (bytes(10240), "neither"),
        **{f"pickle of protocol {protocol}": (pickle.dumps({"w": [1.0]}, protocol), word)
           for protocol, word in enumerate(["neither", "neither", *["bare pickle"] * 4])}}.items()


def cases():
    for kind in (zips, streams, tars, safetensors, others):
        for what, (data, words) in kind():
            yield f"{kind.__name__}: {what}", data, (words,)
