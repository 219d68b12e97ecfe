"""Imports point downwards only, and `import minigrad` brings in nothing it does not need."""

import ast
import subprocess
import sys

import pytest

from tests.places import ROOT

PACKAGES = ("minigrad", "pyramids", "experiments")

# From the bottom up; a module may import from its own layer and from those before it. A name stands
# for the module and everything inside it, unless a longer name stands for that.
LAYERS = (
    ["minigrad.arguments", "minigrad.backend", "minigrad.changes", "minigrad.dtypes",
     "minigrad.indexing", "minigrad.files", "minigrad.figures", "minigrad.progress",
     "minigrad.hints", "minigrad.memory"],
    ["minigrad.graph"],
    ["minigrad.engine"],
    ["minigrad.function", "minigrad.kernels", "minigrad.autocast"],
    ["minigrad.ops"],
    ["minigrad.autograd"],
    ["minigrad.nn", "minigrad.optim", "minigrad.gradcheck", "minigrad.profile", "minigrad.draw",
     "minigrad.data", "minigrad.cuda"],
    ["minigrad.models", "minigrad.weights", "minigrad.utils"],
    ["minigrad"],
    ["minigrad.train", "minigrad.hints.__main__"],
    ["pyramids"],
    ["experiments"],
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def modules():
    """{dotted name: file} of every module of the project."""
    found = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py*")):
            if file.suffix not in (".py", ".pyi"):
                continue
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = file
    return found


MODULES = modules()


def imports(name):
    """The project's modules that the module `name` imports, wherever in the file it does."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: imports are written in full"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [t if t in MODULES else node.module for t in inner]
        else:
            continue
        yield from (t for t in targets if t.split(".")[0] in PACKAGES)


def layer(name):
    """The longest name of LAYERS that stands for the module; "minigrad" for itself alone."""
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    found = next(prefix for prefix in prefixes if prefix in RANK)
    assert found != "minigrad" or name == "minigrad", f"{name} has no place in LAYERS"
    return found


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_downwards(name):
    targets = list(imports(name))
    assert set(targets) <= set(MODULES)
    above = [target for target in targets if RANK[layer(target)] > RANK[layer(name)]]
    assert not above, f"{name} imports from above: {above}"


@pytest.mark.parametrize("line, wrong", [
    ("from minigrad.engine import Tensor", False), ("import minigrad.ops.shape", True),
    ("from minigrad import ops", True), ("def f():\n    from minigrad import Tensor", True)])
def test_an_import_from_above_is_noticed(monkeypatch, tmp_path, line, wrong):
    file = tmp_path / "fake.py"
    file.write_text(line)
    monkeypatch.setitem(MODULES, "minigrad.kernels.fake", file)
    if wrong:
        with pytest.raises(AssertionError, match="from above"):
            test_imports_point_downwards("minigrad.kernels.fake")
    else:
        test_imports_point_downwards("minigrad.kernels.fake")


# Who opens a file for writing beside minigrad/files.py, and why that is no half of a result.
WRITERS = {"minigrad.weights.download": "the part of a download that is there so far",
           "minigrad.data.tiff": "the null device"}


def writes_files(source):
    """Whether Python text opens files for writing, or writes them as a whole, by itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = [arg for call in [node.args, [k.value for k in node.keywords]] for arg in call
                     for arg in ast.walk(arg) if isinstance(arg, ast.Constant)]
            if name in ("write_text", "write_bytes", "fsync") or name == "open" and any(
                    isinstance(mode.value, str) and set(mode.value) <= set("rwaxbt+")
                    and set(mode.value) & set("wax") for mode in modes):
                return True
    return False


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("minigrad")])
def test_files_are_written_in_one_place(name):
    if name != "minigrad.files":
        source = MODULES[name].read_text(encoding="utf-8")
        assert writes_files(source) == (name in WRITERS), "see minigrad/files.py"


@pytest.mark.parametrize("source, wrong", [
    ("open(path)", False), ("open(path, 'rb')", False), ("open(path, 'wb')", True),
    ("open(path, 'ab' if done else 'wb')", True), ("open(path, mode='x')", True),
    ("Path(path).write_text('')", True), ("os.fsync(file)", True), ("os.open(path, 0)", False)])
def test_a_writer_of_files_is_noticed(source, wrong):
    assert writes_files(source) == wrong


@pytest.mark.parametrize("package, absent", [
    ("minigrad", ["matplotlib", "PIL", "cupy", "torch", "scipy", "pyramids", "experiments"]),
    ("pyramids", ["matplotlib", "PIL", "cupy", "torch", "scipy", "experiments"])])
def test_import_brings_in_nothing_else(package, absent):
    code = f"import sys, {package}; print(*sorted(set({absent}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
