"""The networks of `minigrad.models` that are built for one size of images.

    MODELS[name](classes, **sized(name, 96))
"""

# The parameter that takes the side in pixels, and what this must be a multiple of.
SIZED = {"small_cnn": ("size", 4), "vit_b_16": ("image_size", 16)}


def sized(name: str, side: int | None) -> dict[str, int | None]:
    """The argument of the builder called `name` that makes its network for images of this side."""
    return {SIZED[name][0]: side} if name in SIZED else {}
