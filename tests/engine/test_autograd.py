"""The backward pass: what reaches `.grad`, higher derivatives, hooks, no_grad, new ops."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import Function, Tensor, grad, no_grad
from tests.one_line import one_line


def leaf(*values, dtype="float64"):
    return Tensor(np.array(values, dtype), requires_grad=True)


def values(x):
    return x.data.tolist()


# ---- backward and .grad --------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_grad_is_a_tensor_like_its_leaf(dtype):
    x = leaf(1.0, 2.0, dtype=dtype)
    y = (x * x).sum()
    assert x.grad is None and y.grad is None
    y.backward()
    assert isinstance(x.grad, Tensor) and x.grad.dtype == dtype and x.grad.shape == (2,)
    assert values(x.grad) == [2, 4] and not x.grad.requires_grad and y.grad is None


def test_gradients_accumulate_over_uses_and_over_backwards():
    x = leaf(3.0)
    (x * x + x * 5 + x).backward()
    assert values(x.grad) == [12]
    first = x.grad
    (2 * x).backward()
    assert values(x.grad) == [14] and values(first) == [12]
    x.grad = None
    (2 * x).backward()
    assert values(x.grad) == [2]


def test_accumulated_gradients_keep_the_dtype():
    x = leaf(1.0, dtype="float32")
    x.grad = Tensor(np.ones(1))
    (x * 2).backward()
    assert x.grad.dtype == np.float32 and values(x.grad) == [3]


def test_a_gradient_can_be_passed_in():
    x = leaf(1.0, 2.0)
    for gradient in (Tensor([1.0, 10.0]), np.array([1, 10]), [1, 10]):
        x.grad = None
        (x * x).backward(gradient)
        assert values(x.grad) == [2, 40] and x.grad.dtype == np.float64


def test_a_leaf_is_its_own_gradient():
    x = leaf(1.0, 2.0)
    seed = np.array([3.0, 4.0])
    x.backward(seed)
    seed[:] = 0
    assert values(x.grad) == [3, 4]


def test_branches_that_require_nothing_are_left_alone():
    x, c = leaf(2.0), Tensor(np.array([5.0]))
    y = x * c + mg.exp(c)
    y.backward()
    assert values(x.grad) == [5] and c.grad is None and not mg.exp(c).requires_grad


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_no_memory(create_graph):
    a, b, seed = leaf(1.0, 2.0), leaf(3.0, 4.0), Tensor(np.ones(2))
    (a + b + seed).backward(seed, create_graph=create_graph)
    for g in (a.grad, b.grad):
        assert not np.shares_memory(g.data, seed.data) and g.data.flags.writeable
    assert a.grad is not b.grad and not np.shares_memory(a.grad.data, b.grad.data)


# ---- a graph lives until its first backward ------------------------------------------------------

def test_a_freed_graph_says_what_to_pass():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    for again in (y.backward, lambda: grad(y, x), lambda: grad(y, x, allow_unused=True)):
        with one_line(RuntimeError, "freed", "retain_graph=True"):
            again()
    assert values(x.grad) == [2, 4]


def test_grad_frees_too():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    grad(y, x)
    for again in (y.backward, lambda: grad(y, x), lambda: grad(y, x, allow_unused=True)):
        with one_line(RuntimeError, "freed", "retain_graph=True"):
            again()


def test_a_shared_part_is_freed_with_the_first():
    x = leaf(1.0)
    shared = mg.exp(x)
    (shared * 2).backward()
    with one_line(RuntimeError, "Exp", "retain_graph=True"):
        (shared * 3).backward()


def test_retain_graph_allows_another_backward():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    assert values(grad(y, x, retain_graph=True)[0]) == [6]
    y.backward()
    assert values(x.grad) == [12]
    with one_line(RuntimeError, "retain_graph=True"):
        y.backward()


# ---- derivatives of derivatives ------------------------------------------------------------------

def test_create_graph_to_third_order():
    x = leaf(2.0, 3.0)
    y = (x**4).sum()
    derivatives = []
    for _ in range(3):
        (y,) = grad(y.sum(), x, create_graph=True)
        derivatives.append(values(y))
    assert derivatives == [[32, 108], [48, 108], [48, 72]]  # 4x^3, 12x^2, 24x


def test_backward_with_create_graph_to_third_order():
    x = leaf(0.3)
    mg.sin(x).backward(create_graph=True)
    for expected in (np.cos(0.3), -np.sin(0.3), -np.cos(0.3)):
        g, x.grad = x.grad, None
        assert g.data[0] == pytest.approx(expected, rel=1e-15)
        g.backward(create_graph=True)


def test_create_graph_differentiates_the_gradient_passed_in():
    x, v = leaf(3.0), leaf(5.0)
    (g,) = grad(x**2, x, v, create_graph=True)  # 2 x v
    assert [values(d) for d in grad(g, [x, v])] == [[10], [6]]


def test_a_gradient_passed_in_takes_the_dtype_of_the_output():
    x = leaf(3.0, dtype="float32")
    (x * x).backward(Tensor(np.ones(1)), create_graph=True)
    assert x.grad.dtype == np.float32


def test_accumulation_under_create_graph_stays_in_the_graph():
    x = leaf(2.0)
    (x**2).backward(create_graph=True)
    (x**3).backward(create_graph=True)
    (g,) = grad(x.grad, x)  # d(2x + 3x^2)
    assert values(g) == [14]


# ---- grad() --------------------------------------------------------------------------------------

def test_grad_of_inner_nodes_touches_no_grad_attribute():
    x = leaf(2.0)
    h = x * x
    y = mg.exp(h) * 1.0
    gh, gx, gy = grad(y, [h, x, y])
    assert values(gy) == [1] and values(gh) == [np.exp(4)] and values(gx) == [4 * np.exp(4)]
    assert x.grad is None and h.grad is None


def test_grad_runs_and_frees_only_the_path():
    x, w = leaf(2.0), leaf(3.0)
    h = x * x
    side = mg.exp(w)
    y = h * side
    grad(y, h)  # neither h's own node nor the branch of w is on the way
    assert values(grad(h, x)[0]) == [4]
    side.backward()
    assert values(w.grad) == [np.exp(3)]
    assert values(grad((h * 3).sum(), h)[0]) == [3]  # h's node is freed, but only an end point


def test_grad_sums_over_outputs_with_their_weights():
    x = leaf(1.0, 2.0)
    (g,) = grad([x * x, x * 3], x, [np.array([1.0, 1.0]), np.array([10.0, 0.0])])
    assert values(g) == [32, 4]
    y = x.sum()
    assert values(grad([y, y], [x], retain_graph=True)[0]) == [2, 2]


def test_grad_says_what_is_unused():
    x, w = leaf(1.0), leaf(2.0)
    y = x * x
    with one_line(RuntimeError, "input 1", "allow_unused=True"):
        grad(y, [x, w], retain_graph=True)
    assert grad(y, [x, w], allow_unused=True)[1] is None


@pytest.mark.parametrize("act, error, words", [
    (lambda x: (x * 2).backward(), RuntimeError, ["gradient of shape (2,)"]),
    (lambda x: (x * 2).backward([1.0]), ValueError, ["(1,)", "(2,)"]),
    (lambda x: (x * 2).backward([1.0, np.nan]), ValueError, ["NaN"]),
    (lambda x: x.detach().backward([1.0, 1.0]), RuntimeError, ["no graph"]),
    (lambda x: Tensor(1.0).backward(), RuntimeError, ["no graph"]),
    (lambda x: grad(x * 2, x), RuntimeError, ["gradient of shape (2,)"]),
    (lambda x: grad(x.sum(), x, [1.0, 2.0]), ValueError, ["1 outputs but 2"]),
    (lambda x: grad(x.sum(), x, np.ones(2)), ValueError, ["(2,)", "()"]),
    (lambda x: grad(x.sum(), Tensor(1.0)), RuntimeError, ["input 0", "does not require"]),
    (lambda x: grad(Tensor(1.0), x), RuntimeError, ["no graph"]),
    (lambda x: x.detach().register_hook(print), RuntimeError, ["does not require"])])
def test_what_cannot_be_differentiated_is_said(act, error, words):
    x = leaf(1.0, 2.0)
    with one_line(error, *words):
        act(x)
    assert x.grad is None


# ---- hooks ---------------------------------------------------------------------------------------

def test_a_hook_on_a_leaf_sees_the_whole_gradient_once():
    x, seen = leaf(3.0), []
    x.register_hook(lambda g: seen.append(values(g)))
    (x * x + x * 5).backward()
    assert seen == [[11]] and values(x.grad) == [11]


def test_a_hook_on_an_inner_node_can_replace_the_gradient():
    x = leaf(3.0)
    h = x * x
    h.register_hook(lambda g: g * 10)
    (h + h).backward(retain_graph=True)
    assert values(x.grad) == [120]
    assert values(grad(h * 1.0, h)[0]) == [10]


def test_hooks_run_in_order_until_removed():
    x, calls = leaf(1.0), []
    first = x.register_hook(lambda g: calls.append("first"))
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: calls.append(values(g)))
    (x * 2).backward()
    first.remove()
    (x * 2).backward()
    assert calls == ["first", [3], [3]] and values(x.grad) == [6]


def test_hooks_see_tensors_and_stay_in_the_graph():
    x = leaf(2.0)
    hook = x.register_hook(lambda g: g * g)
    (g,) = grad(x**3, x, create_graph=True)  # (3 x^2)^2
    hook.remove()
    assert values(g) == [144] and values(grad(g, x)[0]) == [288]  # 36 x^3


@pytest.mark.parametrize("returned, words", [
    (np.ones(2), ["ndarray"]), (1.0, ["float"]), (Tensor(1.0), ["Tensor", "()"])], ids=repr)
@pytest.mark.parametrize("inner", [False, True])
def test_a_hook_returns_none_or_a_tensor_of_the_same_shape(returned, words, inner):
    x = leaf(1.0, 2.0)
    y = x * 2
    (y if inner else x).register_hook(lambda g: returned)
    with one_line(TypeError, "hook", "(2,)", *words):
        (y * y).sum().backward()
    assert x.grad is None


# ---- no_grad -------------------------------------------------------------------------------------

def test_no_grad_nests_and_survives_exceptions():
    x = leaf(1.0)

    @no_grad()
    def quietly():
        return x * 2

    with pytest.raises(ZeroDivisionError):
        with no_grad():
            with no_grad():
                assert not (x * 2).requires_grad
            assert not (x * 2).requires_grad
            raise ZeroDivisionError
    assert not quietly().requires_grad and (x * 2).requires_grad


def test_no_grad_does_not_stop_a_backward():
    x = leaf(3.0)
    y = x * x
    with no_grad():
        y.backward()
        assert values(x.grad) == [6] and not (x * 2).requires_grad


def test_no_grad_holds_for_one_thread():
    x, seen = leaf(1.0), []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


class Failing(Function):
    """An op whose backward fails."""

    def forward(self, x):
        return x + 0

    def backward(self, gy):
        raise ZeroDivisionError


def test_a_failing_backward_leaves_the_mode_and_the_gradients():
    x, w = leaf(1.0), leaf(2.0)
    y = Failing()(x) * w
    for create_graph in (False, True):
        with no_grad(), pytest.raises(ZeroDivisionError):
            y.backward(create_graph=create_graph, retain_graph=True)
        assert (x * 2).requires_grad and x.grad is None and w.grad is None


# ---- an op of one's own --------------------------------------------------------------------------

class Scale(Function):
    """y = a x, with one method per gradient."""

    def forward(self, a, x):
        return a * x

    def grad_a(self, gy, x):
        return gy * x

    def grad_x(self, gy, a):
        return gy * a


def test_a_new_op_is_one_class():
    a, x = leaf(2.0), leaf(3.0)
    y = Scale()(a, x)
    (ga, gx) = grad(y, [a, x], create_graph=True)
    assert values(ga) == [3] and values(gx) == [2]
    assert values(grad(ga, x)[0]) == [1]
    assert Scale()(2.0, np.array([3.0])).tolist() == [6]  # arrays in, array out


def test_a_backward_that_asks_for_nonsense_is_refused_at_once():
    with one_line(TypeError, "'z'", "x"):
        class Wrong(Function):
            def forward(self, x):
                return x

            def backward(self, gy, z):
                return gy
