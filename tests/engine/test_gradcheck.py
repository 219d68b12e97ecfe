"""gradcheck, and the derivatives it and others are made of: they must also catch what is wrong."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Function, GradcheckError, Tensor, gradcheck, gradgradcheck, hessian, jacobian
from minigrad.ops.arithmetic import Mul
from tests.one_line import one_line

METHODS = ["central", "complex"]


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.3, 1.5, shape)


def composite(x, w):
    return mg.softmax(mg.tanh(x @ w) * mg.log(x).sum(), 1) / (1 + mg.exp(w).mean())


# ---- negative controls: each op is wrong in one way ----------------------------------------------

class WrongSign(Mul):
    def grad_b(self, gy, a):
        return -gy * a


class WrongFactor(Mul):
    def grad_b(self, gy, a):
        return gy * a * (1 + 1e-5)


class WrongInput(Mul):
    def grad_b(self, gy, b):
        return gy * b


class Forgotten(Mul):
    def grad_b(self, gy):
        return gy * 0


class WrongShape(Mul):
    def grad_b(self, gy, a):
        return (gy * a).reshape(-1, 1)


class NoUpstream(Mul):
    """Right for an upstream gradient of ones, which is why gradcheck draws a random one."""

    def grad_b(self, gy, a):
        return a * (gy == gy)


class DroppedTerm(Function):
    """y = x e^x, whose derivative has two terms."""

    def forward(self, x):
        return x * np.exp(x)

    def backward(self, gy, y):
        return gy * y


class OneElement(Function):
    """y = x^2, wrong in the last element only."""

    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        wrong = np.ones(x.shape)
        wrong[-1] = 1.001
        return gy * 2 * x * wrong


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("op", [WrongSign, WrongFactor, WrongInput, Forgotten, WrongShape,
                                NoUpstream])
@pytest.mark.parametrize("shape", [(), (2, 3), (300,)], ids=str)
def test_a_wrong_backward_is_caught(op, shape, method):
    arrays = [random(*shape), random(*shape, seed=1)]
    assert gradcheck(Mul(), arrays, method)
    with one_line(GradcheckError, op.__name__, "argument 1"):
        gradcheck(op(), arrays, method)


@pytest.mark.parametrize("size", [3, 300])
@pytest.mark.parametrize("op", [DroppedTerm, OneElement])
def test_a_dropped_term_and_a_single_wrong_element_are_caught(op, size):
    with one_line(GradcheckError, op.__name__, "argument 0"):
        gradcheck(op(), [random(size)])


def test_the_message_names_op_argument_index_and_both_numbers():
    x = np.array([[1.0, 2.0]])
    y = np.array([[3.0, 4.0]])
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda a, b: WrongSign()(a, b), [x, y])
    v = np.random.default_rng(0).standard_normal((1, 2))[0, 0]
    message = str(caught.value)
    assert message.startswith("WrongSign: gradient of argument 1 at index (0, 0): ")
    assert f"backward gives {-v * 1.0}, numerically it is {v:.6f}" in message
    assert "np.float64" not in message


def test_large_inputs_are_moved_along_a_random_direction():
    with one_line(GradcheckError, "argument 1, along a random direction"):
        gradcheck(WrongSign(), [random(201), random(201, seed=1)])
    with one_line(GradcheckError, "argument 1 at index (0,)"):
        gradcheck(WrongSign(), [random(200), random(200, seed=1)])


class SlightlyWrong(Mul):
    def grad_b(self, gy, a):
        return gy * a * (1 + 1e-10)


def test_the_complex_step_sees_what_differences_cannot():
    arrays = [random(4), random(4, seed=1)]
    assert gradcheck(SlightlyWrong(), arrays)
    with one_line(GradcheckError, "argument 1"):
        gradcheck(SlightlyWrong(), arrays, "complex")


# ---- second order --------------------------------------------------------------------------------

class Unrecorded(Function):
    """y = sin x with the right gradient, computed where the graph cannot see it."""

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy, x):
        return gy * np.cos(x.data if isinstance(x, Tensor) else x)


def test_gradgradcheck_catches_a_gradient_outside_the_graph():
    x = [random(3)]
    assert gradcheck(Unrecorded(), x)
    with pytest.raises(GradcheckError):
        gradgradcheck(Unrecorded(), x)


@pytest.mark.parametrize("method", METHODS)
def test_right_gradients_pass(method):
    arrays = [random(3, 4), random(4, 2, seed=1)]
    assert gradcheck(composite, arrays, method)
    assert gradgradcheck(composite, arrays, method)
    assert gradcheck(lambda x: mg.sin(x).sum(), [random(15, 20)], method)


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_special_shapes_pass(check):
    assert check(mg.exp, [np.array(0.5)]) and check(mg.exp, [np.zeros((0, 3))])
    assert check(lambda x: x * x, [random(2, 2).T[::-1]])
    assert check(lambda x, y: mg.exp(x), [random(2), random(3)])  # y is unused
    assert check(lambda x: Tensor(np.ones(2)), [random(2)])  # a constant
    assert check(lambda x: x.detach() * 0 + x, [random(2)])


@pytest.mark.parametrize("x, method, error, words", [
    (np.ones(2, np.float32), "central", TypeError, ["argument 0", "float32", "float64"]),
    (np.ones(2, int), "central", TypeError, ["int64"]),
    (np.array([1.0, np.nan]), "central", ValueError, ["argument 0", "NaN"]),
    (np.ones(2), "forward", ValueError, ["'forward'", "'complex'"])])
def test_what_cannot_be_checked_is_refused(x, method, error, words):
    with one_line(error, *words):
        gradcheck(mg.exp, [x], method)


def test_nan_in_the_gradient_is_caught():
    with one_line(GradcheckError, "nan"):
        gradcheck(lambda x: x * np.array([1.0, np.nan]), [random(2)])


# ---- jvp, jacobian, hessian ----------------------------------------------------------------------

@pytest.mark.parametrize("f", [
    composite, lambda x, w: x @ w, lambda x, w: (x * x).sum(), lambda x, w: mg.exp(w).T,
    lambda x, w: mg.relu(x - 1), lambda x, w: x[[0, 0, 2]].reshape(-1)], ids=range(6))
def test_jvp_agrees_with_central_differences(f):
    inputs, tangents = [random(3, 4), random(4, 2, seed=1)], [random(3, 4, seed=2), random(4, 2)]
    y, jt = mg.jvp(f, inputs, tangents)

    def moved(h):
        return f(*[Tensor(x + h * t) for x, t in zip(inputs, tangents)]).data

    assert not y.requires_grad and not jt.requires_grad and jt.shape == y.shape
    np.testing.assert_array_equal(y.data, moved(0))
    h = 6e-6
    np.testing.assert_allclose(jt.data, (moved(h) - moved(-h)) / (2 * h), rtol=1e-8, atol=1e-8)


def test_jvp_of_a_constant_is_zero():
    y, jt = mg.jvp(lambda x: Tensor(np.ones(2)), [random(3)], [random(3)])
    assert y.data.tolist() == [1, 1] and jt.data.tolist() == [0, 0]
    y, jt = mg.jvp(lambda x: x.detach() + Tensor(1.0, requires_grad=True), [random(3)], [random(3)])
    assert jt.data.tolist() == [0, 0, 0]


def test_jvp_wants_a_tangent_for_each_input():
    with one_line(ValueError, "jvp", "(3,)", "(2,)"):
        mg.jvp(mg.exp, [random(3)], [random(2)])
    with one_line(ValueError, "jvp"):
        mg.jvp(mg.exp, [random(3)], [])


def test_jacobian_against_the_formula():
    x = random(4)
    s = np.exp(x) / np.exp(x).sum()
    j = jacobian(lambda x: mg.softmax(x, 0), x)
    np.testing.assert_allclose(j.data, np.diag(s) - np.outer(s, s), rtol=1e-13)
    w, z = random(3, 2), random(3, 5, seed=1)
    j = jacobian(lambda w: w.T @ Tensor(z), w)  # d(sum_a w_ai z_ab) / d w_cj = z_cb [i = j]
    np.testing.assert_array_equal(j.data, np.einsum("cb,ij->ibcj", z, np.eye(2)))


def test_jacobian_and_hessian_of_a_constant_are_zero():
    w = Tensor(np.ones(3), requires_grad=True)
    for f in (lambda x: Tensor(np.ones(())), lambda x: (w * w).sum()):
        assert jacobian(f, random(2)).data.tolist() == [0, 0]
        assert hessian(f, random(2)).data.tolist() == [[0, 0], [0, 0]]
    assert hessian(lambda x: (x * 3).sum(), random(2)).data.tolist() == [[0, 0], [0, 0]]


def test_hessian_against_the_formula():
    x = random(2, 2)
    a = np.arange(16.0).reshape(4, 4)
    h = hessian(lambda x: (x.reshape(-1) @ Tensor(a)) @ x.reshape(-1), x)
    np.testing.assert_allclose(h.data.reshape(4, 4), a + a.T, rtol=1e-14)
    h = hessian(lambda x: mg.logsumexp(x, 0), x.ravel())
    s = np.exp(x.ravel()) / np.exp(x).sum()
    np.testing.assert_allclose(h.data, np.diag(s) - np.outer(s, s), rtol=1e-12)
    with one_line(RuntimeError, "gradient of shape (2, 2)"):
        hessian(mg.exp, x)


def test_derivatives_leave_the_callers_tensors_alone():
    x = Tensor(random(3), requires_grad=True)
    for f in (jacobian, hessian):
        f(lambda x: (x * x).sum(), x)
    mg.jvp(mg.exp, [x], [x.detach()])
    gradcheck(mg.exp, [x])
    assert x.grad is None and (x.data == random(3)).all()
