"""What every task's answer has in common: whose photos it is about, and the written digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from PIL import Image

from experiments.claims import Answer, Claim, check
from experiments.report.terminal import escaped
from experiments.settings import Settings
from experiments.style import PALETTE, literal
from experiments.tasks.photos import Photos
from experiments.tasks.recipe import RECIPES, Recipe
from experiments.tasks.scores import Score, Share, in_words, interval
from experiments.tasks.sheets import with_note


def recipe_of(settings: Settings, recipe: Recipe | None) -> Recipe:
    """The recipe given, or else that of the profile."""
    return recipe or RECIPES[settings.profile]


def labelled(answer: Answer, label: str) -> Answer:
    """The same answer, with `label` first in the story, in every table and on every figure.

    A line break in the label is one on figures only.
    """
    words = label.replace("\n", " ")
    return replace(
        answer,
        story=(f"All figures here: {words}.", *answer.story),
        tables=tuple(replace(t, caption=f"{t.caption} [{words}]") for t in answer.tables),
        figures={name: _marked(draw, label.split("\n")) for name, draw in answer.figures.items()},
        captions={name: f"{caption} [{words}]" for name, caption in answer.captions.items()})


def _marked(draw: Callable[[], object], lines: Sequence[str]) -> Callable[[], object]:
    """Draws the same figure with small lines of text at its foot."""
    def drawn():
        figure = draw()
        if isinstance(figure, Image.Image):
            for line in lines:
                figure = with_note(figure, escaped(line))
            return figure
        figure.supxlabel("\n".join(map(literal, lines)), fontsize=7.5, color=PALETTE["grey"],
                         x=0.99, ha="right")
        return figure
    return drawn


def repeated(settings: Settings) -> str:
    """How often trainings were made, as a sentence, empty for once."""
    return "" if settings.seeds == 1 else (
        f" Means of {settings.seeds} trainings, seeds {settings.seed} to "
        f"{settings.seed + settings.seeds - 1}; ± is their standard deviation.")


def of_the_photos(claim: Claim, photos: Photos) -> Claim:
    """A claim that is about the photos themselves: the drawn ones do not judge it."""
    return claim if not photos.drawn else replace(
        claim, judged=False, why=f"It is about the photos, and these are drawn. {claim.why}")


def digits(task: str, photos: Photos, settings: Settings, written: Mapping[str, float],
           measured: Mapping[str, Share | Sequence[Score]]) -> Claim:
    """A claim on the written digits. It is judged on real photos, with the written recipe, and
    where nothing is said of the weights but that they are ImageNet's.

    A digit is taken to hold if it lies in the 95% interval of what was measured. No outcome is
    documented.
    """
    reasons = [reason for reason, holds in {
        "the photos are drawn": not photos.drawn,
        "the recipe is not the written one": settings.profile == "paper",
        "the weights are not ImageNet's": settings.weights in ((), ("imagenet",))}.items()
        if not holds]
    found = {name: (f"{m:.4f}", m.low, m.high) if isinstance(m, Share)
             else (in_words(m), *interval(m)) for name, m in measured.items()}
    outside = [name for name, value in written.items()
               if not found[name][1] <= value <= found[name][2]]
    why = ("Weights at the start, order and augmentation are drawn anew, so that only intervals "
           "can be compared. No outcome is documented.")
    return Claim(
        f"{task}.digits", ", ".join(f"{name} {value:.4f}" for name, value in written.items()),
        ", ".join(f"{name} {found[name][0]}" for name in written),
        f"Not judged, for {listed(reasons)}. {why}" if reasons else why, None,
        check("written figures outside the 95% interval of the measured", len(outside), "==", 0),
        judged=not reasons)


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
