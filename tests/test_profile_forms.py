"""What a profile looks like: text, Markdown, JSON; and the questions that it refuses."""

import json

import pytest

from minigrad import nn
from minigrad.profile import profile


@pytest.fixture
def table():
    return profile(nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 2)), (1, 30))


def test_text_has_a_line_per_layer_and_the_total(table):
    lines = str(table).splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "trainable", "fixed", "FLOPs", "kept",
                                "bytes"]
    assert [line.split() for line in lines[2:5]] == [
        ["0", "Linear", "1x40", "1,240", "0", "2,400", "120"],
        ["1", "ReLU", "1x40", "0", "0", "40", "160"],
        ["2", "Linear", "1x2", "82", "0", "160", "0"]]
    assert lines[-1].split() == ["total", "1,322", "0", "2,600", "280"]
    assert len({len(line) for line in lines}) == 1
    assert table.text("macs").splitlines()[-1].split() == ["total", "1,322", "0", "1,280", "280"]


def test_markdown_has_the_same_cells(table):
    header, rule, *body = table.markdown("macs").splitlines()
    assert header == "| layer | kind | output | trainable | fixed | MACs | kept bytes |"
    assert rule.count("--:") == 4 and rule.count("|") == header.count("|")
    assert body[0] == "| 0 | Linear | 1x40 | 1,240 | 0 | 1,200 | 120 |"
    assert len(body) == 4


def test_the_dict_is_json_and_has_both_units(table):
    document = json.loads(json.dumps(table.to_dict()))
    assert document["input"] == [1, 30]
    assert document["layers"][0] == {
        "name": "0", "kind": "Linear", "output": [1, 40], "trainable": 1240, "fixed": 0,
        "flops": 2400, "multiply": 1200, "add": 1200, "compare": 0, "other": 0, "macs": 1200,
        "kept": 120}
    assert document["total"]["flops"] == sum(row["flops"] for row in document["layers"])


@pytest.mark.parametrize("shape", [(), (0, 3), (1.0, 3), 3, (-1, 3)])
def test_a_bad_shape_is_refused(shape):
    with pytest.raises(ValueError, match="shape must be a tuple of positive integers"):
        profile(nn.Linear(3, 2), shape)


def test_a_function_is_no_model():
    with pytest.raises(TypeError, match="must be a Module, got function"):
        profile(lambda x: x, (1, 3))


def test_an_unknown_unit_is_refused(table):
    for form in (table.text, table.markdown):
        with pytest.raises(ValueError, match="flops, macs, got 'gflops'"):
            form("gflops")
