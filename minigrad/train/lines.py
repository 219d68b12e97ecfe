"""A line of a history, {"epoch": 1, "train": {"loss": 2.0}}: its values by name, and which of two
values is better."""

from __future__ import annotations

import math
from collections.abc import Sequence


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


def best_index(name: str, values: Sequence[float]) -> int | None:
    """Where the first best of `values` is, see `better`; None if none is finite."""
    best = None
    for i, value in enumerate(values):
        if math.isfinite(value) and better(name, value, None if best is None else values[best]):
            best = i
    return best
