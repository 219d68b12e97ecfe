"""The kernel family: its numbers, its frequency response, and how far it sees."""

from __future__ import annotations

import math

import numpy as np

from experiments.claims import HOLDS, Claim, check
from experiments.style import PALETTE, new_figure
from pyramids import (aliased_energy, cumulative_blur, detail_of_square, pyr_down, pyr_down_T,
                      response, sigma, taps)

FAMILY = {0.3: "sky", 0.375: "blue", 0.4: "green", 0.5: "yellow", 0.6: "orange"}
PLAIN, BOX = (1.0,), (0.5, 0.5)
KERNELS = {  # what is written of them: sigma, H(pi/2), H(pi), aliased energy of white noise
    0.3: ("1.1402", "0.10", "0", "0.33%"), 0.35: ("1.0488", "0.20", "0", "0.79%"),
    0.375: ("1.0000", "0.25", "0", "1.50%"), 0.4: ("0.9487", "0.30", "0", "2.44%"),
    0.45: ("0.8367", "0.40", "0", "4.82%"), 0.5: ("0.7071", "0.50", "0", "7.56%"),
    0.6: ("0.3162", "0.70", "0", "13.19%"), PLAIN: ("0.0000", "1.00", "1", "50.00%"),
    BOX: ("0.5000", "0.71", "0", "18.17%"),
}
BLURS = ("1.0000", "2.2361", "4.5826", "9.2195", "18.4662", "36.9459", "73.8986", "147.8005")
OPENCV = ((0.390625, 0.4296875), (0.4296875, 0.47265625))
ROUNDING = 1e-12


def claims() -> tuple[Claim, ...]:
    """Everything that is written of the kernels, measured on the filters themselves as well."""
    return table(), blur(), opencv()


def table() -> Claim:
    found = {a: (f"{sigma(a):.4f}", f"{response(math.pi / 2, a):.2f}",
                 f"{abs(response(math.pi, a)):.0f}", f"{aliased_energy(a):.2%}") for a in KERNELS}
    filters = {a: measured_taps(a) for a in KERNELS if isinstance(a, float)}
    w = np.linspace(0, math.pi, 2**14 + 1)
    energy = {}
    for a in filters:
        power = np.abs(np.exp(1j * np.outer(w, np.arange(-2, 3))) @ filters[a])**2
        energy[a] = np.trapezoid(power[2**13:]) / np.trapezoid(power)
    distance = max(max(abs(np.arange(-2, 3)**2 @ filters[a] - sigma(a)**2),
                       abs(energy[a] - aliased_energy(a))) for a in filters)
    rows = (f"{_name(a)}: sigma {row[0]}, H(pi/2) {row[1]}, H(pi) {row[2]}, aliased {row[3]}"
            for a, row in found.items())
    return Claim(
        id="pyramids.kernel",
        written="sigma^2 = 5/2 - 4a, H(pi/2) = 2a - 1/2, H(pi) = 0; aliasing grows with a",
        measured="\n".join(rows),
        why="equal contribution of even and odd samples is exactly H(pi) = 0; what H leaves above "
            "pi/2 folds down when every other sample is dropped",
        documented=HOLDS,
        as_written=check("entries that differ from the written table",
                         sum(x != y for a in KERNELS for x, y in zip(found[a], KERNELS[a])),
                         "==", 0),
        evidence=(
            check("largest distance to an impulse through pyr_down, sigma^2 and energy", distance,
                  "<=", 1e-7),
            check("L of x^2 at even and odd x, a = 3/8", detail_of_square(0.375), "==",
                  (-2.0, -2.0)),
            check("the same, a = 0.4, to 10 digits",
                  tuple(round(value, 10) for value in detail_of_square(0.4)), "==", (-1.7, -1.9)),
        ),
    )


def measured_taps(a) -> np.ndarray:
    """The five taps of `pyr_down`, by sending impulses through it."""
    impulses = np.eye(17)[6:11]                                 # 8 + m for m = -2..2
    return pyr_down(impulses, a, axes=(1,))[:, 4]


def blur() -> Claim:
    found = [cumulative_blur(k) for k in range(1, len(BLURS) + 1)]
    n = 2**(len(BLURS) + 4)
    weights, lengths = None, [n >> k for k in range(len(BLURS) + 1)]
    distance = 0.0
    for k, value in enumerate(found, 1):
        weights = np.zeros(lengths[k])
        weights[lengths[k] // 2] = 1
        for length in reversed(lengths[:k]):
            weights = pyr_down_T(weights, (length,), axes=(0,))
        distance = max(distance, abs(math.sqrt(weights @ (np.arange(n) - n // 2)**2) / value - 1))
    return Claim(
        id="pyramids.blur",
        written="one pixel of I_k sees the image through a blur of sigma sqrt((4^k - 1)/3) pixels",
        measured="a = 3/8, k = 1 to 8: " + ", ".join(f"{value:.4f}" for value in found),
        why="variances add, and each level's pixels are twice as large as those of the one before",
        documented=HOLDS,
        as_written=check("entries that differ from the written table",
                         sum(f"{value:.4f}" != text for value, text in zip(found, BLURS)), "==", 0),
        evidence=(check("largest relative distance to the spread of pixel weights, by pyr_down_T",
                        distance, "<=", ROUNDING),),
    )


def opencv() -> Claim:
    image = np.pad(np.ones((2, 2)), 1)
    distance = float(np.abs(pyr_down(image) - OPENCV).max())
    return Claim(
        id="pyramids.opencv",
        written="OpenCV's pyrDown of a 2x2 square in the middle of 4x4: 0.390625, 0.4296875, "
                "0.4296875, 0.47265625",
        measured=f"the same four numbers, off by {distance:g}",
        why="sample i stands on sample 2i of the finer level, so an even image is halved towards "
            "its upper left: a convention, no mistake",
        documented=HOLDS,
        as_written=check("largest difference", distance, "==", 0.0),
    )


def family():
    """Taps, frequency response, and what a pixel far up the pyramid sees, for five values of a."""
    figure = new_figure(8, 7.2)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    (taps_ax, seen_ax), ax = upper.subplots(1, 2), lower.subplots()
    w = np.linspace(0, math.pi, 400)
    ax.axvspan(math.pi / 2, math.pi, color="#eeeeee")
    for a, colour in FAMILY.items():
        style = {"color": PALETTE[colour], "linewidth": 2.6 if a == 0.375 else 1.6}
        taps_ax.plot(range(-2, 3), taps(a), "o-", markersize=4, **style)
        seen_ax.plot(np.linspace(-3.5, 3.5, 16 * 7 + 1), _seen_from_far_up(a), **style)
        ax.plot(w, response(w, a), **style,
                label=f"a = {a:g}{' (binomial)' * (a == 0.375)}: {aliased_energy(a):.1%} aliased")
    ax.plot(w, response(w, BOX), "--", color=PALETTE["grey"],
            label=f"2×2 average: {aliased_energy(BOX):.1%} aliased")
    taps_ax.set(title="taps", xticks=range(-2, 3), xlabel="samples")
    seen_ax.set(title="weights of a pixel of $I_4$", xlabel="pixels of level 4", yticks=[])
    ax.set(title="frequency response H(w); shaded: folds down when halved", xlim=(0, math.pi),
           xlabel="frequency, radians per sample", ylim=(-0.1, 1.03))
    ax.set_xticks([0, math.pi / 4, math.pi / 2, 3 * math.pi / 4, math.pi],
                  ["0", "π/4", "π/2", "3π/4", "π"])
    for each in (ax, seen_ax):
        each.axhline(0, color="black", linewidth=0.6)
    lower.legend(fontsize=9, loc="outside lower center", ncols=2)
    return figure


def _seen_from_far_up(a):
    """The weights of the middle pixel of level 4 in the 16 x 7 + 1 pixels of level 0 around it."""
    lengths = [16 * 16 + 1, 129, 65, 33, 17]
    weights = np.eye(17)[8]
    for length in lengths[-2::-1]:
        weights = pyr_down_T(weights, (length,), a, axes=(0,))
    return weights[128 - 56:128 + 57]


def _name(a):
    return {PLAIN: "no filter", BOX: "2x2 average"}.get(a, f"a = {a}")
