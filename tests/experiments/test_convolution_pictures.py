"""What walkthrough 10 draws, and the stopwatch that it measures with."""

import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info

from experiments.teaching_aids import convolution_pictures, stopwatch
from experiments.teaching_aids.stopwatch import Measured
from minigrad.kernels.runtime.threads import get_num_threads, set_num_threads

ROWS = {"slow": Measured(20.0, 5.0, 1e-7), "fast": Measured(4.0, 25.0, 2e-6)}
X, W = np.ones((2, 4, 5, 3)), np.ones((3, 3, 3, 7))


def drawn(figure):
    """The figure, drawn with nothing left to warn of."""
    figure.savefig(io.BytesIO(), format="png")
    assert figure.get_figwidth() <= 7.5
    return figure


def bars(axes):
    return [patch.get_width() for patch in axes.patches]


def test_an_error_is_a_share_of_the_largest_output():
    assert stopwatch.error(np.array([1.0, -8.5]), np.array([1.0, -8.0])) == 0.5 / 8


def test_each_way_gets_its_milliseconds_rate_and_error():
    want = np.full((2, 4, 5, 7), 2.0)
    ways = {"right": lambda x, w: want, "wrong": lambda x, w: want + 1}
    rows = stopwatch.compared(ways, X, W, want)
    assert [row.error for row in rows.values()] == [0, 0.5]
    assert stopwatch.multiply_adds(X, W) == 2 * 4 * 5 * 9 * 3 * 7
    for row in rows.values():
        assert row.rate * row.milliseconds == pytest.approx(7560 / 1e6)
    assert [line.split()[0] for line in stopwatch.table(rows).splitlines()] == ["right", "wrong"]


def blas_threads():
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


@pytest.fixture
def three_threads():
    before = get_num_threads()
    set_num_threads(3)
    yield
    set_num_threads(before)


def test_it_runs_on_one_thread_and_puts_the_number_back(three_threads):
    seen, before = [], blas_threads()
    stopwatch.seconds({"look": lambda: seen.append((get_num_threads(), blas_threads()))}, 2)
    assert seen and all(ours == 1 and blas <= {1} for ours, blas in seen)
    with pytest.raises(ZeroDivisionError):
        stopwatch.seconds({"fail": lambda: 1 / 0})
    assert get_num_threads() == 3 and blas_threads() == before


def test_the_yardstick_is_a_rate():
    assert stopwatch.yardstick(8) > 0


def test_what_a_tap_sees_is_its_column():
    padded = np.pad(np.arange(1, 7).reshape(2, 3), 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(6, 9)
    image, columns = drawn(convolution_pictures.tap_and_column(padded, windows)).axes
    for axes, numbers, count in (image, padded, 20), (columns, windows, 54):
        shades = axes.collections[0].get_array()
        assert_array_equal(numbers[shades >= 2], windows[:, 2])     # yellow
        assert_array_equal(shades % 2, numbers != 0)
        assert len(axes.texts) == count


def test_matrices_show_the_numbers_that_are_not_zero():
    figure = drawn(convolution_pictures.matrices({"a": np.eye(3), "b": np.array([[2.5, 1e-12]])}))
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [
        ["1.00"] * 3, ["2.50"]]


def test_speed_by_block_marks_what_it_is_compared_with():
    rows = dict(zip((2**17, 2**20), ROWS.values()))
    (axes,) = drawn(convolution_pictures.speed_by_block(rows, {"bound": 30.0, "other": 6.0})).axes
    curve, *marks = axes.lines
    assert_array_equal(curve.get_xydata(), [[128, 5], [1024, 25]])
    assert [(mark.get_label(), mark.get_ydata()[0]) for mark in marks] == [
        ("bound", 30), ("other", 6)]


def test_savings_and_layers_show_times_rates_and_errors():
    shares, times, errors = drawn(convolution_pictures.savings(ROWS, [1, 0.5])).axes
    assert bars(shares) == [1, 0.5] and bars(times) == [20, 4]
    assert_array_equal(errors.lines[0].get_xdata(), [1e-7, 2e-6])
    figure = drawn(convolution_pictures.side_by_side({"one": ROWS, "two": ROWS}, 30))
    one, _, below, _ = figure.axes
    assert bars(one) == [5, 25] and one.get_title() == "one"
    assert_array_equal(one.lines[0].get_xdata(), [30, 30])
    assert_array_equal(below.lines[0].get_xdata(), [1e-7, 2e-6])
