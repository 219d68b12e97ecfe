"""The page itself: all claims, the story, and the figures in the order of the story."""

from __future__ import annotations

import numpy as np

from experiments.claims import Answer
from experiments.photo import load_photo
from experiments.pyramid_pictures import (basis, blending, coding, exactness, filters, levels,
                                          rebuilding, zone_plate)
from experiments.pyramid_pictures.photograph import Photograph, size
from experiments.settings import Settings


def verify(settings: Settings) -> Answer:
    """Measure everything on the photograph, on noise from the seed, and on the filters alone."""
    rng = np.random.default_rng(settings.seed)
    photo = Photograph(load_photo(settings.image))
    rates = coding.rates(photo.grey)
    claims = (*exactness.claims(photo, rng), *filters.claims(), zone_plate.claim(),
              *basis.claims(rng), *coding.claims(rates, rng), *blending.claims(rng))
    figures = {
        "film": (lambda: rebuilding.film(photo),
                 "Rebuilt from the 1x1 top upwards: what the coarser level predicts, plus L, is "
                 "the level, bit for bit."),
        "strip": (lambda: rebuilding.strip(photo),
                  "The same as a strip: L above, and the level that it completes below."),
        "mosaic": (lambda: levels.mosaics(photo),
                   "1. The levels as a mosaic, at true relative size, all L on one scale."),
        "telescope": (lambda: levels.telescope(photo), "2. The levels as a telescope."),
        "histograms": (lambda: levels.histograms(photo),
                       "3. How often each difference occurs, beside two distributions that have "
                       "only one number to fit."),
        "bits": (lambda: coding.bits(photo),
                 "4. What each level costs: its entropy times its share of the pixels."),
        "rate-distortion": (lambda: coding.rate_distortion(rates),
                            "5. Quality against bits, and the largest error: the closed loop "
                            "stays within D/2."),
        "functions": (basis.functions,
                      "6. What one number of a level paints when the image is rebuilt, and what "
                      "it measures when the pyramid is built."),
        "kernels": (filters.family,
                    "7. The kernel family: taps, what a pixel four levels up sees, and the "
                    "frequency response."),
        "zone-plate": (zone_plate.pictures,
                       "8. Aliasing: rings too fine for the halved grid come back as false ones "
                       "unless they are filtered out."),
        "errors": (lambda: exactness.errors(photo),
                   "9. Errors of the rebuilt photograph: black is bit-exact."),
        "blend": (lambda: blending.pictures(photo),
                  "Two images joined, and the seam between two flat ones."),
    }
    return Answer(
        question="pyramids",
        title="Image pyramids in pictures",
        story=_story(photo, coding.costs(photo)),
        claims=claims,
        numbers={"bits per pixel": coding.costs(photo), "rates": rates,
                 "halvings of the photograph before drawing": photo.halvings},
        figures={name: draw for name, (draw, _) in figures.items()},
        captions={name: caption for name, (_, caption) in figures.items()},
    )


def _story(photo, costs):
    smaller = "" if photo.halvings == 0 else (
        f" Only that uses all of its pixels: for the pictures, the histograms and the codes it is "
        f"halved {photo.halvings} times, to {size(photo.view)}.")
    return (
        f"The photograph, {size(photo.full)} pixels, is halved down to 1x1 and rebuilt from there "
        f"upwards, bit for bit.{smaller}",
        "Each level L holds what expanding the next coarser level does not predict. L is small "
        "nearly everywhere, which is what makes pyramids good for codes, and lives in one band of "
        "frequencies, which makes them good for joining and changing images.",
        "Kept without loss, in bits per pixel of the grey photograph: "
        + ", ".join(f"the {name} {value:.2f}" for name, value in costs.items())
        + ". A pyramid has a third more numbers than the image has pixels; it pays once its levels "
        "are rounded, best in a closed loop.",
    )
