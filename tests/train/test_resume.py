"""A run that was stopped, killed or interrupted goes on to the very bits it would have reached."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minigrad import cross_entropy, files
from minigrad.optim import SGD, Adam
from minigrad.train import Accuracy, History, Run, evaluate, fit
from minigrad.train.folder import checkpoint
from tests.one_line import one_line
from tests.places import ROOT
from tests.train import training_run as setting
from tests.train.training_run import METRICS, STEPS, StopAt, objects, train

FULL = os.environ.get("MINIGRAD_FULL") == "1"
KILLS = 30 if FULL else 8


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The hash of 60 steps without a stop."""
    return train(tmp_path_factory.mktemp("straight"))


def stopped(folder, step, times=1, **settings):
    """Train until Ctrl-C comes after `step`."""
    with pytest.raises(KeyboardInterrupt, match=f"after step {step}," if times == 1 else "at once"):
        train(folder, [StopAt(step, times)], **settings)


# Stops at every step, or at every third

@pytest.mark.parametrize("step", range(1, STEPS, 1 if FULL else 3))
def test_stopped_after_any_step_it_ends_with_the_same_bits(tmp_path, straight, monkeypatch, step):
    monkeypatch.setattr(files.os, "fsync", lambda file: None)      # 59 times 50 are slow
    stopped(tmp_path, step)
    assert [path.name for path in checkpoint.Checkpoints(tmp_path / "checkpoints").paths()][
        -1] == f"step-{step:08d}.safetensors"
    assert train(tmp_path) == straight


def test_many_stops_in_one_run(tmp_path, straight):
    for step in (1, 2, 6, 11, 12, 30, 59):
        stopped(tmp_path, step)
    assert train(tmp_path) == straight


@pytest.mark.parametrize("step", [1, 25, 30, 59])       # 30: the end of an epoch
def test_with_adam_accumulation_and_clipping(tmp_path, step):
    def make():
        return objects(optimizer=Adam, batch_size=2)        # 11 batches, so the last is alone

    settings = {"make": make, "accumulate": 2, "clip_value": 0.05, "clip_norm": 0.5}
    expected = train(tmp_path / "straight", **settings)
    stopped(tmp_path / "stopped", step, **settings)
    assert train(tmp_path / "stopped", **settings) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_may_change(tmp_path, straight, workers):
    stopped(tmp_path, 21, make=lambda: objects(workers=workers))
    assert train(tmp_path) == straight


@pytest.mark.parametrize("optimizer", [SGD, Adam])       # whose momentum, or betas, are cycled
def test_the_same_objects_go_on(tmp_path, optimizer):
    """As in a notebook, where the cell with `fit` alone is run again."""
    def make():
        return objects(optimizer=optimizer)

    expected, same = train(tmp_path / "straight", make=make), make()
    for step in (8, 30):
        stopped(tmp_path / "stopped", step, make=lambda: same)
    assert train(tmp_path / "stopped", make=lambda: same) == expected


class Evaluate:
    def on_epoch_end(self, run):
        for loader in (run.train, run.valid):
            evaluate(run.model, loader)


class Look:
    """What no callback should do, but resuming must not depend on it."""

    def on_epoch_end(self, run):
        assert sum(len(y) for _, y in run.train) == setting.SAMPLES
        next(iter(run.train))


@pytest.mark.parametrize("callback", [Evaluate(), Look()])
def test_callbacks_may_go_over_the_loaders(tmp_path, straight, callback):
    expected = train(tmp_path / "straight", [callback])
    assert (expected == straight) == isinstance(callback, Evaluate)
    for step in (6, 8, 12):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", [callback, StopAt(step)])
    assert train(tmp_path / "stopped", [callback]) == expected


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_stopped_within_validation(tmp_path, straight, monkeypatch, batch):
    """The epoch's training is not repeated, its validation is."""
    update, calls = Accuracy.update, []

    def stop(*batch_):
        update(*batch_)
        calls.append(batch_)
        if len(calls) == 6 + 3 + 6 + batch:     # training and validation, training again
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Accuracy, "update", stop)
        with pytest.raises(KeyboardInterrupt, match="after step 12, in epoch 2; saved in"):
            train(tmp_path)
    assert train(tmp_path) == straight


# What the hashes can see

def start(name):
    """A part of the state as it is in a run that has just begun."""
    model, loader, valid, how = objects()
    return Run(model, how["optimizer"], how["scheduler"], loader, valid, METRICS,
               cross_entropy, None).state_dict()[name]


def weights(state):
    state["model"] |= {name: x for name, x in start("model").items() if "running" not in name}


def moments(state):
    state["optimizer"]["state"] = {}


def schedule(state):
    state["scheduler"] = start("scheduler")


def dropout(state):
    state["random"] = start("random")


def data_epoch(state):
    state["places"]["train"]["epoch"] = 0


def running_statistics(state):
    state["model"] |= {name: x for name, x in start("model").items() if "running" in name}


def best_and_patience(state):
    state["best"], state["waited"] = None, 0


def sums_of_the_epoch(state):
    state["meters"] = start("meters")


CONTROLS = [weights, moments, schedule, dropout, data_epoch, running_statistics,
            sums_of_the_epoch]


@pytest.mark.parametrize("drop", CONTROLS, ids=lambda drop: drop.__name__)
def test_whatever_a_checkpoint_lacks_shows_in_the_hash(tmp_path, straight, drop):
    stopped(tmp_path, 57)
    path, state = checkpoint.Checkpoints(tmp_path / "checkpoints").load()
    drop(state)
    checkpoint.write(path, state)
    assert train(tmp_path) != straight


def test_a_position_within_the_epoch_that_is_lost_makes_steps_that_nobody_planned(tmp_path):
    stopped(tmp_path, 57)
    path, state = checkpoint.Checkpoints(tmp_path / "checkpoints").load()
    state["places"]["train"]["position"] = 0
    checkpoint.write(path, state)
    with one_line(ValueError, "step 61 times", "total_steps=60"):
        train(tmp_path)


def test_a_rewritten_checkpoint_is_no_difference_by_itself(tmp_path, straight):
    """The control of the controls."""
    stopped(tmp_path, 57)
    checkpoint.write(*checkpoint.Checkpoints(tmp_path / "checkpoints").load())
    assert train(tmp_path) == straight


def constant_rate():
    """Objects whose loss soon rises: the rate is far too high."""
    model, loader, valid, _ = objects()
    return model, loader, valid, {"optimizer": Adam(model.parameters(), lr=0.3)}


def test_early_stopping_goes_on_counting(tmp_path):
    settings = {"make": constant_rate, "patience": 3}
    expected = train(tmp_path / "straight", **settings)
    lines = History.read(tmp_path / "straight/history.jsonl")
    epochs = len(lines)
    assert lines.best("valid.loss")["epoch"] == epochs - 3 and epochs < setting.EPOCHS
    for drop, equal in ((lambda state: None, True), (best_and_patience, False)):
        folder = tmp_path / drop.__name__
        stopped(folder, 6 * (epochs - 1) + 2, **settings)
        path, state = checkpoint.Checkpoints(folder / "checkpoints").load()
        drop(state)
        checkpoint.write(path, state)
        assert (train(folder, **settings) == expected) == equal
        assert (len(History.read(folder / "history.jsonl")) == epochs) == equal


# Processes

def start_process(folder, *arguments, before=()):
    return subprocess.Popen(
        [*before, sys.executable, "-m", "tests.train.training_run", str(folder),
         *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONHASHSEED": "random"})


def ended(process):
    """The last line that it prints, once it has ended well."""
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    return out.splitlines()[-1]


def test_five_processes_come_to_the_same_bits(tmp_path, straight):
    processes = [start_process(tmp_path / str(i)) for i in range(5)]
    assert [ended(process) for process in processes] == [straight] * 5


@pytest.mark.parametrize("step", [7, 30, 59])
def test_a_new_process_goes_on_to_the_same_bits(tmp_path, straight, step):
    first = start_process(tmp_path, step)
    _, err = first.communicate(timeout=100)
    assert first.returncode == -signal.SIGINT and f"after step {step}" in err
    assert ended(start_process(tmp_path)) == straight


def test_kills_cost_one_step_at_most(tmp_path, straight):
    """It saves after every step, so most of these moments are within a save."""
    rng, kills = random.Random(1), 0
    while kills < KILLS:
        folder, last = tmp_path / f"after {kills}", 0
        while kills < KILLS and last < STEPS - 4:
            with start_process(folder) as process:
                lines = [process.stdout.readline() for _ in range(rng.randint(1, 4))]
                time.sleep(rng.random() * 0.01)
                process.kill()
                steps = [int(n) for n in re.findall("step (.*)\n", "".join(lines)
                                                    + process.stdout.read())]
            assert process.returncode == -signal.SIGKILL
            assert last <= steps[0] <= last + 1, "more than one step was lost, or one left out"
            last, kills = steps[-1], kills + 1
        assert ended(start_process(folder)) == straight
        names = {path.name for path in (folder / "checkpoints").iterdir()}
        assert names == {"best.safetensors", "step-00000059.safetensors",
                         "step-00000060.safetensors"}


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143),
                                            (signal.SIGHUP, 129), (signal.SIGUSR1, 138)])
def test_a_signal_ends_the_process_with_its_status(tmp_path, straight, number, status):
    process = start_process(tmp_path, before=["sh", "-c", '"$@"; echo "status $?"', "sh"])
    step = process.stdout.readline()
    (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(pid), number)
    lines = [step, *process.communicate(timeout=100)[0].splitlines()]
    assert lines[-1] == f"status {status}" and len(lines) < 50
    assert train(tmp_path, save_every=1) == straight


# The second signal, and what is there before and afterwards

def test_a_second_interrupt_leaves_at_once(tmp_path, straight):
    stopped(tmp_path, 8, times=2)
    assert [path.name[-20:-12] for path in (tmp_path / "checkpoints").glob("step*")] == ["00000006"]
    assert train(tmp_path) == straight


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_interrupts_within_a_save_leave_a_whole_checkpoint(tmp_path, straight, monkeypatch, call):
    class Interrupting:
        def __getattr__(self, name):
            if name == call:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return getattr(os, name)

    class Patch:
        def on_step_end(self, run):
            if run.step == 7:
                monkeypatch.setattr(files, "os", Interrupting())

    with monkeypatch.context(), pytest.raises(KeyboardInterrupt, match="at once"):
        train(tmp_path, [Patch()], save_every=1)
    monkeypatch.undo()
    path, state = checkpoint.Checkpoints(tmp_path / "checkpoints").load()
    assert state["step"] in (6, 7) and not list(tmp_path.rglob("*.tmp"))
    assert train(tmp_path) == straight


def test_handlers_come_back(tmp_path):
    def other(*_):
        raise AssertionError("not during training")

    before = signal.signal(signal.SIGTERM, other)
    try:
        numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1
        handlers = [signal.getsignal(n) for n in numbers]
        stopped(tmp_path, 2)
        assert [signal.getsignal(n) for n in numbers] == handlers
    finally:
        signal.signal(signal.SIGTERM, before)


class Send:
    """A signal after the second step."""

    def __init__(self, number):
        self.number = number

    def on_step_end(self, run):
        if run.step == 2:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_an_ignored_signal_stays_ignored(tmp_path, number):
    """SIGHUP, say, under nohup."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        train(tmp_path, [Send(number)], epochs=1)
    finally:
        signal.signal(number, before)


def test_a_programs_own_use_of_sigusr1_stays(tmp_path):
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        train(tmp_path, [Send(signal.SIGUSR1)], epochs=1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [1]


def test_a_stop_says_the_useful_line_first(tmp_path, capsys):
    model, loader, _, how = objects()
    with pytest.raises(SystemExit) as caught:
        fit(model, loader, epochs=1, callbacks=[Send(signal.SIGUSR1)], folder=tmp_path, **how)
    assert caught.value.code == 138
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped after step 2, in epoch 1; saved in ")
    assert line.endswith("step-00000002.safetensors; resume=True goes on")


def test_a_thread_trains_without_handlers(tmp_path, straight):
    results = []
    thread = threading.Thread(target=lambda: results.append(train(tmp_path)))
    thread.start()
    thread.join()
    assert results == [straight]


def test_without_a_folder_nothing_can_be_saved():
    model, loader, _, how = objects()
    with pytest.raises(KeyboardInterrupt, match="after step 3, in epoch 1; not saved"):
        fit(model, loader, epochs=1, callbacks=[StopAt(3)], progress=False, **how)
