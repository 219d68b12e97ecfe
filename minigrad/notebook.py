"""Progress in a notebook: one output of the cell that is updated in place.

    board = Board()
    board.show("epoch 1/10  3/20  loss 1.2345", 0.15)
    board.say("epoch 1/10: loss 1.0000; 2.0 s")
    board.close()

Without IPython running as a kernel there is none of it: see `in_kernel`.
"""

from __future__ import annotations

import sys
from html import escape

_MOST_LINES = 12        # that stay; of more, the newest


def in_kernel() -> bool:
    """Whether this process is the kernel of a notebook, and not a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Board:
    """Lines that stay, and below them a bar with a text, until it is closed.

    The output begins with the first line or bar, in the cell that is running.
    """

    def __init__(self):
        self.lines, self.bar, self.handle = [], None, None

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

    def _draw(self):
        from IPython.display import display

        if self.handle is None:
            self.handle = display(self._content(), raw=True, display_id=True)
        else:
            self.handle.update(self._content(), raw=True)

    def _content(self):
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
