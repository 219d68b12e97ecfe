"""`python -m experiments` with stand-in questions: exit statuses, messages, files, streams."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments import questions as catalogue
from experiments import standin
from experiments.claims import CORRECTED, HOLDS, OPEN, WRONG, Answer, Claim, check
from experiments.cli import main
from experiments.errors import UserError
from experiments.options.verification import config, resumed
from experiments.report import terminal
from experiments.settings import Settings
from tests.strict_json import strict

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'


def claim(name, verdict, documented=None):
    """A claim that comes out as `verdict`."""
    no, yes = check("no", 1.0, "<=", 0.5), check("yes", 0.25, "<=", 0.5)
    corrected = {CORRECTED: yes, OPEN: no}.get(verdict)
    return Claim(name, "written", "measured", "why", documented or verdict,
                 yes if verdict == HOLDS else no, corrected)


Q1 = Answer(question="q1", title="First", story=("A story.",),
            claims=(claim("q1.a", HOLDS), claim("q1.b", CORRECTED)), figures={"graph": lambda: SVG})
Q2 = Answer(question="q2", title="Second", story=("Another.",), claims=(claim("q2.a", WRONG),))


def question(answer):
    return SimpleNamespace(subject="a subject", verify=lambda settings: answer)


@pytest.fixture(autouse=True)
def questions(monkeypatch, tmp_path):
    """Two stand-in questions that come out as documented; tests may replace them in this table."""
    table = {"q1": question(Q1), "q2": question(Q2)}
    monkeypatch.setattr(catalogue, "THEORY", table)
    monkeypatch.setattr(catalogue, "PICTURES", {})
    monkeypatch.setattr(catalogue, "TASKS", {})
    monkeypatch.chdir(tmp_path)
    return table


def fake_task(verify):
    return SimpleNamespace(subject="s", verify=verify, trainings=lambda settings: {})


def stopper(exception):
    def verify(settings):
        raise exception
    return SimpleNamespace(subject="stops", verify=verify)


# --- verdicts, exit statuses and files ---------------------------------------------------------

def test_as_documented_exits_0_and_leaves_the_files(capsys):
    assert main([]) == 0
    folder, = Path("results").iterdir()
    assert folder.name.startswith("all-")
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*")) == [
        "claims.json", "config.json", "figures/q1-graph.svg", "report.html"]
    out = capsys.readouterr().out
    assert "3 claims: 1 ✓ holds, 1 ≈ holds after correction, 1 ✗ wrong" in out
    assert str(folder / "report.html") in out


def test_different_verdict_exits_1_and_says_which(questions, capsys):
    questions["q2"] = question(replace(Q2, claims=(claim("q2.a", OPEN, documented=HOLDS),)))
    assert main(["--out", "o"]) == 1
    assert "q2.a came out 'not established', documented 'holds'" in capsys.readouterr().err
    assert json.loads(Path("o/claims.json").read_text())["as_documented"] is False
    assert "Came out differently" in Path("o/report.html").read_text()


def test_names_choose_questions_in_the_order_asked_and_once(capsys):
    assert main(["q2", "q1", "q2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["requested"] == ["q2", "q1"] == [q["question"] for q in document["questions"]]


def test_settings_reach_the_question(questions):
    Image.new("RGB", (4, 4)).save("photo.png")
    seen = []

    def verify(settings):
        seen.append(settings)
        return Q1
    questions["q1"] = SimpleNamespace(subject="a subject", verify=verify)
    assert main(["q1", "--json", "--seed", "7", "--image", "photo.png"]) == 0
    assert seen == [Settings(seed=7, image="photo.png")]


# --- mistakes of the user ----------------------------------------------------------------------

@pytest.mark.parametrize("argv, message", [
    (["q11"], "unknown name 'q11': did you mean q1?"),
    (["nonsense"], "unknown name 'nonsense': use one of all theory tasks q1 q2"),
    (["--jsn"], "unrecognized arguments: --jsn"),
    (["--seed", "-1"], "'-1' is not a whole number from 0 to 4294967295"),
    (["--seed", "4294967296"], "is not a whole number"),
    (["--out"], "argument --out: expected one argument"),
    (["--out", "file"], "cannot write results to file: it is a file"),
    (["--out", "file/below"], "cannot write results to file/below: Not a directory"),
    (["--out", ""], "--out is an empty text: give a value, or leave it out"),
    (["q1", "--image", ""], "--image is an empty text"),
    (["--data", ""], "--data is an empty text"),
    (["--weights", "standin", "--weights", ""], "--weights is an empty text"),
    (["--seed", "9" * 5000], "99' is not a whole number from 0 to 4294967295"),
    (["check", ""], "FOLDER is an empty text"),
    (["train", "--resume", ""], "--resume is an empty text"),
    (["prepare", "--dbi", "x", "--out", ""], "--out is an empty text"),
    (["--image", "missing.jpg"], "cannot read image missing.jpg: No such file or directory"),
    (["--image", "."], "cannot read image .: it is a folder"),
    (["--image", "file"], "cannot read image file: it is no JPEG, PNG, GIF"),
    (["--image", "cut.jpg"],
     "cannot read image cut.jpg: it is damaged or cut off (image file is truncated"),
    (["q2", "--image", "whole.jpg"], "the photograph is for q1 or pyramids, which was not asked"),
])
def test_a_mistake_is_one_line_and_status_2_before_anything_is_computed(
        argv, message, questions, capsys):
    Path("file").write_text("text")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save("whole.jpg")
    Path("cut.jpg").write_bytes(Path("whole.jpg").read_bytes()[:1500])
    questions["q1"] = questions["q2"] = stopper(AssertionError("computed before checking"))
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("experiments: error: ") and message in err
    assert not Path("results").exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_folder_that_refuses_files(capsys):
    assert main(["--out", "/proc"]) == 2
    assert "experiments: error: cannot write results to /proc" in capsys.readouterr().err


def test_results_that_cannot_be_written_later_are_one_line_too(capsys):
    Path("o/claims.json").mkdir(parents=True)
    assert main(["--out", "o"]) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[2:] == [
        "experiments: error: not kept in o: claims.json: Is a directory; mend that, then: the same "
        "command"]


# --- options of the tasks ------------------------------------------------------------------------

def photos(root, *places):
    for place in places:
        Path(root, place).mkdir(parents=True)
        for i in range(10):
            Image.new("RGB", (8, 8)).save(Path(root, place, f"{i}.png"))


GOOD = "dbi/a", "dbi/b", "sdd/a", "sdd/b"
TASKS_ERRORS = {
    "no folder": ([], ["--data", "d"], "--data d: no such folder; give one that has dbi and sdd"),
    "a file": ([], ["--data", "file"], "--data file: not a folder"),
    "no sdd": (["dbi/a", "dbi/b"], ["--data", "d"], "there is no folder sdd in it"),
    "one class": (["dbi/a", "sdd/a"], ["--data", "d"], "d/dbi has one class only, a"),
    "classes": (["dbi/a", "dbi/b", "sdd/a", "sdd/c"], ["--data", "d"], "only one of them has b, c"),
    "profile": (GOOD, ["--data", "d", "--profile", "best"], "invalid choice: 'best'"),
    "device": (GOOD, ["--data", "d", "--device", "tpu"], "invalid choice: 'tpu'"),
    "seeds": (GOOD, ["--data", "d", "--seeds", "0"], "'0' is not a whole number from 1 to 100"),
    "out": (GOOD, ["--data", "d", "--out", "file"], "cannot write results to file: it is a file"),
    "no weights": (GOOD, ["--data", "d", "--weights", "w"], "--weights: cannot read w: No such"),
    "no file of weights": (GOOD, ["--data", "d", "--weights", "file"], "--weights: file"),
    "weights of another": (GOOD, ["--data", "d", "--weights", "r50.safetensors"],
                           "these are weights of resnet50; the tasks use resnet18"),
    "weights cut": (GOOD, ["--data", "d", "--weights", "r18.safetensors"],
                    "ResNet: missing: layer4.1.bn2.bias"),
    "two words": (GOOD, ["--data", "d", "--weights", "imagenet", "--weights", "standin"],
                  "stands alone"),
    "resume": (GOOD, ["--resume", "d"], "--resume d: there is no run to go on with"),
    "resume and out": (GOOD, ["--resume", "d", "--out", "o"], "a run goes on in its own folder"),
}


def save_weights():
    """resnet50's, and resnet18's without one tensor."""
    from minigrad.models import resnet18, resnet50
    from minigrad.weights import save

    save("r50.safetensors", resnet50(2).state_dict())
    state = dict(resnet18(2).state_dict())
    del state["layer4.1.bn2.bias"]
    save("r18.safetensors", state)


@pytest.mark.parametrize("case", TASKS_ERRORS)
def test_a_mistake_in_a_tasks_options_is_one_line_before_training(case, monkeypatch, capsys):
    places, argv, message = TASKS_ERRORS[case]
    monkeypatch.setattr(catalogue, "TASKS",
                        {"task4": stopper(AssertionError("computed too soon"))})
    Path("file").write_text("text")
    if "safetensors" in argv[-1]:
        save_weights()
    photos("d", *places)
    before = set(os.listdir())
    assert main(["task4", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("experiments: error: ") and message in err
    assert set(os.listdir()) == before


@pytest.mark.parametrize("names, argv, message", [
    (["q1"], ["--data", "d"], "--data is for the tasks, and none was asked for"),
    (["theory"], ["--seeds", "3"], "--seeds is for the tasks"),
    (["task1"], ["--data", "d", "--weights", "standin"], "--weights is for task4 and task5"),
])
def test_options_without_a_use(names, argv, message, monkeypatch, capsys):
    photos("d", *GOOD)
    monkeypatch.setattr(catalogue, "TASKS",
                        {"task1": stopper(AssertionError("computed too soon"))})
    assert main([*names, *argv]) == 2
    assert message in capsys.readouterr().err


def test_a_run_resumes_with_its_own_options_or_says_what_differs(monkeypatch, capsys):
    photos("d", *GOOD)
    seen = []

    def verify(settings):
        seen.append(settings)
        (settings.folder / "task1-training").mkdir(exist_ok=True)
        return Answer(question="task1", title="title", story=("story",), claims=())

    monkeypatch.setattr(catalogue, "TASKS", {"task1": fake_task(verify)})
    assert main(["task1", "--data", "d", "--seed", "3", "--seeds", "2", "--out", "o"]) == 0
    assert main(["--resume", "o"]) == 0
    first, second = seen
    assert first == second == Settings(seed=3, data="d", seeds=2)
    assert second.folder == Path("o")
    capsys.readouterr()
    for argv, message in (
            (["--resume", "o", "--seed", "4"], "that run has --seed 3, not 4; leave --seed out"),
            (["q1", "--resume", "o"], "that run has task1; leave the names out"),
            (["task1", "--data", "d", "--out", "o"], "o holds trainings of an earlier run")):
        assert main(argv) == 2
        assert message in capsys.readouterr().err
    Image.new("RGB", (99, 99)).save("d/sdd/a/0.png")
    assert main(["--resume", "o"]) == 2
    assert "the photos in d are no longer those" in capsys.readouterr().err
    Path("o/config.json").write_text("{}")
    assert main(["--resume", "o"]) == 2
    assert "o/config.json is damaged" in capsys.readouterr().err


def test_a_resumed_run_that_is_stopped_keeps_what_was_finished(questions, capsys):
    photos("d", *GOOD)
    assert main(["--out", "o"]) == 0
    files = {name: Path("o", name).read_text() for name in ("claims.json", "report.html")}
    questions["q2"] = stopper(KeyboardInterrupt())
    assert main(["--resume", "o"]) == 130
    assert files == {name: Path("o", name).read_text() for name in files}
    questions["q2"] = question(replace(Q2, title="Answered again"))
    assert main(["--resume", "o"]) == 0
    assert all("Answered again" in Path("o", name).read_text() for name in files)


def test_a_run_does_not_go_on_with_other_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "TASKS", {"task4": None})
    file = tmp_path / "w.pth"
    file.write_bytes(b"one")
    (tmp_path / "config.json").write_text(json.dumps(config(Settings(weights=(str(file),)),
                                                            ["task4"])))
    assert resumed(str(tmp_path), {})[1].weights == (str(file),)
    file.write_bytes(b"two")
    with pytest.raises(UserError, match="w.pth are no longer those"):
        resumed(str(tmp_path), {})
    file.unlink()
    with pytest.raises(UserError, match="cannot read .*w.pth"):
        resumed(str(tmp_path), {})


def test_a_run_does_not_go_on_with_pictures_drawn_in_another_way(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "TASKS", {"task3": None})
    document = config(Settings(), ["task3"])
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert resumed(str(tmp_path), {})[0] == ["task3"]
    monkeypatch.setattr(standin, "VERSION", "another")
    with pytest.raises(UserError, match="the photos of the stand-in are no longer those"):
        resumed(str(tmp_path), {})


def test_trainings_without_a_folder_go_to_a_temporary_one(monkeypatch, capsys):
    photos("d", *GOOD)
    seen = []

    def verify(settings):
        seen.append(settings.folder.is_dir())
        seen.append(settings.folder)
        return Answer(question="task1", title="title", story=("story",), claims=())

    monkeypatch.setattr(catalogue, "TASKS", {"task1": fake_task(verify)})
    assert main(["task1", "--data", "d", "--json"]) == 0
    assert seen[0] and not seen[1].exists() and os.listdir() == ["d"]


# --- stdout and stderr -------------------------------------------------------------------------

def test_json_is_one_document_on_stdout_and_writes_no_file(capsys):
    assert main(["--json"]) == 0
    document = strict(capsys.readouterr().out)
    assert [c["id"] for c in document["claims"]] == ["q1.a", "q1.b", "q2.a"]
    assert document["complete"] and not os.listdir()


def test_json_with_out_writes_the_same_document(capsys):
    assert main(["--json", "--out", "o"]) == 0
    assert capsys.readouterr().out == Path("o/claims.json").read_text()
    assert Path("o/report.html").exists()


def test_progress_goes_to_stderr_as_plain_lines_in_a_log(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "LOG_INTERVAL", 0.05)
    with terminal.progress("q1: a subject", 0, 2):
        time.sleep(0.2)
    out, err = capsys.readouterr()
    assert out == "" and "\r" not in err and "\x1b" not in err
    assert len(err.splitlines()) >= 3
    assert err.startswith("[1/2] q1: a subject: ") and "done, " in err.splitlines()[-1]


def test_progress_tells_what_is_being_done(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "LOG_INTERVAL", 0.05)
    with terminal.progress("task2: a subject", 0, 2) as tell:
        tell("epoch 3/10")
        time.sleep(0.2)
    assert "[1/2] task2: a subject: epoch 3/10, 0." in capsys.readouterr().err


def test_a_bug_shows_its_traceback_but_loses_no_finished_question(questions):
    questions["q2"] = stopper(RuntimeError("bug"))
    with pytest.raises(RuntimeError, match="bug"):
        main(["--out", "o"])
    document = json.loads(Path("o/claims.json").read_text())
    assert not document["complete"] and len(document["questions"]) == 1
