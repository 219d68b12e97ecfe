"""How far a long piece of work is: one line that changes on a terminal, a few lines in a log.

    with closing(ProgressLine()) as line:
        for done in range(total):
            ...
            if line.due():              # ten times a second on a terminal, every 5 s in a log
                line.show(f"check: {done} of {total}", done / total)
        line.say("all can be read")     # a line that stays

On a terminal and in a log it goes to stderr. In a notebook (where IPython runs as a kernel) it is
one output of the running cell, updated in place. A stderr that nobody listens to any more is no
reason to stop.
"""

import math
import os
import shutil
import sys
import time
from contextlib import suppress
from html import escape
from typing import Any, TextIO

LOG_INTERVAL, REDRAW_INTERVAL = 5.0, 0.1        # seconds
_WIDTH = 16                                     # of a bar, in characters
_WIPE = "\r\x1b[2K"
_MOST_LINES = 12                                # that stay in a notebook; of more, the newest


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal that understands escape sequences."""
    return not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"


def in_kernel() -> bool:
    """Whether this process is the kernel of a notebook, and not a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class ProgressLine:
    """The line of one piece of work; with `on` False it says nothing.

    The first report is due after an interval, or, with `immediate`, at once.
    """

    def __init__(self, on: bool = True, immediate: bool = False) -> None:
        self.on = on
        self.board = Board() if in_kernel() else None
        self.live = self.board is None and is_terminal(sys.stderr)
        self.reported = -math.inf if immediate else time.monotonic()

    def due(self) -> bool:
        """Whether it is time for the next report, which then counts as made."""
        now = time.monotonic()
        interval = REDRAW_INTERVAL if self.live or self.board else LOG_INTERVAL
        if not self.on or now - self.reported < interval:
            return False
        self.reported = now
        return True

    def show(self, text: str, share: float = 0.0) -> None:
        """Say how far the work is; a terminal and a notebook forget it with the next report.

        share: the part of the work that is done, 0 to 1, for the bar of a notebook.
        """
        if self.on and self.board:
            self.board.show(text, share)
        elif self.on and self.live:
            self._write(f"{_WIPE}{text[:shutil.get_terminal_size()[0] - 1]}")
        elif self.on:
            self._write(f"{text}\n")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.on and self.board:
            self.board.say(text)
        elif self.on:
            self._write(f"{_WIPE if self.live else ''}{text}\n")

    def close(self) -> None:
        """Wipe what `show` has left."""
        if self.on and self.board:
            self.board.close()
        elif self.on and self.live:
            self._write(_WIPE)

    @staticmethod
    def bar(share: float) -> str:
        """A bar of 16 characters, of which this share is filled, in those that stderr can print."""
        blocks = "█░".encode(sys.stderr.encoding or "ascii", "replace") != b"??"
        full, empty = "█░" if blocks else "#-"
        filled = round(_WIDTH * share)
        return full * filled + empty * (_WIDTH - filled)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):     # ValueError: stderr is closed
            sys.stderr.write(text)
            sys.stderr.flush()


class Board:
    """The output of a notebook's cell: lines that stay, and a bar with a text until it is closed.

    The output begins with the first line or bar, in the cell that is running.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bar: tuple[str, float] | None = None
        self.handle: Any = None

    def show(self, text: str, share: float) -> None:
        """Draw the bar, a share from 0 to 1, with its text."""
        self.bar = text, share
        self._draw()

    def say(self, line: str) -> None:
        """A line that stays, in the place of the bar."""
        self.lines.append(line)
        self.bar = None
        self._draw()

    def close(self) -> None:
        """Wipe the bar."""
        if self.bar is not None:
            self.bar = None
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display(self._content(), raw=True, display_id=True)
        else:
            self.handle.update(self._content(), raw=True)

    def _content(self) -> dict[str, str]:
        """The output as HTML and, where that cannot be shown, as text."""
        lines = self.lines[-_MOST_LINES:]
        if len(self.lines) > len(lines):
            lines.insert(0, f"({len(self.lines) - len(lines)} lines before)")
        html = "".join(f"{escape(line)}\n" for line in lines)
        html = f'<pre style="margin: 0">{html}</pre>' if lines else ""
        if self.bar is not None:
            text, share = self.bar
            lines.append(f"{share:4.0%}  {text}")
            html += (f'<div><progress value="{share:.4f}" max="1" style="width: 12em"></progress> '
                     f'<code style="white-space: pre">{escape(text)}</code></div>')
        return {"text/plain": "\n".join(lines), "text/html": html}
