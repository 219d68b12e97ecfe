"""`index.html`: one self-contained page of a run's rows, with its figures in it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from experiments.benchmarks.report.figures import drawings, network_of
from experiments.benchmarks.report.record import rows_of
from experiments.benchmarks.report.tables import contenders, tables
from experiments.report.page import captioned, command, figure, origin, skeleton
from experiments.results import save_figure, write

PAGE = "index.html"
_LONG = 20      # rows of a table that is folded away
_STYLE = """
table { font-size: .8rem; }
td, th { padding-right: 1.2rem; }
@media (min-width: 75rem) {
  body { max-width: 90rem; grid-template-columns: 14rem minmax(0, 1fr); }
}
"""


def write_page(document: dict[str, Any], folder: Path) -> None:
    """Draw the figures and write the page. Raises UserError where it cannot be written."""
    names = list(document["benchmarks"])
    contents = "".join(f'<li><a href="#{name}">{name}</a></li>\n' for name in names)
    stopped = "" if document["complete"] else (
        '<p class="alarm">This run was stopped; the page shows what was measured before.</p>\n')
    sections = "".join(_section(document, name, folder) for name in names)
    write(folder / PAGE, skeleton("minigrad: benchmarks", f"""<header>
<p class="kicker">minigrad</p>
<h1>Benchmarks</h1>
{stopped}<p class="lead">Contenders take turns in every round. Each cell has the median and, in
brackets, the quartiles; behind the semicolon the ratio to the last contender, taken within each
round.</p>
{_origin(document)}
</header>
<nav aria-label="Contents">
<h2>Contents</h2>
<ol>
{contents}</ol>
</nav>
<main>
{sections}</main>
""", _STYLE))


def _origin(document: dict[str, Any]) -> str:
    about = document["machine"]
    cpu = (f"{about['processor']}, {about['cores']} cores, {about['threads']} threads; "
           f"{about['platform']}")
    return origin({
        "Date": escape(document["date"].replace("T", " ").replace("+00:00", " UTC")),
        "Machine": escape(cpu),
        "BLAS kernel": escape(f"{about['BLAS kernel']}, OPENBLAS_CORETYPE "
                              f"{about['OpenBLAS core type']}"),
        "Versions": escape(", ".join(f"{k} {v}" for k, v in document["versions"].items())),
        "To repeat": command(document["command"])})


def _section(document: dict[str, Any], name: str, folder: Path) -> str:
    benchmark, rows = document["benchmarks"][name], rows_of(document, name)
    took = "" if benchmark["seconds"] is None else f" Took {benchmark['seconds']:.0f} s."
    figures = "".join(
        figure({"caption": caption, "files": save_figure(draw, stem, folder)}, folder)
        for stem, (draw, caption) in drawings(name, rows).items())
    parts = []
    for header, cells in tables(rows, network_of if name == "conv" else contenders):
        caption = f"{cells[0][0]}{'' if len(cells) == 1 else f', and {len(cells) - 1} more'}"
        shown = captioned({"caption": caption, "header": header, "rows": cells})
        parts.append(shown if len(cells) <= _LONG else
                     f"<details><summary>{escape(caption)}</summary>\n{shown}</details>\n")
    return f"""<section id="{name}" aria-labelledby="{name}-title">
<h2 id="{name}-title">{name}</h2>
<p>{escape(benchmark["what"])}.{took}</p>
{figures}{"".join(parts) or "<p>Nothing was measured.</p>"}
</section>
"""
