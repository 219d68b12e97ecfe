"""Where pictures of computations have their boxes, lines and texts."""

import math
import re
from itertools import combinations
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.draw import svg
from minigrad.draw.picture import Arrow, Box, Picture
from tests.tools.draw_examples import SVG, mlp, question3, random_graph, residual_net, two_layer_net


def parse(text):
    """What an SVG shows: canvas size, boxes, arrows with sampled lines and labels, and texts."""
    root = ElementTree.fromstring(text)
    found = SimpleNamespace(size=tuple(map(float, root.get("viewBox").split()[2:])), boxes=[],
                            arrows=[], labels=[], texts=[])
    for group in root.iter(f"{SVG}g"):
        rects = [tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
                 for r in group.iter(f"{SVG}rect")]
        texts = [extent(t) for t in group.iter(f"{SVG}text")]
        if "box" in group.get("class").split():
            found.boxes.append(rects[-1])
            assert all(inside(t, rects[-1]) for t in texts), ElementTree.tostring(group)
        elif "arrow" in group.get("class").split():
            found.arrows.append(sample(group.find(f"{SVG}path").get("d")))
            found.labels.append(rects[0] if rects else None)
    found.texts = [extent(t) for t in root.iter(f"{SVG}text")]
    return found


def extent(text):
    """The rectangle of a text in a font of 0.6 em per character, the usual one for monospace."""
    size = float(text.get("font-size", 13))
    width = 0.6 * size * len(text.text)
    x = float(text.get("x")) - {"middle": 0.5, "end": 1}.get(text.get("text-anchor"), 0) * width
    return x, float(text.get("y")) - 0.8 * size, width, size


def inside(a, b, slack=0.11):  # coordinates are printed with one decimal
    return (a[0] >= b[0] - slack and a[0] + a[2] <= b[0] + b[2] + slack
            and a[1] >= b[1] - slack and a[1] + a[3] <= b[1] + b[3] + slack)


def overlap(a, b, slack=0.11):
    return (a[0] < b[0] + b[2] - slack and b[0] < a[0] + a[2] - slack
            and a[1] < b[1] + b[3] - slack and b[1] < a[1] + a[3] - slack)


def sample(d):
    """Points along a path of M, L, C and Q pieces."""
    points = []
    for command, body in re.findall(r"([MLCQ])([^MLCQ]*)", d):
        ends = [np.array(p.split(","), float) for p in body.split()]
        control = [points[-1], *ends] if points else ends
        t = np.linspace(0, 1, 1 if command == "M" else 20)[:, None]
        n = len(control) - 1
        points += list(sum(math.comb(n, k) * t**k * (1 - t) ** (n - k) * p
                           for k, p in enumerate(control)))
    return np.array(points)


def check_geometry(text, n_boxes, n_arrows):
    found = parse(text)
    canvas = (0, 0, *found.size)
    assert (len(found.boxes), len(found.arrows)) == (n_boxes, n_arrows)
    assert all(inside(r, canvas) for r in [*found.boxes, *found.texts])
    assert not any(overlap(a, b) for a, b in combinations(found.boxes, 2))
    labels = [r for r in found.labels if r]
    assert not any(overlap(a, b) for a, b in combinations(labels, 2))
    assert not any(overlap(a, b) for a in labels for b in found.boxes)
    for points, own in zip(found.arrows, found.labels):
        assert (points >= 0).all() and (points <= found.size).all()
        for x, y, w, h in [*found.boxes, *(r for r in labels if r is not own)]:
            within = (points > (x + 0.2, y + 0.2)) & (points < (x + w - 0.2, y + h - 0.2))
            assert not within.all(axis=1).any(), "a line runs through a box or another's label"
    return found


@pytest.mark.parametrize("make, options", [
    (question3, {"highlight": "w3"}), (two_layer_net, {}), (two_layer_net, {"collapse": True}),
    (residual_net, {"collapse": False}), (residual_net, {"collapse": 1}), (lambda: mlp(20), {}),
    (lambda: random_graph(0), {"highlight": "first"}), (lambda: random_graph(1), {"digits": 12})])
def test_nothing_overlaps_and_all_is_there(make, options):
    graph, names = make()
    picture = graph.picture(names=names, **options)
    found = check_geometry(svg.render(picture), len(picture.boxes), len(picture.arrows))
    arrows = sorted(picture.arrows, key=lambda a: a.marked)  # the order in the file
    for arrow, points in zip(arrows, found.arrows):
        x, y, w, h = found.boxes[arrow.source]
        assert points[0] == pytest.approx((x + w, y + h / 2), abs=0.2)
        x, y, w, h = found.boxes[arrow.target]
        assert points[-1][0] == pytest.approx(x, abs=9) and y < points[-1][1] < y + h


@st.composite
def pictures(draw_):
    n = draw_(st.integers(1, 25))
    words = st.text("abcWM", min_size=1, max_size=40)
    boxes = [Box(draw_(st.sampled_from(list(svg.KINDS))), draw_(words), "",
                 [("value", "0.5")] * draw_(st.integers(0, 3)), []) for _ in range(n)]
    arrows = [Arrow(draw_(st.integers(0, target - 1)), target, draw_(st.sampled_from(["", "−0.5"])))
              for target in range(1, n) for _ in range(draw_(st.integers(0, 3)))]
    return Picture(draw_(words), boxes, arrows, caption=draw_(words))


@settings(max_examples=60)
@given(pictures())
def test_nothing_overlaps_in_random_pictures(picture):
    check_geometry(svg.render(picture), len(picture.boxes), len(picture.arrows))


def test_question_3_is_drawn_without_crossings_from_left_to_right():
    graph, names = question3()
    found = parse(graph.svg(names=names))
    ys = {}
    for points in found.arrows:  # between two columns, order at the start is order at the end
        ys.setdefault(points[0][0], []).append((points[0][1], points[-1][1]))
    assert all(np.all(np.diff([end for _, end in sorted(pairs)]) > 0) for pairs in ys.values())
    assert max(x + w for x, _, w, _ in found.boxes) < 1800 and len(ys) == 8
    top = dict(zip((b.name for b in graph.picture(names=names).boxes), (b[1] for b in found.boxes)))
    assert top["w1"] < top["x1"] < top["w2"] < top["x2"] < top["w3"]  # as in the formulas


def test_lines_from_one_column_do_not_cross_in_front_of_a_box():
    for seed in range(5):
        picture = random_graph(seed)[0].picture()
        into = {}
        for arrow, points in zip(picture.arrows, parse(svg.render(picture)).arrows):
            into.setdefault((arrow.target, points[0][0]), []).append((points[0][1], points[-1][1]))
        assert sum(len(pairs) == 2 for pairs in into.values()) > 10
        for pairs in into.values():
            assert np.all(np.diff([end for _, end in sorted(pairs)]) > 0)


@pytest.mark.parametrize("seed", range(3))
def test_lines_to_the_next_row_have_lanes_of_their_own(seed):
    picture = random_graph(seed)[0].picture()
    lanes = {}
    for arrow, d in zip(picture.arrows, re.findall(r'<path d="([^"]*)" fill="none"',
                                                   svg.render(picture))):
        corners = [tuple(map(float, c.split(","))) for c in re.findall(r"Q(\S+)", d)]
        for (right, _), (_, middle), (left, _), _ in zip(*[iter(corners)] * 4):
            lanes.setdefault(arrow.source, set()).add((right, middle, left))
    assert len(lanes) > 1 and all(len(own) == 1 for own in lanes.values())
    for a, b in combinations((lane for own in lanes.values() for lane in own), 2):
        if abs(a[1] - b[1]) < 100:  # between the same two rows
            assert min(np.abs(np.subtract(a, b))) > 5


def test_long_pictures_break_into_rows():
    found = parse(mlp(20)[0].svg())
    assert len({round(y + h / 2) for _, y, _, h in found.boxes}) == 5
    assert found.size[0] < 2000


@pytest.mark.parametrize("make", [question3, two_layer_net, residual_net, lambda: mlp(20)])
@pytest.mark.parametrize("width", [680, 750, 1000])
def test_a_picture_is_as_narrow_as_asked(make, width):
    graph, names = make()
    picture = graph.picture(names=names)
    found = check_geometry(graph.svg(width, names=names), len(picture.boxes), len(picture.arrows))
    assert found.size[0] <= width


def test_a_picture_that_cannot_be_so_narrow_is_as_narrow_as_it_can_be():
    graph, names = residual_net()
    widths = [parse(graph.svg(width, names=names)).size[0] for width in (300, 680, 1848)]
    assert 300 < widths[0] <= widths[1] < widths[2] / 2


def test_the_graph_of_question_3_fits_a_page_without_being_shrunk(tmp_path):
    graph, names = question3()
    assert parse(graph.svg(names=names)).size[0] > 1500
    assert parse(graph._repr_svg_()).size[0] <= 750
    graph.save(tmp_path / "graph.svg", width=750, names=names)
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == graph.svg(750, names=names)
