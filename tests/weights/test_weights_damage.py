"""Damaged files: cut off at every byte, with every bit flipped, with thousands of mutated headers.

No damage may go unnoticed where there are checksums, and all that comes of damage is a WeightsError
that names the file.
"""

import hashlib
import json
import os
import random

import numpy as np
import pytest

from minigrad.weights import WeightsError, load, save
from minigrad.weights.formats.safetensors import DTYPES
from minigrad.weights.tensors import KINDS
from tests.weights.weights_files import FORMS, checkpoint, example


@pytest.fixture
def write(tmp_path):
    """Write the 4 KiB example in a form; returns the path."""
    def write(form, name="weights.pth", numbers=700):
        path = tmp_path / name
        path.write_bytes(checkpoint(form, example(numbers)))
        return path
    return write


def refused(path) -> bool:
    """True if loading raises a good WeightsError, False if it does not raise."""
    try:
        load(path)
    except WeightsError as error:
        message = str(error)
        assert message.startswith(f"{path}: ") and message.isascii() and message.isprintable()
        return True
    return False


def rewrite(path, data):
    """Without emptying the file first, after which some file systems wait for the disk."""
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()


def loaded_as_it_was(path, arrays) -> bool:
    weights = load(path)
    return list(weights) == list(arrays) and all(
        np.array_equal(weights[name], array) and weights[name].dtype == array.dtype
        for name, array in arrays.items())


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_off_at_any_byte_is_refused(write, form):
    path = write(form)
    size = path.stat().st_size
    assert 3700 <= size <= 10240 and loaded_as_it_was(path, example())
    for length in reversed(range(size)):
        os.truncate(path, length)
        assert refused(path), length


def flips(path, bits=range(8)):
    """Flip each bit of the file in turn: yields (byte, bit) while that one is flipped."""
    original = path.read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for position, byte in enumerate(original):
            for bit in bits:
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), position)
                yield position, bit
            os.pwrite(file.fileno(), bytes([byte]), position)
    assert path.read_bytes() == original


def test_every_flipped_bit_of_a_file_of_ours_is_noticed(tmp_path):
    path = tmp_path / "weights.safetensors"
    save(path, example(), {"epoch": "7", "noté": "ö"})
    assert 3700 <= path.stat().st_size <= 4500
    for flip in flips(path):
        assert refused(path), flip


def test_every_flipped_bit_is_noticed_if_the_name_has_the_checksum(write, tmp_path):
    for form in ("torch stream", "torch tar"):
        path = write(form)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path = path.rename(tmp_path / f"{form.split()[1]}-{digest}.pth")
        assert any(letter in digest for letter in "abcdef") and loaded_as_it_was(path, example())
        for flip in flips(path, bits=[3]):
            assert refused(path), flip


def test_no_flipped_bit_of_a_zip_changes_what_is_loaded(write):
    """Some bits of a zip say nothing, such as its dates; all others are noticed."""
    path, arrays = write("torch zip"), example()
    outcomes = [refused(path) or loaded_as_it_was(path, arrays) for _ in flips(path, bits=[0, 5])]
    assert all(outcomes)


@pytest.mark.parametrize("form", FORMS)
def test_mutated_files_are_loaded_or_refused(tmp_path, form):
    """Bytes overwritten, inserted, removed: no exception but WeightsError."""
    original, path, rng = checkpoint(form, example(70)), tmp_path / "weights.pth", random.Random(0)
    path.touch()
    outcomes = set()
    for _ in range(1500):
        data = bytearray(original)
        for _ in range(rng.choice([1, 1, 2, 5])):
            at, length = rng.randrange(len(data)), rng.choice([0, 1, 1, 4, 8])
            junk = rng.choice([rng.randbytes(length), b"\xff" * length, bytes(length),
                               original[at // 2:at // 2 + length]])
            data[at:at + rng.choice([0, length, length])] = junk
        rewrite(path, data)
        outcomes.add(refused(path))
    assert True in outcomes


def test_damage_to_a_large_file_is_noticed(tmp_path):
    """Large enough to be checked in threads."""
    path, rng = tmp_path / "weights.safetensors", random.Random(0)
    save(path, {str(i): np.full(2**18, i, np.float32) for i in range(8)})
    original = path.read_bytes()
    assert len(original) > 2**23 and not refused(path)
    with open(path, "r+b", buffering=0) as file:
        for _ in range(50):
            at = rng.randrange(len(original))
            os.pwrite(file.fileno(), bytes([original[at] ^ 1 << rng.randrange(8)]), at)
            assert refused(path), at
            os.pwrite(file.fileno(), original[at:at + 1], at)
    for length in sorted((rng.randrange(len(original)) for _ in range(50)), reverse=True):
        os.truncate(path, length)
        assert refused(path), length


# Mutated headers of safetensors files

NUMBERS = [0, 1, 2, 3, 4, 7, 8, -1, -8, 2**31, 2**32, 2**53, 2**62, 2**63, 2**63 - 1, 2**64, -2**63,
           10**40, 0.0, 1.5, 8.0, 1e308, float("nan"), float("inf"), True, False, None, "8", [], {},
           [[8]], "\ud800"]
TEXT = [b"\xef\xbb\xbf", b"\xff", b"\xc3\x28", b"{", b"}", b"[", b"]" * 9, b"[" * 3000, b'"', b",",
        b"NaN", b"-Infinity", b"1e999", b"\\u0000", b"\\ud83d", b"\0", b"//", b"'", b"9" * 5000,
        b'"__metadata__":{},', b'"w":{},', b" ", b"\t"]


def mutated(rng, header):
    """A header with one to three changes, of its values, its tables or its text."""
    if rng.random() < 0.4:
        text = bytearray(header)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            text[at:at + rng.choice([0, 0, 1, 2, 8])] = rng.choice([*TEXT, rng.randbytes(2), b""])
        return bytes(text)
    entries = json.loads(header)
    for _ in range(rng.randint(1, 3)):
        tables = [table for table in (entries, *entries.values())
                  if isinstance(table, dict) and table]
        if not tables:
            break
        table = rng.choice(tables)
        key = rng.choice(list(table))
        match rng.randrange(6):
            case 0:
                table[key] = rng.choice(NUMBERS)
            case 1:
                del table[key]
            case 2:
                table[rng.choice(["w", "__metadata__", "dtype", "", "é", "minigrad.format"])] = (
                    table[key])
            case 3:
                table[key] = rng.choice(list(table.values()))
            case 4 if isinstance(table[key], list) and table[key]:
                table[key][rng.randrange(len(table[key]))] = rng.choice(NUMBERS)
            case 5 if "dtype" in table:
                table["dtype"] = rng.choice([*DTYPES, "F4", "f32", "O", "|O8", ""])
    return json.dumps(entries).encode()


def check_by_the_book(path):
    """What was loaded is what the header says, read as simply as possible, and all of it."""
    data, weights = path.read_bytes(), load(path)
    start = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:start])
    entries.pop("__metadata__", None)
    assert sum(e["data_offsets"][1] - e["data_offsets"][0] for e in entries.values()) == (
        len(data) - start)
    assert list(weights) == list(entries)
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        assert list(weights[name].shape) == entry["shape"]
        if not KINDS[DTYPES[entry["dtype"]]].widen:
            assert weights[name].tobytes() == data[start + begin:start + end]
            assert weights[name].dtype == DTYPES[entry["dtype"]]


@pytest.mark.parametrize("ours", [False, True])
def test_mutated_headers_are_refused_or_read_by_the_book(tmp_path, ours):
    """5000 of a foreign file, in which a change can make sense, and 5000 of ours, in which none
    can, unless it takes away all that makes the file ours."""
    arrays = {"w": np.float32([[0, 1, 2], [3, 4, 5]]), "b": np.array([True, False]),
              "n": np.array(7), "e": np.zeros((0, 2))}
    data, path, rng = checkpoint("safetensors", arrays), tmp_path / "weights", random.Random(0)
    start = 8 + int.from_bytes(data[:8], "little")
    header, loaded = data[8:start], 0
    path.touch()
    if not ours:
        entries = json.loads(header)
        del entries["__metadata__"]
        header = json.dumps(entries).encode()
    for _ in range(5000):
        new = mutated(rng, header)
        length = len(new) if rng.random() < 0.95 else rng.choice([0, 1, 2**31, 2**63, 2**64 - 1])
        rewrite(path, length.to_bytes(8, "little") + new + data[start:])
        if not refused(path):
            loaded += 1
            assert new == header or b"minigrad." not in new
            check_by_the_book(path)
    assert ours or loaded > 100
