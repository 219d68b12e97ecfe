"""What transforms are made of: how one is called, one after the other, and whose fault an error is.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from minigrad.backend import generator
from minigrad.data.arguments import probability

_POSITIONAL = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
_NAMES = "rng", "generator"
_LONGEST = 160      # characters of a transform's printed form in a message


class TransformError(RuntimeError):
    """A transform that failed on a sample. One line: the transform, the sample, what happened.

    The exception that the transform raised is the `__cause__`.
    """


class Step:
    """A transform and how it is called, which its signature decides when the step is made.

    It gets the generator if it has a parameter named `rng` or `generator`, or a second one that
    must be given: `f(image, rng=None)`, `f(image, random)`. Everything else, and what has no
    readable signature, gets the image alone: `f(image)`, `f(image, size=32)`, `f(*arguments)`.
    """

    def __init__(self, transform: Callable, who: str) -> None:
        """Raises ValueError if it cannot be called, TypeError if not with those; `who` asks."""
        if not callable(transform):
            raise ValueError(f"{who}: transforms must be callable, got {transform!r}")
        if isinstance(transform, type) and issubclass(transform, (Compose, Transform)):
            name = transform.__name__
            raise TypeError(f"{who}: {name} is a class; give one of its objects, as {name}(...)")
        self.transform: Callable = transform
        self._count, self._names = _arguments_of(transform, who)

    def __call__(self, image: object, rng: np.random.Generator | None) -> object:
        return self.transform(*(image, rng)[:self._count], **dict.fromkeys(self._names, rng))


def _arguments_of(transform: Callable, who: str) -> tuple[int, list[str]]:
    """(2, []) if it takes the generator as its second argument, (1, [name]) if by that name of
    `_NAMES`, (1, []) if not at all."""
    try:
        signature = inspect.signature(transform)
    except (TypeError, ValueError):             # of what is written in C, some have none
        return 1, []
    parameters = signature.parameters
    bound = transform.keywords if isinstance(transform, partial) else {}
    free = [name for name in _NAMES if name in parameters and name not in bound]
    second = [p for p in parameters.values() if p.kind in _POSITIONAL][1:2]
    takes_two = any(p.name in free or p.default is inspect.Parameter.empty for p in second)
    count, names = (2, []) if takes_two else (1, free[:1])
    try:
        signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"{who}: a transform is called with an image, or with an image and a "
                        f"generator, which {describe(transform)}{signature} does not take: {error}"
                        ) from None
    return count, names


def apply_step(step: Step, x: object, rng: np.random.Generator | None, name: str) -> object:
    """What a step makes of the sample `name`; in a Compose, each of its steps by itself.

    Raises TransformError, whatever the transform raised.
    """
    if type(step.transform) is Compose:
        rng = generator("transforms") if rng is None else rng
        for inner in step.transform.steps():
            x = apply_step(inner, x, rng, name)
        return x
    try:
        return step(x, rng)
    except Exception as error:                  # a transform may be anybody's
        reason = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, (ValueError, TransformError)):
            reason = f"{type(error).__name__}: {reason}"
        raise TransformError(
            f"the transform {describe(step.transform)} failed on {name}: {reason}") from error


def describe(transform: Callable) -> str:
    """One line that tells which transform it is; a function by its name."""
    if type(transform).__repr__ is object.__repr__:
        return type(transform).__name__
    if isinstance(transform, partial):
        return f"{describe(transform.func)}(...)"
    text = getattr(transform, "__qualname__", None) or " ".join(repr(transform).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST - 3]}..."


class Compose:
    """One transform after the other: callables of (image, rng), or of the image alone: see Step."""

    def __init__(self, transforms: Iterable[Callable]) -> None:
        """Raises as `Step` for what is no transform."""
        self.transforms = list(transforms)
        self._steps: list[Step] = []
        self.steps()

    def __call__(self, image: object, rng: np.random.Generator | None = None) -> object:
        rng = generator("transforms") if rng is None else rng
        for step in self.steps():
            image = step(image, rng)
        return image

    def steps(self) -> list[Step]:
        """Its transforms with the way each is called; made anew if the list has been changed."""
        steps = self._steps
        if len(steps) != len(self.transforms) or any(
                step.transform is not current for step, current in zip(steps, self.transforms)):
            steps = self._steps = [Step(transform, "Compose") for transform in self.transforms]
        return steps

    def __repr__(self) -> str:
        return "\n".join(["Compose(", *(f"    {step}" for step in self.transforms), ")"])


def printed(*names: str, rest: str = "") -> Callable[[Any], str]:
    """A `__repr__`, as Resize(size=256, ...): the parameters of these names, then the rest."""
    def text(self: Any) -> str:
        parts = [f"{name}={getattr(self, name)}" for name in names] + [rest] * bool(rest)
        return f"{type(self).__name__}({', '.join(parts)})"
    return text


class Transform:
    """A step of the library: `apply(x)`, or with random parameters `apply(x, *draw(x, rng))`, once
    `x` is what it can take."""

    check: Callable[[object], None]     # raises TypeError for anything else
    draw: Callable[..., tuple]
    apply: Callable

    def __call__(self, x: object, rng: np.random.Generator | None = None) -> object:
        self.check(x)
        if not hasattr(self, "draw"):
            return self.apply(x)
        return self.apply(x, *self.draw(x, generator("transforms") if rng is None else rng))


class ImageTransform(Transform):
    """A step that takes a Pillow image: `apply(image)`."""

    def check(self, image: object) -> None:
        if not isinstance(image, Image.Image):
            raise TypeError(f"{type(self).__name__}: expected a Pillow image, got "
                            f"{type(image).__name__}; it belongs before ToArray")


class ArrayTransform(Transform):
    """A step that takes a float array (C, H, W): `apply(x)`."""

    def check(self, x: object) -> None:
        if not isinstance(x, np.ndarray) or x.ndim != 3 or x.dtype.kind != "f":
            raise TypeError(f"{type(self).__name__}: expected a float array (C, H, W), got "
                            f"{getattr(x, 'shape', type(x).__name__)}; it belongs after ToArray")


class RandomTransform(ImageTransform):
    """A step with random parameters that takes a Pillow image: `apply(image, *draw(image, rng))`.
    """


class Sometimes(RandomTransform):
    """Base of steps that do `change(image)` with probability `p`."""

    change: Callable[[Image.Image], Image.Image]

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(type(self).__name__, p)

    def draw(self, image: Image.Image, rng: np.random.Generator) -> tuple[bool]:
        """(whether to change the image,)"""
        return (rng.random() < self.p,)

    def apply(self, image: Image.Image, wanted: bool) -> Image.Image:
        return self.change(image) if wanted else image

    __repr__ = printed("p")


def random_sides(area: int, scale: tuple[float, float], ratio: tuple[float, float],
                 rng: np.random.Generator) -> tuple[int, int]:
    """Two sides of a rectangle, rounded: its area is uniform in `scale` times `area`, the ratio of
    the first to the second log-uniform in `ratio`."""
    drawn = area * rng.uniform(*scale)
    first_to_second = math.exp(rng.uniform(*np.log(ratio)))
    return round(math.sqrt(drawn * first_to_second)), round(math.sqrt(drawn / first_to_second))
