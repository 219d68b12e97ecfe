"""The table of plans: which one computes a convolution on which machine, and that all are right."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from minigrad.kernels import conv
from minigrad.kernels.conv import columns, depthwise, plans, winograd
from minigrad.kernels.runtime import threads
from minigrad.kernels.runtime.window import Window
from tests.ops.test_plans import furthest, images


@pytest.mark.parametrize("kernel, channels, plan", [
    ("Haswell", 64, winograd), ("Haswell", 48, winograd), ("Haswell", 47, columns),
    ("Zen", 64, winograd), ("SkylakeX", 64, columns), ("SapphireRapids", 512, columns),
    ("SkylakeX, Zen 4", 64, winograd),
    ("accelerate", 64, winograd), ("unknown", 16, columns)])
def test_the_plan_follows_the_kernels_of_blas(on_a_machine_with, kernel, channels, plan):
    on_a_machine_with(kernel)
    shapes = (8, channels, 16, 16), (64, channels, 3, 3)
    window = Window(3, 3, 1, 1, 1, 1)
    assert plans.choose("forward", *shapes, window, 1, np.float32) is plan
    assert plans.choose("weight_gradient", *shapes, window, 1, np.float32) is columns
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


INTEL = "vendor_id\t: GenuineIntel\ncpu family\t: 25\n"
GENOA = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
TURIN = "vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 25\n"


@pytest.mark.parametrize("kernel, processor, name", [
    ("SkylakeX", GENOA, "SkylakeX, Zen 4"), ("SkylakeX", TURIN, "SkylakeX"),
    ("SkylakeX", INTEL, "SkylakeX"), ("Cooperlake", GENOA, "Cooperlake, Zen 4"),
    ("Haswell", GENOA, "Haswell"), ("unknown", GENOA, "unknown"),
    ("SkylakeX", "AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD", "SkylakeX, Zen 4"),
    ("SkylakeX", "AMD64 Family 26 Model 68 Stepping 0, AuthenticAMD", "SkylakeX")])
def test_the_machine_is_known_by_its_blas_and_its_processor(monkeypatch, kernel, processor, name):
    def read(path):
        if "Family" in processor:
            raise FileNotFoundError
        return processor

    monkeypatch.setattr(plans, "blas_kernel", lambda: kernel)
    monkeypatch.setattr(plans.Path, "read_text", read)
    monkeypatch.setattr(plans.platform, "processor", lambda: processor)
    assert plans.machine.__wrapped__() == name


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


def test_a_plan_has_the_maps_that_it_is_listed_for():
    for order in plans.TABLE.values():
        for task in order._fields:
            assert all(hasattr(plan, task) for plan, _ in getattr(order, task))
