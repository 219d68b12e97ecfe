"""What a network is, kept beside its weights, so that nobody has to remember it.

    minigrad        the version that trained it
    classes         their names, in the order of its outputs
    preprocessing   what is done to a photograph before it sees it (see `data.to_spec`)
    architecture    how to build it (see `models.architecture`)

What is not known is left out: names of classes that no data set has, a preparation with functions
of one's own, a network of one's own classes.
"""

import json
import logging
import os
from collections.abc import Sequence

from minigrad import __version__
from minigrad.data import DataLoader
from minigrad.data.specs import to_spec
from minigrad.models.architecture import architecture, num_outputs
from minigrad.models.load import contents
from minigrad.nn import Module
from minigrad.weights import WeightsError

_log = logging.getLogger(__name__)


def about(model: Module, train: DataLoader, valid: DataLoader | None) -> dict:
    """The entries above, in JSON types, for the network and the loaders that it is trained with.

    Warns of a known network that has more outputs than there are names of classes.
    """
    views = [to_spec(loader.dataset.transform) for loader in (valid, train) if loader is not None]
    names, spec = train.dataset.classes, architecture(model)
    outputs = num_outputs(model) if spec else None
    if names and outputs is not None and outputs > len(names):
        _log.warning("fit: the network has %d outputs for %d classes; num_classes=%d gives it as "
                     "many", outputs, len(names), len(names))
    entries = dict(minigrad=__version__, classes=names, preprocessing=views[0], architecture=spec)
    return {name: value for name, value in entries.items() if value is not None}


def as_metadata(entries: dict) -> dict[str, str]:
    """The same, as safetensors has it: texts; those that are none, in JSON."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in entries.items()}


def check_classes(train: DataLoader, valid: DataLoader | None) -> list[str] | None:
    """The names of the classes. Raises ValueError if the two loaders have others, or another order.
    """
    names, others = (loader.dataset.classes if loader else None for loader in (train, valid))
    if names is not None and others is not None and list(names) != list(others):
        raise ValueError(f"fit: the classes of train are {_abbreviate(names)}, those of valid "
                         f"{_abbreviate(others)}, so that their numbers mean something else; give "
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
    recorded = facts.get("classes")
    if classes is not None and recorded is not None and list(recorded) != list(classes):
        _log.warning("%s: its outputs stood for %s, from now on they stand for %s", path,
                     _abbreviate(recorded), _abbreviate(classes))


def _abbreviate(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
