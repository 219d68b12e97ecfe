"""`python -m experiments summary` and `classify`: tables, guesses, pages, mistakes in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments import classify
from experiments.cli import main
from minigrad.models import cifar_resnet20, resnet18
from minigrad.weights import save


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def make(n=10, favourite=3):
    """Weights of a cifar_resnet20 that always answers `favourite`, and a photograph."""
    mg.manual_seed(0)
    state = cifar_resnet20(n).state_dict()
    state["linear.weight"] *= 0
    state["linear.bias"] = np.zeros(n, np.float32)
    state["linear.bias"][favourite] = np.log(9 * (n - 1))       # probability 0.9
    save("weights.safetensors", state)
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save("photo.png")


# --- summary -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, parameters", [
    ("resnet18", "11,689,512"), ("resnet34", "21,797,672"), ("resnet50", "25,557,032"),
    ("resnext50_32x4d", "25,028,904"), ("cifar_resnet20", "269,722"), ("small_cnn", "807,639"),
    ("lenet5", "61,706")])
def test_summary_counts_the_parameters(name, parameters, capsys):
    size = ["--size", "64"] if name.startswith("resne") else []
    assert main(["summary", name, *size]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["layer", "kind", "output", "trainable", "fixed"]
    assert lines[-1].split()[:2] == ["total", parameters]


def test_summary_of_a_batch_in_macs_as_markdown(capsys):
    assert main(["summary", "resnet18", "--size", "224", "--macs", "--markdown"]) == 0
    one = capsys.readouterr().out.splitlines()
    assert "MACs" in one[0] and "1,814,073,344" in one[-1]
    assert main(["summary", "resnet18", "--size", "32", "--batch", "3", "--markdown"]) == 0
    three = capsys.readouterr().out
    assert "FLOPs" in three and "| fc | Linear | 3x1000 |" in three


@pytest.mark.parametrize("argv, message", [
    (["resnt18"], "unknown model 'resnt18': did you mean resnet18?"),
    (["zzz"], "unknown model 'zzz': use one of lenet5 small_cnn resnet18"),
    ([], "arguments are required: MODEL; see python -m experiments summary --help"),
    (["resnet18", "--size", "0"], "must be positive, got 0 and 1"),
    (["resnet18", "--batch", "x"], "invalid int value: 'x'"),
    (["small_cnn", "--size", "30"], "small_cnn cannot take 1 images of 30x30"),
    (["lenet5", "--size", "28"], "lenet5 cannot take 1 images of 28x28"),
])
def test_mistakes_of_summary(argv, message, capsys):
    assert main(["summary", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err
    assert err.splitlines()[-1].startswith("experiments: error: ")


# --- classify ------------------------------------------------------------------------------------

def test_classify_says_what_it_sees(capsys):
    make()
    assert main(["classify", "photo.png", "photo.png", "--weights", "weights.safetensors"]) == 0
    out, err = capsys.readouterr()
    rows = [line for line in out.splitlines() if line.startswith("  ")]
    assert len(rows) == 2 * classify.TOP
    assert rows[0].split()[0] == "cat" and "90.0%" in rows[0]
    assert rows[0].count("█") == 27 and rows[1].count("█") == 0
    assert "Traceback" not in err
    page, = Path("results").glob("classify-*/classify.html")
    assert str(page) in out
    html = page.read_text()
    assert html.count("data:image/jpeg;base64,") == 2 and html.count(">cat</td>") == 2
    assert "cifar_resnet20" in html and "http" not in html


@pytest.mark.parametrize("file, content", [
    ("names.txt", "zero\none\ntwo\n\n"), ("names.json", json.dumps(["zero", "one", "two"])),
    ("names.json", json.dumps({"classes": ["zero", "one", "two"]})),
    ("names.json", json.dumps({"0": "zero", "2": "two", "1": "one"})),
    ("names.json", json.dumps({"0": ["n0", "zero"], "1": ["n1", "one"], "2": ["n2", "two"]}))])
def test_names_of_classes(file, content, capsys):
    make(3, favourite=1)
    Path(file).write_text(content)
    assert main(["classify", "photo.png", "--weights", "weights.safetensors", "--classes", file,
                 "--out", "o"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:2] == "  "]
    assert names == ["one", "zero", "two"] and Path("o/classify.html").exists()


def test_without_names_classes_are_numbers(capsys):
    make(3, favourite=2)
    assert main(["classify", "photo.png", "--weights", "weights.safetensors"]) == 0
    assert "  class 2  █" in capsys.readouterr().out


def test_size_and_model_reach_the_model(capsys, monkeypatch):
    make()
    mg.manual_seed(0)
    save("resnet.safetensors", resnet18(4).state_dict())
    seen = []
    monkeypatch.setattr(classify, "guesses", lambda model, prepare, photo, names: seen.append(
        prepare(Image.fromarray(photo)).shape) or [classify.Guess("a", 1.0)])
    for more in (["weights.safetensors"], ["resnet.safetensors"],
                 ["resnet.safetensors", "--size", "64", "--arch", "resnet18"]):
        assert main(["classify", "photo.png", "--out", "o", "--weights", *more]) == 0
    assert seen == [(3, 32, 32), (3, 224, 224), (3, 64, 64)]


@pytest.mark.parametrize("argv, message", [
    (["missing.jpg"], "cannot read image missing.jpg: No such file"),
    (["bad.txt"], "cannot read image bad.txt: cannot identify image file"),
    (["photo.png", "--weights", "missing.pth"], "cannot read weights missing.pth: No such file"),
    (["photo.png", "--weights", "bad.txt"], "bad.txt: neither a file of torch.save nor"),
    (["photo.png", "--weights", "other.safetensors"], "tensors are not those of a ResNet"),
    (["photo.png", "--arch", "resnet18"], "are weights of cifar_resnet20, not of resnet18"),
    (["photo.png", "--arch", "lenet5"], "--arch lenet5: use one of resnet18 resnet34"),
    (["photo.png", "--weights", "imagenet"], "say of which model with --arch"),
    (["photo.png", "--classes", "bad.txt"], "bad.txt has 1 names, and the model 10 classes"),
    (["photo.png", "--classes", "missing.txt"], "cannot read classes missing.txt: No such file"),
    (["photo.png", "--classes", "bad.json"], "classes bad.json: neither a list of names nor"),
    (["photo.png", "--classes", "number.json"], "classes number.json: neither a list of names"),
    (["photo.png", "--size", "0"], "--size must be positive, got 0"),
    (["photo.png", "--out", "photo.png"], "cannot write results to photo.png: it is a file"),
])
def test_mistakes_of_classify(argv, message, capsys):
    make()
    Path("bad.txt").write_text("just one line")
    Path("bad.json").write_text('{"1": "one"}')
    Path("number.json").write_text("7")
    save("other.safetensors", {"w": np.zeros(3, np.float32)})
    weights = [] if "--weights" in argv else ["--weights", "weights.safetensors"]
    assert main(["classify", *argv, *weights]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err, err
    assert err.startswith("experiments: error: ") and err.count("\n") == 1
    assert not Path("results").exists()
