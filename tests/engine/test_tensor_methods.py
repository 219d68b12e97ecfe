"""Tensor's methods of PyTorch's that are no functions: forms, state, memory, gradients."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from tests.one_line import one_line


def table():
    return Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)


def test_views_share_memory_where_it_is_in_c_order_and_copies_are_right_elsewhere():
    x = mg.arange(6.0)
    x.view(2, 3)[0, 1] = 9
    assert x.tolist() == [0, 9, 2, 3, 4, 5]
    images = Tensor(np.arange(24.0).reshape(1, 2, 4, 3).transpose(0, 3, 1, 2))  # channels-last
    assert not images.is_contiguous() and images.view(3, 8).tolist() == images.data.reshape(
        3, 8).tolist()
    straight = images.contiguous()
    assert straight.is_contiguous() and straight.tolist() == images.tolist()
    assert straight.contiguous() is straight and x.contiguous() is x
    bits = x.view(mg.int32)
    bits[0] = 0x3F800000
    assert x.data[0] == 1 and not bits.requires_grad


@pytest.mark.parametrize("f", [
    lambda x: x.view(3, 2), lambda x: x.view_as(mg.ones(6)), lambda x: x.reshape_as(mg.ones(3, 2)),
    lambda x: x.contiguous(), lambda x: x.T.contiguous(), lambda x: x.t(), lambda x: x.mT,
    lambda x: x.swapaxes(0, 1), lambda x: x.movedim(0, 1),
    lambda x: x.moveaxis((0, 1), (1, 0)), lambda x: x.unflatten(1, (3, 1)), lambda x: x.ravel(),
    lambda x: x.double(), lambda x: x.half(), lambda x: x.type(mg.float64),
    lambda x: x.type_as(mg.ones(1, dtype=mg.float64)), lambda x: x.cpu(), lambda x: +x,
    lambda x: mg.stack(list(reversed(x))), lambda x: x[:1].expand_as(mg.ones(2, 3))[1:]])
def test_gradients_flow_through(f):
    x = table()
    y = f(x)
    y.sum().backward()
    expected = np.ones((2, 3)) if y.numel() == 6 else [[1, 1, 1], [0, 0, 0]]
    assert x.grad.tolist() == np.asarray(expected).tolist() and x.grad.dtype == np.float32


def test_what_is_asked_of_a_tensor():
    x = table().detach()
    assert x.size() == (2, 3) and x.size(-1) == 3 and x.dim() == x.ndimension() == 2
    assert x.nelement() == 6 and x.element_size() == 4 and x.stride() == (3, 1)
    assert x.t().stride(0) == 1 and x.data_ptr() == x.data.ctypes.data and not x.is_cuda
    assert x.is_floating_point() and not x.long().is_floating_point() and x.grad_fn is None
    assert 5.0 in x and 7 not in x and mg.tensor(2.0) in x and float("nan") not in x
    with one_line(RuntimeError, "str"):
        "a" in x
    assert [row.tolist() for row in reversed(x)] == [[3, 4, 5], [0, 1, 2]]


def test_new_tensors_are_of_the_dtype_of_the_one_that_makes_them():
    x = mg.ones(2, dtype=mg.float64)
    for y in (x.new_zeros(2, 3), x.new_ones((2,)), x.new_full((2,), 1), x.new_tensor([1, 2]),
              x.new_empty(2)):
        assert y.dtype == mg.float64 and y.device == x.device
    assert x.new_zeros(2, dtype=mg.int8).dtype == mg.int8


def test_switching_gradients_and_leaving_the_graph():
    x = mg.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    with one_line(RuntimeError, "int64"):
        mg.arange(3).requires_grad_()
    y = x * 2
    z = y * y
    assert y.detach_() is y and y.is_leaf and not y.requires_grad
    with mg.no_grad():
        y += 1                          # which z needs as it was
    with one_line(RuntimeError, "in place"):
        z.sum().backward()
    with one_line(RuntimeError, "view"):
        (x * 2)[:1].detach_()


def test_a_retained_gradient_is_there_once_and_holds_nothing():
    x = mg.ones(3).requires_grad_()
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    loss = (y * y).sum()
    loss.backward(retain_graph=True)
    assert y.grad.tolist() == [4, 4, 4] and x.grad.tolist() == [8, 8, 8]
    loss.backward()
    assert y.grad.tolist() == [8, 8, 8]
    x.retain_grad()                     # a leaf keeps it anyhow
    with one_line(RuntimeError, "does not require"):
        mg.ones(1).retain_grad()
    gone = weakref.ref(y)
    gc.disable()
    try:
        del y, loss
        assert gone() is None           # without the collector of cycles
    finally:
        gc.enable()


def test_gradients_are_set_to_zero_and_none():
    x = mg.ones(2).requires_grad_()
    x.sum().backward()
    x.grad.zero_()
    assert x.grad.tolist() == [0, 0]
    x.grad = None
    assert x.grad is None
    x.sum().backward()
    with mg.no_grad():
        x.sub_(0.5 * x.grad)
    x.data -= 0.25 * x.grad.data
    assert x.tolist() == [0.25, 0.25] and x.is_leaf


@pytest.mark.parametrize("call, error, words", [
    (lambda x: x.view(4), RuntimeError, ["6", "4"]),
    (lambda x: x.view(-1, -1), RuntimeError, ["one unknown"]),
    (lambda x: x.reshape(5), ValueError, ["6", "5"]),
    (lambda x: mg.ones(2, 3, 4).t(), RuntimeError, ["t:", "3 axes"]),
    (lambda x: mg.ones(3).mT, RuntimeError, ["mT", "1 axes"]),
    (lambda x: x.movedim((0, 0), (0, 1)), RuntimeError, ["movedim"]),
    (lambda x: x.unflatten(1, (2, 2)), RuntimeError, ["reshape"]),
    (lambda x: x.size(2), IndexError, ["size", "2"]),
    (lambda x: +mg.tensor([True]), RuntimeError, ["booleans"]),
    (lambda x: x.to("float33"), RuntimeError, ["float33"])])
def test_errors(call, error, words):
    with one_line(error, *words):
        call(table())


def test_parts_of_an_axis_that_overlap():
    x = mg.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], requires_grad=True)
    y = x.unfold(1, 2, 1)
    assert y.tolist() == [[[1, 2], [2, 3], [3, 4]], [[5, 6], [6, 7], [7, 8]]]
    assert x.unfold(0, 1, 3).shape == (1, 4, 1) and x.unfold(-1, 3, 2).tolist()[1] == [[5, 6, 7]]
    y.sum().backward()
    assert x.grad.tolist() == [[1, 2, 2, 1]] * 2
    for size, step in ((5, 1), (2, 0), (-1, 1)):
        with pytest.raises(ValueError, match="unfold"):
            x.unfold(1, size, step)
