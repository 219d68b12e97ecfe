"""One process at a time in a run's folder, and a dead one keeps nobody out."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from minigrad.train.folder import lock
from minigrad.train.folder.lock import Lock, holder
from tests.one_line import one_line
from tests.places import ROOT
from tests.train.training_run import StopAt, train

TIMES = 20 if os.environ.get("MINIGRAD_FULL") == "1" else 3
HOLD = """
import sys, time
from minigrad.train.folder.lock import Lock
with Lock(sys.argv[1]):
    print("mine", flush=True)
    time.sleep(600)
"""
TRAIN = """
import sys, time
from pathlib import Path
from tests.train.training_run import train

class Wait:
    def on_step_end(self, run):
        print("step", run.step, flush=True)
        time.sleep(600)

train(Path(sys.argv[1]), [Wait()])
"""
FORK = """
import os, sys, time
from minigrad.train.folder.lock import Lock
lock = Lock(sys.argv[1])
if os.fork() == 0:
    print("child", flush=True)
    time.sleep(600)
time.sleep(600)
"""


def start(script, folder):
    """A process that has said its first line."""
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline()
    return process


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_refused_with_process_and_host_and_death_frees(tmp_path):
    for _ in range(TIMES):
        process = start(HOLD, tmp_path)
        try:
            started = time.monotonic()
            with one_line(BlockingIOError, str(tmp_path), f"process {process.pid}",
                          socket.gethostname(), "another folder"):
                Lock(tmp_path)
            assert time.monotonic() - started < 1
            who = holder(tmp_path)
            assert (who["pid"], who["host"]) == (process.pid, socket.gethostname())
        finally:
            kill(process)
        assert holder(tmp_path) is None and (tmp_path / "lock").exists()
        with Lock(tmp_path):
            assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
        assert not (tmp_path / "lock").exists()


def test_two_trainings_in_one_folder(tmp_path):
    process = start(TRAIN, tmp_path)
    try:
        files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with one_line(BlockingIOError, f"process {process.pid}"):
            train(tmp_path)
        assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    finally:
        kill(process)
    train(tmp_path, epochs=1)
    assert not (tmp_path / "lock").exists()


def test_one_process_does_not_train_twice_there_either(tmp_path):
    class Again:
        def on_step_end(self, run):
            if run.step == 2:
                with one_line(BlockingIOError, f"process {os.getpid()}"):
                    train(tmp_path)

    train(tmp_path, [Again()], epochs=1)


def test_it_is_given_back_however_training_ends(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [StopAt(2)])
    assert holder(tmp_path) is None and not (tmp_path / "lock").exists()
    with pytest.raises(ValueError, match="another run"):
        train(tmp_path, clip_value=0.5)
    assert not (tmp_path / "lock").exists()


def test_a_forked_child_does_not_hold_on_to_it(tmp_path):
    """As the processes of a loader, which may live on for a moment."""
    process = start(FORK, tmp_path)
    try:
        assert holder(tmp_path)
        kill(process)               # not its child
        assert holder(tmp_path) is None
        Lock(tmp_path).close()
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_what_another_removes_in_between_is_no_lock(tmp_path, monkeypatch):
    """Locked, but no longer the file of that name: somebody else may lock the new one."""
    flock, removed = fcntl.flock, []

    def late(file, how):
        if not removed:
            removed.append(os.unlink(tmp_path / "lock"))
        flock(file, how)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    with Lock(tmp_path), pytest.raises(BlockingIOError):
        Lock(tmp_path)


def test_where_there_are_no_locks_a_warning_says_so(tmp_path, monkeypatch, caplog):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with Lock(tmp_path):
        assert holder(tmp_path) is None
    (record,) = caplog.records
    assert "no locks" in record.message and str(tmp_path) in record.message


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\xff"])
def test_a_holder_that_does_not_say_who_it_is(tmp_path, content):
    with Lock(tmp_path):
        (tmp_path / "lock").write_bytes(content)
        assert holder(tmp_path) == {"pid": None, "host": None, "since": None}
        with one_line(BlockingIOError, "another process is at work"):
            Lock(tmp_path)
