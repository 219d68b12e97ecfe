"""`python -m experiments` with stand-in questions: exit statuses, messages, files, streams."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments import cli, terminal, theory
from experiments.claims import CORRECTED, HOLDS, OPEN, WRONG, Answer, Claim, Settings, check
from experiments.cli import main

ROOT = Path(__file__).resolve().parents[1]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'


def claim(name, verdict, documented=None):
    """A claim that comes out as `verdict`."""
    no, yes = check("no", 1.0, "<=", 0.5), check("yes", 0.25, "<=", 0.5)
    corrected = {CORRECTED: yes, OPEN: no}.get(verdict)
    return Claim(name, "written", "measured", "why", documented or verdict,
                 yes if verdict == HOLDS else no, corrected)


Q1 = Answer("q1", "First", ("A story.",), (claim("q1.a", HOLDS), claim("q1.b", CORRECTED)),
            figures={"graph": lambda: SVG})
Q2 = Answer("q2", "Second", ("Another.",), (claim("q2.a", WRONG),))


def question(answer):
    return SimpleNamespace(subject="a subject", verify=lambda settings: answer)


@pytest.fixture(autouse=True)
def questions(monkeypatch, tmp_path):
    """Two stand-in questions that come out as documented; tests may replace them in this table."""
    table = {"q1": question(Q1), "q2": question(Q2)}
    monkeypatch.setattr(theory, "QUESTIONS", table)
    monkeypatch.setattr(cli, "PAGES", {})
    monkeypatch.chdir(tmp_path)
    return table


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
        "claims.json", "figures/q1-graph.svg", "report.html"]
    out = capsys.readouterr().out
    assert "3 claims: 1 ✓ holds, 1 ≈ holds after correction, 1 ✗ wrong" in out
    assert str(folder / "report.html") in out


def test_different_verdict_exits_1_and_says_which(questions, capsys):
    questions["q2"] = question(Answer("q2", "t", (), (claim("q2.a", OPEN, documented=HOLDS),)))
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
    (["nonsense"], "unknown name 'nonsense': use one of all theory q1 q2"),
    (["--jsn"], "unrecognized arguments: --jsn"),
    (["--seed", "-1"], "'-1' is not a whole number from 0 to 4294967295"),
    (["--seed", "4294967296"], "is not a whole number"),
    (["--out"], "argument --out: expected one argument"),
    (["--out", "file"], "cannot write results to file: it is a file"),
    (["--out", "file/below"], "cannot write results to file/below: Not a directory"),
    (["--image", "missing.jpg"], "cannot read image missing.jpg: No such file or directory"),
    (["--image", "."], "cannot read image .: Is a directory"),
    (["--image", "file"], "cannot read image file: cannot identify image file"),
    (["--image", "cut.jpg"], "cannot read image cut.jpg: image file is truncated"),
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
    assert "Traceback" not in err and "cannot write o/claims.json: Is a directory" in err


# --- stdout and stderr -------------------------------------------------------------------------

def strict(text):
    """The JSON document, which must not use the NaN and Infinity that only Python knows."""
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")
    return json.loads(text, parse_constant=refuse)


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


# --- other processes ---------------------------------------------------------------------------

FAKES = """
import signal, sys, time
from types import SimpleNamespace
signal.signal(signal.SIGINT, signal.default_int_handler)
from experiments import cli, theory
from experiments.claims import HOLDS, Answer, Claim, check
def answer(name, wait=0.0):
    def verify(settings):
        time.sleep(wait)
        claim = Claim(name + ".a", "w", "m", "y", HOLDS, check("c", 0, "<=", 1))
        return Answer(name, "title", ("story",), (claim,))
    return SimpleNamespace(subject="a subject", verify=verify)
theory.QUESTIONS = {"q1": answer("q1"), "q2": answer("q2", float(sys.argv.pop(1)))}
cli.PAGES = {}
sys.exit(cli.main())
"""


def start(*argv, wait=0.0, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TERM": "xterm"}
    return subprocess.Popen([sys.executable, "-c", FAKES, str(wait), *argv], env=environment,
                            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more})


def interrupt_after_q1(process):
    deadline = time.monotonic() + 30
    while not (Path("o/claims.json").exists() and "q1.a" in Path("o/claims.json").read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return out.decode(), err.decode()


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_keeps_what_is_finished(as_json):
    process = start("--out", "o", *["--json"] * as_json, wait=60)
    out, err = interrupt_after_q1(process)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "experiments: interrupted; finished: q1, kept in o"
    assert "Traceback" not in err
    document = strict(Path("o/claims.json").read_text())
    assert document["complete"] is False
    assert [c["id"] for c in document["claims"]] == ["q1.a"]
    assert "stopped with 1 of 2 questions finished" in Path("o/report.html").read_text()
    assert not list(Path("o").glob(".*"))
    if as_json:
        assert strict(out) == document


def test_a_closed_stdout_is_no_error():
    with start("--out", "o", wait=0.5) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(30) == 141
    assert "Traceback" not in err and "BrokenPipe" not in err


def test_a_bug_shows_its_traceback_but_loses_no_finished_question(questions):
    questions["q2"] = stopper(RuntimeError("bug"))
    with pytest.raises(RuntimeError, match="bug"):
        main(["--out", "o"])
    document = json.loads(Path("o/claims.json").read_text())
    assert not document["complete"] and len(document["questions"]) == 1


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_live_bar_on_a_terminal_leaves_stdout_alone():
    master, slave = os.openpty()
    process = start("--json", wait=0.5, stderr=slave)
    os.close(slave)
    bar = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:                         # Linux's way to say that the other end is closed
            break
        if not piece:
            break
        bar += piece
    os.close(master)
    with process:
        out = process.stdout.read()
        assert process.wait(30) == 0
    strict(out)
    assert b"\r" in bar and b"2/2  q2: a subject" in bar
    assert bar.endswith(b"\r\x1b[2K")


def test_help_needs_no_array_library():
    script = ("import sys\nfrom experiments.cli import main\ntry:\n    main(['--help'])\n"
              "except SystemExit:\n    pass\n"
              "assert not {'numpy', 'matplotlib', 'PIL', 'minigrad'} & set(sys.modules)\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "--image FILE" in done.stdout and "errata" in done.stdout
