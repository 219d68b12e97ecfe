"""Task I: a look at the two sets of photos, in figures and with one's own eyes.

The comparison is written by the figures: no sentence stands in it that they do not choose.
"""

from __future__ import annotations

import numpy as np

from experiments.claims import HOLDS, Answer, Claim, Settings, Table, check
from experiments.standin import BREEDS
from experiments.style import new_figure
from experiments.tasks import plots
from experiments.tasks.photos import find, title
from experiments.tasks.recipe import Recipe
from experiments.tasks.sheets import Picture, sheet
from experiments.tasks.statistics import QUANTITIES, in_words, likelier, measure
from experiments.tasks.telling import labelled
from minigrad.backend import keyed_generator

WRITTEN = {"dbi": (96, 93, 92, 83, 93, 94, 95), "sdd": (218, 150, 152, 150, 171, 200, 192)}
SHOWN = 8                   # photos of each breed on a sheet
VARIED = 2                  # largest file over smallest, at least, for sizes that vary


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Measure every photo of both sets; `recipe` is what the other tasks take, and unused."""
    photos = find(settings)
    settings.tell("measuring the photos")
    dbi, sdd = measure(photos.dbi), measure(photos.sdd)
    chances = {key: likelier(dbi[key], sdd[key]) for key in QUANTITIES}
    sets = {"DBI": photos.dbi, "SDD": photos.sdd}
    return labelled(Answer(
        "task1", "A look at the two sets of photos",
        _story(sets, dbi, sdd, chances),
        _claims(dbi, sdd, chances),
        {"photos": {name: len(found) for name, found in sets.items()},
         "medians": {QUANTITIES[key].name: {"DBI": np.median(dbi[key]), "SDD": np.median(sdd[key])}
                     for key in QUANTITIES},
         "chance that SDD has more": {QUANTITIES[key].name: c for key, c in chances.items()}},
        {"dbi": lambda: _sheet(photos.dbi, settings.seed),
         "sdd": lambda: _sheet(photos.sdd, settings.seed),
         "histograms": lambda: _histograms(dbi, sdd),
         "counts": lambda: _counts(sets)},
        {"dbi": f"DBI: {SHOWN} photos of each breed, drawn at random.",
         "sdd": f"SDD: {SHOWN} photos of each breed, drawn at random.",
         "histograms": "Both sets in all that was measured; the lines are the medians.",
         "counts": "Photos of each breed."},
        (_breeds(sets), _measured(dbi, sdd, chances))), photos.label)


def _story(sets, dbi, sdd, chances):
    sizes = np.concatenate([dbi["bytes"], sdd["bytes"]])
    groups = {}
    for key, chance in chances.items():
        groups.setdefault(in_words(chance), []).append(QUANTITIES[key].name)
    different = [f"{words} in {_listed(names)}" for words, names in groups.items()
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
        + (f" They are about the same in {_listed(alike)}." if alike else ""),
        f"Edges: {np.median(sdd['outside']):.0%} of them lie in the outer half of a photo of SDD, "
        f"{np.median(dbi['outside']):.0%} of DBI (medians), so it is "
        f"{'SDD' if chances['outside'] > 0.5 else 'DBI'} that has more around its dogs. A photo "
        f"of SDD is {np.median(sdd['distance']) / np.median(dbi['distance']):.2f} times as far "
        "from the mean of its set as one of DBI: the "
        f"{'more' if chances['distance'] > 0.5 else 'less'} diverse set.")


def _listed(names):
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


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
              "That they vary is judged; how much depends on the photos.", HOLDS,
              check("largest file over the smallest", sizes.max() / sizes.min(), ">=", VARIED)),
        Claim("task1.diverse", "SDD's photos are more diverse",
              f"distance to the set's mean photo: median {np.median(sdd['distance']):.3f} in SDD, "
              f"{np.median(dbi['distance']):.3f} in DBI",
              "Each photo of 8x8 pixels against the mean of its set: other places, other light, "
              "other cuts.", HOLDS,
              check("chance that SDD's distance is larger", chances["distance"], ">", 0.5)),
        Claim("task1.centred", "DBI's photos are centred and clean",
              f"edges in the outer half: median {np.median(dbi['outside']):.3f} in DBI, "
              f"{np.median(sdd['outside']):.3f} in SDD",
              "Where there is clutter, it is around the dog.", HOLDS,
              check("chance that SDD has more of its edges outside", chances["outside"], ">",
                    0.5)))


def _breeds(sets):
    classes = next(iter(sets.values())).classes
    counts = {name: np.bincount(found.targets, minlength=len(classes))
              for name, found in sets.items()}
    whole = tuple(classes) == BREEDS
    written = WRITTEN if whole else {key: ("",) * len(classes) for key in WRITTEN}
    rows = [(title(c), str(written["dbi"][i]), str(counts["DBI"][i]), str(written["sdd"][i]),
             str(counts["SDD"][i])) for i, c in enumerate(classes)]
    total = {key: str(sum(values)) if whole else "" for key, values in written.items()}
    rows.append(("all", total["dbi"], str(len(sets["DBI"])), total["sdd"], str(len(sets["SDD"]))))
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
    ax.set_yticks(range(len(found.classes)), [title(c) for c in found.classes])
    ax.set(xlabel="photos")
    ax.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2)
    return figure
