"""What earlier versions wrote is read for good: see fixtures/earlier/make.py."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from experiments.options import verification
from experiments.tasks.recipe import RECIPES
from minigrad import nn, optim
from minigrad.optim import lr_scheduler
from minigrad.train import History
from minigrad.train.folder.checkpoint import Checkpoints, read
from minigrad.weights import load
from tests.places import EARLIER, ROOT
from tests.train.training_run import EPOCHS, network, objects, train


@pytest.fixture
def earlier(tmp_path):
    """A copy, to go on in."""
    return shutil.copytree(EARLIER, tmp_path / "earlier")


@pytest.fixture
def elsewhere(monkeypatch):
    """As if on another machine."""
    from minigrad.train.folder import run_folder
    here = run_folder.environment()
    monkeypatch.setattr(run_folder, "environment", lambda: {**here, "cpus": 1 + here["cpus"]})


def test_a_run_goes_on_where_it_was_stopped(earlier, tmp_path, elsewhere, caplog):
    train(earlier / "fit")
    assert "last bits may differ from an uninterrupted run; it was saved with" in caplog.text
    train(tmp_path / "straight")
    (path, there), (other, straight) = (
        Checkpoints(folder / "checkpoints").load()
        for folder in (earlier / "fit", tmp_path / "straight"))
    assert path.name == other.name == "step-00000060.safetensors"
    for name, array in straight["model"].items():
        np.testing.assert_allclose(there["model"][name], array, rtol=1e-4, atol=1e-5)
    lines = History.read(earlier / "fit" / "history.jsonl")
    assert lines.column("epoch") == list(range(1, EPOCHS + 1))
    assert lines[0] == History.read(EARLIER / "fit" / "history.jsonl")[0]


def test_a_best_file_fits_the_model_it_was_made_of():
    best = load(EARLIER / "fit" / "checkpoints" / "best.safetensors")
    assert best.metadata["epoch"] == "1" and float(best.metadata["valid.loss"]) > 0
    model = network()
    model.load_state_dict(best)
    step = read(EARLIER / "fit" / "checkpoints" / "step-00000006.safetensors")
    assert step["epoch"] == 1
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, step["model"][name])


def test_a_step_file_has_all_that_is_needed_to_go_on():
    state = read(EARLIER / "fit" / "checkpoints" / "step-00000009.safetensors")
    assert (state["step"], state["epoch"], state["places"]["train"]["position"]) == (9, 1, 3)
    model, _, _, how = objects()
    model.load_state_dict(state["model"])
    how["scheduler"].load_state_dict(state["scheduler"])
    assert how["scheduler"].last_epoch == 9


@pytest.mark.parametrize("name, make, schedule", [
    ("sgd", lambda p: optim.SGD(p, lr=9.0), lambda o: lr_scheduler.StepLR(o, 9)),
    ("adam", lambda p: optim.Adam(p, lr=9.0), lambda o: lr_scheduler.CosineAnnealingLR(o, 9)),
    ("adamw", lambda p: optim.AdamW([{"params": p[:1]}, {"params": p[1:]}], lr=9.0),
     lambda o: lr_scheduler.OneCycleLR(o, 9.0, total_steps=9))])
def test_states_of_optimizers_and_schedulers_load(name, make, schedule):
    """And the next step is the one that would have come then."""
    saved = read(EARLIER / "states.safetensors")[name]
    parameters = [nn.Parameter(array) for array in saved["parameters"]]
    optimizer = make(parameters)
    scheduler = schedule(optimizer)
    state = saved["optimizer"]
    optimizer.load_state_dict({**state, "state": {int(k): v for k, v in state["state"].items()}})
    scheduler.load_state_dict(saved["scheduler"])
    assert scheduler.last_epoch == 5
    assert [group["lr"] for group in optimizer.param_groups] == [
        group["lr"] for group in state["param_groups"]]
    again = optimizer.state_dict()
    for number, entries in state["state"].items():
        for key, value in entries.items():
            np.testing.assert_array_equal(again["state"][int(number)][key], value)
    assert scheduler.state_dict() == {**scheduler.state_dict(), **saved["scheduler"]}


def test_the_state_of_a_loss_scaler_loads():
    saved = read(EARLIER / "states.safetensors")["scaler"]
    scaler = optim.GradScaler(init_scale=2.0)
    scaler.load_state_dict(saved)
    assert scaler.get_scale() == saved["scale"] == 65536


def resume(folder):
    """`python -m experiments --resume run` beside its photos."""
    return subprocess.run([sys.executable, "-m", "experiments", "--resume", "run"], cwd=folder,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
                          capture_output=True, timeout=300)


def test_the_command_goes_on_with_an_earlier_run(earlier):
    done = resume(earlier)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
    claims = json.loads((earlier / "run" / "claims.json").read_text())
    assert claims["complete"] and claims["requested"] == ["task1", "task2"]
    name = "task2-without-dropout-seed0"
    lines = History.read(earlier / "run" / name / "history.jsonl")
    assert lines.column("epoch") == list(range(1, RECIPES["quick"].small_epochs + 1))
    assert list(lines[:2]) == list(History.read(EARLIER / "run" / name / "history.jsonl")[:2])
    assert len(Checkpoints(earlier / "run" / name / "checkpoints").paths()) == 2


def test_a_setting_that_did_not_exist_then_has_its_default(earlier, monkeypatch):
    """A run's config.json lacks the options and the parts of the recipe that came later."""
    monkeypatch.chdir(earlier)
    path = earlier / "run" / "config.json"
    whole = json.loads(path.read_text())
    for entry, name in (("options", "seeds"), ("recipe", "rotation")):
        document = {**whole, entry: {k: v for k, v in whole[entry].items() if k != name}}
        path.write_text(json.dumps(document))
        names, settings = verification.resumed("run", {})
        assert names == ["task1", "task2"] and settings.seeds == 1
    monkeypatch.setitem(RECIPES, "quick", replace(RECIPES["quick"], rotation=12.0))
    with pytest.raises(verification.UserError, match="recipe of quick is no longer the one"):
        verification.resumed("run", {})
