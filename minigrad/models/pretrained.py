"""Weights from a file into a freshly built network: what `weights=` of every builder does.

    pretrained("resnet18", build, head="fc", num_classes=7, weights="resnet18-f37072fd.pth")
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from minigrad.nn import Module
from minigrad.weights import WeightsError, fetch, load

_log = logging.getLogger(__name__)


def pretrained(architecture: str, build: Callable[[int], Module], head: str,
               num_classes: int | None, weights: str | os.PathLike | None, default=1000) -> Module:
    """`build(num_classes)` with weights: None (fresh), a file, or "imagenet" (the official ones).

    num_classes None: as many as the file's last layer, which is called `head`, has; without a file
    `default`. If it is another number than the file's, the last layer stays fresh, and the log says
    so. Everything else must fit by name and shape. Raises WeightsError naming the file if it does
    not, or cannot be read; ValueError for a num_classes below 1, and for "imagenet" where there are
    no official weights; OSError if the file cannot be opened.
    """
    if num_classes is not None and (not isinstance(num_classes, int) or num_classes < 1):
        raise ValueError(f"{architecture}: num_classes must be a positive integer, "
                         f"got {num_classes!r}")
    if weights is None:
        return build(default if num_classes is None else num_classes)
    path = fetch(architecture) if weights == "imagenet" else weights
    state = dict(load(path))
    found = recognise(state)
    if found not in (architecture, None):
        raise WeightsError(f"{path}: these are weights of {found}, not of {architecture}")
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


def recognise(state) -> str | None:
    """The architecture of {name: array} by its names and two shapes; None if unknown.

    A ResNet of another width than the published is known, too.
    """
    blocks = {tuple(name.split(".")[:2]) for name in state if name.startswith("layer")}
    stages = tuple(sum(stage == f"layer{i}" for stage, _ in blocks) for i in range(1, 5))
    first, middle = state.get("conv1.weight"), state.get("layer1.0.conv2.weight")
    if first is None or middle is None or not first.size or first.ndim != 4 or middle.ndim != 4:
        return None
    channels = tuple(n * 64 // len(first) for n in middle.shape[:2])
    return _FAMILY.get((stages, "layer1.0.conv3.weight" in state, channels))


# Blocks per stage; whether a block has three convolutions; channels out and per group in of its
# second one, where the network's first convolution has 64.
_FAMILY = {
    ((2, 2, 2, 2), False, (64, 64)): "resnet18",
    ((3, 4, 6, 3), False, (64, 64)): "resnet34",
    ((3, 4, 6, 3), True, (64, 64)): "resnet50",
    ((3, 4, 23, 3), True, (64, 64)): "resnet101",
    ((3, 8, 36, 3), True, (64, 64)): "resnet152",
    ((3, 4, 6, 3), True, (128, 4)): "resnext50_32x4d",
    ((3, 4, 23, 3), True, (256, 8)): "resnext101_32x8d",
    ((3, 4, 23, 3), True, (256, 4)): "resnext101_64x4d",
    ((3, 4, 6, 3), True, (128, 128)): "wide_resnet50_2",
    ((3, 4, 23, 3), True, (128, 128)): "wide_resnet101_2",
    **{((n, n, n, 0), False, (64, 64)): f"cifar_resnet{6 * n + 2}" for n in (3, 5, 7, 9, 18)},
}
