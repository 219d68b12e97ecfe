"""Stacks of filtered images: build them, take them apart, put them together again.

    pyramid = laplacian_pyramid(image, levels=6)  # immutable; len, indexing and iteration work
    collapse(pyramid)                             # the image
    collapse(pyramid, levels=2)                   # what its two coarsest arrays alone say of it
    expand_to(pyramid, 3)                         # I_3, from L_3, L_4 and the top

Gaussian levels are I_0 = image, I_{k+1} = pyr_down(I_k); Laplacian ones L_k = I_k - pyr_up(I_{k+1})
and the coarsest I_k. Rebuilding I_k = L_k + pyr_up(I_{k+1}) repeats the prediction bit for bit, so
that only the subtraction and the addition can round:

| image             | L_k is                         | rebuilt                                     |
|-------------------|--------------------------------|---------------------------------------------|
| integer           | a signed integer twice as wide | bit for bit                                 |
| float             | the same float                 | within 2 eps max|I|; values 0, 1, ... 65535 |
|                   |                                | (float16: 255) bit for bit if a <= 1/2      |
| float, exact=True | a difference of bit patterns   | bit for bit, even nan, inf and -0.0         |

A nan or inf spreads over a float image rebuilt without `exact=True`.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.arguments import Axes, Shape, check_axes, check_image, check_levels, check_one_device
from pyramids.filters import half_shape, pyr_down, pyr_up, saturate, up_strips


@dataclass(frozen=True, eq=False, repr=False)
class Pyramid:
    """The levels of an image, finest first, and all that is needed to rebuild it.

    `levels` holds read-only arrays (CuPy knows none: there, do not write to them); `kind` is
    "gaussian" or "laplacian"; `dtype` is the image's; `a`, `border` and `axes` are those of the
    filters; `exact` says that the L hold bit patterns. `dataclasses.replace(pyramid, levels=...)`
    makes one with changed levels. ValueError or TypeError where the levels do not fit together.
    """

    levels: tuple[Array, ...]
    kind: str
    dtype: np.dtype
    a: float
    border: str
    axes: tuple[int, ...]
    exact: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("gaussian", "laplacian"):
            raise ValueError(f"kind = {self.kind!r}: use 'gaussian' or 'laplacian'")
        if not self.levels:
            raise ValueError("a pyramid needs 1 level or more")
        check_one_device(*self.levels)
        shape = self.levels[0].shape
        object.__setattr__(self, "axes", check_axes(self.axes, len(shape)))
        for k, level in enumerate(self.levels):
            dtype = self._level_dtype(k)
            if level.shape != shape or level.dtype != dtype:
                raise ValueError(f"level {k} is {level.dtype} {level.shape}: "
                                 f"it must be {dtype} {shape} to fit the others")
            shape = half_shape(shape, self.axes)
        object.__setattr__(self, "levels", tuple(_freeze(level) for level in self.levels))

    def _level_dtype(self, k: int) -> np.dtype:
        if self.kind == "gaussian" or k == len(self.levels) - 1:
            return self.dtype
        return _residual_dtype(self.dtype, self.exact)

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, k: Any) -> Any:
        return self.levels[k]

    def __iter__(self) -> Iterator[Array]:
        return iter(self.levels)

    def __repr__(self) -> str:
        shapes = " ".join("x".join(map(str, level.shape)) for level in self.levels)
        return (f"Pyramid({self.kind}, {self.dtype}, {len(self)} levels {shapes}, a={self.a}, "
                f"border={self.border!r}, axes={self.axes}, exact={self.exact})")


def gaussian_pyramid(x: Array, levels: int | None = None, a: float = 0.375,
                     border: str = "reflect101", axes: Axes = (-2, -1)) -> Pyramid:
    """I_0 = x, I_{k+1} = pyr_down(I_k): `levels` arrays, or all down to 1x1 if it is None.

    Errors as in `pyr_down`; TypeError or ValueError for `levels` outside 1..the number of arrays
    down to 1x1, which is 1 + ceil(log2(longest axis)).
    """
    x, axes = check_image(x, axes)
    images = [x.copy()]
    for _ in range(1, check_levels(levels, most_levels(x.shape, axes))):
        images.append(pyr_down(images[-1], a, border, axes))
    return Pyramid(tuple(images), "gaussian", x.dtype, a, border, axes)


def laplacian_pyramid(x: Array, levels: int | None = None, a: float = 0.375,
                      border: str = "reflect101", axes: Axes = (-2, -1),
                      exact: bool = False) -> Pyramid:
    """L_k = I_k - pyr_up(I_{k+1}), and the coarsest I_k last: `levels` arrays, or all down to 1x1.

    `exact=True` stores, for floats, the difference of the bit patterns modulo 2^bits as an integer
    (integers are lossless without it). It is for storage: such an L cannot be scaled or looked at.
    The table above says what each choice rebuilds; errors as in `gaussian_pyramid`.
    """
    image, axes = check_image(x, axes)
    exact = exact and image.dtype.kind == "f"
    residuals = []
    with np.errstate(**_SILENT if exact else {}):
        for _ in range(1, check_levels(levels, most_levels(image.shape, axes))):
            smaller = pyr_down(image, a, border, axes)
            residuals.append(_residual(image, smaller, a, border, axes, exact))
            image = smaller
    top = image if residuals else image.copy()
    return Pyramid((*residuals, top), "laplacian", image.dtype, a, border, axes, exact)


def collapse(pyramid: Pyramid, levels: int | Collection[int] | None = None) -> Array:
    """The image of a Laplacian pyramid: I_k = L_k + pyr_up(I_{k+1}), from the top down to k = 0.

    `levels` = m uses only the m coarsest arrays, a collection of indices only those arrays; what is
    left out counts as zero. Integers saturate where a partial or changed pyramid leaves the dtype's
    range. TypeError unless it is a Laplacian pyramid; ValueError for levels that it does not have,
    or for other than the m coarsest of an `exact=True` one, whose arrays mean nothing alone.
    """
    return _rebuild(pyramid, 0, _indices(pyramid, levels))


def expand_to(pyramid: Pyramid, k: int) -> Array:
    """I_k of a Laplacian pyramid, rebuilt from L_k, L_{k+1}, ... and the top; see `collapse`."""
    check_laplacian(pyramid)
    if not 0 <= operator.index(k) < len(pyramid):
        raise ValueError(f"k = {k}: this pyramid has the levels 0 to {len(pyramid) - 1}")
    return _rebuild(pyramid, k, range(len(pyramid)))


def _rebuild(pyramid: Pyramid, finest: int, selected: Collection[int]) -> Array:
    top = len(pyramid) - 1
    image = pyramid[top].copy()
    if top not in selected:
        image[...] = 0
    with np.errstate(**_SILENT if pyramid.exact else {}):
        for k in range(top - 1, finest - 1, -1):
            if k in selected:
                image = _sum(pyramid, k, image)
            else:
                image = pyr_up(image, pyramid[k].shape, pyramid.a, pyramid.border, pyramid.axes)
    return image


def _indices(pyramid: Pyramid, levels: Any) -> Collection[int]:
    """The indices that `collapse` shall use, checked."""
    check_laplacian(pyramid)
    count = len(pyramid)
    try:
        indices = {operator.index(k) for k in levels}
    except TypeError:  # no collection
        return range(count - check_levels(levels, count), count)
    if not indices <= set(range(count)):
        raise ValueError(f"levels = {levels}: this pyramid has the levels 0 to {count - 1}")
    if pyramid.exact and indices != set(range(count - len(indices), count)):
        raise ValueError(f"levels = {levels} of an exact=True pyramid: use only the m coarsest")
    return indices


def check_laplacian(pyramid: Pyramid) -> None:
    kind = getattr(pyramid, "kind", type(pyramid).__name__)
    if not isinstance(pyramid, Pyramid) or kind != "laplacian":
        raise TypeError(f"expected a Laplacian pyramid, got: {kind}")


def most_levels(shape: Shape, axes: Axes) -> int:
    """How many arrays there are down to length 1 along all `axes`."""
    return 1 + (max(shape[axis] for axis in axes) - 1).bit_length()


# For np.errstate: an exact pyramid takes inf and nan as they come.
_SILENT: dict[str, Any] = {"over": "ignore", "invalid": "ignore"}


def _residual_dtype(dtype: np.dtype, exact: bool) -> np.dtype:
    """Signed integers twice as wide for integers; for floats themselves, or bits if `exact`."""
    if dtype.kind in "iu":
        return np.dtype(f"i{2 * dtype.itemsize}")
    return np.dtype(f"i{dtype.itemsize}") if exact else dtype


def _residual(image: Array, smaller: Array, a: float, border: str, axes: tuple[int, ...],
              exact: bool) -> Array:
    """image - pyr_up(smaller)."""
    dtype = _residual_dtype(image.dtype, exact)
    xp = array_module(image)
    residual = xp.empty(image.shape, dtype)

    def store(index: tuple, prediction: Array) -> None:
        if dtype.kind == "i" and image.dtype.kind == "f":
            residual[index] = image[index].view(dtype) - _bits(prediction, dtype)
        else:
            xp.subtract(image[index], prediction, out=residual[index], dtype=dtype)

    up_strips(smaller, image.shape, a, border, axes, store)
    return residual


def _sum(pyramid: Pyramid, k: int, smaller: Array) -> Array:
    """L_k + pyr_up(smaller): `_residual` undone."""
    residual, dtype = pyramid[k], pyramid.dtype
    xp = array_module(residual)
    image = xp.empty(residual.shape, dtype)
    span = 2**(8 * dtype.itemsize)  # differences of integers are smaller than that

    def store(index: tuple, prediction: Array) -> None:
        if residual.dtype.kind == "i" and dtype.kind == "f":
            image[index] = (residual[index] + _bits(prediction, residual.dtype)).view(dtype)
        elif dtype.kind == "f":
            xp.add(residual[index], prediction, out=image[index])
        else:
            total = xp.clip(residual[index], -span, span)  # so that no sum can overflow
            total += prediction
            image[index] = saturate(total, dtype)

    up_strips(smaller, residual.shape, pyramid.a, pyramid.border, pyramid.axes, store)
    return image


def _bits(prediction: Array, dtype: np.dtype) -> Array:
    """The bits of a prediction. Its nan and inf become 0: the bits of a computed nan may vary."""
    prediction[~array_module(prediction).isfinite(prediction)] = 0
    return prediction.view(dtype)


def _freeze(array: Array) -> Array:
    view = array.view()
    if isinstance(view, np.ndarray):  # CuPy has no such flag
        view.flags.writeable = False
    return view
