"""`python -m experiments summary` and `classify`: tables, guesses, pages, mistakes in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments.cli import main
from experiments.commands import classify
from minigrad.data import Compose, Normalize, Resize, ToArray
from minigrad.data.specs import to_spec
from minigrad.models import architecture, cifar_resnet20, resnet18, small_cnn
from minigrad.weights import load, save
from tests.places import EARLIER


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
def test_summary_counts_the_parameters(name, parameters, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")        # or the tests' own terminal would be asked
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
    monkeypatch.setattr(classify, "guesses", lambda network, photo: seen.append(
        network.prepare(photo).shape) or [classify.Guess("a", 1.0)])
    for more in (["weights.safetensors"], ["resnet.safetensors"],
                 ["resnet.safetensors", "--size", "64", "--arch", "resnet18"]):
        assert main(["classify", "photo.png", "--out", "o", "--weights", *more]) == 0
    assert seen == [(3, 32, 32), (3, 224, 224), (3, 64, 64)]


@pytest.mark.parametrize("argv, message", [
    (["missing.jpg"], "cannot read image missing.jpg: No such file"),
    (["bad.txt"], "cannot read image bad.txt: it is no JPEG, PNG, GIF"),
    (["photo.png", "--weights", "missing.pth"], "cannot read weights missing.pth: No such file"),
    (["photo.png", "--weights", "bad.txt"], "bad.txt: neither a file of torch.save nor"),
    (["photo.png", "--weights", "other.safetensors"], "say which it is with --arch NAME or"),
    (["photo.png", "--arch", "resnet18"], "are weights of cifar_resnet20, not of resnet18"),
    (["photo.png", "--arch", "lenet5"], "are weights of cifar_resnet20, not of lenet5"),
    (["photo.png", "--arch", "resnet"], "--arch resnet: use one of lenet5 small_cnn resnet18"),
    (["photo.png", "--colours", "plain"], "--colours is for --size"),
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


# --- what the weights record ---------------------------------------------------------------------

PETS = ["cat", "dog", "ünder the bed"]


def record(favourite=1, classes=PETS, path="run/checkpoints/best.safetensors", size=16, **more):
    """The best file of a run as `fit` writes it: a small_cnn that always answers `favourite`."""
    make()
    mg.manual_seed(0)
    model = small_cnn(len(classes), size=size)
    model[17].weight.data *= 0
    model[17].bias.data[favourite] = 5
    view = Compose([Resize((size, size)), ToArray(), Normalize((0.5,) * 3, (0.25,) * 3)])
    about = {"minigrad": "9.9", "classes": json.dumps(classes),
             "architecture": json.dumps(architecture(model)),
             "preprocessing": json.dumps(to_spec(view)), **more}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save(path, model.state_dict(), {key: text for key, text in about.items() if text})
    return model


def said(capsys):
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, [line.rpartition("  ")[0].strip(" █░") for line in out.splitlines()
                 if line.startswith("  ") and line.endswith("%")]


@pytest.mark.parametrize("weights", ["run", "run/checkpoints/best.safetensors"])
def test_recorded_weights_need_no_option(weights, capsys):
    record(favourite=2)
    assert main(["classify", "photo.png", "--weights", weights, "--out", "o"]) == 0
    out, names = said(capsys)
    assert names[0] == "ünder the bed" and set(names) == set(PETS)
    html = Path("o/classify.html").read_text()
    for text in map(" ".join, (out.split(), html.split())):
        assert "small_cnn, weights run/checkpoints/best.safetensors" in text
        assert "3 names, recorded with the weights" in text
        assert "16 x 16, mean 0.5 0.5 0.5, std 0.25 0.25 0.25, recorded with the weights" in text


@pytest.mark.parametrize("names, message", [
    (["dog", "cat", "ünder the bed"], "its order contradicts the weights, which record class 0 as "
                                      "'cat', not 'dog'; leave --classes out"),
    (["Katze", "Hund", "x"], "its names are not those that the weights record, 'cat', 'dog'"),
    (["cat", "dog"], "its names are not those that the weights record")])
def test_names_that_contradict_the_recorded_ones(names, message, capsys):
    record()
    Path("names.txt").write_text("\n".join(names))
    assert main(["classify", "photo.png", "--weights", "run", "--classes", "names.txt"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1


def test_names_and_size_that_agree_are_taken(capsys):
    record()
    Path("names.txt").write_text("\n".join(PETS))
    assert main(["classify", "photo.png", "--weights", "run", "--classes", "names.txt",
                 "--size", "16"]) == 0
    assert said(capsys)[1][0] == "dog"


@pytest.mark.parametrize("more, message", [
    (["--size", "32"], "--size 32 contradicts the weights, which record their preprocessing: 16 x"),
    (["--size", "16", "--colours", "plain"], "--colours is for --size, where the weights record"),
    (["--arch", "lenet5"], "these are no weights of lenet5")])
def test_options_that_contradict_what_is_recorded(more, message, capsys):
    record()
    assert main(["classify", "photo.png", "--weights", "run", *more]) == 2
    assert message in capsys.readouterr().err


def test_another_number_of_recorded_names(capsys):
    record(classes=PETS)
    mg.manual_seed(0)
    state = small_cnn(4, size=16).state_dict()
    save("w.safetensors", state, {"minigrad": "9.9", "classes": json.dumps(PETS)})
    assert main(["classify", "photo.png", "--weights", "w.safetensors", "--arch", "small_cnn",
                 "--size", "16"]) == 2
    assert "it records 3 class names, and its network has 4 outputs" in capsys.readouterr().err


def test_what_is_missing_is_named_with_the_option_that_gives_it(capsys):
    record(path="w.safetensors", classes=PETS, preprocessing="", architecture="")
    assert main(["classify", "photo.png", "--weights", "w.safetensors"]) == 2
    assert "say which it is with --arch NAME or --arch FILE.py:NAME" in capsys.readouterr().err
    more = ["--weights", "w.safetensors", "--arch", "small_cnn"]
    assert main(["classify", "photo.png", *more]) == 2
    assert "give their size in training with --size N" in capsys.readouterr().err
    assert main(["classify", "photo.png", *more, "--size", "20"]) == 2
    assert "may need another --size" in capsys.readouterr().err
    assert main(["classify", "photo.png", *more, "--size", "16", "--colours", "plain"]) == 0
    out, names = said(capsys)
    assert names[0] == "dog" and "16 x 16, values 0 to 1, as --size asks" in out


def test_an_earlier_run_of_the_tasks(capsys):
    make()
    run = next((EARLIER / "run").glob("task2-*"))
    assert main(["classify", "photo.png", "--weights", str(run), "--arch", "small_cnn", "--size",
                 "64", "--colours", "plain"]) == 0
    out, names = said(capsys)
    assert set(names) == {"class 0", "class 1"}
    assert "no names are recorded with the weights; give them with --classes FILE" in out


# --- networks of one's own -----------------------------------------------------------------------

OWN = """
from helper import SIDE
from minigrad import nn
class Own(nn.Module):
    def __init__(self, num_classes=3):
        self.head = nn.Linear(3 * SIDE * SIDE, num_classes)
    def forward(self, x):
        return self.head(x.reshape(len(x), -1))
def four(): return Own(4)
def by_number(n): return Own(n)
made = Own(3)
word = "no network"
def wrong(): raise KeyError("no\\nluck")
def text(): return "Own"
def leave(): raise SystemExit("bye")
builtin = dict
class Raises(Own):
    def forward(self, x): raise KeyError("no luck")
class Pair(Own):
    def forward(self, x): return super().forward(x), 1
class Single(Own):
    def forward(self, x): return super().forward(x)[0]
"""


def own(**without):
    from minigrad import nn
    record(architecture="")
    Path("my nets.py").write_text(OWN)
    Path("helper.py").write_text("SIDE = 16")
    head = nn.Linear(3 * 16 * 16, 3)
    head.bias.data[:] = 0, 0, 9
    about = {**load("run/checkpoints/best.safetensors").metadata, **without}
    save("run/checkpoints/best.safetensors", {
        "head.weight": head.weight.data * 0, "head.bias": head.bias.data},
        {key: text for key, text in about.items() if text})


@pytest.mark.parametrize("name", ["Own", "by_number", "made"])
def test_a_network_from_the_users_file(name, capsys):
    own()
    assert main(["classify", "photo.png", "--weights", "run", "--arch", f"my nets.py:{name}"]) == 0
    out, names = said(capsys)
    assert names[0] == "ünder the bed" and f"my nets.py:{name}, weights run" in out


@pytest.mark.parametrize("arch, message", [
    ("my nets.py:four", "wrong shapes or dtypes: head.weight"),
    ("my nets.py:word", "it is a str, neither a network nor a class"),
    ("my nets.py:wrong", "KeyError: 'no\\nluck' (my nets.py, line 13)"),
    ("my nets.py:text", "it made a str, not an nn.Module"),
    ("my nets.py:leave", "my nets.py:leave: SystemExit: bye (my nets.py, line 15)"),
    ("my nets.py:builtin", "my nets.py:builtin: ValueError: no signature found"),
    ("my nets.py:Raises", "the network cannot take photographs as they are prepared, 3x16x16: 'no"),
    ("my nets.py:Pair", "the network answers tuple for one photograph, not a Tensor of shape (1"),
    ("my nets.py:Single", "the network answers Tensor of shape (3,) for one photograph"),
    ("exits.py:Own", "the file cannot be run: SystemExit: 3 (exits.py, line 1)"),
    ("my nets.py:Other", "no 'Other' in the file; it has Own, four, by_number, made, wrong"),
    ("missing.py:Own", "there is no file missing.py"),
    ("broken.py:Own", "the file cannot be run: SyntaxError")])
def test_mistakes_with_own_networks(arch, message, capsys):
    own()
    Path("broken.py").write_text("class")
    Path("exits.py").write_text("raise SystemExit(3)")
    assert main(["classify", "photo.png", "--weights", "run", "--arch", arch]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1, err


def test_an_own_network_without_recorded_classes(capsys):
    own(classes="")
    argv = ["classify", "photo.png", "--weights", "run", "--arch", "my nets.py:by_number"]
    assert main(argv) == 2
    assert "give their names with --classes FILE" in capsys.readouterr().err
    Path("two.txt").write_text("a\nb\n")
    assert main([*argv, "--classes", "two.txt"]) == 2
    assert "wrong shapes" in capsys.readouterr().err
    Path("three.txt").write_text("a\nb\nc\n")
    assert main([*argv, "--classes", "three.txt"]) == 0
    assert said(capsys)[1][0] == "c"
    assert main([*argv[:-1], "my nets.py:made", "--classes", "two.txt"]) == 2
    assert "there are 2 names, and the network has 3 outputs" in capsys.readouterr().err


# --- photographs that cannot be read, and narrow screens -----------------------------------------

def test_a_corrupt_photo_does_not_stop_the_list(capsys):
    record()
    Path("cut <b>.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    assert main(["classify", "cut <b>.jpg", "photo.png", "missing.jpg", "photo.png", "--weights",
                 "run", "--out", "o"]) == 1
    out, err = capsys.readouterr()
    places = [out.index(text) for text in ("cut <b>.jpg: it is damaged or cut off", "photo.png",
                                           "missing.jpg: No such file")]
    assert places == sorted(places) and out.rindex("photo.png") > places[-1]
    assert err.splitlines()[-1] == "experiments: 2 of 4 photographs cannot be read"
    html = Path("o/classify.html").read_text()
    assert html.count("data:image/jpeg") == 2 and html.count('class="claim wrong"') == 2
    assert "cut &lt;b&gt;.jpg: it is damaged" in html and "<b>" not in html


def test_no_photo_that_can_be_read(capsys):
    record()
    assert main(["classify", "a.jpg", "b.jpg", "--weights", "run"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and not Path("results").exists()
    assert err == ("experiments: error: none of 2 photographs can be read; the first: cannot read "
                   "image a.jpg: No such file or directory\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_the_screen(columns, monkeypatch, capsys):
    names = ["a", "golden retriever", "a very long name of a class that does not fit in 40 columns",
             "e\x1b[31m"]
    record(classes=names)
    Path("cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["classify", "photo.png", "cut.jpg", "--weights", "run"]) == 1
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if not line.startswith("Page: ")]
    assert max(map(len, lines)) <= min(columns, 80)
    assert "\x1b" not in out and "'e\\x1b[31m'" in out


def test_bars_where_there_is_room(monkeypatch, capsys):
    record()
    for columns, bar in ((40, 15), (80, 30), (200, 30)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["classify", "photo.png", "--weights", "run"]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("%")]
        assert {line.count("█") + line.count("░") for line in lines} == {bar}
