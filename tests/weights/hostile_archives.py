"""Hostile files whose trick is in the archive that holds them, a zip or a tar."""

import io
import struct
import zipfile

import numpy as np

from tests.weights.weights_files import (Member, checkpoint, name, program, storage, storage_class,
                                         tar_file, tar_header, tar_member, tar_members, tar_storage,
                                         tar_tensor, tensor, torch_tar, zip_file, zip_members)

GOOD = program({"w": tensor(storage("0", "float32", 2), 0, (2,), (1,))})
NUMBERS = np.float32([1, 2]).tobytes()
HUGE = 40 * 10**9


def zips():
    pkl, order, data, version = members = zip_members(GOOD, {"0": NUMBERS})

    def changed(member, **fields):
        return zip_file([m._replace(**fields) if m is member else m for m in members])

    def wide(*values):
        return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)

    honest = zip_file(members)
    true_size, true_start = struct.unpack("<2I", honest[-10:-2])

    def end(disk=0, disk_of_directory=0, here=4, size=true_size, start=true_start, comment=0):
        return struct.pack("<4s4H2IH", b"PK\5\6", disk, disk_of_directory, here, 4, size, start,
                           comment)

    def end64(count=4, size=true_size, start=true_start, mark=b"PK\6\6", length=44, disk=0,
              disk_of_directory=0, here=None):
        return struct.pack("<4sQ2H2I4Q", mark, length, 0x31e, 45, disk, disk_of_directory,
                           count if here is None else here, count, size, start)

    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", GOOD)
        archive.writestr("archive/data/0", bytes(10**8))
    npz = io.BytesIO()
    np.savez(npz, w=np.zeros(2))

    def patched(mark, position, new):
        """The honest archive with other bytes at that position of the last record of that mark."""
        at = honest.rindex(mark) + position
        return honest[:at] + new + honest[at + len(new):]

    yield from {
        "name past the directory": (patched(b"PK\1\2", 28, b"\xff\xff"), "entry of its directory"),
        "extra field past the directory": (patched(b"PK\1\2", 30, b"\1"), "entry of its directory"),
        "comment past the directory": (patched(b"PK\1\2", 32, b"\1"), "entry of its directory"),
        "member on disk 1": (patched(b"PK\1\2", 34, b"\1"), "entry of its directory"),
        "unmarked header": (patched(b"PK\3\4", 0, b"PK\3\5"), "not what its directory"),
        "encrypted in front only": (patched(b"PK\3\4", 6, b"\x09"), "not what its directory"),
        "64-bit end in front of the file": (b"PK\3\4" + struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
                                            + zip_file([], zip64=False), "directory is not where"),
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
        "disk 1": (zip_file(members, zip64=False, end=end(disk=1)), "one part of several"),
        "directory on disk 1": (zip_file(members, zip64=False, end=end(disk_of_directory=1)),
                                "one part of several"),
        "other members elsewhere": (zip_file(members, zip64=False, end=end(here=3)),
                                    "one part of several"),
        "comment that is missing": (zip_file(members, end=end(comment=1)), "has a comment"),
        "64-bit disk 1": (zip_file(members, end64=end64(disk=1)), "64-bit end"),
        "64-bit directory on disk 1": (zip_file(members, end64=end64(disk_of_directory=1)),
                                       "64-bit end"),
        "64-bit members elsewhere": (zip_file(members, end64=end64(here=3)), "64-bit end"),
        "64-bit size that contradicts": (zip_file(members, end64=end64(size=1)), "contradict"),
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
        "long extended header": (with_first(tar_member("x", b"\n1 " * 10**5, b"x")), pax),
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
        "checksum that is no number": (whole[:148] + b"x" + whole[149:], "header of the tar"),
        "no pickle": (tar_file(tar_member("tensors", program(0))), "without torch's members"),
        "something behind": (whole + b"x" * 10240, "something follows"),
        "something in the end": (whole[:-1] + b"x", "something follows"),
        "half an end": (tar_members(value, *good) + tar_member("x", bytes(
            9728 - 512 - len(tar_members(value, *good)))) + bytes(512), "something follows"),
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
        "reference by list": (torch_tar({"w": b"]Q"}, *good), "no tensor of"),
        "reference by number": (torch_tar({"w": b"K\0Q"}, *good), "no tensor of"),
        "container": (torch_tar({"w": b"(" + storage_class("float32") + b"NNtQ"}, *good),
                      "no tensor of")}.items()
