"""Sequential: modules one after another."""

from __future__ import annotations

from minigrad.nn.layers import ReLU
from minigrad.nn.module import Module
from minigrad.nn.norm import _BatchNorm, batch_norm_relu, runs


class Sequential(Module):
    """Modules in a row, named "0", "1", ...; `len`, indexing and iteration work on them.

    A ReLU right behind a batch normalisation runs in one op with it: see `batch_norm_relu`.
    """

    def __init__(self, *modules):
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: item {i} is a {type(module).__name__}, not a Module")
            setattr(self, str(i), module)

    def forward(self, x):
        layers = list(self)
        while layers:
            layer = layers.pop(0)
            if layers and runs(layer, _BatchNorm) and runs(layers[0], ReLU):
                x = batch_norm_relu(layer, x, layers.pop(0))
            else:
                x = layer(x)
        return x

    def __len__(self):
        return sum(1 for _ in self.named_children())

    def __iter__(self):
        return (module for _, module in self.named_children())

    def __getitem__(self, index):
        return list(self)[index]
