"""The README's page "Your own photos" does what it says, on photos as people have them."""

import logging
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.models import load, resnet18
from minigrad.train import History
from minigrad.weights import save
from tests.data import odd_photos
from tests.places import ROOT

PAGE = re.search(r"\n## Your own photos\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.S)[1]
COMMANDS, = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
BLOCKS = re.findall(r"<!-- own photos -->\n```python\n(.*?)```", PAGE, re.S)
SCRATCH, LATER, TUNING = BLOCKS


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photos, and a new one of the third class."""
    folder = tmp_path_factory.mktemp("own photos")
    odd_photos.make(folder / "photos", each=12)
    colour = odd_photos.CLASSES["two words"]
    Image.new("RGB", (50, 40), colour).save(folder / "new.jpg")
    return folder


def run(place, *argv):
    return subprocess.run([sys.executable, *argv], cwd=place, text=True, capture_output=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=600)


def test_the_blocks_are_short():
    assert len((SCRATCH + LATER).splitlines()) <= 30 and len(TUNING.splitlines()) <= 20
    assert len(COMMANDS.splitlines()) <= 6
    assert all(len(line) <= 100 for line in PAGE.splitlines())


def test_the_commands(place):
    check, train, classify = (shlex.split(line, comments=True)[1:]
                              for line in COMMANDS.splitlines())
    done = run(place, *check)
    assert done.returncode == 1 and "über $5.jpg" in done.stdout and ".heic" in done.stdout
    done = run(place, *train)
    assert done.returncode == 2 and "leave them out with --on-error skip" in done.stderr
    done = run(place, *train, "--on-error", "skip", "--epochs", "15")
    assert done.returncode == 0 and "test photos are right" in done.stdout, done.stderr
    assert (place / "results/flowers/report.html").exists()
    done = run(place, *classify)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    guesses = [line for line in done.stdout.splitlines() if line.endswith("%")]
    assert guesses[0].startswith("  two words")


def test_training_and_a_new_photo_in_a_new_process(place):
    done = run(place, "-c", SCRATCH)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(sorted(odd_photos.CLASSES)) and float(lines[4]) > 0.6
    matrix = np.array([line.strip(" []").split() for line in lines[1:4]], int)
    assert matrix.trace() / matrix.sum() == pytest.approx(float(lines[4]))
    with Image.open(place / "results/small/curves.png") as curves:
        assert curves.width > 300
    assert len(History.read(place / "results/small/history.jsonl")) == 30

    done = run(place, "-c", LATER)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    chances = eval(done.stdout)
    assert list(chances) == sorted(odd_photos.CLASSES)
    assert max(chances, key=chances.get) == "two words"

    again = run(place, "-c", SCRATCH)
    assert again.stdout.splitlines() == lines and "nothing to do" in again.stderr


@pytest.mark.skipif(os.environ.get("MINIGRAD_FULL") != "1", reason="needs MINIGRAD_FULL=1")
def test_fine_tuning(place, monkeypatch, caplog):
    """As it stands, but for the download: random weights take the place of ImageNet's."""
    monkeypatch.chdir(place)
    mg.manual_seed(0)
    official = resnet18()
    save("official.safetensors", official.state_dict())
    monkeypatch.setattr("minigrad.models.pretrained.fetch", lambda name: {
        "resnet18": "official.safetensors"}[name])
    names = {}
    with caplog.at_level(logging.ERROR):
        exec(compile(TUNING, "README.md", "exec"), names)
    head, tuned = (load(f"results/{name}").model for name in ("head", "tuned"))
    body = official.layer1[0].conv1.weight.data
    assert np.array_equal(head.layer1[0].conv1.weight.data, body)
    assert not np.array_equal(tuned.layer1[0].conv1.weight.data, body)
    assert not np.array_equal(head.fc.weight.data, tuned.fc.weight.data)
    assert [len(line["lr"]) for line in History.read("results/tuned/history.jsonl")] == [2, 2, 2]
    found = load("results/tuned")
    assert found.classes == sorted(odd_photos.CLASSES) and found.preprocess.crop == 128
