"""Indexing by gather and scatter, moving and multiplying: what the table's samples do not reach."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor


def test_the_last_of_repeated_places_stays_and_added_ones_add_up():
    x, index = Tensor([0.0, 0.0]), Tensor([1, 1, 1])
    assert mg.scatter(x, 0, index, Tensor([1.0, 2.0, 3.0])).data.tolist() == [0, 3]
    assert mg.scatter_add(x, 0, index, Tensor([1.0, 2.0, 3.0])).data.tolist() == [0, 6]
    assert mg.scatter(x, 0, index, 5).data.tolist() == [0, 5] and x.data.tolist() == [0, 0]


def test_scatter_of_classes_makes_one_hot_rows():
    labels = Tensor([[2], [0]])
    y = mg.scatter(Tensor(np.zeros((2, 3), np.float32)), 1, labels, 1)
    assert y.data.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("wrong", [
    lambda x: mg.gather(x, 0, Tensor([0])),  # another number of axes
    lambda x: mg.gather(x, 0, Tensor([[0, 0, 0, 0]])),  # longer than x along another axis
    lambda x: mg.scatter(x, 0, Tensor([[0]]), Tensor([[1]])),  # dtype
    lambda x: mg.masked_fill(x, x > 0, Tensor([1.0, 2.0])), lambda x: mg.split(x, [1, 5]),
    lambda x: mg.chunk(x, 0), lambda x: mg.narrow(x, 0, 1, 2), lambda x: mg.flip(x, (0, 0)),
    lambda x: mg.repeat(x, 2), lambda x: mg.tril(x[0]), lambda x: mg.diag(x[None]),
    lambda x: mg.movedim(x, (0, 1), 0), lambda x: mg.roll(x, (1, 2), 0), lambda x: mg.mm(x, x),
    lambda x: mg.mv(x, x), lambda x: mg.dot(x[0], x[0, :1]), lambda x: mg.bmm(x, x),
    lambda x: mg.outer(x, x), lambda x: mg.trace(x[0]), lambda x: mg.einsum("ij", x, x),
    lambda x: mg.einsum("ij->k", x), lambda x: mg.einsum("ijk", x), lambda x: mg.einsum("ii", x),
    lambda x: mg.einsum("ij->ii", x), lambda x: mg.einsum("ij,jk", x, x)])
def test_what_does_not_fit_is_a_runtime_error(wrong):
    with pytest.raises(RuntimeError):
        wrong(Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))


def test_pieces_share_memory_and_copies_do_not():
    x = Tensor(np.arange(6.0))
    for piece in (x.narrow(0, 1, 2), x.select(0, 3), x.chunk(2)[0], x.split(4)[1], x.unbind()[0]):
        assert np.shares_memory(piece.data, x.data)
    for copy in (x.flip(0), x.roll(0), x.repeat(1), x.tile(1)):
        assert not np.shares_memory(copy.data, x.data)


def test_a_fill_keeps_the_dtype():
    x = Tensor([1, 2, 3])
    y = x.masked_fill(x > 1, 0.7)
    assert y.dtype == np.int64 and y.data.tolist() == [1, 0, 0]
    half = Tensor(np.ones(2, np.float16)).masked_fill(np.array([True, False]), -1e4)
    assert half.dtype == np.float16 and half.data.tolist() == [-1e4, 1]
    masked = Tensor([[1.0, 2.0]]).masked_fill(np.array([[False, True]]), -np.inf)
    np.testing.assert_array_equal(mg.softmax(masked, 1).data, [[1, 0]])


def test_triangles_of_infinite_numbers_and_booleans():
    x = Tensor(np.full((2, 2), np.inf))
    np.testing.assert_array_equal(mg.tril(x).data, [[np.inf, 0], [np.inf, np.inf]])
    np.testing.assert_array_equal(mg.triu(x, 1).data, [[0, np.inf], [0, 0]])
    assert mg.tril(x > 0).dtype == bool


def test_beta_0_ignores_the_input():
    x, a = Tensor([np.nan, np.inf]), Tensor(np.eye(2, dtype=np.float32))
    np.testing.assert_array_equal(mg.addmm(x, a, a, beta=0, alpha=2).data, 2 * np.eye(2))
    integers = Tensor(np.eye(2, dtype=np.int32))
    assert mg.addmm(integers, integers, integers, beta=0.5).dtype == np.int32


@pytest.mark.parametrize("equation, shapes", [
    ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 2)]), ("a,b,c->cab", [(2,), (3,), (4,)]),
    ("...ab,...bc", [(5, 1, 2, 3), (4, 3, 2)]), ("a...a->...", [(3, 2, 3)]),
    ("iij,jk->ik", [(2, 2, 3), (3, 2)]), (" i j , j -> i ", [(2, 3), (3,)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]), ("ij,ij->", [(2, 3), (2, 3)]),
    ("ij,ij", [(2, 3), (2, 3)]), ("ij,kl->", [(2, 3), (4, 5)]), ("ij->ji", [(2, 0)]),
    ("ij,j->i", [(2, 0), (0,)]), ("Ab,bA->A", [(2, 3), (3, 2)]), ("ij,jk->ik", [(2, 1), (3, 2)])])
def test_einsum(equation, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    expected = np.einsum(equation, *[np.broadcast_to(a, (2, 3)) if a.shape == (2, 1) else a
                                     for a in arrays])
    np.testing.assert_allclose(mg.einsum(equation, *map(Tensor, arrays)).data, expected, atol=1e-13)
    np.testing.assert_allclose(mg.einsum(equation, arrays), expected, atol=1e-13)


def test_a_product_of_many_stays_small():
    """Two operands at a time: the five letters never stand in one array, of 32 GB."""
    a = Tensor(np.ones((84, 84), np.float32))
    assert mg.einsum("ab,bc,cd,de->ae", a, a, a, a)[0, 0].item() == 84**3
