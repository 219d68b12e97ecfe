"""Every plan of convolution beside the definition, on every machine, whatever its table takes."""

import numpy as np
import pytest

from minigrad.kernels import conv
from minigrad.kernels.conv import (banded, columns, depthwise, few, merging, plans, taps,
                                   transforms, winograd, winograd_views)
from minigrad.kernels.runtime.window import Window
from tests.conftest import FULL
from tests.ops.test_plans import furthest, images

PLANS = [columns, depthwise, taps, few, banded, winograd, winograd_views]
CASES = [  # N, C, O, groups, (H, W), window
    (3, 2, 5, 1, (13, 9), Window(3, 3, 1, 1, 1, 1)),
    (2, 3, 16, 1, (17, 24), Window(7, 7, 2, 2, 3, 3)),
    (3, 1, 6, 1, (12, 14), Window(5, 5, 1, 1, 0, 0)),
    (3, 40, 33, 1, (16, 18), Window(3, 3, 1, 1, 1, 1)),
    (2, 40, 33, 1, (18, 13), Window(5, 5, 1, 1, 2, 2)),
    (2, 12, 20, 1, (15, 18), Window(2, 3, 1, 2, 1, 0, 1, 2)),
    (2, 9, 12, 1, (16, 17), Window(4, 1, 1, 1, 0, 0, 1, 1, 3, 0)),
    (9, 64, 64, 16, (14, 13), Window(3, 3, 1, 1, 1, 1)),
    (4, 6, 70, 1, (2, 2), Window(3, 3, 1, 1, 1, 1)),
    (4, 6, 70, 1, (3, 2), Window(3, 3, 2, 1, 1, 2)),
    (4, 20, 6, 1, (3, 1), Window(5, 5, 2, 3, 4, 4, 2, 1)),
    (2, 8, 8, 8, (9, 8), Window(3, 3, 2, 2, 1, 1)),
    (1, 260, 256, 1, (7, 7), Window(3, 3, 1, 1, 1, 1)),
    (2, 300, 256, 1, (7, 6), Window(3, 2, 2, 1, 0, 1, 2, 1, 1, 0)),
    (0, 6, 70, 1, (2, 2), Window(3, 3, 1, 1, 1, 1)),
]


def name_of(plan):
    return plan.__name__.rpartition(".")[2]


def arrays(case, dtype):
    n, c, o, groups, size, window = case
    rng = np.random.default_rng(0)
    x, w = images(rng, n, c, *size, dtype=dtype), rng.standard_normal(
        (o, c // groups, window.kh, window.kw)).astype(dtype)
    gy = images(rng, n, o, *window.output_size(*size), dtype=dtype)
    return x, w, rng.standard_normal(o).astype(dtype), gy


def computes(plan, case, dtype, monkeypatch):
    n, c, o, groups, size, window = case
    if plan in (winograd, winograd_views):      # for any number of outputs, and in float64
        monkeypatch.setattr(winograd, "LEAST_PIXELS", 0)
        dtype = np.float32
    w_shape = o, c // groups, window.kh, window.kw
    return plan.fits((n, c, *size), w_shape, window, groups, np.dtype(dtype))


@pytest.mark.parametrize("plan", PLANS, ids=name_of)
@pytest.mark.parametrize("dtype, bound", [(np.float64, 1e-12), (np.float32, 5e-6)])
def test_each_map_is_the_definition_s(monkeypatch, plan, dtype, bound):
    """With a bias and what is done to rows while they are in the cache, and in any memory order."""
    count = 0
    for case in CASES:
        if not computes(plan, case, dtype, monkeypatch):
            continue
        count += 1
        window, groups = case[-1], case[3]
        x, w, b, gy = arrays(case, dtype)
        exact = conv.direct(x.astype(float), w.astype(float), window, groups)
        norm = abs(exact).max(initial=1)
        for like in (x, np.ascontiguousarray(x)):
            y = plan.forward(like, w, None, window, groups)
            assert y.dtype == dtype and abs(y - exact).max(initial=0) <= bound * norm, case

        def halve_and_add(rows, channels):
            assert rows.flags.c_contiguous
            rows *= dtype(0.5)
            rows += b[channels]

        y = plan.forward(x, w, b, window, groups, halve_and_add)
        expected = 0.5 * exact + 1.5 * b.reshape(-1, 1, 1)
        assert abs(y - expected).max(initial=0) <= bound * norm, case
        if hasattr(plan, "weight_gradient"):
            gw = plan.weight_gradient(x, gy, window, groups)
            exact = columns.weight_gradient(x.astype(float), gy.astype(float), window, groups)
            assert gw.dtype == dtype and gw.shape == w.shape
            assert abs(gw - exact).max() <= bound * max(1, abs(exact).max()), case
    assert count >= (1 if plan is depthwise else 2)


@pytest.mark.parametrize("plan", [few, taps, winograd, winograd_views], ids=name_of)
def test_filters_in_either_order_of_memory(monkeypatch, plan):
    """Turned filters, those of an input gradient, have the outputs closest together."""
    for case in CASES:
        if case[3] == 1 and computes(plan, case, float, monkeypatch):
            x, w, _, _ = arrays(case, float)
            turned = merging.turned(np.ascontiguousarray(merging.turned(w, 1)), 1)
            np.testing.assert_array_equal(turned, w)
            y, expected = (plan.forward(x, f, None, case[-1], 1) for f in (turned, w))
            np.testing.assert_allclose(y, expected, 1e-11, 1e-11)


@pytest.mark.parametrize("plan", PLANS, ids=name_of)
def test_no_infinity_spreads_beyond_the_outputs_that_see_it(monkeypatch, plan):
    for case in CASES:
        if case[0] and computes(plan, case, np.float32, monkeypatch):
            x, w, _, gy = arrays(case, np.float32)
            x[0, 0, 0, 0], gy[-1, -1, -1, -1] = np.inf, np.nan
            with np.errstate(invalid="ignore"):
                y = plan.forward(x, w, None, case[-1], case[3])
                exact = conv.direct(x.astype(float), w.astype(float), *case[-1:], case[3])
            np.testing.assert_array_equal(np.isfinite(y), np.isfinite(exact))
            if hasattr(plan, "weight_gradient"):
                with np.errstate(invalid="ignore"):
                    gw, exact = (p.weight_gradient(x, gy, case[-1], case[3])
                                 for p in (plan, columns))
                assert not np.isfinite(gw).all()
                assert np.isfinite(gw[np.isfinite(exact)]).all()  # taps leave the padding out


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
def test_the_transforms_make_a_convolution(rows):
    """One tile, as Lavin and Gray write it: Y = A^T [(G g) * (B^T d)]."""
    rng = np.random.default_rng(0)
    pixels, filters, outputs = transforms.transforms(rows, float)
    d, g = rng.integers(-9, 10, 6), rng.integers(-9, 10, rows)
    y = outputs @ ((filters @ g) * (pixels @ d))
    np.testing.assert_allclose(y, np.correlate(d, g, "valid"), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("x_shape, o, options, fits", [
    ((8, 64, 16, 16), 64, {}, True), ((8, 64, 16, 16), 64, {"sw": 2, "dw": 2, "kw": 1}, True),
    ((8, 64, 16, 16), 64, {"kh": 5}, True), ((8, 64, 16, 16), 64, {"kh": 6}, False),
    ((8, 64, 16, 16), 64, {"sh": 2}, False), ((8, 64, 16, 16), 64, {"dh": 2}, False),
    ((8, 64, 16, 16), 64, {"kh": 1}, False), ((1, 64, 16, 16), 64, {}, False),
    ((999, 64, 2, 2), 64, {}, False)])
def test_where_winograd_fits(x_shape, o, options, fits):
    window = Window(3, 3, 1, 1, 1, 1)._replace(**options)
    w_shape = o, x_shape[1], window.kh, window.kw
    assert winograd.fits(x_shape, w_shape, window, 1, np.float32) is fits
    assert not winograd.fits(x_shape, w_shape, window, 1, np.float64)


@pytest.mark.parametrize("block_bytes", [1, 5000, 2**30])
@pytest.mark.parametrize("block_rows", [1, 100])
def test_winograd_s_blocks_and_parts_make_one_result(monkeypatch, block_bytes, block_rows):
    """Blocks of images, of bands of rows, and parts of channels, at each size of the last tile."""
    monkeypatch.setattr(winograd, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(winograd, "BLOCK_ROWS", block_rows)
    monkeypatch.setattr(winograd, "PART_CHANNELS", 3)
    monkeypatch.setattr(transforms, "BLOCK_BYTES", 100)
    window, rng = Window(3, 3, 1, 1, 1, 1), np.random.default_rng(0)
    for groups in (1, 2):
        for high in (4, 5, 7, 10):
            x = rng.standard_normal((5, 64, high, 6))
            w = rng.standard_normal((64, 64 // groups, 3, 3))
            y = winograd.forward(x, w, None, window, groups)
            np.testing.assert_allclose(y, conv.direct(x, w, window, groups), 1e-10, 1e-10)
            gw = winograd.weight_gradient(x, y, window, groups)
            np.testing.assert_allclose(
                gw, columns.weight_gradient(x, y, window, groups), 1e-10, 1e-8)


@pytest.mark.parametrize("c, o, window, ow, neighbours", [
    (3, 16, Window(7, 7, 2, 2, 3, 3), 32, 4), (1, 6, Window(5, 5, 1, 1, 0, 0), 28, 7),
    (3, 64, Window(7, 7, 2, 2, 3, 3), 112, 1), (16, 16, Window(3, 3, 1, 1, 1, 1), 16, 2),
    (16, 32, Window(3, 3, 1, 1, 1, 1), 16, 1), (3, 16, Window(3, 3, 1, 1, 1, 1), 17, 1)])
def test_how_many_neighbours_a_wider_convolution_brings_together(c, o, window, ow, neighbours):
    assert banded.neighbours(c, o, window, ow) == neighbours


@pytest.mark.skipif(not FULL, reason="a minute: set MINIGRAD_FULL=1")
def test_every_plan_on_every_layer_of_the_benchmark_s_networks():
    """The bound that the README gives: 2e-5 of the largest number, of each map."""
    from experiments.benchmarks import conv as benchmark
    layers = dict.fromkeys(layer for _, build, shape in benchmark.NETWORKS
                           for layer in benchmark.layers(build(7), (2, *shape[1:])))
    assert len(layers) > 40
    for layer in layers:
        rng = np.random.default_rng(0)
        x = images(rng, *layer.x_shape)
        w = rng.standard_normal(layer.w_shape).astype(np.float32)
        y = columns.forward(*(a.astype(float) for a in (x, w)), None, layer.window, layer.groups)
        gy = images(rng, *y.shape)
        gw = columns.weight_gradient(x.astype(float), gy.astype(float), layer.window, layer.groups)
        for plan in PLANS:
            if plan.fits(layer.x_shape, layer.w_shape, layer.window, layer.groups, np.float32):
                given = x, w, None, layer.window, layer.groups
                assert furthest(plan.forward(*given), y) < 2e-5, (plan, layer)
                if hasattr(plan, "weight_gradient"):
                    got = plan.weight_gradient(x, gy, layer.window, layer.groups)
                    assert furthest(got, gw) < 2e-5, (plan, layer)


def test_the_list_of_plans_here_is_the_table_s():
    assert {plan for order in plans.TABLE.values() for task in order for plan, _ in task} == set(
        PLANS)
