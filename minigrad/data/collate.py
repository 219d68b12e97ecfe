"""From samples to a batch: Tensors, in the structure that the samples have."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import is_array
from minigrad.dtypes import kind
from minigrad.engine import Tensor
from minigrad.ops import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """The samples of a batch, which are alike, as one: Tensors, arrays and numbers are stacked, in
    tuples, lists and dicts, however deep; tuples become lists; texts stay a list. Python's floats
    are float32, as in a Tensor.

    Raises TypeError for what cannot be stacked, RuntimeError for tuples of two lengths, ValueError
    for arrays of two shapes.
    """
    first = batch[0]
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        parts = {key: default_collate([item[key] for item in batch]) for key in first}
        if not hasattr(first, "update"):
            return parts
        whole = copy.copy(first)        # which may be of a class of its own
        whole.update(parts)
        return whole
    if isinstance(first, (tuple, list)):
        lengths = sorted({len(item) for item in batch})
        demand(len(lengths) == 1, "default_collate: the tuples or lists of a batch differ in "
               f"length: {lengths}")
        stacked = [default_collate(part) for part in zip(*batch)]
        return type(first)(*stacked) if hasattr(first, "_fields") else stacked
    numbers = is_array(first) or isinstance(first, (np.generic, Tensor))
    if isinstance(first, (bool, int, float)) and not numbers:       # float64 is a float, too
        return Tensor(list(batch))
    if not numbers or kind(first.dtype) not in "biufc":
        raise TypeError("default_collate: samples must be made of Tensors, arrays, numbers, texts, "
                        f"dicts, tuples and lists, got {getattr(first, 'dtype', type(first))}; "
                        "or give a collate_fn")
    return stack([x if isinstance(x, Tensor) else Tensor(x) for x in batch])


def is_leaf(part: object) -> bool:
    """Whether it is to be an array: neither a structure, nor a text, nor on a GPU already."""
    return not isinstance(part, (tuple, list, Mapping, str, bytes)) and (
        getattr(part, "device", "cpu") == "cpu")


def as_array(what: str, value: object, hint: str = "") -> np.ndarray:
    """An array of numbers, Python's in the dtypes of a Tensor; an integer target is int64."""
    if isinstance(value, Tensor):
        value = value.numpy(force=True)
    if type(value) in (bool, int, float):
        value = np.asarray(value, np.float32 if isinstance(value, float) else np.int64)
    if not isinstance(value, (np.ndarray, np.generic)) or kind(value.dtype) not in "biuf":
        raise TypeError(f"{what} must be an array of numbers, not "
                        f"{getattr(value, 'dtype', type(value).__name__)}{hint}")
    whole = what == "a target" and value.dtype.kind in "iu"
    return np.asarray(value, np.int64 if whole else None)


def stack_arrays(what: str, names: Callable[[int], str], arrays: list[Any],
                 remedy: str = "") -> Tensor:
    """The arrays as one, in a new first axis; ValueError with the names of two that differ."""
    first = arrays[0]
    for i, array in enumerate(arrays):
        if (array.shape, array.dtype) != (first.shape, first.dtype):
            raise ValueError(f"DataLoader: the {what} of a batch differ: {names(0)} is "
                             f"{first.shape} {first.dtype} but {names(i)} is {array.shape} "
                             f"{array.dtype}{remedy}")
    return Tensor(np.stack(arrays))
