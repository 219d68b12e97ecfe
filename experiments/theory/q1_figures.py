"""The pictures of question 1: the pyramid, its way back up from the 1x1 top, and the errors."""

from __future__ import annotations

import math

import numpy as np

from experiments.style import PALETTE, new_figure
from pyramids import expand_to

PIXELS = 800  # a level is shown with at most so many pixels a side
TEXT = 0.17   # inches that one line of text needs


def pyramid(images, details):
    """The levels at their true relative sizes: I_k on the left, L_k on the right."""
    height, width = images[0].shape[:2]
    stacked = width > 2 * height  # two wide mosaics fit better one above the other
    rows, columns = (2, 1) if stacked else (1, 2)
    inches = min((11 if stacked else 5.5) / (1.5 * width), 5 / height)  # per pixel
    mosaic = max(1.5 * inches * width + 1.3, 3.6)
    figure = new_figure(mosaic * columns, (inches * height + 0.6) * rows)
    axes = figure.subplots(rows, columns).ravel()
    scale = _shared_scale(details)
    grey = [np.clip(0.5 + _thumbnail(detail) / (2 * scale), 0, 1) for detail in details[:-1]]
    for ax, name, title, levels in (
            (axes[0], "I", f"Gaussian levels, $I_0$ {width}×{height}", images),
            (axes[1], "L", f"differences: grey 0, black −{scale:.0f}, white +{scale:.0f}",
             [*grey, details[-1]])):
        _mosaic(ax, name, levels, [image.shape[:2] for image in images], inches)
        ax.set_xlim(0, mosaic / inches)
        ax.set_title(title, loc="left")
    return figure


def rebuilt(photo, details):
    """One panel per level from the top down to the photograph, and what is left of the error."""
    count = len(details)
    columns = min(count + 1, max(3, math.ceil((count + 1) / 2)))
    rows = math.ceil((count + 1) / columns)
    height, width = photo.shape[:2]
    panel = min(11 / columns, 2.6)
    figure = new_figure(panel * columns, rows * (panel * min(height / width, 2) + 0.3))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, k in zip(axes, reversed(range(count))):
        image = expand_to(details, k)
        ax.imshow(_thumbnail(image), interpolation="nearest", extent=(0, width, height, 0))
        ax.set_title(f"$I_{{{k}}}$  {image.shape[1]}×{image.shape[0]}", fontsize=10)
    wrong = image != photo
    axes[count].imshow(_thumbnail(wrong.any(axis=-1)), cmap="gray", vmin=0, vmax=1)
    axes[count].set_title(f"{np.count_nonzero(wrong)} wrong samples", fontsize=10)
    return figure


def errors(levels):
    """Largest error per rebuilt level, one line per meaning of L; integers lie at exactly 0."""
    figure = new_figure(8.6, 4.4)
    ax = figure.subplots()
    k = [level["level"] for level in levels]
    series = (
        ("nabla2", r"$L_k=\nabla^2 I_k$, as written", "orange", "s"),
        ("minus_nabla2", r"$L_k=-\nabla^2 I_k$, binomial", "yellow", "D"),
        ("float32", r"difference, float32", "sky", "^"),
        ("float64", r"difference, float64", "blue", "o"),
        ("integers", "difference, integers", "green", "*"),
    )
    for name, label, colour, marker in series:
        values = [level[name] for level in levels]
        if name != "integers":  # a line starts where its first error does
            values = [value or math.nan for value in values]
        ax.plot(k, values, marker=marker, color=PALETTE[colour], label=label,
                markersize=10 if marker == "*" else 5)
    ax.set_yscale("symlog", linthresh=1e-16, linscale=0.5)
    ax.set_yticks([0, *(10.0**e for e in range(-15, 4, 3))])
    ax.minorticks_off()
    ax.set_ylim(-6e-17, 1e4)
    ax.set_xticks(k, [f"$I_{{{i}}}$" for i in k])
    ax.invert_xaxis()
    ax.set_xlabel("level, rebuilt from the top (left) to the photograph (right)")
    ax.set_ylabel("largest error, grey levels")
    ax.grid(axis="y", alpha=0.5)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _mosaic(ax, name, images, shapes, inches):
    """Level 0 on the left, the others below one another on its right, down to the size of text."""
    height, width = shapes[0]
    gap = 0.08 / inches
    left, top = 0, 0
    for k, (image, (h, w)) in enumerate(zip(images, shapes)):
        if k > 0 and h * inches < TEXT:
            ax.text(left, top, "… down to 1×1", va="top")
            break
        ax.imshow(_thumbnail(image), extent=(left, left + w, top + h, top))
        if k == 0:
            left = width + gap
        else:
            ax.text(left + w + gap, top + h / 2, f"${name}_{{{k}}}$  {w}×{h}", va="center")
            top += h + gap
    ax.set_ylim(max(height, top + TEXT / inches), 0)
    ax.axis("off")


def _shared_scale(details):
    """The difference that is drawn white in every L_k, minus it black: 99.5% are smaller."""
    sizes = np.concatenate([np.abs(_thumbnail(detail)).ravel() for detail in details[:-1]]
                           or [np.ones(1)])
    return max(float(np.quantile(sizes, 0.995)), 1.0)


def _thumbnail(image):
    """A large image with so many rows and columns left out that it is enough to look at."""
    step = math.ceil(max(image.shape[:2]) / PIXELS)
    return image[::step, ::step]
