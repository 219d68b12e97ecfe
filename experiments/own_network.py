"""`--arch FILE.py:NAME`: a network of the user's own, from the user's own file, which is run."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from pathlib import Path

from experiments.results import UserError


def is_own(arch: str | None) -> bool:
    """Whether `--arch` names a file and something in it."""
    return arch is not None and ".py:" in arch


def own_network(arch: str, num_classes: int | None):
    """The Module that FILE.py:NAME is, or that it makes: of the number of classes, if it can be
    called with one argument, or of none.

    Raises UserError, in one line, if the file cannot be run or NAME is no network.
    """
    from minigrad.nn import Module

    made = named(arch)
    if isinstance(made, Module):
        return made
    if not callable(made):
        raise UserError(f"--arch {arch}: it is a {type(made).__name__}, neither a network nor a "
                        "class or function that makes one")
    wanted = _takes_one(made)
    if wanted and num_classes is None:
        raise UserError(f"--arch {arch}: it is called with the number of classes, which the "
                        "weights do not record; give their names with --classes FILE")
    try:
        model = made(num_classes) if wanted else made()
    except Exception as error:          # whatever the user's code raises
        raise UserError(f"--arch {arch}: {_told(error)}") from error
    if not isinstance(model, Module):
        raise UserError(f"--arch {arch}: it made a {type(model).__name__}, not an nn.Module")
    return model


def named(arch):
    """What NAME is in the file, which is run. Raises UserError if there is none."""
    file, _, name = arch.rpartition(":")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise UserError(f"--arch {arch}: there is no file {file}")
    spec = importlib.util.spec_from_file_location(f"own_network_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module             # as dataclasses and pickle want
    sys.path.insert(0, str(path.parent))        # as if the file had been started
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"--arch {arch}: the file cannot be run: {_told(error)}") from error
    finally:
        sys.path.remove(str(path.parent))
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items()
               if callable(value) and getattr(value, "__module__", "") == spec.name]
        raise UserError(f"--arch {arch}: there is no {name!r} in the file; it has "
                        f"{', '.join(own) or 'nothing that makes a network'}")
    return getattr(module, name)


def _takes_one(made):
    """Whether it has to be called with an argument, or has one called num_classes first."""
    parameters = [p for p in inspect.signature(made).parameters.values()
                  if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return bool(parameters) and (parameters[0].default is inspect.Parameter.empty
                                 or parameters[0].name == "num_classes")


def _told(error):
    """An error of the user's code: its kind, its words, the line where it arose."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words} ({Path(place.filename).name}, line {place.lineno})"
