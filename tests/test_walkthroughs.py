"""Every walkthrough runs from top to bottom, in cells that open as a notebook."""

import runpy
from pathlib import Path

import pytest

import experiments
from minigrad.kernels import emulator

SCRIPTS = sorted((Path(experiments.__file__).parent / "walkthroughs").glob("*.py"))


def test_they_are_numbered_from_one():
    assert [int(path.name[:2]) for path in SCRIPTS] == list(range(1, len(SCRIPTS) + 1))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_walkthrough_runs_and_says_something(path, capsys, monkeypatch, tmp_path):
    if path.stem == "07_gpu_kernels" and emulator.MISSING:
        pytest.skip(emulator.MISSING)
    monkeypatch.chdir(tmp_path)  # where pictures go
    runpy.run_path(str(path), run_name="__main__")
    out, err = capsys.readouterr()
    assert out and not err


def test_without_a_compiler_the_one_on_kernels_says_what_to_install(monkeypatch):
    monkeypatch.setattr(emulator, "MISSING", "needs g++: install it")
    with pytest.raises(SystemExit, match=r"^this walkthrough needs g\+\+: install it$"):
        runpy.run_path(str(SCRIPTS[6]))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_walkthrough_is_made_of_cells(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# %% [markdown]"
    assert lines.count("# %%") >= 5
