"""nn.functional, the losses as modules, and PyTorch's second names of ops."""

import copy
import inspect

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import Tensor, nn, ops
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD
from minigrad.train import fit
from minigrad.train.folder.identity import name_of
from tests.one_line import one_line

RNG = np.random.default_rng(0)
IMAGES, FILTERS = RNG.normal(size=(2, 3, 6, 6)), RNG.normal(size=(4, 3, 3, 3))
X, Y = RNG.normal(size=(2, 5)), RNG.uniform(size=(2, 5))
TARGET, WEIGHT = np.array([3, 0]), RNG.uniform(1, 2, 5)
SIGNS = np.where(RNG.uniform(size=(2, 5)) < 0.5, -1.0, 1.0)
LINES, KERNELS = IMAGES[:, :, 0], FILTERS[:, :, 0]
STATISTICS = [RNG.uniform(1, 2, 3) for _ in range(4)]

# Lines as one writes them in PyTorch, each with every argument whose place could be another one.
CALLS = {
    "relu": ([X, True], {}),
    "leaky_relu": ([X, 0.2], {}),
    "softmax": ([X, 1], {}),
    "log_softmax": ([X], {"dim": 0}),
    "softplus": ([X, 2.0, 1.0], {}),
    "sigmoid": ([X], {}),
    "tanh": ([X], {}),
    "celu": ([X, 0.5], {}), "elu": ([X, 0.5], {}), "selu": ([X], {}), "silu": ([X, True], {}),
    "gelu": ([X], {"approximate": "tanh"}), "glu": ([IMAGES, 3], {}), "mish": ([X], {}),
    "hardshrink": ([X, 0.1], {}), "softshrink": ([X, 0.1], {}), "hardsigmoid": ([X], {}),
    "hardswish": ([X], {}), "hardtanh": ([X, -0.5, 0.7], {}), "relu6": ([X], {"inplace": True}),
    "logsigmoid": ([X], {}), "softsign": ([X], {}), "tanhshrink": ([X], {}),
    "prelu": ([IMAGES, STATISTICS[0]], {}), "softmin": ([X, 1], {}),
    "threshold": ([X, 0.1, -3.0], {}),
    "conv1d": ([LINES, KERNELS, RNG.normal(size=4), 2, 1, 1, 1], {}),
    "conv_transpose1d": ([LINES, RNG.normal(size=(3, 2, 3)), RNG.normal(size=2), 2, 1, 1, 1, 2],
                         {}),
    "max_pool1d": ([LINES, 3, 2, 1, 1, True], {}), "avg_pool1d": ([LINES, 3, 2, 1, True], {}),
    "adaptive_avg_pool1d": ([LINES, 4], {}), "adaptive_max_pool1d": ([LINES, 4], {}),
    "dropout1d": ([LINES, 0.5, False], {}), "dropout3d": ([IMAGES, 0.5, False], {}),
    "interpolate": ([IMAGES, None, 1.5, "bilinear", True], {}),
    "pixel_shuffle": ([FILTERS.reshape(1, 4, 3, 9), 2], {}), "pixel_unshuffle": ([IMAGES, 3], {}),
    "channel_shuffle": ([IMAGES, 3], {}), "embedding": ([TARGET, RNG.normal(size=(5, 2))], {}),
    "scaled_dot_product_attention": ([LINES, KERNELS[:2, :, [0, 1, 2] * 2], LINES, None, 0.0, True],
                                     {}),
    "layer_norm": ([X, (5,), WEIGHT, -WEIGHT, 0.5], {}), "rms_norm": ([X, [5], WEIGHT, 0.5], {}),
    "group_norm": ([IMAGES, 3, *STATISTICS[:2], 0.5], {}),
    "instance_norm": ([IMAGES, *STATISTICS, False, 0.1, 0.5], {}),
    "local_response_norm": ([IMAGES, 2, 0.1, 0.5, 2.0], {}), "normalize": ([X, 3.0, 0, 0.1], {}),
    "one_hot": ([TARGET, 5], {}),
    "linear": ([X, RNG.normal(size=(4, 5)), RNG.normal(size=4)], {}),
    "conv2d": ([IMAGES, FILTERS, RNG.normal(size=4), 2, 1, 1, 1], {}),
    "conv_transpose2d": ([IMAGES, RNG.normal(size=(3, 2, 3, 3)), RNG.normal(size=2), 2, 1, 1, 1, 2],
                         {}),
    "max_pool2d": ([IMAGES, 3, 2, 1, 1, True], {}),
    "avg_pool2d": ([IMAGES, 3, 2, 1, True, False], {}),
    "adaptive_avg_pool2d": ([IMAGES, (4, 1)], {}),
    "adaptive_max_pool2d": ([IMAGES, 4], {}),
    "batch_norm": ([IMAGES, *STATISTICS, False, 0.1, 0.5], {}),
    "pad": ([IMAGES, (1, 0, 2, 1), "constant", 0.5], {}),
    "dropout": ([X, 0.5, False], {}),
    "dropout2d": ([IMAGES, 0.5, False], {}),
    "cross_entropy": ([X, TARGET, WEIGHT], {"label_smoothing": 0.1, "reduction": "sum"}),
    "nll_loss": ([X, TARGET, WEIGHT], {"ignore_index": 0}),
    "mse_loss": ([X, Y], {"reduction": "sum"}),
    "binary_cross_entropy_with_logits": ([X, Y], {"reduction": "none"}),
    "l1_loss": ([X, Y], {"reduction": "none"}),
    "smooth_l1_loss": ([X, Y], {"reduction": "sum", "beta": 0.3}),
    "huber_loss": ([X, Y, "sum", 0.3], {}),
    "binary_cross_entropy": ([Y, Y[::-1].copy(), WEIGHT], {"reduction": "sum"}),
    "soft_margin_loss": ([X, SIGNS], {"reduction": "none"}),
    "kl_div": ([X, Y], {"reduction": "batchmean", "log_target": True}),
    "cosine_similarity": ([X, Y, 0, 1e-3], {}),
    "pairwise_distance": ([X, Y, 3.0, 1e-3, True], {}),
}


def test_every_function_is_an_op_and_has_a_call_below():
    assert set(F.__all__) == set(CALLS) and nn.functional is F
    assert all(getattr(F, name) is ops.REGISTRY[name] for name in F.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_the_values_are_pytorch_s(name):
    torch = pytest.importorskip("torch")
    arguments, options = copy.deepcopy(CALLS[name])
    inputs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
    expected = getattr(torch.nn.functional, name)(*inputs, **options).numpy()
    # running statistics are plain arrays here
    statistics = range(1, 3) if name in ("batch_norm", "instance_norm") else ()
    inputs = [Tensor(a) if isinstance(a, np.ndarray) and i not in statistics else a
              for i, a in enumerate(arguments)]
    result = getattr(F, name)(*inputs, **options)
    np.testing.assert_allclose(result.data, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("call", [
    lambda: F.pad(Tensor(IMAGES), (1, 1), "reflect"),
    lambda: F.mse_loss(Tensor(X), Tensor(Y), False),
    lambda: F.binary_cross_entropy_with_logits(Tensor(X), Tensor(Y), Tensor(Y))])
def test_what_pytorch_means_by_an_argument_more_is_refused(call):
    with pytest.raises((TypeError, ValueError)):
        call()


def test_dropout_is_random_in_training_and_rescaled():
    y = F.dropout(Tensor(np.ones(1000)), 0.25, training=True)
    assert set(np.unique(y.data.round(6))) == {0, 1.333333} and 150 < (y.data == 0).sum() < 350


# ---- losses --------------------------------------------------------------------------------------

LOSSES = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss, F.cross_entropy, [X, TARGET], [
        {}, {"label_smoothing": 0.1}, {"ignore_index": 3}, {"weight": WEIGHT},
        {"weight": WEIGHT, "label_smoothing": 0.2, "reduction": "none"}]),
    "NLLLoss": (nn.NLLLoss, F.nll_loss, [X, TARGET], [
        {}, {"weight": WEIGHT, "reduction": "sum"}, {"ignore_index": 0}]),
    "MSELoss": (nn.MSELoss, F.mse_loss, [X, Y], [{}, {"reduction": "sum"}]),
    "L1Loss": (nn.L1Loss, F.l1_loss, [X, Y], [{}, {"reduction": "none"}]),
    "SmoothL1Loss": (nn.SmoothL1Loss, F.smooth_l1_loss, [X, Y], [{}, {"beta": 0.5}]),
    "HuberLoss": (nn.HuberLoss, F.huber_loss, [X, Y], [{}, {"delta": 0.5}]),
    "BCELoss": (nn.BCELoss, F.binary_cross_entropy, [Y, Y[::-1].copy()], [{}, {"weight": WEIGHT}]),
    "KLDivLoss": (nn.KLDivLoss, F.kl_div, [X, Y], [
        {"reduction": "batchmean"}, {"log_target": True, "reduction": "none"}]),
    "SoftMarginLoss": (nn.SoftMarginLoss, F.soft_margin_loss, [X, SIGNS], [{}]),
    "PairwiseDistance": (nn.PairwiseDistance, F.pairwise_distance, [X, Y], [
        {}, {"p": 1.0, "eps": 0.1, "keepdim": True}]),
    "CosineSimilarity": (nn.CosineSimilarity, F.cosine_similarity, [X, Y], [
        {}, {"dim": 0, "eps": 1e-3}]),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, [X, Y],
                          [{}, {"reduction": "none"}, {"pos_weight": WEIGHT},
                           {"weight": WEIGHT, "pos_weight": 2 * WEIGHT, "reduction": "sum"}]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_calls_its_op_with_its_options(name):
    module, op, (x, y), variants = LOSSES[name]
    for options in variants:
        for make in (Tensor, lambda array: array):
            result = module(**options)(Tensor(x), make(y))
            assert np.array_equal(result.data, op(Tensor(x), make(y), **options).data)
    accepted = set(inspect.signature(module).parameters)
    inputs = {"input", "target", "x1", "x2"}
    assert accepted == set(inspect.signature(op).parameters) - inputs
    assert accepted - {"reduction"} == {
        name for options in variants for name in options} - {"reduction"}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
def test_a_loss_is_pytorch_s(name):
    torch = pytest.importorskip("torch")
    module, _, (x, y), variants = LOSSES[name]
    for options in variants:
        theirs = {key: torch.tensor(v) if "weight" in key else v for key, v in options.items()}
        loss = getattr(torch.nn, name)(**theirs)
        expected = loss(torch.tensor(x), torch.tensor(y)).numpy()
        np.testing.assert_allclose(module(**options)(Tensor(x), Tensor(y)).data, expected, 1e-12)
    assert repr(module()) == repr(getattr(torch.nn, name)())


def test_repr_tells_the_options_that_are_not_the_defaults():
    assert repr(nn.CrossEntropyLoss()) == "CrossEntropyLoss()"
    assert repr(nn.CrossEntropyLoss([1, 2], label_smoothing=0.1, reduction="sum")) == \
        "CrossEntropyLoss(weight=[1.0, 2.0], reduction='sum', label_smoothing=0.1)"
    assert repr(nn.NLLLoss(ignore_index=0)) == "NLLLoss(ignore_index=0)"


def test_class_weights_are_a_buffer():
    for weight in ([1, 2, 4], Tensor([1.0, 2.0, 4.0]), np.array([1, 2, 4], np.float32)):
        loss = nn.CrossEntropyLoss(weight)
        assert loss.state_dict()["weight"].tolist() == [1, 2, 4] and not list(loss.parameters())
        assert loss.to("float64").weight.dtype == np.float64
    assert nn.CrossEntropyLoss().state_dict() == {}


@pytest.mark.parametrize("make, error, words", [
    (lambda: nn.CrossEntropyLoss(None, True), TypeError, ["positional"]),
    (lambda: nn.CrossEntropyLoss(size_average=True), TypeError, ["size_average"]),
    (lambda: nn.MSELoss("sum"), TypeError, ["positional"]),
    (lambda: nn.BCEWithLogitsLoss(reduce=True), TypeError, ["reduce"]),
    (lambda: nn.MSELoss(reduction="avg")(Tensor(X), Tensor(Y)), ValueError, ["'avg'"]),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2)(Tensor(X), TARGET), ValueError, ["2"])])
def test_an_option_that_is_not_there_is_refused(make, error, words):
    with one_line(error, *words):
        make()


def test_fit_takes_a_loss_module_and_names_it():
    def trained(loss):
        mg.manual_seed(0)
        model = nn.Linear(5, 5)
        data = ArrayDataset(X.astype(np.float32), TARGET)
        history = fit(model, DataLoader(data, batch_size=2), epochs=3, loss=loss,
                      optimizer=SGD(model.parameters(), lr=0.1), progress=False)
        return [line["train"]["loss"] for line in history]

    def smoothed(x, y):
        return F.cross_entropy(x, y, label_smoothing=0.2)

    assert trained(nn.CrossEntropyLoss(label_smoothing=0.2)) == trained(smoothed)
    assert trained(nn.CrossEntropyLoss()) != trained(smoothed)
    assert name_of(nn.CrossEntropyLoss()).startswith("CrossEntropyLoss")


# ---- second names --------------------------------------------------------------------------------

def test_cat_and_clamp_are_concatenate_and_clip():
    assert mg.cat is mg.concatenate and mg.clamp is mg.clip and Tensor.clamp is Tensor.clip
    x, y = Tensor(X, requires_grad=True), Tensor(Y)
    joined = mg.cat([x, y], dim=1)
    joined[:, 3:7].sum().backward()
    assert np.array_equal(joined.data, np.concatenate([X, Y], 1))
    assert x.grad.data.tolist() == [[0, 0, 0, 1, 1]] * 2
    assert np.array_equal(mg.cat((x, y)).data, np.concatenate([X, Y]))
    assert np.array_equal(x.clamp(min=0).data, X.clip(0)) and mg.cat([X, Y]).shape == (4, 5)
    assert {"cat", "clamp", "concatenate", "clip"} <= set(ops.__all__)
