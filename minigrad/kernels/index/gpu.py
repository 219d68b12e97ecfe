"""Adding up by index on the GPU: kernels/index/index.cu. CuPy's own `add.at` adds in any order."""

import math

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels.runtime.cuda import launch


def add_at(x, index, shape):
    xp = array_module(x)
    places = xp.arange(math.prod(shape)).reshape(shape)[index].reshape(-1)
    order = xp.argsort(places)  # CuPy's sort is stable: equal places keep their order
    y = xp.empty(shape, x.dtype)
    launch("index", "sum_runs", [places[order], order, x], [y], np.int64(places.size))
    return y
