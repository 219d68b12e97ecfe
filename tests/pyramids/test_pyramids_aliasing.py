"""Every number of the tables that depends on the kernel alone, to the printed digits."""

import math

import numpy as np
import pytest

from pyramids import (aliased_energy, cumulative_blur, detail_of_square, gaussian_pyramid,
                      laplacian_pyramid, pyr_down, report, response, sigma)


def gaussian_taps(sigma, radius):
    taps = np.exp(-np.arange(-radius, radius + 1)**2 / (2 * sigma**2))
    return taps / taps.sum()


HALF_PIXEL = (0.5, 0.5)  # what bilinear halving does between two pixels
SKIMAGE_BLUR = gaussian_taps(sigma=2 / 3, radius=3)
SKIMAGE = np.convolve(SKIMAGE_BLUR, HALF_PIXEL)
KORNIA = np.convolve([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16], HALF_PIXEL)

TABLE = [  # a or taps, sigma, H(pi/2), aliased energy in %
    (0.3, 1.1402, "0.10", 0.33), (0.35, 1.0488, "0.20", 0.79), (0.375, 1.0, "0.25", 1.50),
    (0.4, 0.9487, "0.30", 2.44), (0.45, 0.8367, "0.40", 4.82), (0.5, 0.7071, "0.50", 7.56),
    (0.6, 0.3162, "0.70", 13.19), ((1,), 0, "1", 50), (HALF_PIXEL, 0.5, "0.7071", 18.17),
    (KORNIA, None, "0.177", 0.69), (SKIMAGE, None, "0.414", 5.61), (SKIMAGE_BLUR, None, None, 15.6),
]


@pytest.mark.parametrize("a, deviation, half, percent", TABLE)
def test_the_table_of_kernels(a, deviation, half, percent):
    if deviation is not None:
        assert round(sigma(a), 4) == deviation
    if half is not None:
        assert f"{response(math.pi / 2, a):.{len(half.partition('.')[2])}f}" == half
    assert abs(100 * aliased_energy(a) - percent) <= (0.05 if percent == 15.6 else 0.005)
    if np.ndim(a) == 0:
        assert abs(response(math.pi, a)) < 1e-15  # equal contribution


@pytest.mark.parametrize("a", [0.3, 0.375, 0.4, 0.6, (1,), HALF_PIXEL, KORNIA])
def test_the_formulas_agree_with_sums_over_frequencies(a):
    w = (np.arange(20000) + 0.5) * math.pi / 20000
    energy = response(w, a)**2
    assert aliased_energy(a) == pytest.approx(energy[10000:].sum() / energy.sum(), abs=1e-8)
    second = (response(1e-3, a) + response(-1e-3, a) - 2 * response(0, a)) / 1e-6
    assert sigma(a)**2 == pytest.approx(-second, abs=1e-5)


def test_the_response_is_what_a_cosine_meets():
    x = np.arange(256)
    for a in (0.375, 0.4, 0.6):
        for w in (0.3, 1.1, math.pi / 2):
            wave = np.cos(w * x)
            small = pyr_down(wave, a, axes=(0,))
            np.testing.assert_allclose(small[2:-2], response(w, a) * wave[4:-4:2], atol=1e-14)


def test_white_noise_aliases_as_predicted():
    """Filtered noise, its lower half of frequencies taken away: the rest folds."""
    noise = np.random.default_rng(0).normal(size=2**16)
    w = np.fft.rfftfreq(len(noise), 1 / (2 * math.pi))
    filtered = np.abs(np.fft.rfft(noise) * response(w, 0.4))**2
    assert filtered[w > math.pi / 2].sum() / filtered.sum() == pytest.approx(0.0244, abs=0.001)


def test_blur_of_levels():
    table = (1, 2.2361, 4.5826, 9.2195, 18.4662, 36.9459, 73.8986, 147.8005)
    assert tuple(round(cumulative_blur(k), 4) for k in range(1, 9)) == table
    point = np.zeros(4097)
    point[2048] = 1
    for k, level in enumerate(gaussian_pyramid(point, 6, axes=(0,))[1:], 1):
        position = np.arange(len(level)) * 2**k - 2048  # one sampled phase of k filters
        assert math.sqrt((level * position**2).sum() / level.sum()) == pytest.approx(
            cumulative_blur(k), rel=1e-9)


@pytest.mark.parametrize("a, even, odd", [(0.375, -2, -2), (0.4, -1.7, -1.9)])
def test_detail_of_a_parabola(a, even, odd):
    assert detail_of_square(a) == (pytest.approx(even), pytest.approx(odd))
    assert a != 0.375 or detail_of_square(a) == (-2, -2)  # exactly


def test_only_the_binomial_gives_a_parabola_one_detail():
    for a in np.linspace(0.3, 0.6, 25):
        even, odd = detail_of_square(a)
        assert even - odd == pytest.approx(8 * (a - 0.375), abs=1e-11)


def test_singular_values_of_the_pyramid_as_a_frame():
    """32x32 down to 4x4: 0.0941..1.0564, condition 11.2."""
    x = np.eye(1024).reshape(-1, 32, 32)
    frame = np.concatenate([level.reshape(1024, -1) for level in laplacian_pyramid(x, 4)], axis=1)
    values = np.linalg.svd(frame, compute_uv=False)
    assert (round(values[-1], 4), round(values[0], 4)) == (0.0941, 1.0564)
    assert round(values[0] / values[-1], 1) == 11.2


def test_the_report_states_them_all():
    text = report(0.375)
    for number in ("sigma 1.0000", "H(pi/2) 0.2500", "1.50%", "-2 at even x, -2 at odd",
                   "147.8005"):
        assert number in text
    assert "2.44%" in report(0.4) and "-1.7 at even x, -1.9 at odd" in report(0.4)
