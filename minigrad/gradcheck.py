"""Gradients checked against numbers.

    gradcheck(f, [x, w])              does backward agree with finite differences?
    gradgradcheck(f, [x, w])          and the backward of the backward?

Two rulers. Central differences, (f(x+h) - f(x-h)) / 2h with h = 6.06e-6 max(1, |x|): the cube root
of float64's epsilon balances truncation against rounding, about 1e-9 relative. The complex step,
Im f(x + ih) / h with h = 1e-20, which subtracts nothing and is exact to rounding, for analytic f
(W. Squire and G. Trapp, "Using complex variables to estimate derivatives", SIAM Review 40, 1998).
"""

from __future__ import annotations

import numpy as np

from minigrad.autograd import grad
from minigrad.ops import concatenate
from minigrad.tensor import Tensor, wrap

STEP = float(np.cbrt(np.finfo(np.float64).eps))  # 6.06e-6
TOLERANCE = {"central": 1e-7, "complex": 1e-12}
FULL_JACOBIAN = 200  # the largest input whose elements are moved one by one


class GradcheckError(AssertionError):
    """A derivative that disagrees with the numbers."""


def gradcheck(f, inputs, method="central", tol=None, seed=0):
    """True if the gradients of f by backward agree with numerical ones; GradcheckError if not.

    f maps Tensors to one Tensor; inputs: float64 arrays or Tensors, all of them checked. The output
    is contracted with a random cotangent v. Inputs of at most 200 elements have every element moved
    by itself, larger ones are moved along one random direction. They agree if
    |a - n| <= tol (1 + |n|), tol = 1e-7 for method "central" and 1e-12 for "complex" (a direction
    of n elements is allowed sqrt(n) times as much). The message names the op, the argument,
    the index and both numbers. Raises TypeError for inputs that are not float64, ValueError for
    NaN in an input.
    """
    arrays = _checked(inputs)
    if method not in TOLERANCE:
        raise ValueError(f"gradcheck: method must be 'central' or 'complex', got {method!r}")
    tol = TOLERANCE[method] if tol is None else tol
    rng = np.random.default_rng(seed)
    xs = [Tensor(a.copy(), True) for a in arrays]
    y = f(*xs)
    v = rng.standard_normal(y.shape)
    if y.requires_grad:
        analytic, op = grad(y, xs, v, allow_unused=True), type(y.node).__name__
    else:
        analytic, op = [None] * len(xs), "a constant"
    for i, (x, g) in enumerate(zip(arrays, analytic)):
        g = np.zeros_like(x) if g is None else g.data
        if g.shape != x.shape:
            raise GradcheckError(f"{op}: gradient of argument {i} has shape {g.shape}, "
                                 f"the argument {x.shape}")

        def along(direction, size):
            def contracted(step):
                moved = [wrap(a + step * direction if k == i else a) for k, a in enumerate(arrays)]
                return (f(*moved).data * v).sum()
            return _derivative(contracted, method, size)

        if x.size <= FULL_JACOBIAN:
            for index in np.ndindex(x.shape):
                unit = np.zeros_like(x)
                unit[index] = 1
                _compare(g[index], along(unit, abs(x[index])), tol,
                         f"{op}: gradient of argument {i} at index {index}")
        else:
            u = rng.standard_normal(x.shape)
            _compare((g * u).sum(), along(u, 1.0), tol * np.sqrt(x.size),
                     f"{op}: gradient of argument {i}, along a random direction")
    return True


def gradgradcheck(f, inputs, method="central", tol=None, seed=0):
    """gradcheck of the backward pass of f itself, the map (x, v) -> v^T J(x).

    The cotangent v is checked as an input too, so every path through the formulas counts.
    """
    arrays = _checked(inputs)
    v = np.random.default_rng(seed + 1).standard_normal(f(*map(Tensor, arrays)).shape)

    def pullback(*args):
        dtype = np.result_type(*[x.dtype for x in args])
        *xs, v = [x if x.requires_grad else _differentiable(x, dtype) for x in args]
        y = f(*xs)
        if not y.requires_grad:
            return wrap(np.zeros(1))
        gs = grad(y, xs, v, create_graph=True, allow_unused=True)
        return concatenate([g.reshape(-1) for g in gs if g is not None])

    return gradcheck(pullback, [*arrays, v], method, tol, seed)


def _differentiable(x, dtype):
    """A leaf with x's data, also in complex numbers: the pullback is analytic where f is."""
    leaf = wrap(x.data.astype(dtype))
    leaf._requires_grad = True
    return leaf


def _derivative(f, method, size):
    """f'(0) for a scalar f of one step length; size is the magnitude of what is moved."""
    if method == "complex":
        return f(1e-20j).imag / 1e-20
    h = STEP * max(1.0, float(size))
    return (f(h) - f(-h)) / (2 * h)


def _compare(a, n, tol, where):
    if not abs(a - n) <= tol * (1 + abs(n)):
        raise GradcheckError(f"{where}: backward gives {float(a)}, numerically it is {float(n)} "
                             f"(difference {abs(a - n):.3g}, allowed {tol * (1 + abs(n)):.3g})")


def _checked(inputs):
    arrays = [np.asarray(x.data if isinstance(x, Tensor) else x) for x in inputs]
    for i, a in enumerate(arrays):
        if a.dtype != np.float64:
            raise TypeError(f"gradcheck: argument {i} is {a.dtype}; differences need float64")
        if np.isnan(a).any():
            raise ValueError(f"gradcheck: argument {i} contains NaN")
    return arrays
