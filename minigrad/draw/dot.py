"""A Picture in Graphviz's DOT language (https://graphviz.org/doc/info/lang.html)."""

from minigrad.draw.picture import Arrow, Box, Picture
from minigrad.figures import PALETTE

SHAPES = {"parameter": "box, style=rounded", "constant": 'box, style="rounded,dashed"',
          "op": "box", "folded": "box3d", "loss": "box, penwidth=2"}


def render(picture: Picture) -> str:
    """The DOT text; what is highlighted is bold."""
    lines = [f"digraph {_quote(picture.title)} {{",
             f"  label={_quote(picture.caption or picture.title)}; labelloc=t; rankdir=LR;",
             '  node [fontname="monospace"]; edge [fontname="monospace"];']
    for i, box in enumerate(picture.boxes):
        head = "  ".join(text for text in (box.name, box.symbol) if text)
        text = _quote("\n".join([head] * bool(head) + [text for _, text in box.lines]))
        lines.append(f"  n{i} [label={text}, shape={SHAPES[box.kind]}{_mark(box)}];")
    for arrow in picture.arrows:
        lines.append(f"  n{arrow.source} -> n{arrow.target} [label={_quote(arrow.label)}"
                     f"{_mark(arrow)}];")
    return "\n".join([*lines, "}\n"])


def _mark(item: Box | Arrow) -> str:
    return f', color="{PALETTE["orange"]}", penwidth=3' * item.marked


def _quote(text: str) -> str:
    """A quoted string: quotes and backslashes escaped, line breaks as \\n, no control codes."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(c if c.isprintable() else "\ufffd" for c in text) + '"'
