"""Joining two images: how wide a seam becomes, and that nothing else changes."""

from __future__ import annotations

import numpy as np

from experiments.claims import HOLDS, Claim, check
from experiments.pyramid_pictures.photograph import AXES
from experiments.style import new_figure
from pyramids import blend

EPS = float(np.finfo(np.float64).eps)
STEPS = ("0.5000", "0.1367", "0.0597", "0.0289", "0.0144", "0.0072", "0.0036")
WIDTHS = (0, 4, 8, 16, 34, 67, 136)
SHAPE = 64, 256  # of the two flat images, 0.25 on the left and 0.75 on the right


def seams() -> list[np.ndarray]:
    """A row across the seam of two flat images, joined with 1 to 7 levels along a hard mask."""
    mask = np.zeros(SHAPE)
    mask[:, :SHAPE[1] // 2] = 1
    return [blend(np.full(SHAPE, 0.25), np.full(SHAPE, 0.75), mask, levels)[SHAPE[0] // 2]
            for levels in range(1, len(STEPS) + 1)]


def claims(rng) -> tuple[Claim, ...]:
    """The written table of seams, and the identities of a blend."""
    return seam_table(), identities(rng)


def seam_table() -> Claim:
    rows = seams()
    steps = [f"{np.abs(np.diff(row)).max():.4f}" for row in rows]
    widths = [np.count_nonzero((row > 0.3) & (row < 0.7)) for row in rows]
    overshoot = max(max(row.max() - 0.75, 0.25 - row.min()) for row in rows)
    backwards = max(float(-np.diff(row).min()) for row in rows)
    return Claim(
        id="pyramids.seam",
        written="between flat 0.25 and 0.75, each level halves the steepest step of the seam and "
                "doubles its width",
        measured="1 to 7 levels: step " + ", ".join(steps) + "; pixels from 10% to 90% "
                 + ", ".join(map(str, widths)),
        why="the mask is blurred as much as the level that it mixes",
        documented=HOLDS,
        as_written=check("entries that differ from the written table",
                         sum(x != y for x, y in zip(steps, STEPS))
                         + sum(x != y for x, y in zip(widths, WIDTHS)), "==", 0),
        evidence=(check("overshoot beyond 0.25..0.75", float(overshoot), "<=", 1e-12),
                  check("largest step backwards", backwards, "<=", 1e-12)),
    )


def identities(rng) -> Claim:
    worst = {"blend(A, A, M) - A": 0.0, "blend(A, B, 1) - A": 0.0,
             "blend(A, B, M) - blend(B, A, 1 - M)": 0.0}
    for shape in rng.integers(1, 65, (30, 2)):
        a, b, mask = rng.random((3, *shape))
        pairs = ((blend(a, a, mask), a), (blend(a, b, np.ones(shape)), a),
                 (blend(a, b, mask), blend(b, a, 1 - mask)))
        for name, (x, y) in zip(worst, pairs):
            worst[name] = max(worst[name], float(np.abs(x - y).max()))
    return Claim(
        id="pyramids.blend",
        written="A blended with itself is A, a mask of 1 gives A, and swapping the images with the "
                "mask changes nothing",
        measured=f"off by at most {max(worst.values()) / EPS:.2g} eps on 30 random images",
        why="the weights sum to 1 at every pixel of every level",
        documented=HOLDS,
        as_written=check("largest difference", max(worst.values()), "<=", 4 * EPS),
        routes=worst,
    )


def pictures(photo):
    """The photograph joined to its darker mirror image, and the seams between two flat images."""
    from matplotlib import colormaps

    left = photo.view / 255
    right = 0.6 * left[:, ::-1]
    height, width = left.shape[:2]
    mask = np.zeros((height, width))
    mask[:, :(width + 1) // 2] = 1
    joined = {"cut and pasted": np.where(mask[..., None] == 1, left, right),
              "joined by blend()": np.clip(blend(left, right, mask, axes=AXES), 0, 1)}
    stacked = width > 2 * height
    tall = (7 if stacked else 3.7) * min(height / width, 1.5)
    figure = new_figure(8, (2 * tall + 0.6 if stacked else tall + 0.3) + 2.8)
    parts = figure.subfigures(2, 1, height_ratios=(figure.get_figheight() - 2.8, 2.8))
    axes = parts[0].subplots(*((2, 1) if stacked else (1, 2)))
    for ax, (title, image) in zip(axes, joined.items()):
        ax.imshow(image)
        ax.set_title(title, fontsize=11)
        ax.axis("off")
    ax = parts[1].subplots()
    for levels, row in enumerate(seams(), 1):
        ax.plot(np.arange(len(row)) - len(row) / 2, row,
                label=f"{levels}, steepest {STEPS[levels - 1]}",
                color=colormaps["viridis"](0.85 * (levels - 1) / (len(STEPS) - 1)))
    ax.set(xlabel="pixels from the seam between two flat images", ylabel="value", ylim=(0.2, 0.8))
    ax.legend(title="levels", fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
