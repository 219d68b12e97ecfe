"""The names that weights files written by torch use, and what stands for each: the allow-list.

Nothing here is torch's. `torch._utils._rebuild_tensor_v2` in a file calls a function of this module
that notes which numbers of which storage make up the tensor; a storage class is only its kind of
number. For a name that is not in `VOCABULARY` a file gets a placeholder.
"""

from __future__ import annotations

from typing import NamedTuple

from minigrad.weights.errors import WeightsError
from minigrad.weights.placeholders import Placeholder, placeholder_for, table_key
from minigrad.weights.tensors import Storage, TensorView, tensor
from minigrad.weights.unpickle import Buildable, Callee


class NumberKind(NamedTuple):
    """Stands for a storage class, a dtype or an old tensor class of torch; None: untyped bytes."""

    kind: str | None


class OrderedDict(dict, Buildable):
    """Stands for collections.OrderedDict; the `_metadata` that torch hangs on it are not needed."""

    def build(self, state: object) -> None:
        pass


class Parameter(Buildable):
    """Stands for a torch.nn.Parameter of torch before 0.4, which is made empty and then handed its
    state: (data, gradient, hooks, requires_grad, volatile)."""

    data = None

    def build(self, state: object) -> None:
        if type(state) is not tuple or not state or not isinstance(state[0], TensorView):
            raise WeightsError("a Parameter has no data")
        self.data = state[0]


# Each function gets the tuple of arguments, and returns None if torch would not pass such ones.

def _ordered_dict(arguments: tuple) -> OrderedDict | None:
    """OrderedDict(), and OrderedDict([[key, value], ...]) from Python 2."""
    match arguments:
        case ():
            return OrderedDict()
        case (list(items),) if all(type(item) is list and len(item) == 2
                                   and type(item[0]) in (str, int) for item in items):
            return OrderedDict((table_key(key), value) for key, value in items)
    return None


def _rebuild_tensor(arguments: tuple) -> TensorView | None:
    """(storage, offset, size, stride), before torch 0.4."""
    match arguments:
        case (Storage(kind=str(kind)) as storage, offset, tuple(size), tuple(stride)):
            return tensor(storage, kind, offset, size, stride)
    return None


def _rebuild_tensor_v2(arguments: tuple) -> TensorView | None:
    """(storage, offset, size, stride, requires_grad, hooks[, metadata])."""
    match arguments:
        case (storage, offset, size, stride, _, _, *metadata):
            return _with_signs(_rebuild_tensor((storage, offset, size, stride)), metadata)
    return None


def _rebuild_tensor_v3(arguments: tuple) -> TensorView | None:
    """(bytes, offset, size, stride, requires_grad, hooks, dtype[, metadata]), for newer dtypes."""
    match arguments:
        case (Storage(kind=None) as storage, offset, tuple(size), tuple(stride), _, _,
              NumberKind(str(kind)), *metadata):
            return _with_signs(tensor(storage, kind, offset, size, stride), metadata)
    return None


def _with_signs(view: TensorView | None, metadata: list) -> TensorView | None:
    """The conjugate or negative that torch computes only when it reads the tensor."""
    match metadata:
        case []:
            return view
        case [{**signs}] if (view and view.kind.startswith(("float", "complex")) and all(
                key in ("conj", "neg") and type(on) is bool for key, on in signs.items())):
            return view._replace(conjugate=bool(signs.get("conj")), negative=bool(signs.get("neg")))
    return None


def _rebuild_parameter(arguments: tuple) -> TensorView | None:
    """(data, requires_grad, hooks[, state]), of which the data count."""
    match arguments:
        case (TensorView() as data, _, _) | (TensorView() as data, _, _, _):
            return data
    return None


_CLASSES = {"Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
            "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
            "Bool": "bool", "ComplexDouble": "complex128", "ComplexFloat": "complex64"}
_DTYPES = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2")

VOCABULARY = {
    ("collections", "OrderedDict"): Callee(_ordered_dict),
    ("torch._utils", "_rebuild_tensor"): Callee(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Callee(_rebuild_tensor_v2),
    ("torch._utils", "_rebuild_tensor_v3"): Callee(_rebuild_tensor_v3),
    ("torch._utils", "_rebuild_parameter"): Callee(_rebuild_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): Callee(_rebuild_parameter),
    ("torch.nn.parameter", "Parameter"): Callee(lambda args: None if args else Parameter()),
    ("torch.storage", "UntypedStorage"): NumberKind(None),
    **{("torch", f"{name}Storage"): NumberKind(kind) for name, kind in _CLASSES.items()},
    **{("torch", name): NumberKind(name) for name in _DTYPES},
    # the tar format names the class of every tensor, a GPU's too
    **{(module, f"{name}Tensor"): NumberKind(kind) for name, kind in _CLASSES.items()
       for module in ("torch", "torch.cuda")},
}


def other_name(module: str, name: str) -> Placeholder | Callee:
    """What stands for a name that is not in `VOCABULARY`. Raises WeightsError for an attack."""
    placeholder = placeholder_for(module, name)
    if module != "torch._tensor" or name not in ("_rebuild_from_type_v2", "_rebuild_from_type"):
        return placeholder

    def rebuild(arguments: tuple) -> object:
        """(function, class, arguments, state): a tensor with Python attributes, or of a class of
        its own. It makes nothing itself: the function has to be one of `VOCABULARY`."""
        match arguments:
            case (Callee(function), _, tuple(inner), _):
                gaps = [a for a in inner if isinstance(a, Placeholder)]
                return function(inner) or (gaps[0].as_tensor() if gaps else placeholder)
        return placeholder

    return Callee(rebuild)
