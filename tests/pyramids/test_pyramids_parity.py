"""The same numbers as OpenCV and pyrtools, where they are installed."""

import numpy as np
import pytest

from pyramids import collapse, laplacian_pyramid, pyr_down, pyr_up


@pytest.fixture(scope="module")
def cv2():
    return pytest.importorskip("cv2", reason="OpenCV is not installed")


@pytest.fixture(scope="module")
def pyrtools():
    return pytest.importorskip("pyrtools", reason="pyrtools is not installed")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("border, name", [("reflect101", "BORDER_REFLECT_101"),
                                          ("reflect", "BORDER_REFLECT"),
                                          ("replicate", "BORDER_REPLICATE"),
                                          ("wrap", "BORDER_WRAP")])
def test_pyr_down_is_opencvs(cv2, dtype, border, name):
    rng = np.random.default_rng(0)
    for shape in ((h, w) for h in range(1, 26) for w in range(1, 26)):
        x = rng.uniform(-1, 1, shape).astype(dtype)
        small = pyr_down(x, border=border)
        theirs = cv2.pyrDown(x, borderType=getattr(cv2, name)).reshape(small.shape)
        assert np.abs(small - theirs).max() <= 4 * np.finfo(dtype).eps, shape


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_integers_round_as_opencv_does(cv2, dtype):
    limits = np.iinfo(dtype)
    x = np.random.default_rng(1).integers(limits.min, limits.max + 1, (60, 44, 3)).astype(dtype)
    small = pyr_down(x, axes=(0, 1))
    assert (small == cv2.pyrDown(x)).all()
    assert (pyr_up(small, x.shape, axes=(0, 1)) == cv2.pyrUp(small)).all()


def test_pyr_up_is_opencvs_at_even_sizes(cv2):
    """At odd sizes OpenCV's last row and column are wrong: not the mirror image of the first."""
    rng = np.random.default_rng(2)
    for shape in ((h, w) for h in range(2, 25, 2) for w in range(2, 25, 2)):
        small = rng.uniform(-1, 1, (shape[0] // 2, shape[1] // 2))
        theirs = cv2.pyrUp(small, dstsize=shape[::-1]).reshape(shape)
        assert np.abs(pyr_up(small, shape) - theirs).max() <= 4 * np.finfo(float).eps, shape


@pytest.mark.parametrize("border, edge_type", [("reflect101", "reflect1"), ("reflect", "reflect2"),
                                               ("replicate", "repeat"), ("zero", "zero"),
                                               ("wrap", "circular")])
@pytest.mark.parametrize("shape", [(64, 64), (65, 49), (48, 33)])
def test_the_laplacian_is_pyrtools(pyrtools, border, edge_type, shape):
    """pyrtools' binomial is sqrt(2) times ours along each axis: level k is 2^k times ours."""
    x = np.random.default_rng(3).random(shape)
    theirs = pyrtools.pyramids.LaplacianPyramid(x, height=4, edge_type=edge_type)
    pyramid = laplacian_pyramid(x, 4, border=border)
    for k, level in enumerate(pyramid):
        np.testing.assert_allclose(theirs.pyr_coeffs[k, 0] / 2**k, level, rtol=0, atol=2e-15)
    np.testing.assert_allclose(theirs.recon_pyr(), collapse(pyramid), rtol=0, atol=4e-15)
