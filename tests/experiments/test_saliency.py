"""Where a network looked: its gradient by the pixels and Grad-CAM, against known values."""

import numpy as np
import pytest

import minigrad as mg
from experiments.report import seen as pictures
from experiments.saliency import (Seen, as_seen, enlarged, grad_cam, last_maps, look,
                                  pixel_gradient)
from minigrad import nn
from minigrad.data import Compose, Normalize, Resize, ToArray
from minigrad.function import trace
from minigrad.models import MODELS, Preprocess, cifar_resnet20, lenet5, small_cnn

RNG = np.random.default_rng


class ByHand(nn.Module):
    """Maps A = relu(w x + b) of two filters of one pixel; scores v . mean(A)."""

    def __init__(self, weight, bias, scores):
        self.conv = nn.Conv2d(1, 2, 1)
        self.conv.weight.data[:] = np.reshape(weight, (2, 1, 1, 1))
        self.conv.bias.data[:] = bias
        self.head = nn.Linear(2, len(scores), bias=False)
        self.head.weight.data[:] = scores

    def forward(self, x):
        return self.head(mg.relu(self.conv(x)).mean((2, 3)))


def test_grad_cam_of_a_network_that_can_be_worked_out_by_hand():
    # A1 = x, A2 = relu(1 - x); S0 = 2 mean(A1) - 4 mean(A2) and S1 = 3 mean(A2)
    model = ByHand((1, -1), (0, 1), [[2, -4], [0, 3]])
    x = np.array([[[0.25, 0.5], [0.75, 2.0]]], np.float32)
    seen = look(model, x, 0)
    # dS0/dA1 = 2/4 and dS0/dA2 = -4/4 everywhere, so w = (1/2, -1) and L = relu(x/2 - relu(1 - x))
    np.testing.assert_allclose(seen.cam, [[0, 0], [0.125, 1]], atol=1e-7)
    # dS0/dx = 2/4 + 4/4 [x < 1]
    np.testing.assert_allclose(seen.gradient, [[1.5, 1.5], [1.5, 0.5]], atol=1e-7)
    other = look(model, x, 1)
    np.testing.assert_allclose(other.cam, [[0.75 ** 2, 0.375], [0.1875, 0]], atol=1e-7)
    np.testing.assert_allclose(other.gradient, [[0.75, 0.75], [0.75, 0]], atol=1e-7)
    # S0 = 2 * 0.875 - 4 * 0.375 = 0.25, S1 = 3 * 0.375 = 1.125
    assert look(model, x).label == 1


def test_what_speaks_against_the_class_is_cut_off():
    seen = look(ByHand((1, 1), (0, 0), [[-1, -2]]), np.ones((1, 3, 3), np.float32))
    assert not seen.cam.any() and (seen.gradient > 0).all()


def test_grad_cam_weighs_whole_maps():
    a, g = RNG(0).normal(size=(2, 5, 3, 4))
    expected = np.zeros((3, 4))
    for k in range(5):
        expected += g[k].mean() * a[k]
    np.testing.assert_allclose(grad_cam(a, g), expected.clip(0), rtol=1e-12)
    assert (expected < 0).any()


def test_pixel_gradient_is_the_largest_of_the_colours():
    g = np.array([[[1.0, -5.0]], [[-2.0, 3.0]], [[0.5, 0.0]]])
    assert pixel_gradient(g).tolist() == [[2.0, 5.0]]


def smooth_network(outputs=4):
    """A network without kinks, in double precision."""
    mg.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(),
                          nn.Conv2d(4, 5, 3, stride=2), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1),
                          nn.Flatten(), nn.Linear(5, outputs)).eval()
    for tensor in model.parameters():
        tensor.data = tensor.data.astype(np.float64)
    return model


def test_the_gradient_is_that_of_finite_differences():
    model, x, h = smooth_network(), RNG(1).normal(size=(3, 7, 6)), 1e-5
    seen = look(model, x, 2)
    expected = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = h
        with mg.no_grad():
            up, down = (model(mg.Tensor((x + s)[None])).data[0, 2] for s in (step, -step))
        expected[place] = (up - down) / (2 * h)
    np.testing.assert_allclose(seen.gradient, np.abs(expected).max(0), rtol=1e-6)


def test_the_maps_are_behind_activation_and_weighed_by_finite_differences():
    model, x, h = smooth_network(), RNG(2).normal(size=(3, 7, 6)), 1e-5
    seen = look(model, x, 1)
    front, back = nn.Sequential(*list(model)[:4]), nn.Sequential(*list(model)[4:])
    with mg.no_grad():
        maps = front(mg.Tensor(x[None])).data
        assert seen.cam.shape == maps.shape[2:] == (3, 2)
        weights = []
        for k in range(maps.shape[1]):          # one step of a whole map is the sum of its slopes
            step = np.zeros(maps.shape)
            step[0, k] = h
            up, down = (back(mg.Tensor(maps + s)).data[0, 1] for s in (step, -step))
            weights.append((up - down) / (2 * h) / maps[0, k].size)
    expected = np.maximum(np.tensordot(weights, maps[0], 1), 0)
    np.testing.assert_allclose(seen.cam, expected, rtol=1e-6, atol=1e-12)


def maps_of(model, x):
    with trace() as calls:
        model(mg.Tensor(x, requires_grad=True))
    return last_maps(calls)


@pytest.mark.parametrize("build, size, shape", [
    (lambda: cifar_resnet20(), 32, (1, 64, 8, 8)),
    (lambda: small_cnn(3, size=16), 16, (1, 8, 8, 8)),
    (lambda: MODELS["resnet18"](5, width=4), 64, (1, 32, 2, 2)),
    (lambda: MODELS["efficientnet_lite0"](5), 64, (1, 1280, 2, 2)),
    (lambda: MODELS["squeezenet1_1"](5), 64, (1, 5, 3, 3)),
    (lambda: MODELS["mobilenet_v3_small"](5), 64, (1, 576, 2, 2))])
def test_the_last_maps_of_the_models(build, size, shape):
    mg.manual_seed(0)
    x = RNG(0).normal(size=(1, 3, size, size)).astype(np.float32)
    maps = maps_of(build().eval(), x)
    assert maps.shape == shape
    if shape[1] == 64:
        assert maps.data.min() == 0 < maps.data.max()       # behind the last ReLU


def test_maps_of_one_pixel_are_passed_over():
    maps = maps_of(lenet5(10).eval(), RNG(0).normal(size=(1, 1, 32, 32)).astype(np.float32))
    assert maps.shape == (1, 16, 10, 10)


def test_a_network_without_convolution_has_a_gradient_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    seen = look(model, RNG(0).normal(size=(3, 2, 2)).astype(np.float32))
    assert seen.cam is None
    slopes = np.abs(model[1].weight.data[seen.label].reshape(3, 2, 2)).max(0)
    np.testing.assert_allclose(seen.gradient, slopes, rtol=1e-6)


def test_a_convolution_that_the_scores_do_not_pass():
    class Side(nn.Module):
        def __init__(self):
            self.conv, self.head = nn.Conv2d(3, 2, 1), nn.Linear(12, 3)

        def forward(self, x):
            self.conv(x)
            return self.head(x.reshape(1, -1))

    assert look(Side(), np.ones((3, 2, 2), np.float32)).cam is None


def test_scores_without_gradient_are_refused():
    class Cut(nn.Module):
        def __init__(self):
            self.head = nn.Linear(12, 3)

        def forward(self, x):
            return self.head(x.detach().reshape(1, -1))

    with pytest.raises(RuntimeError, match="do not depend on the pixels"):
        look(Cut(), np.ones((3, 2, 2), np.float32))


def test_a_look_leaves_the_network_as_it_was():
    model = smooth_network()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    look(model, RNG(0).normal(size=(3, 8, 8)))
    assert all(p.grad is None for p in model.parameters()) and not model.training
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_enlarged_keeps_the_ends_and_is_linear_between():
    big = enlarged([[0.0, 4.0]], (1, 8))
    np.testing.assert_allclose(big, [[0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]])


@pytest.mark.parametrize("prepare", [
    Preprocess((6, 6), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.1)),
    Compose([Resize((6, 6)), ToArray(), Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.1))]),
    Compose([Resize((6, 6)), ToArray()])])
def test_the_picture_is_what_the_network_sees(prepare):
    from PIL import Image
    pixels = RNG(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    picture = as_seen(prepare, prepare(Image.fromarray(pixels)))
    np.testing.assert_allclose(picture, pixels / 255, atol=1e-6)


def test_one_channel_becomes_grey():
    assert as_seen(None, np.full((1, 2, 3), 0.5)).tolist() == np.full((2, 3, 3), 0.5).tolist()


# --- the figure ----------------------------------------------------------------------------------

def test_the_figure_has_every_panel_and_nothing_is_cut_off(tmp_path):
    picture = RNG(0).uniform(size=(8, 8, 3))
    name = "the Czechoslovakian $wolf$dog of a very long name"
    for cam, count in ((RNG(1).uniform(size=(2, 2)), 3), (None, 2), (np.zeros((2, 2)), 3)):
        figure = pictures.looked(Seen(0, RNG(2).uniform(size=(8, 8)), cam), picture, name, 0.5)
        assert len(figure.axes) == count
        figure.draw_without_rendering()
        for text in (figure._suptitle, *(ax.title for ax in figure.axes)):
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        titles = [ax.title.get_window_extent() for ax in figure.axes]
        assert all(a.x1 < b.x0 for a, b in zip(titles, titles[1:]))


def test_a_gradient_of_zeros_is_drawn(tmp_path):
    seen = Seen(0, np.zeros((4, 4)), None)
    assert pictures.looked(seen, np.zeros((4, 4, 3)), "a", 1.0).axes[1].images[0].get_array().max(
        ) == 0
