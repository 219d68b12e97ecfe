"""Functions of single elements: their accuracy, edges, dtypes and what PyTorch says of each."""

import math

import numpy as np

import minigrad as mg
from minigrad import Tensor

inf, nan = math.inf, math.nan


# ---- erf -----------------------------------------------------------------------------------------

GRID = np.concatenate([np.linspace(-7, 7, 28_001), np.logspace(-300, 1, 3001),
                       -np.logspace(-20, 1, 3001), np.nextafter(0.46875, [0, 1])])


def test_erf_is_right_to_1e_15():
    exact = np.array([math.erf(x) for x in GRID])
    np.testing.assert_allclose(mg.erf(GRID), exact, rtol=1e-15, atol=0)


def test_erf_of_float32_is_rounded_once():
    x = GRID.astype(np.float32)
    exact = np.array([math.erf(v) for v in x.astype(np.float64)])
    np.testing.assert_array_equal(mg.erf(x), exact.astype(np.float32))


def test_erf_at_its_edges():
    y = mg.erf(np.array([nan, inf, -inf, 0.0, -0.0, 1e300]))
    np.testing.assert_array_equal(y, [nan, 1, -1, 0, -0.0, 1])
    assert np.signbit(y[4])
    assert mg.erf(Tensor([0, 1])).dtype == np.float32  # of integers
    assert mg.erf(np.zeros((0, 3))).shape == (0, 3)
