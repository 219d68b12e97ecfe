"""Building a Laplacian pyramid of six levels and rebuilding the image, beside two libraries.

OpenCV has the two filters (`pyrDown`, `pyrUp`), so the same loop is written out for it, with
differences of 8-bit images kept in 16 bits. scikit-image only builds: its levels
(`pyramid_laplacian`) cannot be put together again.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.benchmarks.harness import Row, race
from pyramids import collapse, laplacian_pyramid

LEVELS = 6


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """A large grey float32 image and a colour uint8 one, beside cv2 and skimage where installed."""
    rng = np.random.default_rng(0)
    yield _race(rng.random((2048, 2048), np.float32), peers)
    yield _race(rng.integers(0, 256, (1024, 1024, 3), np.uint8), peers)


def extra_memory(image) -> float:
    """Peak memory of build and collapse beyond what they return, in sizes of `image`."""
    peaks, result = [], image
    for step in (lambda x: laplacian_pyramid(x, LEVELS, axes=(0, 1)), collapse):
        tracemalloc.start()
        result = step(result)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        peaks.append(peak - held)
    return max(peaks) / image.nbytes


def with_opencv(cv2, image):
    """`collapse(laplacian_pyramid(image))` written with OpenCV."""
    signed, unsigned = (cv2.CV_16S, cv2.CV_8U) if image.dtype == np.uint8 else (-1, -1)
    details = []
    for _ in range(LEVELS - 1):
        smaller = cv2.pyrDown(image)
        expanded = cv2.pyrUp(smaller, dstsize=image.shape[1::-1])
        details.append(cv2.subtract(image, expanded, dtype=signed))
        image = smaller
    for detail in reversed(details):
        image = cv2.add(detail, cv2.pyrUp(image, dstsize=detail.shape[1::-1]), dtype=unsigned)
    return image


def _race(image, peers) -> Row:
    contenders = {}
    if "skimage" in peers:
        from skimage.transform import pyramid_laplacian

        channels = -1 if image.ndim == 3 else None
        contenders["scikit-image"] = lambda: list(pyramid_laplacian(
            image, max_layer=LEVELS - 1, channel_axis=channels, preserve_range=True))
    if "cv2" in peers:
        contenders["OpenCV"] = lambda: with_opencv(peers["cv2"], image)
    contenders["pyramids"] = lambda: collapse(laplacian_pyramid(image, LEVELS, axes=(0, 1)))
    size = "x".join(map(str, image.shape))
    row = race(f"{size} {image.dtype}, {LEVELS} levels, build + collapse (scikit-image: build)",
               "image", 1, contenders)
    return row._replace(extra={"peak extra memory, in images": extra_memory(image)})
