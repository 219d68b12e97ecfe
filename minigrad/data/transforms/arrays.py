"""Transforms from images to arrays, and of arrays."""

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from PIL import Image

from minigrad.arguments import demand
from minigrad.data.arguments import Channels, Range, check_channels, interval, probability
from minigrad.data.transforms.base import ArrayTransform, ImageTransform, printed, random_sides


class ToArray(ImageTransform):
    """Pillow image (RGB or grey) -> float32 array (C, H, W), contiguous, in 0..1: bytes / 255."""

    def apply(self, image: Image.Image) -> np.ndarray:
        demand(image.mode in ("RGB", "L"), "ToArray: the image's mode must be RGB or L, got "
               f"{image.mode}; convert it before")
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        out = np.empty((pixels.shape[2], *pixels.shape[:2]), np.float32)
        return np.divide(pixels.transpose(2, 0, 1), 255, out=out, dtype=np.float32)

    __repr__ = printed()


class ToTensor(ToArray):
    """PyTorch's name of ToArray. It gives an array; batches become Tensors where they are used."""


class Normalize(ArrayTransform):
    """y = (x - mean) / std, channel by channel, on arrays (C, H, W)."""

    def __init__(self, mean: Channels, std: Channels) -> None:
        self.mean, self.std = mean, std
        check_channels("Normalize", mean, std)

    def apply(self, x: np.ndarray) -> np.ndarray:
        demand(len(x) == len(self.mean),
               f"Normalize: mean has {len(self.mean)} channels, the image {len(x)}")
        y = x - np.array(self.mean, x.dtype)[:, None, None]
        y /= np.array(self.std, x.dtype)[:, None, None]
        return y

    __repr__ = printed("mean", "std")


class RandomErasing(ArrayTransform):
    """Cover a random rectangle of an array (C, H, W) with probability `p`.

    Area: uniform in `scale` times the image's. Height to width: log-uniform in `ratio`. Ten tries
    to find one that is smaller than the image both ways; then nothing is covered. `value`: a
    number, one per channel, or "random" for normal noise, a draw for every pixel and channel.
    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, algorithm 1.
    """

    def __init__(self, p: float = 0.5, scale: Range = (0.02, 0.33), ratio: Range = (0.3, 3.3),
                 value: float | Sequence[float] | str = 0) -> None:
        self.p = probability("RandomErasing", p)
        self.scale, self.ratio, self.value = scale, ratio, value
        interval("RandomErasing", "scale", scale, 0, 1)
        demand(interval("RandomErasing", "ratio", ratio, 0, math.inf)[0] > 0,
               f"RandomErasing: ratio must be positive, got {ratio!r}")
        numbers = value if isinstance(value, (tuple, list)) else (value,)
        demand(isinstance(value, str) and value == "random" or numbers and all(
            isinstance(v, Real) and math.isfinite(v) for v in numbers), "RandomErasing: value must "
            f'be a number, one per channel or "random", got {value!r}')

    def draw(self, x: np.ndarray,
             rng: np.random.Generator) -> tuple[()] | tuple[int, int, np.ndarray]:
        """(top, left, and what is put there (C, height, width)), or () to leave all as it is."""
        channels, rows, columns = x.shape
        if rng.random() >= self.p:
            return ()
        for _ in range(10):
            height, width = random_sides(rows * columns, self.scale, self.ratio, rng)
            if height < rows and width < columns:
                cover = self._cover((channels, height, width), x.dtype, rng)
                return (int(rng.integers(rows - height + 1)),
                        int(rng.integers(columns - width + 1)), cover)
        return ()

    def apply(self, x: np.ndarray, top: int = 0, left: int = 0,
              cover: np.ndarray | None = None) -> np.ndarray:
        if cover is None:
            return x
        y = x.copy()
        y[:, top:top + cover.shape[1], left:left + cover.shape[2]] = cover
        return y

    def _cover(self, shape: tuple[int, int, int], dtype: np.dtype,
               rng: np.random.Generator) -> np.ndarray:
        if isinstance(self.value, str):
            return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)
        values = np.array(self.value, dtype).reshape(-1, 1, 1)
        demand(len(values) in (1, shape[0]),
               f"RandomErasing: value has {len(values)} channels, the image {shape[0]}")
        return np.broadcast_to(values, shape)

    __repr__ = printed("p", "scale", "ratio", "value", rest="inplace=False")
