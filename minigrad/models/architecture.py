"""What a network is made of, in JSON's types: written beside its weights, built again from there.

    architecture(resnet18(7))                       {"name": "resnet18", "arguments": {...}}
    architecture(nn.Sequential(nn.Linear(2, 3)))    {"name": "Sequential", "layers": [...]}
    build({"name": "resnet18", "arguments": {"num_classes": 7, "width": 64}})

A description may come from a file that nobody vouches for. Nothing in it is run: names are looked
up among minigrad's builders and layers, arguments are numbers, texts, None and tuples of them, and
what would take more numbers than it may is refused before it is built.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
from collections.abc import Callable
from typing import NamedTuple

from minigrad import nn
from minigrad.backend import random_state, set_random_state
from minigrad.weights.errors import shown

MAX_NUMBERS = 1 << 30           # in a network: 4 GiB, eight times the largest of `MODELS`
_MAX_LAYERS, _MAX_DEPTH, _MAX_TEXT = 10_000, 20, 300
_PLAIN = int, float, str
_PUBLISHED, _TRIAL = 64, 16     # widths of ResNets: the usual one, and one that costs little
_LAYERS = {name: kind for name in nn.__all__ if inspect.isclass(kind := getattr(nn, name))
           and issubclass(kind, nn.Module) and kind not in (nn.Module, nn.Sequential)
           and not name.endswith("Loss")}
_SIZES = "in_features", "out_features", "in_channels", "out_channels", "num_features"
_BUILDERS: dict[str, Callable] = {}


class _Record(NamedTuple):
    """How a builder was called, and what its network looked like then."""

    spec: dict
    form: tuple


def recorded(builder: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """The same builder; its networks know how it was called, all but `weights`."""
    signature = inspect.signature(builder)

    @functools.wraps(builder)
    def made(*args, **kwargs):
        model = builder(*args, **kwargs)
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        arguments = {**call.arguments, "num_classes": num_outputs(model)}
        del arguments["weights"]
        if all(type(value) in _PLAIN for value in arguments.values()):
            model._record = _Record({"name": builder.__name__, "arguments": arguments},
                                    _form(model))
        return model

    _BUILDERS[builder.__name__] = made
    return made


def architecture(model: nn.Module) -> dict | None:
    """A description from which `build` makes an equal network; None if there is none.

    There is one for networks of the builders in `MODELS`, with another last layer too, for the
    layers of `minigrad.nn`, and for `nn.Sequential`s of all these. It is true of the network as it
    is now, whatever was changed since it was built.
    """
    spec = _described(model)
    if isinstance(spec, str):
        spec = {"layer": spec}
    return spec if spec is not None and (_untouched(model) or _fits(spec, model)) else None


def _described(model):
    """A description that may be true."""
    if _untouched(model):
        return model._record.spec
    record = vars(model).get("_record")
    if isinstance(record, _Record):
        spec = {"name": record.spec["name"],
                "arguments": {**record.spec["arguments"], "num_classes": num_outputs(model)}}
        if _fits(spec, model):
            return spec
    if type(model) is nn.Sequential:
        layers = [_described(layer) for layer in model]
        return None if None in layers else {"name": "Sequential", "layers": layers}
    return repr(model) if type(model) is _LAYERS.get(type(model).__name__) else None


def _untouched(model):
    """Whether it is what its builder made."""
    record = vars(model).get("_record")
    return isinstance(record, _Record) and record.form == _form(model)


def _fits(spec, model):
    """Whether `build` makes such a network; minigrad's random state stays as it is."""
    before = random_state()
    try:
        return _form(build(spec)) == _form(model)
    except ValueError:
        return False
    finally:
        set_random_state(before)


def _form(model):
    """What can be compared of two networks: their texts, classes, and names and shapes of arrays.

    A layer with a forward of its own is equal to no other.
    """
    modules = [module for _, module in model.named_modules()]
    return (repr(model), tuple(map(type, modules)),
            tuple((name, array.shape) for name, array in model.state_dict().items()),
            tuple(id(module) for module in modules if "forward" in vars(module)))


def last_layer(model: nn.Module) -> tuple[str, nn.Module] | None:
    """(dotted name, layer) of the last that has parameters; None if none has.

    In the order of assignment: in a network of one's own it need not be the last that runs.
    """
    for name, module in reversed(list(model.named_modules())):
        if any(isinstance(value, nn.Parameter) for value in vars(module).values()):
            return name, module
    return None


def num_outputs(model: nn.Module) -> int | None:
    """The outputs of the last layer that has parameters; None if there is none such."""
    found = last_layer(model)
    if found is None:
        return None
    weight = next(p for p in vars(found[1]).values() if isinstance(p, nn.Parameter))
    return int(weight.shape[isinstance(found[1], nn.ConvTranspose2d)])


# --- building ------------------------------------------------------------------------------------

def build(spec: dict, numbers: int = MAX_NUMBERS) -> nn.Module:
    """The network that `architecture` described, with fresh weights.

    Raises ValueError, in one line, for what is no such description, for a layer that this version
    does not have or understands otherwise, and for more than `numbers` numbers in all layers.
    """
    if not isinstance(spec, dict):
        raise ValueError(f"architecture: expected a table, got {_brief(spec)}")
    return _Budget(numbers).build(spec)


class _Budget:
    """What a description may still take: numbers, and layers."""

    def __init__(self, numbers):
        self.numbers, self.layers = numbers, _MAX_LAYERS

    def build(self, spec, depth=0):
        if isinstance(spec, str):
            return self.layer(spec)
        match spec:
            case {"name": "Sequential", "layers": [*layers], **rest} if not rest:
                if depth >= _MAX_DEPTH:
                    raise ValueError(f"architecture: more than {_MAX_DEPTH} Sequentials in one "
                                     "another")
                self.take(0, "Sequential")
                return nn.Sequential(*[self.build(layer, depth + 1) for layer in layers])
            case {"layer": str(text), **rest} if not rest:
                return self.layer(text)
            case {"name": str(name), "arguments": {**arguments}, **rest} if (
                    not rest and name in _BUILDERS):
                return self.network(name, arguments)
        raise ValueError(f"architecture: this version builds no {_brief(spec)}")

    def check(self, numbers, what):
        if numbers > self.numbers:
            raise ValueError(f"architecture: {_brief(what)} has more numbers than it may")

    def take(self, numbers, what):
        self.check(numbers, what)
        self.numbers, self.layers = self.numbers - numbers, self.layers - 1
        if self.layers < 0:
            raise ValueError(f"architecture: more than {_MAX_LAYERS:,} layers")

    def layer(self, text):
        """A layer of `minigrad.nn` from its printed form."""
        kind, args, kwargs = _parsed(text)
        try:
            self.take(_numbers(inspect.signature(kind).bind(*args, **kwargs).arguments), text)
            layer = kind(*args, **kwargs)
        except (TypeError, MemoryError) as error:
            raise ValueError(f"architecture: {_brief(text)} cannot be built: {error}") from None
        if repr(layer) != text:
            raise ValueError(f"architecture: {_brief(text)} would become {_brief(repr(layer))}")
        return layer

    def network(self, name, arguments):
        """What a builder of `MODELS` makes."""
        known = inspect.signature(_BUILDERS[name]).parameters.keys() - {"weights"}
        if arguments.keys() != known or not all(
                type(value) in _PLAIN for value in arguments.values()):
            raise ValueError(f"architecture: {name} takes {', '.join(sorted(known))}, as numbers "
                             f"and texts, not {_brief(arguments)}")
        try:
            self.check(_numbers_of(name, **arguments), name)
            model = _BUILDERS[name](**arguments)
            self.take(_count(model), name)
            return model
        except (TypeError, MemoryError) as error:
            raise ValueError(f"architecture: {name} cannot be built: {error}") from None


def _parsed(text):
    """(class, positional arguments, named arguments) of a layer's printed form."""
    try:
        if len(text) > _MAX_TEXT:
            raise ValueError("it is too long")
        call = ast.parse(text, mode="eval").body
        kind = _LAYERS[call.func.id]
        return (kind, [ast.literal_eval(value) for value in call.args],
                {word.arg: ast.literal_eval(word.value) for word in call.keywords})
    except (SyntaxError, ValueError, TypeError, AttributeError, KeyError, MemoryError,
            RecursionError):
        raise ValueError(f"architecture: {_brief(text)} is no layer of minigrad.nn with plain "
                         "arguments") from None


def _numbers(arguments):
    """How many numbers a layer's weight has, by its arguments. Raises TypeError for odd ones."""
    sizes, groups = [arguments[name] for name in _SIZES if name in arguments], 1
    if "in_channels" in arguments:
        kernel, groups = arguments["kernel_size"], arguments.get("groups", 1)
        sizes += kernel if isinstance(kernel, tuple) else [kernel, kernel]
    if not all(type(size) is int and size > 0 for size in (*sizes, groups)):
        raise TypeError("its sizes must be positive integers")
    return math.prod(sizes) // groups


def _numbers_of(name, num_classes, size=0, width=_PUBLISHED, **_):
    """At least as many numbers as a network has, beyond those of the published one.

    A ResNet's layers grow with the square of the width, or more slowly.
    """
    if not all(type(value) is int and value >= 0 for value in (num_classes, size, width)):
        raise TypeError("num_classes, size and width must be integers")
    last = 33 * width * num_classes + 16 * size**2
    if width <= _PUBLISHED:
        return last
    small = _count(_BUILDERS[name](num_classes=1, width=_TRIAL))
    return last + small * width**2 // _TRIAL**2


def _count(model):
    return sum(array.size for array in model.state_dict().values())


def _brief(value):
    return shown(value if isinstance(value, str) else repr(value))
