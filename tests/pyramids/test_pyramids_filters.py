"""pyr_down and pyr_up against an independent dense-matrix reference, and tests with power.

Reconstruction proves nothing about the filters: L = I - U(I') rebuilds I for any U and D. So each
of the eleven mutants below rebuilds perfectly, and must be caught by the other checks.
"""

from functools import lru_cache, partial

import numpy as np
import pytest

from pyramids import BORDERS, kernel, laplacian_pyramid, pyr_down, pyr_up
from pyramids.filters import STRIP

NUMPY_PAD = {"reflect101": "reflect", "reflect": "symmetric", "replicate": "edge", "wrap": "wrap",
             "zero": "constant"}


# ---- an independent reference: the whole filter as one matrix per axis ---------------------------

@lru_cache(maxsize=None)
def down_matrix(n, a=0.375, border="reflect101", phase=0, taps=None):
    """(ceil(n/2), n): rows of the convolution matrix of the extended signal, every other one."""
    if n == 1:
        return np.ones((1, 1))
    taps = taps or (0.25 - a / 2, 0.25, a, 0.25, 0.25 - a / 2)
    extended = np.pad(np.eye(n), ((2, 2), (0, 0)), mode=NUMPY_PAD[border])
    return sum(w * extended[m:m + n] for m, w in enumerate(taps))[phase::2]


@lru_cache(maxsize=None)
def up_matrix(n, a=0.375, border="reflect101"):
    """(n, ceil(n/2)): insert zeros, extend, convolve, times 2."""
    if n == 1:
        return np.ones((1, 1))
    spread = np.eye(n)[:, ::2]
    extended = np.pad(spread, ((2, 2), (0, 0)), mode=NUMPY_PAD[border])
    taps = (0.25 - a / 2, 0.25, a, 0.25, 0.25 - a / 2)
    return 2 * sum(w * extended[m:m + n] for m, w in enumerate(taps))


def dense_down(x, **options):
    return down_matrix(x.shape[0], **options) @ x @ down_matrix(x.shape[1], **options).T


def dense_up(x, shape, gain=4, **options):
    rows, columns = (up_matrix(n, **options)[:, :m] for n, m in zip(shape, x.shape))
    return gain / 4 * rows @ x @ columns.T


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("a", [0.375, 0.4])
def test_all_1089_shapes_agree_with_the_dense_matrices(border, a):
    rng, bound = np.random.default_rng(0), 4 * np.finfo(float).eps
    for shape in np.ndindex(33, 33):
        x = rng.uniform(-1, 1, np.add(shape, 1))
        small = pyr_down(x, a, border)
        assert np.abs(small - dense_down(x, a=a, border=border)).max() <= bound, x.shape
        large = pyr_up(small, x.shape, a, border)
        assert np.abs(large - dense_up(small, x.shape, a=a, border=border)).max() <= bound, x.shape


# ---- checks with power, and what each mutant does to them ----------------------------------------

def nearest_up(x, shape):
    return x.repeat(2, 0).repeat(2, 1)[:shape[0], :shape[1]]


def box_down(x):
    return dense_down(x, taps=(0, 0, 0.5, 0.5, 0))


def odd_down(x):
    return dense_down(x, phase=1)


def mutant(gain=4, **options):
    return partial(dense_down, **options), partial(dense_up, gain=gain, **options)


MUTANTS = {  # name -> (down, up), the checks that must catch it (pyramid reference, table A6)
    "up gain 1 instead of 4": (mutant(gain=1), {"constant", "quadratic"}),
    "up gain 2": (mutant(gain=2), {"constant", "quadratic"}),
    "a = .4 for .375": (mutant(a=0.4), {"quadratic", "OpenCV 4x4"}),
    "replicate border": (mutant(border="replicate"), {"constant", "OpenCV 4x4"}),
    "zero border": (mutant(border="zero"), {"constant", "OpenCV 4x4"}),
    "half-sample symmetric": (mutant(border="reflect"), {"constant", "OpenCV 4x4"}),
    "odd phase, floor sizes": ((odd_down, dense_up), {"quadratic", "OpenCV 4x4"}),
    "nearest-neighbour up": ((dense_down, nearest_up), {"quadratic"}),
    "2x2 box down": ((box_down, dense_up), {"quadratic", "OpenCV 4x4", "flip"}),
    "another filter, a = .9": (mutant(a=0.9), {"quadratic", "OpenCV 4x4"}),
    "another filter, a = .1": (mutant(a=0.1), {"quadratic", "OpenCV 4x4"}),
}


def failed_checks(down, up):
    """The names of the checks that these two filters fail."""
    y, x = np.mgrid[:40.0, :40.0]
    inner = slice(4, -4)
    square = np.zeros((4, 4))
    square[1:3, 1:3] = 1
    odd = np.random.default_rng(0).random((33, 17))

    def detail(image):
        return image - up(down(image), image.shape)

    error = {
        "reconstruct": detail(odd) + up(down(odd), odd.shape) - odd,
        "constant": np.concatenate([detail(np.full(shape, 0.7)).ravel()
                                    for shape in ((16, 16), (17, 9), (7, 12), (2, 3), (2, 4))]),
        "quadratic": np.stack([detail(x * x) + 2, detail(x * x + y * y) + 4])[:, inner, inner],
        "OpenCV 4x4": down(square) - [[0.390625, 0.4296875], [0.4296875, 0.47265625]],
        "flip": down(odd[::-1, ::-1])[::-1, ::-1] - down(odd),
    }
    return {name for name, e in error.items() if np.abs(e).max() > 1e-12}


def test_the_filters_pass_every_check_with_power():
    assert failed_checks(pyr_down, pyr_up) == set()


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_rebuilds_perfectly_and_is_caught(name):
    (down, up), expected = MUTANTS[name]
    failed = failed_checks(down, up)
    assert "reconstruct" not in failed
    assert expected <= failed


def test_quadratics_give_minus_their_laplacian_exactly_at_every_level():
    y, x = np.mgrid[:257.0, :257.0]
    for image, laplacian in ((x * x, 2), (x * x + y * y, 4)):
        for k, detail in enumerate(laplacian_pyramid(image, levels=4)[:-1]):
            assert (detail[8:-8, 8:-8] == -laplacian * 4**k).all()


@pytest.mark.parametrize("shape", [(17, 33), (7, 5), (3, 1), (9, 9)])
def test_odd_sizes_are_flip_symmetric_to_the_bit(shape):
    x = np.random.default_rng(1).random(shape)
    small = pyr_down(x)
    assert (pyr_down(x[::-1, ::-1])[::-1, ::-1] == small).all()
    assert (pyr_up(small[::-1, ::-1], shape)[::-1, ::-1] == pyr_up(small, shape)).all()


@pytest.mark.parametrize("shape", [(7, 12), (1, 5), (2, 3), (1, 1), (1, 64), (33, 2)])
def test_constants_stay_constant_where_one_side_ends_first(shape):
    for level in laplacian_pyramid(np.full(shape, 3.0))[:-1]:
        assert (level == 0).all()


def test_integers_round_once_halves_upwards():
    x = np.random.default_rng(2).integers(-128, 128, (37, 23)).astype(np.int8)
    small = dense_down(x.astype(float))  # exact: multiples of 1/256
    assert (pyr_down(x) == np.floor(small + 0.5)).all()
    large = dense_up(pyr_down(x).astype(float), x.shape)
    assert (pyr_up(pyr_down(x), x.shape) == np.floor(large + 0.5)).all()


def test_integers_saturate_where_a_filter_overshoots():
    x = np.array([[0, 0, 255, 255, 255, 255, 0, 0]] * 8, np.uint8)
    exact = dense_down(x.astype(float), a=0.9)
    assert exact.max() > 255
    assert (pyr_down(x, a=0.9) == np.clip(np.floor(exact + 0.5), 0, 255)).all()


# ---- layouts, kernels, errors --------------------------------------------------------------------

def test_an_image_of_many_strips_equals_the_dense_matrices():
    x = np.random.default_rng(4).random((1401, 390))
    assert x.size > 2 * STRIP
    for view in (x, np.asfortranarray(x), x[::-1, ::2], x.T):
        small = pyr_down(view)
        assert np.abs(small - dense_down(view)).max() <= 1e-15
        assert np.abs(pyr_up(small, view.shape) - dense_up(small, view.shape)).max() <= 1e-15


@pytest.mark.parametrize("axes", [(0, 1), (-3, -2), (2, 0), (1,), (0, 1, 2)])
def test_axes_filter_one_axis_after_the_other(axes):
    x = np.random.default_rng(5).random((6, 9, 11))
    one_by_one = x
    for axis in sorted(axis % 3 for axis in axes):
        one_by_one = pyr_down(one_by_one, axes=(axis,))
    small = pyr_down(x, axes=axes)
    assert (small == one_by_one).all()
    for axis in sorted(axis % 3 for axis in axes):
        shape = list(one_by_one.shape)
        shape[axis] = x.shape[axis]
        one_by_one = pyr_up(one_by_one, shape, axes=(axis,))
    assert (pyr_up(small, x.shape, axes=axes) == one_by_one).all()


def test_batch_axes_are_carried_along_and_may_be_empty():
    x = np.random.default_rng(6).random((2, 3, 7, 6)).astype(np.float32)
    small = pyr_down(x)
    assert small.shape == (2, 3, 4, 3) and small.dtype == np.float32
    assert (small[1, 2] == pyr_down(x[1, 2])).all()
    assert pyr_up(pyr_down(x[:0]), (0, 3, 7, 6)).shape == (0, 3, 7, 6)


def test_the_kernel_sums_to_one_and_contributes_equally():
    for a in (0.3, 0.375, 0.4, 0.5, 0.6):
        w0, w1, w2 = kernel(a)
        assert w0 + 2 * w1 + 2 * w2 == pytest.approx(1) and w0 + 2 * w2 == pytest.approx(2 * w1)
    assert kernel() == (6 / 16, 4 / 16, 1 / 16)


IMAGE = np.zeros((5, 4))


@pytest.mark.parametrize("error, message, call", [
    (TypeError, "dtype bool", lambda: pyr_down(IMAGE > 0)),
    (TypeError, "dtype complex128", lambda: pyr_down(IMAGE * 1j)),
    (TypeError, "dtype object", lambda: pyr_down(IMAGE.astype(object))),
    (TypeError, "integers of 8, 16 or 32 bits", lambda: pyr_down(IMAGE.astype(np.int64))),
    (TypeError, "got list", lambda: pyr_down([[1.0]])),
    (ValueError, "reflect101, reflect, replicate, wrap, zero", lambda: pyr_down(IMAGE, border="x")),
    (ValueError, "from 0 to 1", lambda: pyr_down(IMAGE, a=1.5)),
    (ValueError, "from 0 to 1", lambda: pyr_down(IMAGE, a=float("nan"))),
    (ValueError, "empty", lambda: pyr_down(IMAGE[:0])),
    (ValueError, "use one or more of -2..1", lambda: pyr_down(IMAGE, axes=(0, 2))),
    (ValueError, "use one or more of -2..1", lambda: pyr_down(IMAGE, axes=())),
    (ValueError, "use one or more of -1..0", lambda: pyr_down(IMAGE[0])),
    (ValueError, "no axes", lambda: pyr_down(np.float64(1))),
    (ValueError, "twice", lambda: pyr_down(IMAGE, axes=(1, -1))),
    (TypeError, "sequence of integers", lambda: pyr_down(IMAGE, axes=1)),
    (TypeError, "sequence of integers", lambda: pyr_down(IMAGE, axes=(0.5, 1))),
    (ValueError, "(9 or 10, 7 or 8)", lambda: pyr_up(IMAGE, (11, 8))),
    (ValueError, "(9 or 10, 7 or 8)", lambda: pyr_up(IMAGE, (10, 8, 1))),
    (ValueError, "(9 or 10, 4)", lambda: pyr_up(IMAGE, (10, 8), axes=(0,))),
    (TypeError, "one integer per axis", lambda: pyr_up(IMAGE, 10)),
])
def test_errors_name_what_is_allowed(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value) and "\n" not in str(caught.value)
