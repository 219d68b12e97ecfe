"""Checkpoints: the whole state of a training run in one file, and the last few of them in a folder.

    write("step-00000060.safetensors", {"step": 60, "model": {...}, "history": [...]})
    state = read("step-00000060.safetensors")

The file is safetensors as `minigrad.weights.save` writes it: atomically, with the SHA-256 of every
array and of the header. Arrays anywhere in the nested state become tensors of the file, and
everything else is one JSON text in the metadata, which refers to them by name.
"""

import json
import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.backend import on_gpu
from minigrad.weights import WeightsError, load, save

_FORMAT = 1
_ENTRY = "training"             # of the metadata
_REFERENCE = "$array"           # {"$array": name} in the JSON stands for the array of that name
_NAME = re.compile(r"step-(\d{8,})\.safetensors")
_log = logging.getLogger(__name__)


def write(path: str | os.PathLike, state: dict) -> None:
    """Save nested dicts and lists of arrays, numbers, texts, booleans and None; keys are texts.

    Raises TypeError for anything else, OSError naming the path if the disk refuses.
    """
    arrays: dict[str, np.ndarray] = {}
    content = {"format": _FORMAT, "state": _without_arrays(state, (), arrays)}
    save(path, arrays, {_ENTRY: json.dumps(content)})


def read(path: str | os.PathLike) -> dict:
    """What `write` saved, with arrays that may be changed.

    Raises WeightsError for a file that is damaged or is no such checkpoint.
    """
    arrays = load(path)

    def with_arrays(value: dict) -> object:
        return np.array(arrays[value[_REFERENCE]]) if list(value) == [_REFERENCE] else value
    try:
        content = json.loads(arrays.metadata[_ENTRY], object_hook=with_arrays)
        version = content["format"]
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{os.fspath(path)}: no checkpoint of a training run") from None
    if version != _FORMAT:
        raise WeightsError(f"{os.fspath(path)}: a checkpoint of format {version}, this version "
                           f"reads {_FORMAT}")
    return content["state"]


def _without_arrays(value: Any, place: tuple[str, ...], arrays: dict[str, np.ndarray]) -> object:
    """`value` as JSON has it; its arrays go to `arrays`, under the names of their places."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"checkpoint: key {key!r} of {'.'.join(place)!r} is not a text")
        return {key: _without_arrays(v, (*place, key), arrays) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(v, (*place, str(i)), arrays) for i, v in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    name = ".".join(place)
    if not (isinstance(value, np.ndarray) or on_gpu(value)):
        raise TypeError(f"checkpoint: {name!r} is a {type(value).__name__}, which cannot be saved")
    if name in arrays:
        raise ValueError(f"checkpoint: two arrays are called {name!r}")
    arrays[name] = value
    return {_REFERENCE: name}


class Checkpoints:
    """The files `step-NNNNNNNN.safetensors` of a folder, of which the newest `keep` stay."""

    def __init__(self, folder: str | os.PathLike, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), keep

    def paths(self) -> list[Path]:
        """The files there are, oldest first."""
        paths = [(int(match[1]), path) for path in self.folder.glob("step-*")
                 if (match := _NAME.fullmatch(path.name))]
        return [path for _, path in sorted(paths)]

    def save(self, state: dict) -> Path:
        """Write the state of step state["step"], then remove what is older than `keep` files."""
        path = self.folder / f"step-{state['step']:08d}.safetensors"
        write(path, state)
        for old in self.paths()[:-self.keep]:
            old.unlink(missing_ok=True)
        return path

    def load(self) -> tuple[Path, dict] | None:
        """(path, state) of the newest file that can be read; None if there is no file.

        A damaged one is renamed to `*.damaged`, with a warning that names it and the one that is
        taken instead. Raises WeightsError if all are damaged, and OSError for one that cannot be
        opened or read (too many open files, say): it may be whole, and stays where it is.
        """
        damaged = []
        for path in reversed(self.paths()):
            try:
                state = read(path)
            except WeightsError as error:
                damaged.append((path, error))
                continue
            for bad, reason in damaged:
                _log.warning("%s; going on from %s instead", reason, path)
                os.replace(bad, f"{bad}.damaged")       # or it would stay the newest
            return path, state
        if damaged:
            raise WeightsError(f"{self.folder}: none of {len(damaged)} checkpoints can be read; "
                               f"the newest: {damaged[0][1]}")
        return None

    def clean(self) -> None:
        """Remove what a process that was killed while it saved has left behind."""
        for path in self.folder.glob(".minigrad-*.tmp"):
            path.unlink(missing_ok=True)
