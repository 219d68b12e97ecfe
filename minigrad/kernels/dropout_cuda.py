"""Dropout's mask on the GPU: the numbers that NumPy's generator would have drawn."""

from __future__ import annotations

import math

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.cuda import BLOCK, launch


def mask(rng, like, shape, p):
    """Ones where `rng.random(shape, "float32") >= p`, zeros elsewhere, in the dtype of `like`.

    rng: a fresh generator on NumPy's Philox, which says by its key alone what it will draw.
    """
    out = array_module(like).empty(shape, like.dtype)
    key = rng.bit_generator.state["state"]["key"]
    launch("dropout", "mask", [], [out], *key, np.float32(p),
           blocks=math.ceil(out.size / (8 * BLOCK)))
    return out
