"""Pyramids of Tensors: gradients against numbers and against the adjoints, values bit for bit."""

import dataclasses

import numpy as np
import pytest

import minigrad as mg
import pyramids
from minigrad.gradcheck import gradcheck, gradgradcheck
from pyramids import BORDERS, differentiable
from tests.one_line import one_line

each_border = pytest.mark.parametrize("border", BORDERS)


def flat(levels):
    return mg.concatenate([level.reshape(-1) for level in levels])


@each_border
@pytest.mark.parametrize("shape", [(5, 8), (1, 7), (2, 3), (3, 4, 5)])
def test_gradients_of_both_orders_agree_with_differences(border, shape, rng):
    options = dict(a=0.4, border=border, axes=(-1, -2))

    def image_to_levels(x):
        return flat(level**3 for level in differentiable.laplacian_pyramid(x, **options))

    def gaussian(x):
        return flat(level**2 for level in differentiable.gaussian_pyramid(x, 2, **options))

    def levels_to_image(*levels):
        return differentiable.collapse(levels, **options)**3

    x = rng.normal(size=shape)
    levels = [rng.normal(size=level.shape) for level in pyramids.gaussian_pyramid(x, 3 - (
        shape == (2, 3)))]
    for f, inputs in ((image_to_levels, [x]), (gaussian, [x]), (levels_to_image, levels)):
        gradcheck(f, inputs)  # to 1e-7
        gradgradcheck(f, inputs)


@each_border
def test_the_gradient_is_the_adjoint(border, rng):
    for shape in ((17, 12), (9, 33), (1, 6)):
        x = mg.Tensor(rng.normal(size=shape), requires_grad=True)
        plain = pyramids.laplacian_pyramid(x.data, border=border)
        cotangents = dataclasses.replace(plain, levels=tuple(rng.normal(size=level.shape)
                                                             for level in plain))
        levels = differentiable.laplacian_pyramid(x, border=border)
        sum((level * g).sum() for level, g in zip(levels, cotangents)).backward()
        assert np.abs(x.grad.data - pyramids.laplacian_T(cotangents)).max() <= 1e-13


@each_border
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_equal_the_plain_ones_bit_for_bit(border, dtype, rng):
    for shape, a, axes in (((37, 20), 0.375, (0, 1)), ((5, 16, 3), 0.4, (0, 1)),
                           ((2, 9), 0.6, (1,))):
        x = rng.normal(size=shape).astype(dtype)
        options = dict(a=a, border=border, axes=axes)
        for build in ("gaussian_pyramid", "laplacian_pyramid"):
            plain = getattr(pyramids, build)(x, **options)
            levels = getattr(differentiable, build)(mg.Tensor(x, requires_grad=True), **options)
            assert len(levels) == len(plain)
            for level, expected in zip(levels, plain):
                assert level.dtype == dtype and level.data.tobytes() == expected.tobytes()
        rebuilt = differentiable.collapse(levels, **options)
        assert rebuilt.data.tobytes() == pyramids.collapse(plain).tobytes()


def test_a_loss_on_levels_sharpens_an_image_by_descent(rng):
    """What it is for: an image found by its Laplacian levels alone."""
    wanted = pyramids.laplacian_pyramid(rng.random((16, 16)))
    x = mg.Tensor(np.zeros((16, 16)), requires_grad=True)
    losses = []
    for _ in range(60):
        levels = differentiable.laplacian_pyramid(x)
        loss = sum(((level - target)**2).sum() for level, target in zip(levels, wanted))
        x.grad = None
        loss.backward()
        x = mg.Tensor(x.data - 0.4 * x.grad.data, requires_grad=True)
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 50 and losses == sorted(losses, reverse=True)


def test_arrays_give_arrays(rng):
    x = rng.normal(size=(6, 5))
    assert type(differentiable.pyr_down(x)) is np.ndarray
    levels = differentiable.laplacian_pyramid(x)
    assert all(type(level) is np.ndarray for level in levels)
    np.testing.assert_allclose(differentiable.collapse(levels), x, atol=1e-15)


def test_errors_name_what_is_allowed():
    x = mg.Tensor(np.zeros((4, 6), np.int16))
    for call in (differentiable.pyr_down, differentiable.gaussian_pyramid,
                 differentiable.laplacian_pyramid, lambda x: differentiable.pyr_up(x, (8, 12)),
                 lambda x: differentiable.collapse([x])):
        with one_line(TypeError, "int16", "float32"):
            call(x)
    x = mg.Tensor(np.zeros((4, 6)))
    with one_line(ValueError, "allows 1 to 4"):
        differentiable.laplacian_pyramid(x, 5)
    with one_line(ValueError, "1 level or more"):
        differentiable.collapse([])
    with one_line(ValueError, "(7 or 8, 11 or 12)"):
        differentiable.collapse([mg.Tensor(np.zeros((8, 10))), x])
