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

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from minigrad.backend import device_of, on_gpu, to_device
from minigrad.changes import count_change
from minigrad.dtypes import kind, number_type
from minigrad.engine import Tensor, data_of
from minigrad.graph import context, no_grad
from minigrad.nn.hooks import Handle, Hooks
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.nn.tree import Tree
from minigrad.ops import to
from minigrad.optim.optimizer import clear_gradients

_M = TypeVar("_M", bound="Module")


class LoadedKeys(NamedTuple):
    """The names that the state lacked and those that the module lacks; none if it was strict."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if self.missing_keys or self.unexpected_keys:
            return f"LoadedKeys(missing_keys={self[0]}, unexpected_keys={self[1]})"
        return "<All keys matched successfully>"


class StateError(ValueError, RuntimeError):
    """A state that does not fit a module. PyTorch raises a RuntimeError, which this is too."""


class Module(Tree):
    """Base of all layers: assign Parameters and Modules as attributes, and write `forward`.

    `register_buffer` names arrays that are saved and moved, but not trained. Other attributes are
    left alone. For lists and dicts of layers there are `ModuleList` and `ModuleDict`.

    `model(x)` runs forward; `train()` and `eval()` set `training` for the whole tree.
    """

    training = True
    _hooks: Hooks | None = None

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if context.trace is None and not self._hooks:
            return self.forward(*inputs, **named)
        outer, context.scope = context.scope, (*context.scope, self)
        try:
            if self._hooks:
                return self._hooks.run(self, inputs, named)
            return self.forward(*inputs, **named)
        finally:
            context.scope = outer

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises TypeError, as PyTorch does, where the new value would silently take a Parameter, a
        module or a buffer out of the tree. None may replace each of them.

        Unlike PyTorch, a Tensor may replace a Parameter: the layer then computes with the Tensor,
        and derivatives reach whatever that was computed from.
        """
        if isinstance(value, Buffer):
            vars(self).setdefault("_buffers", {})[name] = value.persistent
        old, buffers = vars(self).get(name), self._buffers
        if isinstance(value, (Parameter, Module)):
            buffers.pop(name, None)
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
        self._check_name("register_buffer", name, name in self._buffers)
        if tensor is not None and not _is_array(tensor):
            raise TypeError(f"register_buffer: {name!r} must be an array, a Tensor or None, got a "
                            f"{type(tensor).__name__}")
        vars(self).setdefault("_buffers", {})[name] = bool(persistent)
        vars(self)[name] = tensor       # a Parameter too is a buffer then

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """`self.name = param`, where None stands for a Parameter that is left out.

        Raises KeyError and TypeError for such names as `register_buffer` does, and TypeError for
        what is no Parameter.
        """
        self._register("register_parameter", name, param, Parameter)

    def add_module(self, name: str, module: Module | None) -> None:
        """`self.name = module`; raises as `register_parameter`."""
        self._register("add_module", name, module, Module)

    register_module = add_module

    def _register(self, where: str, name: str, value: Any, kind: type) -> None:
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{where}: {name!r} must be a {kind.__name__} or None, got a "
                            f"{type(value).__name__}")
        old = vars(self).get(name, self)
        self._check_name(where, name, old is None or old is not self and isinstance(old, kind))
        setattr(self, name, value)

    def register_forward_pre_hook(self, hook: Callable, *, with_kwargs: bool = False) -> Handle:
        """Call hook(module, inputs) before each forward; what it returns, unless None, replaces
        the inputs: a tuple of them, or the only one.

        with_kwargs: hook(module, inputs, named), which returns both or None.
        """
        return Handle(self._own_hooks().before, (hook, with_kwargs))

    def register_forward_hook(self, hook: Callable, *, with_kwargs: bool = False) -> Handle:
        """Call hook(module, inputs, output) after each forward; what it returns, unless None,
        replaces the output. with_kwargs: hook(module, inputs, named, output)."""
        return Handle(self._own_hooks().after, (hook, with_kwargs))

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

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

    def to(self: _M, *targets: Any, device: Any = None, dtype: Any = None,
           non_blocking: bool = False, memory_format: Any = None) -> _M:
        """Move parameters and buffers to a device ("cpu", "cuda"), and convert the floating-point
        ones to a dtype ("float64"), or to device and dtype of a Tensor; returns self.

            model.to("cuda")        model.to("cuda", "float16")         model.to(dtype="float64")

        non_blocking and memory_format, which are PyTorch's, say nothing here. Raises TypeError for
        a dtype that is not floating-point, ValueError for one that is unknown.
        """
        wanted: list[Any] = []
        for target in (*targets, device, dtype):
            if isinstance(target, Tensor):
                wanted += target.device, target.dtype
            elif target is not None and not isinstance(target, bool):   # which is non_blocking
                wanted.append(target)
        dtypes = [number_type(target) for target in wanted]     # None: a device
        for found in dtypes:
            if found is not None and kind(found) != "f":
                raise TypeError(f"to: parameters must stay floating-point, not {found}")

        def converted(value: Any) -> Any:
            for target, found in zip(wanted, dtypes):
                if found is None or kind(value.dtype) == "f":
                    value = to(value, target)
            return value

        return self._converted(converted)

    def _converted(self: _M, convert: Callable[[Any], Any]) -> _M:
        """This module with convert(x) in the place of each Parameter and buffer x."""
        results: dict[int, Any] = {}  # what a value has become, which may have several names
        for _, module, name, value in list(self._named_values(remove_duplicate=False)):
            if isinstance(value, Parameter):
                if id(value) not in results:
                    results[id(value)] = convert(value.detach())
                    value.data = results[id(value)].data
                    value.grad = None if value.grad is None else convert(value.grad)
            else:
                if id(value) not in results:
                    results[id(value)] = convert(value)
                setattr(module, name, results[id(value)])
        return self

    def type(self: _M, dst_type: Any) -> _M:
        """Convert parameters and all buffers, also those of integers, to a floating-point dtype."""
        self.to(dst_type)   # which checks it
        return self._converted(lambda value: to(value, dst_type))

    def float(self: _M) -> _M:
        """`to("float32")`"""
        return self.to("float32")

    def double(self: _M) -> _M:
        """`to("float64")`"""
        return self.to("float64")

    def half(self: _M) -> _M:
        """`to("float16")`"""
        return self.to("float16")

    def bfloat16(self: _M) -> _M:
        """`to("bfloat16")`"""
        return self.to("bfloat16")

    def cpu(self: _M) -> _M:
        """`to("cpu")`"""
        return self.to("cpu")

    def cuda(self: _M, device: Any = None) -> _M:
        """`to("cuda")`, or to this one of several GPUs."""
        return self.to(device or "cuda")

    def state_dict(self, *, destination: Any = None, prefix: str = "",
                   keep_vars: bool = False) -> dict[str, Any]:
        """{dotted name: array} of parameters and persistent buffers.

        The arrays are not copied: training changes them. A shared one is there under each name.
        prefix stands before every name; a dict `destination` is added to, and returned. With
        keep_vars the values are the Parameters and buffers themselves.
        """
        destination = {} if destination is None else destination
        for name, _, _, value in self._state():
            destination[f"{prefix}{name}"] = value if keep_vars else data_of(value)
        return destination

    def _state(self) -> Iterator[tuple[str, Module, str, Any]]:
        """(dotted name, module, attribute, value) of what belongs into a state_dict."""
        for name, module, key, value in self._named_values(remove_duplicate=False):
            if module._buffers.get(key, True):
                yield name, module, key, value

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> LoadedKeys:
        """Copy arrays (or Tensors) into the parameters and buffers of the same names, in place.

        The module's dtypes stay. Two things may be missing, as old files lack them:
        num_batches_tracked, which becomes 0, and all names but the first of what has several.
        strict=False lets anything be missing or unexpected. Returns the missing and the unexpected
        names. Raises StateError, and loads nothing, if a name is missing or unexpected, or a shape
        or kind of data is wrong: it lists them all. Raises TypeError for a state that is no dict.
        With assign=True nothing is copied: the arrays, in their dtypes, become the module's own.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict of {type(self).__name__}: needs a dict of names and "
                            f"arrays, got a {type(state_dict).__name__}")
        own = {name: value for name, _, _, value in self._state()}
        first = {id(v): k for k, v in reversed(own.items())}    # the first name of each
        state = {k: data_of(v) if isinstance(v, Tensor) or on_gpu(v) else np.asarray(v)
                 for k, v in state_dict.items()}
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
            for k, module, key, value in list(self._state()):
                if k in state and assign:
                    new = Parameter(state[k], value.requires_grad) if isinstance(
                        value, Parameter) else Tensor(state[k]) if isinstance(value, Tensor) else (
                            state[k])
                    setattr(module, key, new)
                elif k in state:
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
        extra = self.extra_repr()
        lines = extra.splitlines() + [line.replace("\n", "\n  ") for line in self._repr_lines()]
        inner = extra if [extra] == lines else "".join(f"\n  {line}" for line in lines) + "\n"
        return f"{type(self).__name__}({inner if lines else ''})"

    def _repr_lines(self) -> Iterator[str]:
        """One text for each module inside."""
        return (f"({name}): {child!r}" for name, child in self._modules_here())


def unusual(layer: Module, **defaults: Any) -> list[str]:
    """["name=value"] for each attribute of the layer that differs from the default given here."""
    return [f"{name}={getattr(layer, name)!r}" for name, default in defaults.items()
            if getattr(layer, name) != default]


def _is_array(value: Any) -> bool:
    """Whether it is a Tensor, or an array that a Tensor could hold."""
    array = data_of(value)
    return isinstance(array, np.ndarray) or on_gpu(array)
