"""Hostile files of the other forms: torch's stream, safetensors, and what is neither."""

import gzip
import hashlib
import json
import pickle
import zlib

from tests.weights.hostile_archives import HUGE, NUMBERS, tars, zips
from tests.weights.weights_files import (MAGIC, checkpoint, example, name, reference, storage,
                                         tensor, torch_stream, torch_zip)


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
