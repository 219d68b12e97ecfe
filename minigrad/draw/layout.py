"""Where the boxes go: a layered drawing after Sugiyama, Tagawa and Toda (1981).

Each box gets a rank, from left to right, then a place in the order of its rank, from top to bottom,
then a height. At last `minigrad.draw.rows` breaks a long picture into rows, like text. A line that
passes ranks bends in each of them; the lines of one source share their bends. There is no
recursion, and equal graphs give equal drawings.
"""

from bisect import bisect, insort
from collections.abc import Callable, Sequence

from minigrad.draw.rows import Drawing, Item, Layers, Link, break_into_rows

Edges = Sequence[tuple[int, int]]  # (source, target)
Sizes = Sequence[tuple[float, float]]  # (width, height)

BOX_GAP, BEND_GAP = 16, 9  # height around a box and around a passing line, in pixels
PORT_GAP = 4  # height between the labels of two lines at a box
STIFFNESS = 32  # how much more a passing line is kept straight than another
MOST_SWEEPS, SWEEPING = 100, 40_000  # over ranks; items visited, after which sweeping stops
MOST_BENDS = 100_000


def arrange(sizes: Sizes, edges: Edges, labels: Sizes, widest: float) -> Drawing:
    """The `minigrad.draw.rows.Drawing` of boxes, each listed after its inputs.

    sizes: (width, height) per box. edges: pairs (source, target). labels: per edge the (width,
    height) of a text that stands on the line, just before its target; (0, 0) for none. widest: how
    wide rows should be at most. Raises ValueError if the lines need too many bends.
    """
    items = [Item(rank, *size) for rank, size in zip(_ranks(len(sizes), edges), sizes)]
    boxes = items[:]
    routes = _routes(items, edges)
    layers = _order(items)
    _set_ports(boxes, routes, labels)
    _set_heights(layers)
    return break_into_rows(boxes, layers, routes, [width for width, _ in labels], widest)


def _ranks(n: int, edges: Edges) -> list[int]:
    """A rank per box, so that every edge ascends and most are short."""
    inputs: list[list[int]] = [[] for _ in range(n)]
    users: list[list[int]] = [[] for _ in range(n)]
    for source, target in edges:
        inputs[target].append(source)
        users[source].append(target)
    rank = [0] * n
    for i in reversed(range(n)):  # as late as possible: the longest path to an end
        rank[i] = min((rank[j] for j in users[i]), default=0) - 1
    for _ in range(2):  # then each towards where it has more edges
        for i in range(n):
            if inputs[i] and len(inputs[i]) >= len(users[i]):
                rank[i] = max(rank[j] for j in inputs[i]) + 1
        for i in reversed(range(n)):
            if len(users[i]) > len(inputs[i]):
                rank[i] = min(rank[j] for j in users[i]) - 1
    first = min(rank)
    return [r - first for r in rank]


def _routes(items: list[Item], edges: Edges) -> list[list[Link]]:
    """Link the items of every edge; returns the links that it follows. Appends bends to items."""
    bends: dict[int, list[Link]] = {}  # source -> links along its shared bends
    routes: list[list[Link]] = []
    count = 0
    for s, t in edges:
        source, target = items[s], items[t]
        passed = target.rank - source.rank - 1
        count += passed
        if count > MOST_BENDS:
            raise ValueError("draw: the lines of this graph are too long for a picture (more than "
                             f"{MOST_BENDS:,} bends): pass collapse=True, or draw a smaller part")
        shared = bends.setdefault(s, [])
        while len(shared) < passed:
            before = shared[-1].right if shared else source
            items.append(Item(before.rank + 1))
            shared.append(Link(before, items[-1]))
        last = shared[passed - 1].right if passed else source
        routes.append([*shared[:passed], Link(last, target)])
    return routes


def _order(items: list[Item]) -> Layers:
    """The items of each rank in an order with few crossings.

    Barycentre sweeps, from the order of a depth-first walk, which crosses nothing in a tree.
    """
    layers: Layers = [[] for _ in range(1 + max(item.rank for item in items))]
    stack = [item for item in reversed(items) if not item.right]
    seen: set[Item] = set()
    while stack:
        item = stack.pop()
        if item not in seen:
            seen.add(item)
            layers[item.rank].append(item)
            stack.extend(link.left for link in reversed(item.left))
    best, fewest = layers, _crossings(layers)
    for sweep in range(_sweeps(layers)):
        if not fewest:
            break
        layers = [layer[:] for layer in layers]
        if sweep % 2:
            for layer in reversed(layers[:-1]):
                _sort(layer, lambda item: [link.right.place for link in item.right])
        else:
            for layer in layers[1:]:
                _sort(layer, lambda item: [link.left.place for link in item.left])
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = layers, crossings
    _crossings(best)  # its places
    return best


def _sweeps(layers: Layers) -> int:
    """How often to go over the ranks: many times if there is little in them."""
    return min(MOST_SWEEPS, 2 + SWEEPING // sum(map(len, layers)))


def _sort(layer: list[Item], neighbours: Callable[[Item], list[int]]) -> None:
    """Sort by the mean place of the neighbours; items without any stay where they are."""
    free = [place for place, item in enumerate(layer) if neighbours(item)]
    items = sorted((layer[place] for place in free),
                   key=lambda item: sum(neighbours(item)) / len(neighbours(item)))
    for place, item in zip(free, items):
        layer[place] = item
    _number(layer)


def _number(layer: list[Item]) -> None:
    for place, item in enumerate(layer):
        item.place = place


def _crossings(layers: Layers) -> int:
    """How many pairs of links cross; also sets every item's place."""
    total = 0
    for layer in layers:
        _number(layer)
    for layer in layers:
        ends: list[int] = []  # places on the right of the links seen so far, sorted
        for item in layer:
            places = sorted(link.right.place for link in item.right)
            total += sum(len(ends) - bisect(ends, place) for place in places)
            for place in places:
                insort(ends, place)
    return total


def _set_ports(boxes: list[Item], routes: list[list[Link]], labels: Sizes) -> None:
    """Spread the ends of the lines over the side of each box, in the order in which they come."""
    label_of = {route[-1]: height for route, (_, height) in zip(routes, labels)}
    for box in boxes:
        links = sorted(box.left, key=lambda link: link.left.place)
        pitch = PORT_GAP + max((label_of[link] for link in links), default=0)
        for k, link in enumerate(links):
            link.port = (k - (len(links) - 1) / 2) * pitch
        box.height = max(box.height, len(links) * pitch + PORT_GAP)


def _set_heights(layers: Layers) -> None:
    """Centre every item among its neighbours as well as the gaps allow, by least squares.

    The sweeps go both ways in turn. The first ones look back only, which straightens long chains at
    once; the neighbours ahead gain weight from sweep to sweep.
    """
    for layer in layers:
        _fit(layer, [0.0] * len(layer), [1.0] * len(layer))
    number = _sweeps(layers)
    for sweep in range(number):
        rightwards, ahead = sweep % 2 == 1, (sweep + 1) / number
        for layer in layers if rightwards else reversed(layers):
            wishes, weights = [], []
            for item in layer:
                pull = total = 1e-6  # stay, if nothing pulls
                pull *= item.y
                for link in item.left + item.right:
                    is_right = link.left is item  # the neighbour, as seen from the item
                    other, port = (link.right, link.port) if is_right else (link.left, -link.port)
                    weight = ahead if is_right == rightwards else 1.0
                    weight *= 1 if item.is_box or other.is_box else STIFFNESS
                    pull += weight * (other.y + port)
                    total += weight
                wishes.append(pull / total)
                weights.append(total)
            _fit(layer, wishes, weights)


def _fit(layer: list[Item], wishes: list[float], weights: list[float]) -> None:
    """Put items closest to their wishes (weighted squares) without touching or changing order.

    Isotonic regression by pooling adjacent violators (Barlow et al., 1972): after subtracting the
    least distances, places must not descend; neighbours that would are given their common mean.
    """
    offsets, pools = [0.0], []  # pools: [weighted sum, weight, number of items]
    for above, below in zip(layer, layer[1:]):
        gap = BOX_GAP if above.is_box and below.is_box else BEND_GAP
        offsets.append(offsets[-1] + (above.height + below.height) / 2 + gap)
    for wish, weight, offset in zip(wishes, weights, offsets):
        pools.append([weight * (wish - offset), weight, 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last)]
    items = iter(zip(layer, offsets))
    for total, weight, number in pools:
        for _ in range(int(number)):
            item, offset = next(items)
            item.y = total / weight + offset
