"""A zone plate, halved with several filters: what is too fine for the halved grid must not stay."""

from __future__ import annotations

import math

import numpy as np

from experiments.claims import HOLDS, Claim, check
from experiments.style import PALETTE, new_figure
from pyramids import pyr_down

FALSE_RINGS = {None: "0.353", 0.375: "0.0042", 0.4: "0.0084", 0.5: "0.0313"}  # rms per filter a


def zone_plate(side: int = 257) -> np.ndarray:
    """(side, side) values 0..1: rings about the upper left corner that become finer outwards.

    On the circle through the next two corners they reach pi radians per pixel, the highest
    frequency there is.
    """
    y, x = np.mgrid[:side, :side]
    return 0.5 + 0.5 * np.cos(np.pi * (x * x + y * y) / (2 * (side - 1)))


def halved_plates():
    """{a: zone plate after `pyr_down`}; a = None: every other sample, without a filter."""
    plate = zone_plate()
    return {a: plate[::2, ::2] if a is None else pyr_down(plate, a) for a in FALSE_RINGS}


def outer_band(side: int = 129) -> np.ndarray:
    """Where the halved plate's rings were finer than 3/4 of the finest: it should be flat there."""
    y, x = np.mgrid[:side, :side]
    radius = np.hypot(x, y) / (side - 1)
    return (radius > 0.75) & (radius <= 1)


def claim() -> Claim:
    band = outer_band()
    found = {a: f"{plate[band].std():.{len(FALSE_RINGS[a]) - 2}f}"
             for a, plate in halved_plates().items()}
    return Claim(
        id="pyramids.zone_plate",
        written="a zone plate of 257 pixels, halved: rms of the false rings beyond 3/4 of the "
                "highest frequency 0.353 without a filter, 0.0042 with a = 3/8",
        measured=", ".join(f"{value} {_filter_in_words(a)}" for a, value in found.items()),
        why="those rings are finer than the halved grid can hold; what the filter leaves of them "
            "comes back as coarse rings that were never there",
        documented=HOLDS,
        as_written=check("entries that differ from the written table",
                         sum(found[a] != text for a, text in FALSE_RINGS.items()), "==", 0),
    )


def pictures():
    """The zone plate and its halved forms, all at one size; arcs at the frequencies 1/2, 3/4, 1."""
    figure = new_figure(8, 6.1)
    axes = figure.subplots(2, 3).ravel()
    axes[-1].axis("off")
    band = outer_band()
    plates = {"257×257, before": zone_plate()}
    for a, plate in halved_plates().items():
        plates[f"halved {_filter_in_words(a)}\nfalse rings {plate[band].std():.4f}"] = plate
    angle = np.linspace(0, math.pi / 2, 100)
    for ax, (title, plate) in zip(axes, plates.items()):
        ax.imshow(plate, cmap="gray", vmin=0, vmax=1, extent=(0, 1, 1, 0))
        for radius in (0.5, 0.75, 1):
            ax.plot(radius * np.cos(angle), radius * np.sin(angle), color=PALETTE["orange"],
                    linewidth=1, linestyle=":" if radius == 0.5 else "-")
        ax.set(xlim=(0, 1), ylim=(1, 0))
        ax.axis("off")
        ax.set_title(title, fontsize=10)
    axes[-1].text(0, 0.98, "Rings become finer\naway from the upper\nleft corner. The halved\n"
                  "grid holds those up to\nthe dotted arc; between\nthe solid ones it should\nbe "
                  "flat grey.", va="top", fontsize=11, transform=axes[-1].transAxes)
    return figure


def _filter_in_words(a):
    return "without a filter" if a is None else f"with a = {a:g}"
