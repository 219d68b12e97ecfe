"""What every task's answer has in common: whose photos it is about, and the written digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from PIL import Image

from experiments.claims import Answer, Claim, Settings, check
from experiments.style import PALETTE
from experiments.tasks.photos import Photos
from experiments.tasks.recipe import RECIPES, Recipe
from experiments.tasks.scores import Score, in_words, interval
from experiments.tasks.sheets import with_note


def recipe_of(settings: Settings, recipe: Recipe | None) -> Recipe:
    """The recipe given, or else that of the profile."""
    return recipe or RECIPES[settings.profile]


def labelled(answer: Answer, label: str) -> Answer:
    """The same answer, with `label` first in the story, in every table and on every figure."""
    return replace(
        answer,
        story=(f"All figures here: {label}.", *answer.story),
        tables=tuple(replace(t, caption=f"{t.caption} [{label}]") for t in answer.tables),
        figures={name: _marked(draw, label) for name, draw in answer.figures.items()},
        captions={name: f"{caption} [{label}]" for name, caption in answer.captions.items()})


def _marked(draw: Callable[[], object], label: str) -> Callable[[], object]:
    """Draws the same figure with a small line of text at its foot."""
    def drawn():
        figure = draw()
        if isinstance(figure, Image.Image):
            return with_note(figure, label)
        figure.supxlabel(label, fontsize=7.5, color=PALETTE["grey"], x=0.99, ha="right")
        return figure
    return drawn


def repeated(settings: Settings) -> str:
    """How often trainings were made, as a sentence, empty for once."""
    return "" if settings.seeds == 1 else (
        f" Means of {settings.seeds} trainings, seeds {settings.seed} to "
        f"{settings.seed + settings.seeds - 1}; ± is their standard deviation.")


def digits(task: str, photos: Photos, settings: Settings, written: Mapping[str, float],
           measured: Mapping[str, Sequence[Score]]) -> tuple[Claim, ...]:
    """A claim on the written digits, where they can be judged: real photos, the written recipe,
    and nothing said of the weights but that they are ImageNet's.

    A digit is taken to hold if it lies in the 95% interval of what was measured. No outcome is
    documented.
    """
    if photos.drawn or settings.profile != "paper" or settings.weights not in ((), ("imagenet",)):
        return ()
    outside = [name for name, value in written.items()
               if not interval(measured[name])[0] <= value <= interval(measured[name])[1]]
    return (Claim(
        f"{task}.digits", ", ".join(f"{name} {value:.4f}" for name, value in written.items()),
        ", ".join(f"{name} {in_words(measured[name])}" for name in written),
        "The written recipe on real photos; weights at the start, order and augmentation are drawn "
        "anew, so that only intervals can be compared. No outcome is documented.", None,
        check("written figures outside the 95% interval of the measured", len(outside), "==", 0)),)
