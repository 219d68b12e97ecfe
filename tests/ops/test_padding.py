"""What lies around an image: modes of padding, negative widths, which pixels a mean counts."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from tests.one_line import one_line

ROW = Tensor([[0.0, 1, 2, 3, 4]])
IMAGE = Tensor(np.arange(16.0).reshape(1, 1, 4, 4))


@pytest.mark.parametrize("pad, mode, expected", [
    ((2, 1), "constant", [0, 0, 0, 1, 2, 3, 4, 0]),
    ((2, 1), "reflect", [2, 1, 0, 1, 2, 3, 4, 3]),
    ((4, 4), "reflect", [4, 3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1, 0]),
    ((2, 1), "replicate", [0, 0, 0, 1, 2, 3, 4, 4]),
    ((6, 0), "replicate", [0] * 7 + [1, 2, 3, 4]),
    ((2, 1), "circular", [3, 4, 0, 1, 2, 3, 4, 0]),
    ((5, 5), "circular", [0, 1, 2, 3, 4] * 3),
    # a negative width removes elements, and a mirror image may show those that it removed
    ((-3, 2), "constant", [3, 4, 0, 0]),
    ((-5, 2), "constant", [0, 0]),
    ((-3, 2), "reflect", [3, 4, 3, 2]),
    ((2, -3), "reflect", [2, 1, 0, 1]),
    ((-5, 2), "reflect", [3, 2]),
    ((-3, 2), "replicate", [3, 4, 4, 4]),
    ((-3, 2), "circular", [3, 4, 3, 4]),
    ((-2, -2), "circular", [2])])
def test_a_row_is_padded(pad, mode, expected):
    for x in (ROW, ROW.data):
        y = mg.pad(x, pad, mode)
        assert type(y) is type(x) and np.asarray(y).tolist() == [expected]
    for dtype in ("float16", "int64"):
        y = mg.pad(ROW.to(dtype), pad, mode)
        assert y.dtype == dtype and y.data.tolist() == [expected]


def test_images_stay_as_they_lie_in_memory(rng):
    x = rng.standard_normal((2, 4, 5, 3)).transpose(0, 3, 1, 2)     # channels-last
    for a in (x, np.ascontiguousarray(x)):
        y = mg.pad(a, (0, 1, 2, 0), value=7)
        assert np.argsort(y.strides).tolist() == np.argsort(a.strides).tolist()
        np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (2, 0), (0, 1)),
                                                constant_values=7))


def test_two_axes_are_padded_at_once():
    x = Tensor([[[1.0, 2, 3], [4, 5, 6]]])
    assert mg.pad(x, (1, 0, 0, 1), "reflect").data.tolist() == [
        [[2, 1, 2, 3], [5, 4, 5, 6], [2, 1, 2, 3]]]
    assert mg.pad(x, (1, 0, 0, 1), "replicate").data.tolist() == [
        [[1, 1, 2, 3], [4, 4, 5, 6], [4, 4, 5, 6]]]
    assert mg.pad(x, (1, 0, 0, 1), "circular").data.tolist() == [
        [[3, 1, 2, 3], [6, 4, 5, 6], [3, 1, 2, 3]]]
    assert mg.pad(x, (-1, 0, 0, 1), value=7).data.tolist() == [[[2, 3], [5, 6], [7, 7]]]


def test_widths_come_from_numpy_too():
    for pad in (np.array([1, 0]), [np.int64(1), np.int8(0)]):
        assert mg.pad(ROW, pad, "replicate").data.tolist() == [[0, 0, 1, 2, 3, 4]]


def test_a_number_in_the_place_of_the_mode_is_the_value():
    assert mg.pad(ROW, (1, 0), 0.5).data.tolist() == [[0.5, 0, 1, 2, 3, 4]]
    assert mg.pad(ROW, (1, 0), "constant", 0.5).data.tolist() == [[0.5, 0, 1, 2, 3, 4]]


@pytest.mark.parametrize("mode, expected", [
    ("constant", [1, 2, 4, 8, 16]), ("reflect", [1, 2, 4 + 64, 8 + 32, 16]),
    ("replicate", [1, 2, 4, 8, 16 + 32 + 64]), ("circular", [1 + 32, 2 + 64, 4, 8, 16])])
def test_gradients_of_copies_add_up(mode, expected):
    x = Tensor(ROW.data, requires_grad=True)
    mg.pad(x, (0, 2), mode).backward(Tensor([[1.0, 2, 4, 8, 16, 32, 64]]))
    assert x.grad.data.tolist() == [expected]


def test_gradients_of_16_bit_copies_add_up_before_they_are_rounded():
    """2048 + 1 + 1 is 2050, which float16 has, while 2048 + 1 rounds to 2048 again."""
    x = Tensor(np.zeros((1, 1)), dtype="float16", requires_grad=True)
    mg.pad(x, (1, 1), "replicate").backward(Tensor([[1, 2048, 1]], dtype="float16"))
    assert x.grad.data.tolist() == [[2050]]


@pytest.mark.parametrize("act, words", [
    (lambda: mg.pad(ROW, (5, 0), "reflect"), ["reflect", "smaller", "(5, 0)", "axis 1"]),
    (lambda: mg.pad(ROW, (0, 6), "circular"), ["circular", "(0, 6)"]),
    (lambda: mg.pad(ROW[:, :0], (1, 1), "replicate"), ["replicate", "empty"]),
    (lambda: mg.pad(ROW, (-3, -3)), ["negative", "(1, 5)"]),
    (lambda: mg.pad(ROW, (-3, -3), "reflect"), ["negative"]),
    (lambda: mg.pad(ROW, (1, 1, 1, 1), "reflect"), ["reflect", "(1, 1, 1, 1)", "(1, 5)"]),
    (lambda: mg.pad(ROW[0], (1, 1), "circular"), ["circular", "(5,)"]),
    (lambda: mg.pad(IMAGE, (1, 1), "replicate"), ["replicate", "(1, 1, 4, 4)"]),
    (lambda: mg.pad(ROW, (1, 1), "mirror"), ["mode", "'mirror'", "'reflect'"]),
    (lambda: mg.pad(ROW, (1, 1), "reflect", 2.0), ["reflect", "2.0"]),
    (lambda: mg.pad(ROW, 1), ["pair", "(1,)"]),
    (lambda: mg.pad(ROW, (1, 1.5)), ["integers", "(1, 1.5)"]),
    (lambda: mg.pad(ROW, ((0, 0), (1, 1))), ["(left, right, top, bottom)", "((0, 0), (1, 1))"])])
def test_what_cannot_be_padded_is_said(act, words):
    with one_line(ValueError, "pad", *words):
        act()


# ---- means ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, along, factor", [
    ({}, [2 / 3, 1], 1),  # of 3 pixels, the first in the padding
    ({"ceil_mode": True}, [2 / 3, 1, 1 / 2], 1),  # of 2: a third one lies beyond the padding
    ({"count_include_pad": False}, [1, 1], 1),
    ({"count_include_pad": False, "ceil_mode": True}, [1, 1, 1], 1),
    ({"divisor_override": 5, "ceil_mode": True}, [2, 3, 1], 1 / 5)])
def test_which_pixels_a_mean_counts(options, along, factor):
    x = Tensor(np.ones((1, 1, 4, 4)))
    y = mg.avg_pool2d(x, 3, 2, 1, **options)
    np.testing.assert_allclose(y.data[0, 0], np.multiply.outer(along, along) * factor, rtol=1e-12)
    assert np.array_equal(nn.AvgPool2d(3, 2, 1, **options)(x).data, y.data)


def test_the_last_window_does_not_start_in_the_padding():
    """Of 3 columns with 1 more on each side, windows of 2 in steps of 2 start at -1 and 1, not 3;
    of 4 columns also at 3."""
    for columns, starts in [(3, 2), (4, 3)]:
        x = Tensor(np.ones((1, 1, 2, columns)))
        for pool in (mg.avg_pool2d, mg.max_pool2d):
            assert pool(x, 2, 2, (0, 1), ceil_mode=True).shape == (1, 1, 1, starts)


@pytest.mark.parametrize("options", [{"count_include_pad": False}, {"divisor_override": 7}])
def test_16_bit_means_are_rounded_once(options):
    rng = np.random.default_rng(0)
    values, cotangent = (rng.normal(size=(1, 1, n, n)).astype(np.float16) for n in (9, 5))

    def value_and_gradient(dtype):
        x = Tensor(values, requires_grad=True, dtype=dtype)
        y = mg.avg_pool2d(x, 3, 2, 1, **options)
        y.backward(Tensor(cotangent, dtype=dtype))
        return y.data, x.grad.data

    for once, exact in zip(value_and_gradient("float16"), value_and_gradient("float32")):
        assert once.dtype == np.float16 and np.array_equal(once, exact.astype(np.float16))


@pytest.mark.parametrize("divisor", [0, 1.5, "2"])
def test_a_divisor_is_an_integer_other_than_0(divisor):
    with one_line(ValueError, "divisor_override", repr(divisor)):
        mg.avg_pool2d(IMAGE, 2, divisor_override=divisor)
    assert mg.avg_pool2d(IMAGE, 4, divisor_override=np.int64(-8)).item() == -15


def test_a_mean_s_repr_tells_the_options_that_are_not_the_defaults():
    assert repr(nn.AvgPool2d(2)) == "AvgPool2d(kernel_size=2, stride=2, padding=0)"
    assert repr(nn.AvgPool2d(2, ceil_mode=True, divisor_override=3)) == (
        "AvgPool2d(kernel_size=2, stride=2, padding=0, ceil_mode=True, divisor_override=3)")


# ---- convolution ---------------------------------------------------------------------------------

def test_valid_is_no_padding():
    w = Tensor(np.ones((1, 1, 3, 2)))
    assert mg.conv2d(IMAGE, w, padding="valid", stride=2).data.tolist() == \
        mg.conv2d(IMAGE, w, stride=2).data.tolist() == [[[[27, 39]]]]
    assert nn.Conv2d(1, 2, 3, 2, padding="valid")(IMAGE.to("float32")).shape == (1, 2, 1, 1)


@pytest.mark.parametrize("act", [
    lambda **options: mg.conv2d(IMAGE, Tensor(np.ones((1, 1, 2, 2))), **options),
    lambda **options: nn.Conv2d(1, 1, 2, **options)])
def test_paddings_by_another_name_are_refused(act):
    with one_line(ValueError, "padding", "'full'", "'same'"):
        act(padding="full")
    with one_line(ValueError, "padding='same'", "stride 1"):
        act(padding="same", stride=2)
    with one_line(ValueError, "padding", "'valid'"):
        nn.ConvTranspose2d(1, 1, 2, padding="valid")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_a_convolution_pads_by_the_image_s_own_pixels(mode):
    x = Tensor(np.random.default_rng(0).normal(size=(2, 2, 5, 6)), requires_grad=True)
    layer = nn.Conv2d(2, 3, (3, 2), (2, 1), (2, 1), padding_mode=mode).to("float64")
    assert f"padding_mode='{mode}'" in repr(layer)
    expected = mg.conv2d(mg.pad(x, (1, 1, 2, 2), mode), layer.weight, layer.bias, (2, 1))
    assert np.array_equal(layer(x).data, expected.data)
    same = nn.Conv2d(2, 3, (3, 2), padding="same", padding_mode=mode).to("float64")
    assert np.array_equal(same(x).data, mg.conv2d(mg.pad(x, (0, 1, 1, 1), mode), same.weight,
                                                  same.bias).data)
    mg.gradcheck(same, [x])


def test_a_convolution_knows_its_modes_of_padding():
    with one_line(ValueError, "padding_mode", "'constant'", "'circular'"):
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="constant")
    assert repr(nn.Conv2d(1, 1, 3)) == repr(nn.Conv2d(1, 1, 3, padding_mode="zeros"))
