"""Trainings side by side: the same bits as one after the other, however it ends."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.claims import Settings, alone
from experiments.tasks import TASKS
from experiments.tasks import crew as crew_module
from experiments.tasks.crew import crew
from minigrad.weights import load

ROOT = Path(__file__).resolve().parents[1]
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
def two_cores(monkeypatch):
    monkeypatch.setattr(crew_module, "CORES", 2)


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
    for name in ("task2", "task3"):
        TASKS[name].verify(settings)
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
            assert turn is alone, names
    monkeypatch.setattr(crew_module, "CORES", 1)
    with crew(["task2"], settings) as turn:
        assert turn is alone


def test_a_process_that_is_killed_is_made_up_for(data, straight, tmp_path, monkeypatch, capsys):
    """And what goes wrong in a process goes wrong in this one, with its message."""
    begin = crew_module._Crew._next

    def killed(self):
        found = begin(self)
        if found and found[0].startswith("with dropout"):
            found[1].kill()
        return found

    monkeypatch.setattr(crew_module._Crew, "_next", killed)
    assert together(Settings(data=str(data), folder=tmp_path)) == straight
    assert "trained for with dropout, seed 0 was ended by signal 9" in capsys.readouterr().err


def test_chains_of_one_key_are_one_process(data):
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
signal.signal(signal.SIGINT, signal.default_int_handler)
crew.CORES = 2
sys.exit(main())
"""


def run(data, out, *argv):
    return subprocess.Popen([sys.executable, "-c", COMMAND, *argv], cwd=out.parent, text=True,
                            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)


def started(process, out):
    """Wait until both networks of Task II are trained."""
    deadline = time.monotonic() + 60
    while len(list(out.glob("task2-*/history.jsonl"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_and_goes_on(number, data, straight, tmp_path):
    out = tmp_path / "out"
    whole = {name: digest for name, digest in straight.items() if name.startswith("task2")}
    process = run(data, out, "task2", "--data", str(data), "--out", str(out))
    started(process, out)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)
    assert "Traceback" not in err, err
    deadline = time.monotonic() + 30
    while alive(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert digests(out) != whole
    again = run(data, out, "--resume", str(out))
    assert again.wait(timeout=120) in (0, 1), again.stderr.read()
    again.stderr.close()
    assert digests(out) == whole


def alive(session):
    """Whether any process of that session runs."""
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True
