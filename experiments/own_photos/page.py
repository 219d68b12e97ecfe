"""How a training on the user's photos went: a few sentences, and `report.html` with pictures."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from pathlib import Path

from experiments.options.own_network import is_own
from experiments.own_photos.photos import Photos
from experiments.own_photos.plan import Plan
from experiments.report.page import captioned, command, figure, origin, skeleton
from experiments.results import save_figure, versions, write
from experiments.tasks import plots, sheets
from experiments.tasks.scores import Score, Share, score
from minigrad.models import architecture
from minigrad.nn import Module
from minigrad.train import History, wilson

MOST_DRAWN = 30                 # classes in a confusion matrix that can still be read
_STYLE = """
body { display: block; max-width: 50rem; }
@media (max-width: 40rem) { .picture img { width: auto; max-width: 38rem; } }
"""


@dataclass(frozen=True)
class Outcome:
    """A trained network, and its guesses for the photos of the `part` that it is judged by."""

    root: str
    history: History
    photos: Photos
    plan: Plan
    folder: Path
    score: Score
    part: str
    recorded: bool              # whether the weights say of which network they are

    @classmethod
    def of(cls, root: str, model: Module, history: History, photos: Photos, plan: Plan,
           folder: Path) -> Outcome:
        """Show the test photos to the network; those of validation, if there are no others."""
        part = "validation" if photos.test is None else "test"
        dataset = photos.valid if photos.test is None else photos.test
        return cls(root, history, photos, plan, folder,
                   score(model, dataset, photos.classes, plan), part,
                   architecture(model) is not None)

    @property
    def best(self) -> dict:
        """The line of the epoch whose weights were kept."""
        return self.history.best("valid.loss")

    @property
    def command(self) -> str:
        """How to ask the network what is in a photo."""
        arch = ["--arch", self.plan.arch] if is_own(self.plan.arch) and not self.recorded else []
        return shlex.join(["python", "-m", "experiments", "classify", "PHOTO", "--weights",
                           str(self.folder), *arch])


def story(outcome: Outcome) -> list[str]:
    """What came out, in sentences."""
    found, photos = outcome.score, outcome.photos
    most = max(map(found.targets.tolist().count, range(len(found.classes))))
    low, high = wilson(found.correct, found.total)
    lines = [f"{found.correct} of {found.total} {outcome.part} photos are right, a share of "
             f"{found.accuracy:.3f} with a 95% interval from {low:.3f} to {high:.3f}. Who always "
             f"says the commonest class is right in {most / found.total:.3f}. The weights are "
             f"those of epoch {outcome.best['epoch']} of {outcome.plan.epochs}, the best on the "
             f"{len(photos.valid)} validation photos."]
    if outcome.part == "validation":
        lines.append("There are no test photos: the validation photos chose the epoch, so new "
                     "photos will be guessed a little worse. Put some in a folder test/.")
    if photos.bad:
        lines.append(f"Left out, because they cannot be read: {len(photos.bad)} "
                     f"{'photo' if len(photos.bad) == 1 else 'photos'}, listed in the report.")
    if photos.left_out:
        lines.append(f"Left out for their extension: {photos.left_out}.")
    return lines


def report(outcome: Outcome) -> None:
    """Draw the figures and write report.html."""
    photos, plan, found = outcome.photos, outcome.plan, outcome.score
    part = f"{outcome.part} photos"
    pictures = {
        "curves": (lambda: plots.curves({Path(plan.arch).name: [outcome.history]}),
                   "Loss and accuracy by epoch, on the training photos (as they are changed at "
                   "random, with dropout) and on those of validation."),
        "confusion": (lambda: plots.confusions({part: [found]}),
                      "What the photos show (rows) and what was guessed (columns)."),
        "classes": (lambda: plots.by_class({part: [found]}),
                    "The share of each class that was guessed right, with its 95% interval."),
        "mistakes": (lambda: sheets.mistakes(found),
                     f"The {part} that were guessed wrong, the most certain mistakes first, at "
                     f"most {sheets.MOST_WRONG}.")}
    if len(found.classes) > MOST_DRAWN:
        del pictures["confusion"]
    if not found.wrong:
        del pictures["mistakes"]
    figures = "".join(_drawn(name, draw, caption, outcome.folder)
                      for name, (draw, caption) in pictures.items())
    paragraphs = "".join(f"<p{' class=lead' * (i == 0)}>{escape(line)}</p>\n"
                         for i, line in enumerate(story(outcome)))
    write(outcome.folder / "report.html", skeleton(
        f"minigrad: {outcome.root}", f"""<header>
<p class="kicker">minigrad experiments</p>
<h1>{escape(_title(outcome))}</h1>
{paragraphs}{_origin(outcome)}
</header>
<main>
<h3>To use it</h3>
<p>{command(outcome.command)}</p>
{figures}{_classes(outcome)}{_bad(photos)}</main>
""", _STYLE))


def _title(outcome):
    name = os.path.basename(os.path.abspath(os.path.expanduser(outcome.root)))
    return f"{name}: {len(outcome.photos.classes)} classes"


def _drawn(name: str, draw: Callable, caption: str, folder: Path) -> str:
    return figure({"files": save_figure(draw, name, folder), "caption": caption}, folder)


def _origin(outcome):
    """When and how the network was trained."""
    photos, plan, known = outcome.photos, outcome.plan, versions()
    parts = [f"{len(part)} {name}" for name, part in (
        ("for training", photos.train), ("for validation", photos.valid),
        ("for the test", photos.test)) if part is not None]
    cut = ("as they lie in their folders" if photos.own_parts else
           "drawn so that each part has its share of every class")
    rows = {"Date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
            "Versions": f"Python {known['python']}, NumPy {known['numpy']}",
            "Photos": f"{outcome.root}: {', '.join(parts)}, {cut}",
            "Training": plan.in_words(), "Seed": str(plan.seed)}
    return origin({name: escape(value) for name, value in rows.items()})


def _classes(outcome):
    """The photos of each class, and how many of them were guessed right."""
    photos, found = outcome.photos, outcome.score
    rows = []
    for label, name in enumerate(found.classes):
        counts = [part.targets.count(label) for part in (photos.train, photos.valid, photos.test)
                  if part is not None]
        row = found.confusion[label].tolist()
        right = f"{Share.of(row[label] / sum(row), sum(row)):.3f}" if sum(row) else ""
        rows.append((name, *map(str, counts), f"{row[label]} of {sum(row)}", right))
    parts = ("training", "validation", "test")[:len(rows[0]) - 3]
    return captioned({
        "caption": f"Photos of each class, and {outcome.part} photos guessed right with the 95% "
                   "interval of that share.",
        "header": ("class", *parts, "right", "share"), "rows": rows})


def _bad(photos):
    """The photos that could not be read."""
    if not photos.bad:
        return ""
    return captioned({"caption": "Photos that cannot be read, and were left out.",
                      "header": ("photo", "reason"), "rows": photos.bad})
