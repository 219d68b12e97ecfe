"""Containers of layers and of parameters, which make them part of the module that has them.

    self.features = nn.Sequential(nn.Linear(2, 4), nn.ReLU())      # one after another
    self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
    self.heads = nn.ModuleDict({"breed": nn.Linear(4, 7), "age": nn.Linear(4, 1)})

A plain list or dict does not: neither `parameters()` nor `state_dict()` sees what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby
from typing import Any, Generic, TypeVar, overload

from minigrad.engine import Tensor
from minigrad.nn.fuse import run_layers
from minigrad.nn.module import Module, Parameter

_Item = TypeVar("_Item", Module, Parameter)
_R = TypeVar("_R", bound="Row")
_Pairs = Mapping[str, _Item] | Iterable[tuple[str, _Item]]


class Container(Module, Generic[_Item]):
    """What all containers share: their items are their attributes of one class."""

    item: type[Any] = Module       # that class

    def _items(self) -> dict[str, _Item]:
        return {name: value for name, value in vars(self).items() if isinstance(value, self.item)}

    def __len__(self) -> int:
        return len(self._items())


class Row(Container[_Item]):
    """Items named "0", "1", ... in a row: what `ModuleList`, `ParameterList` and `Sequential`
    share.

    Indices are those of a list, negative ones too (IndexError if there is no such item), and a
    slice is a row of the same kind. Raises TypeError for what cannot be an item.
    """

    def __init__(self, items: Iterable[_Item] | None = None) -> None:
        self.extend(() if items is None else items)

    def _like(self: _R, items: Iterable[Any]) -> _R:
        return type(self)(items)

    def _slice(self: _R, items: dict[str, Any]) -> _R:
        """A row of some items of this one."""
        return self._like(items.values())

    def _renew(self, items: Iterable[_Item]) -> None:
        """Have just these items, numbered from 0."""
        for name in self._items():
            delattr(self, name)
        for i, item in enumerate(items):
            setattr(self, str(i), item)

    def __iter__(self) -> Iterator[_Item]:
        return iter(self._items().values())

    @overload
    def __getitem__(self, index: int) -> _Item: ...

    @overload
    def __getitem__(self: _R, index: slice) -> _R: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(dict(list(self._items().items())[index]))
        return getattr(self, self._name(index))

    def _name(self, index: int) -> str:
        try:
            return list(self._items())[index]
        except IndexError:
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for "
                             f"{len(self)} items") from None

    def __setitem__(self, index: int, value: _Item) -> None:
        setattr(self, self._name(index), _item(self, value))

    def __delitem__(self, index: int | slice) -> None:
        items = list(self)
        if not isinstance(index, slice):
            self._name(index)
        del items[index]
        self._renew(items)

    def __add__(self: _R, other: Iterable[_Item]) -> _R:
        return self._like([*self, *other])

    def __iadd__(self: _R, other: Iterable[_Item]) -> _R:
        return self.extend(other)

    def append(self: _R, value: _Item) -> _R:
        """Add an item at the end; returns self."""
        number = len(self)
        while str(number) in vars(self):        # a slice of a Sequential keeps its names
            number += 1
        setattr(self, str(number), _item(self, value))
        return self

    def extend(self: _R, values: Iterable[_Item]) -> _R:
        """Add the items of a list or of another row at the end; returns self."""
        if not isinstance(values, Iterable):
            raise TypeError(f"{type(self).__name__}: needs a list of items, got a "
                            f"{type(values).__name__}")
        for value in [_item(self, value) for value in values]:
            self.append(value)
        return self

    def insert(self, index: int, value: _Item) -> Row | None:
        """Put an item before the one at this index; the items are numbered anew."""
        items = list(self)
        items.insert(index, _item(self, value))
        self._renew(items)
        return None     # as in PyTorch, whose Sequential returns itself

    def pop(self, index: int = -1) -> _Item:
        """Take the item at this index out, and return it; the others are numbered anew."""
        item = self[index]
        del self[index]
        return item


class ModuleList(Row[Module]):
    """Modules in a list. It has no forward: run them as in `for f in self.layers: x = f(x)`."""

    def _repr_lines(self) -> Iterator[str]:
        """One text for each row of modules that look alike."""
        first = 0
        for text, alike in groupby(map(repr, self)):
            last = first + len(list(alike)) - 1
            yield (f"({first}): {text}" if first == last
                   else f"({first}-{last}): {last - first + 1} x {text}")
            first = last + 1


class Sequential(Row[Module]):
    """Modules in a row: each takes what the one before it gives.

        Sequential(Linear(2, 3), ReLU())                            # their names are "0" and "1"
        Sequential({"dense": Linear(2, 3), "squash": ReLU()})       # names of one's own

    It is a list of its modules as `ModuleList` is; a slice of it is a Sequential, whose modules
    keep their names. How two layers can share one op is said in `minigrad.nn.fuse`. Raises
    TypeError for what is no Module, KeyError for a name that no module can have.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Mapping[str, Any] = modules[0]
        else:
            named = {str(i): module for i, module in enumerate(modules)}
        for name, module in named.items():
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: item {name} is a {type(module).__name__}, "
                                "not a Module")
            self._check_name("Sequential", name)
            setattr(self, name, module)

    def forward(self, input: Tensor) -> Tensor:
        return run_layers(input, *self)

    def _slice(self, modules: dict[str, Module]) -> Sequential:
        return self._like(modules)

    def _like(self, modules: Iterable[Module] | Mapping[str, Module]) -> Sequential:
        """A Sequential of a dict or a list; of a subclass, if it is built in the same way."""
        kind = type(self) if type(self).__init__ is Sequential.__init__ else Sequential
        return kind(modules) if isinstance(modules, Mapping) else kind(*modules)

    def insert(self, index: int, module: Module) -> Sequential:
        """Put a module before the one at this index; returns self.

        Raises IndexError for an index beyond either end.
        """
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Sequential: index {index} is out of range for {len(self)} items")
        super().insert(index, module)
        return self

    def __add__(self, other: Iterable[Module]) -> Sequential:
        return super().__add__(_sequential(other))

    def __iadd__(self, other: Iterable[Module]) -> Sequential:
        return super().__iadd__(_sequential(other))


class ParameterList(Row[Parameter]):
    """Parameters in a list; a Tensor that is put in becomes a Parameter."""

    item = Parameter

    def extra_repr(self) -> str:
        return ", ".join(str(p.shape) for p in self)


class _Dict(Container[_Item], MutableMapping[str, _Item]):
    """Items under names, as in a dict: what `ModuleDict` and `ParameterDict` share. What is not
    written here is MutableMapping's; as other modules they are equal to themselves alone.

    Raises TypeError for what cannot be an item or a name, KeyError for a name that is empty, has a
    dot or is that of a method.
    """

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, items: _Pairs[_Item] | _Dict | None = None) -> None:
        self.update(() if items is None else items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def __getitem__(self, name: str) -> _Item:
        return self._items()[name]

    def __setitem__(self, name: str, value: _Item) -> None:
        value = _item(self, value)
        if name not in self:
            self._check_name(type(self).__name__, name)
        setattr(self, name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        delattr(self, name)


class ModuleDict(_Dict[Module]):
    """Modules under names. It has no forward: run them as in `self.heads["breed"](x)`."""


class ParameterDict(_Dict[Parameter]):
    """Parameters under names; a Tensor that is put in becomes a Parameter."""

    item = Parameter

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {p.shape}" for name, p in self.items())


def _item(owner: Container, value: Any) -> Any:
    """The value as an item of the container; TypeError for what cannot be one."""
    if owner.item is Parameter and type(value) is Tensor:
        value = Parameter(value)
    if not isinstance(value, owner.item):
        raise TypeError(f"{type(owner).__name__}: an item must be a {owner.item.__name__}, got a "
                        f"{type(value).__name__}")
    return value


def _sequential(other: object) -> Sequential:
    """The same; ValueError for anything else than a Sequential."""
    if not isinstance(other, Sequential):
        raise ValueError(f"Sequential: only a Sequential can be added, not a "
                         f"{type(other).__name__}")
    return other
