"""`python -m experiments` in a process of its own: Ctrl-C, closed streams, terminals, start-up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.places import ROOT
from tests.strict_json import strict


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


FAKES = """
import signal, sys, time
from types import SimpleNamespace
signal.signal(signal.SIGINT, signal.default_int_handler)
from experiments import cli, questions
from experiments.claims import HOLDS, Answer, Claim, check
questions.TASKS = {}
def answer(name, wait=0.0):
    def verify(settings):
        time.sleep(wait)
        claim = Claim(name + ".a", "w", "m", "y", HOLDS, check("c", 0, "<=", 1))
        return Answer(question=name, title="title", story=("story",), claims=(claim,))
    return SimpleNamespace(subject="a subject", verify=verify)
questions.THEORY = {"q1": answer("q1"), "q2": answer("q2", float(sys.argv.pop(1)))}
questions.PICTURES = {}
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


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_streams_that_were_closed_before(closed):
    """As by `>&-`: Python has None in the place of such a stream."""
    def close():
        for number in closed:
            os.close(number)
    with start("--out", "o", preexec_fn=close) as process:
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0 and b"Traceback" not in err
    assert strict(Path("o/claims.json").read_text())["complete"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_mistake_that_nobody_can_be_told():
    with open("/dev/full", "wb") as full, start("nonsense", stderr=full) as process:
        assert process.wait(30) == 2


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


def test_what_swallows_ctrl_c_is_imported_before_the_work_begins():
    """NumPy imports its random numbers when they are first asked for, by code that drops errors."""
    code = "import sys, experiments.tasks.crew; sys.exit('numpy.random' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
