"""no_grad, enable_grad, set_grad_enabled, inference_mode: as blocks, as decorators, nested."""

import threading

import pytest

import minigrad as mg
from minigrad import Tensor
from tests.one_line import one_line


def records():
    return (Tensor([1.0], requires_grad=True) * 2).requires_grad


@pytest.mark.parametrize("make, inside", [
    (lambda: mg.no_grad(), False), (lambda: mg.enable_grad(), True),
    (lambda: mg.inference_mode(), False), (lambda: mg.inference_mode(mode=False), True),
    (lambda: mg.set_grad_enabled(False), False), (lambda: mg.set_grad_enabled(mode=True), True)])
@pytest.mark.parametrize("outside", [True, False])
def test_blocks_and_decorators(make, inside, outside):
    mg.set_grad_enabled(outside)
    with make():
        assert records() == mg.is_grad_enabled() == inside
    assert records() == outside
    with pytest.raises(KeyError), make():
        raise KeyError
    assert records() == outside
    decorated = make()(records)
    assert records() == outside and decorated() == inside and records() == outside
    assert decorated.__name__ == "records"
    mg.set_grad_enabled(True)


@pytest.mark.parametrize("decorator, inside", [(mg.no_grad, False), (mg.enable_grad, True),
                                               (mg.inference_mode, False)])
def test_decorators_need_no_brackets(decorator, inside):
    @decorator
    def f(depth):
        """Words."""
        return records() if not depth else f(depth - 1)

    assert f(2) == inside and records() and f.__doc__ == "Words."


def test_one_object_serves_several_blocks_also_nested():
    once = mg.no_grad()
    for _ in range(2):
        with once, once:
            assert not records()
            with mg.enable_grad():
                assert records()
            assert not records()
        assert records()


def test_set_grad_enabled_holds_until_it_is_called_again():
    mg.set_grad_enabled(False)
    assert not records() and not mg.is_grad_enabled()
    mg.set_grad_enabled(True)
    assert records()


def test_other_threads_are_not_concerned():
    seen = []
    with mg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(records()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_autograd_backward_adds_up():
    x, y = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    mg.autograd.backward([(x * x).sum(), x * y], [None, mg.tensor([1.0, 10.0])])
    assert x.grad.tolist() == [2 + 3, 4 + 30] and y.grad.tolist() == [21]
    mg.autograd.backward((x * 2).sum())
    assert x.grad.tolist() == [7, 36] and mg.autograd.grad is mg.grad
    with one_line(RuntimeError, "1 tensors but 2"):
        mg.autograd.backward(x.sum(), [None, None])
