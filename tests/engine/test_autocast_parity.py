"""Mixed precision beside PyTorch's: autocast on the CPU in bfloat16, and the scaler's numbers."""

from itertools import islice

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.engine.halves import EPS, needs_bfloat16

torch = pytest.importorskip("torch")
from tests.train.test_training_parity import batches, pair  # noqa: E402  it needs torch


@needs_bfloat16
def test_ten_steps_in_bfloat16_are_torchs():
    mg.manual_seed(0)
    ours, theirs = pair("small_cnn", "float32", None)
    mine = optim.SGD(ours.parameters(), lr=0.01, momentum=0.9)
    other = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for x, y in islice(batches(8, "float32"), 10):
        mine.zero_grad()
        with mg.autocast("bfloat16"):
            output = ours(mg.Tensor(x))
            loss = mg.cross_entropy(output, y)
        loss.backward()
        mine.step()
        other.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            wanted = theirs(torch.tensor(x))
            expected = torch.nn.functional.cross_entropy(wanted, torch.tensor(y))
        expected.backward()
        other.step()
        assert str(wanted.dtype) == f"torch.{output.dtype}" == "torch.bfloat16"
        assert str(expected.dtype) == f"torch.{loss.dtype}" == "torch.float32"
        losses.append((loss.item(), expected.item()))
    assert losses[-1][0] < losses[0][0]
    np.testing.assert_allclose(*zip(*losses), rtol=4 * EPS["bfloat16"])


@needs_bfloat16
@pytest.mark.parametrize("call", [
    lambda m, x, w: m.matmul(x[:, :, 0, 0], x[:, :, 0, 0].T), lambda m, x, w: m.conv2d(x, w),
    lambda m, x, w: m.conv_transpose2d(x, w), lambda m, x, w: m.relu(m.conv2d(x, w)),
    lambda m, x, w: m.conv2d(x, w) + x[:, :, 1:-1, 1:-1], lambda m, x, w: m.conv2d(x, w) * 0.5,
    lambda m, x, w: m.max_pool2d(m.conv2d(x, w), 2), lambda m, x, w: m.sigmoid(m.conv2d(x, w)),
    lambda m, x, w: m.mse_loss(m.conv2d(x, w), x[:, :, 1:-1, 1:-1])], ids=range(9))
def test_each_op_has_the_dtype_and_the_numbers_that_torch_gives(call):
    """Softmax is not among them: torch takes it in float32 on a GPU alone, we everywhere.

    Without instructions for bfloat16 some of torch's kernels round sums on the way. What they lose
    by that is theirs; ours round once.
    """
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 3, 8, 8), (3, 3, 3, 3)))
    with mg.autocast("bfloat16"):
        ours = call(mg, mg.Tensor(x), mg.Tensor(w))
    with torch.autocast("cpu", torch.bfloat16):
        theirs = call(_Torch, torch.tensor(x), torch.tensor(w))
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    exact = call(_Torch, *(torch.tensor(a).bfloat16().double() for a in (x, w))).numpy()
    ours, theirs = ours.to("float32").data, theirs.float().numpy()
    bound = {"rtol": 2 * EPS["bfloat16"], "atol": 2 * EPS["bfloat16"]}
    np.testing.assert_allclose(ours, exact, **bound)
    if abs(theirs - exact).max() < bound["atol"]:
        np.testing.assert_allclose(ours, theirs, **bound)


class _Torch:
    """torch's functions under the names that minigrad has for them."""

    matmul, conv2d, conv_transpose2d = torch.matmul, torch.conv2d, torch.conv_transpose2d
    relu, max_pool2d, sigmoid = torch.relu, torch.max_pool2d, torch.sigmoid
    mse_loss = torch.nn.functional.mse_loss


def test_the_scaler_takes_torchs_decisions():
    ours = optim.GradScaler(growth_interval=7)
    theirs = torch.amp.GradScaler("cpu", growth_interval=7)
    rng, scales = np.random.default_rng(0), set()
    for step in range(200):
        gradient = np.inf if rng.random() < (0.3 if step < 60 else 0.02) else 1.0
        p, q = nn.Parameter(np.ones(3, np.float32)), torch.nn.Parameter(torch.ones(3))
        mine, other = optim.SGD([p], lr=0.5), torch.optim.SGD([q], lr=0.5)
        ours.scale((p * 3).sum()).backward()
        theirs.scale((q * 3).sum()).backward()
        p.grad.data[1] *= np.float32(gradient)
        q.grad[1] *= gradient
        ours.step(mine), theirs.step(other)
        ours.update(), theirs.update()
        assert np.array_equal(p.data, q.detach().numpy())
        assert ours.state_dict() == theirs.state_dict()
        scales.add(ours.get_scale())
    assert len(scales) > 5
    assert optim.GradScaler().state_dict() == torch.amp.GradScaler("cpu").state_dict()


def test_the_scaler_takes_torchs_decisions_for_several_optimizers():
    """In random orders of calls, wrong ones among them; torch tells of those by its exceptions."""
    rng, outcomes = np.random.default_rng(0), set()
    ours = optim.GradScaler(8.0, 1.3, 0.7, growth_interval=3)
    theirs = torch.amp.GradScaler("cpu", 8.0, 1.3, 0.7, growth_interval=3)
    theirs.scale(torch.ones(1))         # or it says that it was never used
    mine = [nn.Parameter(np.ones(2, np.float32)) for _ in range(3)]
    others = [torch.nn.Parameter(torch.ones(2)) for _ in range(3)]
    optimizers = [(optim.SGD([p], lr=0.5), torch.optim.SGD([q], lr=0.5))
                  for p, q in zip(mine, others)]

    def outcome(call, *arguments):
        try:
            call(*arguments)
            return "done"
        except (RuntimeError, AssertionError):
            return "refused"

    for step in range(600):
        if step % 6 == 0:
            for p, q in zip(mine, others):
                g = np.array([1.0, np.inf if rng.random() < 0.15 else 2.0], np.float32)
                p.grad, q.grad = mg.Tensor(g * 4), torch.tensor(g * 4)
        name = rng.choice(["unscale_", "step", "step", "update"])
        first, second = optimizers[rng.integers(3)]
        pair = [outcome(getattr(scaler, name), *([] if name == "update" else [optimizer]))
                for scaler, optimizer in ((ours, first), (theirs, second))]
        assert pair[0] == pair[1], (step, name)
        outcomes.add((name, pair[0]))
        assert ours.state_dict() == theirs.state_dict()
        for p, q in zip(mine, others):
            np.testing.assert_array_equal(p.data, q.detach().numpy())
            np.testing.assert_array_equal(p.grad.data, q.grad.numpy())
    assert len(outcomes) == 6
