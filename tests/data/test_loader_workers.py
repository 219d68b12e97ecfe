"""DataLoader's workers fail, hang, die or are left alone, and nothing stays behind."""

import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from minigrad.data import DataLoader, SampleError
from tests.data.loader_samples import (BOTH, EVERY, FORKS, TWO, Numbers, forking, left,
                                       nothing_is_left)

pytestmark = FORKS
WATCHED = forking, nothing_is_left      # fixtures of every test here


def forever():
    time.sleep(3600)


def end_by(number):
    def act():
        faulthandler.disable()      # it would report the child's end, which is on purpose
        os.kill(os.getpid(), number)
    return act


@pytest.mark.parametrize("act, message", [
    (end_by(signal.SIGKILL), r"ended \(signal SIGKILL\)"),
    (lambda: os._exit(0), r"ended \(exit status 0\)"),
    (lambda: sys.exit(3), r"ended \(exit status 3\)"),
    (end_by(signal.SIGABRT), r"ended \(signal SIGABRT\)"),
    (end_by(signal.SIGSEGV), r"ended \(signal SIGSEGV\)"),
    (forever, "is not there after timeout=1 seconds")])
@pytest.mark.parametrize("place", [0, 9])
def test_a_process_that_dies_or_hangs_is_an_error_in_time(act, message, place):
    loader = DataLoader(Numbers(30, {place: act}), 4, workers=2, processes=True, timeout=1)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=f"sample {place}.*{message}"):
        list(loader)
    assert time.monotonic() - start < 1 + 5


def test_a_thread_that_hangs_is_an_error_in_time():
    release = threading.Event()
    loader = DataLoader(Numbers(30, {9: release.wait}), 4, timeout=0.5)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="sample 9 is not there after timeout=0.5 seconds"):
        list(loader)
    assert time.monotonic() - start < 0.5 + 5
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("DataLoader"):
            thread.join()


def test_a_thread_that_wants_to_exit_is_an_error():
    with pytest.raises(SampleError, match="sample 3: SystemExit: 5"):
        list(DataLoader(Numbers(9, {3: lambda: sys.exit(5)})))


@EVERY
@pytest.mark.parametrize("leave", ["break", "exception", "collected", "closed"])
def test_leaving_the_loop_ends_the_workers(how, leave):
    before, loader = left(), DataLoader(Numbers(500), 2, **how)
    if leave == "break":
        for _ in loader:
            break
    elif leave == "exception":
        with pytest.raises(ZeroDivisionError):
            for x, _ in loader:
                1 / 0
    else:
        batches = iter(loader)
        next(batches)
        next(batches)
        if leave == "closed":
            batches.close()
        else:
            del batches
    assert left() == before
    assert loader.position == (2 if leave in ("collected", "closed") else 1)


@pytest.mark.parametrize("how, epochs", [(TWO[0], 1000), (TWO[1], 20)])
def test_many_epochs_leave_nothing(how, epochs):
    loader = DataLoader(Numbers(4), 2, **how)
    list(loader)
    before = left()
    for _ in range(epochs):
        assert len(list(loader)) == 2
    assert left() == before


def test_a_data_set_that_cannot_be_sent_leaves_nothing():
    multiprocessing.set_start_method("spawn", force=True)
    before = left()
    with pytest.raises((AttributeError, TypeError, RuntimeError), match="<locals>.<lambda>"):
        list(DataLoader(Numbers(4, {3: lambda: None}), 2, workers=2, processes=True))
    assert left() == before


@BOTH
def test_fetching_stays_a_few_batches_ahead(how, tmp_path):
    class Counting(Numbers):
        def get(self, index, rng):
            (tmp_path / str(index)).touch()
            return super().get(index, rng)

    batches = iter(DataLoader(Counting(400), 16, **how))
    next(batches)
    time.sleep(0.4)
    assert 16 < len(os.listdir(tmp_path)) <= 32 + 16
    batches.close()


PROGRAM = """
import multiprocessing, time, sys
import numpy as np
from minigrad.data import DataLoader, Dataset

class Slow(Dataset):
    targets = [0] * 1000
    def get(self, index, rng):
        time.sleep({sleep})
        return np.zeros(3, np.float32), 0

multiprocessing.set_start_method("fork")
batches = iter(DataLoader(Slow(), 2, workers=2, processes={processes}))
{then}
"""
WAIT = """
for k, _ in enumerate(batches):
    if k == 1:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


def program(then, processes, sleep=0.01):
    code = PROGRAM.format(then=then, processes=processes, sleep=sleep)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True,
                            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def gone(pids, within):
    """Whether the processes end in time; a zombie has ended, whoever has yet to notice."""
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("sleep", [0.01, 0.5])
def test_processes_go_when_their_parent_is_killed(sleep):
    with program(WAIT, True, sleep) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
        assert gone(pids, within=5)


@pytest.mark.parametrize("processes", [False, True])
def test_ctrl_c_ends_program_and_workers(processes):
    with program(WAIT, processes) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2 * processes
        os.killpg(parent.pid, signal.SIGINT)        # as a terminal does: parent and children
        _, stderr = parent.communicate(timeout=10)
        assert parent.returncode == -signal.SIGINT
        assert stderr.count("Traceback") == 1 and stderr.endswith("KeyboardInterrupt\n")
        assert gone(pids, within=0.1)


@pytest.mark.parametrize("processes", [False, True])
def test_a_program_may_end_within_an_epoch(processes):
    with program("next(batches)", processes) as parent:
        stdout, stderr = parent.communicate(timeout=20)
        assert (parent.returncode, stdout, stderr) == (0, "", "")
