"""Pictures of computations: the numbers on them, the files, and bad input."""

import math
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, draw, nn
from minigrad.draw import svg
from tests.places import ROOT
from tests.tools.draw_examples import SVG, leaf, question3, two_layer_net


def numbers_of(picture):
    """{name: (value, gradient or None)} as floats, and {(source, target): local derivative}."""
    def read(text):
        return float(text.split()[-1].replace("−", "-"))
    boxes = {}
    for box in picture.boxes:
        lines = dict(box.lines)
        gradient = read(lines["gradient"]) if "gradient" in lines else None
        boxes[box.name] = read(lines["value"]), gradient
    names = [box.name for box in picture.boxes]
    return boxes, {(names[a.source], names[a.target]): read(a.label)
                   for a in picture.arrows if a.label}


# ---- the numbers ----

def test_question_3_by_hand():
    graph, names = question3()
    values, slopes = numbers_of(graph.picture(names=names, digits=17))

    def s(z):
        return 1 / (1 + math.exp(-z))

    a1, a2 = s(0.6 * -1.3 + 1.1 * 0.55), s(1.74 * 0.8 + 0.79 * 0.7)
    yhat = s(-0.13 * a1 + 0.93 * a2)
    by_hand = {("e", "L"): 2 * (1 - yhat), ("yhat", "e"): -1, ("z3", "yhat"): yhat * (1 - yhat),
               ("f5", "z3"): 1, ("f6", "z3"): 1, ("w6", "f6"): a2, ("a2", "f6"): 0.93,
               ("w5", "f5"): a1, ("a1", "f5"): -0.13, ("z2", "a2"): a2 * (1 - a2),
               ("z1", "a1"): a1 * (1 - a1), ("f3", "z2"): 1, ("f4", "z2"): 1, ("f1", "z1"): 1,
               ("f2", "z1"): 1, ("w1", "f1"): -1.3, ("w2", "f2"): 0.55, ("w3", "f3"): 0.8,
               ("w4", "f4"): 0.7}
    assert slopes == pytest.approx(by_hand, rel=1e-14)
    gradients = {"L": 1.0}
    for (source, target), slope in by_hand.items():  # listed from the loss back: the chain rule
        gradients[source] = gradients[target] * slope
    assert {n: g for n, (_, g) in values.items() if g is not None} == pytest.approx(gradients)
    assert gradients["w3"] == pytest.approx(-0.011333757848161504, rel=1e-12)
    assert {n: v for n, (v, _) in values.items()} == pytest.approx(
        {name: x.item() for name, x in names.items()}, rel=1e-15)
    assert [n for n, (_, g) in values.items() if g is None] == ["x1", "x2", "x3", "x4", "y"]


def test_highlight_marks_the_chain_and_writes_it_out():
    graph, names = question3()
    for w3 in ("w3", names["w3"]):
        picture = graph.picture(names=names, highlight=w3)
        assert [b.name for b in picture.boxes if b.marked] == [
            "w3", "f3", "z2", "a2", "f6", "z3", "yhat", "e", "L"]
        assert sum(a.marked for a in picture.arrows) == 8
        assert picture.caption == ("∂L/∂w3 = 0.6398 × (−1) × 0.2176 × 1 × 0.93 × 0.1094 × 1 × 0.8"
                                   " = −0.01133")


def test_a_value_used_twice_has_two_arrows_and_two_paths():
    x = leaf(3.0)
    with draw.record() as graph:
        x * x
    picture = graph.picture(names={"x": x}, highlight=x)
    assert [a.label for a in picture.arrows] == ["3", "3"]
    assert picture.caption == "∂L/∂x = 6, the sum over 2 paths"


def test_numbers_stand_in_the_op_and_arrays_in_constants():
    x = leaf(2.0)
    with draw.record() as graph:
        (1 - x) * 3 / np.array(4.0)
    picture = graph.picture(names={"x": x})
    assert [(b.kind, b.symbol) for b in picture.boxes] == [
        ("parameter", ""), ("op", "1 −"), ("op", "× 3"), ("constant", ""), ("loss", "÷")]


def test_drawing_leaves_graph_and_gradients_alone():
    graph, names = question3()
    before = graph.svg(names=names)
    assert all(x.grad is None for x in names.values())
    names["L"].backward(retain_graph=True)
    assert graph.svg(names=names) == before
    assert names["w3"].grad.item() == pytest.approx(-0.0113337578, rel=1e-8)


def test_shapes_norms_and_jacobian_sizes_in_a_two_layer_net():
    graph, names = two_layer_net()
    picture = graph.picture(names=names)
    boxes = {b.name or b.symbol: b for b in picture.boxes}
    assert ("value", "(8, 4) float32") in boxes["Tanh"].lines
    w = names["net"][0].weight
    norm = np.linalg.norm(mg.grad(names["loss"], w, retain_graph=True)[0].numpy())
    assert ("gradient", f"‖grad‖ {norm:.4g}") in boxes["net.0.weight"].lines
    assert {b.kind for b in picture.boxes if b.name in ("x", "net.2.bias")} == {
        "constant", "parameter"}
    tanh = next(i for i, b in enumerate(picture.boxes) if b.symbol == "Tanh")
    assert [a.label for a in picture.arrows if a.target == tanh] == ["32×32"]


def test_results_without_a_gradient_are_drawn_too():
    net = nn.Linear(3, 2)
    with mg.no_grad(), draw.record() as graph:
        mg.relu(net(Tensor(np.ones((1, 3), np.float32))))
    picture = graph.picture()
    assert [b.symbol for b in picture.boxes if b.kind == "op"] == ["Linear", "ReLU"]
    assert not any(kind == "gradient" for b in picture.boxes for kind, _ in b.lines)


def test_forward_picture_has_no_derivatives():
    graph, names = question3()
    picture = graph.picture(names=names, gradients=False, highlight="w3")
    assert not any(a.label for a in picture.arrows) and picture.caption == ""
    assert all(kind == "value" for b in picture.boxes for kind, _ in b.lines)


def test_a_recorded_backward_pass_is_connected_to_the_forward_one():
    x = leaf(0.5)
    with draw.record() as graph:
        y = mg.sin(x * 2)
        (g,) = mg.grad(y, x, create_graph=True)
        g * g
    assert graph.picture(names={"x": x}, highlight=x).caption.endswith("paths")
    (second,) = mg.grad(g * g, x, retain_graph=True)
    box = next(b for b in graph.picture(names={"x": x}, digits=17).boxes if b.name == "x")
    assert float(dict(box.lines)["gradient"][5:].replace("−", "-")) == pytest.approx(second.item())


# ---- without a recording ----

def test_graph_of_a_result_has_the_same_structure_and_numbers():
    recorded, names = question3()
    recorded, behind = recorded.picture(names=names), draw.graph(names["L"]).picture(names=names)
    assert {b.name: (b.kind, b.symbol, b.lines) for b in behind.boxes} == {
        b.name: (b.kind, b.symbol, b.lines) for b in recorded.boxes if b.name != "y"}
    assert len(behind.arrows) == len(recorded.arrows) - 1  # y - yhat needs no y for its gradient


def test_graph_of_a_result_shows_only_values_that_are_still_known():
    x = leaf(2.0)
    y = x * 3 + 1
    boxes = draw.graph(mg.exp(y)).picture().boxes
    assert [(b.symbol, dict(b.lines).get("value")) for b in boxes] == [
        ("", "2"), ("× 3", None), ("+", None), ("Exp", "1097")]
    scale = leaf(5.0, False)
    z = x * scale
    assert [b.lines for b in draw.graph(z).picture().boxes if b.kind == "constant"] == [
        [("value", "5")]]
    scale.copy_(7.0)
    with pytest.raises(RuntimeError, match="modified in place"):
        draw.graph(z).picture()
    assert not any(b.kind == "constant" for b in draw.graph(z).picture(gradients=False).boxes)


def test_a_loss_whose_value_only_its_tensor_knows():
    x = leaf(2.0)
    y = x * 3 + 1
    picture = draw.graph(mg.exp(y)).picture(names={"x": x}, loss=y)
    assert [(b.name, b.kind) for b in picture.boxes] == [
        ("x", "parameter"), ("", "op"), ("L", "loss"), ("", "op")]
    assert dict(picture.boxes[0].lines)["gradient"] == "grad 3"


def test_which_names_count():
    x, w = leaf(2.0), leaf(3.0)
    with draw.record() as graph:
        x * w
    names = {"_": w, "x": x, "again": x, "other": leaf(1.0), "text": "no Tensor"}
    assert [b.name for b in graph.picture(names=names).boxes] == ["x", "", "L"]


def test_a_freed_graph_can_be_drawn_without_gradients():
    graph, names = question3()
    names["L"].backward()
    for freed in (graph, draw.graph(names["L"])):
        with pytest.raises(RuntimeError, match="freed.*gradients=False"):
            freed.svg()
        assert sum(b.kind != "constant" for b in freed.picture(gradients=False).boxes) == 20


# ---- the files ----

def test_svg_is_self_contained_and_described():
    graph, names = question3()
    text = graph.svg(names=names, title="Question 3")
    root = ElementTree.fromstring(text)
    assert [root[0].tag, root[0].text] == [f"{SVG}title", "Question 3"]
    assert root[1].tag == f"{SVG}desc" and "25 nodes" in root[1].text and "0.1023" in root[1].text
    assert not re.search(r"href|<style|<script|url\(|\bid=", text)
    details = [g.find(f"{SVG}title").text for g in root.iter(f"{SVG}g") if "box" in g.get("class")]
    assert any(d.startswith("a2 = Sigmoid\ny = 1 / (1 + e^-x)") for d in details)
    assert graph._repr_svg_() == graph.svg(width=750)  # a notebook's page


def test_texts_have_contrast():
    """WCAG 2.1, success criterion 1.4.3: at least 4.5 to 1."""
    def luminance(colour):
        channels = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])
    on = {fill: [svg.INK, *svg.COLOURS.values()] for fill, _, _ in svg.KINDS.values()}
    on[svg.PAPER] = [svg.INK, svg.SOFT, *svg.COLOURS.values()]
    for kind in ("op", "folded", "loss"):  # the outline's colour is that of the op's name
        on[svg.KINDS[kind][0]].append(svg.KINDS[kind][1])
    for background, colours in on.items():
        for colour in colours:
            assert (luminance(background) + 0.05) / (luminance(colour) + 0.05) >= 4.5


HOSTILE = ['<&">', "it's", "a\\", 'q" -> n0 [', "tab\there", "bell\a", "line\nbreak", "重み", "🐕",
           "]]>"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(name):
    x = leaf(1.0)
    with draw.record() as graph:
        mg.exp(x)
    options = dict(names={name: x}, title=name, highlight=name)
    shown = [t.text for t in ElementTree.fromstring(graph.svg(**options)).iter(f"{SVG}text")]
    printable = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in name)
    assert printable in shown
    nodes, edges = parse_dot(graph.dot(**options))
    assert len(nodes) == 2 and len(edges) == 1
    assert nodes["n0"].split("\n1\n")[0] == "".join(
        c if c.isprintable() or c == "\n" else "\ufffd" for c in name)


def parse_dot(text):
    """({node: label}, [(source, target, label)]) of DOT text in which nothing else is allowed."""
    string = r'"((?:[^"\\]|\\.)*)"'
    assert re.match(rf"digraph {string} {{\n", text) and text.endswith("\n}\n")
    nodes, edges = {}, []
    for line in text.split("\n")[1:-2]:
        rest = re.sub(string, "S", line)
        label = re.search(rf"label={string}", line)
        label = label and re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label[1])
        if node := re.fullmatch(r"  (n\d+) \[label=S, shape=\w+(, \w+=\w+)*\];", rest):
            nodes[node[1]] = label
        elif edge := re.fullmatch(r"  (n\d+) -> (n\d+) \[label=S(, \w+=\w+)*\];", rest):
            edges.append((edge[1], edge[2], label))
        else:
            assert re.match(r"  (label|node|edge)\b", rest), rest
    return nodes, edges


def test_dot_has_every_node_and_edge():
    graph, names = question3()
    nodes, edges = parse_dot(graph.dot(names=names, highlight="w3"))
    assert len(nodes) == 25 and len(edges) == 24
    assert "yhat  Sigmoid\n0.6801\ngrad −0.6398" in nodes.values()
    ids = {label.split()[0]: n for n, label in nodes.items()}
    assert (ids["z3"], ids["yhat"], "0.2176") in edges


def test_save(tmp_path):
    graph, names = question3()
    graph.save(tmp_path / "q3.svg", names=names)
    graph.save(str(tmp_path / "q3.dot"), names=names)
    assert (tmp_path / "q3.svg").read_text(encoding="utf-8") == graph.svg(names=names)
    assert (tmp_path / "q3.dot").read_text(encoding="utf-8") == graph.dot(names=names)
    with pytest.raises(ValueError, match="must end in .svg or .dot"):
        graph.save(tmp_path / "q3.png")


def test_same_graph_same_bytes():
    code = ("import tests.tools.draw_examples as t; "
            "print(t.random_graph(2)[0].svg(), t.residual_net()[0].dot(collapse=True))")
    first, second = (subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}).stdout
        for seed in "12")
    assert first == second and first.startswith(b"<svg")


# ---- bad input ----

@pytest.mark.parametrize("error, message, options", [
    (TypeError, "names must be a dictionary", {"names": ["w"]}),
    (ValueError, "w9 is not in the graph; the names there are w1, ", {"highlight": "w9"}),
    (ValueError, r"a Tensor of shape \(\) is not in the graph", {"highlight": leaf(1.0)}),
    (ValueError, "loss must be a result in the graph", {"loss": leaf(1.0)}),
    (ValueError, "collapse must be True, False, None or a level", {"collapse": "modules"}),
    (ValueError, "collapse must be True, False, None or a level", {"collapse": -1})])
def test_wrong_options(error, message, options):
    graph, names = question3()
    with pytest.raises(error, match=f"draw: .*{message}"):
        graph.svg(**{"names": names, **options})


def test_highlight_needs_a_path():
    graph, names = question3()
    with pytest.raises(ValueError, match="z1 does not depend on w3"):
        graph.svg(names=names, loss=names["z1"], highlight="w3")
    with draw.record() as graph:
        leaf(np.ones(3)) * 2
    with pytest.raises(ValueError, match="highlight needs a result of one element"):
        graph.svg(highlight="w3")


def test_nothing_to_draw():
    with draw.record() as graph:
        pass
    with pytest.raises(ValueError, match="nothing was recorded"):
        graph.svg()
    with pytest.raises(ValueError, match="no graph.*record"):
        draw.graph(leaf(1.0))
