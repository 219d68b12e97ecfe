"""Task I: a look at the two sets of photos, in figures and with one's own eyes.

The comparison is written by the figures: no sentence stands in it that they do not choose.
"""

from __future__ import annotations

import numpy as np

from experiments.claims import Answer, Claim, Table, check
from experiments.coursework import BREEDS, PUBLISHED
from experiments.settings import Settings
from experiments.style import literal, new_figure, short
from experiments.tasks import plots
from experiments.tasks.photos import find, title
from experiments.tasks.recipe import Recipe
from experiments.tasks.sheets import Picture, sheet
from experiments.tasks.statistics import QUANTITIES, in_words, likelier, measure
from experiments.tasks.telling import labelled, listed, of_the_photos
from minigrad.backend import keyed_generator

SHOWN = 8                   # photos of each breed on a sheet
SMALLEST = 5, 15            # kB, for "10 kB"
SEVERAL_MB = 2000           # kB, at least
DIFFERENT = 0.556           # chance of a difference that Cohen calls small; 0.5 is none


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Measure every photo of both sets; `recipe` is what the other tasks take, and unused."""
    photos = find(settings)
    settings.tell("measuring the photos")
    dbi, sdd = measure(photos.dbi), measure(photos.sdd)
    chances = {key: likelier(dbi[key], sdd[key]) for key in QUANTITIES}
    sets = {"DBI": photos.dbi, "SDD": photos.sdd}
    return labelled(Answer(
        question="task1", title="A look at the two sets of photos",
        story=_story(sets, dbi, sdd, chances),
        claims=tuple(of_the_photos(claim, photos) for claim in _claims(dbi, sdd, chances)),
        numbers={"photos": {name: len(found) for name, found in sets.items()},
                 "medians": {q.name: {"DBI": np.median(dbi[key]), "SDD": np.median(sdd[key])}
                             for key, q in QUANTITIES.items()},
                 "chance that SDD has more": {q.name: chances[key]
                                              for key, q in QUANTITIES.items()}},
        figures={"dbi": lambda: _sheet(photos.dbi, settings.seed),
                 "sdd": lambda: _sheet(photos.sdd, settings.seed),
                 "histograms": lambda: _histograms(dbi, sdd),
                 "counts": lambda: _counts(sets)},
        captions={"dbi": f"DBI: {SHOWN} photos of each breed, drawn at random.",
                  "sdd": f"SDD: {SHOWN} photos of each breed, drawn at random.",
                  "histograms": "Both sets in all that was measured; the lines are the medians.",
                  "counts": "Photos of each breed."},
        tables=(_breeds(sets), _measured(dbi, sdd, chances))), photos.label)


def _story(sets, dbi, sdd, chances):
    sizes = np.concatenate([dbi["bytes"], sdd["bytes"]])
    groups = {}
    for key, chance in chances.items():
        groups.setdefault(in_words(chance), []).append(QUANTITIES[key].name)
    different = [f"{words} in {listed(names)}" for words, names in groups.items()
                 if words != "about the same"]
    alike = groups.get("about the same", [])
    classes = next(iter(sets.values())).classes
    counts = {name: np.bincount(found.targets) for name, found in sets.items()}
    return (
        f"{', '.join(f'{name} has {len(found)} photos' for name, found in sets.items())} of "
        f"{len(classes)} breeds: {' and '.join(_balance(n, c) for n, c in counts.items())}.",
        f"Files have from {sizes.min():,.0f} to {sizes.max():,.0f} kB. "
        + (f"Photos of SDD are {'; '.join(different)}, than those of DBI." if different else
           "The two sets do not differ in anything that was measured.")
        + (f" They are about the same in {listed(alike)}." if alike else ""),
        f"Edges: {np.median(sdd['outside']):.0%} of them lie in the outer half of a photo of SDD, "
        f"{np.median(dbi['outside']):.0%} of DBI (medians), so it is "
        f"{'SDD' if chances['outside'] > 0.5 else 'DBI'} that has more around its dogs. A photo "
        f"of SDD is {np.median(sdd['distance']) / np.median(dbi['distance']):.2f} times as far "
        "from the mean of its set as one of DBI: the "
        f"{'more' if chances['distance'] > 0.5 else 'less'} diverse set.")


def _balance(name, counts):
    if counts.min() == counts.max():
        return f"in {name} all have {counts.min()}"
    return f"in {name} they have from {counts.min()} to {counts.max()}"


# --- claims and tables ---------------------------------------------------------------------------

def _claims(dbi, sdd, chances):
    sizes = np.concatenate([dbi["bytes"], sdd["bytes"]])
    return (
        Claim("task1.sizes", "sizes vary, from 10 kB to several MB",
              f"from {sizes.min():,.0f} kB to {sizes.max():,.0f} kB",
              f"10 kB is taken to be {SMALLEST[0]} to {SMALLEST[1]}, several MB "
              f"{SEVERAL_MB // 1000} or more.", None,
              check("ends of the range that are as written",
                    int(SMALLEST[0] <= sizes.min() <= SMALLEST[1]) + int(sizes.max() >= SEVERAL_MB),
                    "==", 2)),
        Claim("task1.diverse", "SDD's photos are more diverse",
              f"distance to the set's mean photo: median {np.median(sdd['distance']):.3f} in SDD, "
              f"{np.median(dbi['distance']):.3f} in DBI",
              "Each photo of 8x8 pixels against the mean of its set: other places, other light, "
              "other cuts.", None,
              check("chance that SDD's distance is larger", chances["distance"], ">=", DIFFERENT)),
        Claim("task1.centred", "beside them DBI's photos are centred and clean",
              f"edges in the outer half: median {np.median(dbi['outside']):.3f} in DBI, "
              f"{np.median(sdd['outside']):.3f} in SDD",
              "Where there is clutter, it is around the dog.", None,
              check("chance that SDD has more of its edges outside", chances["outside"], ">=",
                    DIFFERENT)))


def _breeds(sets):
    classes = next(iter(sets.values())).classes
    counts = {name: np.bincount(found.targets, minlength=len(classes))
              for name, found in sets.items()}
    dbi, sdd = PUBLISHED.values() if tuple(classes) == BREEDS else ({}, {})
    rows = [(title(c), str(dbi.get(c, "")), str(counts["DBI"][i]), str(sdd.get(c, "")),
             str(counts["SDD"][i])) for i, c in enumerate(classes)]
    rows.append(("all", str(sum(dbi.values()) or ""), str(len(sets["DBI"])),
                 str(sum(sdd.values()) or ""), str(len(sets["SDD"]))))
    return Table("Photos of each breed; written: those of the coursework.",
                 ("breed", "DBI, written", "DBI", "SDD, written", "SDD"), tuple(rows))


def _measured(dbi, sdd, chances):
    rows = []
    for key, q in QUANTITIES.items():
        cells = [f"{np.median(t[key]):{q.form}} ({t[key].min():{q.form}} to "
                 f"{t[key].max():{q.form}})" for t in (dbi, sdd)]
        rows.append((f"{q.name}, {q.unit}".rstrip(", "), *cells, f"{chances[key]:.2f}",
                     in_words(chances[key])))
    return Table("Medians, and from where to where. The chance is that of a random photo of SDD to "
                 "have more than one of DBI.",
                 ("", "DBI", "SDD", "chance", "SDD is"), tuple(rows))


# --- figures -------------------------------------------------------------------------------------

def _sheet(found, seed):
    """The same photos at every run of a seed."""
    rows = []
    for label, name in enumerate(found.classes):
        paths = [path for path, target in found.samples if target == label]
        order = keyed_generator(seed, "contact sheet", label).permutation(len(paths))[:SHOWN]
        rows.append((title(name), [Picture(paths[i]) for i in sorted(order)]))
    return sheet(rows)


def _histograms(dbi, sdd):
    figure = new_figure(9, 6.4)
    for ax, (key, q) in zip(figure.subplots(3, 3).flat, QUANTITIES.items()):
        edges = np.histogram_bin_edges(np.concatenate([dbi[key], sdd[key]]), 24)
        for name, table, colour in zip(("DBI", "SDD"), (dbi, sdd), plots.COLOURS):
            weights = np.full(len(table[key]), 1 / len(table[key]))
            ax.hist(table[key], edges, weights=weights, color=colour, alpha=0.25)
            ax.hist(table[key], edges, weights=weights, color=colour, histtype="step", label=name)
            ax.axvline(np.median(table[key]), color=colour, linewidth=1, linestyle="--")
        ax.set(xlabel=f"{q.name}, {q.unit}".rstrip(", "), yticks=[])
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _counts(sets):
    figure = new_figure(7.5, 3.2)
    ax = figure.subplots()
    for i, ((name, found), colour) in enumerate(zip(sets.items(), plots.COLOURS)):
        counts = np.bincount(found.targets, minlength=len(found.classes))
        rows = np.arange(len(counts)) + 0.4 * (i - 0.5)
        ax.barh(rows, counts, height=0.36, color=colour, label=name)
        for row, count in zip(rows, counts):
            ax.annotate(str(count), (count, row), (3, 0), textcoords="offset points", va="center",
                        fontsize=8)
    ax.set_yticks(range(len(found.classes)), [literal(short(title(c))) for c in found.classes])
    ax.set(xlabel="photos")
    ax.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2)
    return figure
