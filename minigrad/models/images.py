"""From a photograph to the array that a network expects: the preparation its weights came with.

    x = preprocess("resnet50", "imagenet")(Image.open("dog.jpg"))       # (3, 224, 224) float32

Sizes, means and deviations are those of torchvision's weights (torchvision/models/resnet.py and
torchvision/transforms/_presets.py) and of the CIFAR ResNets.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from minigrad.weights import official

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)     # of ImageNet's red, green and blue


class Preprocess(NamedTuple):
    """Resize, crop the middle, scale to 0..1, subtract the mean, divide by the deviation.

    `resize`: the length of the shorter side, or (height, width); `crop`: the side of the square
    that is cut out of the middle, or None. Resizing is Pillow's bilinear on 8-bit samples, which
    averages over all the pixels that a new one covers.
    """

    resize: int | tuple[int, int]
    crop: int | None = None
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD

    def __call__(self, image: Image.Image) -> np.ndarray:
        """A Pillow image of any mode -> (3, H, W) float32."""
        image = image.convert("RGB")
        height, width = self.size(image)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        if self.crop is not None:
            left, top = round((width - self.crop) / 2), round((height - self.crop) / 2)
            image = image.crop((left, top, left + self.crop, top + self.crop))
        x = np.asarray(image, np.float32) / np.float32(255)
        x = (x - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(x.transpose(2, 0, 1))

    def size(self, image):
        """(height, width) of the image once resized."""
        if not isinstance(self.resize, int):
            return self.resize
        short, long = sorted(image.size)
        longer = int(self.resize * long / short)
        return (longer, self.resize) if image.height > image.width else (self.resize, longer)


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
