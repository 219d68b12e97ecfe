"""Pyramids of Tensors: gradients of every order, values equal to the plain ones bit for bit.

    from pyramids import differentiable as dp

    levels = dp.laplacian_pyramid(x, levels=4)   # a list of Tensors
    dp.collapse(levels).sum().backward()

The two filters are linear, so the gradient of each is its transpose (`pyramids/adjoint.py`), whose
gradient is the filter again; everything else is made of these, minus and plus. Floats only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.backend import Array
from minigrad.engine import Tensor
from minigrad.function import Function
from pyramids import adjoint, filters
from pyramids.arguments import Axes, Shape, check_float_image, check_levels
from pyramids.pyramid import most_levels


class _Filter(Function):
    """A linear filter and its options."""

    def __init__(self, *options: Any) -> None:
        self.options = options  # a, border, axes


class PyrDown(_Filter):
    """y = D x.  x (..., H, W) -> y (..., ceil(H/2), ceil(W/2))."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return filters.pyr_down(x, *self.options)

    def backward(self, gy: Tensor) -> Tensor:
        return PyrDownT(self.shape, *self.options)(gy)


class PyrDownT(_Filter):
    """y = D^T x.  x (..., ceil(H/2), ceil(W/2)) -> y of `shape`."""

    def __init__(self, shape: Shape, *options: Any) -> None:
        self.shape, self.options = shape, options

    def forward(self, x: Array) -> Array:
        return adjoint.pyr_down_T(x, self.shape, *self.options)

    def backward(self, gy: Tensor) -> Tensor:
        return PyrDown(*self.options)(gy)


class PyrUp(_Filter):
    """y = U x.  x (..., ceil(H/2), ceil(W/2)) -> y of `shape`."""

    def __init__(self, shape: Shape, *options: Any) -> None:
        self.shape, self.options = shape, options

    def forward(self, x: Array) -> Array:
        return filters.pyr_up(x, self.shape, *self.options)

    def backward(self, gy: Tensor) -> Tensor:
        return PyrUpT(*self.options)(gy)


class PyrUpT(_Filter):
    """y = U^T x.  x (..., H, W) -> y (..., ceil(H/2), ceil(W/2))."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return adjoint.pyr_up_T(x, *self.options)

    def backward(self, gy: Tensor) -> Tensor:
        return PyrUp(self.shape, *self.options)(gy)


def pyr_down(x: Tensor, a: float = 0.375, border: str = "reflect101",
             axes: Axes = (-2, -1)) -> Tensor:
    """`pyramids.pyr_down` of a Tensor of floats."""
    _check(x, axes)
    return PyrDown(a, border, axes)(x)


def pyr_up(x: Tensor, out_shape: Shape, a: float = 0.375, border: str = "reflect101",
           axes: Axes = (-2, -1)) -> Tensor:
    """`pyramids.pyr_up` of a Tensor of floats."""
    _check(x, axes)
    return PyrUp(out_shape, a, border, axes)(x)


def gaussian_pyramid(x: Tensor, levels: int | None = None, a: float = 0.375,
                     border: str = "reflect101", axes: Axes = (-2, -1)) -> list[Tensor]:
    """`pyramids.gaussian_pyramid` of a Tensor of floats: a list of Tensors, the first one x."""
    count = check_levels(levels, most_levels(x.shape, _check(x, axes)))
    images = [x]
    for _ in range(1, count):
        images.append(pyr_down(images[-1], a, border, axes))
    return images


def laplacian_pyramid(x: Tensor, levels: int | None = None, a: float = 0.375,
                      border: str = "reflect101", axes: Axes = (-2, -1)) -> list[Tensor]:
    """`pyramids.laplacian_pyramid` of a Tensor of floats: a list of Tensors, the coarsest last."""
    images = gaussian_pyramid(x, levels, a, border, axes)
    return [large - pyr_up(small, large.shape, a, border, axes)
            for large, small in zip(images, images[1:])] + images[-1:]


def collapse(levels: Sequence[Tensor], a: float = 0.375, border: str = "reflect101",
             axes: Axes = (-2, -1)) -> Tensor:
    """The Tensor that `laplacian_pyramid`, with the same options, takes to the list `levels`."""
    if not levels:
        raise ValueError("collapse: no levels, a pyramid has 1 level or more")
    *details, image = levels
    _check(image, axes)
    for detail in reversed(details):
        image = detail + pyr_up(image, detail.shape, a, border, axes)
    return image


def _check(x: Tensor | Array, axes: Axes) -> tuple[int, ...]:
    """The axes of a Tensor or array x of floats as non-negative integers, checked."""
    return check_float_image(x.data if isinstance(x, Tensor) else x, axes)[1]
