"""What a network is made of, in JSON's types: `fit` writes it beside the weights, and `load` builds
the network again from it.

    architecture(resnet18(7))                       {"name": "resnet18", "arguments": {...}}
    architecture(nn.Sequential(nn.Linear(2, 3)))    {"name": "Sequential", "layers": [...]}
    build({"name": "resnet18", "arguments": {"num_classes": 7, "width": 64}})

A description may come from a file that nobody vouches for. Nothing in it is run: names are looked
up among minigrad's builders and layers, arguments are numbers, texts, None and tuples of them, and
a network of too many numbers is refused before it is built.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from minigrad import nn
from minigrad.backend import random_state, set_random_state
from minigrad.models.known import KNOWN
from minigrad.nn.init import undrawn
from minigrad.weights.errors import quote

MAX_NUMBERS = 1 << 30           # in a network: 4 GiB, eight times the largest of `MODELS`
_MAX_LAYERS, _MAX_DEPTH, _MAX_TEXT = 10_000, 20, 300
_PLAIN = int, float, str
_PUBLISHED, _TRIAL = 64, 16     # widths of ResNets: the usual one, and one that costs little
_LAYERS = {name: kind for name in nn.__all__ if inspect.isclass(kind := getattr(nn, name))
           and issubclass(kind, nn.Module) and kind not in (nn.Module, nn.Sequential)
           and not name.endswith(("Loss", "List", "Dict", "Attention", "Distance", "Similarity"))
           and not name.startswith("Transformer")}
_SIZES = ("in_features", "out_features", "in_channels", "out_channels", "num_features",
          "num_channels", "num_parameters", "num_embeddings", "embedding_dim")
MODELS: dict[str, Callable[..., nn.Module]] = {}    # every builder by its name


def architecture(model: nn.Module) -> dict[str, Any] | None:
    """A description from which `build` makes an equal network; None if there is none.

    There is one for the networks that the builders in `MODELS` make, even with another last layer,
    for the layers of `minigrad.nn`, and for an `nn.Sequential` of all these. It describes the
    network as it is now, with all changes since it was built.
    """
    return next((spec for spec in _descriptions(model) if _fits(spec, model)), None)


def _descriptions(model: nn.Module) -> Iterator[dict[str, Any]]:
    """Those that may be true."""
    name, arguments = vars(model).get("_built_by", (None, {}))      # set by `pretrained.builder`
    if name is not None:
        yield {"name": name, "arguments": {"num_classes": num_outputs(model), **arguments}}
    if type(model) is nn.Sequential:
        layers = [architecture(layer) for layer in model]
        if None not in layers:
            yield {"name": "Sequential",
                   "layers": [spec.get("layer", spec) for spec in layers if spec]}
    elif type(model) is _LAYERS.get(type(model).__name__):
        yield {"layer": repr(model)}


def _fits(spec: dict[str, Any], model: nn.Module) -> bool:
    """Whether `build` makes such a network; minigrad's random state stays as it is."""
    before = random_state()
    try:
        with undrawn():
            return _form(build(spec)) == _form(model)
    except ValueError:
        return False
    finally:
        set_random_state(before)


def _form(model: nn.Module) -> tuple:
    """What is compared of two networks: their texts, classes, names and shapes of arrays, and which
    parameters are shared. A layer with a forward of its own is equal to no other.
    """
    modules = [module for _, module in model.named_modules()]
    return (repr(model), tuple(map(type, modules)),
            tuple((name, array.shape) for name, array in model.state_dict().items()),
            tuple(name for name, _ in model.named_parameters()),
            tuple(id(module) for module in modules if "forward" in vars(module)))


def last_layer(model: nn.Module) -> tuple[str, nn.Module] | None:
    """(dotted name, layer) of the last layer that has parameters; None if none has.

    It is the last one assigned; in a network of one's own another may be the last that runs.
    """
    for name, module in reversed(list(model.named_modules())):
        if any(isinstance(value, nn.Parameter) for value in vars(module).values()):
            return name, module
    return None


def num_outputs(model: nn.Module) -> int | None:
    """How many outputs the `last_layer` has; None if there is no such layer."""
    last = last_layer(model)
    if last is None:
        return None
    weight = next(p for p in vars(last[1]).values() if isinstance(p, nn.Parameter))
    return int(weight.shape[isinstance(last[1], nn.ConvTranspose2d)])


# --- building ------------------------------------------------------------------------------------

def build(spec: dict[str, Any], numbers: int = MAX_NUMBERS) -> nn.Module:
    """The network that `architecture` described, with fresh weights.

    Raises ValueError, in one line, for what is no such description, for a layer that this version
    lacks or would print otherwise, and if all layers together have more than `numbers` numbers.
    """
    if not isinstance(spec, dict):
        raise ValueError(f"architecture: expected a table, got {_brief(spec)}")
    return _Budget(numbers).build(spec)


class _Budget:
    """Builds what a description says, as long as numbers and layers are left."""

    def __init__(self, numbers: int) -> None:
        self.numbers, self.layers = numbers, _MAX_LAYERS

    def build(self, spec: Any, depth: int = 0) -> nn.Module:
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
                    not rest and name in MODELS):
                return self.network(name, arguments)
        raise ValueError(f"architecture: this version builds no {_brief(spec)}")

    def check(self, numbers: int, what: str) -> None:
        """Raises ValueError if fewer numbers are left."""
        if numbers > self.numbers:
            raise ValueError(f"architecture: {_brief(what)} has more numbers than it may")

    def take(self, numbers: int, what: str) -> None:
        """Count one more layer, of so many numbers; ValueError if they are not left."""
        self.check(numbers, what)
        self.numbers, self.layers = self.numbers - numbers, self.layers - 1
        if self.layers < 0:
            raise ValueError(f"architecture: more than {_MAX_LAYERS:,} layers")

    def layer(self, text: str) -> nn.Module:
        """A layer of `minigrad.nn` from its printed form."""
        kind, args, kwargs = _parse(text)
        try:
            self.take(_numbers(inspect.signature(kind).bind(*args, **kwargs).arguments), text)
            layer = kind(*args, **kwargs)
        except (TypeError, MemoryError) as error:
            raise ValueError(f"architecture: {_brief(text)} cannot be built: {error}") from None
        if repr(layer) != text:
            raise ValueError(f"architecture: {_brief(text)} would become {_brief(repr(layer))}")
        return layer

    def network(self, name: str, arguments: dict[Any, Any]) -> nn.Module:
        """What a builder of `MODELS` makes."""
        known = inspect.signature(MODELS[name]).parameters.keys() - {"weights"}
        if arguments.keys() != known or not all(
                type(value) in _PLAIN for value in arguments.values()):
            raise ValueError(f"architecture: {name} takes {', '.join(sorted(known))}, as numbers "
                             f"and texts, not {_brief(arguments)}")
        try:
            self.check(_numbers_of(name, **arguments), name)
            model = MODELS[name](**arguments)
            self.take(_count(model), name)
            return model
        except (TypeError, MemoryError) as error:
            raise ValueError(f"architecture: {name} cannot be built: {error}") from None


def _parse(text: str) -> tuple[type[nn.Module], list[Any], dict[str, Any]]:
    """(class, positional arguments, named arguments) of a layer's printed form."""
    try:
        if len(text) > _MAX_TEXT:
            raise ValueError("it is too long")
        call: Any = ast.parse(text, mode="eval").body
        kind = _LAYERS[call.func.id]
        return (kind, [ast.literal_eval(value) for value in call.args],
                {word.arg: ast.literal_eval(word.value) for word in call.keywords})
    except (SyntaxError, ValueError, TypeError, AttributeError, KeyError, MemoryError,
            RecursionError):
        raise ValueError(f"architecture: {_brief(text)} is no layer of minigrad.nn with plain "
                         "arguments") from None


def _numbers(arguments: Mapping[str, Any]) -> int:
    """How many numbers a layer's weight has, by its arguments. Raises TypeError for odd ones."""
    sizes, groups = [arguments[name] for name in _SIZES if name in arguments], 1
    if "in_channels" in arguments:
        kernel, groups = arguments["kernel_size"], arguments.get("groups", 1)
        sizes += kernel if isinstance(kernel, tuple) else [kernel, kernel]
    if "hidden_size" in arguments:  # at most four gates, both ways, on what the layer before gave
        h, layers = arguments["hidden_size"], arguments.get("num_layers", 1)
        sizes += [h, layers, 8 * (arguments["input_size"] + 3 * h)]
    shape = arguments.get("normalized_shape", ())
    sizes += shape if isinstance(shape, tuple) else [shape]
    if not all(type(size) is int and size > 0 for size in (*sizes, groups)):
        raise TypeError("its sizes must be positive integers")
    return math.prod(sizes) // groups


def _numbers_of(name: str, num_classes: int, size: int = 0, width: int = _PUBLISHED,
                image_size: int = 0, **_: Any) -> int:
    """An upper bound of the numbers that a network has more than the published one.

    A ResNet's layers grow with the square of the width, or more slowly.
    """
    if not all(type(value) is int and value >= 0 for value in (
            num_classes, size, width, image_size)):
        raise TypeError("num_classes, size, width and image_size must be integers")
    if name in KNOWN:           # the embeddings of 16x16 patches are 768 numbers each
        return (KNOWN[name].inputs + 1) * num_classes + 3 * image_size**2
    last = 33 * width * num_classes + 16 * size**2
    if width <= _PUBLISHED:
        return last
    small = _count(MODELS[name](num_classes=1, width=_TRIAL))
    return last + small * width**2 // _TRIAL**2


def _count(model: nn.Module) -> int:
    return sum(array.size for array in model.state_dict().values())


def _brief(value: Any) -> str:
    return quote(value if isinstance(value, str) else repr(value))
