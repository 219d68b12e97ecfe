"""A Picture as SVG: one self-contained file on its own background, with a tooltip on every box.

It has no ids, style sheets or scripts, so any number of pictures can stand in one HTML page.
"""

from html import escape
from textwrap import wrap
from unicodedata import east_asian_width

from minigrad.draw.layout import arrange
from minigrad.draw.picture import Arrow, Box, Picture
from minigrad.draw.rows import Piece
from minigrad.figures import PALETTE

# Fill and outline of each kind of box, and what it means. The hues are those of Okabe and Ito
# (2008), which people with any colour vision tell apart; the outlines differ in form as well.
KINDS = {"parameter": ("#fff5dc", "#a86f00", "requires a gradient"),
         "constant": ("#f5f6f7", "#838c95", "constant"),
         "op": ("#eef6fc", PALETTE["blue"], "computed"),
         "folded": ("#e8f5f0", "#00795a", "module, or several ops"),
         "loss": ("#fbeef5", "#a4417b", "the loss")}
PAPER, FRAME, INK, SOFT = "#ffffff", "#d5dade", "#1b1f24", "#57606a"
LINE, MARK = "#7b8590", PALETTE["orange"]
COLOURS = {"value": INK, "gradient": "#ad4a00", "note": SOFT, "label": "#00598c"}
FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
TITLE, TEXT, LABEL = 17, 13, 11.5  # font sizes, in pixels as all lengths here
CELL = 0.62  # width of a character in em, as wide as any of these fonts has it
LEADING, PAD, MARGIN, NARROWEST = 18, 11, 24, 560
WIDEST = 1848  # picture, if nothing else is asked for
LONGEST_NAME = 28  # characters
HEAD, CORNER = 8, 6  # length of an arrow's head, radius of a line's corner


def render(picture: Picture, width: float = WIDEST) -> str:
    """The SVG text of a picture about `width` pixels wide at most (see `minigrad.draw.rows`)."""
    drawing = arrange([_size(box) for box in picture.boxes],
                      [(arrow.source, arrow.target) for arrow in picture.arrows],
                      [(_width(arrow.label, LABEL) + 8, LABEL + 3) if arrow.label else (0, 0)
                       for arrow in picture.arrows], width - 2 * MARGIN)
    width = max(drawing.width, min(NARROWEST, width - 2 * MARGIN))
    head, y = _paragraph(picture.title, MARGIN + TITLE, width, TITLE, INK, "bold")
    if picture.caption:
        caption, y = _paragraph(picture.caption, y + 4, width, TEXT, COLOURS["gradient"])
        head += caption
    x0, y0 = MARGIN + (width - drawing.width) / 2, y
    legend, y = _legend(picture, y0 + drawing.height + 2 * LEADING, width)
    arrows = [_arrow(arrow, [(kind, x0 + x, y0 + y) for kind, x, y in line], x0 + lx, y0 + ly)
              for arrow, line, (lx, ly) in zip(picture.arrows, drawing.lines, drawing.labels)]
    boxes = [_box(box, x0 + x, y0 + y, w, h)
             for box, (x, y, w, h) in zip(picture.boxes, drawing.boxes)]
    w, h = round(width + 2 * MARGIN), round(y + MARGIN)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        f'role="img" style="max-width:100%;height:auto" font-family="{FONT}" font-size="{TEXT}">',
        f"<title>{_xml(picture.title)}</title>",
        f"<desc>{_xml(picture.description)}</desc>",
        f'<rect x="0.5" y="0.5" width="{w - 1}" height="{h - 1}" rx="10" fill="{PAPER}" '
        f'stroke="{FRAME}"/>',
        *head,
        *sorted(arrows, key=lambda svg: svg.startswith('<g class="marked')),  # these on top
        *boxes, *legend, "</svg>\n"])


def _size(box: Box) -> tuple[float, float]:
    """Width and height that hold the text of a box."""
    rows = _rows(box)
    widest = max(sum(_width(text) for text, *_ in row) + _width("  ") * (len(row) - 1)
                 for row in rows)
    return widest + 2 * PAD, len(rows) * LEADING + PAD


def _rows(box: Box) -> list[list[tuple[str, str, str]]]:
    """The lines of text in a box, each of one or two (text, colour, weight)."""
    head = [(_short(box.name), INK, "bold")] if box.name else []
    head += [(_short(box.symbol), KINDS[box.kind][1], "normal")] if box.symbol else []
    rows = [head] if head else []
    return rows + [[(text, COLOURS[kind], "normal")] for kind, text in box.lines]


def _box(box: Box, x: float, y: float, width: float, height: float) -> str:
    rows = _rows(box)
    parts = [f'<g class="{"marked " * box.marked}box {box.kind}">',
             f'<title>{"&#10;".join(map(_xml, box.details))}</title>']
    if box.kind == "folded":  # a second sheet behind the first
        parts.append(_frame(box.kind, x + 4, y - 4, width, height, box.marked))
    parts.append(_frame(box.kind, x, y, width, height, box.marked))
    y += (height - len(rows) * LEADING) / 2 + TEXT
    for row in rows:
        for k, (text, colour, weight) in enumerate(row):
            at, anchor = (x + width - PAD, "end") if k else (x + PAD, "start")
            parts.append(_text(text, at, y, colour, weight=weight, anchor=anchor))
        y += LEADING
    return "".join([*parts, "</g>"])


def _frame(kind: str, x: float, y: float, width: float, height: float,
           marked: bool = False) -> str:
    fill, outline, _ = KINDS[kind]
    look = {"parameter": 'rx="14"', "constant": 'rx="14" stroke-dasharray="4 3"',
            "loss": 'rx="4" stroke-width="2.5"'}.get(kind, 'rx="4"')
    if marked:
        outline, look = MARK, f'{look.split()[0]} stroke-width="3"'
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{fill}" stroke="{outline}" {look}/>')


def _arrow(arrow: Arrow, line: list[Piece], x: float, y: float) -> str:
    """A line with its head, and at (x, y) its label."""
    colour, thick = (MARK, 2.6) if arrow.marked else (LINE, 1.3)
    tip_x, tip_y = line[-1][1:]
    wing = 3.5 + thick / 2
    parts = [f'<g class="{"marked " * arrow.marked}arrow">',
             f'<path d="{_path(line)}" fill="none" stroke="{colour}" stroke-width="{thick}"/>',
             f'<path d="M{tip_x:.1f},{tip_y:.1f}l-{HEAD},-{wing} v{2 * wing}z" fill="{colour}"/>']
    if arrow.label:
        width = _width(arrow.label, LABEL) + 6
        parts += [f'<rect x="{x - width / 2:.1f}" y="{y - LABEL / 2 - 1:.1f}" '
                  f'width="{width:.1f}" height="{LABEL + 2}" fill="{PAPER}"/>',
                  _text(arrow.label, x, y + LABEL * 0.36,
                        COLOURS["gradient" if arrow.marked else "label"], LABEL,
                        "bold" if arrow.marked else "normal", "middle")]
    return "".join([*parts, "</g>"])


def _path(line: list[Piece]) -> str:
    """The `d` of a path along the pieces that `minigrad.draw.rows` describes."""
    x0, y0 = line[0][1:]
    parts = [f"M{x0:.1f},{y0:.1f}"]
    for k, (kind, x, y) in enumerate(line[1:], 1):
        if k == len(line) - 1:
            x -= HEAD - 1
        if kind == "curve":
            xm = (x0 + x) / 2
            parts.append(f"C{xm:.1f},{y0:.1f} {xm:.1f},{y:.1f} {x:.1f},{y:.1f}")
        elif kind == "turn":  # a rounded corner between horizontal and vertical pieces
            before, after = _bend(x, y, x0, y0), _bend(x, y, *line[k + 1][1:])
            parts.append(f"L{before}Q{x:.1f},{y:.1f} {after}")
        else:
            parts.append(f"L{x:.1f},{y:.1f}")
        x0, y0 = x, y
    return "".join(parts)


def _bend(x: float, y: float, x1: float, y1: float) -> str:
    """The point on the way from (x, y) to (x1, y1) where the rounding of a corner ends."""
    far = abs(x1 - x) + abs(y1 - y)
    part = min(CORNER, far / 2) / far if far else 0
    return f"{x + (x1 - x) * part:.1f},{y + (y1 - y) * part:.1f}"


def _legend(picture: Picture, y: float, width: float) -> tuple[list[str], float]:
    """What the outlines, colours and numbers mean, in rows of at most `width`; and the next y."""
    kinds = {box.kind for box in picture.boxes}
    texts = {kind for box in picture.boxes for kind, _ in box.lines}
    entries = [(kind, meaning) for kind, (_, _, meaning) in KINDS.items() if kind in kinds]
    if "gradient" in texts:
        entries.append(("gradient", f"grad: derivative of {_short(picture.loss)} by the value"))
    if any(arrow.factor for arrow in picture.arrows):
        entries.append(("label", "on an arrow: derivative of its head by its tail"))
    if any(arrow.label and not arrow.factor for arrow in picture.arrows):
        entries.append(("label", "m×n on an arrow: size of that Jacobian"))
    parts: list[str] = []
    x: float = MARGIN
    for kind, meaning in entries:
        needs = 24 * (kind in KINDS) + _width(meaning, LABEL) + 22
        if x > MARGIN and x + needs > MARGIN + width:
            x, y = MARGIN, y + LEADING
        if kind in KINDS:
            parts.append(_frame(kind, x, y - 10, 18, 12))
            parts.append(_text(meaning, x + 24, y, SOFT, LABEL))
        else:
            parts.append(_text(meaning, x, y, COLOURS[kind], LABEL))
        x += needs
    return ['<g class="legend">', *parts, "</g>"], y


def _paragraph(text: str, y: float, width: float, size: float, colour: str,
               weight: str = "normal") -> tuple[list[str], float]:
    """Lines of text from baseline y on, broken to fit the width; and the next baseline."""
    widest = max((_width(c, size) for c in text), default=size)
    lines = wrap(text, int(width / widest))
    return ([_text(line, MARGIN, y + k * 1.4 * size, colour, size, weight)
             for k, line in enumerate(lines)], y + 1.4 * size * len(lines))


def _text(text: str, x: float, y: float, colour: str, size: float = TEXT, weight: str = "normal",
          anchor: str = "start") -> str:
    look = f' font-size="{size}"' * (size != TEXT)
    look += f' font-weight="{weight}"' * (weight != "normal")
    look += f' text-anchor="{anchor}"' * (anchor != "start")
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{look}>{_xml(text)}</text>'


def _width(text: str, size: float = TEXT) -> float:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text) * CELL * size


def _xml(text: str) -> str:
    """The text in characters that XML can hold, markup escaped."""
    return escape("".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text))


def _short(name: str) -> str:
    """A name cut in the middle, where long ones differ least."""
    return name if len(name) <= LONGEST_NAME else f"{name[:12]}…{name[-15:]}"
