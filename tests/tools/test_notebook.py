"""Progress in a notebook: one output that is updated, as a real kernel saves it."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from minigrad import progress
from minigrad.weights import download
from tests.places import ROOT

FIT = """
import numpy as np
from minigrad import nn
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD
from minigrad import progress
from minigrad.train import fit
progress.REDRAW_INTERVAL = 0
x = np.zeros((200, 2), np.float32)
def loader():
    return DataLoader(ArrayDataset(x, np.arange(200) % 3), 2, workers=0)
def train(epochs, **more):
    model = nn.Linear(2, 3)
    return fit(model, loader(), epochs=epochs, optimizer=SGD(model.parameters(), lr=0.1), **more)
"""


# In a process of its own, as the client leaves sockets open.
CLIENT = """
import json, sys
import nbclient, nbformat
cells = [nbformat.v4.new_code_cell(cell) for cell in json.load(sys.stdin)]
book = nbformat.v4.new_notebook(cells=cells)
nbclient.NotebookClient(book, kernel_name="python3", timeout=120).execute()
print(json.dumps([cell.outputs for cell in book.cells]))
"""


def executed(*cells):
    """The outputs of each cell of a notebook that a kernel has run."""
    for package in ("nbclient", "nbformat", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", CLIENT], input=json.dumps(cells), text=True,
                          env={**os.environ, "PYTHONPATH": path}, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_kernel_keeps_one_output_of_a_training():
    _, first, second, stopped, silent, shown = executed(
        FIT, "history = train(3)", "train(20);",
        "class Stop:\n    def on_step_end(self, run):\n        if run.step == 150:\n"
        "            raise KeyboardInterrupt('here')\n"
        "try:\n    train(3, callbacks=[Stop()])\nexcept KeyboardInterrupt:\n    pass",
        "train(1, progress=False);", "history.plot()")
    output, = first
    assert output["output_type"] == "display_data" and "<progress" not in str(output["data"])
    lines = output["data"]["text/plain"].splitlines()
    assert len(lines) == 3 and re.fullmatch(
        r"epoch 3/3: train loss \d\.\d{4}  accuracy \d\.\d{4}; \d\.\d s", lines[-1])
    output, = second
    lines = output["data"]["text/plain"].splitlines()
    assert len(lines) == 13 and lines[0] == "(8 lines before)" and lines[-1].startswith("epoch 20")
    output, = stopped
    text = output["data"]["text/plain"]
    assert text.startswith("epoch 1/3: train") and "\n" not in text, "the second epoch's bar stayed"
    assert silent == []
    output, = shown
    assert "image/png" in output["data"]


class Display:
    """What IPython.display.display was given, and what became of it."""

    def __init__(self):
        self.contents = []

    def __call__(self, content, raw, display_id):
        assert raw and display_id
        self.contents.append(content)
        return self

    def update(self, content, raw):
        self.contents.append(content)


@pytest.fixture
def display(monkeypatch):
    shown = Display()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(
        get_ipython=lambda: SimpleNamespace(kernel=object())))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=shown))
    return shown


def test_a_board_is_a_bar_below_the_lines_that_stay(display):
    board = progress.Board()
    board.close()
    assert display.contents == []
    board.say("begun <b>")
    board.show("epoch 1/2  1/4", 0.25)
    board.close()
    board.close()
    texts = [content["text/plain"] for content in display.contents]
    assert texts == ["begun <b>", "begun <b>\n 25%  epoch 1/2  1/4", "begun <b>"]
    bar = display.contents[1]["text/html"]
    assert '<progress value="0.2500" max="1"' in bar and "begun &lt;b&gt;" in bar


def test_only_a_kernel_has_one(display, monkeypatch):
    assert progress.in_kernel()
    for shell in (None, SimpleNamespace()):                 # a script; IPython in a terminal
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
        assert not progress.in_kernel()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not progress.in_kernel()


def test_a_download_is_a_bar_too(display, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) * 1.0)
    line = progress.ProgressLine(immediate=True)
    for done in range(1, 8):
        download._report(line, "file", done * 1_000_000, 7_000_000)
    texts = [content["text/plain"] for content in display.contents]
    assert texts[0] == " 14%  file: 1.0 of 7.0 MB" and texts[-1] == "file: 7.0 of 7.0 MB"
    assert len(texts) == 7
