"""A trained network from a file or a run's folder, ready to classify photographs.

    found = load("runs/first")                  # the best epoch of that run
    x = found.preprocess(read_image("new.jpg"))
    scores = found.model(mg.Tensor(x[None]))
    found.classes                               # what the scores stand for

`fit` writes into its `best.safetensors` what the network is, its class names and how photographs
are prepared. Other files lack some of that or all of it; `about` says what, and what to do.
"""

import inspect
import json
import logging
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigrad import weights
from minigrad.data.specs import from_spec, spec_text
from minigrad.models.architecture import MODELS, architecture, build, num_outputs
from minigrad.models.known import current_names, head_of, recognise
from minigrad.nn import Module
from minigrad.nn.init import undrawn
from minigrad.weights import WeightsError
from minigrad.weights.errors import quote

_BEST, _STEP = "best.safetensors", re.compile(r"step-(\d{8,})\.safetensors")
_RECORDED = "classes", "preprocessing", "architecture"
_TRAINING, _PREFIX = "training", "model."       # of a step file: its metadata, its weights' names
_SLACK = 10_000                 # numbers that a file may lack: old ones have no counts of batches
_log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """A network, in evaluation mode, and what its file records beside the weights.

    model         the network
    classes       the names of its outputs, in their order, or None
    preprocess    photograph -> array, as in validation, or None
    about         a few lines for people: what was loaded, what is missing and what to do
    path          the file
    architecture  its description (see `architecture`), None for a class of the user's own
    notes         what was taken from the file, and what the names of its tensors lost (see
                  `minigrad.weights.Weights`)
    """

    model: Module
    classes: list[str] | None
    preprocess: Callable[[Any], np.ndarray] | None
    about: str
    path: str
    architecture: dict[str, Any] | None
    notes: Sequence[str] = ()


def load(path: str | os.PathLike,
         model: Module | str | Callable[[int | None], Module] | None = None, *,
         entry: str | None = None, strip_prefix: bool | str = True) -> Loaded:
    """The network whose weights are in a file, or in the folder of a run (see `locate`).

    model None: the network is built as the file records, and without a record as the one of
    `MODELS` that has such tensors (see `recognise`). Otherwise `model` is a network; or a function
    that makes one from the number of recorded class names (None if there are none); or the name of
    one in `MODELS`, whose sizes are then those of the tensors.

    `entry` says which table of a checkpoint holds the weights, `strip_prefix` which prefixes their
    names lose: see `minigrad.weights.load`. Nothing in the file is executed.

    Raises WeightsError for a file that cannot be read, does not fit the network, does not say which
    network it is of, or has another number of class names than outputs; OSError if it cannot be
    opened; ValueError for a name that is not in `MODELS`.
    """
    path, arrays, facts, state = contents(path, entry=entry, strip_prefix=strip_prefix)
    try:
        classes = _classes(facts.get("classes"))
        preprocess = None if facts.get("preprocessing") is None else from_spec(
            facts["preprocessing"])
        network = model
        if callable(model) and not isinstance(model, Module):
            network = model(None if classes is None else len(classes))
        if not isinstance(network, Module):
            with undrawn():
                network = _build(network, facts.get("architecture"), arrays)
        network.load_state_dict(arrays)
        spec = architecture(network)
        outputs = None if spec is None else num_outputs(network)
        if classes is not None and outputs not in (None, len(classes)):
            raise WeightsError(f"it records {len(classes)} class names, and its network has "
                               f"{outputs} outputs")
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from None
    about = _about(state, facts, spec or {"name": type(network).__name__}, classes, preprocess)
    _log.info("%s", about)
    return Loaded(network.eval(), classes, preprocess, about, path, spec, state.notes)


def locate(path: str | os.PathLike) -> str:
    """The file that a path stands for: the path itself, or, if it is the folder of a run, its
    best.safetensors, and without that its newest checkpoint.

    The run may also be the only one in a folder inside this one. Raises WeightsError if there is
    none, or if there are several.
    """
    path = os.path.expanduser(os.fsdecode(path))
    if not os.path.isdir(path):
        return path
    file = _in_run(path)
    if file:
        return file
    inner = {entry.name: file for entry in os.scandir(path)
             if entry.is_dir() and (file := _in_run(entry.path))}
    if not inner:
        raise WeightsError(f"{path}: there are no weights in this folder, neither checkpoints/"
                           f"{_BEST} nor a step file")
    if len(inner) > 1:
        raise WeightsError(f"{path}: there are {len(inner)} trainings in this folder; name one: "
                           f"{', '.join(sorted(inner))}")
    return inner.popitem()[1]


def _in_run(folder: str) -> str | None:
    """The best file of a run, or its newest step file; None if it has neither."""
    for place in (Path(folder, "checkpoints"), Path(folder)):
        if (place / _BEST).is_file():
            return str(place / _BEST)
        steps = [(int(match[1]), str(file)) for file in place.glob("step-*")
                 if (match := _STEP.fullmatch(file.name))]
        if steps:
            return max(steps)[1]
    return None


def contents(path: str | os.PathLike, *, entry: str | None = None,
             strip_prefix: bool | str = True
             ) -> tuple[str, dict[str, np.ndarray], dict[str, Any], weights.Weights]:
    """(the file's path, {name: array}, {what `fit` records: value}, everything that was read).

    The arguments and errors are those of `load`.
    """
    path = locate(path)
    state = weights.load(path, entry=entry, strip_prefix=strip_prefix)
    arrays = current_names(state)
    if _TRAINING in state.metadata:
        arrays = {name.removeprefix(_PREFIX): array for name, array in state.items()
                  if name.startswith(_PREFIX)}
    return path, arrays, _facts(path, state.metadata), state


# --- what is recorded ----------------------------------------------------------------------------

def _facts(path: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What `fit` has recorded, in JSON types: in the metadata, and in a step file in its state."""
    facts: dict[str, Any] = {}
    if _TRAINING in metadata:
        try:
            facts = json.loads(metadata[_TRAINING])["state"].get("about", {})
            return {name: facts.get(name) for name in _RECORDED}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise WeightsError(f"{path}: no checkpoint of a training run") from None
    for name in _RECORDED if "minigrad" in metadata else ():
        try:
            facts[name] = json.loads(metadata[name]) if name in metadata else None
        except (ValueError, RecursionError):
            raise WeightsError(f"{path}: what it records as {name} is no JSON") from None
    return facts


def _classes(names: Any) -> list[str] | None:
    if names is not None and (not isinstance(names, list) or not names
                              or not all(isinstance(name, str) for name in names)):
        raise WeightsError("what it records as classes is no list of names")
    return names


def _build(name: Any, spec: Any, arrays: Mapping[str, np.ndarray]) -> Module:
    """The network of the name, of the record, or of the tensors' names."""
    if name is None and spec is None:
        name = recognise(arrays)
        if name is None:
            raise WeightsError("it does not record of which network it is: it was written by an "
                               "earlier version, by another program, or of a class of your own; "
                               "give the network, or its name in MODELS, as model=")
    if name is not None:
        spec = describe(name, arrays)
    return build(spec, 2 * sum(array.size for array in arrays.values()) + _SLACK)


def describe(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The description (see `architecture`) of the network called `name` that has these tensors.

    Raises ValueError for a name that is not in `MODELS`, WeightsError if the tensors are not of
    such a network.
    """
    if name not in MODELS:
        raise ValueError(f"no network {name!r}; there are: {', '.join(MODELS)}")
    network = recognise(arrays)
    if network not in (name, None):
        raise WeightsError(f"these are weights of {network}, not of {name}")
    head = head_of(name)
    arguments: dict[str, Any] = {key: parameter.default for key, parameter in inspect.signature(
        MODELS[name]).parameters.items() if key != "weights"}
    try:
        last = arrays[f"{head}.codes" if f"{head}.codes" in arrays else f"{head}.weight"]
        arguments["num_classes"] = len(last)
        if name == "lenet5":
            arguments["variant"] = "1998" if "s2.weight" in arrays else "modern"
        elif name == "small_cnn":
            arguments["size"] = 4 * math.isqrt(arrays["14.weight"].shape[1] // 8)
        elif "width" in arguments:
            arguments["width"] = len(arrays["conv1.weight"])
        elif "image_size" in arguments:
            arguments["image_size"] = 16 * math.isqrt(arrays["encoder.pos_embedding"].shape[1] - 1)
    except (KeyError, TypeError, IndexError):
        some = ", ".join(quote(tensor) for tensor in list(arrays)[:3])
        raise WeightsError(f"these are no weights of {name}; its tensors are {some}, ..."
                           ) from None
    return {"name": name, "arguments": arguments}


def _about(state: weights.Weights, facts: dict[str, Any], spec: dict[str, Any],
           classes: list[str] | None, preprocess: Callable | None) -> str:
    """Lines for people: what was loaded, and what is missing."""
    name = spec.get("name") or spec["layer"]
    figures = [f"{key} {value}" for key, value in state.metadata.items()
               if key in ("epoch", "minigrad") or key.endswith((".loss", ".accuracy"))]
    lines = [f"{state.path}: {', '.join([name, *figures])}", *state.notes]
    if classes is not None:
        lines.append(f"{len(classes)} classes: {', '.join(map(quote, classes))}")
    if preprocess is not None:
        lines.append(f"preprocessing: {spec_text(facts['preprocessing'])}")
    missing = {
        "class names": classes is None and "output i is the i-th of your classes in sorted order, "
                                           "if they were folders",
        "preprocessing": preprocess is None and "prepare photographs as they were for validation, "
                                                "or, for official weights, by models.preprocess",
        "architecture": not facts.get("architecture") and "it was told from the tensors, or given"}
    return "\n".join(lines + [f"no {what} recorded: {advice}" for what, advice in missing.items()
                              if advice])
