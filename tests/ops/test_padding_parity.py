"""Means of windows and convolutions with padding of every kind, beside PyTorch's."""

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def test_every_small_mean_is_pytorch_s(torch):
    """Windows over rows of 1 to 8 pixels, also those that do not fit, with gradients."""
    rng = np.random.default_rng(0)
    compared = 0
    for n, k, s in itertools.product((1, 3, 4, 8), range(1, 5), (1, 2, 4)):
        for p, ceil, counted in itertools.product(range(k // 2 + 1), (False, True), (False, True)):
            x = rng.normal(size=(1, 2, 3, n))
            arguments = (2, k), (1, s), (1, p), ceil, counted, rng.choice([None, 3])
            theirs, mine = torch.tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
            try:
                expected = torch.nn.functional.avg_pool2d(theirs, *arguments)
            except RuntimeError:
                with pytest.raises(ValueError, match="larger than the image"):
                    mg.avg_pool2d(mine, *arguments)
                continue
            y = mg.avg_pool2d(mine, *arguments)
            np.testing.assert_allclose(y.data, expected.detach(), 1e-12, 1e-15, err_msg=arguments)
            g = rng.normal(size=y.shape)
            expected.backward(torch.tensor(g))
            y.backward(Tensor(g))
            np.testing.assert_allclose(mine.grad.data, theirs.grad, 1e-12, 1e-15)
            compared += 1
    assert compared > 300


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", ["same", "valid", 2, (0, 1)])
def test_convolutions_are_pytorch_s(torch, mode, padding):
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype(np.float32)
    stride = 1 if padding == "same" else (2, 1)
    for kernel, dilation, groups in [((3, 2), 1, 1), ((2, 3), (1, 2), 2)]:
        settings = 4, 6, kernel, stride, padding, dilation, groups, True, mode
        mine, theirs = nn.Conv2d(*settings), torch.nn.Conv2d(*settings)
        mine.load_state_dict({name: v.numpy() for name, v in theirs.state_dict().items()})
        images, inputs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, expected = mine(images), theirs(inputs)
        np.testing.assert_allclose(y.data, expected.detach(), 1e-5, 1e-5)
        (y * y).sum().backward()
        (expected * expected).sum().backward()
        np.testing.assert_allclose(images.grad.data, inputs.grad, 1e-4, 1e-4)
