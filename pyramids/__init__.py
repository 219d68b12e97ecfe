"""Exact Gaussian and Laplacian image pyramids, for NumPy and CuPy arrays of any shape.

    from pyramids import laplacian_pyramid, collapse

    pyramid = laplacian_pyramid(image)        # L_0, L_1, ..., and the 1x1 top
    assert (collapse(pyramid) == image).all() # bit for bit, if `image` holds integers

`pyr_down` and `pyr_up` are the two filters (`filters.py`), everything else stacks them
(`pyramid.py`). `levels` always means the number of arrays, the coarsest one included.

For readers of other libraries: `pyr_down`, `pyr_up` and `gaussian_pyramid` are OpenCV's `pyrDown`,
`pyrUp` and `buildPyramid`, and scikit-image's `pyramid_reduce`, `pyramid_expand` and
`pyramid_gaussian`; `collapse` is pyrtools' `recon_pyr`, and the other two have none.
"""

from pyramids.borders import BORDERS
from pyramids.filters import kernel, pyr_down, pyr_up
from pyramids.pyramid import Pyramid, collapse, expand_to, gaussian_pyramid, laplacian_pyramid

__all__ = ["BORDERS", "Pyramid", "collapse", "expand_to", "gaussian_pyramid", "kernel",
           "laplacian_pyramid", "pyr_down", "pyr_up"]
