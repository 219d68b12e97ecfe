"""From a photograph to the array that a network expects: the preparation its weights came with.

    x = preprocess("resnet50", "imagenet")(Image.open("dog.jpg"))       # (3, 224, 224) float32
    photos = ImageFolder("photos", preprocess("resnet18"))              # a transform as any other

Sizes, means and deviations are those of torchvision's weights (torchvision/models/resnet.py and
torchvision/transforms/_presets.py) and of the CIFAR ResNets.
"""

from __future__ import annotations

import os

from minigrad.data.transforms import Preprocess
from minigrad.weights import official


def preprocess(architecture: str, weights: str | os.PathLike | None = "imagenet") -> Preprocess:
    """The Preprocess of a ResNet's weights, which are given as to its builder.

    The official ImageNet files: shorter side 232 (those of 2021 and later) or 256, then 224x224 cut
    out of the middle. Any other file is taken to have been trained as the older ones. CIFAR: 32x32.
    Raises ValueError for an architecture without such a rule.
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
