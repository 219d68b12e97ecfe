"""`experiments.style.show`: below a notebook's cell, never wider than its page; nowhere else."""

import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from experiments.style import new_figure, show
from minigrad import draw


@pytest.fixture
def shown(monkeypatch):
    """What a notebook displays: a list of pairs (data, metadata)."""
    found = []
    display = SimpleNamespace(
        display=lambda data, metadata, raw: found.append((data, metadata)))
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(
        get_ipython=lambda: shell, version_info=(9, 0, 0)))  # matplotlib asks for the latter
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return found


def png_size(data):
    return Image.open(io.BytesIO(data["image/png"])).size


def figure(width, height):
    made = new_figure(width, height)
    made.subplots().plot([1, 2])
    return made


def svg(width, height):
    return f'<svg viewBox="0 0 9 3" width="{width}" height="{height}"><rect width="9"/></svg>'


def gif(width, height):
    file = io.BytesIO()
    frames = [Image.new("L", (width, height), grey) for grey in (0, 255)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize("asked, size", [(None, (600, 300)), (200, (200, 100)), (999, (750, 375))])
def test_a_figure_has_100_pixels_an_inch_and_at_most_the_page(shown, asked, size):
    show(figure(6, 3), asked)
    assert png_size(shown[0][0]) == size


def test_figures_and_images_wider_than_the_page_are_narrowed(shown):
    show(figure(10, 4))
    show(Image.new("RGB", (1500, 400)))
    assert [png_size(data) for data, _ in shown] == [(750, 300), (750, 200)]


def test_a_small_image_is_enlarged_in_squares(shown):
    show(Image.fromarray(np.array([[0, 255]], np.uint8)), 8)
    pixels = np.asarray(Image.open(io.BytesIO(shown[0][0]["image/png"])))
    assert (pixels == [[0] * 4 + [255] * 4] * 4).all()


@pytest.mark.parametrize("text, width, height", [
    (svg("300", "100"), 300, 100), (svg("1500px", "500px"), 750, 250),
    (svg("225pt", "75.0pt"), 300, 100)])
def test_svg_is_resized_by_its_first_tag_alone(shown, text, width, height):
    show(text)
    assert shown[0][0]["image/svg+xml"] == svg(width, height)


def test_a_drawn_graph_can_be_shown(shown):
    with draw.record() as graph:
        mg.exp(mg.Tensor(np.ones(3)))
    show(graph.svg(gradients=False), 400)
    assert re.search(r"<svg[^>]* width=\"400\"", shown[0][0]["image/svg+xml"])


@pytest.mark.parametrize("wide, width", [(300, 300), (1500, 750)])
def test_the_bytes_of_a_moving_picture_stay_as_they_are(shown, wide, width):
    show(gif(wide, 30))
    data, metadata = shown[0]
    assert data["image/gif"] == gif(wide, 30) and metadata == {"image/gif": {"width": width}}


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["script", "terminal"])
def test_elsewhere_nothing_is_shown_or_printed(shown, monkeypatch, capsys, shell):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    for picture in (figure(4, 3), Image.new("L", (9, 9)), gif(9, 9), svg("9", "3")):
        assert show(picture) is None
    assert not shown and capsys.readouterr() == ("", "")


def test_without_ipython_nothing_is_shown(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    show(figure(4, 3))
    assert "IPython" not in sys.modules and capsys.readouterr() == ("", "")


def test_what_is_no_picture_is_refused():
    with pytest.raises(TypeError, match="^show: list is no picture: give a matplotlib Figure"):
        show([1, 2])
    for text in ("hello", '<svg width="9" height="3">', '<svg viewBox="0 0 9 3" width="9">'):
        with pytest.raises(ValueError, match="^show: the text is no SVG picture"):
            show(text)
