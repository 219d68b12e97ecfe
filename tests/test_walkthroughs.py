"""Every walkthrough runs from top to bottom, in cells that open as a notebook."""

import runpy
from pathlib import Path

import pytest

import experiments

SCRIPTS = sorted((Path(experiments.__file__).parent / "walkthroughs").glob("*.py"))


def test_they_are_numbered_from_one():
    assert [int(path.name[:2]) for path in SCRIPTS] == list(range(1, len(SCRIPTS) + 1))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_walkthrough_runs_and_says_something(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    out, err = capsys.readouterr()
    assert out and not err


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_walkthrough_is_made_of_cells(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# %% [markdown]"
    assert lines.count("# %%") >= 5
