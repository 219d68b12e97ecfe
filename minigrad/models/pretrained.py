"""Weights from a file into a freshly built network: what `weights=` of every builder does.

    resnet18()                                              fresh weights
    resnet18(weights="resnet18-f37072fd.pth")               those of a file
    resnet18(weights="imagenet")                            the official ones, downloaded once
    resnet18(weights=minigrad.weights.load("mixed.pth", entry="model"))     what is loaded already
    resnet18(num_classes=7, weights="imagenet")             the same, but with a fresh last layer
    x = preprocess("resnet18", "imagenet")(read_image("dog.jpg"))   the photograph as they expect it

num_classes None stands for as many classes as the file has. The function `pretrained` of this
module says what else happens, and which errors there are.
"""

import functools
import inspect
import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

from minigrad.arguments import integer
from minigrad.data.transforms import Preprocess
from minigrad.models.architecture import MODELS
from minigrad.models.known import current_names, head_of, recognise
from minigrad.nn import Module
from minigrad.nn.init import undrawn
from minigrad.nn.layers import bound
from minigrad.weights import Weights, WeightsError, fetch, load, official

Source = str | os.PathLike | Weights | None     # where weights come from
_M = TypeVar("_M", bound=Module)
_log = logging.getLogger(__name__)


def builder(classes: int = 1000, weights_at: int = 1
            ) -> Callable[[Callable[..., _M]], Callable[..., _M]]:
    """Make f(num_classes, ...), a function that builds a network, one of `MODELS`.

    It takes `weights` too, as argument number weights_at, and does with it what `pretrained` says;
    num_classes may be left out, which stands for `classes` without a file. The network remembers
    the other arguments, for `models.architecture`.
    """
    def decorate(f: Callable[..., _M]) -> Callable[..., _M]:
        signature = inspect.signature(f)
        first, *options = signature.parameters.values()
        parameters = [first.replace(default=None, annotation=int | None), *options]
        parameters.insert(weights_at, inspect.Parameter("weights", first.kind, default=None,
                                                        annotation=Source))
        signature = signature.replace(parameters=parameters)

        @functools.wraps(f)
        def build(*args: Any, **named: Any) -> _M:
            arguments = bound(f.__name__, signature, args, named)
            num_classes, weights = arguments.pop("num_classes"), arguments.pop("weights")
            model = pretrained(f.__name__, lambda n: f(n, **arguments), num_classes, weights,
                               classes)
            model._built_by = f.__name__, arguments
            return model

        vars(build)["__signature__"] = signature    # which help() shows
        MODELS[f.__name__] = build
        return build

    return decorate


def pretrained(architecture: str, build: Callable[[int], _M], num_classes: int | None,
               weights: Source, default: int) -> _M:
    """The network `build(num_classes)` with weights: None (fresh ones), a file, what
    `minigrad.weights.load` has read from one, or "imagenet" (the official ones).

    num_classes None: as many as the last layer in the file has, and `default` without a file. If it
    is another number than the file's, the last layer stays fresh, and the log says so. Everything
    else must fit by name and shape.

    Raises WeightsError, which names the file, if something does not fit or the file cannot be read;
    OSError if it cannot be opened; ValueError for a num_classes below 1, and for "imagenet" where
    there are no official weights.
    """
    if num_classes is not None:
        num_classes = integer(architecture, "num_classes", num_classes)
    if weights is None:
        return build(default if num_classes is None else num_classes)
    if not isinstance(weights, Weights):
        weights = load(fetch(architecture) if weights == "imagenet" else weights)
    path, state = weights.path, current_names(weights)
    network = recognise(state)
    if network not in (architecture, None):
        raise WeightsError(f"{path}: these are weights of {network}, not of {architecture}")
    head = head_of(architecture)
    in_file = next((len(array) for name, array in state.items()
                    if name.startswith(f"{head}.") and array.ndim), None)
    with undrawn(num_classes in (in_file, None)):
        model = build(num_classes or in_file or default)
    own = model.state_dict()
    if 2 * len(own.keys() & state.keys()) < len(own):
        raise WeightsError(f"{path}: these are no weights of {architecture}; its tensors are "
                           f"{', '.join(list(state)[:3])}, ...")
    if in_file is not None and num_classes not in (in_file, None):
        state |= {name: array for name, array in own.items() if name.startswith(f"{head}.")}
        _log.warning("%s: %s has %d classes in the file and %d here: it stays as it was drawn, to "
                     "be trained", path, head, in_file, num_classes)
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from None
    return model


# How images are prepared for the weights of a network, or of a file, that differ from others.
_PREPARATIONS: dict[str, dict[str, Any]] = {
    "resnext101_64x4d": {"resize": 232}, "convnext_tiny": {"resize": 236},
    "efficientnet_b0": {"interpolation": "bicubic"},
    "efficientnet_lite0": {"interpolation": "bicubic", "mean": (127 / 255,) * 3,
                           "std": (128 / 255,) * 3},
    "vit_b_16_swag-9ac1b537.pth": {"resize": 384, "crop": 384, "interpolation": "bicubic"},
    "vit_b_16_lc_swag-4e70ced5.pth": {"resize": 224, "interpolation": "bicubic"}}


def preprocess(architecture: str, weights: str | os.PathLike | None = "imagenet") -> Preprocess:
    """The preparation that belongs to a network's weights; `weights` is what its builder is given.

    architecture: a name in `MODELS`. For most official ImageNet files the shorter side becomes 256
    pixels, or 232 (those called V2), and 224x224 are cut out of the middle; any file that is not
    official counts as the oldest. For CIFAR the image becomes 32x32. The result takes a photograph
    and gives an array (3, H, W). Raises ValueError for an architecture without a rule. Sizes,
    interpolations, means and deviations are those of torchvision's weights (torchvision/models and
    torchvision/transforms/_presets.py), of EfficientNet-Lite and of the CIFAR ResNets.
    """
    if architecture.startswith("cifar_resnet"):
        return Preprocess((32, 32))
    if architecture not in official.FILES:
        raise ValueError(f"preprocess: no rule for {architecture!r}; build a Preprocess")
    files = official.FILES[architecture]
    if weights == "imagenet":
        name = files[max(files)]
    else:
        name = os.path.basename(os.fsdecode(weights)) if weights else files["V1"]
    settings = {"resize": 232 if name == files.get("V2") else 256, "crop": 224}
    return Preprocess(**(settings | _PREPARATIONS.get(architecture, {})
                         | _PREPARATIONS.get(name, {})))
