"""The words of the claims on pyramids tell the numbers that were measured."""

import numpy as np
import pytest

from experiments.pyramid_pictures import (basis, blending, coding, exactness, filters, page,
                                          zone_plate)
from experiments.pyramid_pictures.photograph import Photograph
from pyramids import psnr
from tests.experiments.planted import noise, rng


@pytest.fixture(scope="module")
def photo():
    return Photograph(noise(20, 31, 3))


# what is the same in every run
MEASURED = {
    "pyramids.kernel": (filters.table, "\n".join(
        f"{name}: sigma {row[0]}, H(pi/2) {row[1]}, H(pi) {row[2]}, aliased {row[3]}"
        for name, row in zip(["a = 0.3", "a = 0.35", "a = 0.375", "a = 0.4", "a = 0.45", "a = 0.5",
                              "a = 0.6", "no filter", "2x2 average"], filters.KERNELS.values()))),
    "pyramids.blur": (filters.blur, "a = 3/8, k = 1 to 8: " + ", ".join(filters.BLURS)),
    "pyramids.opencv": (filters.opencv, "the same four numbers, off by 0"),
    "pyramids.zone_plate": (zone_plate.claim, "0.353 without a filter, 0.0042 with a = 0.375, "
                            "0.0084 with a = 0.4, 0.0313 with a = 0.5"),
    "pyramids.transpose": (
        basis.transpose, "at the default border, weights are off by up to 0.5, in 4 of 16 rows "
        "and 6 of 17; at a zero border by 0; pyr_down_T by 0"),
    "pyramids.seam": (
        blending.seam_table, f"1 to 7 levels: step {', '.join(blending.STEPS)}; pixels from 10% to "
        f"90% {', '.join(map(str, blending.WIDTHS))}"),
}


@pytest.mark.parametrize("name", MEASURED)
def test_what_does_not_depend_on_the_photograph(name):
    measure, words = MEASURED[name]
    claim = measure()
    assert (claim.id, claim.measured) == (name, words)


def test_exactness(photo):
    integers, floats, proof, saturation = exactness.claims(photo, rng())
    kept = sum(level.size for level in photo.details) / photo.full.size
    assert integers.measured == (
        "0 wrong samples in the 6 levels of the photograph, 31×20 pixels; 0 in 160 noise images "
        f"of four dtypes; {kept:.3f} numbers are kept per sample")
    assert floats.measured.startswith(
        f"at most {floats.as_written.value:.2f} eps max|I| on 240 images")
    assert "; 0 wrong bit patterns with exact=True" in floats.measured
    assert proof.measured == (
        f"without the gain of 4, it is rebuilt within {proof.evidence[0].value:.0e}, but L of a "
        f"constant 0.7 is {proof.as_written.value:.3f} and not 0")
    back = exactness.saturated(photo.view)
    assert saturation.measured.startswith(
        f"photograph: {np.mean(back != photo.view):.1%} of the samples wrong, "
        f"{psnr(photo.view, back):.1f} dB; noise: {saturation.as_written.value:.1%} of the ")


def test_codes(photo):
    rates = coding.rates(photo.grey)
    closed, opened = coding.claims(rates, rng())
    first, *lines = closed.measured.splitlines()
    assert first == "the photograph in grey, 6 levels:" and len(lines) == len(coding.STEPS)
    for step, line in zip(coding.STEPS, lines):
        rows = [row for row in rates if row["step"] == step]
        assert line == f"D = {step}: " + "; ".join(
            f"{row['loop']} {row['bits_per_pixel']:.3f} bits/pixel, {row['psnr']:.2f} dB, max "
            f"error {row['max_error']:g}" for row in rows) and len(rows) == 2
    worst = {row["loop"]: max(r["max_error"] * 2 / r["step"] for r in rates
                              if r["loop"] == row["loop"]) for row in rates}
    assert opened.measured == (
        f"on noise by up to {opened.as_written.value:.2f} times as much, on the photograph by "
        f"{worst['open']:.2f} times")
    assert closed.routes["photograph, closed loop"] == worst["closed"] <= 1


def test_blends_and_frames(monkeypatch):
    claim = blending.identities(rng())
    assert claim.measured == (f"off by at most {claim.as_written.value / 2**-52:.2g} eps on 30 "
                              "random images")
    monkeypatch.setattr(basis, "SIDE", 8)
    monkeypatch.setattr(basis, "LEVELS", 3)
    claim = basis.singular_values(rng())
    assert claim.measured == ("0.2308 to 1.0582, condition 4.6: 84 numbers for 64 pixels, none "
                              "lost")


def test_the_story(photo):
    costs = {"pixels": 7.25, "Laplacian pyramid": 5.5}
    story = page._story(photo, costs)
    assert story[0] == ("The photograph, 31×20 pixels, is halved down to 1x1 and rebuilt from "
                        "there upwards, bit for bit.")
    assert "the pixels 7.25, the Laplacian pyramid 5.50. A pyramid" in story[2]
    large = Photograph(noise(3, 1601, 3))
    assert large.halvings == 2
    assert "it is halved 2 times, to 401×1." in page._story(large, costs)[0]


def test_a_flat_image_has_no_differences_to_saturate():
    flat = np.full((16, 12, 3), 100, np.uint8)
    assert (exactness.saturated(flat) == flat).all()
