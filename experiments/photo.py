"""The photograph that question 1 takes apart: matplotlib's Grace Hopper, or the user's own."""

from __future__ import annotations

import numpy as np


def load_photo(path: str | None = None) -> np.ndarray:
    """(H, W, 3) uint8: the image file at `path`, or the photograph that matplotlib installs.

    Read by the rules of `minigrad.data.read_image`, as all photographs are. Raises its ImageError,
    an OSError of one line that names the path, if it cannot be read.
    """
    from minigrad.data import read_image

    return np.array(read_image(_sample_path() if path is None else path))


def _sample_path():
    from matplotlib import cbook

    return cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
