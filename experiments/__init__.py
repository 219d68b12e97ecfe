"""The coursework as programs: `python -m experiments` verifies every theory answer.

Reading order: `claims.py` (what a verification returns), any module of `theory/` (one question
each), `questions.py` (the table of them) and `cli.py` (the command); then `results.py`, which keeps
the answers, and `report/`, which shows them. `tasks/` trains networks, `commands/` holds the other
commands. `walkthroughs/` are the lectures; what two of them run and draw with is in
`teaching_aids/`.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable


def moved(module: str, **homes: str) -> Callable[[str], object]:
    """The `__getattr__` of a module whose names have moved, {name: module where it is now}.

    Whoever still takes one of them from `module` gets it, with a DeprecationWarning.
    """
    def __getattr__(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(f"{module}.{name} is now {homes[name]}.{name}", DeprecationWarning,
                      stacklevel=2)
        return getattr(importlib.import_module(homes[name]), name)

    return __getattr__
