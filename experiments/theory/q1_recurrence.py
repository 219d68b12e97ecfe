"""The recurrence of question 1, I_{k-1} = L_{k-1} + g * up(I_k), for any g and any meaning of L.

Written independently of the `pyramids` package, whose own filters are one case (`BINOMIAL`).
"""

from __future__ import annotations

import itertools

import numpy as np

from pyramids import expand_to, gaussian_pyramid, pyr_down, pyr_up

SIDES = range(1, 34)  # 1,089 shapes, 1x1 to 33x33
EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)


def rebuild_errors(image, down, up, detail=np.subtract):
    """Largest |rebuilt I_k - I_k| per level k, with L_k = detail(I_k, up(I_{k+1})).

    image (H, W) of a signed dtype; `down(x)` halves (rounding up), `up(x, shape)` doubles.
    """
    images = [image]
    while max(images[-1].shape) > 1:
        images.append(down(images[-1]))
    rebuilt, errors = images[-1], [0.0]
    for finer, coarser in reversed(list(itertools.pairwise(images))):
        kept = detail(finer, up(coarser, finer.shape))
        rebuilt = kept + up(rebuilt, finer.shape)
        errors.append(float(np.abs(rebuilt - finer).max()))
    return errors[::-1]


def filters_of(g):
    """The answer's two filters: (g * x, every other sample) and g * (each sample doubled)."""
    def down(x):
        return convolve(x, g)[::2, ::2]

    def up(x, shape):
        return convolve(x.repeat(2, 0).repeat(2, 1)[:shape[0], :shape[1]], g)

    return down, up


def rounded(filters):
    """The same two filters on integers, each result rounded."""
    return [lambda x, *shape, f=f: np.rint(f(x, *shape)).astype(x.dtype) for f in filters]


def convolve(x, g):
    """Weighted sum of shifted images: weights g (h, w), edge samples repeated beyond the edge."""
    (height, width), (h, w) = x.shape, g.shape
    rows = np.clip(np.arange(height + h - 1) - (h - 1) // 2, 0, height - 1)
    columns = np.clip(np.arange(width + w - 1) - (w - 1) // 2, 0, width - 1)
    extended = x[rows][:, columns]
    return sum(g[i, j] * extended[i:i + height, j:j + width] for i, j in np.ndindex(h, w))


def gaussian(size, sigma):
    """(size, size) samples of a Gaussian, centred, with sum 1."""
    t = np.arange(size) - (size - 1) / 2
    profile = np.exp(-t * t / (2 * sigma**2))
    g = np.outer(profile, profile)
    return g / g.sum()


def laplacian(x):
    """Second differences along both axes, f(i-1) - 2 f(i) + f(i+1), edge samples repeated."""
    return convolve(x, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))


WRITTEN_G = gaussian(2, np.sqrt(2))
BINOMIAL = pyr_down, pyr_up


def photo_levels(photo, pyramid):
    """One dict per level: its shape, and the largest error of each way to rebuild it.

    `wrong_samples` counts those of the colour photograph in integers; the others are largest errors
    on its grey version, in grey levels of 0..255.
    """
    images = gaussian_pyramid(photo, axes=(0, 1))
    misses = [expand_to(pyramid, k).astype(np.int16) - image for k, image in enumerate(images)]
    grey = sum(weight * photo[..., c] for c, weight in enumerate((0.299, 0.587, 0.114)))
    columns = {
        "wrong_samples": [np.count_nonzero(miss) for miss in misses],
        "integers": [float(np.abs(miss).max()) for miss in misses],
        "float32": rebuild_errors(grey.astype(np.float32), *BINOMIAL),
        "float64": rebuild_errors(grey, *BINOMIAL),
        "nabla2": rebuild_errors(grey, *filters_of(WRITTEN_G), lambda x, _: laplacian(x)),
        "minus_nabla2": rebuild_errors(grey, *BINOMIAL, lambda x, _: -laplacian(x)),
    }
    return [{"level": k, "shape": list(image.shape[:2]),
             **{name: column[k] for name, column in columns.items()}}
            for k, image in enumerate(images)]


def all_shapes(rng):
    """Every level of all 1,089 shapes: wrong integer images, and float64 error in eps max|I|.

    `..._per_step` is a level's error divided by its number of steps from the 1x1 top.
    """
    names = "binomial", "2x2 Gaussian", "random g"
    wrong, error, per_step = (dict.fromkeys(names, 0) for _ in range(3))
    for shape in itertools.product(SIDES, SIDES):
        whole, real = rng.integers(0, 256, shape, np.int16), rng.random(shape)
        g = rng.random(rng.integers(1, 5, 2))
        every = BINOMIAL, filters_of(WRITTEN_G), filters_of(g / g.sum())
        for name, filters in zip(names, every, strict=True):
            wrong[name] += any(rebuild_errors(whole, *rounded(filters)))
            errors = np.array(rebuild_errors(real, *filters)[::-1]) / (EPS * real.max())
            steps = np.maximum(np.arange(len(errors)), 1)  # the top itself took none
            error[name] = max(error[name], float(errors.max()))
            per_step[name] = max(per_step[name], float((errors / steps).max()))
    return {"count": len(SIDES)**2, "wrong_integer_images": wrong, "float64_error_in_eps": error,
            "float64_error_in_eps_per_step": per_step}
