"""Transforms from images to arrays, and of arrays."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from minigrad.data.arguments import channels_of, interval, probability
from minigrad.data.transforms.base import ArrayTransform, Drawing, ImageTransform


class ToArray(ImageTransform):
    """Pillow image (RGB or grey) -> float32 array (C, H, W), contiguous, in 0..1: bytes / 255."""

    def apply(self, image):
        if image.mode not in ("RGB", "L"):
            raise ValueError(f"ToArray: the image's mode must be RGB or L, got {image.mode}; "
                             "convert it before")
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        out = np.empty((pixels.shape[2], *pixels.shape[:2]), np.float32)
        return np.divide(pixels.transpose(2, 0, 1), 255, out=out, dtype=np.float32)

    def __repr__(self):
        return "ToArray()"


class ToTensor(ToArray):
    """PyTorch's name of ToArray. It gives an array; batches become Tensors where they are used."""

    def __repr__(self):
        return "ToTensor()"


class Normalize(ArrayTransform):
    """y = (x - mean) / std, channel by channel, on arrays (C, H, W)."""

    def __init__(self, mean, std):
        self.mean, self.std = mean, std
        channels_of("Normalize", mean, std)

    def apply(self, x):
        if len(x) != len(self.mean):
            raise ValueError(f"Normalize: mean has {len(self.mean)} channels, the image {len(x)}")
        y = x - np.array(self.mean, x.dtype)[:, None, None]
        y /= np.array(self.std, x.dtype)[:, None, None]
        return y

    def __repr__(self):
        return f"Normalize(mean={self.mean}, std={self.std})"


class RandomErasing(Drawing, ArrayTransform):
    """Cover a random rectangle of an array (C, H, W) with probability `p`.

    Area: uniform in `scale` times the image's. Height to width: log-uniform in `ratio`. Ten tries
    to find one that is smaller than the image both ways; then nothing is covered. `value`: a
    number, one per channel, or "random" for normal noise, a draw for every pixel and channel.
    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, algorithm 1.
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0):
        self.p = probability("RandomErasing", p)
        self.scale, self.ratio, self.value = scale, ratio, value
        interval("RandomErasing", "scale", scale, 0, 1)
        if interval("RandomErasing", "ratio", ratio, 0, math.inf)[0] == 0:
            raise ValueError(f"RandomErasing: ratio must be positive, got {ratio!r}")
        numbers = value if isinstance(value, (tuple, list)) else (value,)
        if not (isinstance(value, str) and value == "random") and not (numbers and all(
                isinstance(v, Real) and math.isfinite(v) for v in numbers)):
            raise ValueError('RandomErasing: value must be a number, one per channel or "random", '
                             f"got {value!r}")

    def draw(self, x, rng):
        """(top, left, and what is put there (C, height, width)), or () to leave all as it is."""
        channels, rows, columns = x.shape
        if rng.random() >= self.p:
            return ()
        for _ in range(10):
            area = rows * columns * rng.uniform(*self.scale)
            ratio = math.exp(rng.uniform(*np.log(self.ratio)))
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if height < rows and width < columns:
                cover = self._cover((channels, height, width), x.dtype, rng)
                return (int(rng.integers(rows - height + 1)),
                        int(rng.integers(columns - width + 1)), cover)
        return ()

    def apply(self, x, top=0, left=0, cover=None):
        if cover is None:
            return x
        y = x.copy()
        y[:, top:top + cover.shape[1], left:left + cover.shape[2]] = cover
        return y

    def _cover(self, shape, dtype, rng):
        if isinstance(self.value, str):
            return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)
        values = np.array(self.value, dtype).reshape(-1, 1, 1)
        if len(values) not in (1, shape[0]):
            raise ValueError(f"RandomErasing: value has {len(values)} channels, the image "
                             f"{shape[0]}")
        return np.broadcast_to(values, shape)

    def __repr__(self):
        return (f"RandomErasing(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
                f"value={self.value}, inplace=False)")
