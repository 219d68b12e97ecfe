"""The line that says how far a piece of work is: when it is due, and what becomes of it."""

import io
import sys

import pytest

from minigrad import progress
from minigrad.progress import ProgressLine, is_terminal


class Stream(io.StringIO):
    def __init__(self, terminal, encoding="utf-8"):
        super().__init__()
        self.terminal, self.name_of_encoding = terminal, encoding

    encoding = property(lambda self: self.name_of_encoding)

    def isatty(self):
        return self.terminal


def on_terminal(monkeypatch):
    """What is written to stderr, as a terminal of 20 columns."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stderr", Stream(True))
    return sys.stderr


def test_what_a_terminal_is(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert is_terminal(Stream(True)) and not is_terminal(Stream(False))
    closed = Stream(True)
    closed.close()
    assert not is_terminal(closed)
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Stream(True))


@pytest.mark.parametrize("live, interval", [(True, "REDRAW_INTERVAL"), (False, "LOG_INTERVAL")])
def test_reports_are_due_after_an_interval(live, interval, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Stream(live))
    monkeypatch.setattr(progress, interval, 3)
    clock = iter([10, 12, 13, 14, 16])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    line = ProgressLine()
    assert [line.due() for _ in range(4)] == [False, True, False, True]


def test_the_first_report_may_be_due_at_once(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream(False))
    line = ProgressLine(immediate=True)
    assert line.due() and not line.due()


def test_a_terminal_forgets_a_report_and_keeps_what_is_said(monkeypatch):
    terminal = on_terminal(monkeypatch)
    line = ProgressLine()
    line.show("a text that is longer than the terminal", 0.5)
    line.say("said")
    line.close()
    wipe = "\r\x1b[2K"
    assert terminal.getvalue() == f"{wipe}a text that is long{wipe}said\n{wipe}"


def test_a_log_keeps_all_of_it_without_control_characters(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream(False))
    line = ProgressLine()
    line.show("shown", 0.5)
    line.say("said")
    line.close()
    assert sys.stderr.getvalue() == "shown\nsaid\n"


@pytest.mark.parametrize("encoding, bar", [("utf-8", "█" * 4 + "░" * 12),
                                           ("ascii", "#" * 4 + "-" * 12)])
def test_a_bar_is_made_of_what_can_be_printed(encoding, bar, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream(True, encoding))
    assert ProgressLine.bar(0.25) == bar


def test_silence_and_a_closed_stderr(monkeypatch):
    terminal = on_terminal(monkeypatch)
    line = ProgressLine(on=False, immediate=True)
    line.show("shown")
    line.say("said")
    line.close()
    assert not line.due() and terminal.getvalue() == ""
    line = ProgressLine()
    terminal.close()
    line.show("nobody listens")
    line.close()
