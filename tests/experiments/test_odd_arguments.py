"""The command line and what people hand to it: odd names, sizes, class lists, weights that are NaN.

It works, or says in one line what is wrong and ends with status 2.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments import cli
from experiments.cli import main
from experiments.report import terminal
from experiments.results import save_figure
from experiments.style import literal, short
from experiments.tasks import plots, sheets
from experiments.tasks.photos import title
from experiments.tasks.scores import Score
from minigrad.models import cifar_resnet20
from minigrad.train import History
from minigrad.weights import save

LONG = "x" * 300
ODD_NAMES = ["a$$b", "x\ny", "\x1b[31mred", os.fsdecode(b"nu\xff"), "日本", "$x^{2$", r"back\$", "$"]


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def make(**weights):
    """A photograph, and the weights of a cifar_resnet20, some of them replaced."""
    mg.manual_seed(0)
    state = cifar_resnet20(10).state_dict()
    save("w.safetensors", {**state, **{name.replace("_", "."): value + state[name.replace("_", ".")]
                                       for name, value in weights.items()}})
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save("p.png")


def refused(capsys, argv, *words):
    assert main(argv) == 2, argv
    out, err = capsys.readouterr()
    assert err.startswith("experiments: error: ") and err.count("\n") == 1, err
    assert err[:-1].isprintable() and all(word in err for word in words), err
    return err


CLASSIFY = ["classify", "p.png", "--weights", "w.safetensors"]


# --- paths ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [LONG, f"{LONG}/a", "p.png/a"])
@pytest.mark.parametrize("argv", [
    [*CLASSIFY, "--out"], [*CLASSIFY, "--classes"], ["classify", "p.png", "--weights"],
    ["classify", "--weights", "w.safetensors"], ["q3", "--out"], ["q3", "--resume"],
    ["q1", "--image"], ["pyramids"], ["check"], ["runs", "--in"], ["train"], ["train", "--resume"],
    ["train", ".", "--weights"], ["prepare", "--out", "o", "--dbi"], ["task1", "--data"],
    ["prepare", "--dbi", ".", "--out"], ["task4", "--weights"], ["task1", "--resume"]])
def test_a_path_that_cannot_be(argv, path, capsys):
    make()
    refused(capsys, [*argv, path])


def test_a_network_in_a_file_that_cannot_be(capsys):
    make()
    refused(capsys, [*CLASSIFY, "--arch", f"{LONG}.py:Net"], "there is no file")


@pytest.mark.parametrize("error, words", [
    (PermissionError(13, "Permission denied", "shut/a\nb"), r"cannot use 'shut/a\nb': Permission"),
    (OSError(28, "No space left on device"), "cannot use a file: No space left on device"),
    (MemoryError("Unable to allocate 9 TiB"), "not enough memory: Unable to allocate 9 TiB; ask"),
    (MemoryError(), "not enough memory: the system gives no more; ask for less")])
def test_what_no_command_expects_of_the_system_is_one_line(error, words, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(cli, "_asked", fail)
    refused(capsys, ["q3"], words)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_work_and_print_on_one_line(name, capsys):
    make()
    for path in (f"{name}.png", f"{name}.json"):
        Path(path).touch()
    Image.new("RGB", (40, 40)).save(f"{name}.png")
    Path(f"{name}.json").write_text(json.dumps([f"{name} {i}" for i in range(10)]))
    assert main(["classify", f"{name}.png", "--weights", "w.safetensors", "--classes",
                 f"{name}.json", "--out", name]) == 0
    out, err = capsys.readouterr()
    assert out.replace("\n", "").isprintable() and err.replace("\n", "").isprintable()
    assert f"\n{terminal.shown(f'{name}.png')}\n" in out
    page = Path(name, "classify.html").read_bytes().decode()        # which is UTF-8
    assert "\x1b" not in page
    refused(capsys, ["q1", "--image", f"{name}/{name}.png"], "cannot read image")
    refused(capsys, [f"{name}/"], "unknown name")


def test_a_fifo_or_a_device_is_never_waited_for(capsys):
    make()
    os.mkfifo("fifo")
    for name in ("config.json", "claims.json", "history.jsonl"):
        Path("runs", name[:2]).mkdir(parents=True)
        os.mkfifo(Path("runs", name[:2], name))
    refused(capsys, ["--resume", "runs/co"], "it is a FIFO")
    refused(capsys, ["train", "--resume", "runs/co"], "it is a FIFO")
    assert main(["runs", "--in", "runs"]) == 0 and "it is a FIFO" in capsys.readouterr().out
    for path in ("fifo", "/dev/zero"):
        for argv, what in ((["classify", path, "--weights", "w.safetensors"], "it is a"),
                           ([*CLASSIFY, "--classes", path], "it is a"),
                           (["classify", "p.png", "--weights", path], "not a regular file"),
                           (["q1", "--image", path], "it is a"),
                           (["task1", "--data", path], "not a folder"), (["check", path], "Not a"),
                           (["prepare", "--out", "o", "--dbi", path], "neither a file nor")):
            refused(capsys, argv, what)


@pytest.mark.filterwarnings("error")
def test_a_training_with_odd_names_of_classes(capsys):
    rng = np.random.default_rng(0)
    for name in ODD_NAMES[:5]:
        Path("photos", name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(
                Path("photos", name, f"{i}$$.png"))
    argv = ["train", "photos", "--epochs", "1", "--size", "16", "--out", "run"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert (out + err).replace("\n", "").isprintable() and "Warning" not in err
    page = Path("run/report.html").read_bytes().decode()
    assert "a$$b" in page and "nu\\udcff" in page and "\x1b" not in page
    assert json.loads(Path("run/training/config.json").read_text())
    make()
    assert main(["classify", "p.png", "--weights", "run", "--out", "o"]) == 0
    assert "'nu\\udcff'" in capsys.readouterr().out
    assert main(["check", "photos", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["classes"]) == set(ODD_NAMES[:5])


# --- the screen ----------------------------------------------------------------------------------

def test_what_moves_the_cursor_is_escaped(capsys, monkeypatch):
    screen = terminal.Screen(terminal.sys.stdout)
    screen.print(["a\x1b[2Kb\x07", "two\nlines", "nu\udcff", "é 日本 \u00a0"])
    with terminal.progress("x\ny\x1b[31m", 0, 1):
        pass
    out, err = capsys.readouterr()
    assert out == "a\\x1b[2Kb\\x07\ntwo\nlines\nnu\\udcff\né 日本\n"
    assert err.startswith("[1/1] x\\ny\\x1b[31m: done")
    monkeypatch.setattr(terminal, "is_live", lambda stream: True)
    live = terminal.Screen(terminal.sys.stdout)
    live.print([live.paint("bold", "bold") + "\x1b[2K"])
    assert capsys.readouterr().out == "\x1b[1mbold\x1b[0m\\x1b[2K\n"


# --- names of classes ----------------------------------------------------------------------------

@pytest.mark.parametrize("text", [
    '{"%s": 0}', '{"class_to_idx": {"%s": 0}}', '{"classes": ["%s"]}', '{"0": "%s"}',
    '{"classes": {"0": "%s"}}', '["%s"]'])
def test_forms_of_class_lists(text, tmp_path):
    from experiments.commands.classify import _read_names

    (tmp_path / "c.json").write_text(text % "a dog")
    assert _read_names(str(tmp_path / "c.json")) == ["a dog"]
    (tmp_path / "c.json").write_text('{"z": 1, "b": 0, "a": 2}')
    assert _read_names(str(tmp_path / "c.json")) == ["b", "z", "a"]


@pytest.mark.parametrize("name, data", [
    ("c.json", b"[[]]"), ("c.json", b""), ("c.json", bytes(range(256))), ("c.json", b"null"),
    ("c.json", b'"abc"'), ("c.json", b"[1, 2]"), ("c.json", b'{"a": {}}'), ("c.json", b"[]"),
    ("c.json", b"{}"), ("c.json", b"[" * 100000), ("c.json", b'{"a": 0, "b": 2}'),
    ("c.json", b'{"a": 0, "b": 0}'), ("c.json", b'["a", ""]'), ("c.json", b'{"a": true}'),
    ("c.txt", b""), ("c.txt", b"\n \n"), ("c.txt", b"\xff\xfe\0\0")])
def test_files_that_hold_no_class_names(name, data, capsys):
    make()
    Path(name).write_bytes(data)
    refused(capsys, [*CLASSIFY, "--classes", name], "classes c.")


# --- sizes and weights ---------------------------------------------------------------------------

@pytest.mark.parametrize("argv", [
    [*CLASSIFY, "--size", "100000"], [*CLASSIFY, "--size", "-1"],
    ["train", ".", "--size", "100000"], ["train", ".", "--size", "9" * 5000],
    ["train", ".", "--batch", "9999999"],
    ["summary", "resnet18", "--size", "100000"], ["summary", "resnet18", "--batch", "1000000000"]])
def test_sizes_that_cannot_be(argv, capsys):
    make()
    start = time.monotonic()
    refused(capsys, argv)
    assert time.monotonic() - start < 5             # nothing was tried


def test_weights_that_are_no_numbers(capsys):
    make(linear_bias=np.float32(np.nan))
    refused(capsys, CLASSIFY, "the network answers nan: its weights linear.bias hold nan")
    make(linear_weight=np.float32(np.inf))
    refused(capsys, CLASSIFY, "the network answers nan: its weights linear.weight hold inf")
    make(linear_weight=np.float32(3e38))
    refused(capsys, CLASSIFY, "its weights are finite, but too large")


# --- figures -------------------------------------------------------------------------------------

def texts(figure):
    """What is drawn, as it is after matplotlib has looked for formulas."""
    from matplotlib.text import Text

    return [text._preprocess_math(text.get_text())[0] for text in figure.findobj(Text)
            if text.get_text()]


@pytest.mark.filterwarnings("error")
def test_names_are_drawn_as_they_are_and_no_formula(tmp_path):
    line = {"epoch": 1, "train": {"loss": 1.0, "accuracy": 0.5}, "valid": {"loss": 1.0,
                                                                           "accuracy": 0.5}}
    n = len(ODD_NAMES)
    score = Score(tuple(ODD_NAMES), tuple(map(str, range(n))), np.arange(n), np.arange(n)[::-1],
                  np.full(n, 0.5))
    history = History([line])
    for name, draw, shown in [
            ("confusions", lambda: plots.confusions({"a$$b": [score]}), ODD_NAMES),
            ("by_class", lambda: plots.by_class({"a$$b": [score]}), ODD_NAMES),
            ("curves", lambda: plots.curves({"a$$b": [history]}), [])]:
        assert save_figure(draw, name, tmp_path) == [f"figures/{name}.{kind}"
                                                     for kind in ("svg", "png")]
        found = texts(draw())
        assert {"a$$b", *(terminal.escaped(name) for name in shown)} <= set(found)
    page = sheets.sheet([(title(name), [sheets.Picture(str(photo()), (title(name),))])
                         for name in ODD_NAMES])
    assert page.height > 100 * n
    assert literal("a$b") == r"a\$b"
    assert short("a" * 250) == "a" * 23 + "…" and literal(short("$" * 24)) == r"\$" * 24


@pytest.mark.filterwarnings("error")
def test_a_long_name_leaves_room_in_a_figure(tmp_path):
    classes = "a" * 250, "b"
    score = Score(classes, ("0", "1"), np.arange(2), np.arange(2), np.full(2, 0.5))
    for draw in plots.confusions, plots.by_class:
        save_figure(lambda: draw({"c": [score]}), "long", tmp_path)
        assert "a" * 23 + "…" in texts(draw({"c": [score]}))


def photo():
    Image.new("RGB", (9, 9)).save("photo.png")
    return Path("photo.png")


def test_a_score_knows_the_files_of_odd_names(tmp_path):
    from experiments.tasks.scores import files
    from experiments.tasks.task5_origin import balanced
    from minigrad.data import ImageFolder, Subset

    for root in ("dbi", "sdd"):
        for name in ODD_NAMES[:4]:
            Path(root, name).mkdir(parents=True)
            Image.new("RGB", (9, 9)).save(Path(root, name, "x\n.png"))
    dbi, sdd = map(ImageFolder, ("dbi", "sdd"))
    assert all(map(os.path.exists, files(Subset(dbi, [3, 1]))))
    assert sorted(files(balanced(dbi, sdd, 0))) == sorted([*files(dbi), *files(sdd)])
    assert not any(map(os.path.exists, map(dbi.name, range(4))))
