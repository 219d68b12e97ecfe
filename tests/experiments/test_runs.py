"""`python -m experiments runs`: what it tells of which folders, and what `--clean` leaves alone."""

import fcntl
import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.commands import runs
from minigrad.train import History, fit
from tests.places import EARLIER
from tests.train import training_run as setting
from tests.train.training_run import StopAt


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run, one that was stopped, one that ended early."""
    folder = tmp_path_factory.mktemp("runs")
    setting.train(folder / "whole", epochs=3, keep=3)
    with pytest.raises(KeyboardInterrupt):
        setting.train(folder / "stopped", [StopAt(15)], save_every=1)
    model, train, _, how = setting.objects()
    fit(model, train, epochs=9, optimizer=setting.SGD(model.parameters(), lr=0.0), patience=2,
        folder=folder / "early", progress=False)
    return folder


@pytest.fixture
def kept(made, tmp_path, monkeypatch):
    """Copies of these, and a run of the tasks."""
    monkeypatch.setenv("COLUMNS", "200")
    for path in made.iterdir():
        shutil.copytree(path, tmp_path / "r" / path.name)
    shutil.copytree(EARLIER / "run", tmp_path / "r" / "tasks")
    for i, name in enumerate(("early", "stopped", "tasks", "whole")):
        for path in (tmp_path / "r" / name).rglob("*"):
            os.utime(path, (10**9 + i, 10**9 + i))
    monkeypatch.chdir(tmp_path)
    return Path("r")


def rows(capsys, *argv):
    """{name: the other cells}; the lines behind the table."""
    assert main(["runs", *map(str, argv)]) == 0
    table, _, rest = capsys.readouterr().out.partition("\n\n")
    found = [re.split("  +", line.strip()) for line in table.splitlines()]
    assert found[0] == list(runs._HEADER)
    return {row[0]: row[1:] for row in found[2:]}, rest.splitlines()


def steps(folder):
    return sorted(path.name for path in folder.rglob("step-*"))


def test_states_figures_and_sizes_newest_first(kept, capsys):
    found, rest = rows(capsys, "--in", kept)
    assert list(found) == ["whole", "tasks", "stopped", "early"]
    history = History.read(kept / "whole" / "history.jsonl")
    best = history.best("valid.loss")
    figures = best["valid"]
    assert found["whole"][:3] == ["finished", f"valid loss {figures['loss']:.4f}, accuracy "
                                  f"{figures['accuracy']:.4f} (epoch {best['epoch']})", "3"]
    assert found["stopped"][0] == "stopped after epoch 2 of 10"
    assert found["early"][0] == "finished early, after epoch 3 of 9"
    assert found["early"][1].startswith("train loss ") and found["early"][1].endswith("(epoch 1)")
    assert found["tasks"][:3] == ["stopped, 1 of 2 questions answered",
                                  "3 claims, 1 of them not as documented", "2"]
    size = sum(path.stat().st_size for path in (kept / "whole").rglob("*") if path.is_file())
    assert found["whole"][4] == f"{size / 1e6:.1f}" and found["whole"][3].startswith("2001-09-09")
    assert rest[0].startswith("4 runs in r, ") and "--clean removes them" in " ".join(rest)


def test_a_run_itself_and_runs_one_folder_deeper(kept, capsys):
    assert list(rows(capsys, "--in", kept / "whole")[0]) == ["r/whole"]
    Path("all").mkdir()
    os.rename("r", "all/group")
    assert "group/whole" in rows(capsys, "--in", "all")[0]


def test_results_is_the_usual_place(kept, capsys):
    assert main(["runs"]) == 2
    assert capsys.readouterr().err == ("experiments: error: --in results: No such file or "
                                       "directory; give a folder of runs with --in DIR\n")
    os.rename("r", "results")
    assert len(rows(capsys)[0]) == 4
    Path("file").write_text("")
    assert main(["runs", "--in", "file"]) == 2
    assert "--in file: Not a directory" in capsys.readouterr().err


def test_every_line_fits_a_narrow_terminal(kept, capsys, monkeypatch):
    for columns in (40, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["runs", "--in", "r"]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


def test_what_is_damaged_or_foreign_is_told_and_never_a_traceback(kept, capsys):
    for name, file, content in (
            ("a", "config.json", "{"), ("b", "config.json", "{}"), ("c", "config.json", "[" * 9999),
            ("d", "history.jsonl", '{"epo'), ("e", "history.jsonl", "[1]\n"),
            ("f", "history.jsonl", '{"epoch": 1}\n'), ("g", "config.json", '{"settings": 3}')):
        shutil.copytree(kept / "whole", kept / name)
        (kept / name / file).write_text(content)
    shutil.copytree(kept / "tasks", kept / "h")
    (kept / "h" / "claims.json").write_text('{"questions": 1}')
    (kept / "i").mkdir()
    (kept / "i" / "config.json").write_text('{"names": ["q1", "q2"]}')
    (kept / "odd\n").mkdir()
    (kept / "a file").write_text("")
    (kept / "link").symlink_to("whole")
    (kept / "loop").symlink_to(".")
    found, rest = rows(capsys, "--in", kept)
    assert all(found[name][0].startswith("damaged: ") for name in "abcdefgh")
    assert "line 1" in found["d"][0] and "valid.loss" in found["f"][0]
    assert found["i"][0] == "stopped, 0 of 2 questions answered"
    assert rest[1] == r"No runs: a file, link, loop, 'odd\n'."
    before = steps(kept)
    os.rename(kept / "whole", kept / "a file of its own")
    assert main(["runs", "--in", str(kept), "--clean", "--dry-run"]) == 0
    assert steps(kept) == before


def test_clean_keeps_the_newest_step_the_best_and_what_is_not_finished(kept, capsys):
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert main(["runs", "--in", str(kept), "--clean", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert main(["runs", "--in", str(kept), "--clean"]) == 0
    gone = {f"whole/checkpoints/step-{n:08d}.safetensors" for n in (6, 12)}
    gone.add("early/checkpoints/step-00000012.safetensors")
    after = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert {str(path.relative_to(kept)) for path in before.keys() - after.keys()} == gone
    assert all(before[path] == content for path, content in after.items())
    assert told.replace("Would free", "Freed") == capsys.readouterr().out
    freed = sum(len(before[kept / name]) for name in gone)
    assert f"Would free {freed / 1e6:.1f} MB." in told and "whole: 2 step files" in told
    setting.train(kept / "whole", epochs=4)         # it can still be given more epochs
    assert len(History.read(kept / "whole" / "history.jsonl")) == 4


def test_a_finished_run_of_tasks_is_cleaned_one_that_is_not_is_left(kept, capsys):
    training, = (kept / "tasks").glob("task2*")
    shutil.rmtree(training)
    shutil.copytree(kept / "whole", training)
    claims = json.loads((kept / "tasks" / "claims.json").read_text())
    for complete, left in ((False, 3), (True, 1)):
        (kept / "tasks" / "claims.json").write_text(json.dumps({**claims, "complete": complete}))
        assert main(["runs", "--in", str(kept / "tasks"), "--clean"]) == 0
        assert len(steps(training)) == left
    shutil.copytree(kept / "stopped", kept / "tasks" / "task3-x")
    shutil.copy(training / "checkpoints/step-00000018.safetensors",
                training / "checkpoints/step-00000001.safetensors")
    assert main(["runs", "--in", str(kept / "tasks"), "--clean"]) == 0
    assert len(steps(training)) == 2, "a training of this run is not finished"


def test_a_newest_step_that_is_damaged_keeps_the_others(kept, capsys):
    newest = kept / "whole" / "checkpoints" / "step-00000018.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert main(["runs", "--in", str(kept / "whole"), "--clean"]) == 0
    assert len(steps(kept / "whole")) == 3
    out = capsys.readouterr().out
    assert "whole: nothing removed: " in out and "step-00000018.safetensors" in out
    assert out.endswith("Freed 0.0 MB.\n")


def test_a_run_that_somebody_is_at_work_in_is_left_alone(kept, capsys, monkeypatch):
    assert runs.running(kept / "whole") is None
    (kept / "whole" / "lock").write_text("left behind by a process that died")
    assert runs.running(kept / "whole") is None
    with open(kept / "whole" / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"pid": 12, "host": socket.gethostname(), "since": "now"}, file)
        file.flush()
        assert rows(capsys, "--in", kept)[0]["whole"][0] == (
            f"running, process 12 on {socket.gethostname()}")
        assert main(["runs", "--in", str(kept / "whole"), "--clean"]) == 0
        assert len(steps(kept / "whole")) == 3
        file.truncate(0)
        assert runs.running(kept / "whole") == "another process"
        running = runs.running
        monkeypatch.setattr(runs, "running", lambda folder: None)       # it began just now
        assert main(["runs", "--in", str(kept / "whole"), "--clean"]) == 0
        assert len(steps(kept / "whole")) == 3
        assert "nothing removed: r/whole: another process is at work" in " ".join(
            capsys.readouterr().out.split())
    assert running(kept / "whole") is None


def test_files_that_cannot_be_removed(kept, capsys, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert main(["runs", "--in", str(kept / "whole"), "--clean"]) == 2
    out, err = capsys.readouterr()
    assert "Freed 0.0 MB" in out and err.count("\n") == 1
    assert "step-00000006.safetensors: Permission denied; and 1 more" in err


def test_dry_run_without_clean(capsys):
    assert main(["runs", "--dry-run"]) == 2
    assert "--dry-run says what --clean would remove; add --clean" in capsys.readouterr().err
