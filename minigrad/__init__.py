"""minigrad: a deep-learning framework to read, on NumPy and CuPy.

    import minigrad as mg
    x = mg.Tensor([0.5, -1.0], requires_grad=True)
    mg.sum(mg.tanh(x) * 2).backward()
    x.grad
"""

import importlib
from typing import Any

from numpy import dtype, iinfo

from minigrad import dtypes, hints, nn, optim
from minigrad.autocast import autocast
from minigrad.autograd import grad, hessian, jacobian, jvp
from minigrad.backend import (Generator, device, get_float32_matmul_precision, initial_seed,
                              manual_seed, seed, set_float32_matmul_precision)
from minigrad.dtypes import finfo
from minigrad.engine import Tensor
from minigrad.function import Function
from minigrad.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.graph import (enable_grad, inference_mode, is_grad_enabled, no_grad,
                            set_grad_enabled)
from minigrad.ops import *  # noqa: F403  the public ops: exp, conv2d, cross_entropy, ...
from minigrad.ops.arrays.creation import *  # noqa: F403  tensor, zeros, arange, ...
from minigrad.ops.arrays.creation import TYPES
from minigrad.ops.arrays.random import *  # noqa: F403  randn, randint, ...
from minigrad.optim import amp

__version__ = "0.4.0"
Size = tuple
_told = hints.module_getattr(__name__)


def __getattr__(name: str) -> Any:
    """What is not here from the start: dtypes, whose names would hide Python's `float` and `bool`,
    the old names of Tensors of a dtype, files, and the modules of minigrad."""
    if name in dtypes.NAMES:
        return dtypes.number_type(dtypes.NAMES[name])
    if name in TYPES:
        return TYPES[name]
    if name in ("load", "save"):
        return getattr(importlib.import_module("minigrad.weights.objects"), name)
    return _told(name)


def __dir__() -> list[str]:
    return [*globals(), *dtypes.NAMES, *TYPES, "load", "save"]
