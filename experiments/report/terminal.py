"""Text for people: answers as wrapped paragraphs and tables, and progress on stderr.

A `Screen` knows what its stream can show: colour only on a terminal (and never under NO_COLOR),
ticks only where the encoding has them, lines as long as the terminal is wide, up to 140 columns.
Where columns would be too narrow to read, a table is a block of lines for each of its rows.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from experiments.claims import CORRECTED, HOLDS, NOT_JUDGED, OPEN, WRONG, Answer, Check, Claim

MARKS = {HOLDS: "✓", CORRECTED: "≈", WRONG: "✗", OPEN: "?", NOT_JUDGED: "–"}
_ASCII_MARKS = {HOLDS: "+", CORRECTED: "~", WRONG: "x", OPEN: "?", NOT_JUDGED: "-"}
_TINTS = {HOLDS: "green", CORRECTED: "yellow", WRONG: "red", OPEN: "magenta", NOT_JUDGED: "dim"}
_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "magenta": 35}
_NARROWEST, _WIDEST, _LONGEST_PROSE = 32, 140, 100
_LEAST_FOR_COLUMNS = 60         # of the screen, for a table of several columns
_USUAL = 80                     # columns of a terminal that does not say how many it has
_INDENT, _GAP = "  ", "  "
_KEPT = r"\n|\x1b\[[\d;]*m"                     # line breaks, and what `paint` writes
LOG_INTERVAL = 5.0                              # seconds between the lines of a log


class Screen:
    """A text stream and what it can show."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.encoding = stream.encoding or "ascii"
        self.width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
        self.colour = is_live(stream) and not os.environ.get("NO_COLOR")
        self.unicode = "✓≈✗─█░".encode(self.encoding, "replace") != b"??????"

    def print(self, lines: Iterable[str]) -> None:
        """Write whole lines at once; what the encoding lacks becomes a question mark, and what
        would move the cursor or is no character, as names of files may hold, is escaped."""
        text = "".join(escaped(line.rstrip(), keep=_KEPT if self.colour else "\n") + "\n"
                       for line in lines)
        self.stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
        self.stream.flush()

    def paint(self, text: str, *styles: str) -> str:
        if not self.colour or not styles:
            return text
        return f"\x1b[{';'.join(str(_CODES[s]) for s in styles)}m{text}\x1b[0m"

    def rule(self, width: int) -> str:
        return ("─" if self.unicode else "-") * width

    def bar(self, share: float, width: int) -> str:
        """A bar of `width` columns, `share` of them filled."""
        full, empty = "█░" if self.unicode else "#-"
        return full * round(width * share) + empty * (width - round(width * share))

    def badge(self, verdict: str) -> str:
        return f"{(MARKS if self.unicode else _ASCII_MARKS)[verdict]} {verdict}"

    def prose(self, text: str) -> list[str]:
        """One paragraph, indented and wrapped."""
        width = min(self.width, _LONGEST_PROSE) - len(_INDENT)
        return [_INDENT + line for line in _wrap(text, width)]

    def wrapped(self, text: str, *styles: str) -> list[str]:
        """Lines that begin at the left edge."""
        return [self.paint(line, *styles) for line in _wrap(text, self.width)]


def shown(name: object) -> str:
    """A name as it is, or quoted and escaped if it would not print on one line."""
    text = str(name)
    return text if text.isprintable() else ascii(text)


def escaped(text: str, keep: str = "") -> str:
    """The text with all that does not print, but for characters and sequences of the pattern
    `keep`, as Python would write it: a line break as \\n."""
    if text.isprintable():
        return text
    parts = re.split(f"({keep})", text) if keep else [text]
    return "".join(part if i % 2 else "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else
        c.encode("unicode_escape").decode() for c in part) for i, part in enumerate(parts))


def redraw(text: str = "") -> None:
    """Replace the line of the terminal that stderr is at, which must be live; an empty text wipes
    it."""
    sys.stderr.write(f"\r\x1b[2K{text}")
    sys.stderr.flush()


def is_live(stream: TextIO) -> bool:
    """Whether the stream is a terminal that understands escape sequences."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def answer_lines(screen: Screen, answer: Answer) -> list[str]:
    """One question: its title, its story, its claims as a table, and what came out differently."""
    title = f"{answer.question}  {answer.title}"
    lines = ["", *screen.wrapped(title, "bold"),
             screen.paint(screen.rule(min(len(title), screen.width)), "dim")]
    for paragraph in answer.story:
        lines += screen.prose(paragraph)
    for table in answer.tables:
        lines += ["", *table_lines(screen, table.header, table.rows), *screen.prose(table.caption)]
    rows = [(c.id, screen.badge(c.verdict), c.written, c.measured) for c in answer.claims]
    tints = [_TINTS[c.verdict] for c in answer.claims]
    lines += ["", *table_lines(screen, ("claim", "verdict", "written", "measured"), rows, tints)]
    for claim in answer.claims:
        if not claim.as_documented:
            lines += ["", *screen.prose(surprise(claim))]
    return lines


def summary_lines(screen: Screen, claims: Sequence[Claim]) -> list[str]:
    """How many claims got which verdict, and whether that is what is documented."""
    judged = [c for c in claims if c.judged]
    counts = Counter(c.verdict for c in judged)
    found = [v for v in MARKS if counts[v]]
    parts = [f"{counts[v]} {screen.badge(v)}" for v in found]
    whole = len(f"{len(judged)} claims: {', '.join(parts)}") <= screen.width
    parts = [screen.paint(part, _TINTS[v]) for part, v in zip(parts, found)]
    totals = ([f"{len(judged)} claims: {', '.join(parts)}"] if whole else
              [f"{len(judged)} claims:", *(_INDENT + part for part in parts)])
    if len(judged) < len(claims):
        unjudged = [c.id for c in claims if not c.judged]
        totals += screen.wrapped(f"Not judged here ({len(unjudged)}): {', '.join(unjudged)}.")
    unexpected = sum(not c.as_documented for c in claims)
    outcome = (f"{unexpected} came out differently from what is documented" if unexpected
               else "every verdict is the documented one")
    return ["", *totals, *screen.wrapped(outcome[0].upper() + outcome[1:] + ".")]


def surprise(claim: Claim) -> str:
    """One line on a claim that came out differently, with the checks that failed."""
    failed = "; ".join(describe(c) for c in claim.checks if not c.passed)
    return (f"{claim.id} came out {claim.verdict!r}, documented {claim.documented!r}"
            f" (failed: {failed or 'no check'})")


def describe(check: Check) -> str:
    return f"{check.name}: {brief(check.value)} {check.relation} {brief(check.bound)}"


def brief(value: object) -> str:
    """A number for people: six digits where more would not fit a table."""
    text = str(value)
    if not isinstance(value, float) or len(text) <= 9:
        return text
    return f"{value:.6g}"


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; line breaks in `text` stay, no text is one line."""
    return [line for part in text.split("\n") for line in textwrap.wrap(part, width) or [""]]


def table_lines(screen: Screen, header: Sequence[str], rows: Sequence[Sequence[str]],
                tints: Sequence[str] | None = None) -> list[str]:
    """A table that fits the screen; the second cell of each row may have a tint.

    Aligned columns whose cells wrap; on a narrow screen a block of "name: cell" lines for each row.
    """
    if screen.width < _LEAST_FOR_COLUMNS and len(header) > 1:
        return _blocks(screen, header, rows, tints)
    columns = list(zip(header, *rows))
    room = screen.width - len(_INDENT) - len(_GAP) * (len(header) - 1)
    widths = _share([_widest(cells) for cells in columns], room)
    # Wrapped text rarely fills its column: what is left over goes to the columns that want it.
    used = [_widest("\n".join(_wrap(cell, w)) for cell in cells)
            for cells, w in zip(columns, widths)]
    wanted = [_widest(cells) if u == w else u for cells, u, w in zip(columns, used, widths)]
    widths = _share(wanted, room)

    def lay(row: Sequence[str], styles: Sequence[tuple[str, ...]]) -> list[str]:
        cells = [_wrap(cell, w) for cell, w in zip(row, widths)]
        height = max(map(len, cells))
        cells = [cell + [""] * (height - len(cell)) for cell in cells]
        return [_INDENT + _GAP.join(screen.paint(text.ljust(w), *style)
                                    for text, w, style in zip(line, widths, styles))
                for line in zip(*cells)]

    lines = lay(header, [("bold",)] * len(header))
    lines += lay([screen.rule(w) for w in widths], [("dim",)] * len(header))
    for i, row in enumerate(rows):
        styles = [()] * len(row)
        if tints is not None:
            styles[1] = (tints[i],)
        lines += lay(row, styles)
    return lines


def _blocks(screen, header, rows, tints):
    """The lines of a table without columns; empty cells are left out."""
    lines = []
    for i, row in enumerate(rows):
        lines += [""] * (i > 0)
        for j, (name, cell) in enumerate(zip(header, row)):
            if j and not cell:
                continue
            text = f"{name}: {cell}" if name else cell
            styles = ("bold",) if j == 0 else (tints[i],) if j == 1 and tints is not None else ()
            indent = _INDENT * (2 if j else 1)
            for k, part in enumerate(text.split("\n")):
                lines += [screen.paint(line, *styles) for line in textwrap.wrap(
                    part, screen.width, initial_indent=indent + _INDENT * (k > 0),
                    subsequent_indent=indent + _INDENT)]
    return lines


def _widest(cells: Iterable[str]) -> int:
    return max(len(line) for cell in cells for line in cell.split("\n"))


def _share(wanted: Sequence[int], room: int) -> list[int]:
    """Columns narrower than an equal share get what they want; the others share the rest."""
    widths = [0] * len(wanted)
    by_width = sorted(range(len(wanted)), key=wanted.__getitem__)
    for waiting, i in zip(range(len(wanted), 0, -1), by_width):
        widths[i] = min(wanted[i], room // waiting)
        room -= widths[i]
    return widths


@contextmanager
def progress(label: str, done: int, total: int) -> Iterator[Callable[[str], None]]:
    """Say on stderr that `label` is at work, as step `done + 1` of `total`, while the block runs.

    The block gets a function that takes a few words on what it is doing just now. On a terminal all
    is one live line, wiped at the end, so that results can be printed in its place; in a log, a
    plain line every few seconds and one when the block ends well.
    """
    screen, label = Screen(sys.stderr), escaped(label)
    live = is_live(sys.stderr)
    bar = screen.bar(done / total, 16)
    start, over, doing = time.monotonic(), threading.Event(), [""]

    def show(note: str = "") -> None:
        seconds = f"{time.monotonic() - start:.1f} s"
        with suppress(OSError):                 # nobody listens any more: no reason to stop
            if live:
                columns = os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL
                name = label if not doing[0] else label.partition(":")[0]
                text = f"{bar} {done + 1}/{total}  {name}  {seconds}  {doing[0]}"
                redraw(text[:columns - 1])
            else:
                note = note or doing[0] and f"{doing[0]}, "
                screen.print([f"[{done + 1}/{total}] {label}: {note}{seconds}"])

    def tell(words: str) -> None:
        doing[0] = escaped(words)

    def tick() -> None:
        while not over.wait(0.1 if live else LOG_INTERVAL):
            show()

    ticker = threading.Thread(target=tick, daemon=True)
    if live:
        show()
    ticker.start()
    try:
        yield tell
    finally:
        over.set()
        ticker.join()
        if live:
            with suppress(OSError):
                redraw()
    if not live:
        show("done, ")
