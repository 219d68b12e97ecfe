"""Pyramids of CuPy arrays: the CPU's integers bit for bit, its floats to rounding, its errors.

There are no kernels here: every step is one operation of CuPy on slices, so nothing is summed in
another order than on the CPU.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import pyramids
from minigrad.backend import device_of
from pyramids import differentiable
from tests.gpu.cuda_devices import DEVICES, host

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
FLOATS = ("float16", "float32", "float64")
pytestmark = pytest.mark.parametrize("xp", DEVICES, indirect=True)

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 3))
options = st.fixed_dictionaries({"a": st.sampled_from([0.3, 0.375, 0.4, 0.5, 0.6]),
                                 "border": st.sampled_from(sorted(pyramids.BORDERS)),
                                 "axes": st.sampled_from([(0, 1), (1,), (-1, 0), (0, 1, 2)])})
seeds = st.integers(0, 2**32 - 1)


def image(dtype, shape, seed=0):
    """Integers of the whole range, or floats, in a memory layout that is not C's."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape[::-1]).astype(dtype).T
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape[::-1], dtype, endpoint=True).T


def flat(result):
    """All arrays and numbers of a result in one list."""
    if isinstance(result, pyramids.Code):
        result = result.symbols
    if isinstance(result, (tuple, list, pyramids.Pyramid)):
        return [part for item in result for part in flat(item)]
    return [result]


def assert_same(got, want, steps=4):
    """Equal bits for integers; floats within `steps` eps of the largest value."""
    got, want = flat(got), flat(want)
    assert len(got) == len(want) > 0
    for mine, theirs in zip(got, want):
        if not isinstance(theirs, np.ndarray):  # a number or a slice is already on the host
            assert mine == theirs or mine == pytest.approx(theirs, rel=1e-12)
            continue
        assert device_of(mine) == "cuda"
        mine = host(mine)
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        if theirs.dtype.kind != "f":
            assert np.array_equal(mine, theirs)
            continue
        bound = steps * np.finfo(theirs.dtype).eps * max(1, np.abs(theirs).max(initial=0))
        assert np.abs(mine.astype(float) - theirs.astype(float)).max(initial=0) <= bound


# ---- the two filters and their stacks ------------------------------------------------------------

@settings(max_examples=300)
@given(st.sampled_from(INTEGERS + FLOATS), shapes, options, seeds, st.data())
def test_every_image_gives_what_it_gives_on_the_cpu(xp, dtype, shape, options, seed, data):
    x = image(dtype, shape, seed)
    levels = len(pyramids.gaussian_pyramid(x, **options))
    some = data.draw(st.sets(st.integers(0, levels - 1)))
    results = []
    for x in (xp.asarray(x), x):
        small = pyramids.pyr_down(x, **options)
        pyramid = pyramids.laplacian_pyramid(x, **options)
        results.append([small, pyramids.pyr_up(small, x.shape, **options), pyramid,
                        pyramids.gaussian_pyramid(x, **options), pyramids.collapse(pyramid),
                        pyramids.collapse(pyramid, some), pyramids.expand_to(pyramid, levels // 2)])
    assert_same(*results)
    if x.dtype.kind in "iu":
        assert np.array_equal(host(results[0][4]), x)


@given(st.sampled_from(FLOATS), shapes, options, seeds)
def test_exact_gives_every_bit_back(xp, dtype, shape, options, seed):
    x = image(dtype, shape, seed)
    x.T.ravel()[:4] = [-0.0, np.nan, -np.inf, 1e-7][:x.size]
    pyramid = pyramids.laplacian_pyramid(xp.asarray(x), exact=True, **options)
    assert pyramid.exact and all(device_of(level) == "cuda" for level in pyramid)
    assert host(pyramids.collapse(pyramid)).tobytes() == x.tobytes()
    moved = dataclasses.replace(pyramid, levels=tuple(map(host, pyramid)))
    assert pyramids.collapse(moved).tobytes() == x.tobytes()  # built there, rebuilt here


@given(st.sampled_from(FLOATS), shapes, options, seeds)
def test_transposes(xp, dtype, shape, options, seed):
    x = image(dtype, shape, seed)
    results = []
    for x in (xp.asarray(x), x):
        small = pyramids.pyr_down(x, **options)
        results.append([pyramids.pyr_down_T(small, x.shape, **options),
                        pyramids.pyr_up_T(x, **options),
                        pyramids.laplacian_T(pyramids.laplacian_pyramid(x, **options))])
    assert_same(*results, steps=16)


def test_a_gpu_gets_all_the_work_at_once(xp, monkeypatch):
    strips = []
    monkeypatch.setattr(pyramids.filters, "STRIP", 1)
    monkeypatch.setattr(pyramids.filters, "for_each", lambda task, items: strips.append(len(items)))
    for x in (np.ones((8, 8), np.float32), xp.asarray(np.ones((8, 8), np.float32))):
        pyramids.pyr_down(x)
    assert strips == [2, 1]


# ---- what pyramids are good for ------------------------------------------------------------------

def laplacian(x):
    return pyramids.laplacian_pyramid(x, 4)


def mask(x):
    return x > x[0, 0]


def coded(x):
    return pyramids.encode(x, [8, 8, 4, 2], 4)


USES = {  # name: a call of the public function of that name on an image x (40, 33)
    "bits_per_pixel": lambda x: pyramids.bits_per_pixel(laplacian(x)),
    "blend": lambda x: pyramids.blend(x, x[::-1], mask(x), 3),
    "boost": lambda x: pyramids.boost(laplacian(x), [2.5, 0.5]),
    "decode": lambda x: pyramids.decode(coded(x)),
    "encode": coded,
    "entropy": lambda x: pyramids.entropy(x),
    "match_template": lambda x: [pyramids.match_template(x, x[r:r + 17, c:c + 20])
                                 for r, c in ((0, 0), (5, 7), (23, 13))],
    "mosaic": lambda x: pyramids.mosaic(laplacian(x)),
    "places": lambda x: pyramids.places(laplacian(x)),
    "psnr": lambda x: pyramids.psnr(x, x[:, ::-1]),
    "quantise": lambda x: pyramids.quantise(laplacian(x), 4)}
OF_A_KERNEL = {"aliased_energy", "cumulative_blur", "detail_of_square", "kernel", "report", "sigma",
               "taps"}  # take numbers that describe a filter, no images
ABOVE = {"BORDERS", "Code", "Pyramid", "collapse", "differentiable", "expand_to",
         "gaussian_pyramid", "laplacian_T", "laplacian_pyramid", "pyr_down", "pyr_down_T", "pyr_up",
         "pyr_up_T", "response"}


def test_no_public_function_is_left_out(xp):
    assert sorted(pyramids.__all__) == sorted(USES.keys() | OF_A_KERNEL | ABOVE)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("name", USES)
def test_uses(xp, name, dtype):
    x = image(dtype, (40, 33))
    if x.dtype.kind == "f":
        x = x * 100
    assert_same(USES[name](xp.asarray(x)), USES[name](x), steps=16)


def test_templates_are_found_where_they_were_cut_out(xp):
    x = xp.asarray(np.random.default_rng(1).integers(0, 256, (90, 121)).astype(np.uint8))
    for row, column in ((0, 0), (31, 50), (53, 81)):
        assert pyramids.match_template(x, x[row:row + 37, column:column + 40]) == (row, column)


def test_frequencies(xp):
    w = np.linspace(0, 3, 7)
    assert_same(pyramids.response(xp.asarray(w), 0.4), pyramids.response(w, 0.4))


# ---- Tensors -------------------------------------------------------------------------------------

@pytest.mark.parametrize("border", pyramids.BORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_both_orders(xp, dtype, border):
    options = dict(a=0.4, border=border)
    x = image(dtype, (13, 10))
    results = []
    for device in ("cuda", "cpu"):
        t = mg.Tensor(x.copy()).to(device)
        t.requires_grad = True
        levels = differentiable.laplacian_pyramid(t, **options)
        loss = sum((level**3).sum() for level in levels)
        loss = loss + (differentiable.gaussian_pyramid(t, 2, **options)[1]**2).sum()
        loss = loss + (differentiable.collapse(levels, **options)**2).sum()
        (first,) = mg.grad(loss, t, create_graph=True)
        (second,) = mg.grad((first**2).sum(), t)
        assert first.device == second.device == device
        results.append([level.data for level in levels] + [first.data, second.data])
    assert_same(*results, steps=64)


# ---- errors --------------------------------------------------------------------------------------

BAD = [
    lambda x: pyramids.pyr_down(x > 0),
    lambda x: pyramids.pyr_down(x.astype(np.int64)),
    lambda x: pyramids.pyr_down(x[:0]),
    lambda x: pyramids.pyr_down(x, a=2),
    lambda x: pyramids.pyr_down(x, border="mirror"),
    lambda x: pyramids.pyr_down(x, axes=(0, 2)),
    lambda x: pyramids.pyr_up(x, (12, 8)),
    lambda x: pyramids.pyr_down_T(x.astype(np.uint8), (12, 12)),
    lambda x: pyramids.pyr_down_T(x, (12, 8)),
    lambda x: pyramids.pyr_up_T(x.astype(np.int32)),
    lambda x: pyramids.gaussian_pyramid(x, 5),
    lambda x: pyramids.laplacian_pyramid(x, 2.0),
    lambda x: pyramids.collapse(pyramids.gaussian_pyramid(x)),
    lambda x: pyramids.collapse(laplacian(x), [7]),
    lambda x: pyramids.expand_to(laplacian(x), -1),
    lambda x: pyramids.laplacian_T(laplacian(x.astype(np.int8))),
    lambda x: dataclasses.replace(laplacian(x), levels=(x, x)),
    lambda x: pyramids.blend(x, x[:5], x > 0),
    lambda x: pyramids.blend(x, x.astype(np.float16), x > 0),
    lambda x: pyramids.blend(x, x, x[:5] > 0),
    lambda x: pyramids.blend(x, x, 2 + x * 0),
    lambda x: pyramids.boost(laplacian(x), [1] * 4),
    lambda x: pyramids.encode(x, 0),
    lambda x: pyramids.quantise(pyramids.laplacian_pyramid(x, exact=True), 1),
    lambda x: pyramids.match_template(x[:4], x),
    lambda x: pyramids.match_template(x, 0 * x[:4]),
    lambda x: pyramids.mosaic(pyramids.laplacian_pyramid(x, axes=(0,))),
    lambda x: pyramids.psnr(x, x[:4]),
    lambda x: differentiable.pyr_down(mg.Tensor(x.astype(np.int16))),
    lambda x: differentiable.collapse([mg.Tensor(x), mg.Tensor(x)])]


@pytest.mark.parametrize("call", BAD, ids=range(len(BAD)))
def test_errors_are_the_cpus(xp, call):
    x = image("float32", (6, 7))
    caught = []
    for x in (x, xp.asarray(x)):
        with pytest.raises((TypeError, ValueError)) as error:
            call(x)
        caught.append((error.type, str(error.value)))
    assert caught[0] == caught[1] and "\n" not in caught[0][1]


MIXED = [
    lambda x, g: pyramids.blend(x, g, x > 0), lambda x, g: pyramids.blend(g, g, x > 0),
    lambda x, g: pyramids.psnr(x, g), lambda x, g: pyramids.psnr(g, x),
    lambda x, g: pyramids.match_template(g, x[:4, :4]),
    lambda x, g: dataclasses.replace(laplacian(g), levels=(x, *laplacian(g)[1:]))]


@pytest.mark.parametrize("call", MIXED, ids=range(len(MIXED)))
def test_arrays_on_two_devices_are_one_clear_error(xp, call):
    x = image("float32", (6, 7))
    with pytest.raises(TypeError) as error:
        call(x, xp.asarray(x))
    assert str(error.value) == ("some arrays are NumPy's and some CuPy's: move them to one device, "
                                "with cupy.asarray(x) or x.get()")


def test_levels_on_two_devices_do_not_collapse(xp):
    fine, top = (mg.Tensor(np.ones(shape, np.float32)) for shape in ((4, 4), (2, 2)))
    with pytest.raises(TypeError, match="numpy.ndarray"):
        differentiable.collapse([fine, top.to("cuda")])
