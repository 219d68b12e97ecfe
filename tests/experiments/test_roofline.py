"""Arithmetic intensity by hand, roofs, and a picture in which nothing covers anything."""

import itertools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from experiments import roofline
from experiments.roofline import ROOFS, Roof, Work
from minigrad import models, nn
from tests.one_line import one_line


def test_layers_are_counted_as_by_hand():
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(),
                          nn.Linear(108, 7))
    convolution, relu, linear = roofline.layers(model, (2, 6, 6), batch=5)
    outputs = 5 * 3 * 36
    assert convolution == ("convolution", outputs * (18 + 18),
                           4 * (5 * 2 * 36 + outputs + 3 * 18 + 3))
    assert relu == ("ReLU, addition", outputs, 4 * 2 * outputs)
    assert linear == ("linear layer", 5 * 7 * 2 * 108, 4 * (outputs + 5 * 7 + 7 * 108 + 7))
    assert relu.intensity == 1 / 8


def test_an_op_without_a_kind_is_an_error():
    with one_line(NotImplementedError, "Tanh", "KINDS"):
        roofline.layers(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Tanh()), (1, 2, 2), batch=1)


def test_a_roof_rises_to_its_ridge():
    roof = Roof("GPU", "float32", peak=100e12, bandwidth=2e12)
    assert roof.ridge == 50
    assert roof.speed(np.array([1, 50, 200])).tolist() == [2e12, 100e12, 100e12]
    assert roof.seconds(Work("", flops=100e12, moved=1e12)) == 1
    assert roof.seconds(Work("", flops=100e12, moved=4e12)) == 2


def test_published_ridges():
    assert [round(roof.ridge, 1) for roof in ROOFS] == [147.6, 20.0, 76.5, 9.6]


def test_no_label_is_cut_off_or_covered():
    works = roofline.layers(models.lenet5(), (1, 32, 32), batch=8)
    routes = {"one thread per output": Work("convolution", 1, 4),
              "every array once": Work("convolution", 144, 1)}
    figure = roofline.draw({"LeNet-5, batch 256": works, "ResNet-18, batch 64": works}, routes)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = {(t.get_text(), box.bounds): box for t in figure.findobj(Text)
              if t.get_visible() and t.get_text()
              for box in [t.get_window_extent(canvas.get_renderer())]}
    for (one, a), (other, b) in itertools.combinations(labels.items(), 2):
        assert not a.overlaps(b), (one, other)
    paths = [line.get_transform().transform_path(line.get_path())
             for axes in figure.axes for line in axes.lines if len(line.get_xdata())]
    for (name, _), box in labels.items():
        assert not any(path.intersects_bbox(box, filled=False) for path in paths), name
    drawn = figure.get_tightbbox()  # in inches
    assert drawn.x0 >= 0 <= drawn.y0 and drawn.x1 <= 9.5 and drawn.y1 <= 7
