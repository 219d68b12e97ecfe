"""minigrad: a deep-learning framework to read, on NumPy and CuPy.

    import minigrad as mg
    x = mg.Tensor([0.5, -1.0], requires_grad=True)
    mg.sum(mg.tanh(x) * 2).backward()
    x.grad
"""

from minigrad import hints, nn, optim
from minigrad.autocast import autocast
from minigrad.autograd import grad, hessian, jacobian, jvp
from minigrad.backend import get_float32_matmul_precision, manual_seed, set_float32_matmul_precision
from minigrad.engine import Tensor
from minigrad.function import Function
from minigrad.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.graph import no_grad
from minigrad.ops import *  # noqa: F403  the public ops: exp, conv2d, cross_entropy, ...

__version__ = "0.2.0"
__getattr__ = hints.module_getattr(__name__)
