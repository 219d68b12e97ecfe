"""Module: a tree of layers whose parameters have names, in the order of assignment.

    class Net(Module):
        def __init__(self):
            self.scale = Parameter([1.0, 2.0])
            self.inner = Linear(2, 2)

        def forward(self, x):
            return self.inner(x) * self.scale

    dict(Net().named_parameters())      # "scale", "inner.weight", "inner.bias"
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from minigrad import hints
from minigrad.backend import DEVICES, device_of, on_gpu, to_device
from minigrad.changes import count_change
from minigrad.dtypes import kind
from minigrad.engine import Tensor, data_of
from minigrad.graph import context, no_grad
from minigrad.ops import to
from minigrad.optim.optimizer import clear_gradients

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_CONTAINERS = list, tuple, dict, set, frozenset
_LOOKED_AT = 64     # entries of a container, which shows at its beginning whether it holds layers
_M = TypeVar("_M", bound="Module")


class Parameter(Tensor):
    """A Tensor that a Module trains; it requires a gradient unless `requires_grad` is False.

    Made of a Tensor, it shares the Tensor's memory.
    """

    __slots__ = ()

    def __init__(self, data: Tensor | ArrayLike, requires_grad: bool = True) -> None:
        super().__init__(data_of(data), requires_grad)
        if isinstance(data, Tensor):
            self._version_counter = data.version_counter()  # the same memory


class LoadedKeys(NamedTuple):
    """The names that the state lacked and those that the module lacks; none if it was strict."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class StateError(ValueError, RuntimeError):
    """A state that does not fit a module. PyTorch raises a RuntimeError, which this is too."""


class Module:
    """Base of all layers: assign Parameters and Modules as attributes, and write `forward`.

    `register_buffer` names arrays that are saved and moved, but not trained. Other attributes are
    left alone. For lists and dicts of layers there are `ModuleList` and `ModuleDict`.

    `model(x)` runs forward; `train()` and `eval()` set `training` for the whole tree.
    """

    training = True
    _buffers: dict[str, bool] = {}      # of a layer with buffers: whether state_dict holds them

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if context.trace is None:
            return self.forward(*inputs, **named)
        outer, context.scope = context.scope, (*context.scope, self)
        try:
            return self.forward(*inputs, **named)
        finally:
            context.scope = outer

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises TypeError, as PyTorch does, where the new value would silently take a Parameter, a
        module or a buffer out of the tree. None may replace each of them.

        Unlike PyTorch, a Tensor may replace a Parameter: the layer then computes with the Tensor,
        and derivatives reach whatever that was computed from.
        """
        old, buffers = vars(self).get(name), self._buffers
        if isinstance(value, (Parameter, Module)):
            if name in buffers:
                del buffers[name]
        elif name in buffers:
            if isinstance(value, np.generic):       # such as `self.count = self.count + 1`
                value = np.asarray(value)
            if not (value is None or _is_array(value)):
                raise TypeError(f"{type(self).__name__}: the buffer {name!r} must be an array, a "
                                f"Tensor or None, got a {type(value).__name__}")
        elif isinstance(old, (Parameter, Module)) and value is not None and not (
                isinstance(old, Parameter) and isinstance(value, Tensor)):
            what = "Parameter" if isinstance(old, Parameter) else "Module"
            raise TypeError(f"{type(self).__name__}: {name!r} is a {what}, in whose place there "
                            f"can be another one or None, not a {type(value).__name__}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._buffers.pop(name, None)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the module computes. Raises NotImplementedError in a class without `forward`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def register_buffer(self, name: str, tensor: np.ndarray | Tensor | None,
                        persistent: bool = True) -> None:
        """Make `tensor` (an array, a Tensor, or None for none yet) the buffer `self.name`.

        `to` moves a buffer, and `state_dict` holds it if it is persistent. A later assignment to
        `self.name` replaces the buffer. Raises KeyError for a name that is taken, empty, or has a
        dot; TypeError for a name that is no text and for a tensor that is none.
        """
        if not isinstance(name, str):
            raise TypeError(f"register_buffer: the name must be a text, got {name!r}")
        buffers = vars(self).setdefault("_buffers", {})
        if not name or "." in name or (name not in buffers and hasattr(self, name)):
            what = "an attribute already" if name and "." not in name else "no name of a buffer"
            raise KeyError(f"register_buffer: {name!r} is {what}")
        if tensor is not None and not _is_array(tensor):
            raise TypeError(f"register_buffer: {name!r} must be an array, a Tensor or None, got a "
                            f"{type(tensor).__name__}")
        buffers[name] = bool(persistent)
        vars(self)[name] = tensor       # a Parameter too is a buffer then

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each direct submodule, in the order of assignment."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module, whose name is `prefix`, and all below it.

        A module that has several names comes once, with the first, unless remove_duplicate=False.
        """
        seen: dict[int, Module] = {}
        stack: list[tuple[str, Module, tuple[int, ...]]] = [(prefix, self, ())]
        while stack:
            name, module, above = stack.pop()
            if id(module) not in (seen if remove_duplicate else above):
                seen[id(module)] = module
                yield name, module
                path = *above, id(module)
                children = [(f"{name}.{n}" if name else n, m, path)
                            for n, m in module.named_children()]
                stack.extend(reversed(children))
        _warn_of_lists(seen.values())

    def _named_values(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                      ) -> Iterator[tuple[str, Module, str, Any]]:
        """(dotted name, module, attribute, value) of every Parameter and buffer: the Parameters of
        a module come before its buffers, as in PyTorch."""
        tree = self.named_modules(prefix, remove_duplicate) if recurse else iter([(prefix, self)])
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
        for name, module, key, value in self._named_values(prefix, recurse, remove_duplicate):
            if key not in module._buffers:
                yield name, value

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                      ) -> Iterator[tuple[str, np.ndarray | Tensor]]:
        """(dotted name, array or Tensor) of every buffer, such as running statistics.

        The arguments are those of `named_parameters`.
        """
        for name, module, key, value in self._named_values(prefix, recurse, remove_duplicate):
            if key in module._buffers:
                yield name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every Parameter of the tree once; recurse=False: only those of this module itself."""
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def train(self: _M, mode: bool = True) -> _M:
        """Set `training` to `mode` in the whole tree; returns self.

        In training, dropout is on, and batch normalisation uses the statistics of the batch.
        Raises ValueError for a mode that is no boolean.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"train: the mode must be True or False, got {mode!r}")
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: _M) -> _M:
        """`train(False)`: returns self."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Make the gradient of every parameter None, or with set_to_none=False zero, in place."""
        clear_gradients(self.parameters(), set_to_none)

    def requires_grad_(self: _M, flag: bool = True) -> _M:
        """Train (True) or freeze (False) every parameter of the tree; returns self."""
        for p in self.parameters():
            p.requires_grad = flag
        return self

    def to(self: _M, target: str | np.dtype | type) -> _M:
        """Move parameters and buffers to a device ("cpu", "cuda"), or convert the floating-point
        ones to a dtype ("float64"); returns self.

        Raises TypeError for a dtype that is not floating-point, ValueError for one that is unknown.
        """
        results: dict[int, Any] = {}  # what a value has become, which may have several names
        for _, module, name, value in list(self._named_values(remove_duplicate=False)):
            if isinstance(value, Parameter):
                if id(value) not in results:
                    results[id(value)] = value.detach().to(target)
                    if kind(results[id(value)].dtype) != "f":
                        raise TypeError("to: parameters must stay floating-point, not "
                                        f"{results[id(value)].dtype}")
                    value.data = results[id(value)].data
                    value.grad = None if value.grad is None else value.grad.to(target)
            elif kind(value.dtype) == "f" or target in DEVICES:
                if id(value) not in results:
                    results[id(value)] = to(value, target)
                setattr(module, name, results[id(value)])
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """{dotted name: array} of parameters and persistent buffers.

        The arrays are not copied: training changes them. A shared one is there under each name.
        """
        return {name: data_of(value) for name, value in self._state()}

    def _state(self) -> Iterator[tuple[str, Any]]:
        """(dotted name, Parameter or buffer) of what belongs into a state_dict."""
        for name, module, key, value in self._named_values(remove_duplicate=False):
            if module._buffers.get(key, True):
                yield name, value

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadedKeys:
        """Copy arrays (or Tensors) into the parameters and buffers of the same names, in place.

        The module's dtypes stay. Two things may be missing, as old files lack them:
        num_batches_tracked, which becomes 0, and all names but the first of what has several.
        strict=False lets anything be missing or unexpected. Returns the missing and the unexpected
        names. Raises StateError, and loads nothing, if a name is missing or unexpected, or a shape
        or kind of data is wrong: it lists them all. Raises TypeError for a state that is no dict.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict of {type(self).__name__}: needs a dict of names and "
                            f"arrays, got a {type(state).__name__}")
        own = dict(self._state())
        first = {id(v): k for k, v in reversed(own.items())}    # the first name of each
        state = {k: data_of(v) if isinstance(v, Tensor) or on_gpu(v) else np.asarray(v)
                 for k, v in state.items()}
        for k in own:
            if k.rpartition(".")[2] == "num_batches_tracked":
                state.setdefault(k, np.zeros((), np.int64))
        wrong = [f"{k}: {state[k].dtype} {state[k].shape} for {v.dtype} {v.shape}"
                 for k, v in own.items() if k in state and (
                     state[k].shape != v.shape
                     or not np.can_cast(state[k].dtype, v.dtype, "same_kind"))]
        missing = [k for k, v in own.items() if k not in state and first[id(v)] not in state]
        unexpected = [k for k in state if k not in own]
        problems = {"wrong shapes or dtypes": wrong}
        if strict:
            plain = self._plain_arrays() if unexpected else set()
            problems |= {"missing": missing, "unexpected": [
                f"{k} (an array here, but no buffer: see register_buffer)" if k in plain else k
                for k in unexpected]}
        if any(problems.values()):
            raise StateError(f"load_state_dict of {type(self).__name__}: " + "; ".join(
                f"{what}: {', '.join(found)}" for what, found in problems.items() if found))
        with no_grad():
            for k, value in own.items():
                if k in state:
                    value[...] = to_device(state[k], device_of(data_of(value)))
                    if not isinstance(value, Tensor):
                        count_change(value)
        return LoadedKeys(missing, unexpected)

    def _plain_arrays(self) -> set[str]:
        """The dotted names of attributes that are arrays, but neither Parameter nor buffer."""
        return {f"{prefix}.{name}" if prefix else name
                for prefix, module in self.named_modules(remove_duplicate=False)
                for name, value in vars(module).items()
                if _is_array(value) and not isinstance(value, Parameter)
                and name not in module._buffers}

    def extra_repr(self) -> str:
        """The settings that `repr` shows between its brackets, before the modules inside."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ")
                 for name, child in self.named_children()]
        inner = self.extra_repr() + ("\n" + "\n".join(lines) + "\n" if lines else "")
        return f"{type(self).__name__}({inner})"


hints.attach(Module, "Module")


def unusual(layer: Module, **defaults: Any) -> list[str]:
    """["name=value"] for each attribute of the layer that differs from the default given here."""
    return [f"{name}={getattr(layer, name)!r}" for name, default in defaults.items()
            if getattr(layer, name) != default]


def _is_array(value: Any) -> bool:
    """Whether it is a Tensor, or an array that a Tensor could hold."""
    array = data_of(value)
    return isinstance(array, np.ndarray) or on_gpu(array)


def _warn_of_lists(modules: Iterable[Module]) -> None:
    """Warn once of each list, tuple or dict that holds layers or parameters which are no attribute
    of any module: they are no part of the tree, as in PyTorch."""
    items = [(module, name, item) for module in modules for name, value in vars(module).items()
             if isinstance(value, _CONTAINERS) for item in _inside(value)]
    if not items:
        return
    reach = {id(value) for module in modules for value in (module, *vars(module).values())
             if isinstance(value, (Module, Parameter))}
    for module, name, item in items:
        names = vars(module).setdefault("_list_warnings", set())    # of which a warning was given
        if id(item) not in reach and name not in names:
            names.add(name)
            what = "Parameter" if isinstance(item, Parameter) else "Module"
            instead = f"{what}{'Dict' if isinstance(vars(module)[name], dict) else 'List'}"
            warnings.warn(f"{type(module).__name__}.{name} is a {type(vars(module)[name]).__name__}"
                          f" that holds a {type(item).__name__}, which parameters(), state_dict() "
                          f"and to() pass over: use nn.{instead}", stacklevel=4)


def _inside(container: Any, depth: int = 4) -> Iterator[Module | Parameter]:
    """The Modules and Parameters in the container, and in containers inside it."""
    values = container.values() if isinstance(container, dict) else container
    for item in islice(values, _LOOKED_AT):
        if isinstance(item, (Module, Parameter)):
            yield item
        elif isinstance(item, _CONTAINERS) and depth:
            yield from _inside(item, depth - 1)
