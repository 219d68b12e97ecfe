"""What a run is made of, as JSON: to be saved, and compared with the next attempt to go on."""

import functools
import hashlib
import itertools
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minigrad import __version__
from minigrad.data import DataLoader, Subset
from minigrad.data.dataset import Dataset
from minigrad.engine import Tensor, data_of
from minigrad.kernels.conv import plans
from minigrad.nn import Module
from minigrad.optim.optimizer import ADDED_LATER
from minigrad.train.run import Run
from minigrad.train.tuning import frozen_names

_MOST_TEXTS = 3     # of differences in a message
_ADDRESS = re.compile(" at 0x[0-9A-Fa-f]+")     # of a function, which is another one every time
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def describe(run: Run, recipe: dict) -> dict:
    """All that decides what the run computes, apart from the weights and minigrad's seed.

    recipe: the other settings. Functions are described by their names. A scheduler, and what it
    sets in the optimizer, are described as they are at its start, however far they are: objects
    whose training was stopped are still those of that run. Raises ValueError if the optimizer
    trains a tensor that is not in the model.
    """
    model, optimizer, scheduler = run.model, run.optimizer, run.scheduler
    names = {id(p): name for name, p in model.named_parameters()}
    groups = []
    for i, group in enumerate(optimizer.param_groups):
        if not all(id(p) in names for p in group["params"]):
            raise ValueError(f"fit: the {type(optimizer).__name__} trains tensors that are not in "
                             "the model; make it from this model's parameters")
        groups.append({**group, **(scheduler.start(i) if scheduler else {}),
                       "params": [names[id(p)] for p in group["params"]]})
    return json.loads(json.dumps({      # tuples become lists, as in a file
        "model": repr(model).splitlines(),
        "frozen": frozen_names(model),
        "optimizer": {"class": type(optimizer).__name__, "param_groups": groups},
        "scheduler": scheduler and {
            "class": type(scheduler).__name__, **{
                name: value for name, value in scheduler.state_dict().items() if name[0] != "_"},
            "last_epoch": 0},
        "train": describe_loader(run.train),
        "valid": None if run.valid is None else describe_loader(run.valid),
        "metrics": {name: name_of(make) for name, make in run.metrics.items() if name != "loss"},
        **{key: name_of(value) if callable(value) else value for key, value in recipe.items()}}))


def describe_loader(loader: DataLoader) -> dict:
    """How it makes batches, and which data there are (see `fingerprint`)."""
    transform = getattr(_base(loader.dataset), "transform", None)
    if callable(transform) and type(transform).__repr__ is object.__repr__:
        transform = name_of(transform)
    elif transform is not None:
        transform = _ADDRESS.sub("", repr(transform)).splitlines()
    return {"samples": len(loader.dataset), "batch_size": loader.batch_size,
            "shuffle": loader.shuffle, "drop_last": loader.drop_last, "seed": loader.seed,
            "sampler": loader.state_dict()["sampler"],
            "on_error": loader.on_error, "transform": transform,
            "names": fingerprint(loader.dataset, sizes=False),
            "removed": len(getattr(_base(loader.dataset), "removed", ())) or None,
            "fingerprint": fingerprint(loader.dataset)}


def fingerprint(dataset: Dataset, sizes: bool = True) -> str:
    """SHA-256 over name, file size and class of every sample in their order, and arrays in memory.

    Of a path the last two parts count, so that the folder may move. Files are not read: one that
    was changed without changing its size goes unnoticed, and so does another sample of an object of
    the user's that is neither a list nor has `targets`.
    """
    digest = hashlib.sha256()
    targets = itertools.repeat(None) if dataset.targets is None else dataset.targets
    for index, target in zip(range(len(dataset)), targets):
        path = Path(dataset.name(index))
        try:
            size = os.stat(path).st_size if sizes else None
        except OSError:             # the name of a sample in memory
            size = None
        target = target.numpy(force=True) if isinstance(target, Tensor) else target
        label = target.tolist() if hasattr(target, "tolist") else target
        digest.update(json.dumps([*path.parts[-2:], size, label]).encode())
    base = _base(dataset)
    arrays = [getattr(base, "x", None), *getattr(base, "tensors", ())]
    source = getattr(base, "source", None)
    if isinstance(source, (list, tuple)):
        arrays = [part for pair in source if isinstance(pair, (list, tuple)) for part in pair]
    for x in map(data_of, arrays):
        if isinstance(x, (np.ndarray, np.generic, int, float)):
            x = np.ascontiguousarray(x)
            digest.update(f"{x.dtype} {x.shape}".encode() + x.data)
    return digest.hexdigest()


def _base(dataset: Dataset) -> Dataset:
    """The data set that a subset, or a subset of one, is taken from."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def name_of(function: object) -> str:
    """The name of a function, of the class of an object, of `partial` with its arguments; what a
    Module prints."""
    if isinstance(function, Module):
        return repr(function)
    if isinstance(function, functools.partial):
        arguments = [*map(repr, function.args),
                     *(f"{key}={value!r}" for key, value in function.keywords.items())]
        return f"{name_of(function.func)}({', '.join(arguments)})"
    return getattr(function, "__qualname__", type(function).__name__)


def with_allowances(saved: dict, current: dict, left_out: Mapping[str, str] | None) -> dict:
    """The saved identity, with every difference that is allowed taken over from the current one.

    That is what earlier versions did not write down; as long as no sample was `left_out`, what the
    loaders do on an error; and photographs that were removed and keep their places, where the sizes
    of the others are not compared.
    """
    parts = {}
    for part in ("train", "valid"):
        old, new = saved[part], current[part]
        if old and new:
            same = {"names": old.get("names", new["names"])}
            if not left_out:
                same["on_error"] = new["on_error"]
            if new["removed"] and new["names"] == old.get("names"):
                same |= {key: new[key] for key in ("removed", "fingerprint")}
            parts[part] = {**old, **same}
    known = {option for group in current["optimizer"]["param_groups"] for option in group}
    added = {option: value for option, value in ADDED_LATER.items() if option in known}
    groups = [{**added, **group} for group in saved["optimizer"]["param_groups"]]
    return {**saved, **parts, "optimizer": {**saved["optimizer"], "param_groups": groups}}


def differences(saved: object, current: object, place: str = "") -> list[str]:
    """One text per value of two JSON trees that is not the same: "train.batch_size 32, now 16"."""
    if isinstance(saved, dict) and isinstance(current, dict):
        keys = [*saved, *(key for key in current if key not in saved)]
        return [text for key in keys for text in differences(
            saved.get(key), current.get(key), f"{place}.{key}" if place else key)]
    if isinstance(saved, list) and isinstance(current, list) and len(saved) == len(current):
        return [text for i, pair in enumerate(zip(saved, current))
                for text in differences(*pair, f"{place}[{i}]")]
    return [] if saved == current else [f"{place} {_shorten(saved)}, now {_shorten(current)}"]


def first_of(texts: list[str]) -> str:
    """The first few differences as one text, with the number of those that are not listed."""
    more = f"; and {len(texts) - _MOST_TEXTS} more" if len(texts) > _MOST_TEXTS else ""
    return "; ".join(texts[:_MOST_TEXTS]) + more


def _shorten(value: object) -> str:
    text = f"{len(value)} entries" if isinstance(value, (list, dict)) else repr(value).strip()
    return text if len(text) <= 60 else f"{text[:57]}..."


def environment() -> dict:
    """What the last bits of a result depend on, beside the run itself."""
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    cupy = sys.modules.get("cupy")
    return {"minigrad": __version__, "python": platform.python_version(),
            "numpy": np.__version__, "blas": f"{blas.get('name')} {blas.get('version')}",
            "blas_kernel": plans.machine(), "convolution_plans": plans.VERSION,
            "cupy": cupy and cupy.__version__, "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "threads": {name: os.environ[name] for name in _THREADS if name in os.environ}}
