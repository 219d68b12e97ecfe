"""Layers and losses on the samples that PyTorch tests its own with: `module_db`.

Every sample is built, given the same weights, run forward and backward: outputs, running
statistics, and the gradients of inputs and parameters are PyTorch's, to its own tolerances. What is
refused instead is counted in REFUSED, with the reason; nothing else may differ.
"""

import warnings
from collections import Counter

import pytest

from minigrad import Tensor, nn, no_grad
from tests.nn.test_module_tree import Tied

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")       # which the module of the samples imports
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_modules import module_db

MODULES = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "BCEWithLogitsLoss",
           "BatchNorm1d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss",
           "LeakyReLU", "Linear", "MSELoss", "MaxPool2d", "NLLLoss", "ReLU", "Sigmoid", "Softplus",
           "Tanh"]
MODULES += ["BCELoss", "CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss",
            "KLDivLoss", "L1Loss", "MarginRankingLoss", "PoissonNLLLoss", "SmoothL1Loss",
            "SoftMarginLoss"]
ABSENT = {"Dropout", "Dropout2d", "Flatten", "Identity", "UpsamplingNearest2d", "ModuleDict",
          "ModuleList", "ParameterDict", "ParameterList", "Sequential"}     # from module_db
ABSENT |= {"CosineSimilarity", "PairwiseDistance", "TripletMarginLoss"}

# {module: {what the error says: (how many samples, why it is refused)}}, over all dtypes and modes.
REFUSED = {
    "AdaptiveAvgPool2d": {
        "needs images (N, C, H, W)": (2, "one image without the axis of the batch")},
    "AdaptiveMaxPool2d": {
        "needs images (N, C, H, W)": (2, "one image without the axis of the batch")},
    "AvgPool2d": {"needs images (N, C, H, W)": (2, "one image without the axis of the batch")},
    "BatchNorm1d": {"more than 1 value per channel": (2, "an empty batch has no statistics")},
    "BatchNorm2d": {"more than 1 value per channel": (2, "an empty batch has no statistics")},
    "Conv2d": {"needs (N, C, H, W)": (4, "one image without the axis of the batch")},
    "ConvTranspose2d": {"needs (N, C, H, W)": (2, "one image without the axis of the batch")},
    "Softplus": {"takes no arguments": (6, "options that are not there")},
    "MaxPool2d": {"needs images (N, C, H, W)": (2, "one image without the axis of the batch")},
}
# Else torch.testing's. The log-softmax inside of the loss is rounded to 16 bits, in PyTorch too.
TOLERANCE = {torch.float16: {"rtol": 2e-3, "atol": 1e-4}}


def infos():
    return {info.module_cls.__name__: info for info in module_db
            if info.module_cls.__module__.startswith("torch.nn.modules")}


def samples(name):
    """(dtype, training, sample) of everything that PyTorch runs the module on."""
    info = infos()[name]
    dtypes = [dtype for dtype in info.dtypes if dtype in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16)]
    for dtype in dtypes:
        for training in (True, False) if info.train_and_eval_differ else (True,):
            torch.manual_seed(0)
            for sample in info.module_inputs_func(info, device="cpu", dtype=dtype,
                                                  requires_grad=True, training=training):
                yield dtype, training, sample


def ours(value):
    if isinstance(value, torch.Tensor):
        return Tensor(value.detach().numpy().copy(), requires_grad=value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(map(ours, value))
    return value


def close(mine, theirs):
    mine = torch.from_numpy(mine.detach().numpy())
    torch.testing.assert_close(mine, theirs.detach().to(mine.dtype), equal_nan=True,
                               **TOLERANCE.get(mine.dtype, {}))


def compared(name, dtype, training, sample):
    """Run one sample in both libraries and compare; TypeError or ValueError if ours refuses it.

    PyTorch computes 16-bit samples in float32, or it would round on the way, which we do not.
    """
    pairs = []      # Tensors of theirs and ours, the leaves

    def their_own(value):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            wide = torch.promote_types(value.dtype, torch.float32)
            return value.detach().to(wide).requires_grad_(value.requires_grad)
        return value

    def both(function, their_function, inputs):
        """What each gives, of the same inputs."""
        theirs = [*map(their_own, inputs.args)], {
            key: their_own(value) for key, value in inputs.kwargs.items()}
        mine = [*map(ours, inputs.args)], {key: ours(value) for key, value in inputs.kwargs.items()}
        pairs.extend(zip([*theirs[0], *theirs[1].values()], [*mine[0], *mine[1].values()]))
        return function(*mine[0], **mine[1]), their_function(*theirs[0], **theirs[1])

    layer, theirs = both(getattr(nn, name), infos()[name].module_cls, sample.constructor_input)
    theirs.to(torch.promote_types(dtype, torch.float32)).train(training)
    layer.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    layer.to(str(dtype).removeprefix("torch.")).train(training)
    if sample.forward_input is None:
        return
    y, expected = both(layer, theirs, sample.forward_input)
    if isinstance(expected, tuple):
        (y, places), (expected, their_places) = y, expected
        close(places, their_places)
    close(y, expected)
    assert y.requires_grad == expected.requires_grad
    if expected.requires_grad:
        cotangent = torch.randn_like(expected).to(dtype)
        expected.backward(cotangent.to(expected.dtype))
        y.backward(Tensor(cotangent.numpy()))
    named = zip(theirs.named_parameters(), layer.named_parameters(), strict=True)
    pairs += [(p, q) for (_, p), (_, q) in named]
    for x, mine in pairs:
        if isinstance(x, torch.Tensor):
            assert (x.grad is None) == (mine.grad is None)
            if x.grad is not None:
                close(mine.grad, x.grad)
    for key, value in theirs.state_dict().items():          # running statistics
        close(Tensor(layer.state_dict()[key]), value)


def test_the_modules_are_these():
    offered = {name for name in nn.__all__ if name[0].isupper()} - {"Buffer", "Module", "Parameter"}
    assert set(MODULES) == offered & set(infos()) == offered - ABSENT
    assert set(REFUSED) <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore")       # PyTorch's own
def test_the_samples_of_torch(name):
    refused, passed = Counter(), 0
    for dtype, training, sample in samples(name):
        try:
            compared(name, dtype, training, sample)
            passed += 1
        except (TypeError, ValueError) as error:
            known = [text for text in REFUSED.get(name, {}) if text in str(error)]
            if not known:
                raise AssertionError(f"{sample.desc}, {dtype}: {error}") from error
            refused[known[0]] += 1
    assert refused == {text: count for text, (count, _) in REFUSED.get(name, {}).items()}
    assert passed


def test_a_state_with_shared_parts_is_exchanged_strictly():
    theirs = torch.nn.Module()
    theirs.embed, theirs.out = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    theirs.out.weight = theirs.embed.weight
    theirs.norm = theirs.again = torch.nn.BatchNorm1d(3)
    model = Tied()
    assert list(model.state_dict()) == list(theirs.state_dict())
    model.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    with no_grad():
        model.embed.weight *= 2
    theirs.load_state_dict({name: torch.tensor(a) for name, a in model.state_dict().items()})
    assert (theirs.out.weight.detach().numpy() == model.out.weight.data).all()
    for duplicates in (True, False):
        for mine, other in ((model.named_parameters, theirs.named_parameters),
                            (model.named_modules, theirs.named_modules),
                            (model.named_buffers, theirs.named_buffers)):
            assert [name for name, _ in mine(remove_duplicate=duplicates)] == [
                name for name, _ in other(remove_duplicate=duplicates)]
