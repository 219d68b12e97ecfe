"""The README's example of a new op is literally three edits, after which all tests of ops pass.

The edits are made in a copy of the tree as they are written there, and the tests run in the copy.
"""

import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.places import ROOT

PAGE = re.search(r"\n## Adding an op\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.S)[1]
OP, EXPORT, LINE = range(3)
# The files whose tests the table of ops drives, the tests of the new op in them, and those that
# look for an op that is left out.
DRIVEN = [*(f"tests/ops/test_{name}.py" for name in ("ops", "mutants", "parity")),
          "tests/tools/test_profile.py", "tests/gpu/test_cuda_ops.py", "tests/engine/test_half.py"]
LEFT_OUT = "every_public_function or runs_every_function or every_op_has_a_rule"

full = pytest.mark.skipif(os.environ.get("MINIGRAD_FULL") != "1", reason="needs MINIGRAD_FULL=1")


class Edit(NamedTuple):
    """Text to add to a file: below a line of it, or, if that is None, at its end."""

    file: str
    below: str | None
    text: str


EDITS = [Edit(file, below or None, text) for file, below, text in re.findall(
    r"`([\w/]+\.py)`(?:, below `(.*?)`)?:\n\n```python\n(.*?)```", PAGE, re.S)]


def copy_with(folder, edits):
    """A copy of the tree in which these edits have been made."""
    place = folder / "copy"
    for name in ("experiments", "minigrad", "pyramids", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, place)
    for edit in edits:
        file = place / edit.file
        before = file.read_text()
        if edit.below is None:
            after = f"{before}\n\n{edit.text}"
        else:
            assert before.count(f"\n{edit.below}\n") == 1, f"{edit.file} has no line {edit.below}"
            after = before.replace(f"\n{edit.below}\n", f"\n{edit.below}\n{edit.text}")
        file.write_text(after)
    return place


def run_tests(place, *argv):
    """Run pytest in the copy, in its short form. Returns (exit status, what it has printed)."""
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("PYTEST") and name != "MINIGRAD_FULL"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *argv],
                          cwd=place, text=True, capture_output=True, timeout=3000,
                          env=inherited | {"PYTHONPATH": str(place)})
    return done.returncode, done.stdout + done.stderr


def changed(old, new):
    """The three edits, with another text in the class of the op."""
    assert EDITS[OP].text.count(old) == 1
    return [EDITS[OP]._replace(text=EDITS[OP].text.replace(old, new)), *EDITS[EXPORT:]]


def test_the_page_has_three_edits():
    files = ["minigrad/ops/arithmetic.py", "minigrad/ops/__init__.py", "tests/ops/op_table.py"]
    assert [edit.file for edit in EDITS] == files and PAGE.count("```python") == 3
    assert [len(edit.text.splitlines()) for edit in EDITS[EXPORT:]] == [1, 1]


def test_after_three_edits_all_that_the_table_drives_passes(tmp_path):
    place = copy_with(tmp_path, EDITS)
    status, told = run_tests(place, "-vv", *DRIVEN, "-k", f"cube or {LEFT_OUT}")
    assert status == 0, told
    passed = set(re.findall(r"::(\w+)\S* PASSED", told))
    assert passed >= {
        "test_values", "test_gradients", "test_second_derivatives", "test_manners", "test_float32",
        "test_every_public_function_is_registered_and_has_a_line",
        "test_the_table_runs_every_function", "test_a_gradient_wrong_by_a_thousandth_is_caught",
        "test_an_elementwise_op_costs_what_numpy_runs", "test_every_op_has_a_rule",
        "test_an_op_gives_on_the_gpu_what_it_gives_on_the_cpu",
        "test_every_op_gives_what_float32_gives_rounded"}
    compared = re.findall(r"::test_every_op_is_compared\[cube\] (PASSED|SKIPPED)", told)
    assert compared and ("PASSED" in compared or "cube has no frozen case" in told)


@full
def test_after_three_edits_the_whole_suite_passes(request, tmp_path):
    place, seed = copy_with(tmp_path, EDITS), request.config.getoption("randomly_seed", None)
    order = [] if seed is None else [f"--randomly-seed={seed}"]
    status, told = run_tests(place, "-n", "auto", "--dist", "loadfile", "tests",
                             "--ignore=tests/project/test_three_edits.py", *order)
    assert status == 0, told[-5000:]


@pytest.mark.parametrize("old, new, file, test", [
    ("3 * gy * x", "4 * gy * x", "tests/ops/test_ops.py", "test_gradients[cube]"),
    *(pytest.param(*case, marks=full) for case in [
        ("3 * gy * x", "3 * gy.data * x.data", "tests/ops/test_ops.py",
         "test_second_derivatives[cube]"),
        ("return x * x * x", "return x * x * x + 1e-9", "tests/ops/test_ops.py",
         "test_values[cube]"),
        ("multiply=2", "add=2", "tests/tools/test_profile.py",
         "test_an_elementwise_op_costs_what_numpy_runs[cube]"),
        ("cost = ", "price = ", "tests/tools/test_profile.py", "test_every_op_has_a_rule")])])
def test_a_mistake_in_the_class_is_caught(tmp_path, old, new, file, test):
    place = copy_with(tmp_path, changed(old, new))
    status, told = run_tests(place, file, "-k", "cube or every_op_has_a_rule")
    assert status == 1 and f"FAILED {file}::{test}" in told, told


@pytest.mark.parametrize("missing", [EXPORT, pytest.param(LINE, marks=full)])
def test_an_edit_that_is_missing_is_noticed(tmp_path, missing):
    place = copy_with(tmp_path, [edit for edit in EDITS if edit is not EDITS[missing]])
    status, told = run_tests(place, "tests/ops/test_ops.py", "-k", "every_public_function")
    assert status in (1, 2) and "cube" in told, told
