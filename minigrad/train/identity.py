"""What a run is made of, as JSON: to be written down, and to be held against the next attempt."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
import sys
from pathlib import Path

import numpy as np

from minigrad import __version__
from minigrad.nn import Module

_LISTED = 3     # differences that a message names
_ADDRESS = re.compile(" at 0x[0-9A-Fa-f]+")     # of a function, which is another one every time
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def describe(model, optimizer, scheduler, train, valid, metrics: dict, recipe: dict) -> dict:
    """All that decides what the run computes, apart from the weights and minigrad's seed.

    recipe: the other settings. Functions are described by their names. A scheduler, and what it
    sets in the optimizer, are described as they are at its start, however far they are: objects
    whose training was stopped are still those of that run. Raises ValueError if the optimizer
    trains a tensor that is not in the model.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    groups = []
    for i, group in enumerate(optimizer.param_groups):
        if not all(id(p) in names for p in group["params"]):
            raise ValueError(f"fit: the {type(optimizer).__name__} trains tensors that are not in "
                             "the model; make it from this model's parameters")
        groups.append({**group, **(scheduler.options(0, i) if scheduler else {}),
                       "params": [names[id(p)] for p in group["params"]]})
    return json.loads(json.dumps({      # tuples become lists, as in a file
        "model": repr(model).splitlines(),
        "frozen": frozen_names(model),
        "optimizer": {"class": type(optimizer).__name__, "param_groups": groups},
        "scheduler": scheduler and {
            "class": type(scheduler).__name__, **scheduler.state_dict(), "last_epoch": 0},
        "train": describe_loader(train),
        "valid": None if valid is None else describe_loader(valid),
        "metrics": {name: called(make) for name, make in metrics.items()},
        **{key: called(value) if callable(value) else value for key, value in recipe.items()}}))


def frozen_names(model) -> list[str]:
    return [name for name, p in model.named_parameters() if not p.requires_grad]


def describe_loader(loader) -> dict:
    """How it makes batches, and which data there are (see `fingerprint`)."""
    transform = _base(loader.dataset).transform
    if transform is not None:
        nameless = callable(transform) and type(transform).__repr__ is object.__repr__
        text = called(transform) if nameless else _ADDRESS.sub("", repr(transform))
        transform = text if nameless else text.splitlines()
    return {"samples": len(loader.dataset), "batch_size": loader.batch_size,
            "shuffle": loader.shuffle, "drop_last": loader.drop_last, "seed": loader.seed,
            "sampler": None if loader.sampler is None else repr(loader.sampler),
            "on_error": loader.on_error, "transform": transform,
            "names": fingerprint(loader.dataset, sizes=False),
            "removed": len(getattr(_base(loader.dataset), "removed", ())) or None,
            "fingerprint": fingerprint(loader.dataset)}


def fingerprint(dataset, sizes: bool = True) -> str:
    """SHA-256 over name, file size and class of every sample in their order, and arrays in memory.

    Of a path the last two parts count, so that the folder may move. Files are not read: one that
    was changed without changing its size goes unnoticed.
    """
    digest = hashlib.sha256()
    for index, target in enumerate(dataset.targets):
        path = Path(dataset.name(index))
        try:
            size = os.stat(path).st_size if sizes else None
        except OSError:             # the name of a sample in memory
            size = None
        digest.update(json.dumps([*path.parts[-2:], size, int(target)]).encode())
    x = getattr(_base(dataset), "x", None)
    if isinstance(x, np.ndarray):
        digest.update(f"{x.dtype} {x.shape}".encode() + np.ascontiguousarray(x).data)
    return digest.hexdigest()


def _base(dataset):
    """The data set that a subset, or a subset of one, is taken from."""
    while hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return dataset


def called(function) -> str:
    """The name of a function, of the class of an object, of `partial` with its arguments; what a
    Module prints."""
    if isinstance(function, Module):
        return repr(function)
    if isinstance(function, functools.partial):
        arguments = [*map(repr, function.args),
                     *(f"{key}={value!r}" for key, value in function.keywords.items())]
        return f"{called(function.func)}({', '.join(arguments)})"
    return getattr(function, "__qualname__", type(function).__name__)


def excused(then: dict, now: dict, left_out) -> dict:
    """The identity `then`, with what it may have had otherwise made as it is `now`.

    That is what earlier versions did not write down; as long as no sample was `left_out`, what the
    loaders do on an error; and photographs that were removed and keep their places, where the sizes
    of the others are not compared.
    """
    parts = {}
    for part in ("train", "valid"):
        before, after = then[part], now[part]
        if before and after:
            same = {"names": before.get("names", after["names"])}
            if not left_out:
                same["on_error"] = after["on_error"]
            if after["removed"] and after["names"] == before.get("names"):
                same |= {key: after[key] for key in ("removed", "fingerprint")}
            parts[part] = {**before, **same}
    return {**then, **parts}


def differences(then, now, place: str = "") -> list[str]:
    """One text per value of two JSON trees that is not the same: "train.batch_size 32, now 16"."""
    if isinstance(then, dict) and isinstance(now, dict):
        keys = [*then, *(key for key in now if key not in then)]
        return [text for key in keys for text in differences(
            then.get(key), now.get(key), f"{place}.{key}" if place else key)]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [text for i, pair in enumerate(zip(then, now))
                for text in differences(*pair, f"{place}[{i}]")]
    return [] if then == now else [f"{place} {_short(then)}, now {_short(now)}"]


def listed(texts: list[str]) -> str:
    more = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return "; ".join(texts[:_LISTED]) + more


def _short(value):
    text = f"{len(value)} entries" if isinstance(value, (list, dict)) else repr(value).strip()
    return text if len(text) <= 60 else f"{text[:57]}..."


def environment() -> dict:
    """What the last bits of a result depend on, beside the run itself."""
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    cupy = sys.modules.get("cupy")
    return {"minigrad": __version__, "python": platform.python_version(),
            "numpy": np.__version__, "blas": f"{blas.get('name')} {blas.get('version')}",
            "cupy": cupy and cupy.__version__, "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "threads": {name: os.environ[name] for name in _THREADS if name in os.environ}}
