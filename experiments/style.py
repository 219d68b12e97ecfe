"""One look for every figure: the palette and the blank figure of `minigrad/figures.py`.

Text sizes and line widths are matplotlib settings that `results.py` applies while a figure is
drawn. `show` puts a picture below the cell of a notebook that made it.
"""

from __future__ import annotations

import io
import re
import sys

from experiments.report.terminal import escaped
from minigrad.figures import PALETTE, new_figure

__all__ = ["PALETTE", "literal", "new_figure", "short", "show"]
PAGE = 750  # pixels that a notebook's page is wide
DPI = 100   # of a figure on it
LONGEST = 24  # characters of a name in a figure


def literal(name: str) -> str:
    """A name that the user gave, for a figure: matplotlib takes no $ in it for a formula."""
    return escaped(name).replace("$", r"\$")


def short(name: str) -> str:
    """The beginning of a long name, which would leave a figure no room for anything else."""
    return name if len(name) <= LONGEST else f"{name[:LONGEST - 1]}…"


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
        method = Image.Resampling.NEAREST if size > picture.width else Image.Resampling.LANCZOS
        return "image/png", lambda: _png(picture.resize((size, high), method)), size
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
    for name, value in ("width", size), ("height", round(height * size / width)):
        head = re.sub(rf'(\s{name}=")[^"]*', rf"\g<1>{value}", head, count=1)
    return svg[:tag.start()] + head + svg[tag.end():], size
