"""From a photograph to the array that a network expects, in one step that is kept with its weights.

    prepare = Preprocess(resize=256, crop=224)
    x = prepare(read_image("dog.jpg"))                          # (3, 224, 224) float32
    photos = ImageFolder("photos", prepare)

`minigrad.models.preprocess` has the one of every network with official weights.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from minigrad.arguments import demand
from minigrad.data.arguments import (Size, check_channels, positive_integer, resize_image,
                                     side_or_sides)
from minigrad.data.transforms.base import ImageTransform

BILINEAR = "bilinear"
_FILTERS = {BILINEAR: Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)     # of ImageNet's red, green and blue


@dataclass(frozen=True, repr=False)
class Preprocess(ImageTransform):
    """Resize, crop the middle, scale to 0..1, subtract the mean, divide by the deviation.

    `resize`: the length of the shorter side, or (height, width); `crop`: the side of the square
    that is cut out of the middle, or None. Resizing is Pillow's "bilinear" or "bicubic" on 8-bit
    samples, which averages over all the pixels that a new one covers. A Pillow image of any mode
    becomes (3, H, W) float32. Raises ValueError for sizes, means, deviations and interpolations
    that cannot be, and for a shape that would get more than 89,478,485 pixels, the most that a
    photograph may have.
    """

    resize: Size
    crop: int | None = None
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    interpolation: str = BILINEAR

    def __post_init__(self) -> None:
        object.__setattr__(self, "resize", side_or_sides("Preprocess", self.resize))
        if self.crop is not None:
            object.__setattr__(self, "crop", positive_integer("Preprocess", self.crop))
        check_channels("Preprocess", self.mean, self.std)
        demand(len(self.mean) in (1, 3), "Preprocess: mean and std must have one channel or three, "
               f"got mean={self.mean}, std={self.std}")
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(np.asarray(getattr(self, name)).tolist()))
        demand(self.interpolation in _FILTERS, f"Preprocess: interpolation must be "
               f"{' or '.join(map(repr, _FILTERS))}, got {self.interpolation!r}")

    def __repr__(self) -> str:
        parts = [f"{name}={value!r}" for name, value in vars(self).items()
                 if value != BILINEAR]      # what was printed before there was a choice stays
        return f"Preprocess({', '.join(parts)})"

    def apply(self, image: Image.Image) -> np.ndarray:
        image = resize_image("Preprocess", image.convert("RGB"), self.resize,
                             _FILTERS[self.interpolation])
        if self.crop is not None:
            left, top = (round((side - self.crop) / 2) for side in image.size)
            image = image.crop((left, top, left + self.crop, top + self.crop))
        x: np.ndarray = np.asarray(image, np.float32) / np.float32(255)
        x = (x - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(x.transpose(2, 0, 1))
