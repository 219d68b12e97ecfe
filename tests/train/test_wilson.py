"""Wilson's intervals of a share: the published ones, and his equation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.train import wilson
from tests.one_line import one_line


@pytest.mark.parametrize("correct, total, low, high", [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1.0)])
def test_wilson_gives_the_published_intervals(correct, total, low, high):
    """R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3; the last by symmetry."""
    got = wilson(correct, total)
    assert np.allclose(got, (low, high), rtol=0, atol=5.1e-5)


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_s_ends_are_as_far_from_the_share_as_its_equation_says(total, share, level):
    correct = round(share * total)
    low, high = wilson(correct, total, level)
    assert 0 <= low <= correct / total <= high <= 1 and low < high
    wider = wilson(correct, total, (1 + level) / 2)
    assert wider[0] <= low and high <= wider[1]
    mirrored = wilson(total - correct, total, level)
    assert math.isclose(mirrored[0], 1 - high, abs_tol=1e-12)
    z = math.sqrt(2) * erfinv(level)
    for p in {low, high} - {0.0, 1.0}:
        assert math.isclose(abs(correct / total - p), z * math.sqrt(p * (1 - p) / total),
                            rel_tol=1e-6, abs_tol=1e-12)


def erfinv(y):
    """By bisection of math.erf."""
    low, high = 0.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < y else (low, middle)
    return low


@pytest.mark.parametrize("arguments", [(-1, 5), (6, 5), (0, 0), (1, 2, 0.0), (1, 2, 1.0),
                                       (1, 2, 95)])
def test_wilson_refuses_what_cannot_be(arguments):
    with one_line(ValueError, "wilson"):
        wilson(*arguments)
