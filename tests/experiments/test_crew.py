"""Trainings side by side: the same bits as one after the other, however it ends."""

import errno
import gc
import hashlib
import multiprocessing
import multiprocessing.resource_tracker
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments.errors import UserError
from experiments.questions import TASKS
from experiments.settings import Settings, free_turn
from experiments.tasks import crew as crew_module
from experiments.tasks import task2_dropout, task3_scratch
from experiments.tasks.crew import crew
from experiments.tasks.recipe import QUICK, RECIPES
from minigrad.weights import load
from tests.data.loader_samples import left
from tests.places import ROOT

FULL = os.environ.get("MINIGRAD_FULL") == "1"
TINY = replace(QUICK, resize=36, size=32, small_epochs=12, epochs=2)
TRAININGS = ["task2-with-dropout-seed0", "task2-without-dropout-seed0",
             "task3-resnet18-from-scratch-width16-seed0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """dbi/ and sdd/ with two breeds of 12 noisy photos each."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for breed, level in (("pug", 60), ("chihuahua", 160)):
        for name in ("dbi", "sdd"):
            folder = root / name / breed
            folder.mkdir(parents=True)
            for i in range(12):
                pixels = rng.integers(level, level + 90, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Two cores, and trainings of a second."""
    monkeypatch.setattr(crew_module, "CORES", 2)
    monkeypatch.setitem(RECIPES, "quick", TINY)


def digests(folder):
    """{training: SHA-256 of what it ended with}."""
    found = {}
    for path in sorted(folder.glob("task*")):
        state = load(sorted((path / "checkpoints").glob("step-*"))[-1])
        arrays = b"".join(key.encode() + np.ascontiguousarray(state[key]).tobytes()
                          for key in sorted(state) if key.startswith(("model", "optimizer")))
        found[path.name] = hashlib.sha256(arrays).hexdigest()
    return found


def together(settings, names=("task1", "task2", "task3")):
    """Verify with a crew; every training must be there already when its turn comes."""
    with crew(names, settings) as turn:
        for name in names:
            TASKS[name].verify(replace(settings, turn=turn))
    return digests(settings.folder)


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """What the trainings end with, made one after the other."""
    settings = Settings(data=str(data), folder=tmp_path_factory.mktemp("straight"))
    task2_dropout.verify(settings, TINY)
    task3_scratch.verify(settings, TINY)
    return digests(settings.folder)


def test_side_by_side_is_one_after_the_other(data, straight, tmp_path):
    told = []
    assert sorted(straight) == TRAININGS
    assert together(Settings(data=str(data), folder=tmp_path, tell=told.append)) == straight
    assert any("without-dropout" in line and "with-dropout" in line for line in told)


def test_where_there_is_nothing_to_be_beside(data, monkeypatch):
    settings = Settings(data=str(data))
    for names, more in ((["task3"], {}), (["task1", "q1"], {}), (["task2"], {"profile": "paper"}),
                        (["task2"], {"device": "cuda"})):
        with crew(names, replace(settings, **more)) as turn:
            assert turn is free_turn, names
    monkeypatch.setattr(crew_module, "CORES", 1)
    with crew(["task2"], settings) as turn:
        assert turn is free_turn


def launched(monkeypatch, change=lambda key, process: None):
    """The (key, length of the chain) of every process that a crew will start."""
    seen, begin = [], crew_module._Crew._next

    def next_one(self):
        lengths = {key: len(chain) for key, chain in self._waiting}
        found = begin(self)
        if found:
            seen.append((found[0], lengths[found[0]]))
            change(*found[:2])
        return found

    monkeypatch.setattr(crew_module._Crew, "_next", next_one)
    return seen


def test_a_process_that_is_killed_is_made_up_for(data, straight, tmp_path, monkeypatch, capsys):
    launched(monkeypatch, lambda key, process: key.startswith("with dropout") and process.kill())
    assert together(Settings(data=str(data), folder=tmp_path)) == straight
    assert "trained for with dropout, seed 0 was ended by signal 9" in capsys.readouterr().err


def test_a_process_that_cannot_be_started_is_made_up_for(data, straight, tmp_path, monkeypatch,
                                                         capsys):
    def refuse(process):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "start", refuse)
    assert together(Settings(data=str(data), folder=tmp_path)) == straight
    assert "Resource temporarily unavailable" in capsys.readouterr().err


def test_what_goes_wrong_in_a_process_goes_wrong_here_with_its_message(data, tmp_path, capfd):
    root = tmp_path / "photos"
    shutil.copytree(data, root)
    (root / "dbi/pug/3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="dbi/pug/3.png"):
        together(Settings(data=str(root), folder=tmp_path / "out"), ["task2"])
    assert capfd.readouterr().err == ""


def test_chains_of_one_key_are_one_process(monkeypatch):
    work = attrgetter("seed")       # any function of the settings that a process can import
    tasks = {"a": {"x": [work], "y": [work]}, "b": {"y": [work, work], "z": [work]}}
    monkeypatch.setattr("experiments.questions.TASKS", {
        name: SimpleNamespace(trainings=lambda settings, chains=chains: chains)
        for name, chains in tasks.items()})
    seen = launched(monkeypatch)
    with crew(["b", "q1", "a"], Settings()) as turn, turn("no training of theirs", str):
        assert seen == [("y", 3), ("z", 1), ("x", 1)]


def test_a_crew_closes_what_it_opened(monkeypatch):
    monkeypatch.setattr("experiments.questions.TASKS", {"a": SimpleNamespace(
        trainings=lambda settings: {key: [attrgetter("seed")] for key in "xy"})})
    multiprocessing.resource_tracker.ensure_running()
    gc.collect()
    gc.disable()
    try:
        before = left()
        with crew(["a"], Settings()) as turn, turn("no training of theirs", str):
            pass
        assert left() == before
    finally:
        gc.enable()


def test_a_process_that_ends_well_is_not_told_of(monkeypatch, capfd):
    monkeypatch.setattr("experiments.questions.TASKS", {"a": SimpleNamespace(
        trainings=lambda settings: {key: [attrgetter("seed")] for key in "xy"})})
    with crew(["a"], Settings()) as turn, turn("no training of theirs", str):
        assert capfd.readouterr() == ("", "")


def test_tasks_that_train_the_same_share_a_chain(data):
    settings = Settings(data=str(data))
    chains = [TASKS[name].trainings(settings) for name in TASKS]
    assert [list(c) for c in chains] == [
        [], ["without dropout, seed 0", "with dropout, seed 0"], ["resnet18"],
        ["resnext50_32x4d", "resnet34", "resnet18"], ["resnext50_32x4d"]]


# --- Ctrl-C, SIGTERM, SIGKILL -------------------------------------------------------------------

COMMAND = """
import signal, sys
from experiments.cli import main
from experiments.tasks import crew
from experiments.tasks.recipe import RECIPES
from tests.experiments.test_crew import TINY
RECIPES["quick"] = TINY
signal.signal(signal.SIGINT, signal.default_int_handler)
crew.CORES = 2
sys.exit(main())
"""


def run(out, *argv, script=COMMAND):
    return subprocess.Popen([sys.executable, "-c", script, *argv], cwd=out.parent, text=True,
                            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 0.8])
def test_ctrl_c_at_once(seconds, data, tmp_path):
    """While processes are starting, which have not said yet what Ctrl-C shall be to them."""
    out = tmp_path / "out"
    process = run(out, "task2", "--data", str(data), "--out", str(out))
    wait_for(lambda: len(members(process.pid)) > 2)     # the crew's first; one is Python's own
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in err and "was ended by" not in err, err
    wait_for(lambda: not members(process.pid))


def test_ctrl_c_in_the_moment_a_training_ends(monkeypatch):
    monkeypatch.setattr("experiments.questions.TASKS", {"a": SimpleNamespace(
        trainings=lambda settings: {key: [attrgetter("seed")] for key in "xy"})})

    def tell(words):
        signal.raise_signal(signal.SIGINT)
        time.sleep(1.5)                         # both processes end meanwhile
    with crew(["a"], Settings()) as turn, pytest.raises(KeyboardInterrupt, match="waiting for t"):
        with turn("t", tell):
            raise AssertionError("Ctrl-C was forgotten")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL,
                                    *[signal.SIGTERM] * FULL])
def test_a_stopped_run_leaves_no_process_and_goes_on(number, data, straight, tmp_path):
    out = tmp_path / "out"
    whole = {name: digest for name, digest in straight.items() if name.startswith("task2")}
    process = run(out, "task2", "--data", str(data), "--out", str(out))
    wait_for(lambda: len(list(out.glob("task2-*/history.jsonl"))) == 2)    # both under way
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)
    assert "Traceback" not in err, err
    wait_for(lambda: not members(process.pid))
    assert digests(out) != whole
    again = run(out, "--resume", str(out))
    assert again.wait(timeout=120) in (0, 1), again.stderr.read()
    again.stderr.close()
    assert digests(out) == whole


def sleep(settings):
    """Work that says nothing, and so does not notice by itself that nobody listens any more."""
    time.sleep(600)


ORPHANS = """
from types import SimpleNamespace
from experiments import questions
from experiments.settings import Settings
from experiments.tasks import crew
from tests.experiments.test_crew import sleep
crew.CORES = 2
questions.TASKS = {"a": SimpleNamespace(trainings=lambda settings: {"x": [sleep], "y": [sleep]})}
with crew.crew(["a"], Settings()) as turn, turn("t", str):
    pass
"""


def test_processes_do_not_outlive_the_main_one(tmp_path):
    process = run(tmp_path / "out", script=ORPHANS)
    wait_for(lambda: len(members(process.pid)) == 4)    # it, two of the crew, Python's own
    time.sleep(2)                               # until they are at work
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not members(process.pid))


def members(session):
    """The processes of that session that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:                         # it has just ended
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found
