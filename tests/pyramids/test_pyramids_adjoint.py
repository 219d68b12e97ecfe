"""The transposes: the filters' own matrices, for every border and size, and inner products."""

import dataclasses

import numpy as np
import pytest

from pyramids import BORDERS, laplacian_pyramid, laplacian_T, pyr_down, pyr_down_T, pyr_up, pyr_up_T
from pyramids.filters import STRIP
from tests.one_line import one_line

SIZES = range(1, 18)
rows = dict(axes=(0,))


def mismatch(forward, backward):
    """|<A x, y> - <x, A* y>| over |x| |y| for pairs (x, A* y), (A x, y) of lists of arrays."""
    def dot(pairs):
        return sum(float(np.vdot(x, y)) for x, y in pairs)

    norm = np.sqrt(dot([(x, x) for x, _ in backward]) * dot([(y, y) for _, y in forward]))
    return abs(dot(forward) - dot(backward)) / norm


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("a", [0.375, 0.4, 0.6])
def test_the_transposes_are_the_transposed_matrices(border, a):
    for n in SIZES:
        down = pyr_down(np.eye(n), a, border, **rows)
        half = np.eye(len(down))
        up = pyr_up(half, (n, len(half)), a, border, **rows)
        np.testing.assert_allclose(pyr_down_T(half, (n, len(half)), a, border, **rows), down.T,
                                   rtol=0, atol=1e-15)
        np.testing.assert_allclose(pyr_up_T(np.eye(n), a, border, **rows), up.T, rtol=0, atol=1e-15)


@pytest.mark.parametrize("border", BORDERS)
def test_inner_products_agree_for_all_shapes(border):
    rng = np.random.default_rng(0)
    for shape in ((h, w) for h in SIZES for w in SIZES):
        x = rng.normal(size=shape)
        small = pyr_down(x, border=border)
        y = rng.normal(size=small.shape)
        large = pyr_up(y, shape, border=border)
        pyramid = laplacian_pyramid(x, border=border)
        cotangents = dataclasses.replace(pyramid, levels=tuple(rng.normal(size=level.shape)
                                                               for level in pyramid))
        assert mismatch([(small, y)], [(x, pyr_down_T(y, shape, border=border))]) <= 1e-14, shape
        assert mismatch([(large, x)], [(y, pyr_up_T(x, border=border))]) <= 1e-14, shape
        assert mismatch(list(zip(pyramid, cotangents)), [(x, laplacian_T(cotangents))]) <= 1e-14


def test_pyr_up_is_no_transpose_of_pyr_down():
    """The obvious mistake: right inside and for some borders, but not for the default."""
    wrong = {}
    for border in BORDERS:
        down = pyr_down(np.eye(16), border=border, **rows)
        half = np.eye(8)
        wrong[border] = np.abs(pyr_up(half, (16, 8), border=border, **rows) / 2 - down.T).max()
    assert wrong == {"reflect101": 0.25, "reflect": 0, "replicate": 0.0625, "wrap": 0, "zero": 0}


def test_images_of_many_strips_have_the_transposes_of_many_columns():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(701, 380, 3))
    assert x.size > 3 * STRIP
    options = dict(border="reflect", axes=(0, 1))
    y = rng.normal(size=(351, 190, 3))
    assert mismatch([(pyr_down(x, **options), y)], [(x, pyr_down_T(y, x.shape, **options))]) < 1e-14
    assert mismatch([(pyr_up(y, x.shape, **options), x)], [(y, pyr_up_T(x, **options))]) < 1e-14


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_dtype_stays(dtype):
    y = np.random.default_rng(2).random((4, 3)).astype(dtype)
    for small, large in ((y, pyr_down_T(y, (8, 5))), (pyr_up_T(y), y)):
        assert small.dtype == large.dtype == dtype
    np.testing.assert_allclose(pyr_down_T(y, (8, 5)), pyr_down_T(y.astype(float), (8, 5)),
                               rtol=2 * float(np.finfo(dtype).eps))


def test_errors_name_what_is_allowed():
    y, x = np.ones((3, 2)), np.ones((5, 4), np.uint8)
    with one_line(TypeError, "uint8", "float32"):
        pyr_up_T(x)
    with one_line(TypeError, "uint8", "float32"):
        pyr_down_T(x, (10, 8))
    with one_line(ValueError, "(5 or 6, 3 or 4)"):
        pyr_down_T(y, (7, 4))
    with one_line(ValueError, "unknown border"):
        pyr_up_T(y, border="mirror")
    with one_line(TypeError, "floats without exact"):
        laplacian_T(laplacian_pyramid(x))
    with one_line(TypeError, "floats without exact"):
        laplacian_T(laplacian_pyramid(y, exact=True))
    with one_line(TypeError, "Laplacian"):
        laplacian_T([y])
