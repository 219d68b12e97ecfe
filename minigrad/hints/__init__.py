"""PyTorch's names that are not there yet: the AttributeError says what to write instead.

    mg.zeros(2, 3)      AttributeError: minigrad has no 'zeros': instead of torch.zeros(2, 3) write
                        mg.Tensor(np.zeros((2, 3), "float32"))
    python -m minigrad.hints        which names are there and which are not, as in the README

The tables are in tables.txt. A module asks them in its `__getattr__`, which Python calls for names
that it does not find. Tensor and Module have a `Missing` in their class for each name instead: with
a `__getattr__` every access to an attribute that is there would take twice as long.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from minigrad.arguments import nearest_name

# {name: (PyTorch's line, the one to write here)}; None where there is nothing in its place yet
Lines = dict[str, tuple[str, str] | None]


def _tables() -> tuple[dict[str, Lines], dict[str, list[str]]]:
    """What tables.txt says: {place: its lines}, and {place: names there that are not PyTorch's}."""
    names: dict[str, Lines] = {}
    ours: dict[str, list[str]] = {}
    text = Path(__file__).with_name("tables.txt").read_text(encoding="utf-8")
    for line in text.replace("\n  ", " ").splitlines():
        if line.startswith("["):
            place = line.strip("[]")
            names[place] = {}
        elif line.startswith("nothing yet: "):
            names[place] |= dict.fromkeys(line.split()[2:])
        elif line.startswith("not PyTorch's: "):
            ours[place] = line.split()[2:]
        elif line and not line.startswith("#"):
            theirs, instead = re.split("  +", line, maxsplit=1)
            names[place][re.split(r"\W+", theirs.partition(".")[2])[0]] = theirs, instead
    return names, ours


NAMES, OURS = _tables()


class Missing:
    """In place of a name of PyTorch's that a class does not have: whoever asks for it is told so.

    As `getattr` raises AttributeError, `hasattr` is False; what an instance or a subclass defines
    under the name counts as ever.
    """

    def __init__(self, place: str, name: str) -> None:
        self.place, self.name = place, name

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise _error(self.place, self.name, NAMES[self.place][self.name])


def attach(cls: type, place: str) -> None:
    """Give the class a Missing for each name of the place's table that it does not define itself;
    `dir` of an object has none."""
    for name in NAMES[place].keys() - vars(cls).keys():
        setattr(cls, name, Missing(place, name))
    cls.__dir__ = _without_missing  # type: ignore[method-assign, assignment]


def _without_missing(self: object) -> list[str]:
    missing = {name for cls in type(self).__mro__ for name, value in vars(cls).items()
               if isinstance(value, Missing)}
    return [name for name in object.__dir__(self) if name not in missing or hasattr(self, name)]


def module_getattr(place: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module: it imports a module inside it that is not imported yet, or
    raises the AttributeError that says what to do.

    A function that minigrad lacks is told by the method's line, which shows as much, and for other
    names the nearest one that is there. Names that begin with an underscore, which Python and other
    programs try, get Python's own words.
    """
    def __getattr__(name: str) -> Any:
        module, names = sys.modules[place], NAMES.get(place, {})
        if not name.startswith("_") and hasattr(module, "__path__") and (
                importlib.util.find_spec(f"{place}.{name}")):
            return importlib.import_module(f"{place}.{name}")
        if place == "minigrad":
            names = NAMES["Tensor"] | names
        if name in names:
            raise _error(place, name, names[name])
        plain = f"module {place!r} has no attribute {name!r}"
        if not name.startswith("_"):
            near = nearest_name(name, vars(module))
            plain += "" if near is None else f"; did you mean {near!r}?"
        raise _attribute_error(plain, name)
    return __getattr__


def _error(place: str, name: str, line: tuple[str, str] | None) -> AttributeError:
    if line is None:
        return _attribute_error(f"{place} has no {name!r} as PyTorch has, nor anything in its "
                                "place yet", name)
    return _attribute_error(f"{place} has no {name!r}: instead of {line[0]} write {line[1]}", name)


def _attribute_error(message: str, name: str) -> AttributeError:
    """Without `obj`, from whose names Python would guess another one in addition."""
    return AttributeError(message, name=name, obj=None)
