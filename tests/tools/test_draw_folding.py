"""Pictures of large computations: boxes for modules and chains, and the limits."""

import time

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, draw, nn
from tests.tools.draw_examples import Block, leaf, mlp, residual_net, two_layer_net


def test_modules_fold_into_boxes_with_their_parameters():
    graph, names = two_layer_net()
    picture = graph.picture(names=names, collapse=True)
    assert [(b.kind, b.name, b.symbol) for b in picture.boxes] == [
        ("constant", "x", ""), ("folded", "", "net.0: Linear"), ("folded", "", "net.1: Tanh"),
        ("folded", "", "net.2: Linear"), ("loss", "loss", "CrossEntropy")]
    assert [b.lines[0] for b in picture.boxes[1:4]] == [
        ("note", "16 parameters"), ("value", "(8, 4) float32"), ("note", "10 parameters")]
    assert [(a.source, a.target) for a in picture.arrows] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    full = graph.picture(names=names)
    gradient = [b.lines[-1] for b in full.boxes if b.symbol == "Linear"]
    assert [b.lines[-1] for b in picture.boxes if "Linear" in b.symbol] == gradient


def test_large_graphs_fold_by_themselves_and_small_ones_do_not():
    graph, names = mlp(20)
    picture = graph.picture(names=names)
    assert [b.symbol for b in picture.boxes[1:41]] == [
        f"net.{i}: {'ReLU' if i % 2 else 'Linear'}" for i in range(40)]
    assert sum("272 parameters" in str(b.lines) for b in picture.boxes) == 20
    assert len(graph.picture(names=names, collapse=False).boxes) == 83
    graph, names = two_layer_net()
    assert not any(b.kind == "folded" for b in graph.picture(names=names).boxes)


def test_levels_of_modules():
    graph, names = residual_net()
    level = [[b.symbol for b in graph.picture(names=names, collapse=c).boxes] for c in (0, 1, 2)]
    loss = "CrossEntropy"
    assert level[0] == ["", "net: Sequential", loss]
    assert level[1] == ["", "net.0: Linear", "net.1: Block", "net.2: Block", "net.3: Linear", loss]
    inside = [["a: Linear", "ReLU", "b: Linear", "+", "ReLU"]] * 2
    assert [s.split(".")[-1] for s in level[2]] == [
        "", "0: Linear", *inside[0], *inside[1], "3: Linear", loss]
    assert level[2] == [b.symbol for b in graph.picture(names=names, collapse=True).boxes]
    total = sum(p.numel() for p in names["net"].parameters())
    whole = graph.picture(names=names, collapse=0).boxes[1]
    assert ("note", f"{total} parameters") in whole.lines


def test_deep_nets_fold_as_far_as_it_takes_to_be_readable():
    net = nn.Sequential(*(Block(4) for _ in range(20)))
    with draw.record() as graph:
        mg.sum(net(Tensor(np.ones((1, 4), np.float32))))
    symbols = [b.symbol for b in graph.picture().boxes]
    assert symbols == ["", *(f"{i}: Block" for i in range(20)), "Sum"]


def test_a_highlighted_parameter_inside_a_box_marks_the_path_from_the_box():
    graph, names = residual_net()
    picture = graph.picture(names=names, collapse=1, highlight="net.2.a.weight")
    assert [b.symbol for b in picture.boxes if b.marked][0] == "net.2: Block"
    assert picture.caption.startswith("‖∂L/∂net.2.a.weight‖ = ")


def test_frozen_and_constant_branches_keep_their_boxes():
    frozen, head = Block(3).requires_grad_(False), nn.Linear(3, 1)
    with draw.record() as graph:
        mg.mean(head(frozen(Tensor(np.ones((2, 3), np.float32)))))
    symbols = [b.symbol for b in graph.picture(collapse=True).boxes]
    assert symbols == ["", "a: Linear", "ReLU", "b: Linear", "+", "ReLU", "Linear", "Sum", "÷ 2"]


def test_a_chain_of_10_000_ops_is_one_box():
    x = leaf(0.5)
    with draw.record() as graph:
        y = x
        for _ in range(5000):
            y = mg.sin(y) * 1.001
    for big in (graph, draw.graph(y)):
        picture = big.picture(names={"x": x})
        assert [b.symbol for b in picture.boxes] == ["", "Sin … × 1.001"]
        assert ("note", "10,000 ops") in picture.boxes[1].lines
        with pytest.raises(ValueError, match="10,001 boxes.*at most 6,000.*collapse=True"):
            big.svg(collapse=False)


def test_chains_end_where_a_value_branches_or_has_a_name():
    x = leaf(0.5)
    with draw.record() as graph:
        h = mg.sin(mg.sin(mg.sin(x)))
        k = mg.cos(mg.cos(mg.cos(h)))
        mg.exp(mg.exp(mg.exp(k))) + h
    symbols = [b.symbol for b in graph.picture(names={"x": x}, collapse=True).boxes]
    assert symbols == ["", "Sin Sin Sin", "Cos … Exp", "+"]
    names = {"x": x, "k": k}
    boxes = graph.picture(names=names, collapse=True).boxes
    assert [(b.name, b.symbol) for b in boxes[2:]] == [
        ("k", "Cos Cos Cos"), ("", "Exp Exp Exp"), ("L", "+")]


def test_a_chain_swallows_the_nameless_constants_that_it_meets():
    x, w, c = leaf(0.5), leaf(2.0), leaf(3.0, False)
    with draw.record() as graph:
        mg.exp(mg.sin(mg.cos(x)) * w * (c + 1))
    boxes = graph.picture(names={"x": x}, collapse=True).boxes
    assert [b.symbol for b in boxes] == ["", "Cos … Exp"]
    assert boxes[1].lines[:2] == [("note", "5 ops"), ("note", "1 parameter")]
    boxes = graph.picture(names={"x": x, "w": w}, collapse=True).boxes
    assert [b.name for b in boxes] == ["x", "w", "L"]


def test_lines_too_long_to_draw_are_refused():
    x, w = leaf(0.5), leaf(1.0)
    with draw.record() as graph:
        y = x
        for _ in range(1000):
            y = y * w
    assert len(graph.picture().boxes) == 3
    with pytest.raises(ValueError, match="100,000 bends.*collapse=True"):
        graph.svg(collapse=False)


def test_5_000_boxes_in_seconds():
    values = [leaf(float(i)) for i in range(2500)]
    with draw.record() as graph:
        while len(values) > 1:
            odd = values[len(values) // 2 * 2:]
            values = [a + b for a, b in zip(values[::2], values[1::2])] + odd
    start = time.process_time()
    text = graph.svg(collapse=False)
    assert time.process_time() - start < 3
    assert text.count('class="box') == 4999
