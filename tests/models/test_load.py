"""`models.load`: a network from a file or folder, with class names and preprocessing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad import nn
from minigrad.data import Compose, Normalize, Resize, ToArray
from minigrad.data.specs import to_spec
from minigrad.models import (Preprocess, architecture, cifar_resnet20, lenet5, load, locate,
                             resnet18, small_cnn)
from minigrad.train.folder.checkpoint import write
from minigrad.weights import WeightsError, save
from tests.one_line import one_line
from tests.places import EARLIER
from tests.train.training_run import network

VIEW = Compose([Resize((16, 16)), ToArray(), Normalize((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))])
PETS = ["cat", "dog", "ünder the bed"]


def facts(model, classes=PETS, view=VIEW):
    """As `fit` writes them."""
    return {"minigrad": "9.9", "classes": json.dumps(classes), "epoch": "4", "valid.loss": "0.25",
            "preprocessing": json.dumps(to_spec(view)),
            "architecture": json.dumps(architecture(model))}


def make(model=None, path="best.safetensors", **more):
    """A file of a network, with all that is known of it."""
    mg.manual_seed(0)
    model = model or small_cnn(3, size=16)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, model.state_dict(), {**facts(model), **more})
    return model.eval()


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def images(channels=3, size=16):
    rng = np.random.default_rng(1)
    return mg.Tensor(rng.standard_normal((2, channels, size, size)).astype(np.float32))


# --- what fit has recorded -----------------------------------------------------------------------

@pytest.mark.parametrize("build", [
    lambda: small_cnn(3, size=16, dropout=0.1), lambda: resnet18(3, width=8),
    lambda: cifar_resnet20(3), lambda: nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))])
def test_a_recorded_network_needs_nothing_else(build):
    model = make(build())
    found = load("best.safetensors")
    assert np.array_equal(found.model(images()).data, model(images()).data)
    assert not any(module.training for _, module in found.model.named_modules())
    assert found.classes == PETS and found.path == "best.safetensors"
    assert found.architecture == architecture(model)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8))
    assert np.array_equal(found.preprocess(photo), VIEW(photo))
    assert "epoch 4, minigrad 9.9" not in found.about and "recorded:" not in found.about
    assert "3 classes: 'cat', 'dog'" in found.about


def test_the_weights_may_be_changed():
    """And trained further: the arrays of the file itself are read-only."""
    make()
    p = next(load("best.safetensors").model.parameters())
    p.data += 1


def test_a_network_of_an_own_class_has_to_be_given():
    class Own(nn.Module):
        def __init__(self):
            self.head, self.body = nn.Linear(4, 3), nn.Linear(2, 4)

        def forward(self, x):
            return self.head(self.body(x))

    model = make(Own())
    with one_line(WeightsError, "best.safetensors", "does not record of which network", "model="):
        load("best.safetensors")
    found = load("best.safetensors", model=Own())
    assert found.architecture is None and found.classes == PETS and found.model is not model
    assert np.array_equal(found.model.body.weight.data, model.body.weight.data)
    assert "Own" in found.about and "no architecture recorded" in found.about


@pytest.mark.parametrize("build", [lambda: small_cnn(4, size=16), lambda: resnet18(2, width=8)])
def test_another_number_of_names_than_outputs_is_an_error(build):
    make(build())
    with one_line(WeightsError, "best.safetensors: it records 3 class names, and its network has"):
        load("best.safetensors")


@pytest.mark.parametrize("key, text, words", [
    ("classes", "[", "records as classes is no JSON"), ("classes", "{}", "no list of names"),
    ("classes", "[]", "no list of names"), ("classes", "[1, 2, 3]", "no list of names"),
    ("preprocessing", '[{"name": "os"}]', "best.safetensors"), ("preprocessing", "7", "best"),
    ("architecture", "[" * 9999, "records as architecture is no JSON"),
    ("architecture", '{"layer": "Linear(2, 2)"}', "missing: weight, bias"),
    ("architecture", '{"layer": "Linear(20000, 20000)"}', "more numbers than it may"),
    ("architecture", '"Linear"', "expected a table")])
def test_a_damaged_record_is_an_error(key, text, words):
    make(**{key: text})
    with one_line(WeightsError, "best.safetensors", words):
        load("best.safetensors")


def test_records_of_other_programs_are_not_taken_for_ours():
    save("other.safetensors", cifar_resnet20(10).state_dict(), {"classes": "a b c"})
    assert load("other.safetensors").classes is None


# --- what has none -------------------------------------------------------------------------------

@pytest.mark.parametrize("build, name", [
    (lambda: resnet18(5, width=8), None), (lambda: cifar_resnet20(3), None),
    (lambda: resnet18(2, width=16), "resnet18"), (lambda: lenet5(4), "lenet5"),
    (lambda: lenet5(4, "1998"), "lenet5"), (lambda: small_cnn(3, size=20, dropout=0), "small_cnn")])
def test_sizes_are_told_from_the_tensors(build, name):
    model = build().eval()
    save("w.safetensors", model.state_dict())
    found = load("w.safetensors", name)
    assert found.architecture["name"] == architecture(model)["name"]
    x = images(*(1, 32) if name == "lenet5" else (3, 20))
    assert np.array_equal(found.model(x).data, model(x).data)
    assert found.classes is None and found.preprocess is None
    for what in ("class names", "preprocessing", "architecture"):
        assert f"no {what} recorded: " in found.about


@pytest.mark.parametrize("name, error, words", [
    ("resnet34", WeightsError, "are weights of cifar_resnet20, not of resnet34"),
    ("small_cnn", WeightsError, "are weights of cifar_resnet20, not of small_cnn"),
    ("resnet99", ValueError, "no network 'resnet99'; there are: lenet5, small_cnn")])
def test_the_wrong_name(name, error, words):
    save("w.safetensors", cifar_resnet20().state_dict())
    with one_line(error, words):
        load("w.safetensors", name)


@pytest.mark.parametrize("name", [None, "small_cnn", "lenet5", "resnet18"])
def test_tensors_of_something_else(name):
    save("w.safetensors", {"x\n": np.zeros(3, np.float32)})
    with one_line(WeightsError, "w.safetensors: ", "no weights of" if name else "model="):
        load("w.safetensors", name)


def test_what_earlier_versions_wrote():
    best = EARLIER / "fit" / "checkpoints" / "best.safetensors"
    with one_line(WeightsError, str(best), "written by an earlier version", "model="):
        load(best)
    for path in (best, EARLIER / "fit"):
        found = load(path, model=network())
        assert found.classes is None and found.preprocess is None and found.path == str(best)
        assert "no class names recorded" in found.about
    run = next((EARLIER / "run").glob("task2-*"))
    found = load(run, model="small_cnn")
    assert found.architecture["arguments"] == {"num_classes": 2, "dropout": 0.5, "size": 64}


def test_step_files_of_earlier_versions_too():
    step = EARLIER / "fit" / "checkpoints" / "step-00000009.safetensors"
    found = load(step, model=network())
    from minigrad.train.folder.checkpoint import read
    assert np.array_equal(found.model[6].weight.data, read(step)["model"]["6.weight"])


# --- folders -------------------------------------------------------------------------------------

def step_file(path, model, step, **about):
    write(path, {"step": step, "model": model.state_dict(), **about,
                 "optimizer": {"state": {"0": {"model.x": np.zeros(2)}}}})


def test_the_newest_step_file_has_its_records():
    model = resnet18(3, width=8).eval()
    Path("run/checkpoints").mkdir(parents=True)
    about = {"minigrad": "9.9", "classes": PETS, "preprocessing": to_spec(VIEW),
             "architecture": architecture(model)}
    for step in (9, 100000000):
        step_file(f"run/checkpoints/step-{step:08d}.safetensors", model, step, about=about)
    found = load("run")
    assert found.path.endswith("step-100000000.safetensors")
    assert found.classes == PETS and found.architecture == architecture(model)
    assert repr(found.preprocess) == repr(VIEW)
    assert np.array_equal(found.model(images()).data, model(images()).data)


@pytest.mark.parametrize("text", ["[", "[1]", "{}", '{"state": 7}', '{"state": {"about": [1]}}',
                                  "[" * 9999])
def test_a_damaged_step_file(text):
    save("x.safetensors", {"model.x": np.zeros(1, np.float32)}, {"training": text})
    with one_line(WeightsError, "x.safetensors: no checkpoint of a training run"):
        load("x.safetensors")


def test_the_best_epoch_of_a_run_comes_first():
    make(path="run/checkpoints/best.safetensors")
    step_file("run/checkpoints/step-00000001.safetensors", small_cnn(9, size=16), 1)
    best = "run/checkpoints/best.safetensors"
    for place in ("run", "run/checkpoints", best):
        assert locate(place) == best
    shutil.move("run", "outer/training")
    assert locate("outer") == "outer/training/checkpoints/best.safetensors"
    shutil.copytree("outer/training", "outer/another one")
    with one_line(WeightsError, "2 trainings in this folder; name one: another one, training"):
        locate("outer")


def test_a_folder_without_weights():
    Path("run/checkpoints").mkdir(parents=True)
    with one_line(WeightsError, "run: there are no weights in this folder"):
        load("run")
    with pytest.raises(FileNotFoundError):
        load("missing.safetensors")


def test_the_home_folder(monkeypatch, tmp_path):
    make(path="run/checkpoints/best.safetensors")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("~/run").classes == PETS


def test_a_preprocess_of_models_is_recorded_too():
    make(small_cnn(3, size=16), preprocessing=json.dumps(to_spec(Preprocess((16, 16)))))
    assert load("best.safetensors").preprocess == Preprocess((16, 16))
