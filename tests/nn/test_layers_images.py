"""Layers for images and lines, and normalisation of samples: what their definitions say of them."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, ops
from tests.one_line import one_line

RNG = np.random.default_rng(0)


def draw(*shape):
    return Tensor(RNG.normal(size=shape).astype(np.float32))


# ---- without the axis of the batch ---------------------------------------------------------------

@pytest.mark.parametrize("layer, shape", [
    (nn.Conv2d(3, 4, 3, padding=1), (3, 5, 4)), (nn.ConvTranspose2d(3, 4, 3), (3, 5, 4)),
    (nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"), (3, 5, 4)),
    (nn.MaxPool2d(2), (3, 5, 4)), (nn.AvgPool2d(2, ceil_mode=True), (3, 5, 4)),
    (nn.AdaptiveAvgPool2d(1), (3, 5, 4)), (nn.AdaptiveMaxPool2d((2, 3)), (3, 5, 4)),
    (nn.Conv1d(3, 4, 3), (3, 5)), (nn.ConvTranspose1d(3, 4, 3, 2), (3, 5)),
    (nn.MaxPool1d(2), (3, 5)), (nn.AvgPool1d(2), (3, 5)), (nn.AdaptiveAvgPool1d(2), (3, 5)),
    (nn.AdaptiveMaxPool1d(2), (3, 5)), (nn.InstanceNorm1d(3), (3, 5)),
    (nn.InstanceNorm2d(3, affine=True), (3, 5, 4)), (nn.ReplicationPad1d(1), (3, 5)),
    (nn.CircularPad2d(1), (3, 5, 4)), (nn.ReflectionPad2d(1), (3, 5, 4)),
    (nn.Softmax2d(), (3, 5, 4)), (nn.PixelShuffle(2), (4, 5, 3))],
    ids=lambda v: type(v).__name__)
def test_one_sample_is_a_batch_of_one(layer, shape):
    x = draw(*shape)
    assert np.array_equal(layer(x).data, layer(x[None]).data[0])


def test_where_the_maxima_lie():
    x = draw(3, 5, 4)
    y, places = nn.MaxPool2d(2, return_indices=True)(x)
    assert np.array_equal(np.take_along_axis(x.data.reshape(3, -1), places.data.reshape(3, -1), 1),
                          y.data.reshape(3, -1))
    y, places = nn.MaxPool1d(2, 1, return_indices=True)(x[0])
    assert np.array_equal(np.take_along_axis(x.data[0], places.data, 1), y.data)


# ---- other sizes, other places -------------------------------------------------------------------

def test_pixels_between_pixels():
    x = Tensor(np.array([[[[0.0, 4.0]]]]))
    for options, expected in [
            ({"size": (1, 4)}, [0, 0, 4, 4]), ({"size": (1, 4), "mode": "bilinear"}, [0, 1, 3, 4]),
            ({"size": (1, 5), "mode": "bilinear", "align_corners": True}, [0, 1, 2, 3, 4]),
            ({"scale_factor": (1, 1.5)}, [0, 0, 4])]:
        assert nn.Upsample(**options)(x).data.ravel().tolist() == expected, options
    assert nn.UpsamplingNearest2d(scale_factor=2)(x).data[0, 0].tolist() == [[0, 0, 4, 4]] * 2
    assert nn.UpsamplingBilinear2d((1, 3))(x).data.ravel().tolist() == [0, 2, 4]
    assert nn.UpsamplingNearest2d(1)(x).data.ravel().tolist() == [0]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_constants_and_places_stay_in_another_size(mode):
    flat = ops.interpolate(Tensor(np.full((1, 1, 3, 4), 2.5)), (7, 5), mode=mode)
    np.testing.assert_allclose(flat.data, 2.5, rtol=1e-14)
    ramp = np.arange(8.0).reshape(1, 1, 1, 8) * np.ones((1, 1, 2, 1))
    y = ops.interpolate(Tensor(ramp), (2, 15), mode=mode, align_corners=True).data[0, 0, 0]
    np.testing.assert_allclose(y[4:-4], np.arange(15.0)[4:-4] / 2, atol=1e-12)


def test_shuffles_move_what_they_say():
    x = Tensor(np.arange(4.0).reshape(1, 4, 1, 1))
    assert nn.PixelShuffle(2)(x).data[0, 0].tolist() == [[0, 1], [2, 3]]
    assert nn.ChannelShuffle(2)(x).data.ravel().tolist() == [0, 2, 1, 3]
    y = draw(2, 8, 3, 2)
    assert np.array_equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(y)).data, y.data)
    assert nn.Unflatten(1, (2, -1))(y).shape == (2, 2, 4, 3, 2)
    assert nn.Unflatten(-1, [2, 1])(y).shape == (2, 8, 3, 2, 1)


def test_padding_layers_name_their_axes():
    line, image = Tensor(np.array([[[1.0, 2, 3]]])), draw(1, 1, 2, 3)
    for layer, expected in [(nn.ZeroPad1d((1, 2)), [0, 1, 2, 3, 0, 0]),
                            (nn.ConstantPad1d(1, 9.0), [9, 1, 2, 3, 9]),
                            (nn.ReflectionPad1d(2), [3, 2, 1, 2, 3, 2, 1]),
                            (nn.ReplicationPad1d((2, 0)), [1, 1, 1, 2, 3]),
                            (nn.CircularPad1d((1, 0)), [3, 1, 2, 3])]:
        assert layer(line).data.ravel().tolist() == expected
    for layer in (nn.ZeroPad2d, nn.ReplicationPad2d, nn.CircularPad2d):
        assert layer((1, 0, 0, 2))(image).shape == (1, 1, 4, 4)
        assert layer(1)(image).shape == (1, 1, 4, 5)


# ---- dropout -------------------------------------------------------------------------------------

def test_channels_are_dropped_as_a_whole():
    mg.manual_seed(0)
    for layer, shape in [(nn.Dropout1d(0.4), (20, 30, 4)), (nn.Dropout3d(0.4), (20, 30, 2, 1, 2)),
                         (nn.Dropout1d(0.4), (600, 4)), (nn.Dropout3d(0.4), (600, 2, 1, 2))]:
        y = layer(Tensor(np.ones(shape))).data.reshape(600, -1)
        assert (y == y[:, :1]).all() and set(y.round(5).ravel()) == {0, 1.66667}
        assert 180 < (y[:, 0] == 0).sum() < 300
        assert np.array_equal(layer.eval()(Tensor(np.ones(shape))).data, np.ones(shape))


# ---- normalisation -------------------------------------------------------------------------------

@pytest.mark.parametrize("layer, axes", [
    (nn.LayerNorm((3, 4)), (2, 3)), (nn.GroupNorm(1, 6), (1, 2, 3)), (nn.GroupNorm(6, 6), (2, 3)),
    (nn.InstanceNorm2d(6), (2, 3))])
def test_each_sample_is_normalised_by_itself(layer, axes):
    x = 3 * draw(2, 6, 3, 4) + 5
    y = layer(x).data
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axes), 1, atol=1e-4)
    np.testing.assert_allclose(layer(x[:1]).data, y[:1], atol=1e-6)


def test_a_large_mean_costs_no_digits():
    x = RNG.normal(size=(3, 1000))
    y = ops.layer_norm(Tensor((x + 1e4).astype(np.float32)), (1000,)).data
    exact = (x + 1e4).astype(np.float32).astype(float)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, exact, atol=2e-6)


def test_layer_norm_keeps_its_input_alone():
    from minigrad.profile import profile
    model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Sigmoid())
    kept = [layer.kept for layer in profile(model, (10, 8)).layers]
    assert kept[1] == 4 * (80 + 2 * 10)     # x, and each row's mean and scale


def test_running_statistics_of_instances():
    layer, x = nn.InstanceNorm1d(2, track_running_stats=True, momentum=0.5), draw(3, 2, 5)
    layer(x)
    np.testing.assert_allclose(layer.running_mean, 0.5 * x.data.mean((0, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var, 0.5 + 0.5 * x.data.var(2, ddof=1).mean(0), 1e-5)
    y = layer.eval()(x).data
    assert not np.allclose(y.mean(2), 0, atol=1e-3)
    assert list(layer.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.LayerNorm(3)(draw(2, 4)), RuntimeError, ["layer_norm", "(3,)", "(2, 4)"]),
    (lambda: nn.RMSNorm((2, 3))(draw(3)), RuntimeError, ["rms_norm", "(2, 3)"]),
    (lambda: nn.GroupNorm(2, 3), ValueError, ["num_groups=2", "num_channels=3"]),
    (lambda: ops.group_norm(draw(2, 3), 2), RuntimeError, ["group_norm", "2 groups"]),
    (lambda: ops.group_norm(draw(2, 4), 2, draw(3)), RuntimeError, ["weight", "(3,)", "4"]),
    (lambda: nn.InstanceNorm1d(3)(draw(2, 3, 1)), ValueError, ["more than 1 spatial element"]),
    (lambda: nn.InstanceNorm2d(3)(draw(2, 3, 4)), ValueError, ["InstanceNorm2d(3)"]),
    (lambda: nn.LocalResponseNorm(2)(draw(2, 3)), ValueError, ["local_response_norm", "(2, 3)"]),
    (lambda: nn.PReLU(2)(draw(2, 3)), RuntimeError, ["prelu", "(2,)", "3 channels"]),
    (lambda: nn.Hardtanh(2, 1)(draw(1)), ValueError, ["min_val 2", "max_val 1"]),
    (lambda: nn.GELU("erf")(draw(1)), RuntimeError, ["'erf'"]),
    (lambda: nn.GLU()(draw(2, 3)), RuntimeError, ["glu", "(2, 3)"]),
    (lambda: nn.Softshrink(-1)(draw(2)), RuntimeError, ["lambd", "-1"]),
    (lambda: nn.CELU(0)(draw(2)), ZeroDivisionError, []),
    (lambda: nn.Softmax2d()(draw(2, 3)), ValueError, ["(2, 3)"]),
    (lambda: nn.Conv1d(3, 2, 3)(draw(5)), ValueError, ["conv1d", "(5,)"]),
    (lambda: nn.Conv1d(3, 2, 3, padding_mode="edge"), ValueError, ["Conv1d", "'edge'"]),
    (lambda: nn.Upsample(2, 2.0)(draw(1, 1, 2, 2)), ValueError, ["size", "scale_factor"]),
    (lambda: nn.Upsample()(draw(1, 1, 2, 2)), ValueError, ["size", "scale_factor"]),
    (lambda: nn.Upsample(2, mode="linear")(draw(1, 1, 2, 2)), NotImplementedError, ["'linear'"]),
    (lambda: nn.Upsample(2, align_corners=True)(draw(1, 1, 2, 2)), ValueError, ["'nearest'"]),
    (lambda: ops.interpolate(draw(1, 1, 2, 2), 2, antialias=True), ValueError, ["antialias"]),
    (lambda: nn.Upsample((2, 2, 2))(draw(1, 1, 2, 2)), ValueError, ["(2, 2, 2)"]),
    (lambda: nn.PixelShuffle(2)(draw(1, 3, 2, 2)), RuntimeError, ["pixel_shuffle", "3 channels"]),
    (lambda: nn.PixelUnshuffle(2)(draw(1, 3, 3, 2)), RuntimeError, ["pixel_unshuffle"]),
    (lambda: nn.ChannelShuffle(2)(draw(1, 3, 2, 2)), RuntimeError, ["channel_shuffle"]),
    (lambda: nn.ELU(beta=1), TypeError, ["ELU", "'beta'"]),
    (lambda: nn.Threshold(1), TypeError, ["Threshold", "'value'"])])
def test_what_does_not_fit_is_named(call, error, words):
    with one_line(error, *words):
        call()
