"""NaN and infinity are caught in the step in which they appear, named, and never saved."""

import numpy as np
import pytest

from minigrad import Function, Tensor, cross_entropy, manual_seed, nn
from minigrad.backend import random_state
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD, Adam
from minigrad.train import NonFiniteError, evaluate, fit, guard
from minigrad.train.folder.checkpoint import Checkpoints
from minigrad.weights import load
from tests.one_line import one_line

BAD = [np.nan, np.inf, -np.inf]
STEP = 6        # of 10; the loader's second epoch, its second batch


class Photos(ArrayDataset):
    """Samples whose names look like files."""

    def name(self, index):
        return f"photos/{self._place(index)}.jpg"


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Dropout(),
                         nn.Linear(8, 3))


class Case:
    """A network and 19 samples, 5 batches of an epoch; the checkpoints of every step."""

    def __init__(self, folder, lr=0.01, optimizer=SGD):
        manual_seed(0)
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((19, 3, 8, 8)).astype(np.float32)
        self.data = Photos(self.x, rng.integers(0, 3, 19))
        self.loader = DataLoader(self.data, batch_size=4, shuffle=True, workers=0)
        self.model, self.folder = network(), folder
        self.optimizer = optimizer(self.model.parameters(), lr=lr)

    def batch(self, step):
        """The names of the samples of a step."""
        return self.loader.batch_names((step - 1) // 5, (step - 1) % 5)

    def fit(self, *callbacks, **settings):
        return fit(self.model, self.loader, epochs=2, optimizer=self.optimizer, save_every=1,
                   callbacks=callbacks, folder=self.folder, progress=False, **settings)

    def fails(self, *callbacks, step=STEP, **settings):
        """The NonFiniteError, which must name the step and its samples; what was saved is sound."""
        with pytest.raises(NonFiniteError) as caught:
            self.fit(*callbacks, **settings)
        message = str(caught.value)
        assert "\n" not in message
        assert f"step {step} (epoch {(step + 4) // 5}, batch {(step - 1) % 5 + 1})" in message
        names = caught.value.names
        assert names and {*names} <= {*self.batch(step)} and names[0] in message
        self.check_saved(step - 1)
        return caught.value

    def check_saved(self, step):
        """The last checkpoint is that of `step`, finite, and what the model has in memory."""
        path, state = Checkpoints(self.folder / "checkpoints").load()
        assert state["step"] == step and state["random"] == random_state()
        for file in path.parent.iterdir():
            assert all(np.isfinite(x).all() for x in load(file).values())
        for name, x in self.model.state_dict().items():
            assert np.array_equal(x, state["model"][name])


class After:
    """Calls `action` once `step` steps are done."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_step_end(self, run):
        if run.step == self.step:
            self.action()


class Poison(Function):
    """y = x, but for one element, in the forward or in the backward pass."""

    def __init__(self, value, forward):
        self.value, self.poisons_forward = value, forward

    def forward(self, x):
        return self.put(x) if self.poisons_forward else x.copy()

    def backward(self, gy):
        return gy if self.poisons_forward else self.put(gy)

    def put(self, x):
        x = x.copy()
        x[(1, *[0] * (x.ndim - 1))] = self.value       # of the second sample
        return x


def poisoned(layer, value, forward):
    """An action that makes `layer` end in a Poison."""
    def act():
        clean = layer.forward
        layer.forward = lambda x: Poison(value, forward)(clean(x))
    return act


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("step", [2, STEP, 10])
def test_in_the_data_the_sample_is_named(tmp_path, value, step):
    case = Case(tmp_path)
    name = case.batch(step)[-1]

    def spoil():
        case.x[int(name[7:-4]), 2, 3, 4] = value

    error = case.fails(After(step - 1, spoil), step=step)
    assert (error.tensor, error.names) == ("input", [name])


# An infinite output that the layers after it make finite again, with a gradient of 0: ReLU and max
# pooling -inf, tanh both, and cross entropy -inf of a class that the sample is not of.
ABSORBED = [(1, -np.inf), (2, -np.inf), (5, np.inf), (5, -np.inf), (8, -np.inf)]


@pytest.mark.parametrize("layer, value", [(layer, value) for layer in range(9) for value in BAD
                                          if (layer, value) not in ABSORBED])
def test_in_a_forward_layer_and_sample_are_named(tmp_path, layer, value):
    case = Case(tmp_path)
    error = case.fails(After(STEP - 1, poisoned(case.model[layer], value, True)))
    assert error.layer == f"layer '{layer}' ({type(case.model[layer]).__name__})"
    assert error.layer in str(error) and error.tensor == "output of Poison"
    assert error.names == [case.batch(STEP)[1]]


@pytest.mark.parametrize("layer, value", ABSORBED)
def test_an_infinity_without_consequences_is_no_failure(tmp_path, layer, value):
    case = Case(tmp_path)
    case.data.targets = [1 + i % 2 for i in range(19)]
    case.fit(After(STEP - 1, poisoned(case.model[layer], value, True)))
    case.check_saved(10)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("layer", range(9))
def test_in_a_backward_layer_and_sample_are_named(tmp_path, layer, value):
    case = Case(tmp_path)
    error = case.fails(After(STEP - 1, poisoned(case.model[layer], value, False)))
    assert error.layer == f"layer '{layer}' ({type(case.model[layer]).__name__})"
    assert error.tensor == "gradient that Poison passes back"
    assert error.names == [case.batch(STEP)[1]] and "a gradient is not finite" in str(error)


@pytest.mark.parametrize("layer", [0, 1, 8])
def test_in_the_gradient_of_a_weight_it_is_named(tmp_path, layer):
    """Through a hook, which is not part of the graph."""
    case = Case(tmp_path)
    weight = case.model[layer].weight
    error = case.fails(After(STEP - 1, lambda: weight.register_hook(lambda g: g * np.nan)))
    assert error.tensor == f"gradient of {layer}.weight"


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", ["0.weight", "1.bias", "5.weight", "8.bias"])
def test_in_a_weight_it_is_named(tmp_path, name, value):
    case = Case(tmp_path)
    weight = dict(case.model.named_parameters())[name]

    def spoil():
        weight.data.flat[0] = value

    with one_line(NonFiniteError, f"after step {STEP - 1}", name, str(value)):
        case.fit(After(STEP - 1, spoil))        # at the save after that step
    assert Checkpoints(tmp_path / "checkpoints").load()[1]["step"] == STEP - 2


@pytest.mark.parametrize("name", ["0.weight", "8.bias"])
def test_in_a_weight_without_a_save_the_next_step_names_it(name):
    case = Case(None)
    weight = dict(case.model.named_parameters())[name]

    def spoil():
        weight.data.flat[0] = np.nan

    with one_line(NonFiniteError, "step 3 (epoch 1, batch 3)", f"first in the weight {name}",
                  "largest weight is nan"):
        fit(case.model, case.loader, epochs=2, optimizer=case.optimizer, progress=False,
            callbacks=[After(2, spoil)])


def test_in_a_weight_after_the_last_step_it_is_found_at_the_end():
    case = Case(None)

    def spoil():
        case.model[8].bias.data[0] = np.inf

    with one_line(NonFiniteError, "after step 10", "8.bias holds inf"):
        fit(case.model, case.loader, epochs=2, optimizer=case.optimizer, progress=False,
            callbacks=[After(10, spoil)])


@pytest.mark.parametrize("lr", [1e30, 1e38])
@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_a_learning_rate_that_is_far_too_high(tmp_path, optimizer, lr):
    case = Case(tmp_path, lr, optimizer)
    with pytest.raises(NonFiniteError, match="ower the learning rate") as caught:
        case.fit()
    assert "step 2 (epoch 1, batch 2)" in str(caught.value) or "after step 1" in str(caught.value)
    for path in Checkpoints(tmp_path / "checkpoints").paths():
        assert path.name == "step-00000001.safetensors"
        assert all(np.isfinite(x).all() for x in load(path).values())


def test_infinite_weights_are_not_saved(tmp_path):
    """The step that makes them has a finite loss and finite gradients."""
    case = Case(tmp_path, lr=1e42)
    with one_line(NonFiniteError, "after step 1 (epoch 1)", "0.weight", "inf"):
        case.fit()
    assert not Checkpoints(tmp_path / "checkpoints").paths()


def test_infinite_moments_are_not_saved(tmp_path):
    case = Case(tmp_path, optimizer=Adam)

    def spoil():
        next(iter(case.optimizer.state.values()))["exp_avg"][:] = np.inf

    with one_line(NonFiniteError, "after step 3", "exp_avg of parameter 0, in the optimizer,"):
        case.fit(After(3, spoil))


@pytest.mark.parametrize("label", [3, -1, -100, 10**9])
@pytest.mark.parametrize("step", [1, STEP])
def test_a_label_out_of_range_is_named_with_its_file(tmp_path, label, step):
    case = Case(tmp_path)
    name = case.batch(step)[-1]

    def spoil():
        case.data.targets[int(name[7:-4])] = label

    if step == 1:
        spoil()
    with one_line(ValueError, f"step {step} (", f"label {label} of {name} is out of range",
                  "3 outputs", "0 to 2"):
        case.fit(After(step - 1, spoil))
    with one_line(ValueError, "evaluation, batch", f"label {label} of {name}"):
        evaluate(case.model, DataLoader(case.data, batch_size=4, workers=0))


def test_after_a_failure_model_and_random_numbers_are_those_before_the_step(tmp_path):
    """So that a run whose cause is mended goes on as if nothing had been."""
    whole = Case(tmp_path / "whole")
    whole.fit()
    case = Case(tmp_path / "stopped")
    layer = case.model[5]
    error = case.fails(After(STEP - 1, poisoned(layer, np.nan, True)))
    assert "Linear" in error.layer
    del layer.forward
    fit(case.model, case.loader, epochs=2, optimizer=case.optimizer, folder=case.folder,
        resume=True, save_every=1, progress=False)
    for name, x in whole.model.state_dict().items():
        assert np.array_equal(case.model.state_dict()[name], x)


def test_in_one_of_the_batches_of_a_step(tmp_path):
    case = Case(tmp_path)
    name = case.batch(4)[2]
    case.x[int(name[7:-4]), 0] = np.nan
    with pytest.raises(NonFiniteError) as caught:
        case.fit(accumulate=3)
    assert "step 2 (epoch 1, batch 4)" in str(caught.value) and caught.value.names == [name]
    case.check_saved(1)


def test_in_an_evaluation(tmp_path):
    case = Case(tmp_path)
    case.x[9, 0, 0, 0] = np.nan
    with one_line(NonFiniteError, "evaluation, batch 3", "input", "photos/9.jpg"):
        evaluate(case.model, DataLoader(case.data, batch_size=4, workers=0))
    case.x[9, 0, 0, 0] = 0
    case.model[1].running_var[2] = np.nan
    with one_line(NonFiniteError, "evaluation, batch 1", "layer '1' (BatchNorm2d)"):
        evaluate(case.model, DataLoader(case.data, batch_size=4, workers=0))


def test_what_does_not_come_again_is_said_so():
    """A fault of the moment: the loss is NaN once, and repeating the batch is fine."""
    case, calls = Case(None), []

    def loss(output, y):
        calls.append(1)
        return cross_entropy(output, y) * (np.nan if len(calls) == 4 else 1)

    with one_line(NonFiniteError, "step 4", "loss is nan", "not again when the batch was repeated"):
        fit(case.model, case.loader, epochs=1, optimizer=case.optimizer, loss=loss, progress=False)


def test_gradients_whose_norm_overflows_are_not_taken_for_infinite():
    p = Tensor(np.zeros(3, np.float32), requires_grad=True)
    p.grad = Tensor(np.array([1e30, 0, -1e30], np.float32))
    assert np.isfinite(guard.squared_norm([p]))
    p.grad.data[1] = np.inf
    assert not np.isfinite(guard.squared_norm([p]))
