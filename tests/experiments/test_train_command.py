"""`python -m experiments train`: photos, choices, reports, going on, mistakes in one line."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments.cli import main
from experiments.own_photos import choice, photos, training
from experiments.own_photos.plan import Plan
from minigrad.data import ImageFolder
from minigrad.models import load
from minigrad.train import History, NotSavedError
from tests.data import odd_photos
from tests.places import ROOT

FAST = ["--size", "16", "--epochs", "6", "--batch", "8", "--seed", "3"]


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def quietly(capsys, *argv):
    """(exit status, stdout, stderr) of a command."""
    status = main(list(map(str, argv)))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out, err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with odd photos, and the run that was trained on them."""
    place = tmp_path_factory.mktemp("train command")
    odd_photos.make(place / "my photos", each=12)
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "train", "my photos", "--out", "my run", *FAST,
         "--on-error", "skip"], cwd=place, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return place / "my run", done


# --- the whole way -------------------------------------------------------------------------------

def test_it_says_what_it_does_and_what_came_out(run):
    folder, done = run
    out = " ".join(done.stdout.split())
    assert "small_cnn from scratch, photos of 16 x 16 pixels, 6 epochs in batches of 8" in out
    assert re.search(r"\d of 5 test photos are right, a share of \d\.\d{3} with a 95% interval "
                     r"from \d\.\d{3} to \d\.\d{3}\. Who always", out)
    assert "Left out, because they cannot be read: 1 photo, listed in the report." in out
    assert "Left out for their extension: 1 .db, 1 .heic (1 .heic: photographs of" in out
    assert "epoch 6/6: train loss" in done.stderr and "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "Report: my run/report.html"
    assert lines[-3] == "  python -m experiments classify PHOTO --weights 'my run'"


def test_its_command_classifies(run, monkeypatch, capsys):
    folder, done = run
    monkeypatch.chdir(folder.parent)
    photo = "my photos/two words/7 100%.jpeg"
    status, out, _ = quietly(capsys, "classify", photo, "--weights", "my run")
    assert status == 0 and "3 names, recorded with the weights" in out
    assert "16 x 16, mean 0.485 0.456 0.406" in out
    for name in odd_photos.CLASSES:
        assert name in out


def test_the_network_learnt_the_colours(run):
    folder, _ = run
    found = load(folder)
    assert found.classes == sorted(odd_photos.CLASSES)
    whole = ImageFolder(folder.parent / "my photos")
    right = total = 0
    for path, label in whole.samples:
        if odd_photos.BROKEN not in path and "sixteen" not in path:
            x = found.preprocess(Image.open(path).convert("RGB"))
            right += int(found.model(mg.Tensor(x[None])).data.argmax()) == label
            total += 1
    assert total == 33 and right > 0.8 * total


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.words, self.images, self.links = [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "img":
            self.images.append(attributes)
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]

    def handle_data(self, data):
        if self.lasttag != "style":
            self.words.append(data)


def test_the_report(run):
    folder, done = run
    page = Page((folder / "report.html").read_text())
    assert "my photos: 3 classes" in page.text
    assert len(page.images) in (3, 4)           # without mistakes, no sheet of them
    assert all(link.startswith("data:") for link in page.links)
    sentence = re.search(r"\d of 5 test photos are right", page.text)
    assert sentence and sentence[0] in " ".join(done.stdout.split())
    assert "über $5.jpg" in page.text and "damaged or cut off" in page.text
    assert "26 for training, 5 for validation, 5 for the test" in page.text
    assert "python -m experiments classify PHOTO --weights 'my run'" in page.text
    for name in odd_photos.CLASSES:
        assert re.search(re.escape(name) + r" \d \d \d \d of \d \d\.\d{3} \(", page.text), name
    for claim in ("claim", "verdict"):
        assert claim not in page.text


def test_the_folder(run):
    folder, _ = run
    assert {path.name for path in folder.iterdir()} == {"config.json", "training", "figures",
                                                        "report.html"}
    document = json.loads((folder / "config.json").read_text())
    assert document["command"] == "train" and document["plan"]["epochs"] == 6
    lines = History.read(folder / "training" / "history.jsonl")
    assert lines.column("epoch") == list(range(1, 7))
    best = load(folder)
    assert f"epoch {lines.best('valid.loss')['epoch']}" in best.about


def test_a_finished_run_is_only_told_again(run, tmp_path, capsys):
    folder, done = run
    shutil.copytree(folder.parent, tmp_path / "copy", dirs_exist_ok=True)
    os.chdir(tmp_path / "copy")
    before = Path("my run/training/history.jsonl").read_bytes()
    status, out, _ = quietly(capsys, "train", "my photos", "--resume", "my run", "--epochs", 6)
    assert status == 0 and out == done.stdout
    assert Path("my run/training/history.jsonl").read_bytes() == before


# --- stopping ------------------------------------------------------------------------------------

@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_goes_on_to_the_same_weights(run, number, status, tmp_path, capsys):
    odd_photos.make("my photos", each=12)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", "train", "my photos", "--out", "a b", *FAST,
         "--on-error", "skip"], env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    history, deadline = Path("a b/training/history.jsonl"), time.monotonic() + 120
    while not history.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    way = "python -m experiments train --resume 'a b'"
    assert err.splitlines()[-1] == f"experiments: interrupted; to go on: {way}"
    assert "Traceback" not in err and not Path("a b/report.html").exists()
    assert quietly(capsys, "train", "--resume", "a b")[0] == 0
    undisturbed = load(run[0]).model.state_dict()
    for name, array in load("a b").model.state_dict().items():
        assert np.array_equal(array, undisturbed[name]), name


def test_a_disk_that_refuses_the_end_costs_no_result(capsys, monkeypatch):
    odd_photos.plain("set", train=6, valid=3)
    whole = training.fit

    def refused(*args, **settings):
        raise NotSavedError("full", whole(*args, **settings)) from OSError(28, "No space left")

    monkeypatch.setattr(training, "fit", refused)
    status, out, err = quietly(capsys, "train", "set", "--out", "o", *FAST)
    assert status == 2 and "of 6 validation photos are right" in " ".join(out.split())
    assert err.splitlines()[-1] == (
        "experiments: error: the end of this training could not be saved: [Errno 28] No space left;"
        " free some room, then repeat it by python -m experiments train --resume o")


# --- mistakes ------------------------------------------------------------------------------------

def mistaken(capsys, *argv):
    status, out, err = quietly(capsys, "train", *argv)
    last = err.splitlines()[-1]
    assert status == 2 and out == "" and last.startswith("experiments: error: "), err
    return last


@pytest.mark.parametrize("argv, message", [
    ([], "which photos? Give a folder that has one for each class, or --resume DIR"),
    (["missing"], "missing: there is no such folder"),
    (["my photos"], "1 of 25 photos cannot be read: cannot read image my photos/größe ß/über $5"),
    (["my photos"], "leave them out with --on-error skip"),
    (["my photos", "--arch", "resnt18"], "unknown network: did you mean resnet18?"),
    (["my photos", "--arch", "lenet5"], "for grey pictures of 32x32; use small_cnn"),
    (["my photos", "--arch", "x.py:Net"], "there is no file"),
    (["my photos", "--arch", "nets.py:Nets"], "no 'Nets' in the file; it has Net, plain"),
    (["my photos", "--freeze"], "give --weights imagenet or a file, or leave it out"),
    (["my photos", "--weights", "missing.pth"], "there is no such file or folder"),
    (["my photos", "--weights", "imagenet", "--arch", "small_cnn"], "there are none for small_cnn"),
    (["my photos", "--size", "30"], "small_cnn needs a multiple of 4"),
    (["my photos", "--arch", "vit_b_16", "--size", "40"], "vit_b_16 needs a multiple of 16"),
    (["my photos", "--size", "0"], "'0' is not a positive whole number"),
    (["my photos", "--epochs", "-1"], "--epochs"),
    (["my photos", "--lr", "x"], "'x' is not a learning rate above 0"),
    (["my photos", "--lr", "nan"], "'nan' is not a learning rate above 0"),
    (["my photos", "--valid", "0.5"], "'0.5' is not a share above 0, of 0.4 at most"),
    (["my photos", "--out", "file"], "cannot write results to file: it is a file"),
    (["one class"], "there is one class only, 'a'"),
    (["too few"], "class 'b' has 3 photos that can be read; there must be 4 or more"),
    (["--resume", "missing"], "no training to go on with, cannot read missing/config.json"),
    (["--resume", "my photos", "--out", "x"], "a training goes on in its own folder"),
    (["--resume", "broken"], "broken/config.json is not of this command, or damaged"),
])
def test_mistakes(argv, message, capsys):
    odd_photos.make("my photos")
    Path("file").touch()
    for folder, counts in (("one class", {"a": 5}), ("too few", {"a": 5, "b": 3})):
        for name, count in counts.items():
            Path(folder, name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20, 20)).save(Path(folder, name, f"{i}.png"))
    Path("nets.py").write_text(OWN)
    Path("broken").mkdir()
    Path("broken/config.json").write_text('{"photos": 1}')
    assert message in mistaken(capsys, *argv)
    assert not Path("results").exists() or not list(Path("results").iterdir())


@pytest.mark.parametrize("more, message", [
    (["--epochs", "7"], "that training has --epochs 6, not 7; leave --epochs out"),
    (["--arch", "resnet18"], "has --arch small_cnn, not resnet18"),
    (["--on-error", "raise"], "has --on-error skip, not raise"),
    (["--lr", "0.5"], "has --lr 0.002, not 0.5")])
def test_options_that_contradict_those_of_the_training(run, more, message, monkeypatch, capsys):
    monkeypatch.chdir(run[0].parent)
    assert message in mistaken(capsys, "--resume", "my run", *more)


def test_a_second_training_in_a_folder_is_refused(run, monkeypatch, capsys):
    monkeypatch.chdir(run[0].parent)
    assert "holds a training already: go on with it by --resume my run" in mistaken(
        capsys, "my photos", "--out", "my run")


def test_changed_photos_are_noticed(run, tmp_path, capsys):
    shutil.copytree(run[0].parent, tmp_path / "copy")
    os.chdir(tmp_path / "copy")
    next(Path("my photos/two words").glob("4*")).unlink()
    assert "this is another run" in quietly(capsys, "train", "my photos", "--resume", "my run")[2]


# --- other photos, other networks ----------------------------------------------------------------

def test_without_test_photos_the_report_says_who_judges(capsys):
    odd_photos.plain("set", train=6, valid=3)
    status, out, _ = quietly(capsys, "train", "set", "--out", "o", *FAST)
    assert status == 0 and "of 6 validation photos are right" in " ".join(out.split())
    assert "the validation photos chose the epoch" in " ".join(out.split())
    assert "12 for training, 6 for validation, as they lie" in Page(
        Path("o/report.html").read_text()).text


def test_only_the_last_layer_learns_if_the_rest_is_frozen(run):
    start = load(run[0]).model.state_dict()
    plan = choice.choose({"weights": str(run[0]), "freeze": True})
    assert (plan.arch, plan.size) == ("small_cnn", 16)
    odd_photos.plain("outer", one=12)
    found = photos.find("outer/one", plan.side, None, 0, "raise")
    model, history, _ = training.trained(Plan(**{**asdict(plan), "epochs": 2, "batch": 4}), found,
                                         Path("frozen"))
    for name, array in model.state_dict().items():
        if not name.startswith("17.") and "running" not in name and "tracked" not in name:
            assert np.array_equal(array, start[name]), name
    assert len(model[17].weight) == 2 and history[-1]["epoch"] == 2


OWN = """
from minigrad import nn
class Net(nn.Module):
    def __init__(self, num_classes):
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(48, num_classes)
    def forward(self, x):
        return self.head(self.body(x))
def plain(n):
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, n))
"""


@pytest.mark.parametrize("body, message", [
    ("raise KeyError('no luck')", "nets.py:Net: KeyError: 'no luck' (nets.py, line 4)"),
    ("return x, 1", "nets.py:Net: AttributeError: 'tuple'"),
    ("return None", "nets.py:Net: AttributeError: 'NoneType'"),
    ("return x", "it has no layer with weights, so there is nothing to train")])
def test_what_a_network_of_ones_own_raises_is_one_line(body, message, capsys):
    odd_photos.plain("outer", one=8)
    layers = "" if body == "return x" else "self.head = nn.Linear(48, 2)"
    Path("nets.py").write_text(f"from minigrad import nn\nclass Net(nn.Module):\n"
                               f"    def forward(self, x):\n        {body}\n"
                               f"    def __init__(self):\n        {layers or 'pass'}\n")
    status, _, err = quietly(capsys, "train", "outer/one", "--arch", "nets.py:Net", "--out", "o",
                             "--size", 16, "--epochs", 1)
    lines = [line for line in err.splitlines() if not line.startswith("[")]
    assert status == 2 and len(lines) == 1 and message in lines[0], err


@pytest.mark.parametrize("name, value", [
    ("arch", "unknown"), ("batch", -1), ("batch", "8"), ("device", "tpu"), ("epochs", 0),
    ("epochs", [3]), ("lr", -1.0), ("seed", -1), ("size", 0), ("valid", 5.0), ("5", 5)])
def test_a_plan_that_was_edited_wrongly(name, value, run, capsys):
    document = json.loads((run[0] / "config.json").read_text())
    document["plan"][name] = value
    Path("edited").mkdir()
    Path("edited/config.json").write_text(json.dumps(document))
    status, out, err = quietly(capsys, "train", "--resume", "edited")
    assert status == 2 and out == "" and err.count("\n") == 1 and str(value) in err


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", '{"photos": 1, "plan": {}, "options": {}}'])
def test_a_config_of_something_else(text, capsys):
    Path("edited").mkdir()
    Path("edited/config.json").write_text(text)
    assert quietly(capsys, "train", "--resume", "edited")[0] == 2
    assert quietly(capsys, "--resume", "edited")[0] == 2


@pytest.mark.parametrize("name", ["Net", "plain"])
def test_a_network_of_ones_own(name, capsys):
    """A Sequential of the library's layers is recorded; a class has to be named again."""
    odd_photos.plain("outer", one=8)
    Path("nets.py").write_text(OWN)
    status, out, _ = quietly(capsys, "train", "outer/one", "--arch", f"nets.py:{name}", "--out",
                             "o", "--size", 16, "--epochs", 20, "--lr", 0.05)
    assert status == 0
    command = next(line for line in out.splitlines() if "classify" in line).split()[3:]
    assert ("--arch" in command) == (name == "Net")
    command[command.index("PHOTO")] = "outer/one/light/3.png"
    status, out, _ = quietly(capsys, *command)
    assert status == 0 and [line for line in out.splitlines() if "%" in line][0].startswith(
        "  light")
    assert quietly(capsys, "train", "--resume", "o")[0] == 0
