"""Clipping gradients: golden numbers, PyTorch's results, what is not finite, bad limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigrad import Tensor
from minigrad.optim import clip_grad_norm_, clip_grad_value_
from tests.one_line import one_line


def with_gradients(*gradients):
    """Parameters with these gradients; None for one without."""
    params = []
    for g in gradients:
        p = Tensor(np.zeros(np.shape(g)), requires_grad=True)
        p.grad = None if g is None else Tensor(np.array(g, float))
        params.append(p)
    return params


def gradients(params):
    return [None if p.grad is None else p.grad.data.tolist() for p in params]


@pytest.mark.parametrize("limit, expected", [
    (1, [0.6 * (1 - 2e-7), 0.8 * (1 - 2e-7)]), (5, [2.9999994, 3.9999992]), (6, [3, 4])])
def test_the_norm_is_that_of_all_gradients_together(limit, expected):
    params = with_gradients(3, None, 4)
    assert clip_grad_norm_(params, limit) == 5
    assert params[1].grad is None
    assert [params[0].grad.item(), params[2].grad.item()] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order, norm", [(1, 7), (2, 5), (math.inf, 4), (3, 91 ** (1 / 3))])
def test_other_norms(order, norm):
    assert clip_grad_norm_(with_gradients([3.0, 0], [[-4.0]]), 1, order) == pytest.approx(norm)


def test_values_are_clipped_one_by_one():
    params = with_gradients([-0.3, 0.05, 0.1, math.inf, -math.inf, math.nan], None, -7)
    clip_grad_value_(params, 0.1)
    np.testing.assert_array_equal(params[0].grad.data, [-0.1, 0.05, 0.1, 0.1, -0.1, math.nan])
    assert params[1].grad is None and params[2].grad.item() == -0.1


@pytest.mark.parametrize("bad, after", [(math.nan, [math.nan] * 2), (math.inf, [math.nan, 0])])
def test_a_norm_that_is_not_finite(bad, after):
    params = with_gradients([bad, 1.0])
    with one_line(RuntimeError, "order 2.0", str(bad)):
        clip_grad_norm_(params, 1, error_if_nonfinite=True)
    np.testing.assert_array_equal(params[0].grad.data, [bad, 1])
    assert str(clip_grad_norm_(params, 1)) == str(bad)
    np.testing.assert_array_equal(params[0].grad.data, after)


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_one_tensor_a_generator_and_nothing(clip):
    p, q, r = with_gradients([30.0], [40.0], None)
    clip(p, 1)
    clip(iter([q, r]), 1)
    assert gradients([p, q, r]) == [pytest.approx([1]), pytest.approx([1]), None]
    assert not clip([r], 1) and not clip([], 1)


def test_a_gradient_without_elements_adds_nothing():
    assert clip_grad_norm_(with_gradients([], [3.0, 2.0]), 1, math.inf) == 3


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_the_change_is_in_place_and_counted(clip):
    """A graph that saved the gradient, for a second derivative, must not run backward any more."""
    (p,) = with_gradients([30.0])
    memory, changes = p.grad.data, p.grad.version_counter().version
    clip(p, 1)
    assert p.grad.data is memory and p.grad.version_counter().version == changes + 1


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
@pytest.mark.parametrize("limit", [-1, math.nan])
def test_bad_limits_are_named(clip, limit):
    with one_line(ValueError, clip.__name__, str(limit)):
        clip(with_gradients([1.0]), limit)


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
@pytest.mark.parametrize("limit", ["1", None, [1.0]])
def test_what_is_no_limit_is_named(clip, limit):
    with one_line(TypeError, clip.__name__, "must be a number", repr(limit)):
        clip(with_gradients([1.0]), limit)


@pytest.mark.parametrize("order", [0, -1, -math.inf, math.nan])
def test_an_order_that_makes_no_norm_is_named(order):
    with one_line(ValueError, "clip_grad_norm_", "norm_type", str(order)):
        clip_grad_norm_(with_gradients([1.0]), 1, order)


values = st.floats(-1e3, 1e3)


@given(arrays=st.lists(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_side=4),
                                  elements=values), min_size=1, max_size=4),
       limit=st.floats(0, 2e3), order=st.sampled_from([1.0, 2.0, 3.0, math.inf]),
       dtype=st.sampled_from(["float32", "float64"]))
def test_as_torch(arrays, limit, order, dtype):
    torch = pytest.importorskip("torch")
    tolerance = {"float32": 3e-6, "float64": 1e-12}[dtype]
    arrays = [a.astype(dtype) for a in arrays]

    def run(clip, make, *rest):
        params = [make(np.zeros_like(a)) for a in arrays]
        for p, a in zip(params, arrays):
            p.grad = make(a.copy())
        return clip(params, limit, *rest), [np.asarray(p.grad.data) for p in params]

    for mine, theirs, rest in (
            (clip_grad_norm_, torch.nn.utils.clip_grad_norm_, [order]),
            (clip_grad_value_, torch.nn.utils.clip_grad_value_, [])):
        norm, clipped = run(mine, Tensor, *rest)
        other, expected = run(theirs, lambda a: torch.tensor(a), *rest)
        assert rest == [] or norm == pytest.approx(float(other), tolerance, 1e-30)
        for a, b in zip(clipped, expected):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, b, tolerance, 1e-30)
