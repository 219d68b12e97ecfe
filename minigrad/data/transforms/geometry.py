"""Transforms of the shape: resizing, cropping, flipping, turning."""

import math
from numbers import Real

import numpy as np
from PIL import Image, ImageOps

from minigrad.arguments import demand
from minigrad.data.arguments import (Fill, Range, Size, borders, colour, height_and_width, interval,
                                     resize_image, side_or_sides)
from minigrad.data.transforms.base import (ImageTransform, RandomTransform, Sometimes, printed,
                                           random_sides)

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


class Resize(ImageTransform):
    """Resize to (height, width), or the shorter side to an int, keeping the proportions.

    Bilinear, and antialiased (Pillow widens the filter when it shrinks an image), on bytes.
    The longer side is cut to an integer, as in torchvision. Raises ValueError for a shape that
    would get more than 89,478,485 pixels, the most that a photograph may have.
    """

    def __init__(self, size: Size) -> None:
        self.size = side_or_sides("Resize", size)

    def apply(self, image: Image.Image) -> Image.Image:
        return resize_image("Resize", image, self.size)

    __repr__ = printed("size", rest="interpolation=bilinear, max_size=None, antialias=True")


class CenterCrop(ImageTransform):
    """The middle `size` = (height, width) or side of the image; black where the image is smaller.

    Halves round to even, Python's and so torchvision's way.
    """

    def __init__(self, size: Size) -> None:
        self.size = height_and_width("CenterCrop", size)

    def apply(self, image: Image.Image) -> Image.Image:
        left, top = (round((side - crop) / 2) if side >= crop else -((crop - side) // 2)
                     for side, crop in zip(image.size, reversed(self.size)))
        return _crop(image, top, left, *self.size)

    __repr__ = printed("size")


class RandomCrop(RandomTransform):
    """A window of `size` (height, width) or side, anywhere in the padded image.

    `padding` in pixels: all sides, (left and right, top and bottom) or (left, top, right, bottom).
    `padding_mode`: constant (`fill`, a number or one per channel), edge, reflect (a mirror on the
    last pixel: 3 2 | 1 2 3) or symmetric (behind it: 2 1 | 1 2 3). `pad_if_needed` then pads an
    image that is too narrow or too low, on both sides, by what is missing; otherwise it is a
    ValueError.
    """

    def __init__(self, size: Size, padding: int | tuple[int, ...] | None = None,
                 pad_if_needed: bool = False, fill: Fill = 0,
                 padding_mode: str = "constant") -> None:
        self.size = height_and_width("RandomCrop", size)
        self.borders = borders(padding)
        self.padding, self.pad_if_needed = padding, pad_if_needed
        self.fill = colour("RandomCrop", fill)
        demand(padding_mode in PADDING_MODES, f"RandomCrop: padding_mode must be one of "
               f"{', '.join(PADDING_MODES)}, got {padding_mode!r}")
        self.padding_mode = padding_mode

    def draw(self, image: Image.Image, rng: np.random.Generator) -> tuple[int, int]:
        """(top, left) of the window in the padded image."""
        free = [side - crop for side, crop in zip(self.padded(image).size[::-1], self.size)]
        demand(min(free) >= 0, f"RandomCrop: size {self.size} is larger than the image "
               f"{image.size[::-1]} (height, width); resize it before, or use pad_if_needed=True")
        return int(rng.integers(free[0] + 1)), int(rng.integers(free[1] + 1))

    def apply(self, image: Image.Image, top: int, left: int) -> Image.Image:
        return _crop(self.padded(image), top, left, *self.size)

    def padded(self, image: Image.Image) -> Image.Image:
        """The image in its borders."""
        image = self._pad(image, *self.borders)
        if self.pad_if_needed:
            wide, high = (max(crop - side, 0) for crop, side in zip(self.size[::-1], image.size))
            image = self._pad(image, wide, high, wide, high)
        return image

    def _pad(self, image: Image.Image, *borders: int) -> Image.Image:
        if not any(borders):
            return image
        if self.padding_mode == "constant":
            return ImageOps.expand(image, borders, _per_band(self.fill, image))
        left, top, right, bottom = borders
        pixels, mode = np.asarray(image), self.padding_mode
        widths = [(top, bottom), (left, right), (0, 0)][:pixels.ndim]
        return Image.fromarray(np.pad(pixels, widths, mode))  # type: ignore[call-overload]

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding}" + "".join(
            f", {name}={value}" for name, value, default in (
                ("pad_if_needed", self.pad_if_needed, False), ("fill", self.fill, 0),
                ("padding_mode", self.padding_mode, "constant")) if value != default) + ")"


class RandomResizedCrop(RandomTransform):
    """A window of random area and proportions, resized to `size`: (height, width) or side.

    Area: uniform in `scale` times the image's. Width to height: log-uniform in `ratio`. Ten tries
    to fit it into the image; then the largest central window of allowed proportions.
    Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6.
    """

    def __init__(self, size: Size, scale: Range = (0.08, 1.0),
                 ratio: Range = (3 / 4, 4 / 3)) -> None:
        self.size = height_and_width("RandomResizedCrop", size)
        self.scale = interval("RandomResizedCrop", "scale", scale, 0, math.inf)
        self.ratio = interval("RandomResizedCrop", "ratio", ratio, 0, math.inf)
        demand(self.scale[1] > 0 and self.ratio[0] > 0, "RandomResizedCrop: scale and ratio must "
               f"be positive, got scale={scale}, ratio={ratio}")

    def draw(self, image: Image.Image, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the window."""
        for _ in range(10):
            width, height = random_sides(image.width * image.height, self.scale, self.ratio, rng)
            if 0 < width <= image.width and 0 < height <= image.height:
                return (int(rng.integers(image.height - height + 1)),
                        int(rng.integers(image.width - width + 1)), height, width)
        width, height = image.size
        if width / height < self.ratio[0]:
            height = round(width / self.ratio[0])
        elif width / height > self.ratio[1]:
            width = round(height * self.ratio[1])
        return (image.height - height) // 2, (image.width - width) // 2, height, width

    def apply(self, image: Image.Image, top: int, left: int, height: int,
              width: int) -> Image.Image:
        window = _crop(image, top, left, height, width)
        return window.resize(self.size[::-1], Image.Resampling.BILINEAR)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in pair) for pair in (self.scale, self.ratio))
        return (f"RandomResizedCrop(size={self.size}, scale={scale}, ratio={ratio}, "
                "interpolation=bilinear, antialias=True)")


class RandomHorizontalFlip(Sometimes):
    """Left becomes right with probability `p`."""

    def change(self, image: Image.Image) -> Image.Image:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


class RandomVerticalFlip(Sometimes):
    """Top becomes bottom with probability `p`: for photographs without an up, as from above."""

    def change(self, image: Image.Image) -> Image.Image:
        return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


class RandomRotation(RandomTransform):
    """Turn about the centre by an angle uniform in `degrees`: (low, high), or d for (-d, d).

    Counter-clockwise; the nearest pixel is taken, and `fill` outside the image.
    """

    def __init__(self, degrees: float | Range, fill: Fill = 0) -> None:
        if isinstance(degrees, Real) and degrees >= 0:
            degrees = (-degrees, degrees)
        self.degrees = list(interval("RandomRotation", "degrees", degrees, -math.inf, math.inf))
        self.fill = colour("RandomRotation", fill)

    def draw(self, image: Image.Image, rng: np.random.Generator) -> tuple[float]:
        """(angle in degrees,)"""
        low, high = self.degrees
        return (rng.uniform(low, high),)

    def apply(self, image: Image.Image, angle: float) -> Image.Image:
        return image.rotate(angle, Image.Resampling.NEAREST,
                            fillcolor=_per_band(self.fill, image))

    def __repr__(self) -> str:
        return (f"RandomRotation(degrees={self.degrees}, interpolation=nearest, expand=False, "
                f"fill={self.fill})")


def _crop(image: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    return image.crop((left, top, left + width, top + height))


def _per_band(fill: Fill, image: Image.Image) -> Fill:
    """A fill as Pillow takes it: a tuple where the image has several channels."""
    bands = len(image.getbands())
    values = fill if isinstance(fill, tuple) else (fill,) * bands
    return values if bands > 1 else values[0]
