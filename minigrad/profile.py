"""What a model costs, layer by layer: output shape, parameters, operations, memory for backward.

    table = profile(model, (1, 3, 224, 224))
    print(table)                        # or table.text("macs"), table.markdown(), table.to_dict()
    table.total.trainable, table.total.count.flops

The model runs once. Every op that ran is counted as its class says, in the words of
`minigrad.ops.cost`, and booked to the innermost module in which it ran. An op that does not say
what it costs is an error. What a layer does with plain arrays, outside the ops, is not seen.
Where an op has several plans, as convolution has on the CPU, the table names the one that ran.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import is_integer
from minigrad.backend import Array, to_device
from minigrad.engine import Tensor
from minigrad.function import Call, Function, trace
from minigrad.nn import Module
from minigrad.ops.cost import Count

UNITS = {"flops": "FLOPs", "macs": "MACs"}
_WORDS = "layer", "kind", "output", "plan"      # columns that are aligned on the left
# Columns that a narrow terminal does without, these first.
_LESS_WANTED = "plan", "fixed", "kept bytes", "kind", "output", "trainable"
_GAP = "  "

Rows = list[tuple[str, ...]]            # the table as text: header first, total last


class _Rules(dict):
    """{class of op: rule}, where rule(call) gives the Count of a Call: what `cost` of the op says.

    A rule entered here takes the place of that: `RULES[Theirs] = lambda call: Count(...)` counts an
    op whose class you cannot change. An op of which nobody says what it costs is not in RULES. It
    does not inherit a cost either, because it may compute in another way than its base.
    """

    def __contains__(self, op: object) -> bool:
        return super().__contains__(op) or "cost" in vars(op)

    def __missing__(self, op: type[Function]) -> Callable[[Call], Count | None]:
        cost = vars(op)["cost"]
        return lambda call: cost(call.function, call.output, *call.inputs)


RULES = _Rules()


class Layer(NamedTuple):
    """One row of the table: a module, without the modules inside it."""

    name: str  # dotted, "" for the model itself
    kind: str  # its class
    output: tuple | None  # shape that the last op to run in it gave; None if none did
    trainable: int  # elements of its parameters that require a gradient
    fixed: int  # elements of those that do not
    count: Count  # type: ignore[assignment]  # not tuple.count, which nobody needs
    kept: int  # bytes kept for backward
    plan: str = ""  # of the last op that has several: how it was computed

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind,
                "output": None if self.output is None else list(self.output),
                "trainable": self.trainable, "fixed": self.fixed, "flops": self.count.flops,
                **self.count._asdict(), "kept": self.kept, "plan": self.plan}


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

    def text(self, unit: str = "flops", width: int | None = None) -> str:
        """Aligned columns for a terminal, in "flops" or "macs" (ValueError for another unit).

        width: columns of that terminal. Where they are too few, columns of the table are left out,
        and a last line names these; if even layer and unit are too wide, names lose their
        beginning.
        """
        width = sys.maxsize if width is None else width
        rows = self._cells(unit)
        left_out: list[str] = []
        for name in _LESS_WANTED:
            if _width(rows) <= width:
                break
            if name not in rows[0]:
                continue
            i = rows[0].index(name)
            rows = [row[:i] + row[i + 1:] for row in rows]
            left_out.append(name)
        if (over := _width(rows) - width) > 0:
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

    def markdown(self, unit: str = "flops") -> str:
        """A Markdown table, in "flops" or "macs" (ValueError for another unit)."""
        header, *rows = self._cells(unit)
        aligned = [":--" if name in _WORDS else "--:" for name in header]
        return "\n".join(f"| {' | '.join(row)} |" for row in (header, aligned, *rows))

    def to_dict(self) -> dict[str, Any]:
        """Everything in JSON types; both units and every kind of operation."""
        return {"input": list(self.input), "layers": [layer.to_dict() for layer in self.layers],
                "total": self.total.to_dict()}

    def _cells(self, unit: str) -> Rows:
        if unit not in UNITS:
            raise ValueError(f"profile: unit must be one of {', '.join(UNITS)}, got {unit!r}")
        rows: Rows = [("layer", "kind", "output", "trainable", "fixed", UNITS[unit], "kept bytes",
                       "plan")]
        for layer in (*self.layers, self.total):
            output = "" if layer.output is None else "x".join(map(str, layer.output))
            numbers = (layer.trainable, layer.fixed, getattr(layer.count, unit), layer.kept)
            rows.append((layer.name or "(model)", layer.kind, output,
                         *(f"{n:,}" for n in numbers), layer.plan))
        if not any(layer.plan for layer in self.layers):
            rows = [row[:-1] for row in rows]
        return rows

    __str__ = text


def profile(model: Module, shape: Sequence[int]) -> Profile:
    """Run `model` once on random numbers of `shape` (batch axis included) and count.

    Returns a Profile with a row for each module that ran an op, owns a parameter or has no modules
    inside. A parameter shared by several modules is counted in the first. Bytes kept for backward:
    the arrays that the graph holds until then, each once, in the layer that keeps it first;
    parameters, which live anyway, are not among them. The model runs as it is: in training mode its
    random draws and its running statistics go on, as in any other run.

    Raises TypeError if model is not a Module, ValueError if shape is no tuple of positive integers,
    NotImplementedError naming an op that does not say what it costs.
    """
    if not isinstance(model, Module):
        raise TypeError(f"profile: the model must be a Module, got {type(model).__name__}")
    if not (isinstance(shape, (tuple, list)) and shape
            and all(is_integer(n, 1) for n in shape)):
        raise ValueError(f"profile: shape must be a tuple of positive integers, got {shape!r}")
    modules = {module: name for name, module in model.named_modules()}
    with trace() as calls:
        model(_random_input(model, shape))
    ran: dict[Module, list[Call]] = {module: [] for module in modules}
    kept = dict.fromkeys(modules, 0)
    seen = {id(_owner(p.data)) for p in model.parameters()}
    for call in calls:
        home = next(module for module in reversed(call.scope) if module in ran)
        ran[home].append(call)
        kept[home] += _newly_kept(call, seen)
    sizes = {name: [0, 0] for name in modules.values()}  # trainable, fixed
    for name, p in model.named_parameters():
        sizes[name.rpartition(".")[0]][not p.requires_grad] += p.numel()
    layers = []
    for module, name in modules.items():
        calls, (trainable, fixed) = ran[module], sizes[name]
        if calls or trainable or fixed or not any(module.named_children()):
            output = calls[-1].output.shape if calls else None
            count = _total(_count(call, name) for call in calls)
            plans = [call.function.plan(*call.inputs) for call in calls
                     if hasattr(call.function, "plan")]
            layers.append(Layer(name, type(module).__name__, output, trainable, fixed, count,
                                kept[module], plans[-1] if plans else ""))
    return Profile(tuple(shape), tuple(layers))


def _random_input(model: Module, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers with the dtype and device of the model's parameters."""
    like = next(model.parameters(), Tensor(0.0))
    numbers = np.random.default_rng(0).standard_normal(shape).astype(like.dtype)
    return Tensor(to_device(numbers, like.device))


def _newly_kept(call: Call, seen: set[int]) -> int:
    """Bytes that the op keeps for backward and that `seen`, ids of arrays, does not yet hold."""
    if call.output.node is not call.function:
        return 0  # not recorded
    owners = {id(owner): owner for owner in map(_owner, _held(call.function))}
    new = [owner.nbytes for key, owner in owners.items() if key not in seen]
    seen.update(owners)
    return sum(new)


def _held(function: Function) -> list[Array]:
    """The arrays that a recorded op keeps: what it saved, and what it holds as attributes."""
    values = [record[0] for record in function.saved or () if record is not None]
    for name, value in vars(function).items():
        if name not in ("saved", "parents"):
            values += value if isinstance(value, (tuple, list)) else [value]
    return [value for value in values if hasattr(value, "nbytes")]


def _owner(array: Any) -> Any:
    """The array whose memory `array` is a view of."""
    while hasattr(getattr(array, "base", None), "nbytes"):
        array = array.base
    return array


def _count(call: Call, layer: str) -> Count:
    """The Count of one op."""
    op = type(call.function)
    count = RULES[op](call) if op in RULES else None
    if count is None:
        raise NotImplementedError(
            f"profile: op {call.function.name} in layer {layer or '(model)'!r} does not say what "
            f"it costs; give {op.__name__} a method `cost(self, y, *inputs)`, or write "
            f"minigrad.profile.RULES[{op.__name__}] = lambda call: Count(...)")
    return count


def _width(rows: Rows) -> int:
    """Of the lines of a table."""
    return sum(max(map(len, column)) for column in zip(*rows)) + len(_GAP) * (len(rows[0]) - 1)


def _total(counts: Iterable[Count]) -> Count:
    return Count(*map(sum, zip(*counts)))
