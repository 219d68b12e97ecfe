"""Blending, mosaics, detail boost, template matching."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyramids import (blend, boost, collapse, encode, entropy, gaussian_pyramid, laplacian_pyramid,
                      match_template, mosaic, places, psnr, pyr_down, pyr_down_T, pyr_up, pyr_up_T,
                      quantise, sigma)
from tests.one_line import one_line

EPS = np.finfo(float).eps


# ---- blend ---------------------------------------------------------------------------------------

@settings(max_examples=300, deadline=None)
@given(st.tuples(st.integers(1, 20), st.integers(1, 20)), st.integers(0, 2**32 - 1),
       st.sampled_from(["uniform", "normal", "spread"]), st.booleans())
def test_blend_identities_hold_within_two_eps(shape, seed, kind, hard):
    rng = np.random.default_rng(seed)
    a, b = ({"uniform": rng.random, "normal": lambda s: rng.normal(size=s),
             "spread": lambda s: np.exp(3 * rng.normal(size=s))}[kind](shape) for _ in range(2))
    mask = rng.random(shape)
    if hard:
        mask = mask.round()
    ones, bound = np.ones(shape), 2 * EPS * max(np.abs(a).max(), np.abs(b).max())
    assert np.abs(blend(a, a, mask) - a).max() <= bound
    assert np.abs(blend(a, b, ones) - a).max() <= bound
    assert np.abs(blend(a, b, 1 - ones) - b).max() <= bound
    assert np.abs(blend(a, b, mask) - blend(b, a, 1 - mask)).max() <= bound


def test_blend_of_integers_keeps_the_identities_bit_for_bit():
    rng = np.random.default_rng(0)
    for dtype in ("uint8", "int16", "uint32"):
        limits = np.iinfo(dtype)
        a, b = rng.integers(limits.min, limits.max, (2, 19, 30, 3), endpoint=True).astype(dtype)
        mask = rng.random((19, 30))
        ones = np.ones((19, 30), bool)
        assert (blend(a, a, mask, axes=(0, 1)) == a).all()
        assert (blend(a, b, ones, axes=(0, 1)) == a).all()
        assert (blend(a, b, ~ones, axes=(0, 1)) == b).all()


SEAM = [(0.5, 0), (0.1367, 4), (0.0597, 8), (0.0289, 16), (0.0144, 34), (0.0072, 67), (0.0036, 136)]


@pytest.mark.parametrize("levels, step, width", [(n, *row) for n, row in enumerate(SEAM, 1)])
def test_the_seam_of_two_flat_images(levels, step, width):
    """0.25 beside 0.75, 64 x 256, hard mask: largest step and 10-90% width in pixels."""
    left = np.broadcast_to(np.arange(256) < 128, (64, 256))
    seam = blend(np.full((64, 256), 0.75), np.full((64, 256), 0.25), left, levels)
    steps = -np.diff(seam, axis=1)
    assert round(float(steps.max()), 4) == step
    assert steps.min() >= 0  # monotone
    assert 0.25 - 1e-12 <= seam.min() and seam.max() <= 0.75 + 1e-12  # no overshoot
    assert ((seam[0] > 0.3) & (seam[0] < 0.7)).sum() == width


def test_blend_errors_name_what_is_allowed():
    a, mask = np.zeros((4, 6)), np.zeros((4, 6))
    with one_line(ValueError, "(4, 6) and (4, 5)"):
        blend(a, a[:, :5], mask)
    with one_line(TypeError, "float64 and float32"):
        blend(a, a.astype("f4"), mask)
    with one_line(ValueError, "use (4, 6)"):
        blend(a, a, mask[0])
    for value in (1.5, -1, np.nan):
        with one_line(ValueError, "use 0", "to 1"):
            blend(a, a, mask + value)
    with one_line(ValueError, "allows 1 to 4"):
        blend(a, a, mask, 5)


# ---- mosaic --------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(64, 1), (1, 64), (640, 10), (10, 640), (37, 53), (1, 1), (2, 1),
                                   (33, 33), (128, 2), (3, 192)])
def test_mosaics_hold_every_level_once(shape):
    x = np.random.default_rng(0).uniform(1, 2, shape)
    pyramid = gaussian_pyramid(x)
    picture = mosaic(pyramid)
    for level, place in zip(pyramid, places(pyramid)):
        assert (picture[place] == level).all()
    assert np.count_nonzero(picture) == sum(level.size for level in pyramid)  # no overlap
    assert (picture[:shape[0], :shape[1]] == x).all()  # the image on the left ...
    assert all(columns.start == shape[1] for _, columns in places(pyramid)[1:])  # the stack right
    width = shape[1] + (pyramid[1].shape[1] if len(pyramid) > 1 else 0)
    height = max(shape[0], sum(level.shape[0] for level in pyramid[1:]))
    assert picture.shape == (height, width)


def test_mosaics_of_colours_batches_and_differences():
    x = np.random.default_rng(1).integers(0, 256, (21, 13, 3)).astype(np.uint8)
    assert mosaic(gaussian_pyramid(x, axes=(0, 1))).dtype == np.uint8
    picture = mosaic(laplacian_pyramid(x, 3, axes=(0, 1)))
    assert picture.shape == (21, 20, 3) and picture.dtype == np.int16
    assert mosaic(gaussian_pyramid(x.transpose(2, 0, 1))).shape == (3, 23, 20)
    with one_line(ValueError, "2 axes"):
        mosaic(gaussian_pyramid(x, axes=(0,)))
    with one_line(ValueError, "exact=True"):
        mosaic(laplacian_pyramid(x.astype("f4"), exact=True))


# ---- boost and match_template --------------------------------------------------------------------

def test_boost_scales_bands():
    x = np.random.default_rng(2).random((20, 30))
    pyramid = laplacian_pyramid(x)
    np.testing.assert_array_equal(boost(pyramid, []), collapse(pyramid))
    np.testing.assert_allclose(boost(pyramid, [0, 0]), collapse(pyramid, levels=[2, 3, 4, 5]))
    np.testing.assert_allclose(boost(pyramid, [1, 3]), x + 2 * collapse(pyramid, levels=[1]))


def test_boost_of_integers_saturates_and_keeps_the_image_at_gain_1():
    x = np.random.default_rng(3).integers(0, 256, (20, 30)).astype(np.uint8)
    pyramid = laplacian_pyramid(x)
    assert (boost(pyramid, [1, 1, 1]) == x).all()
    strong = boost(pyramid, [1e6])
    prediction = collapse(pyramid, levels=range(1, 6)).astype(int)
    assert strong.dtype == np.uint8
    assert (strong == np.clip(prediction + 10**6 * pyramid[0].astype(int), 0, 255)).all()
    large = laplacian_pyramid(x.astype(np.uint32) << 24)
    assert set(np.unique(boost(large, [1e30]))) <= {0, 2**32 - 1, *collapse(
        large, levels=range(1, 6))[large[0] == 0]}


def test_boost_errors_name_what_is_allowed():
    x = np.ones((4, 4))
    with one_line(ValueError, "at most 2"):
        boost(laplacian_pyramid(x), [1, 1, 1])
    with one_line(ValueError, "exact=True"):
        boost(laplacian_pyramid(x, exact=True), [1])
    with one_line(TypeError, "Laplacian"):
        boost(gaussian_pyramid(x), [1])


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_templates_are_found_everywhere(levels):
    rng = np.random.default_rng(4)
    image = boost(laplacian_pyramid(rng.random((150, 201))), [0.5, 1, 2, 4])
    for _ in range(25):
        h, w = rng.integers(64, 90, 2)
        row, column = rng.integers(0, 151 - h), rng.integers(0, 202 - w)
        template = image[row:row + h, column:column + w]
        dimmed = 0.3 * template + 5  # neither brightness nor contrast matter
        assert match_template(image, dimmed, levels) == (row, column)


def test_templates_as_large_as_the_image_and_of_integers():
    image = np.random.default_rng(5).integers(0, 256, (40, 50)).astype(np.uint8)
    assert match_template(image, image) == (0, 0)
    assert match_template(image, image[8:, 10:]) == (8, 10)
    with one_line(ValueError, "(41, 50)", "no larger"):
        match_template(image, np.zeros((41, 50)))
    with one_line(ValueError, "flat"):
        match_template(image, np.ones((8, 8)))
    with one_line(ValueError, "allows 1 to"):
        match_template(image, image, levels=0)
    with one_line(ValueError, "allows 1 to 3"):
        match_template(image, image[:4, :4], levels=4)
    with one_line(ValueError, "(H, W)"):
        match_template(image[..., None], image[..., None])


# ---- NaN and infinite numbers -------------------------------------------------------------------

ODD = pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])


def spoilt(odd, shape=(40, 48), place=(3, 7), dtype=float):
    x = np.random.default_rng(0).random(shape).astype(dtype)
    x[place] = odd
    return x


@ODD
def test_a_search_refuses_what_is_no_number_however_far_away(odd):
    image = spoilt(0.5)
    template = image[10:26, 20:36].copy()
    assert match_template(image, template) == (10, 20)
    for dtype in (np.float64, np.float32, np.float16):
        with one_line(ValueError, f"image holds {odd} at (3, 7)"):
            match_template(spoilt(odd, dtype=dtype), template)
    template[2, 1] = odd
    with one_line(ValueError, f"template holds {odd} at (2, 1)"):
        match_template(image, template)


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1e-150, 1e150, 1e300, 1.7e308])
def test_a_search_finds_the_place_whatever_the_scale(scale):
    image = spoilt(0.5)
    for one, other in ((scale, scale), (1, scale), (scale, 1)):
        assert match_template(image * one, image[10:26, 20:36] * other) == (10, 20)


@ODD
@pytest.mark.parametrize("image", [np.eye(9), np.eye(9, dtype=np.float32),
                                   np.eye(9, dtype=np.uint8)])
def test_gains_are_finite(image, odd):
    with one_line(ValueError, f"gains holds {odd} at (1,)"):
        boost(laplacian_pyramid(image), [1, odd])


@ODD
def test_what_compares_or_counts_refuses_and_what_is_linear_lets_through(odd):
    x, y = spoilt(odd), spoilt(1)
    for what, action in {
            "image": lambda: encode(x, 1.0), "level 0": lambda: quantise(laplacian_pyramid(x), 1.0),
            "array": lambda: entropy(x), "first image": lambda: psnr(x, y),
            "second image": lambda: psnr(y, x), "mask": lambda: blend(y, y, x),
            "taps": lambda: sigma([0.5, odd]), "kernel": lambda: pyr_down(y, a=odd),
            "step": lambda: encode(y, odd), "peak": lambda: psnr(y, y, peak=odd)}.items():
        with np.errstate(invalid="ignore"), one_line(ValueError, what):
            action()
    with np.errstate(invalid="ignore"):
        for passed in (pyr_down(x), gaussian_pyramid(x)[-1], laplacian_pyramid(x)[0],
                       pyr_up(x, (80, 96)), blend(x, y, np.ones_like(y)), boost(
                           laplacian_pyramid(x), [2]), pyr_down_T(x, (80, 96)), pyr_up_T(x),
                       mosaic(laplacian_pyramid(x))):
            assert not np.isfinite(passed).all()
    assert np.isfinite(pyr_down(x)).sum() > 450         # of 480: it spreads, and no further
