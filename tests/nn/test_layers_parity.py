"""Layers beside PyTorch's: outputs, gradients of inputs and parameters, to 1e-12 in float64."""

import itertools

import numpy as np
import pytest

from minigrad import Tensor, nn

torch = pytest.importorskip("torch")

TOLERANCE = {"float64": {"rtol": 1e-11, "atol": 1e-12}, "float32": {"rtol": 2e-4, "atol": 2e-5}}


def flat(value):
    if isinstance(value, (tuple, list)):
        return [part for each in value for part in flat(each)]
    return [] if value is None else [value]


def mine_of(value):
    if isinstance(value, torch.Tensor):
        return Tensor(value.detach().numpy().copy(), requires_grad=value.requires_grad)
    return tuple(map(mine_of, value)) if isinstance(value, tuple) else value


def compare(name, arguments, inputs, dtype, call=None):
    """The layers of both libraries on the same weights and inputs, forward and backward."""
    torch.manual_seed(0)
    options = arguments if isinstance(arguments, dict) else {}
    positional = () if isinstance(arguments, dict) else arguments
    theirs = getattr(torch.nn, name)(*positional, **options).to(getattr(torch, dtype))
    layer = getattr(nn, name)(*positional, **options).to(dtype)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert list(layer.state_dict()) == list(state)
    layer.load_state_dict(state)

    def made(shape):
        if isinstance(shape, list):
            return tuple(map(made, shape))
        if not isinstance(shape, tuple):
            return shape
        return torch.randn(shape, dtype=getattr(torch, dtype), requires_grad=True)
    xs = [made(shape) for shape in inputs]
    mine = [mine_of(x) for x in xs]
    call = call or {}
    theirs_call = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value
                   for key, value in call.items()}
    expected = flat(theirs(*xs, **theirs_call))
    results = flat(layer(*mine, **{key: mine_of(value) for key, value in theirs_call.items()}))
    for y, other in zip(results, expected, strict=True):
        assert y.dtype == dtype
        np.testing.assert_allclose(y.data, other.detach().numpy(), **TOLERANCE[dtype])
    cotangents = [torch.randn_like(y) for y in expected]
    sum((y * v).sum() for y, v in zip(expected, cotangents)).backward()
    sum((y * Tensor(v.numpy())).sum() for y, v in zip(results, cotangents)).backward()
    leaves = zip([*flat(xs), *theirs.parameters()], [*flat(mine), *layer.parameters()], strict=True)
    for other, x in leaves:
        if isinstance(other, torch.Tensor) and other.grad is not None:
            np.testing.assert_allclose(x.grad.data, other.grad.numpy(), **TOLERANCE[dtype])


attention = {"embed_dim": 6, "num_heads": 2}
padding = np.array([[False, True, False], [False, False, True]])
causal = np.triu(np.ones((4, 4), bool), 1)
recurrent = {"input_size": 3, "hidden_size": 4}
states = {"RNN": (2, 2, 4), "GRU": (2, 2, 4), "LSTM": [(2, 2, 4), (2, 2, 4)]}

CASES = {
    "attention": ("MultiheadAttention", attention, [(4, 2, 6), (3, 2, 6), (3, 2, 6)]),
    "attention, sizes": ("MultiheadAttention", attention | {"kdim": 5, "vdim": 3, "bias": False},
                         [(4, 2, 6), (3, 2, 5), (3, 2, 3)], {"average_attn_weights": False}),
    **{f"attention, padding, weights {need}": (
        "MultiheadAttention", attention | {"batch_first": True},
        [(2, 4, 6), (2, 3, 6), (2, 3, 6)], {"key_padding_mask": padding, "need_weights": need})
        for need in (True, False)},
    "attention, a mask": ("MultiheadAttention", attention, [(4, 6)] * 3, {"attn_mask": causal}),
    **{f"encoder layer {options}": (
        "TransformerEncoderLayer", {"d_model": 6, "nhead": 2, "dim_feedforward": 5, "dropout": 0.0,
                                    **dict(zip(("norm_first", "activation", "bias"), options))},
        [(4, 2, 6)], {"src_mask": causal, "is_causal": True})
        for options in itertools.product((True, False), ("relu", "gelu"), (True, False))},
    **{f"{name} {number}": (name, recurrent | options, [shape, *hx])
       for name in states for number, (options, shape, hx) in enumerate([
           ({"num_layers": 2, "bidirectional": True}, (5, 2, 3), ()),
           ({"batch_first": True, "bias": False}, (2, 5, 3), ()),
           ({"num_layers": 2}, (5, 2, 3), (states[name],)), ({}, (5, 3), ())])},
    "LayerNorm": ("LayerNorm", ((3, 4),), [(2, 5, 3, 4)]), "RMSNorm": ("RMSNorm", (4,), [(3, 4)]),
    "GroupNorm": ("GroupNorm", (2, 6), [(2, 6, 3, 4)]),
    "InstanceNorm2d": ("InstanceNorm2d", {"num_features": 3, "affine": True}, [(2, 3, 4, 5)]),
    "LocalResponseNorm": ("LocalResponseNorm", (2, 0.5), [(2, 5, 3, 2)]),
    "PReLU": ("PReLU", (3,), [(2, 3, 4)]), "GLU": ("GLU", (1,), [(2, 4, 3)]),
    "Softplus": ("Softplus", (2.0, 1.0), [(4, 5)]), "GELU": ("GELU", (), [(4, 5)]),
    **{f"Conv1d {mode}": ("Conv1d", (4, 6, 3, 1, "same", 2, 2, True, mode), [(2, 4, 9)])
       for mode in ("zeros", "reflect", "replicate", "circular")},
    "ConvTranspose1d": ("ConvTranspose1d", (4, 6, 3, 2, 1, 1, 2), [(4, 5)]),
    "MaxPool1d": ("MaxPool1d", (3, 2, 1, 2, False, True), [(2, 3, 9)]),
    "AvgPool1d": ("AvgPool1d", (3, 2, 1, True, False), [(2, 3, 9)]),
    "PixelShuffle": ("PixelShuffle", (2,), [(8, 3, 2)]),
    "PixelUnshuffle": ("PixelUnshuffle", (3,), [(2, 2, 3, 6)]),
    "ChannelShuffle": ("ChannelShuffle", (3,), [(2, 6, 3, 2)]),
    "Unflatten": ("Unflatten", (-1, (2, 3)), [(2, 6)]),
    **{f"Upsample {options}": ("Upsample", options, [(2, 3, 5, 4)]) for options in [
        {"size": (7, 3)}, {"scale_factor": 2.5, "mode": "bilinear"},
        {"size": 7, "mode": "bicubic", "align_corners": True},
        {"scale_factor": (0.6, 1.7), "mode": "nearest-exact", "recompute_scale_factor": True}]},
    "UpsamplingBilinear2d": ("UpsamplingBilinear2d", {"scale_factor": 2}, [(2, 3, 5, 4)]),
    **{f"{kind}Pad{d}d": (f"{kind}Pad{d}d", (tuple(range(2 * d)),), [(2, 3, 5, 5)[:2 + d]])
       for kind in ("Zero", "Reflection", "Replication", "Circular") for d in (1, 2)},
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")       # PyTorch's own
def test_as_torch(case, dtype):
    name, arguments, inputs, *call = CASES[case]
    compare(name, arguments, inputs, dtype, *call)
