"""Progress: a bar on a terminal or in a notebook, a plain line every few seconds in a log.

On a terminal and in a log it goes to stderr, in a notebook to one output of the running cell.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress

from minigrad.notebook import Board, in_kernel
from minigrad.train.metrics import computed

LOG_INTERVAL, REDRAW_INTERVAL = 5.0, 0.1        # seconds
_WIDTH = 16


class Progress:
    """Says where a training run is: `step` after every step, `epoch` at the end of one.

    With `on` False it says nothing. A stderr that nobody listens to any more is no reason to stop.
    """

    def __init__(self, on: bool, epochs: int):
        self.on, self.epochs = on, epochs
        self.board = Board() if in_kernel() else None
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        encoding = sys.stderr.encoding or "ascii"
        fits = "█░".encode(encoding, "replace") != b"??"
        self.full, self.empty = ("█", "░") if fits else ("#", "-")
        self.shown = time.monotonic()

    def step(self, epoch: int, done: int, total: int, meters: dict, what: str = "") -> None:
        """`done` of `total` batches of epoch `epoch` (from 1) are done."""
        interval = REDRAW_INTERVAL if self.live or self.board else LOG_INTERVAL
        if not self.on or time.monotonic() - self.shown < interval:
            return
        self.shown = time.monotonic()
        where = f"epoch {epoch}/{self.epochs}"
        text = f"{done}/{total}  {what}{figures_text(computed(meters))}"
        if self.board:
            self.board.show(f"{where}  {text}", done / total)
        elif self.live:
            filled = round(_WIDTH * done / total)
            bar = self.full * filled + self.empty * (_WIDTH - filled)
            self._write(f"\r\x1b[2K{f'{where}  {bar} {text}'[:shutil.get_terminal_size()[0] - 1]}")
        else:
            self._write(f"{where}: {text}\n")

    def epoch(self, line: dict) -> None:
        """A line of the history, which stays."""
        parts = [f"{part} {figures_text(line[part])}" for part in ("train", "valid")
                 if part in line]
        self.say(f"epoch {line['epoch']}/{self.epochs}: {'; '.join(parts)}; "
                 f"{line['seconds']:.1f} s")

    def say(self, text: str) -> None:
        """A line that stays, in the place of the bar."""
        if self.on and self.board:
            self.board.say(text)
        elif self.on:
            self._write(("\r\x1b[2K" if self.live else "") + text + "\n")

    def close(self) -> None:
        """Wipe the bar."""
        if self.on and self.board:
            self.board.close()
        elif self.on and self.live:
            self._write("\r\x1b[2K")

    def _write(self, text):
        with suppress(OSError, ValueError):     # ValueError: stderr is closed
            sys.stderr.write(text)
            sys.stderr.flush()


def figures_text(figures: dict) -> str:
    """Those of the figures that are single numbers: "loss 0.1234  accuracy 0.9500"."""
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items()
                     if isinstance(value, (int, float)))
