"""Exact Gaussian and Laplacian image pyramids, for NumPy and CuPy arrays of any shape.

    from pyramids import laplacian_pyramid, collapse

    pyramid = laplacian_pyramid(image)        # L_0, L_1, ..., and the 1x1 top
    assert (collapse(pyramid) == image).all() # bit for bit, if `image` holds integers

`levels` always means the number of arrays, the coarsest one included. CuPy arrays are filtered on
their GPU by the same operations in the same order, integers to the same bits.

A NaN or infinite sample spreads through whatever is linear (the filters, the pyramids, `blend`,
`boost`, the transposes). What compares, counts or searches (`match_template`, `encode`, `quantise`,
`entropy`, `psnr`) raises ValueError for it. No other argument may be NaN or infinite. In reading
order:

    filters.py, lines.py     pyr_down and pyr_up, the two filters that everything is made of
    pyramid.py               stacks of them, taken apart and put together without loss
    adjoint.py               the transposes of the filters, for gradients
    differentiable.py        the same functions for Tensors (`from pyramids import differentiable`)
    aliasing.py              what a kernel does to frequencies
    blend.py, coding.py, extras.py, mosaic.py    what pyramids are good for

For readers of other libraries: `pyr_down`, `pyr_up` and `gaussian_pyramid` are OpenCV's `pyrDown`,
`pyrUp` and `buildPyramid`, and scikit-image's `pyramid_reduce`, `pyramid_expand` and
`pyramid_gaussian`; `collapse` is pyrtools' `recon_pyr`, which the other two libraries lack.
"""

from pyramids import differentiable
from pyramids.adjoint import laplacian_T, pyr_down_T, pyr_up_T
from pyramids.aliasing import (aliased_energy, cumulative_blur, detail_of_square, report, response,
                               sigma, taps)
from pyramids.blend import blend
from pyramids.borders import BORDERS
from pyramids.coding import Code, bits_per_pixel, decode, encode, entropy, psnr, quantise
from pyramids.extras import boost, match_template
from pyramids.filters import kernel, pyr_down, pyr_up
from pyramids.mosaic import mosaic, places
from pyramids.pyramid import Pyramid, collapse, expand_to, gaussian_pyramid, laplacian_pyramid

__all__ = ["BORDERS", "Code", "Pyramid", "aliased_energy", "bits_per_pixel", "blend", "boost",
           "collapse", "cumulative_blur", "decode", "detail_of_square", "differentiable", "encode",
           "entropy", "expand_to", "gaussian_pyramid", "kernel", "laplacian_T",
           "laplacian_pyramid", "match_template", "mosaic", "places", "psnr", "pyr_down",
           "pyr_down_T", "pyr_up", "pyr_up_T", "quantise", "report", "response", "sigma", "taps"]
