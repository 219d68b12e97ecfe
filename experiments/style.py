"""One look for every figure: a palette for all kinds of colour vision, and a blank figure.

The palette is that of Okabe & Ito, "Color Universal Design" (2008). Text sizes and line widths are
matplotlib settings that `results.py` applies while a figure is drawn. `show` puts a picture below
the cell of a notebook that made it.
"""

from __future__ import annotations

import io
import re
import sys

PALETTE = {"blue": "#0072b2", "orange": "#d55e00", "green": "#009e73", "purple": "#cc79a7",
           "yellow": "#e69f00", "sky": "#56b4e9", "black": "#000000", "grey": "#6f6f6f"}
PAGE = 750  # pixels that a notebook's page is wide
DPI = 100   # of a figure on it


def new_figure(width: float = 8.0, height: float = 4.5):
    """An empty matplotlib Figure of `width` x `height` inches that keeps labels from overlapping.

    It is no pyplot figure: it needs no display and goes away with its last reference.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def show(picture, width: int | None = None) -> None:
    """Put a picture below the cell of the notebook that runs; a script and a terminal show nothing.

    picture: a matplotlib Figure, SVG text, a Pillow image, or the bytes of a GIF, PNG or JPEG file.
    width: in pixels; by default the picture's own (100 pixels per inch of a Figure). At most 750,
        so that no page cuts it off. A Pillow image shown larger than it is keeps square pixels.

    Raises TypeError for anything else, ValueError for text that is no SVG picture with a size.
    """
    mime, data, size = _as_shown(picture, width)
    ipython = sys.modules.get("IPython")  # a notebook has imported it long ago
    shell = ipython and ipython.get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        display = sys.modules["IPython.display"].display
        display({mime: data() if callable(data) else data, "text/plain": f"picture, {size} wide"},
                metadata={mime: {"width": size}} if isinstance(picture, bytes) else {}, raw=True)


def _as_shown(picture, width):
    """Its MIME type, its text or bytes (or a function that draws them), and its width in pixels."""
    from matplotlib.figure import Figure
    from PIL import Image

    def fit(own):
        return min(width or round(own), PAGE)

    if isinstance(picture, Figure):
        size = fit(picture.get_figwidth() * DPI)

        def draw():
            file = io.BytesIO()
            picture.savefig(file, format="png", dpi=size / picture.get_figwidth())
            return file.getvalue()

        return "image/png", draw, size
    if isinstance(picture, Image.Image):
        size = fit(picture.width)
        high = max(1, round(picture.height * size / picture.width))
        how = Image.Resampling.NEAREST if size > picture.width else Image.Resampling.LANCZOS
        return "image/png", lambda: _png(picture.resize((size, high), how)), size
    if isinstance(picture, bytes):
        with Image.open(io.BytesIO(picture)) as image:
            return Image.MIME[image.format], picture, fit(image.width)
    if isinstance(picture, str):
        return "image/svg+xml", *_narrowed(picture, fit)
    raise TypeError(f"show: {type(picture).__name__} is no picture: give a matplotlib Figure, SVG "
                    "text, a Pillow image, or the bytes of an image file")


def _png(image):
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def _narrowed(svg, fit):
    """SVG text with the width and height of its first tag made to fit, and that width."""
    tag = re.search(r"<svg\b[^>]*>", svg)
    sizes = [re.search(rf'\s{name}="([\d.]+)(px|pt|)"', tag.group()) if tag else None
             for name in ("width", "height")]
    if None in sizes or "viewBox" not in tag.group():
        raise ValueError("show: the text is no SVG picture whose first tag has a width, a height"
                         " and a viewBox")
    width, height = (float(found[1]) * (4 / 3 if found[2] == "pt" else 1) for found in sizes)
    size = fit(width)
    head = tag.group()
    for name, now in ("width", size), ("height", round(height * size / width)):
        head = re.sub(rf'(\s{name}=")[^"]*', rf"\g<1>{now}", head, count=1)
    return svg[:tag.start()] + head + svg[tag.end():], size
