"""x[index] for random mixtures of everything that an index can hold: PyTorch's values, axes,
gradients and assignments."""

import os
import random

import numpy as np
import pytest

from minigrad import Tensor

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of uint8 masks
CASES = 20_000 if os.environ.get("MINIGRAD_FULL") else 500


def part(rng, n):
    """One part of an index for an axis of n, as a function of how to make a tensor."""
    at = [rng.randrange(-n, n) for _ in range(2)]
    flags = [rng.random() < 0.5 for _ in range(n)]
    bounds = slice(rng.choice([None, 0, 1, -1, -9]), rng.choice([None, 0, 2, -1, 9]),
                   rng.choice([None, 1, 2]))
    return rng.choice([
        lambda T: None, lambda T: slice(None), lambda T: bounds, lambda T: at[0], lambda T: at[0],
        lambda T: np.int64(at[0]), lambda T: at[:1], lambda T: list(at), lambda T: [],
        lambda T: np.array(at), lambda T: T(np.array(at)), lambda T: T(np.array([[i] for i in at])),
        lambda T: T(np.array(at[0])), lambda T: T(np.array(flags)), lambda T: list(flags),
        lambda T: flags[0], lambda T: T(np.array(flags, np.uint8))])


def an_index(rng, shape):
    parts = [part(rng, (*shape, 2, 2, 2, 2)[i]) for i in range(rng.randrange(1, 5))]
    if rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), lambda T: ...)
    if len(shape) > 1 and rng.random() < 0.2:
        plane = np.random.default_rng(rng.randrange(99)).random(shape[:2]) < 0.5
        parts = [lambda T: T(plane), *parts[2:]]
    return lambda T: parts[0](T) if len(parts) == 1 else tuple(p(T) for p in parts)


@pytest.mark.parametrize("seed", range(4))
def test_as_torch(seed):
    rng, compared = random.Random(seed), 0
    for case in range(CASES):
        shape = tuple(rng.choice([1, 2, 3, 4]) for _ in range(rng.randrange(5)))
        values, index = np.random.default_rng(case).standard_normal(shape), an_index(rng, shape)
        x, y = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        try:
            expected = y[index(torch.tensor)]
        except IndexError:
            with pytest.raises(IndexError):
                x[index(Tensor)]
            continue
        try:
            found = x[index(Tensor)]
        except IndexError:
            # torch looks at no index where nothing is taken
            assert expected.numel() == 0, (shape, index(np.array))
            continue
        compared += 1
        np.testing.assert_array_equal(found.data, expected.detach().numpy(), str(index(np.array)))
        v = np.random.default_rng(case).standard_normal(found.shape)
        found.backward(v)
        expected.backward(torch.tensor(v))
        np.testing.assert_allclose(x.grad.data, y.grad.numpy(), 1e-12, 1e-12)
        z = Tensor(values.copy())
        z[index(Tensor)] = -found.detach()      # the same value wherever an element is named twice
        taken = np.isin(values, found.data)
        np.testing.assert_array_equal(z.data, np.where(taken, -values, values))
    assert compared > CASES / 4
