"""`--weights FILE` with `--entry` and `--prefix`, in every command that takes it; odd files as one
line."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli import main
from experiments.errors import UserError
from experiments.options.weights import message
from experiments.own_photos import choice, training
from experiments.results import command_line
from experiments.settings import Settings
from experiments.tasks import starts
from experiments.tasks.recipe import RECIPES
from minigrad.models import cifar_resnet20, resnet18
from minigrad.weights import WeightsError, save
from tests.weights.weights_files import storage, strides, tensor, torch_stream, torch_zip


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30)).save("photo.png")


def write(path, model, value=lambda table: table, prefix=""):
    """A file as torch.save writes it: `value` of the model's table of tensors."""
    arrays = model.state_dict()
    table = {prefix + key: tensor(storage(str(i), x.dtype.name, x.size), 0, x.shape,
                                  strides(x.shape)) for i, (key, x) in enumerate(arrays.items())}
    Path(path).write_bytes(torch_zip(value(table), {
        str(i): x.tobytes() for i, x in enumerate(arrays.values())}))


def classify(*argv):
    return main(["classify", "photo.png", "--size", "32", "--out", "o", "--weights", *argv])


@pytest.mark.parametrize("value, prefix, argv, line", [
    (lambda t: {"net": t, "acc": 1}, "", ["--entry", "net"], "taken from 'net', as asked"),
    (lambda t: [{}, {"ema": t}], "", ["--entry", "1.ema"], "taken from '1.ema', as asked"),
    (lambda t: {"model": {"arch": "x"}, "model_state_dict": t}, "_orig_mod.", [],
     "taken from 'model_state_dict', beside it: 'model'; prefix '_orig_mod.' removed"),
    (lambda t: t, "net.", ["--prefix", "net."], "prefix 'net.' removed")])
def test_classify_takes_the_entry_and_says_so(value, prefix, argv, line, capsys):
    write("w.pth", cifar_resnet20(), value, prefix)
    assert classify("w.pth", *argv) == 0
    assert line in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("argv, message", [
    (["net.pth"], "to be named as --entry NAME: 'net' (tensors: 116)"),
    (["net.pth", "--entry", "x"], "it has no entry 'x'; entries with tensors: 'net'"),
    (["net.pth", "--entry", "net", "--prefix", "x."], "none of its names begins with 'x.'"),
    (["module.pth", "--prefix", "none"], "say which it is with --arch NAME"),
    (["imagenet", "--arch", "resnet18", "--entry", "x"], "--entry is for weights of a file"),
    (["net-deadbeef.pth"], "damaged, or renamed (then give it a name without these digits)"),
    (["pipe"], "pipe: not a regular file"), (["empty"], "empty: the file is empty"),
    (["x" * 300], "cannot read weights xxx"), (["photo.png/x"], "Not a directory"),
    (["two\nlines"], "two\\nlines': neither a file of torch.save"), (["."], "no weights in this")])
def test_odd_weights_are_one_line(argv, message, capsys):
    write("net.pth", cifar_resnet20(), lambda table: {"net": table})
    write("module.pth", cifar_resnet20(), prefix="module.")
    Path("net-deadbeef.pth").write_bytes(torch_stream({}))
    os.mkfifo("pipe")
    Path("empty").touch()
    Path("two\nlines").write_text("x")
    assert classify(*argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
    assert err.startswith("experiments: error: ")
    assert "entry=" not in err and "verify=" not in err and "model=" not in err


def test_advice_of_load_names_options_of_the_commands():
    error = WeightsError("w: no CRC-32: to load it unchecked, pass verify=False")
    assert "minigrad.weights.load(FILE, verify=False) in Python, then save" in message(error)


def test_train_starts_from_an_entry():
    model = cifar_resnet20(3)
    write("w.pth", model, lambda table: {"net": table, "epoch": 1}, prefix="part.")
    given = {"weights": "w.pth", "entry": "net", "prefix": "part."}
    plan = choice.choose(given)
    assert plan.arch == "cifar_resnet20" and plan.entry == "net"
    built = training.build(plan, 3).state_dict()
    assert all(np.array_equal(x, built[key]) for key, x in model.state_dict().items())
    for given, words in (({"weights": "w.pth"}, "--entry NAME: 'net'"),
                         ({"entry": "net"}, "--entry is for weights of a file"),
                         ({"weights": "imagenet", "prefix": "x"}, "--prefix is for weights of"),
                         ({"weights": "x" * 300}, "there is no such file"),
                         ({"weights": "~nobody here/x"}, "there is no such file")):
        with pytest.raises(UserError, match=words):
            choice.choose(given)


def test_the_tasks_start_from_an_entry():
    model = resnet18(3)
    write("w.pth", model, lambda table: {"net": table, "epoch": 1}, prefix="part.")
    settings = Settings(weights=("w.pth",), entry="net", prefix="part.")
    starts.check_weights(settings)
    assert starts.available(settings, RECIPES["quick"]) == ["ResNet-18"]
    start = starts.find_start("ResNet-18", settings, RECIPES["quick"])
    assert start.source == "pretrained, w.pth"
    built = start.build(2).state_dict()
    assert all(np.array_equal(x, built[key]) for key, x in model.state_dict().items()
               if not key.startswith("fc."))
    assert "--weights w.pth --entry net --prefix part." in command_line(["task4"], settings)
    with pytest.raises(UserError, match="--entry NAME: 'net'"):
        starts.check_weights(Settings(weights=("w.pth",)))


@pytest.mark.parametrize("names, argv, message", [
    (["task4"], ["--entry", "x"], "--entry is for weights of a file; give that with --weights"),
    (["task4"], ["--weights", "standin", "--prefix", "x"], "--prefix is for weights of a file"),
    (["q1"], ["--entry", "x"], "--entry is for the tasks"),
    (["task4"], ["--weights", "w.safetensors", "--entry", "x"], "w.safetensors: it has no entry")])
def test_options_of_the_tasks_without_a_use(names, argv, message, capsys):
    save("w.safetensors", {"w": np.zeros(3)})
    assert main([*names, *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
