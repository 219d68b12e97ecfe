"""x[index] where arrays come in: PyTorch's axes, its masks, and errors for what is no index."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from tests.one_line import one_line

X = np.arange(24.0).reshape(2, 3, 4)


def mask(*values, dtype=bool):
    return Tensor(np.array(values, dtype))


@pytest.mark.parametrize("index, expected", [
    ((0, slice(None), [0, 1]), X[0][:, [0, 1]]),                       # (3, 2), not NumPy's (2, 3)
    (([0, 1], slice(None), 0), X[..., 0][[0, 1]]),
    ((Tensor(0), slice(None), [0, 1]), X[0][:, [0, 1]]),               # as the integer in it
    ((np.int64(1), ..., np.array([3, 0])), X[1][:, [3, 0]]),
    ((Tensor([0]), slice(None), 0), X[:1, :, 0]),
    ((slice(None), [0, 1], ..., [0, 1]), X[:, [0, 1], [0, 1]]),        # ... stands for no axis
    (([0, 1], slice(None), [0, 1]), X[[0, 1], :, [0, 1]]),             # a gap: arrays lead
    ((None, [0, 1], None, [0, 1]), X[None, [0, 1], None, [0, 1]]),
    ((True, 0), X[0][None]), (False, X[None][:0]), (mask(1, 0), X[:1]),
    (mask(1, 0, dtype=np.uint8), X[:1]),                               # uint8 is a mask
    ((slice(None), [True, False, True], [0, 1]), X[:, [0, 2], [0, 1]]),
    ((1, mask([1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1])), X[1][[0, 2], [0, 3]]),
    ([], X[:0]), ((slice(None), []), X[:, :0]), ((range(2),), X), (((1, 0),), X[::-1]),
    ([[0, 1], [1, 0]], X[np.array([[0, 1], [1, 0]])]), ([Tensor(0), Tensor(1)], X)], ids=repr)
def test_axes_come_out_as_in_torch(index, expected):
    x = Tensor(X.copy(), requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, expected)
    (y * y).sum().backward()
    taken = np.zeros(X.shape)
    np.add.at(taken.reshape(-1), expected.astype(int).reshape(-1), 2 * expected.reshape(-1))
    np.testing.assert_array_equal(x.grad.data, taken)

    z = Tensor(X.copy())
    z[index] = -y.detach()
    np.testing.assert_array_equal(z.data, np.where(taken > 0, -X, X))
    assert mg.getitem(X, index).shape == expected.shape


@pytest.mark.parametrize("index, words", [
    (2, ["2"]), ([0, 2], ["2"]), ((slice(None), [-4]), ["-4"]), (1.5, ["1.5"]), ("a", ["'a'"]),
    (Tensor([0.0]), ["integers"]), ((0, 0, 0, 0), ["many"]), ((0, 0, 0, [0]), ["many", "4"]),
    ([True, False, True], ["mask", "(3,)", "(2,)"]), (mask(), ["mask", "(0,)"]),
    ((0, np.zeros((3, 0), bool)), ["mask", "(3, 0)", "(3, 4)", "from 1"]),
    ([[0], [0, 1]], ["index"]), ((..., [0], ...), ["once"])])
def test_what_is_no_index_is_an_index_error(index, words):
    x = Tensor(X.copy())
    with one_line(IndexError, *words):
        x[index]
    with one_line(IndexError, *words):
        x[index] = 0.0
    assert (x.data == X).all()


def test_lists_and_arrays_count_as_they_were():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    rows, columns = [0, 1], np.array([0, 1])
    y = x[rows] + x[(columns,)]
    rows[0] = columns[0] = 2
    y.sum().backward()
    assert x.grad.data.tolist() == [2, 2, 0]


@pytest.mark.parametrize("one", [lambda: Tensor(1), lambda: Tensor([1]), lambda: np.array(1)],
                         ids=range(3))
def test_the_ends_of_a_slice_may_be_arrays_and_count_as_they_were(one):
    x = Tensor([1.0, 2, 3, 4], requires_grad=True)
    start, step = one(), one()
    y = x[start:3:step] + x[:2]
    start[...] = step[...] = 3
    y.sum().backward()
    assert x.grad.data.tolist() == [1, 2, 1, 0]
    with mg.no_grad():
        x[Tensor(1):Tensor([3])] = 0
    assert x.data.tolist() == [1, 0, 0, 4]


def test_a_tensor_of_one_integer_is_one():
    for one in (Tensor(1), Tensor([1]), Tensor([[1]], dtype="uint8"), Tensor(True)):
        assert list(range(one)) == [0] and "ab"[one] == "b"
    assert Tensor(np.ones((2, 3))).sum(Tensor(1)).shape == (2,)
    for other in (Tensor(1.0), Tensor([0, 1]), Tensor(np.zeros(0, int))):
        with one_line(TypeError, "one integer"):
            range(other)


def test_one_element_is_a_view_too():
    x = Tensor([1.0, 2.0])
    y = x[0]
    y += 5
    assert x.data.tolist() == [6, 2] and y.shape == ()
