"""Which network has these tensors: what is known of each of `MODELS` that has weights in files.

    recognise(load("vgg16-397923af.pth"))       "vgg16"
    current_names(load("vit_b_16-c867db91.pth"))    the same arrays under today's names
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Known(NamedTuple):
    """The name of a network's last layer, how many inputs that has, and how many numbers all other
    tensors have together, without counts of batches and embeddings of positions."""

    head: str
    inputs: int
    body: int


_BODIES = {
    ("classifier.6", 4096): {
        "alexnet": 57_003_840, "vgg11": 128_766_336, "vgg13": 128_950_848, "vgg16": 134_260_544,
        "vgg19": 139_570_240, "vgg11_bn": 128_777_344, "vgg13_bn": 128_962_624,
        "vgg16_bn": 134_277_440, "vgg19_bn": 139_592_256},
    ("classifier.1", 512): {"squeezenet1_0": 735_424, "squeezenet1_1": 722_496},
    ("classifier", 1024): {"densenet121": 7_037_504},
    ("classifier", 1664): {"densenet169": 12_642_880},
    ("classifier", 1920): {"densenet201": 18_321_984},
    ("classifier.1", 1280): {"mobilenet_v2": 2_257_984, "efficientnet_b0": 4_049_564},
    ("classifier.3", 1280): {"mobilenet_v3_large": 4_226_432},
    ("classifier.3", 1024): {"mobilenet_v3_small": 1_529_968},
    ("_fc", 1280): {"efficientnet_lite0": 3_413_024},
    ("classifier.2", 768): {"convnext_tiny": 27_820_128},
    ("heads.head", 768): {"vit_b_16": 85_647_360}}
KNOWN = {name: Known(*head, body)
         for head, bodies in _BODIES.items() for name, body in bodies.items()}

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
_HEADS = {"lenet5": "output", "small_cnn": "17"}
_UNCOUNTED = "num_batches_tracked", "pos_embedding"
# How DenseNets and the vision transformer were saved before torchvision renamed their layers.
_FORMER = (re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"), (
    re.compile(r"(\.mlp)\.linear_1\."), r"\1.0."), (re.compile(r"(\.mlp)\.linear_2\."), r"\1.3.")


def head_of(name: str) -> str:
    """The name of the last layer of a network of `MODELS`."""
    if name in KNOWN:
        return KNOWN[name].head
    return _HEADS.get(name, "linear" if name.startswith("cifar") else "fc")


def current_names(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The arrays under the names that their network gives them today; official files of DenseNets
    and of the vision transformer have older ones."""
    if (recognise(state) or "").startswith(("densenet", "vit")):
        for pattern, name in _FORMER:
            state = {pattern.sub(name, key): array for key, array in state.items()}
    return dict(state)


def recognise(state: Mapping[str, np.ndarray]) -> str | None:
    """The name in `MODELS` of the network that has these arrays {name: array}; None if none has.

    A ResNet is told from the names and two of the shapes; its width need not be the published one.
    Others are told from the name of the last layer and the count of all numbers before it.
    """
    body = sum(array.size for name, array in state.items() if not name.endswith(_UNCOUNTED))
    for name, known in KNOWN.items():
        head = [array.size for key, array in state.items() if key.startswith(f"{known.head}.")]
        if head and body - sum(head) == known.body:
            return name
    return _resnet(state)


def _resnet(state: Mapping[str, np.ndarray]) -> str | None:
    blocks = {tuple(name.split(".")[:2]) for name in state if name.startswith("layer")}
    stages = tuple(sum(stage == f"layer{i}" for stage, _ in blocks) for i in range(1, 5))
    first, middle = state.get("conv1.weight"), state.get("layer1.0.conv2.weight")
    if first is None or middle is None or not first.size or first.ndim != 4 or middle.ndim != 4:
        return None
    channels = tuple(n * 64 // len(first) for n in middle.shape[:2])
    shape = stages, "layer1.0.conv3.weight" in state, channels
    return next((name for name, known in RESNETS.items() if known == shape), None)
