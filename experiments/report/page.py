"""`report.html`: one self-contained page made from a run's JSON document and figures.

The page loads nothing: the style sheet (`report.css`) stands in it, and figures are `data:` images.
Inside an image an SVG keeps its ids and styles to itself, so any number of them can share the page.
A figure that holds a photograph is shown as PNG, any other as SVG. Animations are left out where
the reader wants no motion, and in print.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections import Counter
from collections.abc import Mapping
from html import escape
from pathlib import Path

from experiments.claims import NOT_JUDGED
from experiments.report.terminal import MARKS, brief
from experiments.results import PNG_DPI

_LARGEST_SVG = 400_000
_SLUGS = dict(zip(MARKS, ("holds", "corrected", "wrong", "open", "apart")))


def render(document: dict, folder: Path) -> str:
    """The page, in HTML; `folder` is where the document's figure files lie."""
    claims = {q["question"]: [c for c in document["claims"] if c["question"] == q["question"]]
              for q in document["questions"]}
    contents = "".join(
        f'<li><a href="#{escape(q["question"])}"><span class="number">{escape(q["question"])}'
        f'</span> {escape(q["title"])}</a>{_tally(claims[q["question"]])}</li>\n'
        for q in document["questions"])
    questions = "".join(_question(q, claims[q["question"]], folder)
                        for q in document["questions"])
    return skeleton("minigrad: the written answers, verified", f"""<header>
<p class="kicker">minigrad experiments</p>
<h1>What was written, what was measured</h1>
{_outcome(document)}
{_origin(document)}
</header>
<nav aria-label="Contents">
<h2>Contents</h2>
<ol>
{contents}</ol>
</nav>
<main>
{questions}</main>
""")


def skeleton(title: str, body: str, style: str = "") -> str:
    """A page that stands alone: the style sheet, and more `style`, are in it."""
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{css}{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def _outcome(document: dict) -> str:
    """The verdicts counted, and whether the run ended and came out as documented."""
    claims = document["claims"]
    outcome = ("Every verdict is the documented one." if document["as_documented"] else
               f"{sum(not c['as_documented'] for c in claims)} came out differently from what is "
               "documented.")
    stopped = "" if document["complete"] else (
        f'<p class="alarm">This run was stopped with {len(document["questions"])} of '
        f'{len(document["requested"])} questions finished.</p>\n')
    kind = "lead" if document["as_documented"] else "alarm"
    counts = Counter(c["verdict"] for c in claims)
    unjudged = counts[NOT_JUDGED]
    totals = "".join(f"<li>{_badge(v, f'{counts[v]} {v}')}</li>" for v in MARKS if counts[v])
    return (f'{stopped}<p class="{kind}">{len(claims) - unjudged} claims, each judged by its own '
            f'checks{f"; {unjudged} more, which nothing here can judge" if unjudged else ""}. '
            f'{outcome}</p>\n<ul class="totals">{totals}</ul>')


def _origin(document: dict) -> str:
    """When, with what and how the run was made."""
    versions = document["versions"]
    return origin({
        "Date": escape(document["date"].replace("T", " ").replace("+00:00", " UTC")),
        "Versions": escape(f"Python {versions['python']}, NumPy {versions['numpy']}"),
        "Platform": escape(versions["platform"]),
        "Seed": escape(str(document["seed"])),
        "To repeat": command(document["command"])})


def origin(rows: Mapping[str, str]) -> str:
    """The list at the head of a page, of names and what is in HTML already."""
    return '<dl class="origin">' + "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows.items()) + "</dl>"


def command(line: str) -> str:
    """A command that can be copied; an option stays on one line with its value if that fits."""
    parts = []
    for word in map(shlex.quote, shlex.split(line)):
        value = parts and parts[-1][-1].startswith("-") and not word.startswith("-")
        if value or word == "-m":
            parts[-1].append(word)
        else:
            parts.append([word])
    return "<code>" + " ".join(
        '<span class="part">' + " ".join(
            f'<span class="whole">{word}</span>' if word.startswith("-") else word
            for word in map(escape, part)) + "</span>" for part in parts) + "</code>"


def _question(question: dict, claims: list[dict], folder: Path) -> str:
    name = escape(question["question"])
    story = "".join(f"<p>{escape(p)}</p>\n" for p in question["story"])
    tables = "".join(captioned(t) for t in question["tables"])
    figures = "".join(figure(f, folder) for f in question["figures"] if f["files"])
    numbers = {k: v for k, v in question["numbers"].items() if not isinstance(v, (dict, list))}
    rows = [(escape(key), _code(value)) for key, value in numbers.items()]
    more = f"""<details class="numbers"><summary>Further numbers</summary>
{_table("Further numbers", ("name", "value"), rows)}</details>
""" if rows else ""
    return f"""<section id="{name}" aria-labelledby="{name}-title">
<h2 id="{name}-title"><span class="number">{name}</span> {escape(question["title"])}</h2>
<div class="story">
{story}</div>
{tables}{figures}<h3>Claims</h3>
{"".join(map(_claim, claims))}{more}</section>
"""


def captioned(table: dict) -> str:
    """A table of the answer; intervals, 0.1 to 0.2, stay on one line."""
    rows = [tuple(escape(cell).replace(" to ", "&nbsp;to&nbsp;") for cell in row)
            for row in table["rows"]]
    caption = escape(table["caption"])
    return f"""<figure class="table">
{_table(table["caption"], tuple(map(escape, table["header"])), rows)}
<figcaption>{caption}</figcaption>
</figure>
"""


def figure(record: dict, folder: Path) -> str:
    """A figure of a run, with its caption; its files lie in `folder`."""
    pictures = {Path(name).suffix: (folder / name).read_bytes() for name in record["files"]}
    svg, png = pictures.get(".svg"), pictures.get(".png")
    if svg is None:
        (suffix, data), size = *pictures.items(), ""
        kind = {".gif": "gif", ".jpg": "jpeg"}[suffix]
    elif png is not None and (b"<image" in svg or len(svg) > _LARGEST_SVG):
        width = int.from_bytes(png[16:20], "big") * 96 // PNG_DPI    # of the IHDR chunk, in CSS px
        kind, data, size = "png", png, f' width="{width}"'
    else:
        kind, data, size = "svg+xml", svg, ""
    caption = escape(record["caption"])
    film = ' class="film"' if kind == "gif" else ""
    return f"""<figure{film}>
<div class="picture" tabindex="0" role="group" aria-label="Figure, scrolls sideways if narrow">
<img alt="{caption}"{size} src="data:image/{kind};base64,{base64.b64encode(data).decode()}"></div>
<figcaption>{caption}</figcaption>
</figure>
"""


def _claim(claim: dict) -> str:
    name = escape(claim["id"])
    alarm = "" if claim["as_documented"] else (
        f'<p class="alarm">Came out differently: documented as {escape(claim["documented"])}.</p>')
    parts = "".join(f"<dt>{label}</dt><dd>{escape(claim[label.lower()])}</dd>\n"
                    for label in ("Written", "Measured", "Why"))
    routes = _table(f"Routes of {claim['id']}", ("route", "value"), [
        (escape(route), _code(value)) for route, value in claim["routes"].items()])
    failed = sum(not c["passed"] for c in claim["checks"])
    checks = _table(f"Checks of {claim['id']}", ("check", "measured", "", "bound", ""), [
        (f'<span class="role">{c["role"]}:</span> {escape(c["name"])}',
         _code(_number(c, "value")), _code(c["relation"]), _code(_number(c, "bound")),
         "✓&nbsp;true" if c["passed"] else "✗&nbsp;false")
        for c in claim["checks"]])
    count = f"{len(claim['checks'])} check{'s' * (len(claim['checks']) != 1)}"
    return f"""<article class="claim {_SLUGS[claim["verdict"]]}" id="claim-{name}">
<header><h4>{name}</h4>{_badge(claim["verdict"])}</header>
{alarm}<dl>
{parts}</dl>
{routes if claim["routes"] else ""}<details><summary>{count}, {failed or "none"} false</summary>
{checks}</details>
</article>
"""


def _number(check: dict, side: str) -> object:
    """Equalities show every digit, other comparisons six."""
    return check[side] if check["relation"] in ("==", "!=") else brief(check[side])


def _table(label: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of cells that are HTML already, in a box that scrolls sideways on a narrow page."""
    head = "".join(f'<th scope="col">{name}</th>' for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">
<table><thead><tr>{head}</tr></thead><tbody>
{body}</tbody></table></div>
"""


def _tally(claims: list[dict]) -> str:
    counts = Counter(c["verdict"] for c in claims)
    return '<span class="tally">' + " ".join(
        f'<span class="badge {_SLUGS[v]}" title="{counts[v]} {v}">{MARKS[v]} {counts[v]}'
        f'<span class="unseen"> {v}</span></span>' for v in MARKS if counts[v]) + "</span>"


def _badge(verdict: str, text: str | None = None) -> str:
    return f'<span class="badge {_SLUGS[verdict]}">{MARKS[verdict]} {text or verdict}</span>'


def _code(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    whole = "" if " " in text else ' class="whole"'
    return f"<code{whole}>{escape(text)}</code>"
