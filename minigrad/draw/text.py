"""Names for nodes and modules, and numbers as a picture prints them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.backend import Array, array_module
from minigrad.draw.nodes import Nodes
from minigrad.engine import Tensor
from minigrad.nn import Module


def give_names(nodes: Nodes, names: Mapping[str, Any]) -> dict[int, str]:
    """Set the name of every node that has one; returns {id of a module: its name}.

    names: {name: Tensor or Module}. Any other value, a name with a leading underscore and a Tensor
    that is not in the graph are passed over, so that `locals()` will do. Parameters are named
    after their Module, also without `names` if it was seen at work.
    """
    if not isinstance(names, Mapping):
        raise TypeError("draw: names must be a dictionary of Tensors and Modules by their names, "
                        f"such as locals(), got a {type(names).__name__}")
    public = {name: x for name, x in names.items() if not name.startswith("_")}
    for name, x in public.items():
        i = nodes.find(x) if isinstance(x, Tensor) else None
        if i is not None and not nodes[i].name:
            nodes[i].name, nodes[i].pinned, nodes[i].array = name, True, x.data
    models = [(name, x) for name, x in public.items() if isinstance(x, Module)]
    models += [("", node.scope[0]) for node in nodes if node.scope]
    modules: dict[int, str] = {}
    for prefix, model in models:
        if id(model) in modules:
            continue
        modules.update((id(m), name) for name, m in model.named_modules(prefix))
        for name, p in model.named_parameters():
            i = nodes.find(p)
            if i is not None and not nodes[i].name:
                nodes[i].name = f"{prefix}.{name}" if prefix else name
    return modules


def number(x: Any, digits: int) -> str:
    """One element as text, a float with `digits` significant digits."""
    x = x.item() if hasattr(x, "item") else x
    return (f"{x:.{digits}g}" if isinstance(x, float) else str(x)).replace("-", "−")


def value(array: Array, digits: int) -> str:
    """The number itself, or shape and dtype: `0.25`, `(8, 4) float32`."""
    return number(array, digits) if array.size == 1 else f"{array.shape} {array.dtype}"


def gradient(array: Array, digits: int) -> str:
    """`grad 0.25`, or the Euclidean norm of several numbers: `‖grad‖ 0.5`."""
    if array.size == 1:
        return f"grad {number(array, digits)}"
    flat = array.reshape(-1).astype(np.float64)
    return f"‖grad‖ {number(array_module(array).sqrt(flat @ flat), digits)}"


def count(n: int, noun: str) -> str:
    """`1 op`, `1,200 ops`."""
    return f"{n:,} {noun}" + "s" * (n != 1)
