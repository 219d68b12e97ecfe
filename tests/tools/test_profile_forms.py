"""What a profile looks like: text, Markdown, JSON; and the questions that it refuses."""

import json
import re

import pytest

from experiments.cli import main
from minigrad import nn
from minigrad.kernels.conv import plans
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


WIDE = ["layer", "kind", "output", "trainable", "fixed", "FLOPs", "kept bytes"]


@pytest.mark.parametrize("width, left_out", [
    (None, []), (58, []), (57, ["fixed"]), (50, ["fixed", "kept bytes"]),
    (38, ["fixed", "kept bytes", "kind"]), (30, ["fixed", "kept bytes", "kind", "output"]),
    (22, ["fixed", "kept bytes", "kind", "output", "trainable"])])
def test_a_narrow_screen_gets_fewer_columns(table, width, left_out):
    lines = table.text(width=width).splitlines()
    assert max(map(len, lines)) <= (width or 999)
    assert re.split("  +", lines[0]) == [name for name in WIDE if name not in left_out]
    assert {"2,400", "2,600"} < set(" ".join(lines).split())
    note = " ".join(" ".join(lines).partition("Left out, as")[2].split())
    assert note == (f"the screen is narrow: {', '.join(left_out)}." if left_out else "")


def test_names_that_are_too_long_lose_their_beginning():
    class Block(nn.Module):
        def __init__(self, inner):
            self.a_block_of_its_own = inner

        def forward(self, x):
            return self.a_block_of_its_own(x)

    model = Block(Block(nn.Linear(3, 2)))
    lines = profile(model, (1, 3)).text(width=24).splitlines()
    assert lines[2].split() == ["..lock_of_its_own", "12"] and len(lines[2]) == 24


def test_summary_asks_the_terminal(monkeypatch, capsys):
    for columns, shown in (("40", WIDE[:1] + ["FLOPs"]), ("200", WIDE)):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["summary", "lenet5"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert set(re.split("  +", lines[0])) >= set(shown)
        assert max(map(len, lines)) <= int(columns)


def test_markdown_has_the_same_cells(table):
    header, rule, *body = table.markdown("macs").splitlines()
    assert header == "| layer | kind | output | trainable | fixed | MACs | kept bytes |"
    assert rule.count("--:") == 4 and rule.count("|") == header.count("|")
    assert body[0] == "| 0 | Linear | 1x40 | 1,240 | 0 | 1,200 | 120 |"
    assert len(body) == 4


def test_the_plan_of_each_convolution_is_named(monkeypatch):
    net = nn.Sequential(nn.Conv2d(48, 48, 3, padding=1, groups=48), nn.ReLU(),
                        nn.Conv2d(48, 48, 3, padding=1))
    for kernel, last in (("Haswell", "winograd"), ("SkylakeX", "winograd_views")):
        monkeypatch.setattr(plans, "machine", lambda kernel=kernel: kernel)
        table = profile(net, (4, 48, 16, 16))
        assert [layer.plan for layer in table.layers] == ["depthwise", "", last]
        lines = table.text().splitlines()
        assert lines[0].split()[-1] == "plan" and lines[2].endswith("  depthwise")
        assert lines[4].endswith(f"  {last}") and "plan" not in table.text(width=70).splitlines()[0]
        assert table.markdown().splitlines()[1].endswith("| --: | :-- |")
        assert table.to_dict()["layers"][2]["plan"] == last


def test_the_dict_is_json_and_has_both_units(table):
    document = json.loads(json.dumps(table.to_dict()))
    assert document["input"] == [1, 30]
    assert document["layers"][0] == {
        "name": "0", "kind": "Linear", "output": [1, 40], "trainable": 1240, "fixed": 0,
        "flops": 2400, "multiply": 1200, "add": 1200, "compare": 0, "other": 0, "macs": 1200,
        "kept": 120, "plan": ""}
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
