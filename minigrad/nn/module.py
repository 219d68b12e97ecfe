"""Module: a tree of layers whose parameters have names, in the order of assignment."""

from __future__ import annotations

import numpy as np

from minigrad import hints
from minigrad.backend import DEVICES, device_of, on_gpu, to_device
from minigrad.half import kind
from minigrad.ops import to
from minigrad.tensor import Tensor, mode, no_grad


class Parameter(Tensor):
    """A Tensor that a Module trains: it requires a gradient unless told otherwise."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True):
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)


class Module:
    """Base of all layers: assign Parameters and Modules as attributes, and write `forward`.

    Plain arrays among the attributes are buffers: saved and moved, not trained.

    `model(x)` runs forward; `train()` and `eval()` set `training` for the whole tree.
    """

    training = True

    def __call__(self, *inputs):
        if mode.trace is None:
            return self.forward(*inputs)
        before, mode.scope = mode.scope, (*mode.scope, self)
        try:
            return self.forward(*inputs)
        finally:
            mode.scope = before

    def named_children(self):
        """(name, module) for each direct submodule, in the order of assignment."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix=""):
        """(dotted name, module) for this module ("") and all below it, each once."""
        seen, stack = set(), [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                children = [(f"{name}.{n}" if name else n, m) for n, m in module.named_children()]
                stack.extend(reversed(children))

    def _named_values(self):
        """(dotted name, module, attribute, value) of every Parameter and buffer, each once."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if (isinstance(value, Parameter) or _is_buffer(value)) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, module, name, value

    def named_parameters(self):
        """(dotted name, Parameter), each Parameter once, under its first name."""
        for name, _, _, value in self._named_values():
            if isinstance(value, Parameter):
                yield name, value

    def named_buffers(self):
        """(dotted name, array) of what training changes without gradients: running statistics."""
        for name, _, _, value in self._named_values():
            if _is_buffer(value):
                yield name, value

    def parameters(self):
        """Every Parameter of the tree, once."""
        for _, p in self.named_parameters():
            yield p

    def train(self, mode=True):
        """Set `training` (dropout and batch statistics on) in the whole tree; returns self."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self):
        """`train(False)`."""
        return self.train(False)

    def zero_grad(self):
        """Forget every gradient."""
        for p in self.parameters():
            p.grad = None

    def requires_grad_(self, flag=True):
        """Train (True) or freeze (False) every parameter of the tree; returns self."""
        for p in self.parameters():
            p.requires_grad = flag
        return self

    def to(self, target):
        """Move parameters and buffers to a device, or floating ones to another dtype; returns self.

        Raises TypeError for a dtype that is not floating-point.
        """
        for _, module, name, value in list(self._named_values()):
            if isinstance(value, Parameter):
                moved = value.detach().to(target)
                if kind(moved.dtype) != "f":
                    raise TypeError(f"to: parameters must stay floating-point, not {moved.dtype}")
                value.data = moved.data
                value.grad = None if value.grad is None else value.grad.to(target)
            elif kind(value.dtype) == "f" or target in DEVICES:
                setattr(module, name, to(value, target))
        return self

    def state_dict(self):
        """{dotted name: array} of parameters and buffers; the arrays are the live ones."""
        return {name: value.data if isinstance(value, Parameter) else value
                for name, _, _, value in self._named_values()}

    def load_state_dict(self, state, strict=True):
        """Copy arrays (or Tensors) into the parameters and buffers of the same names, in place.

        Dtypes stay; a missing num_batches_tracked becomes 0, as old files lack it. Raises
        ValueError listing every missing and unexpected name (unless strict=False) and every wrong
        shape or kind of data; nothing is loaded if anything is wrong.
        """
        own = self.state_dict()
        state = {k: v.data if isinstance(v, Tensor) else v if on_gpu(v) else np.asarray(v)
                 for k, v in state.items()}
        for k in own:
            if k.endswith("num_batches_tracked"):
                state.setdefault(k, np.zeros((), np.int64))
        wrong = [f"{k}: {state[k].dtype} {state[k].shape} for {v.dtype} {v.shape}"
                 for k, v in own.items() if k in state and (
                     state[k].shape != v.shape
                     or not np.can_cast(state[k].dtype, v.dtype, "same_kind"))]
        problems = {"wrong shapes or dtypes": wrong}
        if strict:
            problems["missing"] = [k for k in own if k not in state]
            problems["unexpected"] = [k for k in state if k not in own]
        if any(problems.values()):
            raise ValueError(f"load_state_dict of {type(self).__name__}: " + "; ".join(
                f"{what}: {', '.join(names)}" for what, names in problems.items() if names))
        for k, _, _, value in self._named_values():
            if k in state:
                with no_grad():
                    value[...] = to_device(state[k], device_of(own[k]))

    def extra_repr(self):
        """What stands between the brackets of `repr`."""
        return ""

    def __repr__(self):
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ")
                 for name, child in self.named_children()]
        inner = self.extra_repr() + ("\n" + "\n".join(lines) + "\n" if lines else "")
        return f"{type(self).__name__}({inner})"


hints.attach(Module, "Module")


def _is_buffer(value):
    return hasattr(value, "dtype") and not isinstance(value, (Tensor, np.generic))
