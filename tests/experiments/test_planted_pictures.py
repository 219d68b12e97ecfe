"""Errors of known size, planted in what the claims on pyramids measure: the value shown is about
that size, its check fails, and the verdict turns."""

import numpy as np
import pytest

from experiments.claims import HOLDS, OPEN, WRONG
from experiments.pyramid_pictures import basis, blending, coding, exactness, filters
from tests.experiments.planted import (EPS, check_that_it_shows, every_second, noise, of_eps, off,
                                       rng)

SEAM = 32 * 256 + 250     # a pixel of the row that is looked at, where the image is flat


def closed_loop(rates=None):
    return lambda monkeypatch: coding.claims(rates or coding.rates(noise(20, 31)), rng())[0]


def decode_off(code, f=coding.decode):
    image = f(code)
    image[np.unravel_index(image.argmin(), image.shape)] += 20
    return image


def rates_off(units):
    """Rates in which the closed loop errs by so many D/2."""
    return [{"loop": loop, "step": step, "bits_per_pixel": 1.0, "psnr": 30.0,
             "max_error": units * step / 2} for step in coding.STEPS for loop in ("open", "closed")]


def frame(monkeypatch):
    for name, value in {"SIDE": 8, "LEVELS": 3, "SINGULAR": ("0.2308", "1.0582", "4.6")}.items():
        monkeypatch.setattr(basis, name, value)
    return basis.singular_values(rng())


CASES = {
    "pyramids.floats": (
        lambda _: exactness.floats(rng()),
        (exactness, "collapse", off(exactness.collapse, of_eps(5), when=lambda p: not p.exact)),
        "in eps max|I|", (4, 7), WRONG),
    "pyramids.not_a_proof, rebuilt": (
        lambda _: exactness.not_a_proof(rng()),
        (exactness, "pyr_up", off(exactness.pyr_up, 4e-9, when=every_second())),
        "error of the image", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.not_a_proof, a constant": (
        lambda _: exactness.not_a_proof(rng()),
        (exactness, "pyr_up", off(exactness.pyr_up, 1e-9)),
        "constant with pyr_up", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.kernel": (
        lambda _: filters.table(),
        (filters, "measured_taps", off(filters.measured_taps, 1e-4)),
        "distance to an impulse", (3.9e-4, 4.1e-4), OPEN),
    "pyramids.blur": (
        lambda _: filters.blur(),
        (filters, "pyr_down_T", lambda *a, f=filters.pyr_down_T, **k: f(*a, **k) * (1 + 1e-9)),
        "distance to the spread", (3.9e-9, 4.1e-9), OPEN),
    "pyramids.opencv": (
        lambda _: filters.opencv(), (filters, "pyr_down", off(filters.pyr_down, 1e-9)),
        "largest difference", (0.9e-9, 1.1e-9), WRONG),
    "pyramids.transpose, its own": (
        lambda _: basis.transpose(), (basis, "pyr_down_T", off(basis.pyr_down_T, 1e-9)),
        "of pyr_down_T", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.transpose, zero border": (
        lambda _: basis.transpose(),
        (basis, "pyr_up", off(basis.pyr_up, 1e-9, when=lambda *a, border, **k: border == "zero")),
        "zero border", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.frame": (
        frame,
        (basis, "laplacian_T", off(basis.laplacian_T, 1e-9)),
        "laplacian_T", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.closed_loop, the photograph": (
        closed_loop(), (coding, "decode", decode_off),
        "units of D/2", (18, 22), OPEN),
    "pyramids.closed_loop, coarse levels": (
        closed_loop(), (coding, "decode", decode_off), "D = 4 and 64", (18, 22), OPEN),
    "pyramids.seam, beyond": (
        lambda _: blending.seam_table(),
        (blending, "blend", off(blending.blend, 1e-9, at=SEAM)),
        "overshoot", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.seam, backwards": (
        lambda _: blending.seam_table(),
        (blending, "blend", off(blending.blend, 1e-9, at=SEAM)),
        "backwards", (0.9e-9, 1.1e-9), OPEN),
    "pyramids.blend": (
        lambda _: blending.identities(rng()),
        (blending, "blend", off(blending.blend, 10 * EPS)),
        "largest difference", (8 * EPS, 13 * EPS), WRONG),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_shows_in_its_size_and_turns_the_verdict(name, monkeypatch):
    check_that_it_shows(name, CASES[name], monkeypatch)


@pytest.mark.parametrize("units, verdict", [(1.0, HOLDS), (1.25, WRONG)])
def test_a_closed_loop_beyond_its_bound(units, verdict, monkeypatch):
    claim = closed_loop(rates_off(units))(monkeypatch)
    assert claim.verdict == verdict and claim.as_written.value == units
