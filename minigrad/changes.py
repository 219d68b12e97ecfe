"""In-place changes of memory are counted: backward must know whether what it saved is unchanged.

Tensors that lie in one memory share a `VersionCounter`: views and what they are views of, detached
Tensors, Parameters made of a Tensor, and Tensors that were made of the same array.
"""

import weakref
from typing import Any

import numpy as np


class VersionCounter:
    """How often some memory was changed in place; all Tensors that lie in it share the counter."""

    __slots__ = ("version", "views", "room", "base", "__weakref__")

    version: int
    base: Any  # a weak reference to what the memory belongs to, if arrays are looked up by it

    def __init__(self) -> None:
        self.version = 0
        self.views: list[weakref.ref] = []  # to views, and to the Tensors that they were made of
        self.room = 16

    def add_view(self, x: Any, view: Any) -> None:
        """Note that the Tensor `view` is a view of the Tensor x."""
        views = self.views
        if len(views) >= self.room:
            self.views = views = [ref for ref in views if ref() is not None]
            self.room = 2 * len(views) + 16
        views += weakref.ref(x), weakref.ref(view)

    def is_seen_by_others(self, x: Any) -> bool:
        """Whether a living Tensor other than x is a view of this memory, or has views of it."""
        return any(ref() is not None and ref() is not x for ref in self.views)


# {where the array of a Tensor begins: its VersionCounter}
_counters: weakref.WeakValueDictionary[int, VersionCounter] = weakref.WeakValueDictionary()


def version_counter_of(array: Any) -> VersionCounter:
    """The counter of all Tensors made of this array, or of one that begins at the same place."""
    base, place = _place(array)
    counter = _find(base, place)
    if counter is None:
        counter = VersionCounter()
        try:
            counter.base = weakref.ref(base)
        except TypeError:  # there are no weak references to bytes, for example
            return counter
        _counters[place] = counter
    return counter


def count_change(*arrays: Any) -> None:
    """Count an in-place change of each of these plain arrays of which Tensors were made."""
    for array in arrays:
        counter = _find(*_place(array))
        if counter is not None:
            counter.version += 1


def check_changeable(array: Any) -> None:
    """Raise RuntimeError if several elements are one number in memory, or it is read-only."""
    if any(n > 1 and not step for n, step in zip(array.shape, array.strides)):
        raise RuntimeError("in-place change: several elements of this Tensor are one number in "
                           "memory, as after expand; change a .clone() of it")
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        raise RuntimeError("in-place change: the memory of this Tensor is read-only; change a "
                           ".clone() of it")


def _find(base: Any, place: int) -> VersionCounter | None:
    """The counter noted for that place, or None if it was noted for memory that is gone."""
    counter = _counters.get(place)
    return counter if counter is not None and counter.base() is base else None


def _place(array: Any) -> tuple[Any, int]:
    """What the memory of an array belongs to, and a number for the place where the array begins.

    Once the memory is gone, the number can become that of another array.
    """
    base = getattr(array, "base", None)
    if base is None:
        return array, id(array)
    if not isinstance(array, np.ndarray):
        return base, array.data.ptr  # of CuPy
    start = array.__array_interface__["data"][0]
    same = isinstance(base, np.ndarray) and start == base.__array_interface__["data"][0]
    return base, id(base) if same else start
