"""The engine: a Tensor remembers the Function that made it, and `backward` walks back through them.

    x = Tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    x.grad                      # Tensor([2., 4.])

Running an op on Tensors that require gradients builds the graph: Tensor -> Function (`node`) -> the
Functions or leaf Tensors it came from (`edges`). No arrow points forward, so a graph has no cycles
and dies with its loss. This module knows no op; `minigrad.ops` has them all.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from minigrad import hints
from minigrad.backend import array_module, device_of, memory_error
from minigrad.half import kind, number_type


class _Mode(threading.local):
    grad = True  # record the graph?
    trace = None  # a list to which every op appends a Call, or None
    scope = ()  # the modules being run, outermost first; kept only while tracing
    autocast = None  # the 16-bit dtype in which products take their inputs


mode = _Mode()
_index = attrgetter("index")


@contextmanager
def no_grad():
    """Inside this block no graph is recorded: results do not require gradients."""
    before, mode.grad = mode.grad, False
    try:
        yield
    finally:
        mode.grad = before


class Tensor:
    """An array that can require a gradient.

    `data`: a NumPy or CuPy array is taken as it is (no copy); anything else goes through
    `numpy.asarray`, and Python floats become float32, PyTorch's default, unless `dtype` says
    otherwise. Raises TypeError for data that are not numbers or booleans, and when a gradient is
    asked of a dtype other than float16/32/64 and bfloat16.
    """

    __slots__ = ("data", "grad", "node", "changes", "_requires_grad", "_hooks", "__weakref__")
    __array_ufunc__ = None  # array * Tensor is Tensor.__rmul__, not an array of Tensors

    def __init__(self, data, requires_grad=False, dtype=None):
        if isinstance(data, Tensor):
            raise TypeError("Tensor(data): data is a Tensor already; use .detach() or .clone()")
        if dtype is not None:
            data = np.asarray(data, number_type(dtype) or dtype)
        elif not hasattr(data, "dtype"):
            data = np.asarray(data)
            data = data.astype(np.float32) if data.dtype == np.float64 else data
        self.data = np.asarray(data) if isinstance(data, (np.ndarray, np.generic)) else data
        array_module(self.data)  # TypeError for the array of another library
        if kind(self.data.dtype) not in "fiubc":
            raise TypeError(f"Tensor(data): needs numbers or booleans, got {self.data.dtype} data")
        self.grad = self.node = self.changes = self._hooks = None
        self._requires_grad = False
        self.requires_grad = requires_grad

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    device = property(lambda self: device_of(self.data))
    is_leaf = property(lambda self: self.node is None)
    requires_grad = property(lambda self: self._requires_grad)

    def counter(self):
        """[the number of in-place changes of this memory], shared with its views and aliases.

        The Function that made the memory keeps it, or the Tensor if there is none, so that no
        saved value points forward; made on demand, because most memory never changes.
        """
        keeper = self.node or self
        if keeper.changes is None:
            keeper.changes = [0]
        return keeper.changes

    @requires_grad.setter
    def requires_grad(self, flag):
        if self.node is not None and not flag:
            raise RuntimeError("requires_grad: only a leaf can be switched off; use .detach()")
        if flag and self.data.dtype.char not in "eEfd":
            raise TypeError(f"requires_grad: only floating-point Tensors can require gradients, "
                            f"this one is {self.data.dtype}")
        self._requires_grad = bool(flag)

    def __repr__(self):
        body = np.array2string(self.numpy(force=True), separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        device = "" if self.device == "cpu" else f", device={self.device!r}"
        made_by = f", node={type(self.node).__name__}" if self.node else ""
        flag = ", requires_grad=True" if self._requires_grad and not made_by else ""
        return f"Tensor({body}{dtype}{device}{made_by}{flag})"

    def __len__(self):
        return len(self.data)

    def numel(self):
        """Number of elements."""
        return self.data.size

    def item(self):
        """The one element as a Python number. Raises ValueError if there is not exactly one."""
        if self.data.size != 1:
            raise ValueError(f"item: needs one element, this Tensor has shape {self.shape}")
        return self.data.item()

    def numpy(self, force=False):
        """The data as a NumPy array sharing memory; `force=True` detaches and leaves the GPU."""
        if not force and self._requires_grad:
            raise RuntimeError("numpy: this Tensor requires a gradient that NumPy would lose; "
                               "use .detach().numpy()")
        if not force and self.device != "cpu":
            raise RuntimeError("numpy: this Tensor is on the GPU; use .to('cpu').numpy()")
        return self.data.get() if self.device != "cpu" else self.data

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __bool__(self):
        return bool(self.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __format__(self, spec):
        return format(self.item(), spec) if spec else str(self)

    def detach(self):
        """The same memory outside the graph; in-place changes are seen by both."""
        return wrap(self.data, changes=self.counter())

    def copy_(self, values):
        """Overwrite the elements, in place; the graph does not record it (see `no_grad`)."""
        self[...] = values
        return self

    def __setitem__(self, index, values):
        if mode.grad and (self._requires_grad or getattr(values, "_requires_grad", False)):
            raise RuntimeError("in-place change of, or by, a Tensor that requires a gradient would "
                               "not be recorded: compute a new Tensor, or say so with no_grad()")
        self.data[index] = values.data if isinstance(values, Tensor) else values
        self.counter()[0] += 1

    def register_hook(self, hook):
        """Call `hook(gradient)` when this Tensor's gradient is complete; what it returns (if not
        None) replaces it. Returns a handle whose remove() takes the hook away."""
        if not self._requires_grad:
            raise RuntimeError("register_hook: this Tensor does not require a gradient")
        owner, field = (self.node, "hooks") if self.node else (self, "_hooks")
        hooks = getattr(owner, field) or []
        setattr(owner, field, hooks)
        hooks.append(hook)
        return Hook(hooks, hook)

    def backward(self, gradient=None, create_graph=False, retain_graph=False):
        """Add dself/dleaf, times `gradient`, to `.grad` of every leaf that this Tensor depends on.

        gradient (self.shape): dL/dself, 1 for a single element. `retain_graph` keeps the graph for
        another backward; `create_graph` (which implies it) makes the gradients differentiable.
        Raises RuntimeError without a graph, on a freed graph, on a saved value that was changed in
        place, and for a non-scalar without gradient; ValueError for a wrong shape or NaN.
        """
        found = propagate([self], [gradient], None, create_graph, retain_graph or create_graph)
        for leaf, g in found.items():
            if create_graph:
                leaf.grad = g.clone() if leaf.grad is None else leaf.grad + g
            elif leaf.grad is None:
                leaf.grad = wrap(g.astype(leaf.dtype))
            else:
                leaf.grad = wrap((leaf.grad.data + g).astype(leaf.dtype, copy=False))


hints.attach(Tensor, "Tensor")
sys.modules[__name__].__class__ = hints.Uncallable  # for minigrad.tensor(...)


class Hook(NamedTuple):
    """A registered hook; `remove()` takes it away."""

    hooks: list
    hook: object

    def remove(self):
        self.hooks.remove(self.hook)


def wrap(array, node=None, changes=None):
    """A Tensor without checks: the fast way in for results of ops."""
    out = object.__new__(Tensor)
    out.data = array if not isinstance(array, np.generic) else np.asarray(array)
    out.node = node
    out._requires_grad = node is not None
    out.grad = out._hooks = None
    out.changes = changes
    return out


def _seed(output, gradient, graph):
    """The gradient that a backward pass starts from, checked."""
    if not output._requires_grad:
        raise RuntimeError("backward: this Tensor has no graph; none of its inputs required a "
                           "gradient (or it was made under no_grad)")
    if gradient is None:
        if output.data.size != 1:
            raise RuntimeError(f"backward: pass a gradient of shape {output.shape}; only a single "
                               "element has an implied gradient of 1")
        one = array_module(output.data).ones_like(output.data)
        return wrap(one) if graph else one
    array = gradient.data if isinstance(gradient, Tensor) else gradient
    if not hasattr(array, "dtype"):
        array = np.asarray(array)
    if array.shape != output.shape:
        raise ValueError(f"backward: gradient has shape {array.shape}, the output {output.shape}")
    if np.isnan(array).any():
        raise ValueError("backward: the gradient passed in contains NaN")
    if graph and isinstance(gradient, Tensor):
        return gradient.to(output.dtype)
    array = array.astype(output.dtype, copy=False)
    return wrap(array) if graph else array


def propagate(outputs, gradients, wanted, create_graph, retain_graph):
    """Gradients of sum_i <gradient_i, output_i> for the edges in `wanted` (None: every leaf).

    Nodes run in the reverse of the order in which they were made, so each has received all of its
    gradient before it passes it on; no recursion, whatever the depth.
    """
    pending = {}  # Function or leaf Tensor -> gradient so far
    for output, gradient in zip(outputs, gradients):
        edge, g = output.node or output, _seed(output, gradient, create_graph)
        pending[edge] = pending[edge] + g if edge in pending else g
    nodes, path = _reachable(pending, wanted)
    found = {}
    before, mode.grad = mode.grad, create_graph
    try:
        for node in nodes:
            if node not in pending:
                continue
            gy = pending.pop(node)
            if node.hooks:
                gy = _run_hooks(node.hooks, gy)
            if wanted is not None and node in wanted:
                found[node] = gy
            if path is not None and not any(edge in path for edge in node.edges):
                continue
            try:
                for edge, g in node.gradients(gy, create_graph, path):
                    pending[edge] = pending[edge] + g if edge in pending else g
            except MemoryError as error:
                raise memory_error(error, f"backward of {node.name}") from error
            if not retain_graph:
                node.saved = None
        for leaf, g in pending.items():
            if wanted is None or leaf in wanted:
                found[leaf] = _run_hooks(leaf._hooks, g) if leaf._hooks else g
    finally:
        mode.grad = before
    return found


def _reachable(roots, wanted):
    """Functions behind `roots`, latest first; and the edges that lead to `wanted` (None: all)."""
    seen = {edge for edge in roots if not isinstance(edge, Tensor)}
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen and not isinstance(edge, Tensor):
                seen.add(edge)
                stack.append(edge)
    nodes = sorted(seen, key=_index, reverse=True)
    if wanted is None:
        return nodes, None
    path = set(wanted)
    for node in reversed(nodes):
        if any(edge in path for edge in node.edges):
            path.add(node)
    return nodes, path


def _run_hooks(hooks, g):
    for hook in list(hooks):
        result = hook(g if isinstance(g, Tensor) else wrap(g))
        if result is not None:
            if not isinstance(result, Tensor) or result.shape != g.shape:
                raise TypeError(f"hook: must return None or a Tensor of shape {g.shape}, got "
                                f"{type(result).__name__} {getattr(result, 'shape', '')}")
            g = result if isinstance(g, Tensor) else result.data
    return g
