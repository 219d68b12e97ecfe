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

from __future__ import annotations

import numpy as np

from minigrad.data.transforms import (CenterCrop, Compose, Grayscale, Normalize, Preprocess, Resize,
                                      ToArray, ToTensor)

KINDS = {kind.__name__: (kind, parameters) for kind, parameters in (
    (Compose, ("transforms",)), (Resize, ("size",)), (CenterCrop, ("size",)), (ToArray, ()),
    (ToTensor, ()), (Normalize, ("mean", "std")), (Grayscale, ("num_output_channels",)),
    (Preprocess, ("resize", "crop", "mean", "std")))}
DEEPEST = 20            # Compose in Compose in ...
LARGEST = 16_384        # pixels of a side, which a hostile file may ask for
_SIDES = "size", "resize", "crop"
_DTYPES = "float16", "float32", "float64", "int32", "int64"


def to_spec(transform) -> list | None:
    """The spec of a transform; None if something in it is random or not the library's own."""
    try:
        spec = _written(transform)
        return spec if repr(from_spec(spec)) == repr(transform) else None
    except (_Foreign, ValueError):
        return None


def from_spec(spec):
    """The transform of a spec. Raises ValueError, one line, for anything that is none."""
    return _made(spec, 1)


def spec_text(spec) -> str:
    """What a spec's arrays are, for people: height x width, mean and deviation, on one line.

    Raises ValueError as `from_spec`.
    """
    size, colours, scale = "any size", "", "values 0 to 1"
    for step in _flat(from_spec(spec)):
        if isinstance(step, Resize):
            size = _size(step.size)
        elif isinstance(step, CenterCrop):
            size = _size(step.size)
        elif isinstance(step, Grayscale):
            colours = ", grey"
        elif isinstance(step, Normalize):
            scale = _scale(step)
        elif isinstance(step, Preprocess):
            size = _size((step.crop, step.crop) if step.crop else step.resize)
            scale = _scale(step)
    return f"{size}{colours}, {scale}"


class _Foreign(Exception):
    """Something that cannot be written."""


def _written(transform, depth=1):
    name = type(transform).__name__
    kind, parameters = KINDS.get(name, (None, ()))
    if type(transform) is not kind or depth > DEEPEST:
        raise _Foreign
    if kind is Compose:
        return [name, {"transforms": [_written(step, depth + 1) for step in transform.transforms]}]
    return [name, {parameter: _value(getattr(transform, parameter)) for parameter in parameters}]


def _value(value):
    if value is None or type(value) in (int, float):
        return value
    if type(value) is tuple:
        return [_value(item) for item in value]
    if type(value) is list:
        return {"list": [_value(item) for item in value]}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.name in _DTYPES:
        return {"array" if isinstance(value, np.ndarray) else "number": value.tolist(),
                "dtype": value.dtype.name}
    raise _Foreign


def _made(spec, depth):
    if depth > DEEPEST:
        raise ValueError(f"preparation: more than {DEEPEST} transforms inside each other")
    if not (isinstance(spec, list) and len(spec) == 2 and isinstance(spec[0], str)
            and isinstance(spec[1], dict)):
        raise ValueError("preparation: a transform is written as [name, {parameter: value}], not "
                         f"{_short(spec)}")
    name, values = spec
    if name not in KINDS:
        raise ValueError(f"preparation: no transform {_short(name)}; there are {' '.join(KINDS)}")
    kind, parameters = KINDS[name]
    if set(values) != set(parameters):
        raise ValueError(f"preparation: {name} has the parameters ({', '.join(parameters)}), not "
                         f"{_short(sorted(map(str, values)))}")
    if kind is Compose:
        steps = values["transforms"]
        if not isinstance(steps, list):
            raise ValueError(f"preparation: Compose has a list of transforms, not {_short(steps)}")
        return Compose([_made(step, depth + 1) for step in steps])
    try:
        with np.errstate(over="ignore"):        # what is too large becomes infinite: refused
            read = {parameter: _read(value) for parameter, value in values.items()}
            for side in map(read.get, _SIDES):
                if isinstance(side, (int, float, tuple)) and np.max(side) > LARGEST:
                    raise ValueError(f"{_short(side)} pixels are more than {LARGEST}")
            return kind(**read)
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"preparation: {name} cannot be made: {_cut(reason)}") from error


def _read(value):
    """The value that `_value` has written so."""
    if value is None:
        return None
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    if isinstance(value, dict):
        if set(value) == {"list"} and isinstance(value["list"], list):
            return [_number(item) for item in value["list"]]
        if set(value) == {"array", "dtype"} and value["dtype"] in _DTYPES and (
                isinstance(value["array"], list)):
            return np.array([_plain(item) for item in value["array"]], value["dtype"])
    return _number(value)


def _number(value):
    if isinstance(value, dict) and set(value) == {"number", "dtype"} and value["dtype"] in _DTYPES:
        return np.dtype(value["dtype"]).type(_plain(value["number"]))
    return _plain(value)


def _plain(value):
    if type(value) not in (int, float):
        raise ValueError(f"a value must be a number or a list of numbers, not {_short(value)}")
    return value


def _flat(transform):
    if not isinstance(transform, Compose):
        return [transform]
    return [step for inner in transform.transforms for step in _flat(inner)]


def _size(size):
    return f"shorter side {size}" if isinstance(size, int) else f"{size[0]} x {size[1]}"


def _scale(step):
    mean, std = (" ".join(f"{float(value):.4g}" for value in values)
                 for values in (step.mean, step.std))
    return f"mean {mean}, std {std}"


def _short(value):
    return _cut(ascii(value))


def _cut(text):
    return text if len(text) <= 100 else f"{text[:97]}..."
