"""Tensor: what it is made from, its dtypes, what it gives back, in-place changes, clear errors."""

import operator

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, no_grad
from tests.one_line import one_line


def leaf(*values):
    return Tensor(list(values), requires_grad=True)


# ---- construction --------------------------------------------------------------------------------

@pytest.mark.parametrize("data, dtype, shape", [
    (1, "int64", ()), (1.5, "float32", ()), (True, "bool", ()), (2j, "complex128", ()),
    ([1, 2], "int64", (2,)), ([[1.0], [2.0]], "float32", (2, 1)), ([], "float32", (0,)),
    ((1, 2.5), "float32", (2,)), (range(3), "int64", (3,)), (np.float64(1), "float64", ()),
    (np.float16(1), "float16", ()), (np.zeros((0, 3)), "float64", (0, 3)),
    (np.ones(2, np.uint8), "uint8", (2,))], ids=repr)
def test_dtype_and_shape_follow_the_data(data, dtype, shape):
    x = Tensor(data)
    assert (x.dtype, x.shape, x.ndim) == (np.dtype(dtype), shape, len(shape))
    assert type(x.data) is np.ndarray and x.numel() == x.data.size
    assert x.device == "cpu" and x.is_leaf and not x.requires_grad and x.grad is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "bool"])
def test_dtype_can_be_asked_for(dtype):
    assert Tensor([0, 1], dtype=dtype).dtype == dtype
    assert Tensor(np.ones(2), dtype=dtype).dtype == dtype


def test_an_array_is_taken_as_it_is():
    array = np.arange(6.0).reshape(2, 3).T
    assert Tensor(array).data is array
    special = array.view(Special)
    plain = Tensor(special).data
    assert type(plain) is np.ndarray and np.shares_memory(plain, array)


class Special(np.ndarray):
    """A subclass, which may redefine operators as numpy.matrix does."""


class Foreign:
    """An array of a library that minigrad does not know."""

    dtype = np.dtype(np.float32)
    shape = (2,)


@pytest.mark.parametrize("build, error, words", [
    (lambda: Tensor("abc"), TypeError, "needs numbers"),
    (lambda: Tensor(None), TypeError, "needs numbers"),
    (lambda: Tensor([1, None]), TypeError, "object"),
    (lambda: Tensor(np.array(["a"])), TypeError, "<U1"),
    (lambda: Tensor(np.array([1, 2], object)), TypeError, "object"),
    (lambda: Tensor(np.datetime64("2026-01-01")), TypeError, "datetime64"),
    (lambda: Tensor(10**30), TypeError, "object"),
    (lambda: Tensor(Foreign()), TypeError, "Foreign"),
    (lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, "inhomogeneous"),
    (lambda: Tensor(Tensor(1.0)), TypeError, ".detach()"),
    (lambda: Tensor([1, 2], requires_grad=True), TypeError, "int64"),
    (lambda: Tensor(True, requires_grad=True), TypeError, "bool"),
    (lambda: Tensor(1j, requires_grad=True), TypeError, "complex128")])
def test_other_data_are_refused(build, error, words):
    with one_line(error, words):
        build()


def test_requires_grad_can_be_switched_on_leaves():
    x = Tensor([1.0])
    x.requires_grad = True
    y = x * 2
    assert y.requires_grad and not y.is_leaf
    with one_line(RuntimeError, "detach"):
        y.requires_grad = False
    x.requires_grad = False
    assert not (x * 2).requires_grad
    with one_line(TypeError, "int64"):
        Tensor([1]).requires_grad = True


# ---- what it gives back --------------------------------------------------------------------------

def test_item_float_and_bool_need_one_element():
    assert Tensor([[2.5]]).item() == 2.5 and isinstance(Tensor(2.5).item(), float)
    assert isinstance(Tensor([3]).item(), int) and float(Tensor(3)) == 3.0
    assert Tensor(1.0) and not Tensor([0])
    for f in (Tensor.item, float, bool):
        with one_line(ValueError, "(2,)"):
            f(Tensor([1.0, 2.0]))


def test_numpy_shares_memory_and_guards_the_graph():
    x = leaf(1.0, 2.0)
    with one_line(RuntimeError, ".detach().numpy()"):
        x.numpy()
    with one_line(RuntimeError, ".detach().numpy()"):
        np.asarray(x)
    assert x.numpy(force=True) is x.data and x.detach().numpy() is x.data
    plain = Tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(plain), plain.data)
    assert np.asarray(plain, dtype="int32").tolist() == [1, 2]
    assert not np.shares_memory(np.array(plain), plain.data)


def test_detach_shares_memory_and_clone_does_not():
    x = leaf(1.0, 2.0)
    y, z = x.detach(), x.clone()
    assert np.shares_memory(y.data, x.data) and not y.requires_grad and y.is_leaf
    assert not np.shares_memory(z.data, x.data)
    (z * z).sum().backward()
    assert x.grad.data.tolist() == [2, 4]


def test_to_another_dtype_keeps_the_graph():
    x = leaf(1.0, 2.0)
    y = x.to("float64")
    assert y.dtype == np.float64 and x.to("float32") is x and x.to("cpu") is x
    (y * y).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.data.tolist() == [2, 4]
    assert not x.to(np.int64).requires_grad


@pytest.mark.parametrize("target", ["cpux", "float33", "str", object, "datetime64[s]", 3.5],
                         ids=str)
def test_to_names_an_unknown_target(target):
    with one_line(ValueError, "to: unknown", repr(target)):
        Tensor([1.0]).to(target)


def test_len_iteration_and_membership():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.shape for row in x] == [(2,), (2,)]
    y = leaf(5.0, 7.0)
    a, b = y
    (a * b).backward()  # rows stay connected to the graph
    assert y.grad.data.tolist() == [7, 5]
    with one_line(TypeError, "unsized"):
        list(Tensor(1.0))
    assert 3.0 in Tensor([1.0, 3.0]) and 2.0 not in Tensor([1.0, 3.0])


def test_identity_is_the_hash_and_equality_is_elementwise():
    x, y = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    assert len({x, y}) == 2 and {x: "a"}[x] == "a"
    assert (x == y).data.tolist() == [True, True] and (x != y).dtype == bool
    assert (x == None) is False and (None != x) is True  # noqa: E711


@pytest.mark.parametrize("x, text", [
    (Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
    (Tensor(3), "Tensor(3, dtype=int64)"),
    (leaf(1.0), "Tensor([1.], requires_grad=True)"),
    (Tensor(np.ones(1)), "Tensor([1.], dtype=float64)"),
    (mg.tanh(leaf(0.0)), "Tensor([0.], node=Tanh)"),
    (Tensor([[1, 2], [3, 4]]), "Tensor([[1, 2],\n        [3, 4]], dtype=int64)")], ids=range(6))
def test_repr(x, text):
    assert repr(x) == text


# ---- operators -----------------------------------------------------------------------------------

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("f", ARITHMETIC + COMPARISONS, ids=lambda f: f.__name__)
def test_operators_take_tensors_arrays_and_numbers_on_either_side(f):
    a, b = np.array([1.0, 2.0, 3.0], np.float32), np.array([3.0, 2.0, 0.5], np.float32)
    for left, right in [(a, b), (a, 2.0), (2.0, b), (a, 2), (2, b), (a, np.float64(2))]:
        expected = f(left, right).astype(bool if f in COMPARISONS else np.float32)
        results = [f(*(Tensor(x) if x is chosen else x for x in (left, right)))
                   for chosen in (left, right) if isinstance(chosen, np.ndarray)]
        if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
            results.append(f(Tensor(left), Tensor(right)))
        for y in results:
            assert isinstance(y, Tensor) and y.dtype == expected.dtype
            np.testing.assert_array_equal(y.data, expected)


def test_a_list_is_an_operand_like_an_array():
    x = leaf(2.0)
    y = x * [1.0, 10.0]
    y.sum().backward()
    assert y.dtype == np.float32 and y.data.tolist() == [2, 20] and x.grad.data.tolist() == [11]


def test_unary_and_matrix_operators():
    x, w = Tensor([-1.0, 2.0]), Tensor([[1.0, 0.0], [0.0, 3.0]])
    assert (-x).data.tolist() == [1, -2] and abs(x).data.tolist() == [1, 2]
    assert (x @ w).data.tolist() == [-1, 6]
    assert (np.ones(2, np.float32) @ w).data.tolist() == [1, 3]
    assert (~(x > 0)).data.tolist() == [True, False]
    assert ((x > 0) | (x < 0)).data.all() and not ((x > 0) & (x < 0)).data.any()
    assert w[0:1].T.shape == (2, 1)


@pytest.mark.parametrize("a, b, dtype", [
    ("int64", "float32", "float32"), ("bool", "int8", "int8"), ("int32", "int64", "int64"),
    ("float32", "float64", "float64"), ("float16", "float32", "float32"),
    ("uint8", "float16", "float16"), ("float32", "complex64", "complex64")])
def test_promotion_keeps_the_higher_kind_then_the_wider(a, b, dtype):
    for x, y in [(a, b), (b, a)]:
        assert (Tensor([1], dtype=x) * Tensor([1], dtype=y)).dtype == dtype
    # torch: one that has no dimensions does not widen the other, unless its kind is higher
    scalar = Tensor(1, dtype=b) * Tensor([1], dtype=a)
    assert scalar.dtype == (a if np.dtype(a).kind == np.dtype(b).kind else dtype)


@pytest.mark.parametrize("y, dtype", [
    (lambda: Tensor([1, 2]) / 2, "float32"), (lambda: Tensor([1, 2]) * 0.5, "float32"),
    (lambda: 0.5 ** Tensor([1, 2]), "float32"), (lambda: 2 ** Tensor([1, 2]), "int64"),
    (lambda: 2 ** Tensor([1.0]), "float32"), (lambda: mg.exp(Tensor([1, 2])), "float32"),
    (lambda: Tensor([1, 2]).sum(), "int64"), (lambda: Tensor([True]).sum(), "int64"),
    (lambda: mg.where(Tensor([True, False]), 1, 0), "int64"),
    (lambda: mg.where(Tensor([True, False]), 0.5, Tensor(2, dtype="float64")), "float64")])
def test_integers_become_float32_where_they_must(y, dtype):
    assert isinstance(y(), Tensor) and y().dtype == dtype


# ---- in-place changes ----------------------------------------------------------------------------

@pytest.mark.parametrize("f, expected", [
    (operator.iadd, [3, 6]), (operator.isub, [-1, 2]), (operator.imul, [2, 8]),
    (operator.itruediv, [0.5, 2]), (operator.ipow, [1, 16])])
def test_in_place_operators_keep_the_object_and_the_memory(f, expected):
    x = Tensor([1.0, 4.0])
    memory, view = x.data, x.reshape(2, 1)
    y = f(x, 2)
    assert y is x and x.data is memory and x.data.tolist() == expected
    assert view.data.ravel().tolist() == expected


def test_elements_can_be_assigned():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    x[0] = Tensor([7.0, 8.0])
    x[x > 7.5] = 0
    x[Tensor([1]), Tensor([1])] = -1
    assert x.data.tolist() == [[7, 0], [3, -1]]
    assert x.copy_(np.zeros(2)) is x and not x.data.any()


def test_in_place_changes_that_the_graph_would_miss_are_refused():
    w, plain = leaf(1.0, 2.0), Tensor([0.0, 0.0])
    y = w * 2
    for x, change in [(w, 1.0), (y, 1.0), (plain, w)]:
        before = x.data.copy()
        with one_line(RuntimeError, "where, concatenate or stack", "no_grad()"):
            x[0] = change[0] if change is w else change
        assert (x.data == before).all()
    with one_line(RuntimeError, "leaf", "no_grad()"):
        w += 1.0
    assert w.data.tolist() == [1, 2]
    with no_grad():
        w -= 0.5
        w[0] = 9
    assert w.data.tolist() == [9, 1.5] and w.is_leaf and w.requires_grad


def test_in_place_results_must_fit():
    counts = Tensor([1, 2])
    with one_line(TypeError, "add", "float32", "int64"):
        counts += 0.5
    with one_line(ValueError, "broadcast"):
        counts += Tensor([1, 2, 3])
    assert counts.data.tolist() == [1, 2]


# ---- shapes and axes that do not fit -------------------------------------------------------------

x23 = Tensor(np.ones((2, 3), np.float32))


@pytest.mark.parametrize("act, error, words", [
    (lambda: x23 + Tensor([1.0, 2.0]), ValueError, ["(2, 3)", "(2,)"]),
    (lambda: x23 * np.ones(4), ValueError, ["(2, 3)", "(4,)"]),
    (lambda: x23 > Tensor([1.0, 2.0]), ValueError, ["(2, 3)", "(2,)"]),
    (lambda: mg.where(x23 > 0, x23, Tensor([1.0, 2.0])), ValueError, ["(2, 3)", "(2,)"]),
    (lambda: x23 + "one", TypeError, ["needs numbers"]),
    (lambda: x23 @ x23, ValueError, ["matmul", "(2, 3) and (2, 3)"]),
    (lambda: x23 @ Tensor(1.0), ValueError, ["matmul", "()"]),
    (lambda: Tensor(np.ones((2, 1, 3))) @ Tensor(np.ones((3, 3, 1))), ValueError, ["(2,)", "(3,)"]),
    (lambda: x23.reshape(4), ValueError, ["4"]),
    (lambda: x23.permute(0, 0), ValueError, ["permute", "(0, 0)"]),
    (lambda: x23.permute(0, 2), IndexError, ["permute", "2"]),
    (lambda: x23.transpose(0, 2), IndexError, ["transpose", "2"]),
    (lambda: x23.squeeze(2), IndexError, ["squeeze", "2"]),
    (lambda: x23.unsqueeze(4), IndexError, ["unsqueeze", "4"]),
    (lambda: x23.flatten(2), IndexError, ["flatten", "2"]),
    (lambda: x23.flatten(1, 0), ValueError, ["flatten"]),
    (lambda: x23.expand(4, 3), ValueError, ["expand", "(2, 3)", "(4, 3)"]),
    (lambda: x23.expand(3), ValueError, ["expand"]),
    (lambda: x23.sum(2), IndexError, ["2"]),
    (lambda: x23.mean((0, 2)), IndexError, ["2"]),
    (lambda: x23.softmax(2), IndexError, ["2"]),
    (lambda: Tensor([1, 2]).mean(), TypeError, ["mean", "int64"]),
    (lambda: x23[2], IndexError, ["2"]),
    (lambda: mg.concatenate([]), ValueError, ["concatenate"]),
    (lambda: mg.stack([x23, Tensor([1.0])]), ValueError, ["dimension"]),
    (lambda: mg.stack([1.0, 2.0]), TypeError, ["stack", "1.0"]),
    (lambda: mg.concatenate([x23, [1.0]]), TypeError, ["concatenate", "[1.0]"]),
    (lambda: mg.concatenate([x23, x23.T]), ValueError, ["concatenate", "(2, 3), (3, 2)", "dim 0"]),
    (lambda: mg.where([1, 0, 1], x23, 0), TypeError, ["where", "int64"]),
    (lambda: mg.where(None, x23, 0), TypeError, ["where", "object"]),
    (lambda: mg.where([True, False], x23, 0), ValueError, ["where", "(2,)", "(2, 3)"]),
    (lambda: mg.pad(x23, (1, 2, 3)), ValueError, ["pad", "(1, 2, 3)"]),
    (lambda: mg.pad(x23, (0, -4)), ValueError, ["pad", "-4"]),
    (lambda: x23.clip(), ValueError, ["clip"]),
    (lambda: mg.dropout(x23, 1.5), ValueError, ["dropout", "1.5"]),
    (lambda: mg.dropout(x23, float("nan")), ValueError, ["dropout", "nan"])])
def test_what_does_not_fit_is_named(act, error, words):
    with one_line(error, *words):
        act()


def test_one_element_formats_and_converts_as_a_number():
    x = Tensor(2.5)
    assert f"{x:.2f} {int(x)} {float(x)} {x}" == "2.50 2 2.5 Tensor(2.5)"


@pytest.mark.parametrize("f", [
    lambda x, w: mg.matmul(x, w), lambda x, w: mg.linear(x, w),
    lambda x, w: mg.conv2d(x.reshape(1, 1, 2, 2), w.reshape(1, 1, 2, 2))])
def test_products_refuse_to_mix_dtypes(f):
    with one_line(TypeError, "float32, float64"):
        f(Tensor(np.ones((2, 2), np.float32)), Tensor(np.ones((2, 2))))
