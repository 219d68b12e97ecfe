"""What comes back from a pyramid, and what does not: wrong bits, and pictures of them."""

from __future__ import annotations

import numpy as np

from experiments.claims import HOLDS, WRONG, Claim, check
from experiments.pyramid_pictures.photograph import AXES, size
from experiments.style import new_figure
from pyramids import (collapse, expand_to, gaussian_pyramid, laplacian_pyramid, psnr, pyr_down,
                      pyr_up)

INTEGERS = np.uint8, np.int16, np.uint16, np.int32
SPECIAL = np.nan, np.inf, -np.inf, -0.0, 5e-324, -1e-310


def claims(photo, rng) -> tuple[Claim, ...]:
    """Exactness in integers and floats, what it does not prove, and how 8-bit differences fail."""
    return integers(photo, rng), floats(rng), not_a_proof(rng), saturation(photo, rng)


def integers(photo, rng) -> Claim:
    images, pyramid = (build(photo.full, axes=AXES)
                       for build in (gaussian_pyramid, laplacian_pyramid))
    wrong = [np.count_nonzero(expand_to(pyramid, k) != image) for k, image in enumerate(images)]
    numbers = sum(level.size for level in pyramid) / photo.full.size
    noise = {}
    for dtype in INTEGERS:
        limits, lost = np.iinfo(dtype), 0
        for shape in rng.integers(1, 48, (40, 2)):
            image = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
            lost += np.count_nonzero(collapse(laplacian_pyramid(image)) != image)
        noise[f"wrong samples of noise, {np.dtype(dtype)}"] = lost
    return Claim(
        id="pyramids.integers",
        written="the 1x1 top and the differences L rebuild every level of an integer image, bit "
                "for bit",
        measured=f"{sum(wrong)} wrong samples in the {len(wrong)} levels of the photograph, "
                 f"{size(photo.full)} pixels; {sum(noise.values())} in 160 noise images of four "
                 f"dtypes; {numbers:.3f} numbers are kept per sample",
        why="L holds what the rounded prediction misses, in a type twice as wide: nothing rounds",
        documented=HOLDS,
        as_written=check("wrong samples, all levels of the photograph", sum(wrong), "==", 0),
        evidence=(check("wrong samples of noise", sum(noise.values()), "==", 0),
                  check("longest side of the top", max(pyramid[-1].shape[:2]), "==", 1)),
        routes=noise,
    )


def floats(rng) -> Claim:
    worst, lost = 0.0, 0
    for dtype in (np.float32, np.float64):
        for shape in rng.integers(1, 48, (40, 2)):
            noise = rng.standard_normal(shape)
            for image in (rng.random(shape), noise, np.exp(4 * noise)):
                image = image.astype(dtype)
                error = np.abs(collapse(laplacian_pyramid(image)) - image).max()
                worst = max(worst, float(error / (np.finfo(dtype).eps * np.abs(image).max())))
            image[rng.random(shape) < 0.1] = rng.choice(SPECIAL)
            back = collapse(laplacian_pyramid(image, exact=True))
            lost += np.count_nonzero(bits(back) != bits(image))
    return Claim(
        id="pyramids.floats",
        written="float images come back within 2 eps max|I|, and with exact=True bit for bit",
        measured=f"at most {worst:.2f} eps max|I| on 240 images, uniform, normal and log-normal; "
                 f"{lost} wrong bit patterns with exact=True, nan, inf, -0.0 and subnormals among "
                 "them",
        why="the same prediction is subtracted and added, so that each rounds once; exact=True "
            "subtracts bit patterns instead",
        documented=HOLDS,
        as_written=check("largest error in eps max|I|", worst, "<=", 2.0),
        evidence=(check("wrong bit patterns with exact=True", lost, "==", 0),),
    )


def not_a_proof(rng) -> Claim:
    """The slip of leaving out the gain of 4, which an exact reconstruction does not show."""
    def slip(x, shape):
        return pyr_up(x, shape) / 4

    image, flat = rng.random((47, 64)), np.full((47, 64), 0.7)
    small = pyr_down(image)
    back = (image - slip(small, image.shape)) + slip(small, image.shape)
    error = float(np.abs(back - image).max())
    left = {"pyr_up": float(np.abs(flat - pyr_up(pyr_down(flat), flat.shape)).max()),
            "pyr_up without its gain": float(np.abs(flat - slip(pyr_down(flat), flat.shape)).max())}
    return Claim(
        id="pyramids.not_a_proof",
        written="who rebuilds the image exactly has the right filters",
        measured=f"without the gain of 4, it is rebuilt within {error:.0e}, but L of a constant "
                 f"0.7 is {left['pyr_up without its gain']:.3f} and not 0",
        why="L keeps what the prediction misses, whatever predicts: test constants, ramps and x^2",
        documented=WRONG,
        as_written=check("L of a constant, expanding without the gain",
                         left["pyr_up without its gain"], "<=", 1e-15),
        evidence=(check("error of the image rebuilt without the gain", error, "<=", 1e-15),
                  check("L of a constant with pyr_up", left["pyr_up"], "<=", 1e-15)),
        routes=left,
    )


def saturation(photo, rng) -> Claim:
    noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
    damage = {}
    for name, image in (("photograph", photo.view), ("noise", noise)):
        back = saturated(image)
        damage[name] = np.count_nonzero(back != image) / image.size, psnr(image, back)
    return Claim(
        id="pyramids.saturation",
        written="differences of 8-bit images can be kept in 8 bits, negative ones as 0",
        measured="; ".join(f"{name}: {share:.1%} of the samples wrong, {quality:.1f} dB"
                           for name, (share, quality) in damage.items()),
        why="half of all differences are negative; they need the type twice as wide",
        documented=WRONG,
        as_written=check("share of wrong samples of noise", damage["noise"][0], "==", 0.0),
        routes={f"PSNR of the {name}, dB": quality for name, (_, quality) in damage.items()},
    )


def saturated(image):
    """The image rebuilt in uint8 arithmetic that stops at 0 and 255, as `cv2.subtract` does."""
    images = gaussian_pyramid(image, axes=AXES)
    back = images[-1]
    for level, smaller in zip(images[-2::-1], images[::-1]):
        predicted = pyr_up(smaller, level.shape, axes=AXES).astype(int)
        detail = np.clip(level - predicted, 0, 255)
        back = np.clip(detail + pyr_up(back, level.shape, axes=AXES), 0, 255).astype(np.uint8)
    return back


def errors(photo):
    """Four ways to rebuild the photograph; black is bit-exact, and white is not."""
    real = photo.view.astype(np.float32) / 255
    rebuilt = {
        "integers": (photo.view, collapse(photo.details)),
        "float32": (real, collapse(laplacian_pyramid(real, axes=AXES))),
        "float32, exact=True": (real, collapse(laplacian_pyramid(real, axes=AXES, exact=True))),
        "8-bit differences": (photo.view, saturated(photo.view)),
    }
    height, width = photo.view.shape[:2]
    columns = 4 if height > 0.6 * width else 2
    panel = 8 / columns
    rows = 4 // columns
    figure = new_figure(8, rows * (panel * min(height / width, 2.5) + 0.75))
    for ax, (name, (image, back)) in zip(figure.subplots(rows, columns).ravel(), rebuilt.items()):
        wrong = bits(image) != bits(back)
        ax.imshow(wrong.any(axis=-1), cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
        worst = np.abs(back.astype(np.float64) - image).max()
        ax.set_title(f"{name}\n{wrong.mean():.2%} wrong\nby up to {worst:.3g}", fontsize=10)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    return figure


def bits(array):
    """The bit patterns of an array, as unsigned integers."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
