"""The photograph rebuilt from its 1x1 top upwards, I_k = L_k + up(I_{k+1}): a strip and a film."""

from __future__ import annotations

import io
import math

import numpy as np

from experiments.pyramid_pictures.photograph import size
from experiments.style import new_figure
from pyramids import expand_to, pyr_up

COLUMNS = 6
SECONDS, LAST_SECONDS = 1.2, 4.0  # that a frame of the film is shown


def strip(photo):
    """One column per level, coarsest first: L_k, and I_k with L_k added."""
    count = len(photo.details)
    columns = min(count, COLUMNS)
    groups = math.ceil(count / columns)
    height, width = photo.view.shape[:2]
    panel = 8 / max(columns, 4)
    tall = panel * min(height / width, 2.0)
    figure = new_figure(panel * columns, 2 * groups * (tall + 0.32))
    axes = figure.subplots(2 * groups, columns, squeeze=False)
    for ax in axes.ravel():
        ax.axis("off")
    for place, k in enumerate(reversed(range(count))):
        row, column = divmod(place, columns)
        upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
        image = expand_to(photo.details, k)
        if k < count - 1:
            _show(upper, photo.centred(k), photo, f"+ $L_{{{k}}}$")
        _show(lower, image, photo, f"$I_{{{k}}}$  {size(image)}")
    return figure


def film(photo) -> bytes:
    """An animated GIF, one frame per level: up(I_{k+1}), plus L_k, is I_k."""
    from PIL import Image

    frames = [Image.fromarray(_frame(photo, k)).quantize(256)
              for k in reversed(range(len(photo.details)))]
    durations = [round(1000 * SECONDS)] * (len(frames) - 1) + [round(1000 * LAST_SECONDS)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations,
                   loop=0, optimize=False)
    return file.getvalue()


def _frame(photo, k):
    """(H, W, 3) uint8: level k, large, and the two images that it is the sum of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    height, width = photo.view.shape[:2]
    figure = new_figure(6, 3.9 * min(max(height / width, 0.3), 1.6) + 0.7)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic("SU;SL", width_ratios=(2, 1))
    for ax in axes.values():
        ax.axis("off")
    image = expand_to(photo.details, k)
    _show(axes["S"], image, photo, f"$I_{{{k}}}$, {size(image)}")
    if k == len(photo.details) - 1:
        axes["U"].text(0.5, 0.5, "the top:\none colour", ha="center", va="center", fontsize=13)
        for ax in (axes["U"], axes["L"]):
            ax.set_title(" ", fontsize=12)  # keeps its room, or the frames would jump
    else:
        predicted = pyr_up(expand_to(photo.details, k + 1), image.shape, axes=photo.details.axes)
        _show(axes["U"], predicted, photo, f"= up($I_{{{k + 1}}}$)")
        _show(axes["L"], photo.centred(k), photo, f"+ $L_{{{k}}}$")
    wrong = np.count_nonzero(image != photo.images[k])
    figure.supxlabel(f"{wrong} of {image.size:,} samples differ from the true $I_{{{k}}}$",
                     fontsize=12)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _show(ax, image, photo, title):
    """An image of any level, at the size of the finest."""
    height, width = photo.view.shape[:2]
    ax.imshow(image, extent=(0, width, height, 0), vmin=0, vmax=1)
    ax.set_title(title, fontsize=12)
