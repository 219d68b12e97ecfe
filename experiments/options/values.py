"""The values of options: functions for `argparse` that take the text of one and give its value.

Each raises argparse.ArgumentTypeError, which says in a few words what the text should have been.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from experiments.errors import UserError

DEVICES = ("cpu", "cuda", "auto")
MOST_SIDE = 4096                    # pixels, for --size
_MOST_DIGITS = 10                   # of a number, which may begin with zeros


def whole_number(low: int, high: int, kind: str = "") -> Callable[[str], int]:
    """For decimal digits that are a number from `low` to `high`; `kind` says so in words."""
    kind = kind or f"a whole number from {low} to {high}"

    def number(text: str) -> int:
        if not (text.isdecimal() and len(text) <= _MOST_DIGITS and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind}")
        return int(text)

    return number


def real_number(low: float, high: float, kind: str) -> Callable[[str], float]:
    """For a number above `low`, and of `high` at most; `kind` says so in words."""
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low
        if not low < value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind}")
        return value

    return number


seed = whole_number(0, 2**32 - 1)
positive = whole_number(1, 1_000_000, "a positive whole number")
share = real_number(0, 0.4, "a share above 0, of 0.4 at most")
rate = real_number(0, 10, "a learning rate above 0, of 10 at most")


def side(text: str) -> int:
    """For the side of an image in pixels."""
    pixels = positive(text)
    if pixels > MOST_SIDE:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {MOST_SIDE} pixels")
    return pixels


def usable_device(name: str) -> str:
    """cpu or cuda. Raises UserError for a cuda that does not work here."""
    if name == "cpu":
        return name
    import numpy as np

    from minigrad.backend import to_device
    try:
        to_device(np.zeros(1), "cuda")
        return "cuda"
    except RuntimeError as error:
        if name == "auto":
            return "cpu"
        raise UserError(f"--device cuda: {error}") from error
