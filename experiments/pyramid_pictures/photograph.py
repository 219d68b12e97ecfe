"""The photograph of the page: as it is, at drawing size, in grey, and the levels of each."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pyramids import Pyramid, gaussian_pyramid, laplacian_pyramid, pyr_down

AXES = (0, 1)  # of an image (H, W, 3)
SIDE = 800     # pixels of the longer side that a drawing needs at most


class Photograph:
    """`full` (H, W, 3) uint8 and, for drawing and coding, `view`: its first level that fits `SIDE`.

    `view` is `full` itself if that fits. `grey` (H, W) uint8 is the luma of the view (Rec. 601).
    """

    def __init__(self, full: np.ndarray):
        self.full = self.view = full
        self.halvings = 0
        while max(self.view.shape) > SIDE:
            self.view = pyr_down(self.view, axes=AXES)
            self.halvings += 1
        self.grey = np.rint(self.view @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)

    @cached_property
    def images(self) -> Pyramid:
        """The Gaussian levels of the view."""
        return gaussian_pyramid(self.view, axes=AXES)

    @cached_property
    def details(self) -> Pyramid:
        """The Laplacian levels of the view, in integers."""
        return laplacian_pyramid(self.view, axes=AXES)

    @cached_property
    def grey_details(self) -> Pyramid:
        """The Laplacian levels of the grey view, in integers."""
        return laplacian_pyramid(self.grey)

    @cached_property
    def scale(self) -> float:
        """The difference that is drawn white in every L_k, minus it black: 99.5% are smaller."""
        sizes = [np.abs(detail).ravel() for detail in self.details[:-1]] or [np.zeros(1)]
        return max(float(np.quantile(np.concatenate(sizes), 0.995)), 1.0)

    def centred(self, k: int) -> np.ndarray:
        """L_k as a picture with values 0..1: 0 is mid-grey, -scale black, +scale white.

        The top, which is no difference, is as it is.
        """
        detail = self.details[k]
        if k == len(self.details) - 1:
            return detail / 255
        return np.clip(0.5 + detail / (2 * self.scale), 0, 1)


def size(image: np.ndarray) -> str:
    """Width times height of an image, such as 512×600."""
    return f"{image.shape[1]}×{image.shape[0]}"
