"""Saving: what comes back, and that the file is the old one or the new one at every moment."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from minigrad import files
from minigrad.weights import WeightsError, load, save
from minigrad.weights.formats import safetensors
from tests.one_line import one_line
from tests.places import ROOT


def arrays(value=0.0):
    return {"w": np.full((3, 4), value, np.float32), "n": np.array(7)}


def same(weights, expected):
    return list(weights) == list(expected) and all(
        weights[name].dtype == x.dtype.newbyteorder("=") and weights[name].shape == x.shape
        and np.array_equal(weights[name], x) for name, x in expected.items())


def test_arrays_of_every_dtype_and_layout_come_back(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5, 6))
    everything = {
        **{kind: (100 * rng.random((3, 5))).astype(kind) for kind in (
            "float64", "float32", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16",
            "uint8", "bool")},
        "complex64": (rng.random(5) + 1j).astype(np.complex64),
        "0-d": np.array(1.5), "scalar": np.float32(2), "empty": np.zeros((3, 0, 2), np.float32),
        "fortran": np.asfortranarray(x), "transposed": x.T, "strided": x[::2, ::-1, 1:],
        "broadcast": np.broadcast_to(np.float32(3), (4, 2)), "big-endian": x.astype(">f8"),
        "": x[0], "dots.and/slashes": x[1], 'quote " and \\': x[2], "ünï \U0001f600\n": x[3],
        "long " * 99: x[0, 0]}
    path = tmp_path / "weights.safetensors"
    save(path, everything, {"epoch": "7", "a \"b\" c": "ö\n", "": ""})
    weights = load(path)
    assert same(weights, everything)
    assert weights.metadata == {"epoch": "7", "a \"b\" c": "ö\n", "": ""} and weights.notes == []
    assert all(not x.flags.writeable and x.flags.aligned for x in weights.values())


def test_nothing_can_be_saved(tmp_path):
    save(tmp_path / "empty", {})
    weights = load(tmp_path / "empty")
    assert weights == {} and weights.metadata == {}


def test_half_comes_back_as_float32(tmp_path):
    x = np.array([1.5, 65504, 6e-8, -0.0, np.inf], np.float16)
    save(tmp_path / "half", {"x": x})
    weights = load(tmp_path / "half")
    assert weights["x"].dtype == np.float32 and np.array_equal(weights["x"], x)
    assert weights.notes == ["widened from float16 to float32: 1"]


def test_what_save_wrote_keeps_its_names(tmp_path):
    """A prefix is removed from the files of others only."""
    for names in (["module.w", "module.b"], ["model.w"], ["state_dict"]):
        save(tmp_path / "x", dict.fromkeys(names, np.zeros(2)))
        assert list(load(tmp_path / "x")) == names


def test_a_file_can_be_saved_over_itself(tmp_path):
    """The arrays are the old file, mapped: writing into it would destroy them under way."""
    path = tmp_path / "weights"
    old = {str(i): np.random.default_rng(i).random((300, 300)) for i in range(5)}
    save(path, old)
    weights = load(path)
    for _ in range(3):
        save(path, {name: x.T for name, x in reversed(weights.items())})
        save(path, {name: x.T for name, x in reversed(load(path).items())})
    assert same(weights, old) and same(load(path), old)


@pytest.mark.parametrize("state, metadata, error, words", [
    ({"x": np.zeros(2, complex)}, {}, TypeError, ("'x'", "complex128")),
    ({"x": np.array(["a"])}, {}, TypeError, ("'x'",)),
    ({"x": np.array([None])}, {}, TypeError, ("'x'", "object")),
    ({"x": np.zeros(2, "M8[s]")}, {}, TypeError, ("'x'",)),
    ({"x": [1.0]}, {}, TypeError, ("list",)),
    ({1: np.zeros(2)}, {}, TypeError, ("int",)),
    ({"x": np.zeros(2)}, {"a": 1}, TypeError, ("int",)),
    ({"__metadata__": np.zeros(2)}, {}, ValueError, ("__metadata__", "reserved")),
    ({}, {"minigrad.format": "2"}, ValueError, ("minigrad.format", "reserved")),
    ({}, {"a": "a" * 2**23}, ValueError, ("8,388,608",))])
def test_what_cannot_be_saved_is_refused_before_writing(tmp_path, state, metadata, error, words):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    with one_line(error, *words):
        save(path, state, metadata)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["weights"]


def test_a_link_is_followed_and_permissions_are_the_usual_ones(tmp_path):
    (tmp_path / "folder").mkdir()
    link, target = tmp_path / "latest", tmp_path / "folder" / "step7"
    target.touch()
    link.symlink_to(target)
    save(link, arrays())
    assert link.is_symlink() and same(load(target), arrays())
    (tmp_path / "usual").touch()
    assert target.stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("path, error", [
    ("missing/weights", FileNotFoundError), ("file/weights", NotADirectoryError),
    (".", IsADirectoryError), ("n" * 300, OSError)])
def test_an_impossible_path_is_named(tmp_path, path, error):
    (tmp_path / "file").touch()
    with one_line(error, str(tmp_path / path), "cannot save"):
        save(tmp_path / path, arrays())
    assert os.listdir(tmp_path) == ["file"]


# What fails

class Failing:
    """The os module, whose `n`-th call to a function that touches the disk fails; it writes 100
    bytes at a time, as it may."""

    TOUCHING = ("open", "write", "fsync", "close", "replace")

    def __init__(self, n, code):
        self.left, self.code, self.done, self.failed = n, code, [], None

    def __getattr__(self, name):
        function = getattr(os, name)
        if name not in self.TOUCHING:
            return function

        def call(*args):
            self.left -= 1
            if self.left or name == "close":
                result = function(args[0], args[1][:100]) if name == "write" else function(*args)
            if not self.left:
                self.failed = name
                raise OSError(self.code, os.strerror(self.code))
            self.done.append(name)
            return result
        return call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_whichever_call_fails_the_file_is_the_old_one(tmp_path, monkeypatch, code):
    path = tmp_path / "weights"
    failed = []
    for n in range(1, 100):
        save(path, arrays(1))
        old = path.read_bytes()
        failing = Failing(n, code)
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", failing)
            try:
                save(path, arrays(2))
            except OSError as error:
                failed.append(failing.failed)
                assert error.errno == code and str(path) in str(error) and "\n" not in str(error)
            else:
                break
        assert os.listdir(tmp_path) == ["weights"]
        if "replace" in failing.done:
            assert same(load(path), arrays(2))
        else:
            assert path.read_bytes() == old
    assert same(load(path), arrays(2))
    assert failed[0] == "open" and {*failed} == {*Failing.TOUCHING} and failed.count("write") > 5


def run(code, *arguments):
    """Run code in a process of its own; returns what it prints."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True,
                          text=True, cwd=ROOT, timeout=200,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_file_that_the_system_does_not_let_grow_stays_the_old_one(tmp_path):
    path = tmp_path / "weights"
    save(path, arrays(1))
    old = path.read_bytes()
    message = run("""
import resource, sys
import numpy as np
from minigrad.weights import save
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))
try:
    save(sys.argv[1], {"w": np.zeros(10**6)})
except OSError as error:
    print(error)
""", path)
    assert "File too large" in message and str(path) in message
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["weights"]


def test_a_stopped_save_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    save(path, arrays(1))

    def interrupted(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(path, arrays(2))
    assert os.listdir(tmp_path) == ["weights"] and same(load(path), arrays(1))


# Saves again and again in a child that is slow at all it does to the disk and tells before it does
# it; kills the child at the 1st, 2nd, ... such moment; what is on the disk must be whole.
KILLS = """
import os, random, signal, sys, time
import numpy as np
from minigrad import files
from minigrad.weights import load, save

path, kills = sys.argv[1], int(sys.argv[2])
rng = random.Random(0)

class Slow:
    def __init__(self, pipe):
        self.pipe = pipe

    def __getattr__(self, name):
        def call(*args):
            os.write(self.pipe, b".")
            time.sleep(0.002)
            return os.write(args[0], args[1][:20_000]) if name == "write" else function(*args)
        function = getattr(os, name)
        return call if name in ("open", "write", "fsync", "close", "replace") else function

def state(value):
    return {"w": np.full(40_000, value, np.float32), "n": np.array(value)}

save(path, state(0))
version = killed = new = 0
while killed < kills:
    old, version = int(load(path)["n"]), version + 1
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        files.os = Slow(writing)
        save(path, state(version))
        os._exit(0)
    os.close(writing)
    for _ in range(1 + version % 16):
        os.read(reading, 1)
    time.sleep(rng.random() * 0.002)
    os.kill(child, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    os.close(reading)
    weights = load(path)
    n = int(weights["n"])
    assert n in (old, version) and (weights["w"] == n).all()
    new += n == version
print(killed, new)
"""


def test_a_hundred_kills_inside_save_leave_a_hundred_whole_files(tmp_path):
    killed, new = map(int, run(KILLS, tmp_path / "weights", 100).split())
    assert killed == 100 and 5 <= new <= 60     # kills before and after the new file has its name
    rest = set(os.listdir(tmp_path)) - {"weights"}
    assert len(rest) > 40 and all(name.startswith(".minigrad-") for name in rest)


def test_two_writers_and_a_reader_see_whole_files_only(tmp_path):
    path = tmp_path / "weights"
    save(path, arrays(0))
    writer = """
import select, sys
import numpy as np
from minigrad.weights import save
i = int(sys.argv[2])
while not select.select([sys.stdin], [], [], 0)[0]:     # until the reader closes it
    i += 1
    save(sys.argv[1], {"w": np.full(20_000, i, np.float32)})
"""
    writers = [subprocess.Popen([sys.executable, "-c", writer, str(path), str(start)], cwd=ROOT,
                                stdin=subprocess.PIPE) for start in (0, 1_000_000)]
    seen = set()
    while len(seen) < 100 or len({n > 1_000_000 for n in seen}) < 2:
        x = load(path)["w"]
        assert (x == x.flat[0]).all()
        seen.add(float(x.flat[0]))
    for w in writers:
        w.stdin.close()
        assert w.wait(60) == 0
    assert os.listdir(tmp_path) == ["weights"]


def test_a_file_of_every_format_there_was_can_be_read():
    """Kept as they were written; a new format adds one, and takes none away."""
    weights = load(ROOT / "tests" / "fixtures" / "weights-format-1.safetensors")
    assert weights.metadata == {"epoch": "7"} and same(weights, {
        "conv.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "steps": np.array(2**40),
        "mask": np.array([True, False, True])})


def test_a_format_that_is_not_known_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors, "_VERSION", "2")
    save(tmp_path / "weights", arrays())
    monkeypatch.undo()
    with one_line(WeightsError, str(tmp_path / "weights"), "format '2'", "reads '1'"):
        load(tmp_path / "weights")
