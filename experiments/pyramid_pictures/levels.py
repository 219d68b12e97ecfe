"""Pictures of the levels: side by side, as a telescope, and how their values are distributed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from experiments.pyramid_pictures.photograph import size
from experiments.style import PALETTE, new_figure
from pyramids import gaussian_pyramid, mosaic, places

TEXT = 0.17           # inches that one line of text needs
SHEAR, SQUASH = 0.3, 0.42  # of a sheet that lies flat: how far it leans, how thin it looks
FEWEST = 256          # samples of which a histogram is worth drawing


def mosaics(photo):
    """Both pyramids at true relative size: level 0 on the left, the halving stack on the right."""
    blank = gaussian_pyramid(photo.view / 255, axes=photo.images.axes)
    grey = tuple(photo.centred(k) for k in range(len(blank)))
    drawings = (("I", "Gaussian levels: each the halved one before", blank),
                ("L", f"Laplacian levels: grey 0, black −{photo.scale:.0f}, white "
                      f"+{photo.scale:.0f}", dataclasses.replace(blank, levels=grey)))
    height, width = mosaic(blank).shape[:2]
    inches = min(6.8 / width, 4.5 / height)  # per pixel
    total = max(height, TEXT / inches)
    figure = new_figure(max(inches * width + 1.2, 5), 2 * (inches * total + 0.45))
    for ax, (name, title, pyramid) in zip(figure.subplots(2, 1), drawings):
        canvas = np.ones((height, width, 3))
        for place in places(pyramid):
            canvas[place] = mosaic(pyramid)[place]
        ax.imshow(canvas, extent=(0, width, height, 0))
        for k, (rows, columns) in enumerate(places(pyramid)[1:], 1):
            if (rows.stop - rows.start) * inches < TEXT:
                ax.text(columns.stop + 0.08 / inches, rows.start, "… down to 1×1", va="top")
                break
            ax.text(columns.stop + 0.08 / inches, (rows.start + rows.stop) / 2,
                    f"${name}_{{{k}}}$  {size(pyramid[k])}", va="center")
        ax.set(xlim=(0, max(width + 1.2 / inches, 5 / inches)), ylim=(total, 0))
        ax.set_title(title, loc="left")
        ax.axis("off")
    return figure


def telescope(photo):
    """Every level as a sheet that lies above the finer one: I on the left, L on the right."""
    height, width = photo.view.shape[:2]
    span, depth = width + SHEAR * height, SQUASH * height  # what level 0 covers on paper
    unit = min(3.0 / span, 1.9 / depth)                    # inches per pixel
    count = len(photo.images)
    heights = np.cumsum([0] + [max(0.3 / unit, 0.5 * SQUASH * image.shape[0])
                               for image in photo.images[:-1]])
    left, right = max(span / 2, 0.6 / unit), span / 2 + 1.2 / unit
    bottom, top = -depth / 2 - 0.1 / unit, max(heights[-1], depth / 2) + 0.2 / unit
    figure = new_figure(2 * (left + right) * unit + 0.2, (top - bottom) * unit + 0.4)
    for ax, name, title, levels in zip(
            figure.subplots(1, 2), "IL", ("Gaussian", "Laplacian"),
            (photo.images, [photo.centred(k) for k in range(count)])):
        for k, (image, z) in enumerate(zip(levels, heights)):
            kind = name if k < count - 1 else "I"
            _sheet(ax, image, z, unit)
            ax.plot(((image.shape[1] / 2), span / 2 + 0.05 / unit), (z, z), ":", linewidth=0.7,
                    color=PALETTE["grey"], zorder=0)
            ax.text(span / 2 + 0.1 / unit, z, f"${kind}_{{{k}}}$  {size(image)}", va="center")
        ax.set(xlim=(-left, right), ylim=(bottom, top), aspect="equal")
        ax.set_title(title)
        ax.axis("off")
    return figure


def _sheet(ax, image, z, unit):
    """An image that lies flat at height z, above all that was drawn before."""
    from matplotlib.transforms import Affine2D

    h, w = image.shape[:2]
    flat = Affine2D.from_values(1, 0, -SHEAR, -SQUASH, 0, z) + ax.transData
    ax.imshow(image, extent=(-w / 2, w / 2, h / 2, -h / 2), transform=flat, zorder=1)
    corners = np.array([(-w, -h), (w, -h), (w, h), (-w, h), (-w, -h)]) / 2
    ax.plot(*corners.T, transform=flat, color="black", linewidth=0.5, zorder=1)


def histograms(photo):
    """How often each value occurs in the levels of the grey photograph, on a logarithmic axis."""
    figure = new_figure(8, 4.6)
    ax = figure.subplots()
    drawn = [detail for detail in photo.grey_details[:-1] if detail.size >= FEWEST]
    drawn = drawn or list(photo.grey_details[:1])
    reach = max(20, max(int(np.abs(detail).max()) for detail in drawn))
    edges = np.arange(-reach - 2, reach + 5, 4) - 0.5
    centres = (edges[:-1] + edges[1:]) / 2
    for k, detail in enumerate(drawn):
        density = np.histogram(detail, edges)[0] / (4 * detail.size)
        ax.plot(centres, np.where(density > 0, density, np.nan), ".-", markersize=3,
                color=_shade(k, len(drawn)),
                label=f"$L_{{{k}}}$, mean |L| {np.abs(detail).mean():.1f}")
    mean, sigma = np.abs(drawn[0]).mean() or 1, drawn[0].std() or 1
    laplace = np.exp(-np.abs(centres) / mean) / (2 * mean)
    normal = np.exp(-(centres / sigma)**2 / 2) / (sigma * math.sqrt(2 * math.pi))
    ax.plot(centres, laplace, "--", color=PALETTE["orange"],
            label="exp(−|x|/m)/(2m), m of $L_0$", zorder=0)
    ax.plot(centres, normal, ":", color=PALETTE["grey"], label="normal, variance of $L_0$",
            zorder=0)
    ax.set(yscale="log", ylim=(0.1 / (4 * drawn[0].size), 1), xlim=(edges[0], edges[-1]),
           xlabel="difference in grey levels", ylabel="share per grey level")
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _shade(k, count):
    """Line k of `count`: from dark blue to light green, dark and light also in print."""
    from matplotlib import colormaps

    return colormaps["viridis"](0.85 * k / max(count - 1, 1))
