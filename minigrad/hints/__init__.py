"""PyTorch's names that are not there yet: the AttributeError says what to write instead.

    mg.zeros(2, 3)      AttributeError: minigrad has no 'zeros': instead of torch.zeros(2, 3) write
                        mg.Tensor(np.zeros((2, 3), "float32"))
    python -m minigrad.hints        which names are there and which are not, as in the README

The tables are in tables.py. A module asks them in its `__getattr__`, which Python calls for names
that it does not find. Tensor and Module have a `Missing` in their class for each name instead: with
a `__getattr__` every access to an attribute that is there would take twice as long.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

from minigrad.hints import tables


def _names(lines: str, not_yet: str) -> dict[str, tuple[str, str] | None]:
    """{name: (PyTorch's line, the one to write here)}, then {name: None} where there is none."""
    names = {}
    for line in filter(None, lines.splitlines()):
        theirs, ours = re.split("  +", line, maxsplit=1)
        names[re.search(r"\.(\w+)", theirs)[1]] = theirs, ours
    return names | dict.fromkeys(not_yet.split())


NAMES = {
    "Tensor": _names(tables.TENSOR, tables.TENSOR_NOT_YET),
    "minigrad": _names(tables.MINIGRAD, tables.MINIGRAD_NOT_YET),
    "minigrad.nn": _names(tables.NN, tables.NN_NOT_YET),
    "minigrad.nn.functional": _names(tables.FUNCTIONAL, tables.FUNCTIONAL_NOT_YET),
    "minigrad.nn.init": _names(tables.INIT, tables.INIT_NOT_YET),
    "Module": _names(tables.MODULE, tables.MODULE_NOT_YET),
    "minigrad.optim": _names(tables.OPTIM, tables.OPTIM_NOT_YET),
    "minigrad.optim.lr_scheduler": _names(tables.LR_SCHEDULER, tables.LR_SCHEDULER_NOT_YET),
}


class Missing:
    """In place of a name of PyTorch's that a class does not have: whoever asks for it is told so.

    As `getattr` raises AttributeError, `hasattr` is False; what an instance or a subclass defines
    under the name counts as ever.
    """

    def __init__(self, place, name):
        self.place, self.name = place, name

    def __get__(self, instance, owner=None):
        raise _error(self.place, self.name, NAMES[self.place][self.name])


def attach(cls: type, place: str) -> None:
    """Give the class a Missing for each name of the place's table; `dir` of an object has none."""
    for name in NAMES[place]:
        setattr(cls, name, Missing(place, name))
    cls.__dir__ = _without_missing


def _without_missing(self):
    missing = {name for cls in type(self).__mro__ for name, value in vars(cls).items()
               if isinstance(value, Missing)}
    return [name for name in object.__dir__(self) if name not in missing or hasattr(self, name)]


def module_getattr(place: str):
    """The `__getattr__` of a module: it raises the AttributeError that says what to do.

    A function that minigrad lacks is told by the method's line, which shows as much. A module that
    is not imported yet is told too, and for other names the nearest one that is there. Names that
    begin with an underscore, which Python and other programs try, get Python's own words.
    """
    def __getattr__(name):
        module, names = sys.modules[place], NAMES[place]
        if place == "minigrad":
            names = NAMES["Tensor"] | names
        if name in names:
            raise _error(place, name, names[name])
        plain = f"module {place!r} has no attribute {name!r}"
        if not name.startswith("_"):
            if hasattr(module, "__path__") and importlib.util.find_spec(f"{place}.{name}"):
                plain += f" until it is imported: from {place} import {name}"
            else:
                import difflib      # here: mistakes are rare, and `import minigrad` stays light
                plain += "".join(f"; did you mean {near!r}?" for near in
                                 difflib.get_close_matches(name, vars(module), 1))
        raise _attribute_error(plain, name)
    return __getattr__


class Uncallable(ModuleType):
    """The class of the module `minigrad.tensor`, where PyTorch has a function of that name."""

    def __call__(self, *arguments, **options):
        theirs, ours = NAMES["minigrad"]["tensor"]
        raise TypeError(f"{self.__name__} is a module: instead of {theirs} write {ours}")


def _error(place, name, line):
    if line is None:
        return _attribute_error(f"{place} has no {name!r} as PyTorch has, nor anything in its "
                                "place yet", name)
    return _attribute_error(f"{place} has no {name!r}: instead of {line[0]} write {line[1]}", name)


def _attribute_error(message, name):
    """Without `obj`, from whose names Python would guess another one in addition."""
    return AttributeError(message, name=name, obj=None)
