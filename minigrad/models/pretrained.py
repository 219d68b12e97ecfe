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

import logging
import os
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from minigrad.arguments import integer
from minigrad.data.transforms import Preprocess
from minigrad.nn import Module
from minigrad.weights import Weights, WeightsError, fetch, load, official

Source = str | os.PathLike | Weights | None     # where weights come from
Count = int | None      # of classes; None: as many as the weights have
_M = TypeVar("_M", bound=Module)
_log = logging.getLogger(__name__)


def pretrained(architecture: str, build: Callable[[int], _M], head: str, num_classes: Count,
               weights: Source, default: int = 1000) -> _M:
    """The network `build(num_classes)` with weights: None (fresh ones), a file, what
    `minigrad.weights.load` has read from one, or "imagenet" (the official ones).

    num_classes None: as many as the last layer in the file has, and `default` without a file.
    `head` is the name of that layer. If num_classes is another number than the file's, the last
    layer stays fresh, and the log says so. Everything else must fit by name and shape.

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
    path, state = weights.path, dict(weights)
    network = recognise(state)
    if network not in (architecture, None):
        raise WeightsError(f"{path}: these are weights of {network}, not of {architecture}")
    in_file = next((len(array) for name, array in state.items()
                    if name.startswith(f"{head}.") and array.ndim), None)
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


def preprocess(architecture: str, weights: str | os.PathLike | None = "imagenet") -> Preprocess:
    """The preparation that belongs to a ResNet's weights; `weights` is what its builder is given.

    architecture: a name in `MODELS`. For the official ImageNet files the shorter side becomes 232
    pixels (files of 2021 and later) or 256, and 224x224 are cut out of the middle; any other file
    counts as one of the older ones. For CIFAR the image becomes 32x32. The result takes a
    photograph and gives an array (3, H, W). Raises ValueError for an architecture without a rule.
    Sizes, means and deviations are those of torchvision's weights (torchvision/models/resnet.py and
    torchvision/transforms/_presets.py) and of the CIFAR ResNets.
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
    newer = architecture == "resnext101_64x4d" or name == files.get("V2")
    return Preprocess(232 if newer else 256, 224)


def recognise(state: Mapping[str, np.ndarray]) -> str | None:
    """The name in `MODELS` of the ResNet that has these arrays {name: array}; None if none has.

    It is told from the names and two of the shapes. The width need not be the published one.
    """
    blocks = {tuple(name.split(".")[:2]) for name in state if name.startswith("layer")}
    stages = tuple(sum(stage == f"layer{i}" for stage, _ in blocks) for i in range(1, 5))
    first, middle = state.get("conv1.weight"), state.get("layer1.0.conv2.weight")
    if first is None or middle is None or not first.size or first.ndim != 4 or middle.ndim != 4:
        return None
    channels = tuple(n * 64 // len(first) for n in middle.shape[:2])
    shape = stages, "layer1.0.conv3.weight" in state, channels
    return next((name for name, known in RESNETS.items() if known == shape), None)


# Of each ResNet: blocks per stage; whether a block has three convolutions; channels out and per
# group in of the second one in the first stage, where the network's first convolution has 64.
RESNETS: dict[str, tuple[tuple[int, ...], bool, tuple[int, ...]]] = {
    "resnet18": ((2, 2, 2, 2), False, (64, 64)),
    "resnet34": ((3, 4, 6, 3), False, (64, 64)),
    "resnet50": ((3, 4, 6, 3), True, (64, 64)),
    "resnet101": ((3, 4, 23, 3), True, (64, 64)),
    "resnet152": ((3, 8, 36, 3), True, (64, 64)),
    "resnext50_32x4d": ((3, 4, 6, 3), True, (128, 4)),
    "resnext101_32x8d": ((3, 4, 23, 3), True, (256, 8)),
    "resnext101_64x4d": ((3, 4, 23, 3), True, (256, 4)),
    "wide_resnet50_2": ((3, 4, 6, 3), True, (128, 128)),
    "wide_resnet101_2": ((3, 4, 23, 3), True, (128, 128)),
    **{f"cifar_resnet{6 * n + 2}": ((n, n, n, 0), False, (64, 64)) for n in (3, 5, 7, 9, 18)},
}
