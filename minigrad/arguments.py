"""Arguments: one notion of an integer, Python numbers out of NumPy's, names that are near others.

    demand(x > 0, "x must be positive")     else an ArgumentError with that message
    is_integer(np.int64(3))         True; False for 3.0, True, "3"
    integer("Linear", "in_features", np.prod((2, 3)))       6, or a ValueError of one line
    number(np.float64(0.5))         0.5, which JSON knows and which never widens a float32 array
    plain((np.float64(0.5), 1))     (0.5, 1)
    nearest_name("resnet81", MODELS)    "resnet18", for "did you mean resnet18?"
"""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np


class ArgumentError(ValueError, RuntimeError):
    """An argument that does not fit. PyTorch raises a RuntimeError, which this is too."""


class DtypeError(TypeError, RuntimeError):
    """A dtype that does not do. PyTorch raises a RuntimeError, which this is too."""


def demand(condition: object, error: str) -> None:
    """Raise ArgumentError unless it holds."""
    if not condition:
        raise ArgumentError(error)


def is_integer(value: object, least: int | None = None) -> bool:
    """Whether `value` counts: Python's and NumPy's integers and integer arrays without axes, of at
    least `least`. Booleans do not, which PyTorch's sizes and axes refuse too."""
    if isinstance(value, bool) or getattr(value, "dtype", None) == bool:
        return False
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
    return least is None or number >= least


def integer(who: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as Python's int; ValueError naming `who` and the argument unless it is an integer of
    at least `least`."""
    if not is_integer(value, least):
        wanted = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{who}: {name} must be {wanted}, got {value!r}")
    return operator.index(value)


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The one of the known names that somebody who wrote `name` may have meant, or None."""
    import difflib      # here: mistakes are rare, and `import minigrad` stays light
    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def number(x: Any) -> Any:
    """A NumPy number, or the one in an array without axes, as Python's; anything else as it is."""
    if isinstance(x, np.generic) or isinstance(x, np.ndarray) and not x.ndim:
        value = x.item()
        return float(value) if isinstance(value, np.floating) else value  # of a longdouble
    return x


def plain(value: Any) -> Any:
    """`number`, also of a Tensor without axes, and of each item of a tuple or list."""
    if type(value) in (tuple, list):
        return type(value)(plain(item) for item in value)
    value = number(value)
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
