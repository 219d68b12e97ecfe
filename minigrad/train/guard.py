"""NaN and infinity: noticed in the step in which they appear, and traced to where they came from.

Every batch costs the guard one look at the loss and one scalar product per gradient. Only when that
is not finite, the batch is repeated with all intermediate results in view, to find the first one
that is wrong.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np

from minigrad.backend import to_device
from minigrad.dtypes import kind
from minigrad.engine import Tensor
from minigrad.function import Call, trace
from minigrad.kernels.optim import cpu as kernel
from minigrad.kernels.reduce import cpu as reduce
from minigrad.nn import Module
from minigrad.optim.clip import arrays_by_device, gradients

_MOST_NAMES = 4     # of samples in a message

Names = Callable[[], Sequence[str]]             # of the samples of a batch
Bad = tuple[str, str, np.ndarray | None]        # layer, tensor, its array, if known


class NonFiniteError(FloatingPointError):
    """NaN or infinity in a training step or an evaluation.

    `layer` and `tensor` say where it appeared first, `names` the samples it appeared in.
    """

    def __init__(self, message: str, layer: str = "", tensor: str = "",
                 names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.layer, self.tensor, self.names = layer, tensor, list(names)


def quiet() -> np.errstate:
    """NumPy does not warn of what the guard looks for, inside this `with` block."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def all_finite(array: np.ndarray) -> bool:
    """Whether the array, NumPy's or CuPy's, holds neither NaN nor infinity."""
    return bool(np.isfinite(array).all())


def squared_norm(parameters: Iterable[Tensor]) -> float:
    """sum |g|^2 over the gradients; finite exactly if all of them are.

    It is computed in the dtype of the gradients. Where that overflows although every element is
    finite, it is the largest float64.
    """
    grads = gradients(parameters)
    with quiet():
        total = sum(map(kernel.squared_norm, arrays_by_device(grads)), 0.0)
    if not math.isfinite(total) and all(all_finite(grad.data) for grad in grads):
        return float(np.finfo(np.float64).max)
    return total


def check_values(values: Iterable[tuple[str, np.ndarray]], where: str) -> None:
    """NonFiniteError naming the first of the (name, array) with NaN or infinity."""
    for name, array in values:
        if kind(array.dtype) == "f" and not all_finite(array):
            value = float(array[~np.isfinite(array)][0])
            raise NonFiniteError(f"{where}: {name} holds {value}; nothing was saved. "
                                 "Lower the learning rate, or clip gradients", tensor=name)


def check_labels(output: Tensor, target: np.ndarray, names: Names, where: str,
                 ignored: int | None = None) -> None:
    """ValueError naming the sample whose label is not in 0..C-1, for output (N, C) with C > 1 and
    labels (N,). Samples with the label `ignored` are passed over."""
    if output.ndim != 2 or output.shape[1] < 2 or target.ndim != 1 or target.dtype.kind not in "iu":
        return
    wrong = (target < 0) | (target >= output.shape[1])
    if ignored is not None:
        wrong &= target != ignored
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{where}: label {int(target[row])} of {names()[row]} is out of range: "
                         f"the model has {output.shape[1]} outputs, so labels are 0 to "
                         f"{output.shape[1] - 1}")


def explain(model: Module, forward: Callable[[], Tensor], x: Tensor, names: Names,
            where: str) -> NonFiniteError:
    """The error for a batch whose `forward()`, or its backward, came out non-finite.

    It repeats the batch, so `forward` must compute just what it did before, with the same random
    numbers.
    """
    layer, tensor, bad = _first_bad(model, forward, x)
    samples = list(names()) if bad is None else _samples(bad, names())
    more = f" and {len(samples) - _MOST_NAMES} more" if len(samples) > _MOST_NAMES else ""
    message = (f"{where}; first in the {tensor}{f' of {layer}' if layer else ''}, for "
               f"{', '.join(samples[:_MOST_NAMES])}{more}. {_largest_weight(model)}Nothing of this "
               "step was kept; check these samples, lower the learning rate, or clip gradients")
    return NonFiniteError(message, layer, tensor, samples)


def _first_bad(model: Module, forward: Callable[[], Tensor], x: Tensor) -> Bad:
    """Where the first non-finite number is."""
    if not all_finite(x.data):
        return "", "input", x.data
    tensors = {id(p): name for name, p in model.named_parameters()}
    with trace() as calls:
        result = forward()
    for call in calls:
        if not all_finite(call.output.data):
            for value in call.inputs:
                if id(value) in tensors and not all_finite(value.data):
                    return _layer(call, model), f"weight {tensors[id(value)]}", None
            return _layer(call, model), f"output of {call.function.name}", call.output.data
    if not result.requires_grad:
        return "", "result, but not again when the batch was repeated", None
    return _first_bad_gradient(model, result, calls, tensors)


def _first_bad_gradient(model: Module, result: Tensor, calls: list[Call],
                        tensors: dict[int, str]) -> Bad:
    bad: list[Bad] = []

    def watch(call: Call, gy: Tensor) -> None:
        if not bad:
            bad.extend(islice(_bad_gradients(call, gy.data, model, tensors), 1))

    for call in calls:
        if call.output.requires_grad:
            call.output.register_hook(partial(watch, call))
    model.zero_grad()
    result.backward()
    bad += [(name.rpartition(".")[0], f"gradient of {name}", None)
            for name, p in model.named_parameters()
            if p.grad is not None and not all_finite(p.grad.data)]
    return (*bad, ("", "gradients, but not again when the batch was repeated", None))[0]


def _bad_gradients(call: Call, gy: np.ndarray, model: Module,
                   tensors: dict[int, str]) -> Iterator[Bad]:
    """The gradient of the output of a call, and those that it passes back, which are not finite."""
    op = call.function
    if not all_finite(gy):
        yield _layer(call, model), f"gradient of the output of {op.name}", gy
    for parent, g in op.gradients(gy, False, None):
        if not all_finite(g):
            name = tensors.get(id(parent))
            tensor = f"gradient of {name}" if name else f"gradient that {op.name} passes back"
            yield _layer(call, model), tensor, None if name else g


def _layer(call: Call, model: Module) -> str:
    """How a message calls the innermost module in which an op ran."""
    if not call.scope:
        return "the loss"
    module = call.scope[-1]
    name = next((name for name, other in model.named_modules() if other is module), "")
    return f"layer {name!r} ({type(module).__name__})" if name else type(module).__name__


def _samples(array: np.ndarray, names: Sequence[str]) -> list[str]:
    """The names of the rows that are not finite; all if the array has no row per sample."""
    if array.ndim == 0 or len(array) != len(names):
        return list(names)
    rows = ~np.isfinite(array).reshape(len(array), -1).all(1)
    return [name for name, row in zip(names, to_device(rows, "cpu")) if row]


def _largest_weight(model: Module) -> str:
    """A sentence on the weight of the largest absolute value; NaN counts as the largest."""
    sizes = {k: float(reduce.amax(abs(p.data))) for k, p in model.named_parameters() if p.numel()}
    if not sizes:
        return ""
    name = max(sizes, key=lambda name: (math.isnan(sizes[name]), sizes[name]))
    return f"The largest weight is {sizes[name]:.3g} in {name}. "
