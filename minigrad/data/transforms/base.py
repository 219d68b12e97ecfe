"""What transforms are made of: how one is called, one after the other, and whose fault an error is.
"""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
from PIL import Image

from minigrad.backend import generator

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

    def __init__(self, transform, who: str):
        """Raises ValueError if it cannot be called, TypeError if not with those; `who` asks."""
        if not callable(transform):
            raise ValueError(f"{who}: transforms must be callable, got {transform!r}")
        if isinstance(transform, type) and issubclass(transform, (Compose, Transform)):
            name = transform.__name__
            raise TypeError(f"{who}: {name} is a class; give one of its objects, as {name}(...)")
        self.transform, self._way = transform, _way(transform, who)

    def __call__(self, image, rng):
        if self._way == "alone":
            return self.transform(image)
        if self._way == "second":
            return self.transform(image, rng)
        return self.transform(image, **{self._way: rng})


def _way(transform, who):
    """How the generator is given: as "second" argument or by a name; or the image is "alone"."""
    try:
        signature = inspect.signature(transform)
    except (TypeError, ValueError):             # of what is written in C, some have none
        return "alone"
    parameters = signature.parameters
    bound = transform.keywords if isinstance(transform, partial) else {}
    free = [name for name in _NAMES if name in parameters and name not in bound]
    second = [p for p in parameters.values() if p.kind in _POSITIONAL][1:2]
    if second and (second[0].name in free or second[0].default is inspect.Parameter.empty):
        way, arguments, names = "second", (None, None), {}
    elif free:
        way, arguments, names = free[0], (None,), {free[0]: None}
    else:
        way, arguments, names = "alone", (None,), {}
    try:
        signature.bind(*arguments, **names)
    except TypeError as error:
        raise TypeError(f"{who}: a transform is called with an image, or with an image and a "
                        f"generator, which {printed(transform)}{signature} does not take: {error}"
                        ) from None
    return way


def steps_of(transforms, who: str) -> list[Step]:
    """A Step for each."""
    return [Step(transform, who) for transform in transforms]


def prepared(step: Step, x, rng, name: str):
    """What a step makes of the sample `name`; in a Compose, each of its steps by itself.

    Raises TransformError, whatever the transform raised.
    """
    if type(step.transform) is Compose:
        rng = generator("transforms") if rng is None else rng
        for inner in step.transform.steps():
            x = prepared(inner, x, rng, name)
        return x
    try:
        return step(x, rng)
    except Exception as error:                  # a transform may be anybody's
        reason = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, (ValueError, TransformError)):
            reason = f"{type(error).__name__}: {reason}"
        raise TransformError(
            f"the transform {printed(step.transform)} failed on {name}: {reason}") from error


def printed(transform) -> str:
    """One line that tells which transform it is; a function by its name."""
    if type(transform).__repr__ is object.__repr__:
        return type(transform).__name__
    if isinstance(transform, partial):
        return f"{printed(transform.func)}(...)"
    text = getattr(transform, "__qualname__", None) or " ".join(repr(transform).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST - 3]}..."


class Compose:
    """One transform after the other: callables of (image, rng), or of the image alone: see Step."""

    def __init__(self, transforms):
        self.transforms = list(transforms)
        self._steps = steps_of(self.transforms, "Compose")

    def __call__(self, image, rng=None):
        rng = generator("transforms") if rng is None else rng
        for step in self.steps():
            image = step(image, rng)
        return image

    def steps(self) -> list[Step]:
        """Its transforms with the way each is called; made anew if the list has been changed."""
        steps = self._steps
        if len(steps) != len(self.transforms) or any(
                step.transform is not now for step, now in zip(steps, self.transforms)):
            steps = self._steps = steps_of(self.transforms, "Compose")
        return steps

    def __repr__(self):
        return "\n".join(["Compose(", *(f"    {step}" for step in self.transforms), ")"])


class Transform:
    """A step of the library: `apply(x, *parameters(x, rng))`, once `x` is what it can take."""

    def __call__(self, x, rng=None):
        self.check(x)
        return self.apply(x, *self.parameters(x, rng))

    def parameters(self, x, rng):
        return ()


class ImageTransform(Transform):
    """A step that takes a Pillow image: `apply(image)`."""

    def check(self, image):
        if not isinstance(image, Image.Image):
            raise TypeError(f"{type(self).__name__}: expected a Pillow image, got "
                            f"{type(image).__name__}; it belongs before ToArray")


class ArrayTransform(Transform):
    """A step that takes a float array (C, H, W): `apply(x)`."""

    def check(self, x):
        if not isinstance(x, np.ndarray) or x.ndim != 3 or x.dtype.kind != "f":
            raise TypeError(f"{type(self).__name__}: expected a float array (C, H, W), got "
                            f"{getattr(x, 'shape', type(x).__name__)}; it belongs after ToArray")


class Drawing:
    """Mixed into a step with random parameters: `apply(x, *draw(x, rng))`."""

    def parameters(self, x, rng):
        return self.draw(x, generator("transforms") if rng is None else rng)


class RandomTransform(Drawing, ImageTransform):
    """A step with random parameters that takes a Pillow image."""
