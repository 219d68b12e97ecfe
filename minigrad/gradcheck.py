"""Gradients checked against numbers.

    gradcheck(f, [x, w])              does backward agree with finite differences?
    gradgradcheck(f, [x, w])          and the backward of the backward?

There are two ways to measure a derivative. Central differences are (f(x+h) - f(x-h)) / 2h. With
h = 6.06e-6 max(1, |x|), from the cube root of float64's epsilon, truncation and rounding are about
equal, and the relative error is about 1e-9. The complex step is Im f(x + ih) / h with h = 1e-20. It
subtracts nothing, so it is exact to rounding, but f has to be analytic (W. Squire and G. Trapp,
"Using complex variables to estimate derivatives", SIAM Review 40, 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.autograd import grad
from minigrad.engine import Tensor, data_of, wrap
from minigrad.ops import concatenate

STEP = float(np.cbrt(np.finfo(np.float64).eps))  # 6.06e-6
TOLERANCE = {"central": 1e-7, "complex": 1e-12}
FULL_JACOBIAN = 200  # the largest input whose elements are moved one by one


class GradcheckError(AssertionError):
    """A derivative that disagrees with the numbers."""


def gradcheck(f: Callable[..., Tensor], inputs: Sequence[Any], method: str = "central",
              tol: float | None = None, seed: int = 0) -> bool:
    """True if the gradients of f by backward agree with numerical ones.

    f maps Tensors to one Tensor; inputs: float64 arrays or Tensors, all of them checked. The output
    is multiplied with random numbers v (a cotangent) and summed. In an input of at most 200
    elements each element is moved by itself; a larger one is moved along one random direction.

    A gradient a agrees with the number n if |a - n| <= tol (1 + |n|), with tol = 1e-7 for method
    "central" and 1e-12 for "complex"; a direction of n elements is allowed sqrt(n) times as much.
    `seed` is that of the random numbers.

    Raises GradcheckError, which names op, argument, index and both numbers, if they disagree;
    TypeError for inputs that are not float64; ValueError for NaN in an input and for an unknown
    method.
    """
    arrays = _float64_arrays(inputs)
    if method not in TOLERANCE:
        raise ValueError(f"gradcheck: method must be 'central' or 'complex', got {method!r}")
    tol = TOLERANCE[method] if tol is None else tol
    rng = np.random.default_rng(seed)
    xs = [Tensor(a.copy(), True) for a in arrays]
    y = f(*xs)
    v = rng.standard_normal(y.shape)
    analytic: Sequence[Any] = [None] * len(xs)
    op = "a constant"
    if y.requires_grad:
        op = type(y.node).__name__
        try:
            analytic = grad(y, xs, v, allow_unused=True)
        except (TypeError, ValueError) as error:  # a gradient that does not fit, for one
            raise GradcheckError(f"backward of {op}: {error}") from error
    for i, (x, g) in enumerate(zip(arrays, analytic)):
        g = np.zeros_like(x) if g is None else g.data
        if g.shape != x.shape:
            raise GradcheckError(f"{op}: gradient of argument {i} has shape {g.shape}, "
                                 f"the argument {x.shape}")

        def along(direction: np.ndarray, size: Any) -> float:
            def contracted(step: complex) -> Any:
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


def gradgradcheck(f: Callable[..., Tensor], inputs: Sequence[Any], method: str = "central",
                  tol: float | None = None, seed: int = 0) -> bool:
    """`gradcheck` of the backward pass of f itself, which is the map (x, v) -> v^T J(x).

    The cotangent v is checked as an input too, so every path through the formulas counts.
    Parameters and errors are those of `gradcheck`.
    """
    arrays = _float64_arrays(inputs)
    v = np.random.default_rng(seed + 1).standard_normal(f(*map(Tensor, arrays)).shape)

    def pullback(*args: Tensor) -> Tensor:
        dtype = np.result_type(*[x.dtype for x in args])
        *xs, v = [x if x.requires_grad else _differentiable(x, dtype) for x in args]
        y = f(*xs)
        if not y.requires_grad:
            return wrap(np.zeros(1))
        gs = grad(y, xs, v, create_graph=True, allow_unused=True)
        return concatenate([g.reshape(-1) for g in gs if g is not None])

    return gradcheck(pullback, [*arrays, v], method, tol, seed)


def _differentiable(x: Tensor, dtype: np.dtype) -> Tensor:
    """A leaf with the data of x, complex ones too: the pullback is analytic where f is."""
    leaf = wrap(x.data.astype(dtype))
    leaf._requires_grad = True
    return leaf


def _derivative(f: Callable[[complex], Any], method: str, size: float) -> float:
    """f'(0) for a function f of the step length; `size` is the magnitude of what is moved."""
    if method == "complex":
        return f(1e-20j).imag / 1e-20
    h = STEP * max(1.0, float(size))
    return (f(h) - f(-h)) / (2 * h)


def _compare(a: Any, n: Any, tol: float, where: str) -> None:
    if not abs(a - n) <= tol * (1 + abs(n)):
        raise GradcheckError(f"{where}: backward gives {float(a)}, numerically it is {float(n)} "
                             f"(difference {abs(a - n):.3g}, allowed {tol * (1 + abs(n)):.3g})")


def _float64_arrays(inputs: Sequence[Any]) -> list[np.ndarray]:
    arrays = [np.asarray(data_of(x)) for x in inputs]
    for i, a in enumerate(arrays):
        if a.dtype != np.float64:
            raise TypeError(f"gradcheck: argument {i} is {a.dtype}; differences need float64")
        if np.isnan(a).any():
            raise ValueError(f"gradcheck: argument {i} contains NaN")
    return arrays
