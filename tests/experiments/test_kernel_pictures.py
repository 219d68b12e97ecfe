"""What walkthrough 07 draws, and the bench on which it breaks kernels."""

import io

import numpy as np
import pytest

from experiments.teaching_aids import emulated, kernel_pictures
from minigrad.kernels.testing import emulator

needs_compiler = pytest.mark.skipif(bool(emulator.MISSING), reason=str(emulator.MISSING))


def drawn(figure):
    """The figure, drawn with nothing left to warn of."""
    figure.savefig(io.BytesIO(), format="png")
    assert figure.get_figwidth() <= 7.5
    return figure


@pytest.mark.parametrize("step, lines, share", [
    (1, "1 line", "100%"), (2, "2 lines", "50%"), (31, "31 lines", "3%"), (3136, "32 lines", "3%")])
def test_a_warp_fetches_as_many_lines_as_its_threads_are_apart(step, lines, share):
    (axes,) = drawn(kernel_pictures.lines_of_memory({"here": step})).axes
    assert axes.get_title() == f"here: {lines},\n{share} of the bytes used"
    assert np.count_nonzero(axes.collections[0].get_array()) == 32  # one for each thread


def test_the_framed_strips_are_what_the_framed_tile_is_made_of():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((288, 72)), rng.standard_normal((72, 16))
    columns, w, y = drawn(kernel_pictures.product_of_tiles(*factors, factors[0] @ factors[1])).axes

    def framed(axes):
        (frame,) = axes.patches
        (left, top), image = np.array(frame.get_xy()) + 0.5, np.asarray(axes.images[0].get_array())
        return image[int(top):int(top + frame.get_height()), int(left):int(frame.get_width())]

    assert framed(y).shape == (16, 16)
    np.testing.assert_allclose(framed(columns) @ framed(w), framed(y), rtol=1e-12)


def test_a_block_makes_its_pixels_in_a_row_past_the_end_of_an_image():
    first, second = drawn(kernel_pictures.pixels_of_blocks(n=2, size=12, rows=128)).axes
    counts = [np.bincount(axes.images[0].get_array().ravel(), minlength=3).tolist()
              for axes in (first, second)]
    assert counts == [[128, 16, 0], [0, 112, 32]]
    assert [text.get_text() for text in second.texts] == ["block 1", "block 2"]


def test_outcomes_tells_right_wrong_and_unwritten_apart():
    error = np.array([[0, 9e-6, 1e-3, np.nan]])
    figure = drawn(kernel_pictures.outcomes({"once": error, "again": error * 0}))
    once, again = (axes.images[0].get_array().tolist() for axes in figure.axes)
    assert once == [[0, 0, 1, 2]] and again == [[0, 0, 0, 2]]


@needs_compiler
def test_kernels_come_in_the_order_of_their_names():
    code = emulated.listing("elementwise.cu", "relu_gradient")
    broken = code.replace("relu_gradient", "broken").replace("if (i < size) ", "")
    second, first = emulated.compiled(broken + code, "relu_gradient", "broken")
    gy = np.array([1, 2, 3], np.float32)
    for kernel, failing in ((second, False), (first, True)):
        gx = emulated.empty(3)
        arguments = np.int32(3), emulated.to_gpu(gy), emulated.to_gpu(gy - 2), gx
        launch = (1,), (32,), arguments
        if failing:
            assert "wrote outside" in str(emulated.caught(kernel, *launch))
        else:
            kernel(*launch)
            assert gx.host.tolist() == [0, 0, 3]
            with pytest.raises(AssertionError, match="not noticed"):
                emulated.caught(kernel, *launch)
