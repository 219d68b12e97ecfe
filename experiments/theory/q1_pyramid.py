"""Question 1: what must be stored to rebuild an image from its Laplacian pyramid?

The answer rebuilds I_{k-1} = L_{k-1} + g * up(I_k) from the 1x1 top down to I_0, and then defines
L_{k-1} as the true Laplacian of I_{k-1}. Measured here: with L_{k-1} = I_{k-1} - g * up(I_k) the
recurrence is right for every filter, size and level; with the true Laplacian it is not.
"""

from __future__ import annotations

import numpy as np

from experiments.claims import CORRECTED, HOLDS, WRONG, Answer, Claim, check
from experiments.photo import load_photo
from experiments.settings import Settings
from experiments.theory import q1_figures
from experiments.theory.q1_recurrence import (BINOMIAL, EPS, EPS32, WRITTEN_G, all_shapes,
                                              filters_of, gaussian, laplacian, photo_levels,
                                              rebuild_errors)
from pyramids import collapse, gaussian_pyramid, laplacian_pyramid, pyr_down, pyr_up


def verify(settings: Settings) -> Answer:
    """Measure every statement of question 1, on a photograph and on images of all small shapes."""
    rng = np.random.default_rng(settings.seed)
    photo = load_photo(settings.image)
    pyramid = laplacian_pyramid(photo, axes=(0, 1))
    levels, shapes = photo_levels(photo, pyramid), all_shapes(rng)
    claims = (storage(levels, shapes), true_laplacian(levels, rng), the_name(rng),
              coarse_image_alone(rng), mean_at_the_top(photo, pyramid, rng))
    return Answer(
        question="q1",
        title="Rebuilding an image from its Laplacian pyramid",
        story=_story(photo, levels, claims),
        claims=claims,
        numbers={"levels": levels, "shapes": shapes},
        figures={
            "pyramid": lambda: q1_figures.pyramid(gaussian_pyramid(photo, axes=(0, 1)), pyramid),
            "rebuilt": lambda: q1_figures.rebuilt(photo, pyramid),
            "errors": lambda: q1_figures.errors(levels),
        },
        captions={
            "pyramid": "The Gaussian levels I_k, and the differences L_k on one scale, grey for 0.",
            "rebuilt": "Rebuilt from the 1x1 top upwards, I_k = L_k + up(I_{k+1}).",
            "errors": "Largest error of every rebuilt level; a line starts at its first error.",
        },
    )


def storage(levels, shapes) -> Claim:
    wrong = sum(level["wrong_samples"] for level in levels)
    binomial = {
        "photograph, float64": max(level["float64"] for level in levels) / (255 * EPS),
        "photograph, float32": max(level["float32"] for level in levels) / (255 * EPS32),
        f"{shapes['count']} shapes, float64": shapes["float64_error_in_eps"]["binomial"],
    }
    any_g = max(shapes["float64_error_in_eps_per_step"].values())
    return Claim(
        id="q1.storage",
        written="I_{k-1} = L_{k-1} + g * up(I_k): the L's and the 1x1 top I_n rebuild I_0",
        measured=f"{wrong} wrong samples in {len(levels)} levels of the photograph in integers; in "
                 f"floats at most {max(binomial.values()):.2f} eps max|I| with the binomial, and "
                 f"{any_g:.2f} eps per step for any g, over {shapes['count']} shapes",
        why="L_{k-1} = I_{k-1} - g * up(I_k) keeps whatever the prediction misses, so any g will "
            "do; integers make the subtraction and the addition exact, floats round each once",
        documented=HOLDS,
        as_written=check("largest error in eps max|I| per step, any g", any_g, "<=", 1),
        evidence=(
            check("largest error in eps max|I| down to 1x1, binomial", max(binomial.values()), "<=",
                  2),
            check("wrong samples of the photograph, every level, integers", wrong, "==", 0),
            check(f"wrong images among {shapes['count']} shapes and 3 kinds of g, integers",
                  sum(shapes["wrong_integer_images"].values()), "==", 0),
            check("longest side of the last level", max(levels[-1]["shape"]), "==", 1),
            check("largest |weight - 1/4| of the written g, sigma 0.5, sqrt 2 and 3",
                  max(float(np.abs(gaussian(2, sigma) - 0.25).max())
                      for sigma in (0.5, 2**0.5, 3)), "<=", EPS),
        ),
        routes={f"binomial, {name}": error for name, error in binomial.items()},
    )


def true_laplacian(levels, rng) -> Claim:
    image = rng.random((32, 32)) * 255  # so that the verdict does not hang on the photograph
    errors = {
        "nabla^2, the written g": rebuild_errors(image, *filters_of(WRITTEN_G),
                                                 lambda x, _: laplacian(x))[0],
        "-nabla^2, binomial": rebuild_errors(image, *BINOMIAL, lambda x, _: -laplacian(x))[0],
    }
    difference = rebuild_errors(image, *filters_of(WRITTEN_G))[0]
    return Claim(
        id="q1.laplacian",
        written="L_{k-1} is the Laplacian nabla^2 I_{k-1}",
        measured=f"rebuilding I_0 is then wrong by up to {levels[0]['nabla2']:.0f} grey levels of "
                 f"255 ({levels[0]['minus_nabla2']:.0f} with -nabla^2 and the binomial); with the "
                 f"difference by {levels[0]['float64']:.0e}",
        why="nabla^2 I is not what g * up(I') misses of I: L must be the difference I - g * up(I')",
        documented=CORRECTED,
        as_written=check("error of the better reading, grey levels", min(errors.values()), "<=",
                         2 * EPS * 255),
        corrected=check("error with the difference, grey levels", difference, "<=", 2 * EPS * 255),
        routes={**errors, "difference": difference},
    )


def the_name(rng) -> Claim:
    """On quadratics p x^2 + q y^2 + r x y + ..., the difference is -(2p + 2q) = -nabla^2."""
    y, x = np.mgrid[:48.0, :48.0]
    worst = {0.375: 0.0, 0.4: 0.0}
    coefficients = (1, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0), *rng.integers(-9, 10, (20, 6))
    for p, q, r, s, t, u in coefficients:
        image = p * x * x + q * y * y + r * x * y + s * x + t * y + u
        for a in worst:
            detail = image - pyr_up(pyr_down(image, a), image.shape, a)
            error = np.abs(detail + 2 * (p + q))[4:-4, 4:-4].max()  # the border has its own rules
            worst[a] = max(worst[a], float(error))
    return Claim(
        id="q1.name",
        written="the differences are called a Laplacian pyramid",
        measured=f"with a = 3/8, I - up(I') is -nabla^2 I on 22 quadratics, x^2 -> -2 and "
                 f"x^2 + y^2 -> -4 among them, off by {worst[0.375]:g}; with a = 0.4 by up to "
                 f"{worst[0.4]:.3g}",
        why="the name is fair: to second order the blurred image exceeds the image by half the "
            "blur's variance times nabla^2, and at a = 3/8 alone this is the same at every pixel",
        documented=HOLDS,
        as_written=check("largest |L + nabla^2 I|, a = 3/8, interior", worst[0.375], "==", 0.0),
        evidence=(check("largest |L + nabla^2 I|, a = 0.4, interior", worst[0.4], ">", 0.1),),
        routes={f"a = {a}": error for a, error in worst.items()},
    )


def coarse_image_alone(rng) -> Claim:
    image = rng.integers(0, 200, (48, 64)).astype(np.float64)
    stripes = np.broadcast_to(20 * (-1.0)**np.arange(64), image.shape)
    same = float(np.abs(pyr_down(image + stripes) - pyr_down(image)).max())
    pyramid = laplacian_pyramid(image)
    top_two = float(np.abs(collapse(pyramid, levels=2) - image).max())  # I_{n-1}, and nothing finer
    everything = float(np.abs(collapse(pyramid) - image).max())
    return Claim(
        id="q1.only_coarse",
        written='"only I_{n-1}" is needed',
        measured=f"I_{{n-1}} alone is wrong by up to {top_two:.0f} grey levels, with all the L's "
                 f"by {everything:g}; two images 20 grey levels apart share every I_k, k >= 1",
        why="pyr_down loses information (stripes of one pixel vanish), so no method can rebuild "
            "I_0 from a coarser image: the L's are needed",
        documented=CORRECTED,
        as_written=check("error from I_{n-1} alone, grey levels", top_two, "<=", 2 * EPS * 255),
        corrected=check("error from I_n and all the L's", everything, "<=", 2 * EPS * 255),
        evidence=(check("difference of the I_1 of two images", same, "==", 0.0),
                  check("difference of these images", float(stripes.max()), "==", 20.0)),
        routes={"I_{n-1} alone": top_two, "I_n and all L": everything},
    )


def mean_at_the_top(photo, pyramid, rng) -> Claim:
    gaps = {}
    for shape in ((256, 256), (257, 257), (33, 20)):
        image = rng.random(shape) * 255
        top = gaussian_pyramid(image)[-1].item()
        gaps["x".join(map(str, shape))] = float(abs(top - image.mean()))
    means = photo.mean(axis=(0, 1))
    return Claim(
        id="q1.top_is_mean",
        written="(a tempting remark) the 1x1 top is the mean of the image",
        measured=f"the photograph's top is {_rgb(pyramid[-1].ravel())}, its mean {_rgb(means)}; "
                 f"on noise they differ by up to {max(gaps.values()):.1f} grey levels",
        why="reflection at the border repeats some pixels, so not all of them weigh the same",
        documented=WRONG,
        as_written=check("largest |top - mean| on noise images, grey levels", max(gaps.values()),
                         "<=", 1e-9),
        routes=gaps,
    )


def _rgb(values):
    return "(" + ", ".join(f"{value:.1f}" for value in values) + ")"


def _story(photo, levels, claims):
    height, width = photo.shape[:2]
    return (
        f"A photograph of {width}x{height} pixels goes down to 1x1 in {len(levels)} levels, and is "
        f"rebuilt from the top upwards: {levels[0]['wrong_samples']} of {photo.size:,} samples "
        f"differ.",
        "The rule I_{k-1} = L_{k-1} + g * up(I_k) works for every g, because L is whatever the "
        "prediction g * up(I_k) missed; the written 'Gaussian, sigma = sqrt 2, size 2' is the 2x2 "
        "average, whatever sigma.",
        f"It fails when L is the true Laplacian: {levels[0]['nabla2']:.0f} grey levels off. The "
        "name is fair all the same: with Burt and Adelson's kernel at a = 3/8, the difference is "
        "exactly -nabla^2 on quadratics.",
        "The coarse image alone is not enough, since stripes one pixel wide leave no trace in it; "
        "and the 1x1 top is not the mean.",
    )
