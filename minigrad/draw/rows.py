"""Coordinates for ranked boxes: one row from left to right, or several if one would be too long.

Within a row a line curves just after its source and runs straight to its target. A line to the next
row goes round the end of its own row, back between the two and round the start of the next, on a
lane that it shares with no other source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

ARROW = 12  # before a box, for an arrow's head; widths and heights in pixels
CURVE = 24, 64  # after a rank, for the curves: at least, at most
LANE = 12  # between lines that go to the next row
TRIES = 8  # numbers of rows, one more each time, until the rows are narrow enough

Piece = tuple[str, float, float]  # of a line: (kind, x, y)
Layers = list[list["Item"]]  # the items of each rank


class Item:
    """A box, or a bend of lines, in its rank."""

    def __init__(self, rank: int, width: float = 0.0, height: float = 0.0) -> None:
        self.rank, self.width, self.height = rank, width, height
        self.is_box = height > 0
        self.left: list[Link] = []
        self.right: list[Link] = []
        self.place = 0  # in the order of its rank
        self.y = 0.0  # the centre


class Link:
    """A line between items of neighbouring ranks."""

    def __init__(self, left: Item, right: Item) -> None:
        self.left, self.right = left, right
        self.port = 0.0  # where it ends: so far below the centre of the right item
        left.right.append(self)
        right.left.append(self)


@dataclass
class Drawing:
    """Where everything goes."""

    boxes: list[tuple[float, float, float, float]]  # (x, y, width, height), from the upper left
    lines: list[list[Piece]]  # per edge, its pieces being "start", "curve", "line" and "turn"
    labels: list[tuple[float, float]]  # per edge the centre (x, y) of its text
    width: float
    height: float


class _Column:
    """The boxes and bends of one rank, with room for labels before it and for curves behind."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.width = max(item.width for item in items)
        self.room = 0.0
        steepest = max((abs(link.left.y - link.right.y - link.port)
                        for item in items for link in item.right), default=0.0)
        self.curve = min(CURVE[0] + 0.15 * steepest, CURVE[1])
        self.exits = sorted((item for item in items if item.right), key=lambda item: item.y)
        self.row, self.x, self.shift = 0, 0.0, 0.0


def break_into_rows(boxes: list[Item], layers: Layers, routes: list[list[Link]],
                    labels: Sequence[float], widest: float) -> Drawing:
    """The Drawing, once ranks and heights are settled (see `minigrad.draw.layout.arrange`).

    boxes: the items that are boxes. layers: the items of each rank. routes: the links along each
    edge. labels: the width of the text on each edge. widest: how wide rows should be at most, in
    pixels; they are wider where boxes are, or so many lines that no row can be narrow.
    """
    columns = [_Column(layer) for layer in layers]
    for route, label in zip(routes, labels):
        column = columns[route[-1].right.rank]
        column.room = max(column.room, label + ARROW)
    total = sum(column.room + column.width + column.curve for column in columns)
    least = max(1, -int(-total // widest))
    drawings: list[Drawing] = []
    for number in range(least, least + TRIES):
        drawings.append(_draw(boxes, columns, _rows(columns, total, number), routes, labels))
        if drawings[-1].width <= widest:
            break
    return min(drawings, key=lambda drawing: drawing.width)


def _draw(boxes: list[Item], columns: list[_Column], rows: list[list[_Column]],
          routes: list[list[Link]], labels: Sequence[float]) -> Drawing:
    """The Drawing of columns that stand in these rows."""
    margin = LANE * max((1 + len(row[-1].exits) for row in rows[:-1]), default=0)
    # Per item at the end of a row: x after the row, y below it, x before the next.
    lanes: dict[Item, tuple[float, float, float]] = {}
    width = height = 0.0
    for row in rows:
        top = min(item.y - item.height / 2 for column in row for item in column.items)
        bottom = max(item.y + item.height / 2 for column in row for item in column.items)
        end: float = margin
        for column in row:
            column.x, column.shift = end + column.room, height - top
            end = column.x + column.width + column.curve
        end = row[-1].x + row[-1].width
        height += bottom - top
        if row is not rows[-1]:
            number = len(row[-1].exits)
            for k, item in enumerate(row[-1].exits):  # the first one is outermost
                lanes[item] = (end + (number - k) * LANE, height + (number - k) * LANE,
                               margin - (k + 1) * LANE)
            end += number * LANE
            height += (number + 2) * LANE
        width = max(width, end)

    def line(route: list[Link]) -> list[Piece]:
        """The pieces along some links."""
        source = route[0].left
        column = columns[source.rank]
        pieces: list[Piece] = [("start", column.x + column.width, source.y + column.shift)]
        for link in route:
            before, after = columns[link.left.rank], columns[link.right.rank]
            y = link.right.y + link.port + after.shift
            if before.row == after.row:
                pieces.append(("curve", before.x + before.width + before.curve, y))
            else:
                right, middle, left = lanes[link.left]
                pieces += [("turn", right, pieces[-1][2]), ("turn", right, middle),
                           ("turn", left, middle), ("turn", left, y)]
            pieces.append(("line", after.x + (0 if link.right.is_box else after.width), y))
        return pieces

    lines = [line(route) for route in routes]
    return Drawing(
        [(columns[b.rank].x, b.y - b.height / 2 + columns[b.rank].shift, columns[b.rank].width,
          b.height) for b in boxes],
        lines, [(pieces[-1][1] - ARROW - label / 2, pieces[-1][2])
                for pieces, label in zip(lines, labels)], width, height)


def _rows(columns: list[_Column], total: float, number: int) -> list[list[_Column]]:
    """The columns, `total` wide, in rows of about the same width, broken where few lines pass."""
    starts = [0.0]
    for column in columns:
        starts.append(starts[-1] + column.room + column.width + column.curve)
    breaks = [0]
    for k in range(1, number):
        ideal = total * k / number
        near = [i for i in range(breaks[-1] + 1, len(columns))
                if abs(starts[i] - ideal) < total / number / 4]
        if near:
            breaks.append(min(near, key=lambda i: (len(columns[i - 1].exits),
                                                   abs(starts[i] - ideal))))
    rows = [columns[a:b] for a, b in zip(breaks, [*breaks[1:], len(columns)])]
    for number, row in enumerate(rows):
        for column in row:
            column.row = number
    return rows
