"""Worker processes that somebody else ends, between two batches or within one."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minigrad.data import DataLoader
from minigrad.train.folder.checkpoint import Checkpoints
from tests.data.loader_samples import FORKS, Numbers, forking, nothing_is_left
from tests.data.test_loader_workers import end_by

pytestmark = FORKS
WATCHED = forking, nothing_is_left      # fixtures of every test here
SIGNALS = pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM])


def goes_on(loader, first):
    """From the batch that failed to the end of the epoch, and through the next one."""
    for start in (first, 0):
        assert np.concatenate([x for x, _ in loader])[:, 0].tolist() == [*range(start, 60)]


@SIGNALS
def test_one_that_ends_itself_is_an_error_of_one_line(number):
    act, armed = end_by(number), [True]
    loader = DataLoader(Numbers(60, {9: lambda: act() if armed[0] else None}), 4, workers=2,
                        processes=True)
    start = time.monotonic()
    with pytest.raises(RuntimeError) as error:
        list(loader)
    name = signal.Signals(number).name
    assert "sample 9: RuntimeError: the worker process" in str(error.value)
    assert str(error.value).endswith(f" ended (signal {name})") and "\n" not in str(error.value)
    assert time.monotonic() - start < 5
    armed[0] = False
    goes_on(loader, first=8)


@SIGNALS
@pytest.mark.parametrize("victims", [1, 2])
def test_one_that_is_ended_between_two_batches(number, victims):
    loader = DataLoader(Numbers(60), 2, workers=2, processes=True)
    batches, before = iter(loader), multiprocessing.active_children()
    next(batches)
    pids = [child.pid for child in multiprocessing.active_children() if child not in before]
    assert len(pids) == 2
    for pid in pids[:victims]:
        os.kill(pid, number)
    start = time.monotonic()
    with pytest.raises(RuntimeError) as error:
        list(batches)
    message, name = str(error.value), signal.Signals(number).name
    assert f"ended (signal {name})" in message and "\n" not in message
    assert any(f"the worker process {pid} ended" in message for pid in pids[:victims])
    assert time.monotonic() - start < 5
    assert error.value.__cause__.__context__ is None    # the pipe's error, with its buffers
    goes_on(loader, first=2 * loader.position)


PROGRAM = """
import multiprocessing, sys, time
from tests.train import training_run
from minigrad.train import fit

class Slow(training_run.ArrayDataset):
    def get(self, index, rng):
        time.sleep(0.2)
        return super().get(index, rng)

class Tell:
    def on_step_end(self, run):
        print("step", run.step, flush=True)

multiprocessing.set_start_method("fork")
training_run.ArrayDataset = Slow
model, train, valid, how = training_run.objects(workers=2, processes=True)
fit(model, train, epochs=10, folder=sys.argv[1], callbacks=[Tell()], progress=False, **how)
"""


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_a_training_and_its_workers_stops_it_saved(tmp_path, number, status):
    """As `kill -- -PGID` and systemd send it, while the training waits for a batch."""
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path / "run")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True,
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        assert process.stdout.readline() == "step 1\n"
        os.killpg(process.pid, number)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (status, "")
    assert Checkpoints(tmp_path / "run/checkpoints").load()[1]["step"] >= 1
