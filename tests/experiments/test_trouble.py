"""Runs of the command in trouble: a second process in the folder, a disk that is full, a cache that
cannot be written, signals of a cluster, power cuts."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys

import pytest

from experiments import results
from experiments.cli import main
from minigrad import files
from tests.experiments.test_crew import data, members, wait_for  # noqa: F401
from tests.places import ROOT

FULL = os.environ.get("MINIGRAD_FULL") == "1"
slow = pytest.mark.skipif(not FULL, reason="needs MINIGRAD_FULL=1")
SMALL = """
import resource, sys
from dataclasses import replace
from experiments.tasks import crew
from experiments.tasks.recipe import QUICK, RECIPES
crew.CORES = int(sys.argv.pop(1))
RECIPES["quick"] = replace(QUICK, resize=36, size=32, small_epochs=12, epochs=2)
if len(sys.argv[1]) > 3 and sys.argv[1].isdecimal():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), -1))
from experiments.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""


def start(cwd, *argv, cores=1, limit=None):
    words = [str(cores), *([str(limit)] if limit else []), *map(str, argv)]
    return subprocess.Popen([sys.executable, "-c", SMALL, *words], cwd=cwd, text=True,
                            stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                            env=os.environ | {"PYTHONPATH": str(ROOT)})


def errors(err):
    """The lines of stderr that are neither progress nor about what was found in the photos."""
    return [line for line in err.splitlines()
            if not line.startswith("[") and " came out " not in line]


# Two at once

def test_a_second_command_in_the_folder_is_refused(data, tmp_path):  # noqa: F811
    first = start(tmp_path, "task2", "--data", data, "--out", "out")
    try:
        wait_for(lambda: list(tmp_path.glob("out/task2-*/checkpoints/step-*")))
        first.send_signal(signal.SIGSTOP)       # or it may be done before the others have begun
        for argv in (["--resume", "out"], ["task2", "--data", data, "--out", "out"], ["q3"]):
            second = start(tmp_path, *argv, *(["--out", "out"] if argv == ["q3"] else []))
            out, err = second.communicate(timeout=60)
            (line,) = errors(err)
            assert second.returncode == 2 and out == ""
            assert f"process {first.pid} on " in line and "out" in line
    finally:
        first.kill()
        first.communicate()
    done = start(tmp_path, "--resume", "out")
    assert done.communicate(timeout=100) and done.returncode in (0, 1)
    assert not list(tmp_path.rglob("lock"))


# Full disks

@pytest.mark.parametrize("cores", [1, 2] if FULL else [2])
def test_a_full_disk_costs_no_result_and_three_lines_at_most(data, tmp_path, cores):  # noqa: F811
    """Files may have 30 KB: claims.json and some figures can be kept, checkpoints cannot."""
    process = start(tmp_path, "task2", "--data", data, "--out", "out", cores=cores, limit=30_000)
    out, err = process.communicate(timeout=200)
    lines = errors(err)
    assert process.returncode == 2 and len(lines) <= 3 and "Traceback" not in err, err
    assert "with dropout" in out and "every verdict" in out.lower() or "came out" in out
    assert lines[-1].startswith("experiments: error: not kept in out: ")
    assert lines[-1].endswith("python -m experiments --resume out")
    again = start(tmp_path, "--resume", "out", cores=cores)         # with room
    out, err = again.communicate(timeout=200)
    assert again.returncode in (0, 1) and not errors(err), err
    assert json.loads((tmp_path / "out/claims.json").read_text())["complete"]


@slow
def test_what_was_saved_before_the_disk_was_full_stays(data, tmp_path):  # noqa: F811
    first = start(tmp_path, "task2", "--data", data, "--out", "out")
    wait_for(lambda: list(tmp_path.glob("out/task2-*/checkpoints/best*")))
    first.send_signal(signal.SIGTERM)
    assert first.communicate(timeout=60) and first.returncode == 143
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.safetensors")}
    full = start(tmp_path, "--resume", "out", limit=30_000)
    out, err = full.communicate(timeout=200)
    assert full.returncode == 2 and len(errors(err)) <= 3, err
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.safetensors")}
    assert before and before.items() <= after.items()


def test_results_in_memory_are_shown(tmp_path, monkeypatch, capsys):
    """Nothing at all can be written from some moment on."""
    monkeypatch.chdir(tmp_path)
    write = results.write

    def refuse(path, text):
        if path.name != "config.json":
            raise results.UserError(f"cannot write {path}") from OSError(28, os.strerror(28))
        write(path, text)

    monkeypatch.setattr(results, "write", refuse)
    assert main(["q3", "--out", "o"]) == 2
    out, err = capsys.readouterr()
    assert "dL/dw3" in out and "Report:" not in out
    (line,) = errors(err)
    assert "No space left on device and" in line and line.endswith("then: the same command")


# Signals

@slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_closed_terminal_or_slurm_ends_a_run_saved(data, tmp_path, number):  # noqa: F811
    process = start(tmp_path, "task2", "--data", data, "--out", "out", cores=2)
    wait_for(lambda: len(list(tmp_path.glob("out/task2-*/checkpoints/step-*"))) > 1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors(err)[-1].endswith("to go on: python -m experiments --resume out")
    wait_for(lambda: not members(process.pid))
    again = start(tmp_path, "--resume", "out")
    assert again.communicate(timeout=100) and again.returncode in (0, 1)


# Power cuts

def claims(folder):
    """claims.json without what the clock decides."""
    document = json.loads((folder / "claims.json").read_text())
    del document["date"]
    for question in document["questions"]:
        del question["seconds"]
    return document


@slow
def test_three_kills_and_the_same_claims(data, tmp_path):  # noqa: F811
    photos = shutil.copytree(data, tmp_path / "photos")
    straight = start(tmp_path, "task2", "--data", photos, "--out", "straight")
    assert straight.communicate(timeout=100) and straight.returncode in (0, 1)
    argv = ["task2", "--data", photos, "--out", "out"]
    for _ in range(3):
        process = start(tmp_path, *argv, cores=2)
        seen = {path for path in tmp_path.glob("out/task2-*/checkpoints/step-*")}
        wait_for(lambda: len({*tmp_path.glob("out/task2-*/checkpoints/step-*")} - seen) > 1)
        process.kill()                  # its crew finishes the step, and finds itself alone
        process.communicate()
        argv = ["--resume", "out"]
    process = start(tmp_path, *argv, cores=2)
    _, err = process.communicate(timeout=100)
    assert process.returncode == straight.returncode, err
    assert claims(tmp_path / "out") == claims(tmp_path / "straight")


# Caches

def test_a_cache_that_cannot_be_written_is_replaced_with_a_line(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(files, "_reported", set())
    spare = tmp_path / f"minigrad-{os.getuid()}"
    for _ in range(2):
        assert files.writable(tmp_path / "file" / "weights") == spare / "weights"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "Not a directory" in record.getMessage()
    assert str(spare) in record.getMessage() and spare.stat().st_mode & 0o77 == 0
    assert files.writable(tmp_path / "good") == tmp_path / "good"
    spare.rename(tmp_path / "else")
    spare.symlink_to(tmp_path / "else")
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        files.writable(tmp_path / "file" / "weights")


def test_a_full_cache_is_one_that_cannot_be_written(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from minigrad import files
files.tempfile.gettempdir()
resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))
try:
    files.writable(Path(sys.argv[1]))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, text=True,
                          capture_output=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert done.stdout.strip() == "File too large" and done.stderr.count("\n") == 1
