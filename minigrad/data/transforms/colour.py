"""Transforms of the colours: brightness and its kin, grey, blur."""

import math
from numbers import Real

import numpy as np
from PIL import Image, ImageEnhance

from minigrad.arguments import demand, is_integer, plain
from minigrad.data.arguments import Range, Size, interval
from minigrad.data.transforms.base import ImageTransform, RandomTransform, Sometimes, printed


def _shift_hue(image: Image.Image, factor: float) -> Image.Image:
    if image.mode == "L":
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.uint8(int(255 * factor) % 256)    # bytes wrap round, as hues do
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(image.mode)


_CHANGES = {"brightness": lambda image, factor: ImageEnhance.Brightness(image).enhance(factor),
            "contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(factor),
            "saturation": lambda image, factor: ImageEnhance.Color(image).enhance(factor),
            "hue": _shift_hue}


class ColorJitter(RandomTransform):
    """Brightness, contrast, saturation and hue changed by random factors, in random order.

    The first three: a factor uniform in (low, high), or v for (max(0, 1 - v), 1 + v). `hue`: a
    shift uniform in (low, high) within (-0.5, 0.5), or v for (-v, v); 1 is once round the wheel.
    """

    def __init__(self, brightness: float | Range = 0, contrast: float | Range = 0,
                 saturation: float | Range = 0, hue: float | Range = 0) -> None:
        self.brightness = self._factors("brightness", brightness)
        self.contrast = self._factors("contrast", contrast)
        self.saturation = self._factors("saturation", saturation)
        hue = (-hue, hue) if isinstance(hue, Real) and hue >= 0 else hue
        hue = interval("ColorJitter", "hue", hue, -0.5, 0.5)
        self.hue = None if hue == (0, 0) else hue

    @staticmethod
    def _factors(name: str, value: float | Range) -> Range | None:
        if isinstance(value, Real) and value >= 0:
            value = max(0, 1 - value), 1 + value
        low, high = interval("ColorJitter", name, value, 0, math.inf)
        return None if low == high == 1 else (low, high)

    def draw(self, image: Image.Image, rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
        """(name, factor) of each change, in the order of their application."""
        names = [list(_CHANGES)[k] for k in rng.permutation(4)]
        return tuple((name, rng.uniform(*pair)) for name in names
                     if (pair := getattr(self, name)) is not None)

    def apply(self, image: Image.Image, *changes: tuple[str, float]) -> Image.Image:
        for name, factor in changes:
            image = _CHANGES[name](image, factor)
        return image

    __repr__ = printed(*_CHANGES)


class Grayscale(ImageTransform):
    """Grey, as one channel or as three that are alike: 0.299 R + 0.587 G + 0.114 B (Rec. 601)."""

    def __init__(self, num_output_channels: int = 1) -> None:
        demand(type(num_output_channels) is int and num_output_channels in (1, 3),
               f"Grayscale: num_output_channels must be 1 or 3, got {num_output_channels!r}")
        self.num_output_channels = num_output_channels

    def apply(self, image: Image.Image) -> Image.Image:
        return _grey(image, self.num_output_channels)

    __repr__ = printed("num_output_channels")


class RandomGrayscale(Sometimes):
    """Grey with probability `p`, in as many channels as before."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, image: Image.Image) -> Image.Image:
        return _grey(image, len(image.getbands()))


class GaussianBlur(RandomTransform):
    """Blur with a Gaussian whose deviation is uniform in `sigma`: (low, high) pixels, or a number.

    kernel_size: the window, (width, height) or side, odd numbers of pixels. The Gaussian is cut off
    at its edge and its sum made 1; beyond the image lies its mirror on the last pixel. An image
    that is not larger than half the window is a ValueError.
    """

    def __init__(self, kernel_size: Size, sigma: float | Range = (0.1, 2.0)) -> None:
        sides = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * 2
        demand(len(sides) == 2 and all(is_integer(n, 1) and n % 2 for n in sides), "GaussianBlur: "
               f"kernel_size must be one or two odd positive integers, got {kernel_size!r}")
        self.kernel_size = plain(sides)
        self.sigma = sigma if isinstance(sigma, (tuple, list)) else (sigma, sigma)
        demand(interval("GaussianBlur", "sigma", self.sigma, 0, math.inf)[0] > 0,
               f"GaussianBlur: sigma must be positive, got {sigma!r}")

    def draw(self, image: Image.Image, rng: np.random.Generator) -> tuple[float]:
        """(sigma in pixels,)"""
        return (rng.uniform(*self.sigma),)

    def apply(self, image: Image.Image, sigma: float) -> Image.Image:
        pixels = np.asarray(image)
        width, height = (size // 2 + 1 for size in self.kernel_size)
        demand(image.width >= width and image.height >= height, f"GaussianBlur: kernel_size "
               f"{self.kernel_size} needs an image of at least {width} x {height} pixels, got "
               f"{image.width} x {image.height}; resize it before")
        smooth = pixels.astype(np.float32)
        for axis, size in ((1, self.kernel_size[0]), (0, self.kernel_size[1])):
            smooth = _blur(smooth, axis, size, sigma)
        return Image.fromarray(np.rint(smooth).astype(np.uint8))

    __repr__ = printed("kernel_size", "sigma")


def _blur(pixels: np.ndarray, axis: int, size: int, sigma: float) -> np.ndarray:
    """Weighted sums along an axis, tap by tap."""
    x = np.arange(size) - size // 2
    weights = np.exp(-0.5 * (x / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    borders = [(0, 0)] * pixels.ndim
    borders[axis] = (size // 2, size // 2)
    padded = np.moveaxis(np.pad(pixels, borders, "reflect"), axis, 0)
    length = pixels.shape[axis]
    out = sum(weight * padded[k:k + length] for k, weight in enumerate(weights))
    return np.moveaxis(out, 0, axis)


def _grey(image: Image.Image, channels: int) -> Image.Image:
    grey = image.convert("L")
    return grey if channels == 1 else Image.merge("RGB", (grey,) * 3)
