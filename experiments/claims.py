"""What a verification returns: claims, each judged by its own checks.

A `Claim` sets what was written beside what was measured. Nobody types a verdict in: it follows
from checks that passed or failed, and it is compared with the documented one, so a verification
that comes out differently is seen at once (exit status 1 of `python -m experiments`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from experiments import moved

HOLDS = "holds"
CORRECTED = "holds after correction"
WRONG = "wrong"
OPEN = "not established"
NOT_JUDGED = "not judged here"

_RELATIONS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt,
              "==": operator.eq, "!=": operator.ne}


@dataclass(frozen=True)
class Check:
    """One measured comparison, `value relation bound`, such as `max error 3e-17 <= 1e-12`."""

    name: str
    value: object
    relation: str
    bound: object

    @property
    def passed(self) -> bool:
        return bool(_RELATIONS[self.relation](self.value, self.bound))

    @property
    def measured(self) -> bool:
        """False if the value is nan, which compares as False with everything and proves nothing."""
        return not (isinstance(self.value, float) and math.isnan(self.value))


def check(name: str, value, relation: str, bound) -> Check:
    """Record one comparison; `relation` is one of <= < >= > == !=. Raises ValueError otherwise."""
    if relation not in _RELATIONS:
        raise ValueError(f"relation {relation!r} of check {name!r}: use one of "
                         f"{' '.join(_RELATIONS)}")
    return Check(name, value, relation, bound)


@dataclass(frozen=True)
class Claim:
    """One statement of the written answers and what became of it.

    `as_written` asks whether the statement holds to the letter; `corrected`, whether it does once
    the slip named in `why` is mended (None: there is nothing that a correction could save);
    `evidence` holds what must be true whatever the verdict, such as the agreement of independent
    routes. `routes` maps each route to the value it found. `documented` is the verdict that is
    known to be right, None where nobody can know it yet. `judged` is False where what was measured
    cannot speak for the statement, as drawn photos cannot for what is written about real ones.
    """

    id: str
    written: str
    measured: str
    why: str
    documented: str | None
    as_written: Check
    corrected: Check | None = None
    evidence: tuple[Check, ...] = ()
    routes: Mapping[str, float] = field(default_factory=dict)
    judged: bool = True

    @property
    def verdict(self) -> str:
        if not self.judged:
            return NOT_JUDGED
        if not all(c.passed for c in self.evidence) or not all(c.measured for c in self.checks):
            return OPEN
        if self.as_written.passed:
            return HOLDS
        if self.corrected is None:
            return WRONG
        return CORRECTED if self.corrected.passed else OPEN

    @property
    def as_documented(self) -> bool:
        return not self.judged or self.documented in (None, self.verdict)

    @property
    def checks(self) -> tuple[Check, ...]:
        middle = () if self.corrected is None else (self.corrected,)
        return (self.as_written, *middle, *self.evidence)


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the caption says what they are, and of which photos."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Everything that one question produced.

    `story` tells it in a few plain lines; `numbers` are further figures worth keeping (JSON types);
    `figures` maps a file stem to a function that returns a matplotlib Figure, SVG source text, the
    bytes of a GIF or a Pillow image, drawn only when somebody wants to see it; `captions` maps the
    same stems to a line each.
    """

    question: str
    title: str
    story: tuple[str, ...]
    claims: tuple[Claim, ...]
    numbers: Mapping[str, object] = field(default_factory=dict)
    figures: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()


def spread(routes: Mapping[str, float]) -> float:
    """Largest difference between any two routes' values (nan if one of them is nan)."""
    values = list(routes.values())
    return math.nan if any(map(math.isnan, values)) else max(values) - min(values)


__getattr__ = moved(__name__, Settings="experiments.settings")
