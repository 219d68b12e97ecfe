"""The walkthroughs as notebooks, executed in a kernel of this interpreter, with their pictures.

It needs jupytext, nbclient and ipykernel, which `.ci/run` installs, and is skipped without them.
Of each notebook it prints the seconds (pytest -rP shows them); no bound hangs on these, as they are
those of the machine and of all that it does at the time.
"""

import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import experiments
from minigrad.kernels.testing import emulator

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")
kernelspec = pytest.importorskip("ipykernel.kernelspec")
nbformat = pytest.importorskip("nbformat")

ROOT = Path(experiments.__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "experiments" / "walkthroughs").glob("*.py"))
PAGE = 800  # pixels: as wide as a notebook's page may be counted on to be
WHERE = "import os, sys, experiments\nprint(sys.executable, os.getcwd(), experiments.__file__)"

# the libraries that talk to the kernel have warnings of their own; ours are seen in its stderr
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The name of a kernel that is this interpreter, and knows nothing of the user's settings."""
    kernelspec.write_kernel_spec(tmp_path / "jupyter" / "kernels" / "ours")
    for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    return "ours"


def execute(notebook, kernel, folder):
    """All outputs of the notebook's cells, run in `folder`. Raises where a cell does."""
    client = nbclient.NotebookClient(notebook, kernel_name=kernel, timeout=300,
                                     resources={"metadata": {"path": str(folder)}})
    client.execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def streams(outputs, name):
    return "".join(o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == name)


def pictures(outputs):
    """(kind, width in pixels) of each picture. AssertionError for one with nothing on it."""
    for output in outputs:
        for kind, data in output.get("data", {}).items():
            if kind == "image/svg+xml":
                yield kind, svg_width(data)
            elif kind.startswith("image/"):
                image = Image.open(io.BytesIO(base64.b64decode(data)))
                low, high = image.convert("L").getextrema()
                assert low < high, f"a blank {kind}"
                yield kind, image.width


def svg_width(text):
    """The width in pixels of an SVG picture: that of its first tag, or else of its viewBox."""
    tag = re.search(r"<svg\b[^>]*>", text).group()
    own = re.search(r'\swidth="([\d.]+)(px|pt|)"', tag)
    if own:
        return float(own[1]) * (4 / 3 if own[2] == "pt" else 1)
    return float(re.search(r'\sviewBox="\S+ \S+ ([\d.]+) \S+"', tag)[1])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_walkthrough_is_a_notebook_with_pictures(path, kernel, tmp_path):
    if path.stem == "07_gpu_kernels" and emulator.MISSING:
        pytest.skip(emulator.MISSING)
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = jupytext.read(path)
    notebook.cells.append(nbformat.v4.new_code_cell(WHERE))
    started = time.perf_counter()
    outputs = execute(notebook, kernel, folder)
    seconds = time.perf_counter() - started
    widths = [width for _, width in pictures(outputs)]
    print(f"{path.stem}: {seconds:.1f} s, {len(widths)} pictures, up to {max(widths, default=0):g} "
          "pixels wide")
    assert streams(outputs, "stderr") == ""
    where = streams(outputs, "stdout").splitlines()[-1]
    assert where == f"{sys.executable} {folder} {experiments.__file__}"
    assert len(widths) >= 3 and max(widths) <= PAGE


CELLS = """# %% [markdown]
# # A notebook with mistakes

# %%
{cell}
"""


@pytest.mark.parametrize("cell, found", [
    ("import warnings\nwarnings.warn('mind the gap')", "UserWarning: mind the gap"),
    ("import sys\nprint('to the wrong side', file=sys.stderr)", "to the wrong side")])
def test_what_a_cell_says_on_stderr_is_seen(kernel, tmp_path, cell, found):
    outputs = execute(jupytext.reads(CELLS.format(cell=cell), "py:percent"), kernel, tmp_path)
    assert found in streams(outputs, "stderr")


def test_a_cell_that_raises_ends_it(kernel, tmp_path):
    notebook = jupytext.reads(CELLS.format(cell="1 / 0"), "py:percent")
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        execute(notebook, kernel, tmp_path)


def test_pictures_are_measured_in_pixels(kernel, tmp_path):
    cell = """
from experiments.style import new_figure, show
show(new_figure(7.5, 2).add_subplot().figure)
show('<svg width="900pt" height="90pt" viewBox="0 0 900 90"></svg>')
"""
    outputs = execute(jupytext.reads(CELLS.format(cell=cell), "py:percent"), kernel, tmp_path)
    assert list(pictures(outputs)) == [("image/png", 750), ("image/svg+xml", 750)]
    assert svg_width('<?xml version="1.0"?><svg width="600pt" height="9">') == 800
    assert svg_width('<svg viewBox="0 0 901 90">') == 901
    with pytest.raises(AssertionError, match="a blank image/png"):
        list(pictures(execute(jupytext.reads(CELLS.format(cell="""
from experiments.style import new_figure, show
show(new_figure(3, 2))"""), "py:percent"), kernel, tmp_path)))
