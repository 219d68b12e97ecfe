"""`python -m experiments.benchmarks`: what it measures, keeps and shows, on tiny networks."""

import re
from functools import partial

import numpy as np
import pytest

from experiments.benchmarks import (__main__, conv, harness, inference, memory, ops, roofline,
                                    scaling, training)
from experiments.benchmarks.__main__ import main
from experiments.benchmarks.networks.cases import Case
from experiments.benchmarks.report import tables
from experiments.benchmarks.report.record import read, rows_of
from experiments.errors import UserError
from minigrad import nn
from minigrad.kernels.runtime.window import empty
from minigrad.models import resnet18, small_cnn
from tests.one_line import one_line
from tests.places import ROOT
from tests.strict_json import strict

NAMES = "training", "inference", "conv", "memory", "ops", "scaling", "roofline"
CASE = Case("tiny <CNN>", partial(small_cnn, size=8), (2, 3, 8, 8))
linux = pytest.mark.skipif("not __import__('sys').platform.startswith('linux')",
                           reason="memory is measured on Linux only")


@pytest.fixture
def tiny(monkeypatch):
    """Every benchmark measures next to nothing, without peers."""
    for module in (training, inference, memory):
        monkeypatch.setattr(module, "CASES", [CASE])
    monkeypatch.setattr(__main__, "PEERS", dict.fromkeys(__main__.BENCHMARKS, ()))
    monkeypatch.setattr(conv, "NETWORKS", [("tiny", partial(small_cnn, size=8), (2, 3, 8, 8))])
    monkeypatch.setattr(ops, "CHAIN", 8)
    monkeypatch.setattr(scaling, "SIZES", {"batch": (2, 4), "width": (1, 2)})
    monkeypatch.setattr(scaling.Size.__new__, "__defaults__", (2, 32, 1, 1))
    monkeypatch.setattr(roofline, "CASE", Case(
        "tiny ResNet", partial(resnet18, width=2), (2, 3, 32, 32)))
    monkeypatch.setattr(roofline, "GEMM", 16)
    monkeypatch.setattr(roofline, "COPY", 2**12)


@linux
def test_a_page_of_all(tiny, tmp_path, capsys):
    assert main([*NAMES, "--out", str(tmp_path / "new" / "page"), "--rounds", "2"]) == 0
    folder = tmp_path / "new" / "page"
    out, err = capsys.readouterr()
    document = strict((folder / "benchmarks.json").read_text())
    assert document["complete"] and tuple(document["benchmarks"]) == NAMES
    assert document["machine"]["BLAS kernel"] and document["machine"]["processor"]
    page = (folder / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(source.startswith(("#", "data:image/")) for source in sources)
    assert "http" not in page and "<script" not in page and "stopped" not in page
    for name in NAMES:
        rows = rows_of(document, name)
        assert rows and document["benchmarks"][name]["seconds"] >= 0
        assert f"benchmark {name}: took" in err
        for row in rows:
            assert row.workload in out and row.timings["minigrad" if name != "conv" else next(
                iter(row.timings))].median > 0
            assert row.workload.replace("&", "&amp;").replace("<", "&lt;").replace(
                ">", "&gt;").replace("'", "&#x27;").replace(" to ", "&nbsp;to&nbsp;") in page
    for name in ("scaling", "roofline"):
        assert (folder / "figures" / f"{name}.png").exists()
    assert main(["--table", str(folder / "benchmarks.json")]) == 0
    table = capsys.readouterr().out
    assert f"| {CASE}: training step | image |" in table and "all of: convolution" in table
    assert "small ResNet" not in table and document["machine"]["processor"] in table


def test_the_readme_has_the_tables_of_a_run():
    table = re.search("<!-- benchmarks -->\n(.*?)\n<!-- /benchmarks -->",
                      (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    assert tuple(re.findall(r"^\| (\w+): workload", table, re.MULTILINE)) == tables.IN_README
    last = table.splitlines()[-1]
    assert last.startswith("`python -m experiments.benchmarks ") and "--out results" in last


@linux
def test_memory_and_scaling_say_bytes(tiny, capsys):
    assert main(["memory", "scaling", "--rounds", "2", "--json"]) == 0
    document = strict(capsys.readouterr().out)
    row, = rows_of(document, "memory")
    assert row.quantity == "bytes" and row.timings["minigrad"].median > 10_000
    rows = rows_of(document, "scaling")
    assert [row.quantity for row in rows] == ["seconds"] * 4 + ["bytes"] * 4
    assert [f"{scaling.SLOPE}minigrad" in row.extra for row in rows] == [False, True] * 4
    assert "MB per step" in "\n".join(harness.report([row]))


def test_the_roofline_counts_every_layer(tiny):
    harness.set_rounds(2)
    try:
        rows = list(roofline.run({}))
    finally:
        harness.set_rounds(None)
    layers = [row for row in rows if roofline.INTENSITY in row.extra]
    kinds = [row for row in rows if roofline.LAYERS in row.extra]
    assert sum(row.extra[roofline.LAYERS] for row in kinds) == len(layers)
    assert sum(row.extra[roofline.OF_ALL] for row in kinds) == pytest.approx(1)
    assert sum(row.workload.endswith("convolution") for row in layers) == 20
    for row in layers:      # the ceiling is the same time, said as a share
        assert row.extra[roofline.SHARE] == pytest.approx(
            row.timings["at most"].median / row.timings["minigrad"].median)


def test_ctrl_c_keeps_what_was_measured(tiny, tmp_path, monkeypatch, capsys):
    def run(peers):
        yield harness.row_of("the first", "call", {"minigrad": [1.0, 2.0]})
        raise KeyboardInterrupt

    monkeypatch.setattr(ops, "run", run)
    assert main(["ops", "memory", "--out", str(tmp_path)]) == 130
    document = read(tmp_path / "benchmarks.json")
    assert not document["complete"] and [row.workload for row in rows_of(document, "ops")] == [
        "the first"]
    page = (tmp_path / "index.html").read_text()
    assert "This run was stopped" in page and "the first" in page
    assert f"stopped; what was measured is in {tmp_path}" in capsys.readouterr().err


def test_an_error_keeps_what_was_measured(tiny, tmp_path, monkeypatch):
    def run(peers):
        yield harness.row_of("the first", "call", {"minigrad": [1.0, 2.0]})
        raise RuntimeError("broken")

    monkeypatch.setattr(ops, "run", run)
    with pytest.raises(RuntimeError, match="broken"):
        main(["ops", "--out", str(tmp_path)])
    assert rows_of(read(tmp_path / "benchmarks.json"), "ops")
    assert "This run was stopped" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("argv, message", [
    (["trainin"], "did you mean training?"),
    ([], "name benchmarks to run"),
    (["ops", "--table", "x"], "name benchmarks to run"),
    (["ops", "--rounds", "1"], "at least 2"),
    (["ops", "--rounds", "many"], "'many' is no number"),
    (["gpu", "--smoke", "--rounds", "3"], "go with no other option"),
])
def test_mistakes_in_the_command(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("argv, message", [
    (["ops", "--out", "{}/file"], "it is a file"),
    (["ops", "--out", "{}/file/below"], "cannot write results to"),
    (["--table", "{}/none.json"], "No such file"),
    (["--table", "{}/file"], "is no benchmarks.json"),
    (["--table", "{}/other.json"], "is no benchmarks.json"),
])
def test_files_that_cannot_be_used(argv, message, tmp_path, capsys):
    (tmp_path / "file").write_text("text")
    (tmp_path / "other.json").write_text('{"benchmarks": {"ops": [3]}}')
    assert main([word.format(tmp_path) for word in argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


def test_an_unreadable_document_is_one_line(tmp_path):
    with one_line(UserError, "cannot read"):
        read(tmp_path)


def test_slopes_of_a_power():
    sizes = (8, 16, 32, 64)
    assert scaling.slope(sizes, [3 * n**1.7 for n in sizes]) == pytest.approx(1.7)
    rows = [harness.row_of(str(n), "step", {"minigrad": [n, n], "torch": [n**2, n**2]})
            for n in sizes]
    *before, last = scaling.with_slopes("batch", sizes, iter(rows))
    assert [row.extra for row in before] == [{"batch": n} for n in sizes[:-1]]
    assert last.extra == {"batch": 64, f"{scaling.SLOPE}minigrad": pytest.approx(1),
                          f"{scaling.SLOPE}torch": pytest.approx(2)}


def test_quartiles_lie_among_what_was_measured():
    assert harness.timing([1.0, 3.0]) == (2, 1.5, 2.5)
    row = harness.row_of("", "call", {"slow": [2.0, 8.0], "fast": [1.0, 2.0]})
    assert row.ratios["slow"] == (3, 2.5, 3.5) and row.ratios["fast"] == (1, 1, 1)


# --- memory --------------------------------------------------------------------------------------

SIZE = 2**26


@linux
def test_a_known_allocation_is_measured():
    peak = memory.in_fresh_process(memory.extra_peak, partial(np.ones, SIZE, np.uint8))
    assert abs(peak - SIZE) < 2**22


@linux
def test_memory_that_was_free_counts_again():
    assert abs(memory.in_fresh_process(_peak_of_small_blocks) - SIZE) < 2**23


def _small_blocks():
    return [bytearray(2**16) for _ in range(SIZE >> 16)]


def _peak_of_small_blocks():
    """Many small blocks, after as many were freed; the last one keeps the heap from shrinking."""
    blocks = _small_blocks()
    last = blocks[-1]
    del blocks
    peak = memory.extra_peak(_small_blocks)
    return peak + 0 * len(last)


@linux
def test_a_step_keeps_its_activations():
    """A larger batch takes more, by at least what the first convolution gives."""
    few, many = (memory.in_fresh_process(memory.step_peak, "minigrad", CASE._replace(
        build=partial(small_cnn, size=64), shape=(n, 3, 64, 64))) for n in (2, 34))
    assert many - few > 32 * 16 * 64 * 64 * 4


# --- the race of convolutions --------------------------------------------------------------------

LAYERS = conv.layers(nn.Sequential(
    nn.Conv2d(3, 8, 7, 2, padding=3), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 16, 1),
    nn.Conv2d(16, 16, 3, 2, padding=1, groups=4), nn.Conv2d(16, 16, 5, padding=2, groups=16),
    nn.Conv2d(16, 4, 1, 2), nn.Conv2d(4, 256, 3, 2, padding=1), nn.Conv2d(256, 256, 3, padding=1)),
    (2, 3, 32, 32))


def arrays(layer, rng):
    """x, w and gy."""
    sizes = layer.window.output_size(*layer.x_shape[2:])
    x, gy = (empty(shape, np.empty(0, np.float32))
             for shape in (layer.x_shape, (layer.x_shape[0], layer.w_shape[0], *sizes)))
    for array in (x, gy):
        array[...] = rng.standard_normal(array.shape)
    return x, rng.standard_normal(layer.w_shape, np.float32), gy


def test_equal_layers_are_raced_once():
    same = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)))
    assert list(map(str, conv.layers(same, (2, 3, 8, 8)))) == ["3 x 8 x 8 -> 3, 3 x 3"]
    assert str(LAYERS[3]) == "16 x 16 x 16 -> 16, 3 x 3, stride 2, 4 groups"


def test_every_plan_of_the_table_is_raced(rng):
    every = {conv.name_of(plan) for order in conv.plans.TABLE.values() for maps in order
             for plan, _ in maps}
    assert every == {name for layer in LAYERS for name in conv.contenders_of(
        "forward", layer, *arrays(layer, rng))[0]}


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("task", conv.plans.Order._fields)
def test_all_plans_compute_the_same(task, layer, rng):
    contenders, taken = conv.contenders_of(task, layer, *arrays(layer, rng))
    assert taken in contenders and "columns" in contenders
    results = {name: np.asarray(compute()) for name, compute in contenders.items()}
    reference = results[taken]
    for name, result in results.items():
        assert result.shape == reference.shape, name
        assert abs(result - reference).max() <= 1e-4 * abs(reference).max(), name
