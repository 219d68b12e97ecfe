"""Tree: the parts of a module, and of all modules inside it, under their dotted names.

    dict(model.named_parameters())      # "scale", "inner.weight", "inner.bias"
    model.get_submodule("inner").apply(initialise)

The order is that of assignment; a part that has several names comes once, with the first of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from minigrad import hints
from minigrad.nn.parameter import Parameter

if TYPE_CHECKING:
    import numpy as np

    from minigrad.engine import Tensor
    from minigrad.nn.module import Module

_CONTAINERS = list, tuple, dict, set, frozenset
_LOOKED_AT = 64     # entries of a container, which shows at its beginning whether it holds layers
_T = TypeVar("_T", bound="Tree")


class Tree:
    """What `Module` has in order to name and to visit its parts."""

    _buffers: dict[str, bool] = {}      # of a module with buffers: whether state_dict holds them

    def _modules_here(self) -> Iterator[tuple[str, Any]]:
        """(name, module) for each attribute that is a module."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Tree))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each direct submodule, in the order of assignment, each once."""
        seen: set[int] = set()
        for name, module in self._modules_here():
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """Each direct submodule once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module, whose name is `prefix`, and all below it.

        A module that has several names comes once, with the first, unless remove_duplicate=False.
        """
        seen: dict[int, Any] = {}
        stack: list[tuple[str, Any, tuple[int, ...]]] = [(prefix, self, ())]
        while stack:
            name, module, above = stack.pop()
            if id(module) not in (seen if remove_duplicate else above):
                seen[id(module)] = module
                yield name, module
                path = *above, id(module)
                children = [(f"{name}.{n}" if name else n, m, path)
                            for n, m in module._modules_here()]
                stack.extend(reversed(children))
        _warn_of_lists(seen.values())

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def apply(self: _T, fn: Callable[[Module], Any]) -> _T:
        """Call `fn` with all modules below this one and then with this one; returns self.

            model.apply(lambda m: nn.init.zeros_(m.bias) if isinstance(m, nn.Linear) else None)
        """
        for child in list(self.children()):
            child.apply(fn)
        fn(self)    # type: ignore[arg-type]  # which is a Module
        return self

    def _named_values(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                      ) -> Iterator[tuple[str, Module, str, Any]]:
        """(dotted name, module, attribute, value) of every Parameter and buffer: the Parameters of
        a module come before its buffers, as in PyTorch."""
        tree: Any = self.named_modules(prefix, remove_duplicate) if recurse else [(prefix, self)]
        seen: set[int] = set()
        for path, module in tree:
            own, buffers = vars(module), module._buffers
            parameters = (name for name, value in own.items()
                          if isinstance(value, Parameter) and name not in buffers)
            for name in [*parameters, *buffers]:
                value = own.get(name)
                if value is not None and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield f"{path}.{name}" if path else name, module, name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                         ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, Parameter) of the whole tree, each Parameter once, under its first name.

        prefix: stands before every name. recurse=False: only those of this module itself.
        remove_duplicate=False: each Parameter under all of its names.
        """
        return ((name, value) for name, module, key, value in self._named_values(
            prefix, recurse, remove_duplicate) if key not in module._buffers)

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                      ) -> Iterator[tuple[str, np.ndarray | Tensor]]:
        """(dotted name, array or Tensor) of every buffer, such as running statistics.

        The arguments are those of `named_parameters`.
        """
        return ((name, value) for name, module, key, value in self._named_values(
            prefix, recurse, remove_duplicate) if key in module._buffers)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every Parameter of the tree once; recurse=False: only those of this module itself."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[np.ndarray | Tensor]:
        """Every buffer of the tree once; recurse=False: only those of this module itself."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of this dotted name, "" for this one. Raises AttributeError without one."""
        return self._named("module", target, self.named_modules(remove_duplicate=False))

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter of this dotted name. Raises AttributeError if there is none."""
        return self._named("Parameter", target, self.named_parameters(remove_duplicate=False))

    def get_buffer(self, target: str) -> np.ndarray | Tensor:
        """The buffer of this dotted name. Raises AttributeError if there is none."""
        return self._named("buffer", target, self.named_buffers(remove_duplicate=False))

    def _named(self, what: str, target: str, pairs: Iterable[tuple[str, Any]]) -> Any:
        for name, value in pairs:
            if name == target:
                return value
        raise AttributeError(f"{type(self).__name__} has no {what} {target!r}")

    def _check_name(self, where: str, name: object, known: bool = False) -> None:
        """Raise TypeError or KeyError, which say `where`, unless a new part can have this name.

        known: there is a part of that name already, in whose place the new one comes.
        """
        if not isinstance(name, str):
            raise TypeError(f"{where}: a name must be a text, got {name!r}")
        if not name or "." in name or not known and hasattr(self, name):
            raise KeyError(f"{where}: {name!r} is the name of an attribute, empty, or has a dot")


hints.attach(Tree, "Module")


def _warn_of_lists(modules: Iterable[Tree]) -> None:
    """Warn once of each list, tuple or dict that holds layers or parameters which are no attribute
    of any module: they are no part of the tree, as in PyTorch."""
    items = [(module, name, item) for module in modules for name, value in vars(module).items()
             if isinstance(value, _CONTAINERS) for item in _inside(value)]
    if not items:
        return
    reach = {id(value) for module in modules for value in (module, *vars(module).values())
             if isinstance(value, (Tree, Parameter))}
    for module, name, item in items:
        names = vars(module).setdefault("_list_warnings", set())    # of which a warning was given
        if id(item) not in reach and name not in names:
            names.add(name)
            what = "Parameter" if isinstance(item, Parameter) else "Module"
            instead = f"{what}{'Dict' if isinstance(vars(module)[name], dict) else 'List'}"
            warnings.warn(f"{type(module).__name__}.{name} is a {type(vars(module)[name]).__name__}"
                          f" that holds a {type(item).__name__}, which parameters(), state_dict() "
                          f"and to() pass over: use nn.{instead}", stacklevel=4)


def _inside(container: Any, depth: int = 4) -> Iterator[Tree | Parameter]:
    """The modules and Parameters in the container, and in containers inside it."""
    values = container.values() if isinstance(container, dict) else container
    for item in islice(values, _LOOKED_AT):
        if isinstance(item, (Tree, Parameter)):
            yield item
        elif isinstance(item, _CONTAINERS) and depth:
            yield from _inside(item, depth - 1)
