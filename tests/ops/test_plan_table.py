"""The table of plans: which one computes a convolution on which machine, and that all are right."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from minigrad.kernels import conv
from minigrad.kernels.conv import banded, columns, depthwise, plans, winograd, winograd_views
from minigrad.kernels.runtime import threads
from minigrad.kernels.runtime.window import Window
from tests.ops.test_plans import furthest, images


@pytest.mark.parametrize("kernel, channels, forward, weight_gradient", [
    ("Haswell", 64, winograd, winograd), ("Haswell", 7, banded, banded),
    ("SkylakeX", 64, winograd_views, winograd), ("SkylakeX", 256, winograd, winograd),
    ("SapphireRapids", 32, winograd_views, winograd), ("Zen", 31, winograd, winograd),
    ("accelerate", 64, winograd, winograd), ("unknown", 512, winograd, winograd)])
def test_the_plan_follows_the_kernels_of_blas(on_a_machine_with, kernel, channels, forward,
                                              weight_gradient):
    on_a_machine_with(kernel)
    shapes = (8, channels, 16, 16), (channels, channels, 3, 3)
    window = Window(3, 3, 1, 1, 1, 1)
    assert plans.choose("forward", *shapes, window, 1, np.float32) is forward
    assert plans.choose("weight_gradient", *shapes, window, 1, np.float32) is weight_gradient
    for task in plans.Order._fields:
        one_each = (8, 64, 16, 16), (64, 1, 3, 3)
        assert plans.choose(task, *one_each, window, 64, np.float32) is depthwise


def test_a_switch_leaves_only_columns(on_a_machine_with):
    on_a_machine_with("Haswell")
    window, x_shape = Window(3, 3, 1, 1, 1, 1), (8, 64, 16, 16)
    try:
        plans.set_plain_columns(True)
        for task in plans.Order._fields:
            for groups in (1, 64):
                w_shape = 64, 64 // groups, 3, 3
                assert plans.choose(task, x_shape, w_shape, window, groups, np.float32) is columns
    finally:
        plans.set_plain_columns(False)
    assert plans.choose("forward", x_shape, (64, 64, 3, 3), window, 1, np.float32) is winograd


def test_blas_says_which_kernels_it_runs():
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    assert threads.blas_kernel() == (blas[0].get("architecture") or blas[0]["internal_api"])


@pytest.mark.parametrize("kernel", plans.TABLE)
def test_every_row_computes_the_same(on_a_machine_with, kernel):
    """All three maps, of a layer of each kind, beside the definition in float64."""
    on_a_machine_with(kernel)
    rng = np.random.default_rng(0)
    for c, o, groups, stride in [(3, 8, 1, 1), (64, 48, 1, 1), (64, 64, 16, 1), (64, 64, 64, 2),
                                 (48, 64, 1, 2)]:
        window = Window(3, 3, stride, stride, 1, 1)
        x, w = images(rng, 4, c, 17, 18), rng.standard_normal((o, c // groups, 3, 3)).astype("f")
        y = conv.forward(x, w, window, groups)
        exact = conv.direct(x.astype(float), w.astype(float), window, groups)
        assert furthest(y, exact) < 2e-5
        gx = conv.input_gradient(y, w, window, (17, 18), groups)
        gw = conv.weight_gradient(x, y, window, groups)
        for product in ((x * gx).sum(dtype=float), (w * gw).sum(dtype=float)):
            assert product == pytest.approx((y.astype(float) * exact).sum(), rel=2e-5)


@pytest.mark.parametrize("kernel", plans.TABLE)
@pytest.mark.parametrize("groups", [1, 48])
def test_an_input_gradient_that_would_crop_is_no_convolution(on_a_machine_with, kernel, groups):
    """With more padding than a window is wide, gy reaches pixels that are not there."""
    on_a_machine_with(kernel)
    rng = np.random.default_rng(0)
    window = Window(3, 3, 1, 1, 3, 3)
    x, w = images(rng, 4, 48, 16, 16), rng.standard_normal((48, 48 // groups, 3, 3)).astype("f")
    y = conv.forward(x, w, window, groups)
    assert window.mirrored(y.shape[2:], (16, 16)) is None
    gx = conv.input_gradient(y, w, window, (16, 16), groups)
    assert (x * gx).sum(dtype=float) == pytest.approx((y.astype(float)**2).sum(), rel=2e-5)


def test_columns_come_last_and_compute_every_map():
    for order in plans.TABLE.values():
        for task in order._fields:
            *others, last = getattr(order, task)
            assert last == (columns, plans.ALWAYS) and hasattr(columns, task)
            assert any(hasattr(plan, task) for plan, _ in others)
