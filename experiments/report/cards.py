"""The page of `classify`: a card for each photograph. It loads nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from experiments.report.page import figure, skeleton

_THUMBNAIL = 240                # pixels of the longer side
_STYLE = """
body { display: block; max-width: 50rem; }
.photo { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; }
.photo > img { width: 12rem; height: auto; border-radius: .4rem; }
.photo table { flex: 1; min-width: 16rem; }
meter { width: 10rem; height: 1rem; }
"""


class Looked(NamedTuple):
    """The figure of where the network looked: its files and caption, or {} if there is none; and
    what has to be said about it, or ""."""

    figure: dict
    note: str = ""


class Card(NamedTuple):
    """A photograph's path; the photograph, a Pillow image; (name, probability) of each guess; or
    the reason why it cannot be read; where the network looked, if that was asked for."""

    path: str
    photo: object
    found: Sequence[tuple[str, float]]
    reason: str = ""
    looked: Looked | None = None


def page(lines: Sequence[str], cards: Sequence[Card], folder: Path) -> str:
    """The page, in HTML. `lines` say which network guesses, and where its names are from; the
    figures of `cards` are in the folder."""
    words = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
    return skeleton("minigrad: what is in these photographs", f"""<header>
<p class="kicker">minigrad experiments</p>
<h1>What is in these photographs</h1>
{words}<p>Probabilities are the softmax of the scores: how the network divides its belief among its
own classes.</p>
</header>
<main>
{"".join(_card(card, folder) for card in cards)}</main>
""", _STYLE)


def _card(card: Card, folder: Path) -> str:
    if card.reason:
        return f"""<article class="claim wrong">
<header><h4>{escape(card.path)}</h4></header>
<p>{escape(card.reason)}</p>
</article>
"""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td><meter min="0" max="1" value="{p:.4f}" '
        f'aria-label="{escape(name)}">{p:.1%}</meter></td><td>{p:.1%}</td></tr>\n'
        for name, p in card.found)
    return f"""<article class="claim holds">
<header><h4>{escape(card.path)}</h4></header>
<div class="photo">
<img alt="{escape(card.path)}" src="data:image/jpeg;base64,{_thumbnail(card.photo)}">
<table><thead><tr><th scope="col">class</th><th></th><th scope="col">probability</th></tr></thead>
<tbody>
{rows}</tbody></table>
</div>
{_looked(card.looked, folder) if card.looked else ""}</article>
"""


def _looked(looked: Looked, folder: Path) -> str:
    note = f"<p>{escape(looked.note)}</p>\n" if looked.note else ""
    return note + (figure(looked.figure, folder) if looked.figure else "")


def _thumbnail(photo) -> str:
    """A small JPEG of the photograph, in base 64."""
    image, buffer = photo.copy(), io.BytesIO()
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    image.save(buffer, "JPEG", quality=88)
    return base64.b64encode(buffer.getvalue()).decode()
