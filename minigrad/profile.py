"""What a model costs, layer by layer: output shape, parameters, operations, memory for backward.

    table = profile(model, (1, 3, 224, 224))
    print(table)                        # or table.text("macs"), table.markdown(), table.to_dict()
    table.total.trainable, table.total.count.flops

The model runs once. Every op that ran is counted by the rule of its class in `RULES` and booked to
the innermost module in which it ran; an op without a rule is an error. A rule counts what the op's
definition computes, padding included, and not the plan that computes it. One multiplication, one
addition, one comparison, and one call of any other function of numbers (a division, a root, a
tanh) is 1 FLOP each; moving, selecting and converting numbers is free. What a layer does with plain
arrays, outside the ops, is not seen.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigrad.backend import to_device
from minigrad.function import trace
from minigrad.kernels.adaptive import bin_of
from minigrad.nn import Module
from minigrad.ops.activation import (LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Softplus,
                                     Tanh)
from minigrad.ops.adaptive import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from minigrad.ops.arithmetic import (Abs, Add, Clip, Cos, Div, Exp, Expm1, Log, Log1p, Maximum,
                                     Minimum, Mul, Neg, Pow, Sin, Sqrt, Sub, Where)
from minigrad.ops.compare import Elementwise
from minigrad.ops.conv import Conv2d, ConvInputGradient
from minigrad.ops.dropout import Dropout
from minigrad.ops.linear import Linear, MatMul
from minigrad.ops.norm import BatchNorm, BatchNormReLU, ScaleShiftReLU
from minigrad.ops.pool import AvgPool2d, MaxPool2d
from minigrad.ops.reduce import Amax, Amin, LogSumExp, Sum
from minigrad.ops.shape import (Cast, Concatenate, Expand, Index, Pad, Permute, Reshape, SumTo,
                                ToDevice)
from minigrad.tensor import Tensor

UNITS = {"flops": "FLOPs", "macs": "MACs"}
_WORDS = "layer", "kind", "output"      # columns that are aligned on the left
_LESS_WANTED = "fixed", "kept bytes", "kind", "output", "trainable"     # on a narrow terminal
_GAP = "  "


class Count(NamedTuple):
    """Operations on numbers, by kind."""

    multiply: int = 0
    add: int = 0  # subtractions too
    compare: int = 0
    other: int = 0  # divisions, powers, roots, elementary functions, changes of sign
    macs: int = 0  # those multiplications whose products are summed: multiply-accumulates

    @property
    def flops(self):
        return self.multiply + self.add + self.compare + self.other


class Layer(NamedTuple):
    """One row of the table: a module, without the modules inside it."""

    name: str  # dotted, "" for the model itself
    kind: str  # its class
    output: tuple | None  # shape that the last op to run in it gave; None if none did
    trainable: int  # elements of its parameters that require a gradient
    fixed: int  # elements of those that do not
    count: Count
    kept: int  # bytes kept for backward

    def to_dict(self):
        return {"name": self.name, "kind": self.kind,
                "output": None if self.output is None else list(self.output),
                "trainable": self.trainable, "fixed": self.fixed, "flops": self.count.flops,
                **self.count._asdict(), "kept": self.kept}


@dataclass(frozen=True)
class Profile:
    """The table that `profile` returns; `str` of it is `text()`."""

    input: tuple
    layers: tuple[Layer, ...]

    @property
    def total(self) -> Layer:
        """All layers together; `output` is None."""
        return Layer("total", "", None, sum(layer.trainable for layer in self.layers),
                     sum(layer.fixed for layer in self.layers),
                     _total(layer.count for layer in self.layers),
                     sum(layer.kept for layer in self.layers))

    def text(self, unit="flops", width=None):
        """Aligned columns for a terminal, in "flops" or "macs" (ValueError for another unit).

        width: columns of that terminal. Where they are too few, columns of the table are left out,
        and a last line names these; if even layer and unit are too wide, names lose their
        beginning.
        """
        rows, left_out = self._cells(unit), []
        for name in _LESS_WANTED:
            if width is None or _width(rows) <= width:
                break
            i = rows[0].index(name)
            rows, left_out = [(*row[:i], *row[i + 1:]) for row in rows], [*left_out, name]
        if width is not None and (over := _width(rows) - width) > 0:
            room = max(max(len(row[0]) for row in rows) - over, 8)
            rows = [(name if len(name) <= room else f"..{name[2 - room:]}", *more)
                    for name, *more in rows]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [_GAP.join(cell.ljust(w) if name in _WORDS else cell.rjust(w)
                           for name, cell, w in zip(rows[0], row, widths)).rstrip()
                 for row in rows]
        rule = "-" * max(map(len, lines))
        note = textwrap.wrap(f"Left out, as the screen is narrow: {', '.join(left_out)}.",
                             width) if left_out else []
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], *note])

    def markdown(self, unit="flops"):
        """A Markdown table, in "flops" or "macs" (ValueError for another unit)."""
        header, *rows = self._cells(unit)
        aligned = [":--"] * 3 + ["--:"] * (len(header) - 3)
        return "\n".join(f"| {' | '.join(row)} |" for row in (header, aligned, *rows))

    def to_dict(self):
        """Everything in JSON types; both units and every kind of operation."""
        return {"input": list(self.input), "layers": [layer.to_dict() for layer in self.layers],
                "total": self.total.to_dict()}

    def _cells(self, unit):
        """The table as text, header first and total last."""
        if unit not in UNITS:
            raise ValueError(f"profile: unit must be one of {', '.join(UNITS)}, got {unit!r}")
        rows = [("layer", "kind", "output", "trainable", "fixed", UNITS[unit], "kept bytes")]
        for layer in (*self.layers, self.total):
            output = "" if layer.output is None else "x".join(map(str, layer.output))
            numbers = (layer.trainable, layer.fixed, getattr(layer.count, unit), layer.kept)
            rows.append((layer.name or "(model)", layer.kind, output,
                         *(f"{n:,}" for n in numbers)))
        return rows

    __str__ = text


def profile(model, shape):
    """Run `model` once on random numbers of `shape` (batch axis included) and count.

    Returns a Profile with a row for each module that ran an op, owns a parameter or has no modules
    inside. A parameter shared by several modules is counted in the first. Bytes kept for backward:
    the arrays that the graph holds until then, each once, in the layer that keeps it first;
    parameters, which live anyway, are not among them. The model runs as it is: in training mode its
    random draws and its running statistics go on, as in any other run.

    Raises TypeError if model is not a Module, ValueError if shape is no tuple of positive integers,
    NotImplementedError naming an op that has no rule.
    """
    if not isinstance(model, Module):
        raise TypeError(f"profile: the model must be a Module, got {type(model).__name__}")
    if not (isinstance(shape, (tuple, list)) and shape
            and all(isinstance(n, int) and n > 0 for n in shape)):
        raise ValueError(f"profile: shape must be a tuple of positive integers, got {shape!r}")
    modules = {module: name for name, module in model.named_modules()}
    with trace() as calls:
        model(_random_input(model, shape))
    ran, kept = {module: [] for module in modules}, dict.fromkeys(modules, 0)
    seen = {id(_owner(p.data)) for p in model.parameters()}
    for call in calls:
        home = next(module for module in reversed(call.scope) if module in ran)
        ran[home].append(call)
        kept[home] += _newly_kept(call, seen)
    sizes = {name: [0, 0] for name in modules.values()}  # trainable, fixed
    for name, p in model.named_parameters():
        sizes[name.rpartition(".")[0]][not p.requires_grad] += p.numel()
    layers = [
        Layer(name, type(module).__name__, ran[module][-1].output.shape if ran[module] else None,
              *sizes[name], _total(_count(call, name) for call in ran[module]), kept[module])
        for module, name in modules.items()
        if ran[module] or any(sizes[name]) or not any(module.named_children())]
    return Profile(tuple(shape), tuple(layers))


def _random_input(model, shape):
    """Standard normal numbers with the dtype and device of the model's parameters."""
    like = next(model.parameters(), Tensor(0.0))
    numbers = np.random.default_rng(0).standard_normal(shape).astype(like.dtype)
    return Tensor(to_device(numbers, like.device))


def _newly_kept(call, seen):
    """Bytes that the op keeps for backward and that `seen`, ids of arrays, does not yet hold."""
    if call.output.node is not call.function:
        return 0  # not recorded
    owners = {id(owner): owner for owner in map(_owner, _held(call.function))}
    new = [owner.nbytes for key, owner in owners.items() if key not in seen]
    seen.update(owners)
    return sum(new)


def _held(function):
    """The arrays that a recorded op keeps: what it saved, and what it holds as attributes."""
    values = [record[0] for record in function.saved if record is not None]
    for name, value in vars(function).items():
        if name not in ("saved", "edges"):
            values += value if isinstance(value, (tuple, list)) else [value]
    return [value for value in values if hasattr(value, "nbytes")]


def _owner(array):
    """The array whose memory `array` is a view of."""
    while hasattr(getattr(array, "base", None), "nbytes"):
        array = array.base
    return array


def _count(call, layer):
    """The Count of one op by the rule of its class."""
    rule = RULES.get(type(call.function))
    count = None if rule is None else rule(call)
    if count is None:
        raise NotImplementedError(
            f"profile: no counting rule for op {call.function.name} in layer {layer or '(model)'!r}"
            f"; add one: minigrad.profile.RULES[{type(call.function).__name__}] = "
            "lambda call: Count(...)")
    return count


def _width(rows):
    """Of the lines of a table."""
    return sum(max(map(len, column)) for column in zip(*rows)) + len(_GAP) * (len(rows[0]) - 1)


def _total(counts):
    return Count(*map(sum, zip(*counts)))


def _size(x):
    return math.prod(x.shape)


def _each(**kinds):
    """The rule for ops that do the same for every element of the output."""
    return lambda call: Count(**{kind: n * _size(call.output) for kind, n in kinds.items()})


def _products(call):
    """Sums of k products, plus a bias if there is one: k or k - 1 additions."""
    weight, bias = call.inputs[1], len(call.inputs) > 2
    n, k = _size(call.output), _size(weight) // weight.shape[0]
    return Count(multiply=n * k, add=n * (k - 1 + bias), macs=n * k)


def _transposed_convolution(call):
    """Each pixel times its channel's filters; pixels of the padded output sum what reaches them."""
    x, weight = call.inputs
    window, groups, _ = call.function.settings
    n = _size(x) * _size(weight) // weight.shape[0]
    reached = [len({i * stride + u * dilation for i in range(size) for u in range(taps)})
               for size, taps, stride, dilation in zip(x.shape[2:], (window.kh, window.kw),
                                                       (window.sh, window.sw),
                                                       (window.dh, window.dw))]
    sums = x.shape[0] * groups * weight.shape[1] * math.prod(reached)
    return Count(multiply=n, add=n - sums, macs=n)


def _matmul(call):
    n, k = _size(call.output), call.inputs[0].shape[-1]
    return Count(multiply=n * k, add=n * (k - 1), macs=n * k)


def _pool(kind, **more):
    """All but one pixel of each window cost one operation of `kind`; `more` per window."""
    def rule(call):
        window = call.function.window
        return _each(**{kind: window.kh * window.kw - 1}, **more)(call)
    return rule


def _adaptive_means(call):
    """Rows first, as kernels/adaptive.py computes them: a sum and a division for each bin."""
    (n, c, h, w), (oh, ow) = call.inputs[0].shape, call.output.shape[2:]
    adds = sum(_overlaps(h, oh)) * w + oh * sum(_overlaps(w, ow))
    return Count(add=n * c * adds, other=n * c * (oh * w + oh * ow))


def _adaptive_maxima(call):
    """All but one pixel of each bin cost a comparison."""
    (n, c, h, w), (oh, ow) = call.inputs[0].shape, call.output.shape[2:]
    pixels = (sum(_overlaps(h, oh)) + oh) * (sum(_overlaps(w, ow)) + ow)
    return Count(compare=n * c * (pixels - oh * ow))


def _overlaps(n, parts):
    """The pixels of each bin, less one."""
    bins = (bin_of(i, parts, n) for i in range(parts))
    return [some.stop - some.start - 1 for some in bins]


def _reduced(kind):
    """Reducing n numbers to one takes n - 1 operations of `kind`."""
    return lambda call: Count(**{kind: _size(call.inputs[0]) - _size(call.output)})


def _batch_norm(call):
    """Per number x - m, its square, times f, plus b; per channel m, v and f = w / sqrt(v + eps)."""
    n, channels = _size(call.output), call.output.shape[1]
    sums = 2 * (n - channels)  # for m and v, which one division each makes means
    return Count(multiply=2 * n + channels, add=sums + 2 * n + channels, other=4 * channels)


def _softmax(call):
    """Per row: largest of n, n differences, n exponentials, their sum, n divisions."""
    n = _size(call.output)
    rows = n // call.output.shape[call.function.dim]
    return Count(compare=n - rows, add=2 * n - rows, other=2 * n)


def _log_softmax(call):
    """Per row: largest of n, n differences, n exponentials, their sum, its log, n differences."""
    n = _size(call.output)
    rows = n // call.output.shape[call.function.dim]
    return Count(compare=n - rows, add=3 * n - rows, other=n + rows)


def _logsumexp(call):
    """Per row: largest of n, n differences, n exponentials, their sum, its log, one addition."""
    n, rows = _size(call.inputs[0]), _size(call.output)
    return Count(compare=n - rows, add=2 * n, other=n + rows)


def _clip(call):
    limits = (call.function.low, call.function.high)
    return _each(compare=sum(limit is not None for limit in limits))(call)


def _elementwise(call):
    """By the function it holds; None, no rule, for one that is not listed here."""
    f = call.function.f
    if f in (np.argmax, np.argmin):
        return _reduced("compare")(call)
    if f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
        return _each(compare=1)(call)
    if f in (np.logical_and, np.logical_or, np.logical_not, np.sign):
        return _each(other=1)(call)
    return None


RULES = {
    **dict.fromkeys((Cast, Concatenate, Expand, Index, Pad, Permute, Reshape, ToDevice, Where),
                    _each()),
    **dict.fromkeys((Add, Sub), _each(add=1)),
    **dict.fromkeys((Abs, Cos, Div, Exp, Expm1, Log, Log1p, Neg, Pow, Sin, Sqrt, Tanh),
                    _each(other=1)),
    **dict.fromkeys((Maximum, Minimum, ReLU), _each(compare=1)),
    Mul: _each(multiply=1),
    Dropout: _each(multiply=2),
    LeakyReLU: _each(compare=1, multiply=1),
    Sigmoid: _each(multiply=2, add=1, other=1),
    Softplus: _each(compare=1, add=1, other=4),
    Softmax: _softmax,
    LogSoftmax: _log_softmax,
    LogSumExp: _logsumexp,
    Clip: _clip,
    Elementwise: _elementwise,
    Sum: _reduced("add"),
    SumTo: _reduced("add"),
    Amax: _reduced("compare"),
    Amin: _reduced("compare"),
    MatMul: _matmul,
    Linear: _products,
    Conv2d: _products,
    ConvInputGradient: _transposed_convolution,
    BatchNorm: _batch_norm,
    BatchNormReLU: lambda call: _batch_norm(call)._replace(compare=_size(call.output)),
    ScaleShiftReLU: _each(multiply=1, add=1, compare=1),
    MaxPool2d: _pool("compare"),
    AvgPool2d: _pool("add", other=1),
    AdaptiveAvgPool2d: _adaptive_means,
    AdaptiveMaxPool2d: _adaptive_maxima,
}
