"""Pictures of what `classify` found: the guesses as one PNG, and where a network looked.

    sheet = guess_sheet(cards)                                      # a Pillow image
    draw_looked(model, prepare, photo, ("tench", 0.9), folder, "saliency-1")    # into figures/
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from experiments.errors import one_line
from experiments.report.cards import Card, Looked
from experiments.report.terminal import shown
from experiments.results import save_figure
from experiments.saliency import Seen, as_seen, enlarged, look
from experiments.style import literal, new_figure, short

MOST_DRAWN = 50                 # photographs on the PNG
GRADIENT = ("Where the network looked for {}. Gradient: how much the score S of that class changes "
            "with a pixel, the largest |dS/dx| of its colours; white is the 99th percentile.")
GRAD_CAM = (" Grad-CAM: the maps A of the last convolution, each times the mean of its dS/dA, "
            "summed and cut off below 0; yellow is the largest value.")
NO_MAPS = "Grad-CAM: this network has no convolution whose maps have several pixels."
NOTHING = "Grad-CAM: no place in the last maps speaks for “{}”."
_SIDE, _GAP, _LINE, _TEXT, _BAR = 130, 12, 22, 15, 200      # of the PNG, in pixels
_NAMES = 260
_INK, _SOFT, _BACK, _FULL, _EMPTY = "#1c1b19", "#5d5a54", "#ffffff", "#0072b2", "#dedad1"


def guess_sheet(cards: Sequence[Card]) -> Image.Image:
    """The photographs under one another, beside each its guesses with bars."""
    drawn = [card for card in cards if not card.reason][:MOST_DRAWN]
    rest = len(cards) - len(drawn)
    step = _SIDE + _LINE + 2 * _GAP
    width = _SIDE + _NAMES + _BAR + 80 + 4 * _GAP
    sheet = Image.new("RGB", (width, step * len(drawn) + _GAP + (_LINE + _GAP) * bool(rest)), _BACK)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    for row, card in enumerate(drawn):
        top = _GAP + row * step
        draw.text((_GAP, top), _fitted(shown(card.path), width - 2 * _GAP, font), _SOFT, font)
        top += _LINE
        sheet.paste(ImageOps.pad(card.photo, (_SIDE, _SIDE), Image.Resampling.BILINEAR, "#ececec"),
                    (_GAP, top))
        for i, (name, p) in enumerate(card.found):
            left, line = _SIDE + 2 * _GAP, top + 2 + i * (_SIDE // 5)
            draw.text((left, line), _fitted(shown(name), _NAMES, font), _INK, font)
            left += _NAMES + _GAP
            draw.rectangle((left, line + 3, left + _BAR, line + _TEXT), _EMPTY)
            if round(p * _BAR):
                draw.rectangle((left, line + 3, left + round(p * _BAR), line + _TEXT), _FULL)
            draw.text((width - _GAP, line), f"{p:.1%}", _INK, font, anchor="ra")
    if rest:
        draw.text((_GAP, step * len(drawn) + _GAP), f"{rest} more: see classify.html", _SOFT, font)
    return sheet


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    """The text, shortened to a width in pixels."""
    whole, count = text, len(text)
    while font.getlength(text) > width:
        count -= 1
        text = f"{whole[:count].rstrip()}…"
    return text


def png(image: Image.Image) -> bytes:
    """A PNG file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def draw_looked(model, prepare: Callable, photo: Image.Image, guess: tuple[str, float],
                folder: Path, name: str) -> Looked:
    """Draw where the network looked for its first guess, figures/`name` in the folder.

    A network that has no gradient or no maps is told in the note. UserError if the disk refuses.
    """
    x = prepare(photo)
    try:
        seen = look(model, x)
    except MemoryError:
        raise
    except Exception as error:          # whatever a network of the user's own raises
        return Looked({}, "where the network looked cannot be told: "
                          f"{one_line(error) or type(error).__name__}")
    files = save_figure(lambda: looked(seen, as_seen(prepare, x), *guess), name, folder)
    caption = GRADIENT.format(f"“{guess[0]}”") + (GRAD_CAM if seen.cam is not None else "")
    note = NO_MAPS if seen.cam is None else "" if seen.cam.any() else NOTHING.format(guess[0])
    return Looked({"files": files, "caption": caption}, note)


def looked(seen: Seen, picture: np.ndarray, name: str, probability: float):
    """The figure: the photograph, the gradient and, where there are maps, Grad-CAM over it.

    picture (H, W, 3), values from 0 to 1.
    """
    panels = 2 + (seen.cam is not None)
    figure = new_figure(3.1 * panels, 3.7)
    figure.suptitle(f"{literal(short(name))}  {probability:.1%}")
    axes = figure.subplots(1, panels)
    top = np.percentile(seen.gradient, 99) or 1.0
    axes[0].imshow(picture)
    axes[1].imshow(seen.gradient / top, cmap="gray", vmin=0, vmax=1)
    if seen.cam is not None:
        size = picture.shape[:2]
        axes[2].imshow(np.broadcast_to(picture.mean(2, keepdims=True), picture.shape))
        axes[2].imshow(enlarged(seen.cam / (seen.cam.max() or 1.0), size), cmap="plasma", vmin=0,
                       vmax=1, alpha=0.55)
    for ax, title in zip(axes, ("what the network sees", "gradient by the pixels", "Grad-CAM")):
        ax.set_title(title)
        ax.set_axis_off()
    return figure
