"""What an op is: its forward on arrays, its backward, and the node that it leaves in the graph.

`minigrad.ops` holds one subclass of `Function` per op; see `minigrad/ops/activation.py` for short
ones, and the README for how to add another.
"""

from __future__ import annotations

import inspect
import itertools
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from minigrad.backend import memory_error, on_gpu
from minigrad.half import CHARS, is_half, widened
from minigrad.tensor import Tensor, mode, wrap

_count = itertools.count()


class Call(NamedTuple):
    """One op that ran under `trace`, and the modules that it ran in, outermost first."""

    function: object
    inputs: tuple
    output: Tensor
    scope: tuple


@contextmanager
def trace():
    """Yield a list that receives a Call for every op run inside the block."""
    before, mode.trace = mode.trace, []
    try:
        yield mode.trace
    finally:
        mode.trace = before


class Function:
    """One operation: hyper-parameters in `__init__`, arrays in `forward`, calculus in `backward`.

    A subclass writes `forward(self, x, ...) -> y` on arrays and then either

        backward(self, gy, ...)     the gradient of x, or of all inputs as a tuple in their order
        grad_x(self, gy, ...)       one method per input, where the gradients share no work

    with gy = dL/dy. The parameters after gy name what the formula needs: inputs by their name in
    `forward`, or `y`, the output. The engine keeps these and nothing else until backward has run;
    what only an unwanted gradient needs, it does not keep. They arrive as arrays, or as Tensors
    connected to the graph when the backward pass is itself recorded (`create_graph=True`), so one
    formula serves derivatives of every order. The instance doubles as the node of the graph.

    16-bit floating-point inputs arrive in both as float32; the output, and the gradient of such an
    input, is rounded to 16 bits. Where `moves` or `half_on_gpu` say so, they arrive as they are.
    """

    edges = ()  # per input: the Function that made it, the leaf Tensor itself, or None
    saved = ()  # per name in `needs`: (array, keeper of its count of changes, count), or None
    changes = None  # see Tensor.counter
    hooks = ()
    view = False  # True: the output may share its memory with the first input
    moves = False  # True: only moves elements, whatever they are
    half_on_gpu = False  # True: on a GPU, computes on 16-bit floating-point numbers by itself
    dtypes = None  # per input, if they were widened

    def __init_subclass__(cls):
        if not hasattr(cls, "forward"):
            return  # a base of several ops
        cls.name = cls.__name__
        names = list(inspect.signature(cls.forward).parameters)[1:]
        cls.arity = len(names)
        slots = {**{name: i for i, name in enumerate(names)}, "y": -1}
        one_each = [(getattr(cls, f"grad_{n}"), i) for n, i in slots.items()
                    if hasattr(cls, f"grad_{n}")]
        formulas = one_each or ([(cls.backward, None)] if hasattr(cls, "backward") else [])
        wants = [list(inspect.signature(f).parameters)[2:] for f, _ in formulas]
        cls.needs = sorted({name for want in wants for name in want})
        unknown = [name for name in cls.needs if name not in slots]
        if unknown:
            raise TypeError(f"{cls.__name__}: a backward asks for {unknown[0]!r}, but it can have "
                            f"only the inputs of forward ({', '.join(names)}) and the output y")
        # (formula, which of `saved` it takes, which input it is for: None = all of them)
        cls.rules = [(f, [cls.needs.index(n) for n in want], i)
                     for (f, i), want in zip(formulas, wants)]
        # (where each of `saved` comes from, the inputs whose gradients take it: () = all of them)
        cls.slots = [(slots[name], [i for (_, i), want in zip(formulas, wants)
                                    if name in want and i is not None]) for name in cls.needs]

    def __call__(self, *inputs):
        """Run forward; record a node if an input is a Tensor that requires a gradient."""
        arrays, edges, tensors, record, half = [], [], False, False, False
        for x in inputs:
            edge = None
            if isinstance(x, Tensor):
                tensors = True
                arrays.append(x.data)
                half = half or x.data.dtype.char in CHARS
                if x._requires_grad:
                    record = True
                    edge = x.node or x
            else:
                arrays.append(x)
                half = half or is_half(x)
            edges.append(edge)
        try:
            y = self._half_forward(arrays) if half else self.forward(*arrays)
        except MemoryError as error:
            raise memory_error(error, self.name) from error
        if not tensors:
            return y
        record = record and mode.grad and bool(self.rules)
        out = wrap(y, self if record else None)
        if self.view and np.may_share_memory(arrays[0], out.data):
            (self if record else out).changes = inputs[0].counter()
        if record:
            while len(edges) < self.arity:  # optional inputs left out
                edges.append(None)
            self.edges = edges
            self.index = next(_count)
            self.saved = self._save(inputs, arrays, out)
        elif out.data.dtype == np.float64:
            _integers_give_float32(arrays, out)
        if mode.trace is not None:
            mode.trace.append(Call(self, inputs, out, mode.scope))
        return out

    def _half_forward(self, arrays):
        """forward in float32, its result in the dtype of the first 16-bit input."""
        first = next(filter(is_half, arrays))
        if self.moves or self.half_on_gpu and on_gpu(first):
            return self.forward(*arrays)
        self.dtypes = [getattr(a, "dtype", None) for a in arrays]
        y = self.forward(*map(widened, arrays))
        return y.astype(first.dtype) if y.dtype == np.float32 else y

    def _save(self, inputs, arrays, out):
        """What the wanted gradients need, each with the version it has now."""
        saved = []
        for i, targets in self.slots:
            wanted = not targets
            for t in targets:
                wanted = wanted or self.edges[t] is not None
            if not wanted:
                saved.append(None)
            elif i < 0:
                saved.append((out.data, None, 0))
            elif isinstance(inputs[i], Tensor):
                keeper = inputs[i].node or inputs[i]
                saved.append((arrays[i], keeper, keeper.changes[0] if keeper.changes else 0))
            else:
                saved.append((arrays[i], None, 0))
        return saved

    def unpack(self, graph):
        """The saved values, as arrays, or (graph=True) as Tensors connected to the graph."""
        if self.saved is None:
            raise RuntimeError(f"backward: the graph of this {self.name} was freed by an earlier "
                               "backward; pass retain_graph=True to the earlier one")
        values = []
        for k, record in enumerate(self.saved):
            value, keeper, version = record or (None, None, 0)
            if self.slots[k][0] < 0:  # the output: naming it in `saved` would be a cycle
                keeper = self
            if keeper is not None:  # a Tensor, so not a plain number or array
                now = keeper.changes[0] if keeper.changes else 0
                if now != version:
                    raise RuntimeError(
                        f"backward: {self.name} needs its {self.needs[k]} of shape {value.shape}, "
                        f"which was modified in place after it was saved (version {version} -> "
                        f"{now}); modify a copy, or call backward first")
                if graph:
                    if isinstance(keeper, Tensor) and keeper.data is not value:
                        raise RuntimeError(
                            f"backward: the data of {self.needs[k]}, which {self.name} needs, were "
                            "replaced by others; call backward first, or use copy_")
                    value = keeper if isinstance(keeper, Tensor) else wrap(value, keeper)
            values.append(value)
        return values

    def gradients(self, gy, graph, wanted):
        """Pairs (edge, gradient) for the inputs in `wanted` (None: all that require one)."""
        values = self.unpack(graph)
        if self.dtypes is not None and not graph:
            gy, *values = map(widened, (gy, *values))
        pairs = []
        for formula, uses, target in self.rules:
            if target is None:
                gs = formula(self, gy, *map(values.__getitem__, uses))
                gs = gs if isinstance(gs, tuple) else (gs,)
                pairs += [(e, g) for e, g in zip(self.edges, gs)
                          if e is not None and (wanted is None or e in wanted)]
            else:
                edge = self.edges[target]
                if edge is not None and (wanted is None or edge in wanted):
                    pairs.append((edge, formula(self, gy, *map(values.__getitem__, uses))))
        if self.dtypes is not None and not graph:
            dtypes = dict(zip(self.edges, self.dtypes))
            pairs = [(edge, g.astype(dtypes[edge], copy=False)) for edge, g in pairs]
        return pairs


def _integers_give_float32(arrays, out):
    """A float64 made from integers alone becomes float32, torch's default."""
    if all(getattr(a, "dtype", np.dtype(int)).kind in "iub" for a in arrays):
        out.data = out.data.astype(np.float32)
