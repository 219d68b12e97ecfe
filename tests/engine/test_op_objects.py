"""An op of one's own: used again, kept in a Module, and held to what its backward returns."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

from minigrad import Function, Tensor, grad, nn, no_grad
from minigrad.ops.activation import Tanh
from tests.one_line import one_line


def leaf(*values, dtype="float64"):
    return Tensor(np.array(values, dtype), requires_grad=True)


def values(x):
    return x.data.tolist()


class Square(Function):
    """y = x^2, as in the README."""

    def forward(self, x):
        return x * x

    def backward(self, gy, x):
        return 2 * gy * x


class Times(Function):
    """y = factor x, with state that forward leaves for backward, on x of any shape."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        self.index = x.shape  # a name that an author may well choose
        return x * self.factor

    def backward(self, gy):
        assert gy.shape == self.index
        return gy * self.factor


# ---- one object, many calls ----------------------------------------------------------------------

def test_one_object_used_twice():
    op, x1, x2 = Square(), leaf(3.0), leaf(5.0)
    (op(x1) + op(x2)).sum().backward()
    assert values(x1.grad) == [6] and values(x2.grad) == [10]


def test_one_object_used_on_its_own_result():
    op, x = Square(), leaf(2.0)
    y = op(op(op(x)))  # x^8
    (g,) = grad(y, x, create_graph=True)
    assert values(g) == [8 * 2**7] and values(grad(g, x)[0]) == [56 * 2**6]


def test_state_that_forward_leaves_belongs_to_one_call():
    op, a, b = Times(3), leaf(1.0, 2.0), leaf(1.0, 2.0, 3.0)
    ya = op(a)
    with no_grad():
        op(leaf(1.0, 2.0, 3.0, 4.0))
    yb = op(b)
    op(np.ones(7))
    (ya.sum() + yb.sum()).backward()
    assert values(a.grad) == [3, 3] and values(b.grad) == [3, 3, 3]


def test_an_op_that_a_module_keeps():
    class Net(nn.Module):
        def __init__(self):
            self.act = Square()

        def forward(self, x):
            return self.act(self.act(x) + x)

    net = Net()
    for _ in range(3):
        x = leaf(2.0)
        net(x).backward()
        assert values(x.grad) == [2 * 6 * 5]  # (x^2 + x)^2
    twin = copy.deepcopy(net)
    x = leaf(2.0)
    (net(x) + twin(x)).backward()
    assert values(x.grad) == [120]


def test_a_copied_or_pickled_op_has_no_graph():
    op = Times(2)
    node = op(leaf(1.0)).node
    for other in (copy.copy(op), copy.deepcopy(op), pickle.loads(pickle.dumps(op))):
        assert vars(other) == {"factor": 2}
        assert other(np.ones(1)) == [2]
    for other in (copy.copy(node), copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert vars(other) == {"factor": 2, "index": (1,)}
        assert other(np.ones(1)) == [2]


def test_a_kept_op_keeps_no_graph():
    gc.disable()
    try:
        op, x = Square(), leaf(2.0)
        y = op(x * 1)
        dead = weakref.ref(y.node.parents[0])
        del y
        assert dead() is None and vars(op) == {}
    finally:
        gc.enable()


def test_a_kept_op_of_minigrad_lets_go_of_its_first_graph():
    gc.disable()
    try:
        op, x = Tanh(), leaf(2.0)
        y = op(x * 1)
        dead = weakref.ref(y.node.parents[0])
        y.backward()
        op(x)
        assert dead() is None
        with one_line(RuntimeError, "Tanh", "freed"):
            y.backward()
    finally:
        gc.enable()


def test_a_hyper_parameter_changed_between_calls():
    op, x = Times(2), leaf(1.0)
    y = op(x)
    op.factor = 5
    (y + op(x)).backward()
    assert values(x.grad) == [7]


@pytest.mark.parametrize("make, put", [
    (list, lambda op, x: op.cache.append(x)), (dict, lambda op, x: op.cache.update({-1: x}))])
def test_what_forward_puts_into_a_list_or_a_dict_belongs_to_one_call(make, put):
    class Cached(Function):
        def __init__(self):
            self.cache = make()

        def forward(self, x):
            put(self, x)
            return x * x

        def backward(self, gy):
            return 2 * gy * self.cache[-1]

    op, a, b = Cached(), leaf(3.0), leaf(5.0)
    (op(a) + op(b)).backward()
    assert values(a.grad) == [6] and values(b.grad) == [10]
    assert len(op.cache) == 0


@pytest.mark.parametrize("name", ["parents", "saved", "hooks", "sources", "dtypes"])
def test_names_that_the_engine_uses_are_refused(name):
    class Edges(Function):
        def __init__(self, **attributes):
            vars(self).update(attributes)

        def forward(self, x):
            return x + 0

        def backward(self, gy):
            return gy

    with one_line(AttributeError, "Edges", f"self.{name}"):
        Edges(**{name: (1, 2)})(leaf(1.0))

    class Late(Edges):
        def forward(self, x):
            self.saved = x
            return x + 0

    with one_line(AttributeError, "Late", "self.saved"):
        Late()(leaf(1.0))


def test_one_object_in_several_threads():
    meeting = threading.Barrier(4, timeout=20)

    class Waiting(Times):
        def forward(self, x):
            y = super().forward(x)
            meeting.wait()  # until all have left their state
            return y

    op, xs = Waiting(2), [leaf(*range(n)) for n in range(1, 5)]
    threads = [threading.Thread(target=lambda x=x: op(x).sum().backward()) for x in xs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [values(x.grad) for x in xs] == [[2] * n for n in range(1, 5)]


# ---- what forward and backward return ------------------------------------------------------------

@pytest.mark.parametrize("odd", [np.ndarray.item, list, tuple, Tensor, lambda x: None])
def test_forward_returns_an_array(odd):
    class Odd(Function):
        def forward(self, x):
            return odd(x)

        def backward(self, gy):
            return gy

    with one_line(TypeError, "Odd", "forward", "an array"):
        Odd()(leaf(1.0))
    with one_line(TypeError, "Odd", "forward", "an array"), no_grad():
        Odd()(leaf(1.0))


class Product(Function):
    """y = a b, whose backward returns whatever `returned` says."""

    returned = None

    def forward(self, a, b):
        return a * b

    def backward(self, gy, a, b):
        return type(self).returned(gy, a, b)


def product(returned, **options):
    a, b = leaf(1.0, 2.0, dtype="float32"), leaf(3.0, 4.0, dtype="float32")
    op = type("Product", (Product,), {"returned": staticmethod(returned)})()
    op(a, b).sum().backward(**options)
    return a.grad, b.grad


@pytest.mark.parametrize("returned, error, words", [
    (lambda gy, a, b: (gy * b,), TypeError, ["2 gradients", "got 1"]),
    (lambda gy, a, b: gy * b, TypeError, ["2 gradients", "got one"]),
    (lambda gy, a, b: (gy * b, gy * a, None), TypeError, ["2 gradients", "got 3"]),
    (lambda gy, a, b: (), TypeError, ["2 gradients", "got 0"]),
    (lambda gy, a, b: [gy * b, gy * a], TypeError, ["tuple", "list"]),
    (lambda gy, a, b: None, TypeError, ["2 gradients", "NoneType"]),
    (lambda gy, a, b: (gy * b, 1.0), TypeError, ["argument 1", "float"]),
    (lambda gy, a, b: (gy * b, [1.0, 2.0]), TypeError, ["argument 1", "list"]),
    (lambda gy, a, b: (gy[:1], gy * a), ValueError, ["argument 0", "(1,)", "(2,)"]),
    (lambda gy, a, b: (gy * b, gy.reshape(1, 2)), ValueError, ["argument 1", "(1, 2)", "(2,)"]),
    (lambda gy, a, b: (gy * b, (gy * a).sum()), ValueError, ["argument 1", "()", "(2,)"])])
@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_that_do_not_fit_are_named(returned, error, words, create_graph):
    with one_line(error, "Product", *words):
        product(returned, create_graph=create_graph)


@pytest.mark.parametrize("odd", [[None, None], ["1", "2"]])
def test_a_gradient_holds_numbers(odd):
    with one_line(TypeError, "Product", "argument 1", "numbers"):
        product(lambda gy, a, b: (gy * b, np.array(odd)))


def test_an_array_is_no_gradient_in_a_recorded_pass_nor_a_tensor_in_a_plain_one():
    with one_line(TypeError, "Product", "argument 0", "must be a Tensor", "ndarray"):
        product(lambda gy, a, b: (np.ones(2, np.float32), gy * a), create_graph=True)
    with one_line(TypeError, "Product", "argument 0", "must be an array", "Tensor"):
        product(lambda gy, a, b: (Tensor(gy * b), gy * a))


@pytest.mark.parametrize("create_graph", [False, True])
def test_none_says_that_nothing_flows_back(create_graph):
    a, b = product(lambda gy, a, b: (gy * b, None), create_graph=create_graph)
    assert values(a) == [3, 4] and b is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_gets_the_dtype_of_its_input(create_graph):
    seen = []

    class Wide(Function):
        def forward(self, x):
            return x + 0

        def backward(self, gy):
            return gy.to("float64") if create_graph else gy.astype("float64")

    x = leaf(1.0, dtype="float32")
    h = x * 3
    h.register_hook(lambda g: seen.append(g.dtype))
    Wide()(h).backward(create_graph=create_graph)
    assert seen == [np.float32] and values(x.grad) == [3]


def test_one_method_per_input_is_held_to_the_same():
    class Scale(Function):
        def forward(self, a, x):
            return a * x

        def grad_a(self, gy, x):
            return (gy * x).sum()

        def grad_x(self, gy, a):
            return None

    with one_line(ValueError, "Scale", "argument 0", "()", "(2,)"):
        Scale()(leaf(1.0, 2.0), leaf(3.0, 4.0)).sum().backward()
    x = leaf(3.0, 4.0)
    Scale()(2.0, x).sum().backward()
    assert x.grad is None


def test_optional_inputs_may_be_left_out_of_the_gradients():
    class Affine(Function):
        def forward(self, x, w, b=None):
            return x * w if b is None else x * w + b

        def backward(self, gy, x, w):
            return (gy * w, gy * x, gy)[:self.given]

    for given in (2, 3):
        x, w = leaf(2.0), leaf(3.0)
        op = Affine()
        op.given = given
        op(x, w).backward()
        assert values(x.grad) == [3] and values(w.grad) == [2]


def test_the_gradient_that_arrives_cannot_be_written_to():
    """a + b hands one array to both sides."""
    class Careless(Function):
        def forward(self, x):
            return np.maximum(x, 0)

        def backward(self, gy, y):
            gy[y == 0] = 0
            return gy

    a, b = leaf(-1.0), leaf(-1.0)
    with one_line(ValueError, "read-only"):
        (Careless()(a) + b).backward()


def test_an_output_that_is_the_input_counts_its_changes():
    class Same(Function):
        def forward(self, x):
            return x

        def backward(self, gy, y):
            return gy * (y > 0)

    x = leaf(1.0, 2.0)
    z = x * x
    y = Same()(x)
    with no_grad():
        y += 1
    with one_line(RuntimeError, "Mul", "in place"):
        z.sum().backward()
    y = Same()(x)  # after a change
    y.sum().backward()
    assert values(x.grad) == [1, 1]
