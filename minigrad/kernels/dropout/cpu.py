"""Dropout's mask. Both devices draw the same one: it depends on the generator alone."""

from minigrad.kernels.dropout import gpu
from minigrad.kernels.runtime.cuda import gpu_form


@gpu_form(gpu.mask)
def mask(x, rng, shape, p):
    """A mask of `shape` for x: an element holds unless the number drawn for it, in [0, 1), is < p.

    rng: a generator that has drawn nothing yet. The mask is boolean; on a GPU it holds ones and
    zeros in the dtype of x.
    """
    return rng.random(shape, "float32") >= p
