"""A preparation in JSON types, to be kept with the weights of a network, and made again from them.

    spec = to_spec(Compose([Resize(256), CenterCrop(224), ToArray(), Normalize(MEAN, STD)]))
    spec        # ["Compose", {"transforms": [["Resize", {"size": 256}], ...]}]
    prepare = from_spec(json.loads(json.dumps(spec)))       # the same arrays, bit for bit
    spec_text(spec)                 # "224 x 224, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"

Only what draws nothing and is the library's own can be written. A spec is [name, {parameter:
value}]; a tuple is written as a list, and what would look alike then, by a name: {"list": [...]},
{"array": [...], "dtype": "float32"}, {"number": 0.5, "dtype": "float32"}. Reading one calls
nothing but the constructors of `KINDS` on such values.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.arguments import demand
from minigrad.data.transforms import (CenterCrop, Compose, Grayscale, Normalize, Preprocess, Resize,
                                      ToArray, ToTensor)

_PARAMETERS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (Compose, ("transforms",)), (Resize, ("size",)), (CenterCrop, ("size",)), (ToArray, ()),
    (ToTensor, ()), (Normalize, ("mean", "std")), (Grayscale, ("num_output_channels",)),
    (Preprocess, ("resize", "crop", "mean", "std", "interpolation")))
_USUAL = {"interpolation": "bilinear"}      # what is not written, as it was the only choice once
KINDS = {kind.__name__: (kind, parameters) for kind, parameters in _PARAMETERS}
DEEPEST = 20            # Compose in Compose in ...
LARGEST = 16_384        # pixels of a side, which a hostile file may ask for
_SIDES = "size", "resize", "crop"
_DTYPES = "float16", "float32", "float64", "int32", "int64"


def to_spec(transform: object) -> list | None:
    """The spec of a transform; None if something in it is random or not the library's own."""
    try:
        spec = _write(transform)
        return spec if repr(from_spec(spec)) == repr(transform) else None
    except (_Foreign, ValueError):
        return None


def from_spec(spec: object) -> Callable:
    """The transform of a spec. Raises ValueError, one line, for anything that is none."""
    return _make(spec, 1)


def spec_text(spec: object) -> str:
    """What a spec's arrays are, for people: height x width, mean and deviation, on one line.

    Raises ValueError as `from_spec`.
    """
    size, colours, scale = "any size", "", "values 0 to 1"
    for step in _flatten(from_spec(spec)):
        if isinstance(step, (Resize, CenterCrop)):
            size = _size(step.size)
        elif isinstance(step, Grayscale):
            colours = ", grey"
        elif isinstance(step, (Normalize, Preprocess)):
            mean, std = (" ".join(f"{float(value):.4g}" for value in values)
                         for values in (step.mean, step.std))
            scale = f"mean {mean}, std {std}"
        if isinstance(step, Preprocess):
            size = _size((step.crop, step.crop) if step.crop else step.resize)
    return f"{size}{colours}, {scale}"


class _Foreign(Exception):
    """Something that cannot be written."""


def _write(transform: Any, depth: int = 1) -> list:
    name = type(transform).__name__
    kind, parameters = KINDS.get(name, (None, ()))
    if type(transform) is not kind or depth > DEEPEST:
        raise _Foreign
    if isinstance(transform, Compose):
        return [name, {"transforms": [_write(step, depth + 1) for step in transform.transforms]}]
    values = {parameter: getattr(transform, parameter) for parameter in parameters}
    return [name, {parameter: _value(value) for parameter, value in values.items()
                   if not (parameter in _USUAL and value == _USUAL[parameter])}]


def _value(value: object) -> object:
    if value is None or type(value) in (int, float, str):
        return value
    if type(value) is tuple:
        return [_value(item) for item in value]
    if type(value) is list:
        return {"list": [_value(item) for item in value]}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.name in _DTYPES:
        return {"array" if isinstance(value, np.ndarray) else "number": value.tolist(),
                "dtype": value.dtype.name}
    raise _Foreign


def _make(spec: object, depth: int) -> Callable:
    demand(depth <= DEEPEST, f"preparation: more than {DEEPEST} transforms inside each other")
    if not (isinstance(spec, list) and len(spec) == 2 and isinstance(spec[0], str)
            and isinstance(spec[1], dict)):
        raise ValueError("preparation: a transform is written as [name, {parameter: value}], not "
                         f"{_short(spec)}")
    name, values = spec
    demand(name in KINDS,
           f"preparation: no transform {_short(name)}; there are {' '.join(KINDS)}")
    kind, parameters = KINDS[name]
    demand(set(values) | set(_USUAL) & set(parameters) == set(parameters), f"preparation: {name} "
           f"has the parameters ({', '.join(parameters)}), not {_short(sorted(map(str, values)))}")
    if kind is Compose:
        steps = values["transforms"]
        demand(isinstance(steps, list),
               f"preparation: Compose has a list of transforms, not {_short(steps)}")
        return Compose([_make(step, depth + 1) for step in steps])
    try:
        with np.errstate(over="ignore"):        # what is too large becomes infinite: refused
            read: dict[str, Any] = {parameter: value if parameter in _USUAL else _read(value)
                                    for parameter, value in values.items()}
            for side in map(read.get, _SIDES):
                demand(not isinstance(side, (int, float, tuple)) or np.max(side) <= LARGEST,
                       f"{_short(side)} pixels are more than {LARGEST}")
            return kind(**read)
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"preparation: {name} cannot be made: {_cut(reason)}") from error


def _read(value: object) -> object:
    """The value that `_value` has written so."""
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    if isinstance(value, dict):
        if set(value) == {"list"} and isinstance(value["list"], list):
            return [_number(item) for item in value["list"]]
        if set(value) == {"array", "dtype"} and value["dtype"] in _DTYPES and (
                isinstance(value["array"], list)):
            return np.array([_check_number(item) for item in value["array"]], value["dtype"])
    return None if value is None else _number(value)


def _number(value: object) -> float | np.generic:
    if isinstance(value, dict) and set(value) == {"number", "dtype"} and value["dtype"] in _DTYPES:
        return np.dtype(value["dtype"]).type(_check_number(value["number"]))
    return _check_number(value)


def _check_number(value: Any) -> float:
    demand(type(value) in (int, float),
           f"a value must be a number or a list of numbers, not {_short(value)}")
    return value


def _flatten(transform: Callable) -> list[Callable]:
    if not isinstance(transform, Compose):
        return [transform]
    return [step for inner in transform.transforms for step in _flatten(inner)]


def _size(size: int | tuple[int, int]) -> str:
    return f"shorter side {size}" if isinstance(size, int) else f"{size[0]} x {size[1]}"


def _short(value: object) -> str:
    return _cut(ascii(value))


def _cut(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
