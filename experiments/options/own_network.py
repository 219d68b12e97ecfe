"""`--arch FILE.py:NAME`: a network of the user's own, from the user's own file, which is run."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError, one_line


def is_own(arch: str | None) -> bool:
    """Whether `--arch` names a file and something in it."""
    return arch is not None and ".py:" in arch


def own_network(arch: str, num_classes: int | None):
    """The Module that FILE.py:NAME is, or that it returns when it is called: with the number of
    classes, if it takes an argument.

    Raises UserError, in one line, if the file cannot be run or NAME is no network.
    """
    from minigrad.nn import Module

    made = named(arch)
    if isinstance(made, Module):
        return made
    if not callable(made):
        raise UserError(f"--arch {arch}: it is a {type(made).__name__}, neither a network nor a "
                        "class or function that makes one")
    with blamed(arch):
        wanted = _takes_one(made)
    if wanted and num_classes is None:
        raise UserError(f"--arch {arch}: it is called with the number of classes, which the "
                        "weights do not record; give their names with --classes FILE")
    with blamed(arch, SystemExit):
        model = made(num_classes) if wanted else made()
    if not isinstance(model, Module):
        raise UserError(f"--arch {arch}: it made a {type(model).__name__}, not an nn.Module")
    return model


@contextmanager
def blamed(arch: str, *more: type[BaseException], doing: str = "") -> Iterator[None]:
    """A block that runs the user's code. An Exception in it, or one of the types `more`, becomes a
    UserError of one line, which begins with `doing`. Errors of the networks of `MODELS` pass as
    they are."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except (Exception, *more) as error:
        if not is_own(arch):
            raise
        raise UserError(f"--arch {arch}: {doing}{_in_words(error)}") from error


def named(arch):
    """What NAME is in the file, which is run. Raises UserError if there is none."""
    file, _, name = arch.rpartition(":")
    path = Path(file).expanduser().resolve()
    if not os.path.isfile(path):
        raise UserError(f"--arch {arch}: there is no file {file}")
    spec = importlib.util.spec_from_file_location(f"own_network_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module             # as dataclasses and pickle want
    sys.path.insert(0, str(path.parent))        # as if the file had been started
    try:
        with blamed(arch, SystemExit, doing="the file cannot be run: "):
            spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items()
               if callable(value) and getattr(value, "__module__", "") == spec.name]
        raise UserError(f"--arch {arch}: there is no {name!r} in the file; it has "
                        f"{', '.join(own) or 'nothing that makes a network'}")
    return getattr(module, name)


def _takes_one(made):
    """Whether its first argument has no default, or is called num_classes."""
    parameters = [p for p in inspect.signature(made).parameters.values()
                  if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return bool(parameters) and (parameters[0].default is inspect.Parameter.empty
                                 or parameters[0].name == "num_classes")


def _in_words(error):
    """An error of the user's code: its kind, its words, the line where it arose."""
    words = ": ".join(filter(None, (type(error).__name__, one_line(error))))
    place = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, SyntaxError) or place.filename.startswith("<"):    # its words tell where
        return words
    return f"{words} ({Path(place.filename).name}, line {place.lineno})"
