"""The engine: a Tensor remembers the Function that made it, and `backward` walks back through them.

    x = Tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    x.grad                      # Tensor([2., 4.])

An op that runs on Tensors that require gradients builds the graph: its result refers to the
Function that made it (`node`), and that to the Functions or leaf Tensors its inputs came from
(`parents`). `minigrad.graph` walks back through it. This module knows no op; `minigrad.ops` has
them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Union

import numpy as np

from minigrad import hints
from minigrad.arguments import DtypeError
from minigrad.backend import Array, array_module, check_devices, device_of, to_device
from minigrad.backend import device as Device
from minigrad.changes import VersionCounter, check_changeable, version_counter_of
from minigrad.dtypes import convert, kind, known_dtype
from minigrad.graph import Node, backpropagate, context
from minigrad.indexing import assign
from minigrad.memory import LARGE_BYTES, only

if TYPE_CHECKING:  # the methods and operators that minigrad.ops attaches
    from minigrad.hints.methods import Methods

    Base = Methods["Tensor"]
else:
    Base = object

CPU, GPU = Device("cpu"), Device("cuda:0")


def _of_the_array(name: str) -> Any:
    """A property of Tensor that is the attribute `name` of its array."""
    return property(attrgetter(f"data.{name}"))


class Tensor(Base):
    """An array that can require a gradient.

    `data`: a NumPy or CuPy array is taken as it is (no copy); anything else goes through
    `numpy.asarray`, and Python floats become float32, PyTorch's default, unless `dtype` says
    otherwise. Raises TypeError for data that are not numbers or booleans, and when a gradient is
    asked of a dtype other than float16/32/64 and bfloat16.

    What backward needs must not change before it has run. In-place changes by Tensors (`x += 1`,
    `x[0] = 1`), by optimizers and by loading a state are counted, also those made through views or
    through another Tensor of the same array; backward raises RuntimeError if it needs what was
    changed. Two things go unnoticed: what NumPy writes into an array, as in `x.data[0] = 1`, and
    what is done to a new Tensor that was made of the `.data` of a result.
    """

    __slots__ = ("data", "_grad", "node", "_version_counter", "_requires_grad", "_hooks",
                 "__weakref__")

    data: Array
    node: Node | None  # the Function that made it; None for a leaf
    _grad: Tensor | None
    _version_counter: VersionCounter | None
    _requires_grad: bool
    _hooks: Hooks | None

    __array_ufunc__ = None  # array * Tensor is Tensor.__rmul__, not an array of Tensors

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        if isinstance(data, Tensor):
            raise TypeError("Tensor(data): data is a Tensor already; use .detach() or .clone()")
        if dtype is not None:
            number = known_dtype("Tensor(data, dtype)", dtype)
            if isinstance(data, (np.ndarray, np.generic)) and data.dtype != number:
                data = convert(data, number)
            data = np.asarray(data, number)
        elif not hasattr(data, "dtype"):
            data = np.asarray(data)
            data = data.astype(np.float32) if data.dtype == np.float64 else data
        self.data = np.asarray(data) if isinstance(data, (np.ndarray, np.generic)) else data
        array_module(self.data)  # TypeError for the array of another library
        if kind(self.data.dtype) not in "fiubc":
            raise TypeError(f"Tensor(data): needs numbers or booleans, got {self.data.dtype} data")
        self._grad = self.node = self._hooks = None
        self._version_counter = version_counter_of(self.data)
        self._requires_grad = False
        self.requires_grad = requires_grad

    shape: tuple[int, ...] = _of_the_array("shape")
    dtype: np.dtype = _of_the_array("dtype")
    ndim: int = _of_the_array("ndim")

    @property
    def device(self) -> Device:
        """"cpu" or "cuda", with PyTorch's `type` and `index`."""
        return CPU if device_of(self.data) == "cpu" else GPU

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return self.node is None

    @property
    def requires_grad(self) -> bool:
        """Whether backward computes a gradient of it; leaves can be switched."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if self.node is not None and not flag:
            raise RuntimeError("requires_grad: only a leaf can be switched off; use .detach()")
        if flag and self.data.dtype.char not in "eEfd":
            raise DtypeError("requires_grad: only Tensors of float32, float64, float16 or bfloat16 "
                             f"can require gradients, this one is {self.data.dtype}")
        self._requires_grad = bool(flag)

    def version_counter(self) -> VersionCounter:
        """The counter of in-place changes of this memory, shared with all Tensors that lie in it.

        Its owner is the Function that made the memory, or the Tensor if there is none, so that no
        saved value points forward. It is made on demand, because most memory never changes.
        """
        owner = self.node or self
        if owner._version_counter is None:
            owner._version_counter = VersionCounter()
        return owner._version_counter

    @property
    def grad(self) -> Tensor | None:
        """The gradient: a Tensor of this one's shape, dtype and device, or None.

        A gradient of another width of floating-point numbers is converted when it is set. Raises
        RuntimeError for another shape, device or kind of numbers, TypeError for what is no Tensor.
        """
        return self._grad

    @grad.setter
    def grad(self, g: Tensor | None) -> None:
        if g is not None:
            if not isinstance(g, Tensor):
                raise TypeError(f"grad: must be a Tensor or None, got {type(g).__name__}")
            if g is self:
                raise RuntimeError("grad: a Tensor cannot be its own gradient; use .clone()")
            check_devices("grad", self, g)
            if g.shape != self.shape or kind(g.dtype) != "f":
                raise RuntimeError(f"grad: a {g.dtype} Tensor of shape {g.shape} is no gradient of "
                                   f"one of {self.dtype}, shape {self.shape}")
            g = g.to(self.dtype)
        self._grad = g

    def __copy__(self) -> Tensor:
        """Another leaf Tensor with the same memory."""
        return _restore_leaf(type(self), *self._parts(), self.version_counter())

    def __reduce__(self) -> tuple:
        """How pickle and copy.deepcopy make another one: the numbers, the gradient, no hooks."""
        return _restore_leaf, (type(self), *self._parts())

    def _parts(self) -> tuple[Any, bool, Tensor | None, dict | None]:
        if self.node is not None:
            raise RuntimeError(f"this Tensor was made by {self.node.name}, and cannot be copied or "
                               "pickled with the graph behind it: use .detach(), or .clone() to "
                               "stay in the graph")
        return self.data, self._requires_grad, self._grad, getattr(self, "__dict__", None)

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(force=True), separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        device = "" if self.device == "cpu" else f", device='{self.device}'"
        made_by = f", node={self.node.name}" if self.node else ""
        flag = ", requires_grad=True" if self._requires_grad and not made_by else ""
        return f"Tensor({body}{dtype}{device}{made_by}{flag})"

    def __len__(self) -> int:
        return len(self.data)

    def numel(self) -> int:
        """Number of elements."""
        return self.data.size

    def item(self) -> int | float:
        """The one element as a Python number. Raises ValueError if there is not exactly one."""
        if self.data.size != 1:
            raise ValueError(f"item: needs one element, this Tensor has shape {self.shape}")
        return self.data.item()

    def numpy(self, force: bool = False) -> np.ndarray:
        """The data as a NumPy array that shares the memory.

        Raises RuntimeError if this Tensor requires a gradient or is on the GPU. With `force` it
        does not: the array is then outside the graph, and a copy if it comes from the GPU.
        """
        if not force and self._requires_grad:
            raise RuntimeError("numpy: this Tensor requires a gradient that NumPy would lose; "
                               "use .detach().numpy()")
        if not force and self.device != "cpu":
            raise RuntimeError("numpy: this Tensor is on the GPU; use .to('cpu').numpy()")
        return to_device(self.data, "cpu")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        """For x[t:], range(t) and list[t]. Raises TypeError unless there is exactly one integer."""
        if self.data.size != 1 or self.data.dtype.kind not in "iub":
            raise TypeError(f"a {self.dtype} Tensor of shape {self.shape} is no index: it needs to "
                            "hold one integer")
        return int(self.data.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def detach(self) -> Tensor:
        """The same memory outside the graph; in-place changes are seen by both."""
        return wrap(self.data, counter=self.version_counter())

    def copy_(self, values: Any) -> Tensor:
        """Overwrite the elements in place, and return this Tensor; the graph does not record it.

        Raises RuntimeError if this Tensor or `values` requires a gradient, unless under `no_grad`.
        """
        self[...] = values
        return self

    def __setitem__(self, index: Any, values: Any) -> None:
        if context.grad and (self._requires_grad or getattr(values, "_requires_grad", False)):
            raise RuntimeError("assigning elements of, or from, a Tensor that requires a gradient "
                               "would not be recorded: make a new Tensor with where, concatenate "
                               "or stack, or say so with no_grad()")
        values = data_of(values)
        if 0 in self.data.strides:
            check_changeable(self.data)
        try:
            assign(self.data, index, values)
        except Exception:
            check_changeable(self.data)
            check_devices("in-place change", self.data, index, values)
            raise
        self.version_counter().version += 1

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Hook:
        """Call `hook(gradient)` when this Tensor's gradient is complete.

        A Tensor that the hook returns replaces the gradient. The result of this method is a handle
        whose remove() takes the hook away. Raises RuntimeError if no gradient is required.
        """
        if not self._requires_grad:
            raise RuntimeError("register_hook: this Tensor does not require a gradient")
        owner, field = (self.node, "hooks") if self.node else (self, "_hooks")
        hooks = getattr(owner, field) or Hooks()
        setattr(owner, field, hooks)
        hooks.append(hook)
        return Hook(hooks, hook)

    def backward(self, gradient: Any = None, retain_graph: bool | None = None,
                 create_graph: bool = False) -> None:
        """Add dL/dleaf to the `.grad` of every leaf that this Tensor depends on.

        gradient (self.shape): dL/dself; 1 if it is left out, which a single element allows.
        `retain_graph` keeps the graph for another backward. `create_graph`, which implies it, makes
        the gradients differentiable. Raises RuntimeError if there is no graph, if an earlier
        backward freed it, if a saved value was changed in place, and if several elements come
        without a gradient; ValueError for a gradient of another shape or with NaN.
        """
        retain = create_graph if retain_graph is None else retain_graph
        accumulate([self], [gradient], create_graph, retain)


hints.attach(Tensor, "Tensor")


Values = TypeVar("Values", Array, Tensor)  # ops: Tensors in, Tensor out; arrays in, array out
Operand = Union[Values, Array, float]  # arrays and numbers may stand beside Tensors


def data_of(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.data if isinstance(x, Tensor) else x


def wrap(array: Any, node: Node | None = None, counter: VersionCounter | None = None) -> Tensor:
    """A Tensor without checks: the fast way in for results of ops."""
    out = object.__new__(Tensor)
    out.data = array if not isinstance(array, np.generic) else np.asarray(array)
    out.node = node
    out._requires_grad = node is not None
    out._grad = out._hooks = None
    out._version_counter = counter
    return out


def _restore_leaf(cls: type, data: Any, requires_grad: bool, grad: Tensor | None,
                  attributes: dict | None = None, counter: VersionCounter | None = None) -> Tensor:
    """A leaf of that class, as it was when copied or pickled."""
    x: Tensor = object.__new__(cls)
    Tensor.__init__(x, data, requires_grad)
    x._grad, x._version_counter = grad, counter or x._version_counter
    if attributes:
        vars(x).update(attributes)
    return x


class Hook(NamedTuple):
    """A registered hook; `remove()` takes it away."""

    hooks: Hooks
    hook: Callable[[Tensor], Tensor | None]

    def remove(self) -> None:
        self.hooks.remove(self.hook)


class Hooks(list):
    """The hooks of one Tensor, in the order in which they were registered."""

    def run(self, g: Any) -> Any:
        """The gradient g, an array or a Tensor, after all hooks: each may replace it."""
        for hook in list(self):
            given = g.clone() if isinstance(g, Tensor) else wrap(g.copy())  # others may have g too
            result = hook(given)
            if result is None:  # but it may have changed the gradient in place
                result = given
            elif not (isinstance(result, Tensor) and result.shape == g.shape
                      and result.dtype == g.dtype):
                raise TypeError(f"hook: must return None or a {g.dtype} Tensor of shape {g.shape}, "
                                f"got {type(result).__name__} {getattr(result, 'shape', '')} "
                                f"{getattr(result, 'dtype', '')}")
            else:
                check_devices("hook", g, result)
            g = result if isinstance(g, Tensor) else result.data
        return g


def accumulate(outputs: Iterable[Tensor], gradients: Iterable[Any], create_graph: bool,
               retain_graph: bool) -> None:
    """Add d sum_i <gradient_i, output_i> / dleaf to the `.grad` of every leaf."""
    found = propagate(outputs, gradients, None, create_graph, retain_graph)
    for leaf in found:
        fresh = not create_graph and found[leaf].nbytes >= LARGE_BYTES and only(found, leaf)
        g = found[leaf]         # not before: it counts as one that holds it
        if create_graph:
            leaf.grad = g.clone() if leaf.grad is None else leaf.grad + g
        elif leaf.grad is None:
            leaf.grad = wrap(g.astype(leaf.dtype, copy=not fresh))
        else:
            leaf.grad = wrap((leaf.grad.data + g).astype(leaf.dtype, copy=False))


def propagate(outputs: Iterable[Tensor], gradients: Iterable[Any], wanted: set | None,
              create_graph: bool, retain_graph: bool) -> dict:
    """{Node or leaf Tensor: gradient of sum_i <gradient_i, output_i>} for those in `wanted`.

    None in place of `wanted`: for every leaf. Gradients are arrays, or Tensors if `create_graph`.
    """
    pending: dict[Any, Any] = {}
    for output, gradient in zip(outputs, gradients):
        start, g = output.node or output, _seed(output, gradient, create_graph)
        pending[start] = pending[start] + g if start in pending else g
    return backpropagate(pending, wanted, create_graph, retain_graph)


def _seed(output: Tensor, gradient: Any, graph: bool) -> Any:
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
    array = data_of(gradient)
    if not hasattr(array, "dtype"):
        array = np.asarray(array)
    check_devices("backward", output.data, array)
    if array.shape != output.shape:
        raise ValueError(f"backward: gradient has shape {array.shape}, the output {output.shape}")
    if np.isnan(array).any():
        raise ValueError("backward: the gradient passed in contains NaN")
    if graph and isinstance(gradient, Tensor):
        return gradient.to(output.dtype)
    array = array.astype(output.dtype, copy=graph)  # recorded: it is kept beyond this pass
    return wrap(array) if graph else array
