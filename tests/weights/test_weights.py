"""Loading honest files: real ones, every form, every kind of number and view, what is reported."""

import hashlib
import io
import logging
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from minigrad.weights import WeightsError, load, save
from tests.one_line import one_line
from tests.places import SHARED
from tests.weights.weights_files import (FORMS, ORDERED_DICT, call, checkpoint, code, example, name,
                                         program, reference, storage, tar_storage, tar_tensor,
                                         tensor, torch_stream, torch_tar, torch_zip, zip_file,
                                         zip_members)

REAL = SHARED / "checkpoints"
real = pytest.mark.skipif(not REAL.exists(), reason="no real checkpoints at ../shared/checkpoints")


@pytest.fixture
def read(tmp_path):
    """Load bytes."""
    def read(data, name="weights.pth", **options):
        (tmp_path / name).write_bytes(data)
        return load(tmp_path / name, **options)
    return read


# The real files. The digests are of what torch 2.13 loads: names, dtypes, shapes and bytes.

@real
@pytest.mark.parametrize("file, form, notes, numbers, digest", [
    ("resnet20-12fca82f.th", "torch stream",
     ["taken from 'state_dict', beside it: 'best_prec1'", "prefix 'module.' removed"], 271_098,
     "e4bc9332950a681f23deb32b5ce78b7f0d67d4cbf43c7dee0bed203bbbc1dc36"),
    ("resnet32-d509ac18.th", "torch stream",
     ["taken from 'state_dict', beside it: 'best_prec1'", "prefix 'module.' removed"], 466_426,
     "194f0250e8b494477aa63536155a49d014b12d88840cd452d76858482f359883"),
    ("resnet18-cifar6.pth", "torch zip", ["widened from float16 to float32: 21"], 11_189_210,
     "078136593444e4537ffbd93e22e43b315486c2809cdc7e39bf5a1d36a0f5c206"),
    ("tiny-tar.pth", "torch tar", [], 21,
     "2a2dd608259a3371a625f513bdc728d68790388bcac462843f5c44881e9d05fb")])
def test_real_checkpoints(file, form, notes, numbers, digest):
    weights = load(REAL / file)
    found = hashlib.sha256()
    for key, array in weights.items():
        found.update(f"{key} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    assert (weights.form, weights.notes) == (form, notes)
    assert sum(array.size for array in weights.values()) == numbers
    assert found.hexdigest() == digest


@real
def test_the_tar_of_2016():
    weights = load(REAL / "tiny-tar.pth")
    assert np.array_equal(weights["w"], np.arange(12, dtype=np.float32).reshape(3, 4))
    assert np.array_equal(weights["wt"], [[1, 5, 9], [2, 6, 10]])
    assert np.array_equal(weights["b"], [1, 1, 1])
    assert np.shares_memory(weights["w"], weights["wt"])


# Every form

@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(read, form):
    weights, arrays = read(checkpoint(form, example())), example()
    assert weights.form == form and list(weights) == list(arrays)
    for key, array in arrays.items():
        assert weights[key].dtype == array.dtype and weights[key].shape == array.shape
        assert np.array_equal(weights[key], array)
        assert not weights[key].flags.writeable and weights[key].flags.aligned


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_told_by_the_content(read, form):
    for file in ("x.safetensors", "x.pth", "x.tar", "x", "x.zip", "ö \n.th"):
        assert read(checkpoint(form, example(70)), file).form == form


@pytest.mark.parametrize("form", ["torch zip", "safetensors"])
def test_arrays_are_the_file_itself(read, tmp_path, form):
    """So it may be replaced while they are in use, and if it is changed, they are."""
    arrays = {"w": np.arange(10_000, dtype=np.float32)}
    weights = read(checkpoint(form, arrays))
    save(tmp_path / "weights.pth", {"w": np.zeros(3)})
    assert np.array_equal(weights["w"], arrays["w"])
    data = checkpoint(form, arrays)
    weights = read(data)
    with open(tmp_path / "weights.pth", "r+b") as file:
        file.seek(data.index(arrays["w"].tobytes()))
        file.write(struct.pack("<f", 7))
    assert weights["w"][0] == 7


def test_a_storage_that_is_not_aligned_is_copied(read):
    for padding in range(8):
        entries = b'{"w":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}' + b" " * padding
        data = len(entries).to_bytes(8, "little") + entries + np.arange(2.0).tobytes()
        weights = read(data)
        assert np.array_equal(weights["w"], [0, 1]) and weights["w"].flags.aligned
        assert not weights["w"].flags.writeable


@pytest.mark.parametrize("data", [torch_zip({}), torch_stream({}), torch_tar({}),
                                  checkpoint("safetensors", {}), torch_zip(ORDERED_DICT)])
def test_no_tensors_are_no_mistake(read, data):
    assert read(data) == {}


def test_zip_archives_of_other_writers(read, tmp_path):
    """Python's zipfile, without compression; without 64-bit records; with them where needed."""
    value = {"w": tensor(storage("94023764787648", "float32", 3), 0, (3,), (1,))}
    members = zip_members(program(value), {"94023764787648": np.float32([1, 2, 3]).tobytes()},
                          "resnet18 (1)")
    with zipfile.ZipFile(tmp_path / "python.pth", "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name)
            info.comment = b"of a member"
            archive.writestr(info, member.data)
    wide = struct.pack("<2H3Q", 1, 24, 12, 12, 0)
    ends = [struct.pack("<2H2s", 9, 2, b"xx") + struct.pack("<2H2Q", 1, 16, 12, 12), wide]
    files = [(tmp_path / "python.pth").read_bytes(), zip_file(members, zip64=False),
             zip_file([members[0], members[2]]), zip_file([
                 m._replace(size=0xffffffff, extra=ends[0]) if "data/" in m.name else m
                 for m in members])]
    for data in files:
        assert np.array_equal(read(data)["w"], [1, 2, 3])


def test_a_zip_without_checksums_is_loaded_on_request(read, tmp_path):
    members = zip_members(program({"w": tensor(storage("0", "float32", 2), 0, (2,), (1,))}),
                          {"0": bytes(8)})
    data = zip_file([m._replace(crc32=0) for m in members])
    with one_line(WeightsError, str(tmp_path / "weights.pth"), "switched", "verify=False"):
        read(data)
    assert np.array_equal(read(data, verify=False)["w"], [0, 0])


@pytest.mark.parametrize("form", ["torch stream", "torch tar"])
def test_a_name_with_a_checksum_is_held_to_it(read, form):
    data = checkpoint(form, example(70))
    digest = hashlib.sha256(data).hexdigest()
    assert any(letter in digest[:8] for letter in "abcdef")
    for file in (f"net-{digest[:8]}.pth", f"net-{digest}.th", "net-deadbee.pth", "net-20240131.pth",
                 "net-deadbeef", "net_deadbeef.pth", "net-deadbeef-2.pth"):
        assert len(read(data, file)) == 5
    for file in ("net-deadbeef.pth", f"net-{digest[:8]}0000.pth"):
        with one_line(WeightsError, file, "SHA-256", "verify=False"):
            read(data, file)
        assert len(read(data, file, verify=False)) == 5


def test_files_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        load(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with one_line(WeightsError, str(path), "not a regular file"):
            load(path)
    (tmp_path / "two\nlines").write_bytes(b"")
    with one_line(WeightsError, "two\\nlines", "is empty"):
        load(tmp_path / "two\nlines")


# What is taken from a file, and reported

TENSOR = tensor(storage("0", "float32", 2), 0, (2,), (1,))
STORED = {"0": np.float32([1, 2]).tobytes()}


@pytest.mark.parametrize("value, names, notes", [
    ({"a": TENSOR}, ["a"], []),
    ({"state_dict": {"a": TENSOR}}, ["a"], ["taken from 'state_dict'"]),
    ({"model": {"a": TENSOR}, "epoch": 7, "optimizer": {}}, ["a"],
     ["taken from 'model', beside it: 'epoch', 'optimizer'"]),
    ({"model_state_dict": {"a": TENSOR}}, ["a"], ["taken from 'model_state_dict'"]),
    ({"model": "resnet", "state_dict": {"a": TENSOR}}, ["a"],
     ["taken from 'state_dict', beside it: 'model'"]),
    ({"model": TENSOR, "state_dict": TENSOR}, ["model", "state_dict"], []),
    ({"module.a": TENSOR, "module.b": TENSOR}, ["a", "b"], ["prefix 'module.' removed"]),
    ({"model.a": TENSOR}, ["a"], ["prefix 'model.' removed"]),
    ({"module.model.a": TENSOR}, ["a"], ["prefix 'module.' removed", "prefix 'model.' removed"]),
    ({"module.a": TENSOR, "b": TENSOR}, ["a", "b"], ["prefix 'module.' removed from 1 of 2 names"]),
    ({"a": TENSOR, "epoch": 7, "b": {"c": TENSOR}, 3: TENSOR}, ["a"],
     ["left out, no tensors: 'epoch'", "left out: 'b' (tensors: 1), '3' (a tensor)"]),
    ({**{str(i): i for i in range(9)}, "module.a": TENSOR}, ["a"],
     ["left out, no tensors: '0', '1', '2', '3', '4' and 4 more", "prefix 'module.' removed"])])
def test_wrappers_and_prefixes_are_recognised_and_reported(read, value, names, notes):
    weights = read(torch_zip(value, STORED))
    assert list(weights) == names and weights.notes == notes
    assert all(np.array_equal(array, [1, 2]) for array in weights.values())


def test_what_was_loaded_is_logged(read, caplog, tmp_path):
    caplog.set_level(logging.INFO, "minigrad.weights")
    weights = read(torch_zip({"state_dict": {"module.a": TENSOR}}, STORED))
    (line,) = caplog.messages
    assert line == repr(weights) == (
        f"{tmp_path / 'weights.pth'}: torch zip, tensors: 1, numbers: 2; "
        "taken from 'state_dict'; prefix 'module.' removed")


# Tensors

def test_views_of_one_storage_share_memory(read):
    x = np.arange(24, dtype=np.float32)
    numbers = storage("0", "float32", 24)
    cases = {"whole": (0, (2, 3, 4), (12, 4, 1)), "transposed": (0, (4, 6), (1, 4)),
             "channels last": (0, (2, 3, 2, 2), (12, 1, 6, 3)), "0-d": (23, (), ()),
             "strided": (1, (3, 2), (8, 3)), "empty": (5, (2, 0), (1, 1)), "flat": (0, (24,), (1,)),
             "one of stride 0": (0, (1, 24), (0, 1)),
             "ones": (0, (1, 24, 1), (999, 1, 2**62)), "empty at the end": (24, (0,), (1,))}
    weights = read(torch_zip({key: tensor(numbers, *view) for key, view in cases.items()},
                             {"0": x.tobytes()}))
    for key, (offset, size, stride) in cases.items():
        at = offset + sum(np.indices(size)[i] * n for i, n in enumerate(stride) if size[i] > 1)
        expected = x[np.broadcast_to(at, size)] if 0 not in size else np.zeros(size)
        assert weights[key].shape == size and np.array_equal(weights[key], expected), key
        assert np.shares_memory(weights[key], weights["flat"]) == (0 not in size)


def test_as_many_dimensions_as_numpy_has(read):
    size = (1,) * 63 + (2,)
    weights = read(torch_zip({"w": tensor(storage("0", "float32", 2), 0, size, (1,) * 64)}, STORED))
    assert weights["w"].shape == size


def test_a_storage_is_widened_once_for_all_its_views(read):
    """A thousand views of 1 MB of float16 take 2 MB, not 2 GB."""
    x = (np.arange(2**19) % 2000).astype(np.float16)
    numbers = storage("0", "float16", x.size)
    weights = read(torch_zip({str(i): tensor(numbers, i, (x.size - i,), (1,)) for i in range(1000)},
                             {"0": x.tobytes()}))
    assert all(np.shares_memory(weights["0"], array) for array in weights.values())
    assert np.array_equal(weights["7"], x[7:].astype(np.float32))
    assert weights.notes == ["widened from float16 to float32: 1000"]


def raw_tensor(key, count, kind, size):
    raw = reference(("storage", name("torch.storage", "UntypedStorage"), key, "cpu", count))
    return call(name("torch._utils", "_rebuild_tensor_v3"), raw, 0, size, (1,), False, ORDERED_DICT,
                name("torch", kind))


def test_all_halves_are_widened_without_a_warning(read):
    x = np.arange(2**16).astype(np.uint16).view(np.float16)
    weights = read(checkpoint("torch zip", {"x": x}))
    finite = np.isfinite(x)
    assert weights["x"].dtype == np.float32 and np.array_equal(weights["x"][finite], x[finite])
    assert np.array_equal(np.isnan(weights["x"]), np.isnan(x))


def test_kinds_that_numpy_lacks_become_float32(read):
    """All 256 numbers of both 8-bit kinds, and bfloat16, by their definitions."""
    bits = np.arange(256)
    sign = np.where(bits >> 7, -1.0, 1.0)

    def number(exponent_bits, fraction_bits, bias):
        exponent = (bits >> fraction_bits) & (2**exponent_bits - 1)
        fraction = (bits & (2**fraction_bits - 1)) / 2**fraction_bits
        return sign * np.where(exponent > 0, (1 + fraction) * 2.0**(exponent - bias),
                               fraction * 2.0**(1 - bias))

    e4m3 = np.where(bits & 0x7f == 0x7f, np.nan, number(4, 3, 7))
    e5m2 = number(5, 2, 15)
    e5m2[bits & 0x7f == 0x7c] = sign[bits & 0x7f == 0x7c] * np.inf
    e5m2[bits & 0x7f > 0x7c] = np.nan
    x = np.float32([1, -2.5, 3e38, 1e-40, np.inf, -0.0])
    upper = np.ascontiguousarray(x.view(np.uint32) >> 16).astype("<u2")
    weights = read(torch_zip(
        {"e4m3": raw_tensor("0", 256, "float8_e4m3fn", (256,)),
         "e5m2": raw_tensor("0", 256, "float8_e5m2", (256,)),
         "bf16": tensor(reference(("storage", name("torch", "BFloat16Storage"), "1", "cpu", 6)), 0,
                        (6,), (1,)),
         "uint16": raw_tensor("0", 256, "uint16", (128,))},
        {"0": bits.astype(np.uint8).tobytes(), "1": upper.tobytes()}))
    assert {str(weights[key].dtype) for key in ("e4m3", "e5m2", "bf16")} == {"float32"}
    assert np.array_equal(weights["e4m3"], e4m3, equal_nan=True)
    assert np.array_equal(weights["e5m2"], e5m2, equal_nan=True)
    assert np.array_equal(weights["bf16"].view(np.uint32), upper.astype(np.uint32) << 16)
    assert np.array_equal(weights["uint16"], bits[::2] + 256 * bits[1::2])


def test_lazy_signs_are_carried_out(read):
    x = np.complex64([1 + 2j, 3 - 1j])
    numbers = storage("0", "complex64", 2)

    def view(signs):
        return call(name("torch._utils", "_rebuild_tensor_v2"), numbers, 0, (2,), (1,), False,
                    ORDERED_DICT, signs)

    weights = read(torch_zip(
        {"conj": view({"conj": True}), "neg": view({"neg": True, "conj": False}),
         "both": view({"conj": True, "neg": True}), "none": view({})}, {"0": x.tobytes()}))
    for key, expected in {"conj": x.conj(), "neg": -x, "both": -x.conj(), "none": x}.items():
        assert np.array_equal(weights[key], expected) and not weights[key].flags.writeable
    one = call(name("torch._utils", "_rebuild_tensor_v2"), numbers, 1, (), (), False, ORDERED_DICT,
               {"conj": True, "neg": True})
    assert read(torch_zip({"0-d": one}, {"0": x.tobytes()}))["0-d"] == -x[1].conj()


# How older versions wrote

def test_older_ways_of_writing_the_same(read):
    numbers = storage("0", "float32", 2)
    old = call(name("torch._utils", "_rebuild_tensor"), numbers, 0, (2,), (1,))
    ordered = name("collections", "OrderedDict")
    parameter = name("torch._utils", "_rebuild_parameter")
    with_state = name("torch._utils", "_rebuild_parameter_with_state")
    python2_text = b"U\x01a"
    values = {
        "torch 0.3": {"a": old},
        "Parameter": {"a": call(parameter, old, True, ORDERED_DICT)},
        "Parameter with attributes": {"a": call(with_state, old, True, ORDERED_DICT, {"tag": 1})},
        "Parameter of 2017": {"a": name("torch.nn.parameter", "Parameter") + b")\x81"
                              + code((old, None, ORDERED_DICT, True, False)) + b"b"},
        "OrderedDict": ORDERED_DICT + b"(" + code("a") + TENSOR + b"u",
        "OrderedDict, one by one": ORDERED_DICT + code("a") + TENSOR + b"s",
        "OrderedDict of Python 2": ordered + b"]](" + python2_text + TENSOR + b"ea\x85R",
        "metadata": ORDERED_DICT + code("a") + TENSOR + b"s" + code(
            {"_metadata": ORDERED_DICT + code("") + code({"version": 1}) + b"s"}) + b"b"}
    for what, value in values.items():
        assert np.array_equal(read(torch_zip(value, STORED))["a"], [1, 2]), what


def test_parts_of_storages(read):
    x = np.arange(6, dtype=np.float16)
    views = {"a": (0, (2, 3), (3, 1)), "b": (1, (2,), (1,)), "c": (0, (6,), (1,))}
    part = storage("0", "float16", 6, ("1", 2, 4))
    stream = torch_stream({"a": tensor(storage("0", "float16", 6, None), *views["a"]),
                           "b": tensor(part, *views["b"]),
                           "c": tensor(storage("0", "float16", 6, ("2", 0, 6)), *views["c"])},
                          {"0": (x.tobytes(), 6)})
    tar = torch_tar({"a": reference("10"), "b": reference("11"), "c": reference("12")},
                    [tar_storage(0, "float16", x.tobytes(), 6)],
                    [tar_tensor(10, 0, "float16", *views["a"]),
                     tar_tensor(11, 2, "float16", *views["b"]),
                     tar_tensor(12, 3, "float16", *views["c"])],
                    parts=[(1, 0, 1, 5), (2, 1, 1, 4), (3, 0, 0, 6)])
    for data in (stream, tar):
        weights = read(data)
        assert np.array_equal(weights["a"], [[0, 1, 2], [3, 4, 5]])
        assert np.array_equal(weights["b"], [3, 4]) and np.array_equal(weights["c"], x)
        assert np.shares_memory(weights["a"], weights["b"])


def test_a_tar_as_python_writes_it_with_dates_in_extended_headers(read):
    value = {"w": reference("1")}
    data = torch_tar(value, [tar_storage(0, "float32", STORED["0"], 2)],
                     [tar_tensor(1, 0, "float32", 0, (2,), (1,))])
    written = io.BytesIO()
    with (tarfile.open(fileobj=io.BytesIO(data)) as plain,
          tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive):
        for member in plain:
            member.mtime = 1490000000.123
            archive.addfile(member, plain.extractfile(member))
    assert b"mtime=1490000000.123" in written.getvalue()
    assert np.array_equal(read(written.getvalue())["w"], [1, 2])
