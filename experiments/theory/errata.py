"""Errata: what the printed accuracies give away, proved by exact integer arithmetic.

An accuracy over N photos is m/N for a whole number m. It is printed as p, of four decimals, when
m/N lies within 1/20000 of p, which integers alone decide, for every m.
"""

from __future__ import annotations

from fractions import Fraction

from experiments.claims import CORRECTED, WRONG, Answer, Claim, check
from experiments.settings import Settings
from experiments.style import new_figure

SDD, DBI, DBI_TEST = 1233, 646, 193  # photos in the two sets, and in the test part of DBI
HALF_UNIT = Fraction(1, 20000)  # half of the fourth decimal
# Written accuracies on SDD, in the order in which the loop over the models printed them.
FIRST_RUN = {"ResNet-18": "0.8929", "ResNet-34": "0.9152", "ResNeXt-50": "0.9167"}
SECOND_RUN = {"ResNet-18": "0.902676399026764", "ResNeXt-50": "0.9180859691808597",
              "ResNet-34": "0.9159232224925655"}
DBI_RESNET18 = "0.9876"


def counts(printed: str, total: int) -> list[int]:
    """Every m for which m/total prints as `printed`.

    Four decimals mean that m/total rounds to them (at a tie, either way); more mean that the
    float64 closest to m/total prints with exactly these digits.
    """
    p = Fraction(printed)
    near = range(int((p - HALF_UNIT) * total) - 1, int((p + HALF_UNIT) * total) + 2)
    if len(printed) > len("0.0000"):
        return [m for m in near if repr(m / total) == printed]
    return [m for m in near if abs(Fraction(m, total) - p) <= HALF_UNIT]


def running_means(run: dict[str, str], total: int) -> list[tuple[str, int, int]]:
    """(model, m, k total) for each model k, if figure k is a mean over models 1..k for every k.

    The counters run on, so m must also grow, by 0 to `total`, from model to model. Raises
    ValueError if a figure fits no m, or more than one.
    """
    found, before = [], 0
    for k, (model, printed) in enumerate(run.items(), 1):
        fits = [m for m in counts(printed, k * total) if before <= m <= before + total]
        if len(fits) != 1:
            raise ValueError(f"{printed} is no running mean of {k} x {total} photos in one way")
        found.append((model, fits[0], k * total))
        before = fits[0]
    return found


def undone(run: dict[str, str], total: int) -> dict[str, Fraction]:
    """Each model's own accuracy, with the earlier models' photos taken out again."""
    means = running_means(run, total)
    before = [0, *(m for _, m, _ in means)]
    return {model: Fraction(m - b, total) for (model, m, _), b in zip(means, before)}


def as_text(accuracies: dict) -> str:
    """Four decimals of each."""
    return ", ".join(f"{model} {float(a):.4f}" for model, a in accuracies.items())


def ranking(accuracies: dict[str, Fraction]) -> list[str]:
    """Models, best first."""
    return sorted(accuracies, key=accuracies.get, reverse=True)


def verify(settings: Settings) -> Answer:
    """From the printed digits alone: two figures of each run are running means."""
    claims = []
    for name, run in (("first", FIRST_RUN), ("second", SECOND_RUN)):
        means, own = running_means(run, SDD), undone(run, SDD)
        fitting = {model: counts(printed, SDD) for model, printed in run.items()}
        possible = sum(bool(m) for m in fitting.values())
        fractions = ", ".join(f"{m}/{n}" for _, m, n in means)
        claims.append(Claim(
            f"errata.{name}-run",
            written="accuracies on SDD: " + as_text(run),
            measured=f"running means {fractions}; each model's own: {as_text(own)}",
            why=f"Only {possible} of the 3 figures can be an accuracy over 1233 photos, while each "
                "of the 3 fits exactly one count over 1233, 2466 and 3699 photos. The loop did not "
                "reset its counters, so figure k is the mean over models 1 to k.",
            documented=CORRECTED,
            as_written=check("figures that are possible over 1233 photos", possible, "==", 3),
            corrected=check("figures that are running means in one way", len(means), "==", 3),
            evidence=(check("counts that fit the first figure", len(fitting["ResNet-18"]), "==", 1),
                      check("counts over 1233 with the same decimals as another",
                            _collisions(SDD), "==", 0)),
            routes={model: float(a) for model, a in own.items()}))
    own = undone(FIRST_RUN, SDD)
    written_order = sorted(FIRST_RUN, key=FIRST_RUN.get, reverse=True)
    third = SECOND_RUN["ResNet-34"]
    dbi = {total: counts(DBI_RESNET18, total) for total in (DBI_TEST, DBI)}
    claims += [
        Claim("errata.ranking", written=f"first run, best first: {', '.join(written_order)}",
              measured=f"best first: {', '.join(ranking(own))}",
              why="A running mean pulls each later model towards the earlier ones: ResNet-34 is "
                  "the best of that run, not ResNeXt-50.", documented=WRONG,
              as_written=check("best model", ranking(own)[0], "==", written_order[0]),
              evidence=(check("best by its own photos", ranking(own)[0], "==", "ResNet-34"),)),
        Claim("errata.third-figure", written=f"{third} is an accuracy over 1233 photos",
              measured=f"over 1233: {counts(third, SDD) or 'impossible'}, over 2466: "
                       f"{counts(third, 2 * SDD) or 'impossible'}, over 3699: "
                       f"{counts(third, 3 * SDD)}",
              why="All sixteen digits are printed, and only 3388/3699 has them: three models' "
                  "photos are in this figure.", documented=WRONG,
              as_written=check("counts over 1233 photos", len(counts(third, SDD)), ">=", 1),
              evidence=(check("counts over 2466 photos", len(counts(third, 2 * SDD)), "==", 0),
                        check("counts over 3699 photos", len(counts(third, 3 * SDD)), "==", 1))),
        Claim("errata.dbi-test", written="DBI test accuracy 0.9876, on 193 photos",
              measured=f"over 193: {dbi[DBI_TEST] or 'impossible'}; over all 646: "
                       f"{dbi[DBI][0]}/646",
              why="No whole number of 193 photos gives 0.9876, and 638 of 646 does: it was "
                  "measured on the whole of DBI, training photos included.", documented=WRONG,
              as_written=check("counts over the 193 test photos", len(dbi[DBI_TEST]), ">=", 1),
              evidence=(check("counts over all 646 photos", len(dbi[DBI]), "==", 1),)),
    ]
    return Answer(
        question="errata", title="What the printed accuracies give away",
        story=("An accuracy over 1233 photos is a whole number divided by 1233, and few four-digit "
               "decimals are: most printed figures can be proved right or wrong from their digits.",
               "0.8929 is 1101/1233. 0.9152 and 0.9167 are no such fraction, but they are "
               "2257/2466 and 3391/3699: the counters were not reset between models.",
               f"Undone, the first run reads {as_text(own)}, the second "
               f"{as_text(undone(SECOND_RUN, SDD))}.",
               "The DBI figure 0.9876 is 638/646: the training photos were in it."),
        claims=tuple(claims),
        numbers={"first run": {m: str(a) for m, a in own.items()},
                 "second run": {m: str(a) for m, a in undone(SECOND_RUN, SDD).items()},
                 "running means": [f"{m}/{n}" for run in (FIRST_RUN, SECOND_RUN)
                                   for _, m, n in running_means(run, SDD)]},
        figures={"running_means": _figure},
        captions={"running_means": "Accuracy on SDD as written, a running mean over the models so "
                                   "far, and each model's own."})


def _collisions(total: int) -> int:
    """How many counts over `total` share their four printed decimals with another count."""
    printed = [f"{m / total:.4f}" for m in range(total + 1)]
    return len(printed) - len(set(printed))


def _figure():
    """Each model's accuracy, from the written figure to its own."""
    figure = new_figure(7.5, 2.8)
    panels = figure.subplots(1, 2, sharex=True)
    for axes, run, title in zip(panels, (FIRST_RUN, SECOND_RUN), ("first run", "second run")):
        rows = range(len(run))
        written = [float(p) for p in run.values()]
        own = [float(a) for a in undone(run, SDD).values()]
        axes.hlines(rows, written, own, color="0.6", zorder=1)
        axes.scatter(written, rows, marker="D", facecolor="white", edgecolor="C0", label="written")
        axes.scatter(own, rows, color="C1", label="the model's own")
        for row, w, o in zip(rows, written, own):
            axes.annotate(f"{o:.4f}", (o, row), (0, 7), textcoords="offset points", ha="center",
                          fontsize=8)
        axes.set(title=title, yticks=rows, yticklabels=list(run), ylim=(2.5, -0.7),
                 xlabel="accuracy on SDD", xlim=(0.885, 0.945))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
