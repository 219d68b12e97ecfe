"""What a network is, kept beside its weights, so that nobody has to remember it.

    minigrad        the version that trained it
    classes         their names, in the order of its outputs
    preprocessing   what is done to a photograph before it sees it (see `data.to_spec`)
    architecture    how to build it (see `models.architecture`)

What is not known is left out: names of classes that no data set has, a preparation with functions
of one's own, a network of one's own classes.
"""

from __future__ import annotations

import json
import logging
import os

from minigrad import __version__
from minigrad.data.specs import to_spec
from minigrad.models.architecture import architecture, num_outputs
from minigrad.models.load import contents
from minigrad.nn import Module
from minigrad.weights import WeightsError

_log = logging.getLogger(__name__)


def about(model: Module, train, valid) -> dict:
    """The entries above, in JSON types, for the network and the loaders that it is trained with.

    A known network with more outputs than there are names of classes is warned of.
    """
    views = [to_spec(loader.dataset.transform) for loader in (valid, train) if loader is not None]
    names, spec = train.dataset.classes, architecture(model)
    if names and spec and num_outputs(model) > len(names):
        _log.warning("fit: the network has %d outputs for %d classes; num_classes=%d gives it as "
                     "many", num_outputs(model), len(names), len(names))
    known = {"minigrad": __version__, "classes": names, "preprocessing": views[0],
             "architecture": spec}
    return {name: value for name, value in known.items() if value is not None}


def as_metadata(entries: dict) -> dict[str, str]:
    """The same, as safetensors has it: texts; those that are none, in JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value)
            for name, value in entries.items()}


def check_classes(train, valid) -> list[str] | None:
    """The names of the classes. Raises ValueError if the two loaders have others, or another order.
    """
    names = train.dataset.classes
    if valid is not None and None not in (names, valid.dataset.classes):
        if list(names) != list(valid.dataset.classes):
            raise ValueError(
                f"fit: the classes of train are {_brief(names)}, those of valid "
                f"{_brief(valid.dataset.classes)}, so that their numbers mean something else; give "
                "both the same with ImageFolder(classes=...)")
    return names


def begin_from(path: str | os.PathLike, model: Module, classes: list[str] | None) -> None:
    """Give the model the weights of a run folder, a step file or any other file with weights.

    Raises WeightsError naming the file if they do not fit, OSError if it cannot be opened. If its
    classes have other names than `classes`, though as many, a warning says so.
    """
    path, weights, facts, _ = contents(path)
    try:
        model.load_state_dict(weights)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from None
    if None not in (classes, facts.get("classes")) and list(facts["classes"]) != list(classes):
        _log.warning("%s: its outputs stood for %s, from now on they stand for %s", path,
                     _brief(facts["classes"]), _brief(classes))


def _brief(names):
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
