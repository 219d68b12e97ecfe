"""Sheets of photographs, as Pillow images: small pictures in rows, with a line under each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

from experiments.tasks.photos import title
from experiments.tasks.scores import Score
from minigrad.data import read_image

SIDE, WIDE, GAP, LINE = 112, 150, 6, 15     # pixels of a picture, between two, and of a line
INK, SOFT, PAPER, BACK = "#1c1b19", "#5d5a54", "#ffffff", "#ececec"
MOST_WRONG = 24
TEXT = 11


class Picture(NamedTuple):
    """A photograph's file, and what to write under it."""

    path: str
    lines: tuple[str, ...] = ()


def sheet(rows: Sequence[tuple[str, Sequence[Picture]]], side: int = SIDE) -> Image.Image:
    """Rows of pictures, each row with a heading ("" for none); every photograph whole, on grey."""
    columns = max(4, max(len(pictures) for _, pictures in rows))
    heights = [LINE * bool(heading) + side + LINE * _most_lines(pictures) + GAP
               for heading, pictures in rows]
    page = Image.new("RGB", (columns * (side + GAP) + GAP, sum(heights) + GAP), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(TEXT)
    top = GAP
    for (heading, pictures), height in zip(rows, heights):
        if heading:
            draw.text((GAP, top), heading, INK, font)
        for i, picture in enumerate(pictures):
            left, below = GAP + i * (side + GAP), top + LINE * bool(heading)
            page.paste(thumbnail(picture.path, side), (left, below))
            for k, line in enumerate(picture.lines):
                draw.text((left, below + side + 1 + k * LINE), _fitted(line, side, font),
                          SOFT if k else INK, font)
        top += height
    return page


def thumbnail(path: str, side: int) -> Image.Image:
    """A photograph in a square, nothing cut off."""
    return ImageOps.pad(read_image(path), (side, side), Image.Resampling.BILINEAR, BACK)


def _fitted(line, width, font):
    """The line, shortened to a width in pixels."""
    short = line
    while font.getlength(short) > width:
        short = f"{short.rstrip('…')[:-1]}…"
    return short


def _most_lines(pictures):
    return max((len(picture.lines) for picture in pictures), default=0)


def mistakes(score: Score, columns: int = 6) -> Image.Image:
    """The mistakes of which a network was most certain: what it said, and what is true."""
    pictures = [Picture(score.names[i],
                        (f"{title(score.classes[score.guesses[i]])} {score.certainty[i]:.0%}",
                         f"is {title(score.classes[score.targets[i]])}"))
                for i in score.wrong[:MOST_WRONG]]
    rows = [("", pictures[k:k + columns]) for k in range(0, len(pictures), columns)]
    return sheet(rows or [("No photo was guessed wrong.", ())], WIDE)


def with_note(page: Image.Image, note: str) -> Image.Image:
    """The same sheet with a line of text at its foot."""
    longer = Image.new("RGB", (page.width, page.height + LINE + GAP), PAPER)
    longer.paste(page, (0, 0))
    ImageDraw.Draw(longer).text((page.width - GAP, page.height + LINE), note, SOFT,
                                ImageFont.load_default(TEXT), anchor="rs")
    return longer
