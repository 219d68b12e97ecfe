"""Numbers, texts and Tensors in lists, tuples and dicts, as one file: `minigrad.save` and `load`.

    save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, "a.pt")
    load("a.pt", map_location="cuda")

The file is safetensors with checksums: each array under the path that leads to it, such as
"model.0.weight", and all else in the metadata, as JSON. So `minigrad.weights.load`, and other
readers, find the arrays of a state_dict under its names.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.backend import is_array, names_device, to_device
from minigrad.dtypes import number_type
from minigrad.engine import Tensor
from minigrad.files import write_file
from minigrad.weights.errors import WeightsError
from minigrad.weights.formats.safetensors import pack
from minigrad.weights.load import map_file, read
from minigrad.weights.placeholders import Placeholder
from minigrad.weights.tensors import TensorView, check_sums
from minigrad.weights.vocabulary import Parameter

OBJECT = "object"       # in the metadata: what is no array


def save(obj: Any, f: Any) -> None:
    """Write `obj` to a path, whole or not at all, or to a file that is open for writing bytes.

    It consists of numbers, texts, None, Tensors and arrays, in lists, tuples and dicts. Tensors
    keep every bit, and whether they require a gradient; a Parameter is a Tensor then, and one that
    is there twice is so again. Raises TypeError for another object, such as a module, whose
    state_dict() can be saved, and OSError if writing fails.
    """
    arrays: dict[str, Any] = {}
    text = json.dumps(_encoded(obj, "", arrays, {}))
    pieces = pack(arrays, {OBJECT: text})
    if hasattr(f, "write"):
        for piece in pieces:
            f.write(piece)
    else:
        write_file(f, pieces)


def _encoded(x: Any, path: str, arrays: dict[str, Any], seen: dict[int, tuple[str, Any]]) -> Any:
    """x in JSON's types: {kind: content} for what JSON lacks. Its arrays go into `arrays`."""
    x = number(x) if isinstance(x, np.generic) else x
    if x is None or isinstance(x, (bool, int, str)):
        return x
    if isinstance(x, float):
        return x if math.isfinite(x) else {"float": repr(x)}
    if isinstance(x, Tensor) or is_array(x):
        if id(x) not in seen:
            name = path or "tensor"
            while name in arrays:
                name += "_"
            arrays[name], seen[id(x)] = x.data if isinstance(x, Tensor) else x, (name, x)
        kind = "array" if is_array(x) else "gradient" if x.requires_grad else "tensor"
        return {kind: seen[id(x)][0]}
    start = f"{path}." if path else ""
    if isinstance(x, (list, tuple)):
        items = [_encoded(item, f"{start}{i}", arrays, seen) for i, item in enumerate(x)]
        return items if isinstance(x, list) else {"tuple": items}
    if isinstance(x, dict):
        return {"dict": [[_encoded(key, path, arrays, seen),
                          _encoded(value, f"{start}{key}", arrays, seen)]
                         for key, value in x.items()]}
    raise TypeError(f"save: {path or 'the object'} is a {type(x).__name__}, and files hold "
                    "numbers, texts, Tensors, and lists, tuples and dicts of them; of a module or "
                    "an optimizer save its state_dict()")


def load(f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: Any = None) -> Any:
    """What `save` wrote, PyTorch's `torch.save`, or safetensors, from a path or an open file.

    Nothing in the file is executed. Tensors and arrays are on the CPU, or on the device that
    map_location names; it may be a function or a table too, which mean the CPU. What a file of
    PyTorch's has beside numbers, texts, Tensors and their containers raises WeightsError, or, with
    weights_only=False, becomes a placeholder. So does every damage. OSError as of `open`.
    """
    device = map_location if names_device(map_location) else "cpu"
    path = "the file" if hasattr(f, "read") else os.fsdecode(f)

    def array(view: TensorView) -> Any:
        root = view.storage.root
        check_sums([root])
        root.checksum = None        # once
        if view.kind not in ("float16", "bfloat16"):
            return to_device(view.array().copy(), device)
        x = np.frombuffer(root.data, number_type(view.kind))[view.offset:]
        return to_device(np.ndarray(view.size, x.dtype, x, 0, [2 * n for n in view.stride]).copy(),
                         device)

    try:
        data = memoryview(f.read()) if hasattr(f, "read") else map_file(path)
        _, content, metadata, _ = read(path, data, True)
        if OBJECT in metadata:
            return _decoded(json.loads(metadata[OBJECT]), content, array, {})
        return _mapped(content, lambda view: Tensor(array(view)), weights_only, {})
    except WeightsError as error:
        raise WeightsError(f"{path if path.isprintable() else ascii(path)}: {error}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its object is none that save writes: {error!r}") from None


def _decoded(x: Any, views: Any, array: Callable[[TensorView], Any], made: dict[str, Any]) -> Any:
    """What `_encoded` made x of; `made`: {name: array or Tensor} of those that are there."""
    if isinstance(x, list):
        return [_decoded(item, views, array, made) for item in x]
    if not isinstance(x, dict):
        return x
    [(kind, content)] = x.items()
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(_decoded(content, views, array, made))
    if kind == "dict":
        return {_decoded(key, views, array, made): _decoded(value, views, array, made)
                for key, value in content}
    if content not in made:
        x = array(views[content])
        made[content] = x if kind == "array" else Tensor(x, requires_grad=kind == "gradient")
    return made[content]


def _mapped(x: Any, tensor: Callable[[TensorView], Tensor], strict: bool,
            made: dict[int, Any]) -> Any:
    """x with Tensors in the place of the views in it; `made`: {id: result}, which comes again."""
    if id(x) in made:
        return made[id(x)]
    y = x
    if isinstance(x, Parameter) and x.data is not None:
        y = tensor(x.data)
    elif isinstance(x, TensorView):
        y = tensor(x)
    elif isinstance(x, dict):
        y = {key: _mapped(value, tensor, strict, made) for key, value in x.items()}
    elif isinstance(x, (list, tuple)):
        y = type(x)(_mapped(item, tensor, strict, made) for item in x)
    elif isinstance(x, Placeholder) and (strict or x.tensor):
        raise WeightsError(x.reason)
    made[id(x)] = y
    return y
