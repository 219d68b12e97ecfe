"""Module: a tree of layers whose parameters have names, in the order of assignment."""

from __future__ import annotations

import numpy as np

from minigrad.tensor import Tensor, mode, no_grad


class Parameter(Tensor):
    """A Tensor that a Module trains: it requires a gradient unless told otherwise."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True):
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)


class Module:
    """Base of all layers: assign Parameters and Modules as attributes, and write `forward`.

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

    def named_parameters(self):
        """(dotted name, Parameter), each Parameter once, under its first name."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

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
        """Move every parameter to a device, or to a floating dtype, in place; returns self."""
        with no_grad():
            for p in self.parameters():
                moved = p.detach().to(target)
                if moved.dtype.kind != "f":
                    raise TypeError(f"to: parameters must stay floating-point, not {moved.dtype}")
                p.data = moved.data
                p.grad = None if p.grad is None else p.grad.to(target)
        return self

    def state_dict(self):
        """{dotted name: array} of all that training changes; the arrays are the live ones."""
        return {name: p.data for name, p in self.named_parameters()}

    def load_state_dict(self, state, strict=True):
        """Copy arrays (or Tensors) into the parameters of the same names, keeping their dtype.

        Raises KeyError listing every missing and unexpected name (unless strict=False), ValueError
        listing every wrong shape or kind of data; nothing is loaded if anything is wrong.
        """
        own = self.state_dict()
        missing = [k for k in own if k not in state]
        unexpected = [k for k in state if k not in own]
        if strict and (missing or unexpected):
            raise KeyError(f"load_state_dict of {type(self).__name__}: missing {missing}, "
                           f"unexpected {unexpected}; pass strict=False to load the rest")
        common = {k: getattr(state[k], "data", state[k]) if isinstance(state[k], Tensor)
                  else np.asarray(state[k]) for k in own if k in state}
        wrong = [f"{k}: {v.dtype} {v.shape} for {own[k].dtype} {own[k].shape}"
                 for k, v in common.items()
                 if v.shape != own[k].shape or not np.can_cast(v.dtype, own[k].dtype, "same_kind")]
        if wrong:
            raise ValueError(f"load_state_dict of {type(self).__name__}: wrong shapes or dtypes: "
                             f"{'; '.join(wrong)}")
        for k, p in self.named_parameters():
            if k in common:
                with no_grad():
                    p[...] = common[k]

    def extra_repr(self):
        """What stands between the brackets of `repr`."""
        return ""

    def __repr__(self):
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ")
                 for name, child in self.named_children()]
        inner = self.extra_repr() + ("\n" + "\n".join(lines) + "\n" if lines else "")
        return f"{type(self).__name__}({inner})"


class Sequential(Module):
    """Modules in a row, named "0", "1", ...; `len`, indexing and iteration work on them."""

    def __init__(self, *modules):
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: item {i} is a {type(module).__name__}, not a Module")
            setattr(self, str(i), module)

    def forward(self, x):
        for module in self:
            x = module(x)
        return x

    def __len__(self):
        return sum(1 for _ in self.named_children())

    def __iter__(self):
        return (module for _, module in self.named_children())

    def __getitem__(self, index):
        return list(self)[index]
