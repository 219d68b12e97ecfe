"""What an op is: its forward on arrays, its backward, and the node that it leaves in the graph.

`minigrad.ops` holds one subclass of `Function` per op; see `minigrad/ops/activation.py` for short
ones, and the README for how to add another.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from minigrad.backend import check_devices, device_of, is_array, memory_error, on_gpu
from minigrad.dtypes import CHARS, has_integers, is_half, kind, widen
from minigrad.engine import Operand, Tensor, Values, wrap
from minigrad.graph import Node, context

_numbers = itertools.count()
FLOAT32 = np.dtype(np.float32)
USUAL = "fdFD"  # numpy.dtype.char of what every op takes as it comes
OUTPUT = -1  # in place of the position of an input
# What a call writes into its op; a copy of the op starts without it.
_OF_A_CALL = {"in_use", "parents", "saved", "_version_counter", "hooks", "dtypes", "ran_in_half",
              "sequence_number", "signature"}
_RESERVED = _OF_A_CALL | {"arity", "needs", "formulas", "sources"}  # no names for an op's author


class Call(NamedTuple):
    """One op that ran under `trace`, and the modules that it ran in, outermost first."""

    function: Function
    inputs: tuple
    output: Tensor
    scope: tuple

    def substitute(self, x: Tensor, before: Tensor) -> Call:
        """This call with the Tensor `before` in the place of x."""
        if self.output is not x and all(value is not x for value in self.inputs):
            return self
        inputs = tuple(before if value is x else value for value in self.inputs)
        return self._replace(inputs=inputs, output=before if self.output is x else self.output)


@contextmanager
def trace() -> Iterator[list[Call]]:
    """Yield a list that receives a Call for every op run inside the block."""
    calls: list[Call] = []
    before, context.trace = context.trace, calls
    try:
        yield calls
    finally:
        context.trace = before


class Formula(NamedTuple):
    """A formula for gradients that the author of an op wrote: `backward`, or one `grad_...`."""

    compute: Callable[..., Any]  # compute(op, gy, *values)
    values: list[int]  # which values it takes: their positions in `needs`
    target: int | None  # whose gradient it gives: the position of an input; None: all, as a tuple


class Source(NamedTuple):
    """Where a value comes from that formulas take, and what for."""

    position: int  # of the input that it is; OUTPUT if it is the output
    targets: list[int]  # the inputs whose gradients take it; empty if the tuple of all of them does


class Function(Node):
    """One operation: hyper-parameters in `__init__`, arrays in `forward`, calculus in `backward`.

    A subclass writes `forward(self, x, ...) -> y` on arrays and then either

        backward(self, gy, ...)     the gradient of x, or of all inputs as a tuple in their order
        grad_x(self, gy, ...)       one method per input, where the gradients share no work

    with gy = dL/dy. The parameters after gy name what the formula needs: inputs by their name in
    `forward`, or `y`, the output. The engine keeps these values until backward has run, and no
    others; a value that only an unwanted gradient needs is not kept either. The values arrive as
    arrays. If the backward pass is itself recorded (`create_graph=True`), they arrive as Tensors
    that are connected to the graph. So one formula serves derivatives of every order.

    A gradient is what gy is, an array or a Tensor, and has the shape of its input; None says that
    nothing flows back. Its dtype may differ. Another number or type of gradients is a TypeError,
    another shape or device a ValueError. gy is read-only, because other ops may receive the same
    array. What `forward` returns is one array; anything else is a TypeError.

    A subclass may also say what a call costs: see `minigrad.ops.cost`.

    Each call runs on a copy of the op, and the copy becomes the node of the graph. What `forward`
    leaves on `self` for `backward`, in lists and dicts too, therefore belongs to that call, and a
    hyper-parameter that is changed later changes no earlier call. (Each function in `minigrad.ops`
    makes a new op for its call, so that the first call needs no copy.) Arrays in place of Tensors
    are kept, not copied; `Tensor` says which changes are noticed.

    16-bit floating-point inputs arrive in `forward` and in `backward` as float32; the output, and
    the gradient of such an input, are rounded to 16 bits. Where `moves` or `half_on_gpu` say so,
    they arrive as they are; so do integers and booleans, unless `floating` makes them float32.
    """

    in_use = False  # True: this instance belongs to a call

    view = False  # True: the output may share its memory with the first input
    moves = False  # True: only moves elements, whatever they are
    sums = False  # True: gy of its 16-bit output arrives in float32, and is rounded when summed
    half_on_gpu = False  # True: on a GPU, computes on 16-bit floating-point numbers by itself
    floating = False  # True: has no integer results, and so takes integers as float32
    bools = True  # False: refuses booleans among several operands
    wraps = True  # False: refuses a number that does not fit into the integer dtype of the others
    trusted = False  # True: gradients go unchecked, since the tests of minigrad do it

    dtypes: list[Any] | None = None  # per input, if one has 16 bits and the op computes
    ran_in_half = False  # True: it computed on the 16-bit numbers themselves
    signature: list[Any]  # per input: its shape, dtype and device, if gradients are checked

    arity: int  # how many inputs `forward` can take
    formulas: list[Formula] = []
    sources: list[Source]  # per name in `needs`
    forward: Callable[..., Any]

    def __init_subclass__(cls) -> None:
        if not hasattr(cls, "forward"):
            return  # a base of several ops
        cls.name = cls.__name__
        cls.trusted = cls.__module__.startswith("minigrad.")
        if not cls.trusted:
            cls.view = True  # forward may return its input
            cls.in_use = True  # so every call runs on a copy
        names = list(inspect.signature(cls.forward).parameters)[1:]
        cls.arity = len(names)
        positions = {**{name: i for i, name in enumerate(names)}, "y": OUTPUT}
        methods: list[tuple[Any, int | None]]  # each with the target of its formula
        methods = [(getattr(cls, f"grad_{name}"), i) for name, i in positions.items()
                   if hasattr(cls, f"grad_{name}")]
        if not methods and hasattr(cls, "backward"):
            methods = [(cls.backward, None)]
        wants = [list(inspect.signature(method).parameters)[2:] for method, _ in methods]
        cls.needs = sorted({name for want in wants for name in want})
        unknown = [name for name in cls.needs if name not in positions]
        if unknown:
            raise TypeError(f"{cls.__name__}: a backward asks for {unknown[0]!r}, but it can have "
                            f"only the inputs of forward ({', '.join(names)}) and the output y")
        cls.formulas = [Formula(method if cls.trusted else _with_checks(method, target),
                                [cls.needs.index(name) for name in want], target)
                        for (method, target), want in zip(methods, wants)]
        cls.sources = [Source(positions[name], [target for (_, target), want in zip(methods, wants)
                                                if name in want and target is not None])
                       for name in cls.needs]

    def __call__(self, *inputs: Operand[Values] | None) -> Values:
        """Run forward, and record a node if an input is a Tensor that requires a gradient.

        With a Tensor among the inputs the result is a Tensor, without one an array.
        """
        if self.in_use:
            if self.saved is None:  # backward has run: let the graph behind this node go
                self.parents = ()
            return self._fresh_copy()(*inputs)
        self.in_use = True
        arrays: list[Any] = []
        parents: list[Any] = []
        tensors, usual = False, True
        record: Any = False
        for x in inputs:
            parent = None
            if isinstance(x, Tensor):
                tensors = True
                arrays.append(x.data)
                usual = usual and x.data.dtype.char in USUAL
                if x._requires_grad:
                    record = True
                    parent = x.node or x
            else:
                arrays.append(x)
                usual = usual and getattr(x, "dtype", FLOAT32).char in USUAL
            parents.append(parent)
        try:
            y = self.forward(*arrays) if usual else self._unusual_forward(arrays)
        except MemoryError as error:
            raise memory_error(error, self.name) from error
        except Exception:
            check_devices(self.name, arrays, vars(self))    # what explains most errors on a GPU
            raise
        if not tensors:
            return y
        record = record and context.grad and self.formulas
        out = wrap(y, self if record else None)
        if self.view:
            self._share(inputs, arrays, out, record)
        if record:
            while len(parents) < self.arity:  # optional inputs left out
                parents.append(None)
            self.parents = parents
            self.sequence_number = next(_numbers)
            if self.sources:
                self.saved = self._save(inputs, arrays, out)
        if context.trace is not None:
            context.trace.append(Call(self, inputs, out, context.scope))
        return out  # type: ignore[return-value]  # Tensors in, Tensor out

    def __getstate__(self) -> dict[str, Any]:
        """What a copy starts from: the op as its author made it, without the graph."""
        return {name: copy.copy(value) if type(value) in (list, dict, set) else value
                for name, value in vars(self).items() if name not in _OF_A_CALL}

    def _fresh_copy(self) -> Function:
        """A copy that has not been called."""
        if not self.trusted:
            self._check_names(vars(self))
        op = copy.copy(self)
        op.in_use = False
        return op

    def _check_names(self, names: Iterable[str]) -> None:
        taken = sorted(_RESERVED.intersection(names))
        if taken:
            raise AttributeError(f"{self.name}: the engine has a use of its own for "
                                 f"self.{taken[0]}; choose another name")

    def _share(self, inputs: tuple, arrays: list, out: Tensor, record: bool) -> None:
        """Count the output's changes with those of the input whose memory it shares, if any."""
        if not self.trusted:  # checked here, because of the other ops only views come by
            self._check_names(vars(self).keys() - {"in_use", "dtypes", "ran_in_half"})
            if not is_array(out.data):
                raise TypeError(f"{self.name}: forward must return an array, not "
                                f"{type(out.data).__name__}")
            self.signature = [(a.shape, a.dtype, device_of(a)) if hasattr(a, "dtype") else None
                              for a in arrays]
        base = getattr(out.data, "base", None)
        for x, array in zip(inputs, arrays):
            if isinstance(x, Tensor) and (base is not None and (base is array or base is array.base)
                                          or np.may_share_memory(array, out.data)):
                counter = x.version_counter()
                (self if record else out)._version_counter = counter
                counter.add_view(x, out)
                return

    def _unusual_forward(self, arrays: list) -> Any:
        """forward in float32 where the dtype of an input, or the op, asks for it.

        The result has the dtype of the first 16-bit input, if there is one.
        """
        if self.floating:
            arrays = [x.astype(FLOAT32) if has_integers(x) else x for x in arrays]
        first = next(filter(is_half, arrays), None)
        if first is None or self.moves:
            return self.forward(*arrays)
        self.dtypes = [getattr(a, "dtype", None) for a in arrays]
        self.ran_in_half = self.half_on_gpu and on_gpu(first)
        if self.ran_in_half:
            return self.forward(*arrays)
        y = self.forward(*map(widen, arrays))
        return y.astype(first.dtype) if y.dtype == np.float32 else y

    def _save(self, inputs: tuple, arrays: list, out: Tensor) -> list[tuple | None]:
        """What the wanted gradients need, in the form that `Node.saved` describes."""
        saved: list[tuple | None] = []
        parents = self.parents
        for position, targets in self.sources:
            for target in targets:
                if parents[target] is not None:
                    break  # a gradient that takes the value is wanted
            else:
                if targets:  # and none of them is wanted
                    saved.append(None)
                    continue
            owner: Any = None
            if position == OUTPUT:  # the owner is this op; to name it here would make a cycle
                value, counter = out.data, self._version_counter
            elif isinstance(inputs[position], Tensor):
                value, owner = arrays[position], inputs[position].node or inputs[position]
                counter = owner._version_counter
            else:
                value, counter = arrays[position], None
            saved.append((value, owner, 0 if counter is None else counter.version))
        return saved

    def unpack(self, graph: bool) -> list[Any]:
        """The saved values as arrays, or (graph=True) as Tensors connected to the graph.

        Per name in `needs` one value, or None if it was not kept. Raises RuntimeError if backward
        has freed the values, or if one of them was changed in place or replaced.
        """
        if self.saved is None:
            raise RuntimeError(f"backward: the graph of this {self.name} was freed by an earlier "
                               "backward; pass retain_graph=True to the earlier one")
        values: list[Any] = []
        for name, source, record in zip(self.needs, self.sources, self.saved):
            if record is None:
                values.append(None)
                continue
            value, owner, version = record
            if source.position == OUTPUT:
                owner = self
            if owner is not None:  # a Tensor, so not a plain number or array
                counter = owner._version_counter
                now = counter.version if counter is not None else 0
                if now != version and version is not None:
                    raise RuntimeError(
                        f"backward: {self.name} needs its {name} of shape {value.shape}, "
                        f"which was modified in place after it was saved (version {version} -> "
                        f"{now}); modify a copy, or call backward first")
                if graph:
                    if isinstance(owner, Tensor) and owner.data is not value:
                        raise RuntimeError(
                            f"backward: the data of {name}, which {self.name} needs, were "
                            "replaced by others; call backward first, or use copy_")
                    value = owner if isinstance(owner, Tensor) else wrap(value, owner)
            values.append(value)
        return values

    def gradients(self, gy: Any, graph: bool, wanted: set | None) -> list[tuple[Any, Any]]:
        """Pairs (parent, gradient) for the parents in `wanted` (None: for all of them)."""
        values = self.unpack(graph)
        widens = self.dtypes is not None and (graph or not self.ran_in_half)
        if widens:  # recorded too: the formula's single steps are not to be rounded
            gy, *values = map(_in_float32, (gy, *values))
        parents, pairs = self.parents, []
        for compute, takes, target in self.formulas:
            if target is None:
                gs = compute(self, gy, *map(values.__getitem__, takes))
                gs = gs if isinstance(gs, tuple) else (gs,)
                pairs += [(parent, g) for parent, g in zip(parents, gs) if parent is not None
                          and g is not None and (wanted is None or parent in wanted)]
            else:
                parent = parents[target]
                if parent is not None and (wanted is None or parent in wanted):
                    g = (compute(self, gy, *map(values.__getitem__, takes)) if takes
                         else compute(self, gy))
                    if g is not None:
                        pairs.append((parent, g))
        if widens:
            dtypes = dict(zip(parents, self.dtypes or ()))
            pairs = [(parent, g if getattr(parent, "sums", False) else _in_dtype(g, dtypes[parent]))
                     for parent, g in pairs]
        return pairs


def _in_float32(x: Any) -> Any:
    """x, an array or a Tensor with its graph, in float32 if it has 16 bits."""
    if isinstance(x, Tensor):
        return x.to(np.float32) if x.data.dtype.char in CHARS else x
    return widen(x)


def _in_dtype(g: Any, dtype: Any) -> Any:
    return g.to(dtype) if isinstance(g, Tensor) else g.astype(dtype, copy=False)


def _with_checks(formula: Callable, target: int | None) -> Callable:
    """The formula of an op of somebody's own, with checks of the gradients that it returns.

    target: whose gradient it gives, as in `Formula`.
    """
    def compute(op: Function, gy: Any, *values: Any) -> Any:
        graph = isinstance(gy, Tensor)
        if isinstance(gy, np.ndarray):
            gy = gy.view()
            gy.flags.writeable = False
        gs = formula(op, gy, *values)
        if target is not None:
            return _check_gradient(op, target, gs, graph)
        n = len(op.signature)
        given = gs if isinstance(gs, tuple) else (gs,)
        if len(given) not in (n, len(op.parents)):
            got = len(given) if given is gs else f"one {type(gs).__name__}"
            raise TypeError(f"{op.name}: backward must return a tuple of {n} gradients, one for "
                            f"each input (None: nothing flows back), got {got}")
        return tuple(_check_gradient(op, i, g, graph) for i, g in enumerate(given[:n]))
    return compute


def _check_gradient(op: Function, i: int, g: Any, graph: bool) -> Any:
    """The gradient g of input i, in its dtype.

    Raises TypeError or ValueError if it does not fit the input.
    """
    if g is None or op.parents[i] is None:
        return None
    shape, dtype, device = op.signature[i]
    where = f"{op.name}: the gradient of argument {i}"
    if isinstance(g, Tensor) != graph or not hasattr(g, "dtype"):
        raise TypeError(f"{where} must be {'a Tensor' if graph else 'an array'}, as gy is, not "
                        f"{type(g).__name__}")
    if kind(g.dtype) not in "fiubc":
        raise TypeError(f"{where} must hold numbers, not {g.dtype}")
    if g.shape != shape:
        raise ValueError(f"{where} has shape {g.shape}, the argument {shape}")
    if device_of(g.data if graph else g) != device:
        raise ValueError(f"{where} is not on its device, {device!r}")
    if op.dtypes is None and kind(dtype) == "f" and kind(g.dtype) != "c":
        return _in_dtype(g, dtype)
    return g
