"""Dropout's mask on the GPU: the numbers that NumPy's generator would have drawn."""

import math

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.runtime.cuda import BLOCK, launch


def mask(x, rng, shape, p):
    """rng is on NumPy's Philox, whose key alone says what a fresh generator will draw."""
    out = array_module(x).empty(shape, x.dtype)
    key = rng.bit_generator.state["state"]["key"]
    launch("dropout", "mask", [], [out], *key, np.float32(p),
           blocks=math.ceil(out.size / (8 * BLOCK)))
    return out
