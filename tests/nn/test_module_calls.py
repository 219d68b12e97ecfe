"""What a module is called with and what is run: arguments by name, fused layers, options."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.nn.fuse import run_layers
from tests.one_line import one_line

# ---- batch normalisation without ... -------------------------------------------------------------

X = np.array([[1.0, 4.0], [3.0, 8.0]], np.float32)


@pytest.mark.parametrize("options, state", [
    ({"affine": False}, ["running_mean", "running_var", "num_batches_tracked"]),
    ({"track_running_stats": False}, ["weight", "bias"]),
    ({"bias": False}, ["weight", "running_mean", "running_var", "num_batches_tracked"]),
    ({"affine": False, "track_running_stats": False, "momentum": None}, [])])
def test_batch_normalisation_without_some_of_its_parts(options, state):
    layer = nn.BatchNorm1d(2, **options)
    assert list(layer.state_dict()) == state
    assert all(f"{option}=False" in repr(layer) for option in options if option != "momentum")
    np.testing.assert_allclose(layer(Tensor(X)).data, [[-1, -1], [1, 1]], atol=1e-5)
    y = layer.eval()(Tensor(X)).data
    if "running_var" in state:      # mean .2 and .6, variance 1.1 and 1.7
        np.testing.assert_allclose(y, (X - [0.2, 0.6]) / np.sqrt([1.1, 1.7]), rtol=1e-5)
    else:
        np.testing.assert_allclose(y, [[-1, -1], [1, 1]], atol=1e-5)
    fused = nn.Sequential(layer, nn.ReLU())(Tensor(X)).data
    assert (fused == np.maximum(y, 0)).all()


# ---- calls ---------------------------------------------------------------------------------------

def test_modules_take_arguments_by_name():
    class Masked(nn.Module):
        def forward(self, x, mask=None, scale=1.0):
            return (x if mask is None else x * mask) * scale

    model, x = Masked(), Tensor([1.0, 2.0])
    assert model(x=x, mask=Tensor([0.0, 1.0]), scale=3.0).data.tolist() == [0, 6]
    with mg.function.trace() as calls:
        model(x, scale=2.0)
    assert calls[-1].scope == (model,)
    linear = nn.Linear(2, 2)
    assert (linear(input=x).data == linear(x).data).all()


NORM = nn.BatchNorm1d(2).eval()


class Doubled(nn.BatchNorm1d):
    def __call__(self, *inputs):
        return super().__call__(*inputs) * 2


class Leaky(nn.ReLU):
    def __call__(self, x):
        return x


class Shifted(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x) + 10


class Negative(nn.ReLU):
    def forward(self, x):
        return -super().forward(x)


@pytest.mark.parametrize("norm, act", [
    (Doubled(2), nn.ReLU()), (nn.BatchNorm1d(2), Leaky()), (Shifted(2), nn.ReLU()),
    (nn.BatchNorm1d(2), Negative()), (Doubled(2), Leaky())])
def test_a_call_of_ones_own_is_never_passed_over(norm, act):
    x = Tensor(X)
    expected = act(norm(x)).data
    assert (nn.Sequential(norm, act)(x).data == expected).all()
    assert (run_layers(x, norm, act).data == expected).all()


@pytest.mark.parametrize("owner", [0, 1])
def test_a_forward_that_is_set_on_the_layer_itself_is_run(owner):
    model = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    model[owner].forward = lambda x: x * 0 + 7
    assert (model(Tensor(X)).data == 7).all()


def test_layers_take_inplace_and_compute_out_of_place():
    x = Tensor(np.array([-1.0, 2.0], np.float32))
    for layer in (nn.ReLU(inplace=True), nn.ReLU(True), nn.LeakyReLU(0.1, inplace=True),
                  nn.Dropout(0.5, inplace=True), nn.Dropout2d(0.5, True)):
        assert "inplace=True" in repr(layer)
        if not isinstance(layer, nn.Dropout):
            layer(x)
            assert x.data.tolist() == [-1, 2]
    assert repr(nn.ReLU()) == "ReLU()" and repr(nn.Dropout()) == "Dropout(p=0.5)"
    y = Tensor(X, requires_grad=True)
    nn.Dropout(0.5, inplace=True)(y).sum().backward()
    assert y.data is X


def test_flatten_takes_axes():
    x = Tensor(np.zeros((2, 3, 4, 5), np.float32))
    for layer, shape in ((nn.Flatten(), (2, 60)), (nn.Flatten(1), (2, 60)),
                         (nn.Flatten(0), (120,)), (nn.Flatten(1, 2), (2, 12, 5)),
                         (nn.Flatten(start_dim=-2), (2, 3, 20))):
        assert layer(x).shape == shape
    assert repr(nn.Flatten(1, 2)) == "Flatten(start_dim=1, end_dim=2)"


def test_gradients_can_be_made_zero():
    model = nn.Linear(2, 2)
    for owner in (model, optim.SGD(model.parameters())):
        model(Tensor(X)).sum().backward()
        kept = model.weight.grad.data
        owner.zero_grad(set_to_none=False)
        assert model.weight.grad.data is kept and not kept.any()
        owner.zero_grad(set_to_none=True)
        assert model.weight.grad is None
        owner.zero_grad(set_to_none=False)
        assert model.weight.grad is None


def test_a_mode_is_a_boolean():
    with one_line(ValueError, "train", "1"):
        nn.ReLU().train(1)


def test_the_winners_of_max_pooling_are_there_on_request():
    x = Tensor(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2))
    y, places = nn.MaxPool2d(2, return_indices=True)(x)
    assert y.item() == 3 and places.item() == 3
