"""The photograph that question 1 takes apart: matplotlib's Grace Hopper, or the user's own."""

from __future__ import annotations

import warnings

import numpy as np


def load_photo(path: str | None = None) -> np.ndarray:
    """(H, W, 3) uint8: the image file at `path`, or the photograph that matplotlib installs.

    Any mode and size that Pillow reads: turned upright, transparency dropped, 16-bit and float
    samples stretched to 0..255. OSError, in one line that names the path, if it cannot be read.
    """
    from PIL import Image, ImageOps

    path = path or _sample_path()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                image = ImageOps.exif_transpose(file)
                if image.mode == "F" or image.mode.startswith("I"):
                    image = Image.fromarray(_stretched(np.asarray(image)))
                return np.array(image.convert("RGB"))
    except Exception as error:  # decoders raise whatever a broken file leads to
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise OSError(f"cannot read image {path}: {reason}; give a readable JPEG or PNG photograph"
                      ) from error


def _sample_path():
    from matplotlib import cbook

    return cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)


def _stretched(samples):
    """Grey samples of any range as uint8, the smallest 0 and the largest 255."""
    samples = samples.astype(np.float32)
    low, high = samples.min(), samples.max()
    return np.rint((samples - low) * (255 / max(high - low, 1e-30))).astype(np.uint8)
