"""A history as curves, as CSV and as a notebook's table; single epochs, NaN, several groups."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from PIL import Image

from minigrad.figures import PALETTE
from minigrad.train import History
from tests.one_line import one_line


def history(epochs=6, valid=True, lr=lambda i: 0.1):
    """Losses that fall; in validation, to epoch 4 only."""
    lines = History()
    for i in range(epochs):
        figures = {"loss": 2.0 - 0.1 * i, "accuracy": 0.1 * i, "each": [0.5, 0.25],
                   "matrix": [[1, 2], [3, i]]}
        watched = {"loss": 1.0 + (i - 3)**2, "accuracy": 0.05 * i, "each": [0.5, 0.25],
                   "matrix": [[1, 2], [3, i]]}
        lines.append({"epoch": i + 1, "lr": lr(i), "train": figures,
                      **({"valid": watched} if valid else {}), "seconds": 1.5})
    return lines


def drawn(figure):
    """{label of an axis: {text in the legend: its (x, y)}}; a text that is cut off is an error."""
    figure.draw_without_rendering()
    for ax in figure.axes:
        ticks = [tick.label1 for axis in (ax.xaxis, ax.yaxis) for tick in axis._update_ticks()]
        for text in (ax.xaxis.label, ax.yaxis.label, *ax.get_legend().get_texts(), *ticks):
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
            assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
    return {ax.get_ylabel(): {line.get_label(): line.get_xydata() for line in ax.lines
                              if not line.get_label().startswith("_")} for ax in figure.axes}


def test_loss_and_metrics_by_epoch_with_the_best_ones_marked():
    lines = history()
    figure = lines.plot()
    panels = drawn(figure)
    assert list(panels) == ["loss", "accuracy"]
    assert list(panels["loss"]) == ["in training, best 1.5 in epoch 6",
                                    "validation, best 1 in epoch 4"]
    assert np.array_equal(panels["loss"]["validation, best 1 in epoch 4"],
                          np.stack([range(1, 7), lines.column("valid.loss")], 1))
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [line.get_xydata().tolist() for line in rings] == [[[6, 1.5]], [[4, 1.0]]]
    assert {line.get_color() for line in figure.axes[0].lines} <= set(PALETTE.values())
    assert {line.get_linestyle() for line in figure.axes[0].lines if len(line.get_xdata()) > 1} == {
        "-", "--"}
    assert all(ax.get_xlabel() == "epoch" for ax in figure.axes)


def test_the_learning_rate_is_drawn_if_it_changes():
    assert "learning rate" not in drawn(history().plot())
    panels = drawn(history(lr=lambda i: 0.1 * i).plot())
    assert np.allclose(panels["learning rate"]["learning rate"][:, 1], 0.1 * np.arange(6))
    panels = drawn(history(lr=lambda i: [0.1 * i, 1.0]).plot())
    assert np.allclose(panels["learning rate"]["group 0"][:, 1], 0.1 * np.arange(6))
    assert np.allclose(panels["learning rate"]["group 1"][:, 1], 1.0)


def test_names_choose_the_panels():
    panels = drawn(history().plot(["valid.loss", "lr", "accuracy"]))
    assert {name: len(lines) for name, lines in panels.items()} == {
        "valid.loss": 1, "learning rate": 1, "accuracy": 2}
    with one_line(KeyError, "'los'", "train.loss"):
        history().plot(["los"])
    with one_line(KeyError, "'valid.loss'"):
        history(valid=False).plot(["valid.loss"])
    with one_line(ValueError, "'train.matrix' holds a list"):
        history().plot(["matrix"])
    with one_line(ValueError, "'seconds' is no figure"):
        history().plot(["seconds"])
    with one_line(TypeError, "['loss']"):
        history().plot("loss")
    with one_line(ValueError, "no epoch"):
        History().plot()


@pytest.mark.parametrize("epochs", [1, 2, 200])
def test_it_is_readable_however_long_it_is(epochs):
    figure = history(epochs).plot()
    drawn(figure)
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert 1 <= len(ticks) <= 12 and all(tick == int(tick) for tick in ticks)
    line = next(line for line in figure.axes[0].lines if line.get_markevery() is not None)
    assert len(line.get_markevery()) == (0 if epochs == 200 else epochs)


def test_what_is_not_finite_is_marked_and_never_the_best():
    lines = history(7, valid=False)
    for i, value in ((0, math.nan), (2, -math.inf), (6, math.inf)):
        lines[i]["train"]["loss"] = value
    ax = lines.plot(["loss"]).axes[0]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["in training, best 1.5 in epoch 6", "not finite in 3 epochs"]
    crosses = next(line for line in ax.lines if line.get_marker() == "x")
    assert crosses.get_xdata().tolist() == [1, 3, 7]
    for line in lines:
        line["train"]["loss"] = math.nan
    drawn(lines.plot(["loss"]))


def test_a_figure_is_an_image_for_a_notebook_without_pyplot():
    with Image.open(io.BytesIO(history().plot()._repr_png_())) as image:
        assert image.format == "PNG" and image.width > 500


# to_csv

def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_per_epoch_of_flat_columns(tmp_path):
    lines = history(3, lr=lambda i: [0.1, 0.01])
    lines[1]["train"]["loss"], lines[2]["valid"]["loss"] = math.nan, -math.inf
    del lines[2]["train"]["accuracy"]
    lines.to_csv(tmp_path / "h.csv")
    found = rows(tmp_path / "h.csv")
    assert list(found[0]) == ["epoch", "lr.0", "lr.1", *(
        f"{part}.{name}" for part in ("train", "valid")
        for name in ("loss", "accuracy", "each.0", "each.1", "matrix")), "seconds"]
    assert [row["epoch"] for row in found] == ["1", "2", "3"]
    assert [row["lr.1"] for row in found] == ["0.01"] * 3
    assert [row["train.loss"] for row in found] == ["2.0", "nan", "1.8"]
    assert [row["valid.loss"] for row in found] == ["10.0", "5.0", "-inf"]
    assert [row["train.accuracy"] for row in found] == ["0.0", "0.1", ""]
    assert [json.loads(row["valid.matrix"])[1] for row in found] == [[3, i] for i in range(3)]


def test_csv_of_no_epochs_and_of_a_name_with_a_comma(tmp_path):
    History().to_csv(tmp_path / "h.csv")
    assert rows(tmp_path / "h.csv") == []
    History([{"epoch": 1, "train": {'a,"b"': 0.5}}]).to_csv(tmp_path / "h.csv")
    assert rows(tmp_path / "h.csv") == [{"epoch": "1", 'train.a,"b"': "0.5"}]


def test_csv_replaces_the_file_or_says_why_not(tmp_path):
    history(9).to_csv(tmp_path / "h.csv")
    history(1).to_csv(tmp_path / "h.csv")
    assert len(rows(tmp_path / "h.csv")) == 1 and len(list(tmp_path.iterdir())) == 1
    with one_line(OSError, str(tmp_path / "no" / "h.csv")):
        history().to_csv(tmp_path / "no" / "h.csv")


# In a notebook

def table(lines):
    """(header, rows) of the HTML; the bold row's number."""
    text = lines._repr_html_()
    header = re.findall("<th>(.*?)</th>", text)
    found = [re.findall("<td.*?>(.*?)</td>", row) for row in re.findall("<tr.*?</tr>", text)[1:]]
    bold, = re.findall('<tr style="font-weight: bold"><td>(.*?)</td>', text) or [None]
    return header, found, bold


def test_a_table_of_the_figures_of_one_number_with_the_best_epoch_marked():
    header, found, bold = table(history(lr=lambda i: [0.1, 0.01]))
    assert header == ["epoch", "lr", "train.loss", "train.accuracy", "valid.loss",
                      "valid.accuracy", "seconds"]
    assert found[1] == ["2", "0.1, 0.01", "1.9", "0.1", "5", "0.05", "1.5"] and len(found) == 6
    assert bold == "4"
    assert table(history(valid=False))[2] == "6"
    assert History()._repr_html_() == "<p>History: no epoch yet</p>"


def test_a_long_table_is_shortened_around_the_best_epoch():
    lines = history(200)
    lines[80]["valid"]["loss"] = 0.5
    _, found, bold = table(lines)
    assert [row[0] for row in found] == [*map(str, range(1, 11)), "...", "81", "...",
                                         *map(str, range(191, 201))]
    assert bold == "81"


def test_names_are_escaped():
    text = History([{"epoch": 1, "train": {"<script>": 0.5}}])._repr_html_()
    assert "<script>" not in text and "train.&lt;script&gt;" in text
