"""What the levels cost in bits, and what quantising them does to the image."""

from __future__ import annotations

import numpy as np

from experiments.claims import HOLDS, WRONG, Claim, check
from experiments.style import PALETTE, new_figure
from pyramids import (bits_per_pixel, collapse, decode, encode, entropy, laplacian_pyramid, psnr,
                      quantise)

STEPS, LEVELS = (2, 4, 8, 16, 32), 6


def rates(image) -> list[dict]:
    """Open and closed loop per step D: bits per pixel, PSNR in dB, and the largest error.

    image (H, W) uint8, in up to `LEVELS` levels. The open loop is computed in floats, the closed
    one in integers, each as its authors describe it.
    """
    levels = min(LEVELS, 1 + (max(image.shape) - 1).bit_length())
    pyramid = laplacian_pyramid(image.astype(np.float64), levels)
    rows = []
    for step in STEPS:
        coarse, code = quantise(pyramid, step), encode(image, step, levels)
        for loop, bits, decoded in (("open", bits_per_pixel(coarse.levels), collapse(coarse)),
                                    ("closed", code.bits_per_pixel, decode(code))):
            error = np.abs(decoded.astype(np.float64) - image).max()
            rows.append({"loop": loop, "step": step, "bits_per_pixel": bits,
                         "psnr": psnr(image, decoded), "max_error": float(error)})
    return rows


def of_loop(rows, loop, name):
    """One column of `rates`."""
    return [row[name] for row in rows if row["loop"] == loop]


def costs(photo) -> dict:
    """First-order entropies of the grey photograph, in bits per pixel of it, by way of coding."""
    grey = photo.grey
    across = grey.astype(np.int16)
    across[:, 1:] -= grey[:, :-1]
    return {"pixels": entropy(grey), "horizontal differences": entropy(across),
            "Laplacian pyramid": bits_per_pixel(photo.grey_details.levels)}


def claims(photo_rates, rng) -> tuple[Claim, ...]:
    """The bound of the closed loop, on the photograph and on noise; the open loop has none."""
    noise = rates(rng.integers(0, 256, (96, 131), np.uint8))
    worst = {f"{name}, {loop} loop": max(np.array(of_loop(rows, loop, "max_error")) * 2 / STEPS)
             for name, rows in (("photograph", photo_rates), ("noise", noise))
             for loop in ("closed", "open")}
    lines = "\n".join(
        f"D = {step}: " + "; ".join(
            f"{row['loop']} {row['bits_per_pixel']:.3f} bits/pixel, {row['psnr']:.2f} dB, max "
            f"error {row['max_error']:g}" for row in photo_rates if row["step"] == step)
        for step in STEPS)
    image = rng.integers(0, 256, (64, 64), np.uint8)
    rough = decode(encode(image, (4, 64, 99, 7, 32, 100, 3)))
    return (
        Claim(
            id="pyramids.closed_loop",
            written="predicting from the decoded levels, no pixel is off by more than D/2",
            measured=f"the photograph in grey, {LEVELS} levels:\n{lines}",
            why="whatever the coarser levels lost, the finest one is the difference to what the "
                "decoder has, rounded once",
            documented=HOLDS,
            as_written=check("largest error in units of D/2, photograph and noise",
                             max(v for k, v in worst.items() if "closed" in k), "<=", 1.0),
            evidence=(check("largest error on noise, D = 4 and 64, 99, 7, 32, 100, 3 above it",
                            int(np.abs(rough.astype(int) - image).max()), "<=", 2),),
            routes=worst,
        ),
        Claim(
            id="pyramids.open_loop",
            written="rounding each level of the true pyramid to multiples of D, no pixel is off "
                    "by more than D/2",
            measured=f"on noise by up to {worst['noise, open loop']:.2f} times as much, on the "
                     f"photograph by {worst['photograph, open loop']:.2f} times",
            why="the errors of all levels reach the image and add up",
            documented=WRONG,
            as_written=check("largest error in units of D/2, noise", worst["noise, open loop"],
                             "<=", 1.0),
        ),
    )


def bits(photo):
    """Bits that each level costs, per pixel of the image, beside two codes without levels."""
    figure = new_figure(8, 4.2)
    ax = figure.subplots()
    levels = photo.grey_details
    shares = [entropy(level) * level.size / levels[0].size for level in levels]
    ax.bar(range(len(levels)), shares, color=PALETTE["blue"])
    for (name, value), colour in zip(costs(photo).items(), ("black", "green", "orange")):
        ax.axhline(value, color=PALETTE[colour], linestyle="--", linewidth=1.4,
                   label=f"{name}: {value:.2f}")
    names = [f"$L_{{{k}}}$" for k in range(len(levels) - 1)] + ["top"]
    ax.set_xticks(range(len(levels)), [f"{name}\n{entropy(level):.2f}"
                                       for name, level in zip(names, levels)])
    ax.set(ylabel="bits per pixel of the image", xlabel="level, and its bits per sample",
           ylim=(0, 1.15 * max(*costs(photo).values(), *shares, 0.1)))
    ax.legend(fontsize=9, title="all together, bits per pixel", loc="center right")
    return figure


def rate_distortion(photo_rates):
    """PSNR over rate, and largest error over step, open against closed loop."""
    figure = new_figure(8, 4.2)
    left, right = figure.subplots(1, 2)
    for loop, colour, marker in (("closed", "blue", "o"), ("open", "orange", "s")):
        style = {"color": PALETTE[colour], "marker": marker, "label": f"{loop} loop"}
        rate, quality = (of_loop(photo_rates, loop, name) for name in ("bits_per_pixel", "psnr"))
        left.plot(rate, quality, **style)
        right.plot(STEPS, of_loop(photo_rates, loop, "max_error"), **style)
        if loop == "closed":
            for step, x, y in zip(STEPS, rate, quality):
                left.annotate(f"D = {step}", (x, y), (-6, 4), textcoords="offset points",
                              ha="right", fontsize=9)
    right.plot(STEPS, np.array(STEPS) / 2, ":", color="black", label="D/2")
    left.set(xlabel="bits per pixel", ylabel="PSNR in dB")
    left.margins(x=0.18, y=0.08)
    right.set(xlabel="quantiser step D", ylabel="largest error, grey levels", xscale="log",
              yscale="log")
    right.set_xticks(STEPS, STEPS)
    right.set_yticks([1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8, 16, 32, 64])
    right.minorticks_off()
    for ax in (left, right):
        ax.grid(alpha=0.5)
        ax.legend(fontsize=9, loc="lower right" if ax is left else "upper left")
    return figure
