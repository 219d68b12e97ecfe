"""NaN and infinity: noticed in the step in which they appear, and traced to where they came from.

Every batch costs the guard one look at the loss and one scalar product per gradient. Only when that
is not finite, the batch is repeated with all intermediate results in view, to find the first one
that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from minigrad.backend import array_module, on_gpu, to_device
from minigrad.function import trace
from minigrad.kernels import optim_cuda, reduce
from minigrad.nn import Module
from minigrad.tensor import Tensor

_LISTED = 4     # samples that a message names


class NonFiniteError(FloatingPointError):
    """NaN or infinity in a training step or an evaluation.

    `layer` and `tensor` say where it appeared first, `names` the samples it appeared in.
    """

    def __init__(self, message, layer="", tensor="", names=()):
        super().__init__(message)
        self.layer, self.tensor, self.names = layer, tensor, list(names)


def quiet():
    """NumPy does not warn of what the guard looks for, inside this `with` block."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def all_finite(array) -> bool:
    return bool(array_module(array).isfinite(array).all())


def squared_norm(parameters: Iterable[Tensor]) -> float:
    """sum |g|^2 over the gradients; finite exactly if all of them are.

    In the dtype of the gradients, which may overflow: then each element is looked at.
    """
    gradients = [p.grad.data for p in parameters if p.grad is not None]
    total = optim_cuda.norm([g for g in gradients if on_gpu(g)], 2) ** 2
    with quiet():
        for g in gradients:
            if not on_gpu(g):
                flat = g.ravel(order="K")       # in the order of memory: no copy
                total += float(flat @ flat)
    if not math.isfinite(total) and all(map(all_finite, gradients)):
        return float(np.finfo(np.float64).max)
    return total


def check_values(values: Iterable[tuple[str, object]], where: str) -> None:
    """NonFiniteError naming the first of the (name, array) with NaN or infinity."""
    for name, array in values:
        if array.dtype.kind == "f" and not all_finite(array):
            raise NonFiniteError(f"{where}: {name} holds {_sample(array)}; nothing was saved. "
                                 "Lower the learning rate, or clip gradients", tensor=name)


def check_labels(output: Tensor, target, names: Callable[[], Sequence[str]], where: str) -> None:
    """ValueError naming the sample whose label is not in 0..C-1, for output (N, C) with C > 1."""
    if output.ndim != 2 or output.shape[1] < 2:
        return
    wrong = (target < 0) | (target >= output.shape[1])
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{where}: label {int(target[row])} of {names()[row]} is out of range: "
                         f"the model has {output.shape[1]} outputs, so labels are 0 to "
                         f"{output.shape[1] - 1}")


def check_output(model: Module, forward: Callable[[], Tensor], x: Tensor, output: Tensor, names,
                 where: str) -> None:
    """NonFiniteError that names layer and samples, if an evaluation gave NaN or infinity."""
    if not all_finite(output.data):
        raise explain(model, forward, x, names, f"{where}: the output is not finite")


def explain(model: Module, forward: Callable[[], Tensor], x: Tensor,
            names: Callable[[], Sequence[str]], where: str) -> NonFiniteError:
    """The error for a batch whose `forward()`, or its backward, came out non-finite.

    Repeats it; `forward` must do again just what it did, random numbers included.
    """
    layers = {id(module): name for name, module in model.named_modules()}
    tensors = {id(t): name for name, t in model.named_parameters()}
    layer, tensor, bad = _first_bad(model, forward, x, layers, tensors)
    affected = _affected(bad, names()) if bad is not None else list(names())
    at = f" of {layer}" if layer else ""
    weight, largest = _largest(model)
    message = (f"{where}; first in the {tensor}{at}, for {_listed(affected)}. The largest weight "
               f"is {largest:.3g} in {weight}. Nothing of this step was kept; "
               "check these samples, lower the learning rate, or clip gradients")
    return NonFiniteError(message, layer, tensor, affected)


def _first_bad(model, forward, x, layers, tensors):
    """(layer, tensor, array) where the first non-finite number is; the array is None if unknown."""
    if not all_finite(x.data):
        return "", "input", x.data
    with trace() as calls:
        result = forward()
    for call in calls:
        if not all_finite(call.output.data):
            for value in call.inputs:
                if id(value) in tensors and not all_finite(value.data):
                    return _layer(call, layers), f"weight {tensors[id(value)]}", None
            return _layer(call, layers), f"output of {call.function.name}", call.output.data
    if not result.requires_grad:
        return "", "result, but not again when the batch was repeated", None
    return _first_bad_gradient(model, result, calls, layers, tensors)


def _first_bad_gradient(model, result, calls, layers, tensors):
    found = []

    def watch(call):
        def hook(gy):
            if found:
                return
            if not all_finite(gy.data):
                found.append((_layer(call, layers), f"gradient of the output of "
                              f"{call.function.name}", gy.data))
                return
            for edge, g in call.function.gradients(gy.data, False, None):
                if not all_finite(g):
                    name = tensors.get(id(edge))
                    found.append((_layer(call, layers), f"gradient of {name}" if name else
                                  f"gradient that {call.function.name} passes back",
                                  None if name else g))
                    return
        return hook

    for call in calls:
        if call.output.requires_grad:
            call.output.register_hook(watch(call))
    model.zero_grad()
    result.backward()
    for name, p in model.named_parameters():
        if not found and p.grad is not None and not all_finite(p.grad.data):
            found.append((name.rpartition(".")[0], f"gradient of {name}", None))
    return (*found, ("", "gradients, but not again when the batch was repeated", None))[0]


def _layer(call, layers):
    """How a message calls the innermost module in which an op ran."""
    if not call.scope:
        return "the loss"
    module = call.scope[-1]
    name = layers.get(id(module))
    return f"layer {name!r} ({type(module).__name__})" if name else type(module).__name__


def _affected(array, names):
    """The names of the rows that are not finite; all if the array has no row per sample."""
    if array.ndim == 0 or len(array) != len(names):
        return list(names)
    rows = ~array_module(array).isfinite(array).reshape(len(array), -1).all(1)
    return [name for name, row in zip(names, to_device(rows, "cpu")) if row]


def _listed(names):
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _sample(array):
    """"nan" or "inf": the first non-finite number."""
    xp = array_module(array)
    return float(array[~xp.isfinite(array)][0])


def _largest(model):
    """(name, size) of the weight of the largest absolute value; NaN counts as the largest."""
    sizes = {name: float(reduce.amax(abs(p.data)))
             for name, p in model.named_parameters() if p.numel()}
    name = max(sizes, key=lambda name: (math.isnan(sizes[name]), sizes[name]))
    return name, sizes[name]
