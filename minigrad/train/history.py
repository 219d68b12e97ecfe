"""What happened in each epoch: a list of lines, kept as JSON Lines.

    history = History.read("run/history.jsonl")
    history.column("valid.accuracy")        # one number per epoch
    history.best("valid.loss")              # the line of the best epoch
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from types import MappingProxyType

from minigrad.weights.atomic import write_file


class History(list):
    """A list with a dict per epoch: {"epoch", "lr", "train": {...}, "valid": {...}, "seconds"}.

    "epoch" counts from 1; "lr" is that of the epoch's last step, a list if there are several
    groups of parameters; "train" and "valid" have the loss and the metrics. In fp16 "skipped" is
    how many steps were left out because a gradient overflowed; where a loader may leave samples
    out, "left_out" is how many it has. `left_out` is {name: reason} of those of the whole run.
    """

    left_out: Mapping[str, str] = MappingProxyType({})

    def column(self, name: str) -> list:
        """The values of one entry, such as "epoch" or "valid.loss", in the order of epochs."""
        return [lookup(line, name) for line in self]

    def best(self, name: str) -> dict:
        """The first line with the best value of `name`: the lowest of a name that ends in "loss",
        else the highest. ValueError if the history is empty."""
        if not self:
            raise ValueError("history: there is no epoch yet")
        best = self[0]
        for line in self:
            if better(name, lookup(line, name), lookup(best, name)):
                best = line
        return best

    def save(self, path: str | os.PathLike) -> None:
        """Replace the file `path` as a whole, so that no crash leaves half a line.

        Of nan and the infinities, which JSON lacks, there are the texts "nan", "inf" and "-inf".
        """
        lines = (json.dumps(_replaced(line, _as_text), allow_nan=False) + "\n" for line in self)
        write_file(path, ["".join(lines).encode()])

    @classmethod
    def read(cls, path: str | os.PathLike) -> History:
        """Raises ValueError naming file and line where that is not JSON, OSError as `open` does."""
        lines = cls()
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    lines.append(_replaced(json.loads(line), _as_number))
                except ValueError as error:
                    raise ValueError(f"{os.fspath(path)}, line {number}: {error}") from None
        return lines


def _replaced(value, change):
    """The same tree, with `change` made to each value in it."""
    if isinstance(value, dict):
        return {key: _replaced(entry, change) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(entry, change) for entry in value]
    return change(value)


def _as_text(value):
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _as_number(value):
    return float(value) if value in ("nan", "inf", "-inf") else value


def lookup(line: dict, name: str):
    """line["valid"]["loss"] for "valid.loss". Raises KeyError that lists what there is."""
    value = line
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            known = [f"{key}.{inner}" if inner else key for key, entry in line.items()
                     for inner in (entry if isinstance(entry, dict) else [None])]
            raise KeyError(f"history has no {name!r}; there are {', '.join(known)}")
        value = value[part]
    return value


def better(name: str, value: float, than: float | None) -> bool:
    """Whether `value` beats `than`: a loss (its name ends so) by being lower, others by being
    higher. NaN beats nothing, and everything beats None and NaN."""
    if math.isnan(value):
        return False
    if than is None or math.isnan(than):
        return True
    return value < than if name.endswith("loss") else value > than
