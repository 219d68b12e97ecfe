"""nn.utils: limits on gradients, parameters as one vector, sequences of several lengths."""

import math

import numpy as np
import pytest

from minigrad import Tensor, nn, optim
from minigrad.nn.utils.rnn import pad_sequence
from tests.one_line import one_line


def model_with_gradients():
    model = nn.Linear(2, 1)
    model.weight.grad, model.bias.grad = Tensor([[3.0, 0.0]]), Tensor([4.0])
    return model


def test_the_norm_before_clipping_is_a_tensor():
    model = model_with_gradients()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, foreach=False)
    assert isinstance(norm, Tensor) and norm.item() == 5 and f"{norm:.2f}" == "5.00"
    np.testing.assert_allclose(model.bias.grad.data, 0.8, rtol=1e-6)
    assert nn.utils.clip_grad_norm_(model.weight, 1, "inf").item() == pytest.approx(0.6)
    model.bias.grad[...] = math.inf
    with one_line(RuntimeError, "inf"):
        nn.utils.clip_grad_norm_(model.parameters(), 1, error_if_nonfinite=True)
    a, b = model_with_gradients(), model_with_gradients()
    nn.utils.clip_grad_value_(a.parameters(), 3.5)
    optim.clip_grad_value_(b.parameters(), 3.5)
    assert a.bias.grad.item() == b.bias.grad.item() == 3.5 and a.weight.grad.data[0, 0] == 3


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_sequences_are_padded_to_the_longest(batch_first, side):
    a, b = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.full((1, 3), 2.0))
    y = pad_sequence([a, b], batch_first, -1.0, side)
    first, second = (y.data if batch_first else y.data.swapaxes(0, 1))
    assert y.shape == (2, 2, 3) and (first == 1).all()
    assert second[:, 0].tolist() == ([2, -1] if side == "right" else [-1, 2])
    y.sum().backward()
    assert (a.grad.data == 1).all()


def test_sequences_of_class_numbers_stay_integers():
    y = nn.utils.rnn.pad_sequence([Tensor([1, 2, 3]), Tensor([4])], padding_value=0)
    assert y.dtype == np.int64 and y.data.tolist() == [[1, 4], [2, 0], [3, 0]]
    with one_line(ValueError, "'top'"):
        pad_sequence([Tensor([1])], padding_side="top")
