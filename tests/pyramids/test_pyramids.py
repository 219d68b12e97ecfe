"""Pyramids are rebuilt exactly, partly, from any level; they are immutable; errors are clear."""

import dataclasses
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyramids import (BORDERS, collapse, expand_to, gaussian_pyramid, laplacian_pyramid, pyr_down,
                      pyr_up)

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
FLOATS = ("float16", "float32", "float64")
TIMES = 100 if os.environ.get("MINIGRAD_FULL") == "1" else 20     # examples: 20 to 25 times as many
BITS = {"float16": "u2", "float32": "u4", "float64": "u8"}


# ---- exactness -----------------------------------------------------------------------------------

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
options = st.fixed_dictionaries({"a": st.sampled_from([0.3, 0.375, 0.4, 0.5, 0.6]),
                                 "border": st.sampled_from(sorted(BORDERS))})
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25 * TIMES, deadline=None)
@given(st.sampled_from(INTEGERS), shapes, options, seeds, st.booleans())
def test_integer_images_are_rebuilt_bit_for_bit(dtype, shape, options, seed, extreme):
    limits, rng = np.iinfo(dtype), np.random.default_rng(seed)
    values = [limits.min, limits.max] if extreme else np.arange(limits.min, limits.max + 1, 2**(
        max(limits.bits - 8, 0)))
    x = rng.choice(values, shape).astype(dtype)
    pyramid = laplacian_pyramid(x, **options)
    rebuilt = collapse(pyramid)
    assert rebuilt.dtype == x.dtype and (rebuilt == x).all()
    assert all(level.dtype.itemsize == 2 * x.itemsize for level in pyramid[:-1])


@settings(max_examples=20 * TIMES, deadline=None)
@given(st.sampled_from(FLOATS), shapes, options, seeds, st.booleans())
def test_exact_rebuilds_every_bit_of_every_float(dtype, shape, options, seed, any_bits):
    rng = np.random.default_rng(seed)
    if any_bits:  # nan payloads, infinities, subnormals
        x = rng.integers(0, 2**63, shape, np.uint64).astype(BITS[dtype]).view(dtype)
    else:
        x = np.exp(2 * rng.normal(size=shape)).astype(dtype)
    x.ravel()[:4] = [-0.0, np.nan, -np.inf, 1e-7][:x.size]
    rebuilt = collapse(laplacian_pyramid(x, exact=True, **options))
    assert (rebuilt.view(BITS[dtype]) == x.view(BITS[dtype])).all()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FLOATS), shapes, seeds, st.sampled_from(["uniform", "normal", "spread"]))
def test_floats_are_rebuilt_within_two_eps(dtype, shape, seed, kind):
    rng = np.random.default_rng(seed)
    x = {"uniform": rng.random, "normal": lambda s: rng.normal(size=s),
         "spread": lambda s: np.exp(2 * rng.normal(size=s))}[kind](shape).astype(dtype)
    pyramid = laplacian_pyramid(x)
    images = gaussian_pyramid(x)
    for k in range(len(pyramid)):  # I_k from L_k and everything coarser
        error = np.abs(expand_to(pyramid, k).astype(float) - images[k].astype(float)).max()
        assert error <= 2 * float(np.finfo(dtype).eps) * np.abs(x).max()


@pytest.mark.parametrize("dtype, largest", [("float16", 255), ("float32", 65535),
                                            ("float64", 65535)])
def test_floats_of_integer_value_are_rebuilt_bit_for_bit(dtype, largest):
    rng = np.random.default_rng(3)
    for _ in range(100):
        x = rng.integers(0, largest + 1, rng.integers(1, 48, 2)).astype(dtype)
        assert (collapse(laplacian_pyramid(x)) == x).all()


def test_exact_is_quiet_about_values_that_overflow():
    x = np.array([[3e38, -3e38, np.inf], [np.nan, 3e38, -np.inf]], np.float32)
    with np.errstate(all="raise"):
        rebuilt = collapse(laplacian_pyramid(x, exact=True))
    assert (rebuilt.view("u4") == x.view("u4")).all()


# ---- the Pyramid ---------------------------------------------------------------------------------

def test_levels_are_the_filters_applied_again_and_again():
    x = np.random.default_rng(7).random((20, 13))
    images = gaussian_pyramid(x, a=0.4, border="wrap")
    details = laplacian_pyramid(x, a=0.4, border="wrap")
    assert [image.shape for image in images] == [(20, 13), (10, 7), (5, 4), (3, 2), (2, 1), (1, 1)]
    assert len(details) == len(images) == 6
    for k in range(5):
        assert (images[k + 1] == pyr_down(images[k], 0.4, "wrap")).all()
        prediction = pyr_up(images[k + 1], images[k].shape, 0.4, "wrap")
        assert (details[k] == images[k] - prediction).all()
    assert (details[5] == images[5]).all()


def test_levels_counts_the_arrays():
    x = np.random.default_rng(8).random((257, 256))
    assert len(laplacian_pyramid(x)) == len(gaussian_pyramid(x)) == 10
    for levels in range(1, 11):
        pyramid = laplacian_pyramid(x, levels)
        assert len(pyramid) == levels
        assert np.abs(collapse(pyramid) - x).max() <= 2 * np.finfo(float).eps
    assert len(laplacian_pyramid(x, axes=(1,))) == 9
    assert len(laplacian_pyramid(np.ones((1, 1)))) == 1


def test_collapse_of_some_levels_adds_up_to_the_whole():
    x = np.random.default_rng(9).random((21, 40))
    pyramid = laplacian_pyramid(x)
    bands = [collapse(pyramid, levels=[k]) for k in range(len(pyramid))]
    np.testing.assert_allclose(sum(bands), x, atol=1e-14)
    np.testing.assert_allclose(collapse(pyramid, levels=2), bands[-1] + bands[-2], atol=1e-15)
    assert (collapse(pyramid, levels=len(pyramid)) == collapse(pyramid)).all()


def test_partial_collapse_of_exact_and_integer_pyramids_is_close_to_the_float_one():
    x = np.random.default_rng(10).integers(0, 256, (30, 30)).astype(np.uint8)
    blurred = collapse(laplacian_pyramid(x.astype(np.float32)), levels=3)
    stored = laplacian_pyramid(x.astype(np.float32), exact=True)
    exact = collapse(stored, levels=3)
    count = len(stored)
    assert (collapse(stored, levels=[count - 2, count - 1, count - 3]) == exact).all()
    np.testing.assert_array_equal(exact, blurred)
    assert np.abs(collapse(laplacian_pyramid(x), levels=3) - blurred).max() <= 4


def test_a_changed_integer_pyramid_saturates():
    pyramid = laplacian_pyramid(np.full((8, 8), 250, np.uint8))
    for change, value in ((90, 255), (-251, 0), (32767, 255), (-32768, 0)):
        changed = (pyramid[0] + np.int16(change), *pyramid[1:])
        assert (collapse(dataclasses.replace(pyramid, levels=changed)) == value).all()


def test_integers_need_no_bit_patterns():
    x = np.random.default_rng(11).integers(0, 256, (9, 9)).astype(np.uint8)
    pyramid = laplacian_pyramid(x, exact=True)
    assert not pyramid.exact and (collapse(pyramid) == x).all()
    collapse(pyramid, levels=[0])  # so its arrays mean something alone


def test_a_pyramid_remembers_and_does_not_change():
    x = np.ones((8, 6), np.float32)
    pyramid = laplacian_pyramid(x, 3, a=0.4, border="zero")
    assert (pyramid.a, pyramid.border, pyramid.axes, pyramid.dtype, pyramid.kind) == (
        0.4, "zero", (0, 1), np.float32, "laplacian")
    assert "3 levels 8x6 4x3 2x2" in repr(pyramid)
    assert [level.shape for level in pyramid] == [level.shape for level in pyramid[:]]
    with pytest.raises(dataclasses.FrozenInstanceError):
        pyramid.a = 0.375
    for stack in (pyramid, gaussian_pyramid(x), laplacian_pyramid(x, 1)):
        with pytest.raises(ValueError, match="read-only"):
            stack[0][0, 0] = 5
        before = stack[0].copy()
        x += 1  # the caller's array is not the pyramid's
        assert (stack[0] == before).all()
    collapse(pyramid)[...] = 0  # what comes out is the caller's


X = np.ones((5, 4), np.float32)
L = laplacian_pyramid(X)
EXACT = laplacian_pyramid(X, exact=True)


@pytest.mark.parametrize("error, message, call", [
    (ValueError, "allows 1 to 4", lambda: laplacian_pyramid(X, 0)),
    (ValueError, "allows 1 to 4", lambda: gaussian_pyramid(X, -1)),
    (ValueError, "allows 1 to 4", lambda: gaussian_pyramid(X, 5)),
    (TypeError, "integer from 1 to 4", lambda: laplacian_pyramid(X, 2.0)),
    (TypeError, "integer from 1 to 4", lambda: laplacian_pyramid(X, True)),
    (TypeError, "dtype bool", lambda: laplacian_pyramid(X > 0)),
    (ValueError, "unknown border", lambda: gaussian_pyramid(X, border="mirror")),
    (TypeError, "Laplacian", lambda: collapse(gaussian_pyramid(X))),
    (TypeError, "Laplacian", lambda: collapse([X])),
    (ValueError, "1 to 4", lambda: collapse(L, levels=5)),
    (ValueError, "levels 0 to 3", lambda: collapse(L, levels=[0, 4])),
    (ValueError, "m coarsest", lambda: collapse(EXACT, levels=[0])),
    (ValueError, "levels 0 to 3", lambda: expand_to(L, 4)),
    (ValueError, "levels 0 to 3", lambda: expand_to(L, -1)),
    (ValueError, "level 1 is", lambda: dataclasses.replace(L, levels=(L[0], L[0]))),
    (ValueError, "level 0 is", lambda: dataclasses.replace(L, levels=EXACT.levels)),
    (ValueError, "1 level or more", lambda: dataclasses.replace(L, levels=())),
    (ValueError, "level 1 is float64", lambda: dataclasses.replace(
        L, levels=(L[0], *laplacian_pyramid(X[:3, :2].astype(float))))),
    (ValueError, "use one or more of -2..1", lambda: dataclasses.replace(L, axes=(2,))),
    (ValueError, "'gaussian' or 'laplacian'", lambda: dataclasses.replace(L, kind="x")),
])
def test_errors_name_what_is_allowed(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value) and "\n" not in str(caught.value)
