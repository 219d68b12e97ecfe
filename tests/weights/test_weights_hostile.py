"""Files that want to do harm: refused with one clear error, in little time and memory, and not run.

They are loaded by other processes, a hundred in each, that have a limit on memory and an audit
hook, which sees whatever Python opens, imports, compiles, executes or starts.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.weights.vocabulary import VOCABULARY
from tests.places import ROOT
from tests.weights import hostile, hostile_containers
from tests.weights.weights_files import FORMS, checkpoint, example

SECONDS, MEMORY = 2.0, 256 << 20
LOOP = 0.1  # seconds that the loop in CHILD takes; where it takes longer, so may files
BATCH = 100

# Loads the files named on stdin and prints what happened. An event of the hook counts if it is not
# one that reading a file needs. The limit is on what a load adds to the memory of the process.
CHILD = """
import json, os, resource, sys, time
{loader}
folder, limit = sys.argv[1], int(sys.argv[2])
path, events = None, []

def hook(event, arguments):
    reading = event == "open" and arguments[0] == path and not arguments[2] & ~os.O_CLOEXEC
    if path is not None and event not in ("mmap.__new__", "builtins.id") and not reading:
        events.append(f"{{event}} {{arguments!r}}")

def used():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

for file in os.listdir(folder):         # once before, to have everything imported
    load(os.path.join(folder, file))
def loop():
    begin = time.process_time()
    for _ in range(5_000_000):
        pass
    return time.process_time() - begin

sys.addaudithook(hook)
slowness = max(1.0, min(loop() for _ in range(3)) / {usual})
for file in json.load(sys.stdin):
    error = message = None
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (used() + limit, -1))
    begin, path = time.process_time(), file
    try:
        load(file)
    except BaseException as caught:
        error, message = type(caught).__name__, str(caught)
    seconds, path = (time.process_time() - begin) / slowness, None
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    print(json.dumps([file, error, message, seconds, events]))
    events.clear()
"""


def load_all(files, honest=None, loader="from minigrad.weights import load"):
    """[(file, error's type, message, seconds, events of the hook)], from a process of its own."""
    limit = MEMORY if sys.platform == "linux" else 0
    script = CHILD.format(loader=loader, usual=LOOP)
    command = [sys.executable, "-c", script, str(honest), str(limit)]
    done = subprocess.run(command, input=json.dumps(files), capture_output=True, text=True,
                          cwd=ROOT, timeout=200, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result[0] for result in results] == files
    return results


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    for form in FORMS:
        (folder / form).write_bytes(checkpoint(form, example()))
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """(marker, {file: (what it is, words)}) of all hostile files."""
    folder = tmp_path_factory.mktemp("hostile")
    marker = folder / "marker"
    files = {}
    for what, data, words in (*hostile.cases(marker), *hostile_containers.cases()):
        file = folder / f"{len(files)}.pth"
        file.write_bytes(data)
        files[str(file)] = what, words
    return marker, files


def test_the_corpus_is_large_and_nothing_is_in_it_twice(corpus):
    _, files = corpus
    assert len(files) >= 600
    assert len({what for what, _ in files.values()}) == len(files)
    assert len({Path(file).read_bytes() for file in files}) == len(files)


@pytest.mark.parametrize("batch", range(7))
def test_hostile_files_are_refused_and_not_run(corpus, honest, batch):
    marker, files = corpus
    assert len(files) <= 7 * BATCH
    names = list(files)[batch * BATCH:(batch + 1) * BATCH]
    for file, error, message, seconds, events in load_all(names, honest):
        what, words = files[file]
        assert error == "WeightsError", (what, error, message)
        assert message.startswith(f"{file}: ") and message.isascii() and message.isprintable()
        assert all(word in message for word in words), (what, message)
        if seconds >= SECONDS:      # beside other processes, which empty the caches: once more
            seconds = load_all([file], honest)[0][3]
        assert seconds < SECONDS, (what, seconds)
        assert not events, (what, events)
    assert not marker.exists()


def test_what_lies_beside_honest_weights_is_inert(honest, tmp_path):
    """They are loaded, in as little time and memory, and nothing else happens."""
    files = {}
    for what, data in hostile.inert():
        file = tmp_path / f"{len(files)}.pth"
        file.write_bytes(data)
        files[str(file)] = what
    assert len(files) >= 70
    results = load_all(list(files), honest, "import minigrad.weights\n"
                       "def load(path):\n    weights = minigrad.weights.load(path)\n"
                       "    assert 'conv.weight' in weights or weights['w'].tolist() == [0, 0]")
    for file, error, message, seconds, events in results:
        assert error is None, (files[file], error, message)
        assert seconds < SECONDS and not events, (files[file], seconds, events)


def test_the_hook_and_the_marker_notice_what_is_run(corpus, tmp_path):
    """The same payloads before a reader that does run them: the checks above can fail."""
    marker, _ = corpus
    files = [str(tmp_path / str(i)) for i, _ in enumerate(hostile.runs(marker))]
    for file, pickle in zip(files, hostile.runs(marker).values()):
        Path(file).write_bytes(pickle)
    (tmp_path / "none").mkdir()
    results = load_all(files, tmp_path / "none", "import pickle\n"
                       "def load(path):\n    with open(path, 'rb') as file: pickle.load(file)")
    run = [file for file, *_, events in results if any("os.system" in event for event in events)]
    assert marker.exists() and len(run) >= 7
    marker.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_load_that_takes_too_much_memory_is_noticed(honest):
    ((_, error, *_),) = load_all([str(honest / FORMS[0])], honest, "seen = []\n"
                                 "def load(path):\n    seen.append(1)\n"
                                 "    len(seen) > 4 and bytearray(300 << 20)")
    assert error == "MemoryError"


def test_the_vocabulary_is_the_documented_one():
    number = "Double Float Half BFloat16 Long Int Short Char Byte Bool ComplexDouble ComplexFloat"
    assert set(VOCABULARY) == {
        ("collections", "OrderedDict"), ("torch.nn.parameter", "Parameter"),
        ("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_tensor_v3"), ("torch._utils", "_rebuild_parameter"),
        ("torch._utils", "_rebuild_parameter_with_state"), ("torch.storage", "UntypedStorage"),
        ("torch", "uint16"), ("torch", "uint32"), ("torch", "uint64"),
        ("torch", "float8_e4m3fn"), ("torch", "float8_e5m2"),
        *{("torch", f"{n}Storage") for n in number.split()},
        *{(m, f"{n}Tensor") for n in number.split() for m in ("torch", "torch.cuda")}}


IMPORTS = {"__future__", "collections", "concurrent", "contextlib", "fcntl", "hashlib", "http",
           "itertools", "json", "logging", "math", "minigrad", "mmap", "numpy", "os", "pathlib",
           "re", "secrets", "stat", "struct", "sys", "tempfile", "time", "typing", "urllib", "zlib"}


@pytest.mark.parametrize("file", sorted((ROOT / "minigrad" / "weights").glob("*.py")),
                         ids=lambda file: file.name)
def test_the_readers_have_nothing_to_run_code_with(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported, called = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
        elif isinstance(node, ast.Call):
            called.add(ast.unparse(node.func))
    assert {name.split(".")[0] for name in imported} <= IMPORTS
    assert not called & {"eval", "exec", "compile", "__import__", "globals", "setattr", "os.system",
                         "os.popen", "np.load", "np.fromfile"}
