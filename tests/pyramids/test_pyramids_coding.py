"""Quantised pyramids: the closed loop keeps its promise, the open one cannot; bits and dB."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyramids import (bits_per_pixel, collapse, decode, encode, entropy, laplacian_pyramid, psnr,
                      quantise)
from tests.one_line import one_line

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))
options = st.fixed_dictionaries({
    "a": st.sampled_from([0.3, 0.375, 0.4, 0.5, 0.6]),
    "border": st.sampled_from(["reflect101", "reflect", "replicate", "wrap", "zero"])})
seeds = st.integers(0, 2**32 - 1)


def steps_of(rng, shape, largest):
    """One step for all levels, or one for each, from 1 up."""
    count = 1 + (max(shape) - 1).bit_length()
    steps = [int(step) for step in np.exp(rng.uniform(0, np.log(largest), count))]
    return steps if rng.random() < 0.5 else steps[0]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(INTEGERS), shapes, options, seeds)
def test_closed_loop_error_of_integers_is_at_most_half_a_step(dtype, shape, options, seed):
    rng, limits = np.random.default_rng(seed), np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    steps = steps_of(rng, shape, limits.max // 2)
    decoded = decode(encode(x, steps, **options))
    assert decoded.dtype == x.dtype and decoded.shape == x.shape
    assert np.abs(decoded.astype(np.int64) - x).max() <= np.max(np.atleast_1d(steps)[0]) / 2


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["float16", "float32", "float64"]), shapes, options, seeds)
def test_closed_loop_error_of_floats_is_at_most_half_a_step(dtype, shape, options, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype(dtype)
    steps = np.atleast_1d(steps_of(rng, shape, 1000)) / 1000
    decoded = decode(encode(x, steps.tolist() if len(steps) > 1 else steps[0], **options))
    error = np.abs(decoded.astype(float) - x.astype(float)).max()
    assert decoded.dtype == x.dtype
    assert error <= steps[0] / 2 + 2 * float(np.finfo(dtype).eps) * (np.abs(x).max() + steps[0])


def photo(size=129):
    """Smooth shapes, an edge and noise, 0..255: enough like a photograph."""
    y, x = np.mgrid[:size, :size] / size
    image = 120 + 60 * np.sin(7 * x + 3 * y * y) + 60 * (np.hypot(x - 0.6, y - 0.4) < 0.25)
    return np.clip(image + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255).astype("u1")


@pytest.mark.parametrize("step", [1, 2, 4, 8, 16, 32])
def test_closed_loop_is_exactly_bounded_and_the_open_loop_is_not(step):
    x = photo()
    steps = [step] * 4 + [1]
    code = encode(x, steps, levels=5)
    closed, opened = decode(code), collapse(quantise(laplacian_pyramid(x, 5), steps))
    assert np.abs(closed.astype(int) - x).max() == step // 2
    if step == 1:
        assert (opened == x).all() and psnr(closed, x) == np.inf
    else:
        assert np.abs(opened.astype(int) - x).max() > step / 2
        assert 1 < psnr(closed, x) - psnr(opened, x) < 6


def test_bits_add_up_over_the_levels():
    x = photo(64)
    pyramid = laplacian_pyramid(x)
    sizes = 64**2, 32**2, 16**2, 8**2, 4**2, 2**2, 1
    expected = sum(n * entropy(level) for n, level in zip(sizes, pyramid)) / 64**2
    assert bits_per_pixel(pyramid) == pytest.approx(expected)
    assert encode(x, 1).bits_per_pixel == pytest.approx(expected)  # step 1: the differences
    assert encode(x, 32).bits_per_pixel < encode(x, 8).bits_per_pixel < expected


def test_quantised_levels_hold_multiples_of_their_steps():
    steps = [12, 8, 4, 2, 1]
    for pyramid in (laplacian_pyramid(photo(), 5), laplacian_pyramid(photo().astype("f4"), 5)):
        for level, quantised, step in zip(pyramid, quantise(pyramid, steps), steps):
            assert quantised.dtype == level.dtype and (quantised % step == 0).all()
            assert np.abs(quantised - level).max() <= step / 2


def test_entropy_and_psnr_of_known_arrays():
    assert entropy(np.zeros(9)) == 0
    assert entropy(np.arange(256)) == 8
    assert entropy(np.array([[1, 1], [1, 5]])) == pytest.approx(0.811278, abs=1e-6)
    x = np.full((4, 4), 200, np.uint8)
    assert psnr(x, x) == np.inf
    assert psnr(x, x + np.uint8(55)) == pytest.approx(13.3235, abs=1e-4)  # no wrap at 255
    assert psnr(x - np.uint8(255), x) == psnr(x, x - np.uint8(255))
    assert psnr(np.zeros(4), np.full(4, 0.1), peak=1) == pytest.approx(20)


def test_errors_name_what_is_allowed():
    x = np.zeros((8, 8), np.uint8)
    for steps in (0, -2, float("nan"), float("inf"), 1.5):
        with one_line(ValueError, "whole numbers above 0"):
            encode(x, steps)
    with one_line(ValueError, "numbers above 0"):
        encode(x.astype(float), 0.0)
    with one_line(ValueError, "3 steps for 4 levels"):
        quantise(laplacian_pyramid(x), [1, 2, 3])
    with one_line(ValueError, "exact=True"):
        quantise(laplacian_pyramid(x.astype(float), exact=True), 1)
    with one_line(TypeError, "Laplacian"):
        quantise(x, 1)
    with one_line(ValueError, "one shape"):
        psnr(x, x[0])
    with one_line(TypeError, "bool"):
        encode(x > 0, 1)
