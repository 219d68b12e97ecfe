"""The pyramid as a linear map: what its numbers measure, what they paint, and how it transposes."""

from __future__ import annotations

import dataclasses

import numpy as np

from experiments.claims import HOLDS, WRONG, Claim, check
from experiments.style import PALETTE, new_figure
from pyramids import collapse, laplacian_pyramid, laplacian_T, pyr_down, pyr_down_T, pyr_up

SIDE, LEVELS = 32, 4        # of the images whose singular values are written, and of the pictures
COLOURS = PALETTE["blue"], PALETTE["orange"]  # of what a number paints, and what it measures
VIEW = 49                   # pixels of a picture of one function, 8n + 1 to have a middle
SINGULAR = ("0.0941", "1.0564", "11.2")  # smallest, largest, and their ratio


def claims(rng) -> tuple[Claim, ...]:
    """How the filters transpose, and how well conditioned the pyramid is."""
    return transpose(), singular_values(rng)


def transpose() -> Claim:
    """The matrices of both filters along one axis, of all lengths from 2 to 33, for two borders."""
    worst = {"reflect101": 0.0, "zero": 0.0}
    true = 0.0
    rows = {}
    for n in range(2, 34):
        every, coarse = np.eye(n), np.eye((n + 1) // 2)
        for border in worst:
            down = pyr_down(every, border=border, axes=(1,))                 # (n, m): the transpose
            up = pyr_up(coarse, (len(coarse), n), border=border, axes=(1,)).T
            error = np.abs(up - 2 * down)
            worst[border] = max(worst[border], float(error.max()))
            rows[border, n] = np.count_nonzero(error.any(axis=1))
            backward = pyr_down_T(coarse, (len(coarse), n), border=border, axes=(1,)).T
            true = max(true, float(np.abs(down - backward).max()))
    return Claim(
        id="pyramids.transpose",
        written="pyr_up is the transpose of pyr_down, times 2 per axis, so pyr_up / 4 gives its "
                "gradient",
        measured=f"at the default border, weights are off by up to {worst['reflect101']:g}, in "
                 f"{rows['reflect101', 16]} of 16 rows and {rows['reflect101', 17]} of 17; at a "
                 f"zero border by {worst['zero']:g}; pyr_down_T by {true:g}",
        why="a border that reflects reads inner samples a second time, and the transpose hands "
            "back to them what it read",
        documented=WRONG,
        as_written=check("largest difference of weights, reflect101, n = 2..33",
                         worst["reflect101"], "<=", 1e-12),
        evidence=(check("rows that differ, of 16 and of 17",
                        (rows["reflect101", 16], rows["reflect101", 17]), "==", (4, 6)),
                  check("largest difference of weights, zero border", worst["zero"], "<=", 1e-15),
                  check("largest difference of pyr_down_T, both borders", true, "<=", 1e-15)),
    )


def singular_values(rng) -> Claim:
    every = np.eye(SIDE * SIDE).reshape(-1, SIDE, SIDE)
    matrix = np.concatenate([level.reshape(len(every), -1)
                             for level in laplacian_pyramid(every, LEVELS)], axis=1).T
    lowest, *_, highest = np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix))
    found = f"{lowest:.4f}", f"{highest:.4f}", f"{highest / lowest:.1f}"

    pyramid = laplacian_pyramid(rng.random((SIDE, SIDE)), LEVELS)
    stacked = np.concatenate([level.ravel() for level in pyramid])
    distance = float(np.abs(laplacian_T(pyramid).ravel() - matrix.T @ stacked).max())
    return Claim(
        id="pyramids.frame",
        written=f"a pyramid of {LEVELS} levels on {SIDE}x{SIDE} pixels stretches an image by "
                f"0.0941 to 1.0564, a condition of 11.2",
        measured=f"{found[0]} to {found[1]}, condition {found[2]}: {matrix.shape[0]} numbers for "
                 f"{matrix.shape[1]} pixels, none lost",
        why="a frame: 4/3 as many numbers as pixels, and the smallest singular value is not 0",
        documented=HOLDS,
        as_written=check("entries that differ from the written ones",
                         sum(x != y for x, y in zip(found, SINGULAR)), "==", 0),
        evidence=(check("largest difference of laplacian_T to the transposed matrix", distance,
                        "<=", 1e-13),),
    )


def functions():
    """Per level, the image that one number of L_k paints, and the one that it measures."""
    figure = new_figure(8, 6.4)
    rows = figure.subplots(3, LEVELS, height_ratios=(1, 1, 0.8))
    blank = laplacian_pyramid(np.zeros((VIEW, VIEW)), LEVELS)
    for k in range(LEVELS):
        impulse = np.zeros_like(blank[k])
        impulse[len(impulse) // 2, len(impulse) // 2] = 1
        unit = dataclasses.replace(blank, levels=(*blank[:k], impulse, *blank[k + 1:]))
        for row, image in enumerate((collapse(unit), laplacian_T(unit))):
            reach = np.abs(image).max()
            rows[row, k].imshow(image, cmap="gray", vmin=-reach, vmax=reach)
            rows[row, k].set(xticks=[], yticks=[])
            line = image[len(image) // 2] / reach
            rows[2, k].plot(line, color=COLOURS[row], linewidth=2.4 - row)
        rows[0, k].set_title(f"$L_{k}$" if k < LEVELS - 1 else f"top $I_{k}$")
        rows[2, k].set(xticks=[8, 24, 40], xlim=(0, VIEW - 1), ylim=(-0.2, 1.1),
                       yticks=[0, 1] if k == 0 else [])
        rows[2, k].axhline(0, color="black", linewidth=0.6)
    for ax, label, colour in zip(rows[:, 0], ("paints", "measures"), COLOURS):
        ax.set_ylabel(label, color=colour, fontsize=12)
    figure.supxlabel("middle rows, in pixels of level 0, each scaled to 1", fontsize=10)
    return figure
