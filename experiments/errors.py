"""The one error of the commands, which the user can mend, and how messages are put into words."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class UserError(Exception):
    """A mistake that the user can mend; its message is one line: what, where, what to do."""


def one_line(error: object) -> str:
    """What an error says, without line breaks."""
    return " ".join(str(error).split())


def name_hint(name: str, names: Collection[str]) -> str:
    """What to write instead of an unknown name: the one of `names` that is like it, or all."""
    close = difflib.get_close_matches(name.lower(), names, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of {' '.join(names)}"
