"""Layers and losses on the samples that PyTorch tests its own with: `module_db`.

Every sample is built, given the same weights, run forward and backward: outputs, running
statistics, and the gradients of inputs and parameters are PyTorch's, to its own tolerances. What is
refused instead is counted in REFUSED, with the reason; nothing else may differ.
"""

import os
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

MODULES = """
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d AvgPool1d AvgPool2d
    BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d CELU CircularPad1d CircularPad2d ConstantPad1d
    ConstantPad2d Conv1d Conv2d ConvTranspose1d ConvTranspose2d CrossEntropyLoss
    ELU Embedding GELU GLU GRU GroupNorm Hardshrink Hardswish Hardtanh HuberLoss
    InstanceNorm1d InstanceNorm2d KLDivLoss L1Loss LSTM LayerNorm LeakyReLU Linear
    LocalResponseNorm LogSigmoid LogSoftmax MSELoss MaxPool1d MaxPool2d Mish MultiheadAttention
    NLLLoss PReLU RMSNorm RNN ReLU ReLU6 ReflectionPad1d ReflectionPad2d ReplicationPad1d
    ReplicationPad2d SELU SiLU Sigmoid SmoothL1Loss SoftMarginLoss Softmax Softmax2d Softmin
    Softplus Softshrink Softsign Tanh Tanhshrink Threshold TransformerEncoderLayer ZeroPad1d
    ZeroPad2d
""".split()
# Not in module_db, and TransformerEncoder, whose samples hold layers of PyTorch's.
ABSENT = set("""
    ChannelShuffle CosineSimilarity Dropout Dropout1d Dropout2d Dropout3d Flatten Hardsigmoid
    Identity ModuleDict ModuleList PairwiseDistance ParameterDict ParameterList PixelShuffle
    PixelUnshuffle Sequential TransformerEncoder Unflatten
    Upsample UpsamplingBilinear2d UpsamplingNearest2d
""".split())
# Whose samples are many or slow: one in 15 of them, unless MINIGRAD_FULL=1.
SLOW = {"GRU", "LSTM", "RNN", "MultiheadAttention", "TransformerEncoderLayer"}

# {module: {what the error says: (how many samples, why it is refused)}}, over all dtypes and modes.
REFUSED = {
    "BatchNorm1d": {"more than 1 value per channel": (2, "an empty batch has no statistics")},
    "BatchNorm2d": {"more than 1 value per channel": (2, "an empty batch has no statistics")},
    "LSTM": {"proj_size is not offered": (64, "options that are not there")},
    "MultiheadAttention": {
        "add_bias_kv and add_zero_attn are not offered": (192, "options that are not there")},
    "TransformerEncoderLayer": {"must be Tensor, not Tensor": (4, "a function of PyTorch's")},
}
# Else torch.testing's. The log-softmax inside of the loss is rounded to 16 bits, in PyTorch too.
TOLERANCE = {torch.float16: {"rtol": 2e-3, "atol": 1e-4}}
# For the long ways through these, on which PyTorch's float32 is as far from float64 as ours.
ALONG = {name: {"rtol": 1e-4, "atol": 1e-4} for name in SLOW}


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
        if value.dtype != torch.bfloat16:       # which NumPy does not take from PyTorch
            return Tensor(value.detach().numpy().copy(), requires_grad=value.requires_grad)
        rounded = Tensor(value.detach().float().numpy()).to("bfloat16")
        return Tensor(rounded.data, requires_grad=value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(map(ours, value))
    return value


def close(mine, theirs, name=""):
    mine = mine.detach()
    mine = (torch.from_numpy(mine.to("float32").numpy()).bfloat16() if mine.dtype == "bfloat16"
            else torch.from_numpy(mine.numpy()))
    tolerance = (ALONG.get(name, {}) if mine.dtype == torch.float32
                 else TOLERANCE.get(mine.dtype, {}))
    torch.testing.assert_close(mine, theirs.detach().to(mine.dtype), equal_nan=True, **tolerance)


def flat(value):
    """The Tensors in a result, but for those that are None."""
    return [part for each in value for part in flat(each)] if isinstance(value, tuple) else (
        [] if value is None else [value])


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
    results = list(zip(flat(y), flat(expected), strict=True))
    for mine, other in results:
        close(mine, other, name)
        assert mine.requires_grad == other.requires_grad
    graded = [(mine, other, torch.randn_like(other).to(dtype)) for mine, other in results
              if other.requires_grad]
    if graded:
        sum((other * v.to(other.dtype)).sum() for _, other, v in graded).backward()
        sum((mine * ours(v)).sum() for mine, _, v in graded).backward()
    named = zip(theirs.named_parameters(), layer.named_parameters(), strict=True)
    pairs += [(p, q) for (_, p), (_, q) in named]
    for x, mine in pairs:
        if isinstance(x, torch.Tensor):
            assert (x.grad is None) == (mine.grad is None)
            if x.grad is not None:
                close(mine.grad, x.grad, name)
    for key, value in theirs.state_dict().items():          # running statistics
        close(Tensor(layer.state_dict()[key]), value)


def test_the_modules_are_these():
    offered = {name for name in nn.__all__ if name[0].isupper()} - {"Buffer", "Module", "Parameter"}
    with_samples = set(infos()) - {"TransformerEncoder"}
    assert set(MODULES) == offered & with_samples == offered - ABSENT
    assert set(REFUSED) <= set(MODULES)


def _step(name):
    return 15 if name in SLOW and os.environ.get("MINIGRAD_FULL") != "1" else 1


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore")       # PyTorch's own
def test_the_samples_of_torch(name):
    refused, passed = Counter(), 0
    for dtype, training, sample in list(samples(name))[::_step(name)]:
        try:
            compared(name, dtype, training, sample)
            passed += 1
        except (TypeError, ValueError) as error:
            known = [text for text in REFUSED.get(name, {}) if text in str(error)]
            if not known:
                raise AssertionError(f"{sample.desc}, {dtype}: {error}") from error
            refused[known[0]] += 1
    if _step(name) == 1:
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
