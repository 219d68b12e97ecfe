"""ONNX's operators that PyTorch has as functions of layers; see tests/ops/onnx_operators.py."""

import math

import minigrad as mg
from tests.ops.onnx_moves import numbers, unless, widths


# ---- elementwise ---------------------------------------------------------------------------------

def gelu(x, approximate="none"):
    return mg.gelu(x, approximate)


def swish(x, alpha=1.0):
    return mg.silu(x) if alpha == 1 else mg.mul(x, mg.sigmoid(mg.mul(alpha, x)))


def swiglu(x, y, alpha=1.0):
    return mg.mul(swish(x, alpha), y)


def celu(x, alpha=1.0):
    return mg.celu(x, alpha)


def shrink(x, bias=0.0, lambd=0.5):
    unless(bias in (0, lambd), "a bias that is neither none nor the limit")
    return (mg.softshrink if bias else mg.hardshrink)(x, lambd)


# ---- normalisation -------------------------------------------------------------------------------

def layer_norm(x, scale, bias=None, axis=-1, epsilon=1e-5):
    dims = tuple(range(x.ndim))[axis:]
    deviation = mg.rsqrt(mg.add(mg.var(x, dims, 0, True), epsilon))
    y = mg.layer_norm(x, x.shape[axis:], scale, bias, epsilon)
    return y, mg.mean(x, dims, True), deviation


def rms_norm(x, scale, axis=-1, epsilon=1e-5):
    return mg.rms_norm(x, x.shape[axis:], scale, epsilon)


def instance_norm(x, scale, bias, epsilon=1e-5):
    return mg.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


def group_norm(x, scale, bias, num_groups, epsilon=1e-5):
    return mg.group_norm(x, num_groups, scale, bias, epsilon)


def batch_norm(x, scale, bias, mean, variance, epsilon=1e-5, momentum=0.9, training_mode=0):
    if not training_mode:
        return mg.batch_norm(x, mean, variance, scale, bias, eps=epsilon)
    v, m = mg.var_mean(x, (0, *range(2, x.ndim)), 0)
    y = mg.batch_norm(x, None, None, scale, bias, training=True, eps=epsilon)
    return y, mg.lerp(m, mean, momentum), mg.lerp(v, variance, momentum)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, bias=1.0):
    unless(divmod(size, 2)[1], "an even number of channels")
    return mg.local_response_norm(x, size, alpha, beta, bias)


def lp_normalize(x, axis=-1, p=2):
    return mg.normalize(x, p, axis)


def mean_variance_normalize(x, axes=(0, 2, 3)):
    deviation, mean = mg.std_mean(x, tuple(axes), 0, True)
    return mg.div(mg.sub(x, mean), mg.add(deviation, 1e-9))


# ---- images and sequences ------------------------------------------------------------------------

def space_to_depth(x, blocksize, mode="DCR"):
    y = mg.pixel_unshuffle(x, blocksize)
    if mode == "CRD":
        return y
    y = mg.reshape(y, (*x.shape[:2], -1, *y.shape[2:]))
    return mg.flatten(mg.transpose(y, 1, 2), 1, 2)


def center_crop_pad(x, shape, axes=None):
    axes = range(x.ndim) if axes is None else [range(x.ndim)[axis] for axis in axes]
    missing = mg.sub(shape, mg.Tensor([x.shape[axis] for axis in axes]))
    before = mg.div(missing, 2, rounding_mode="trunc")
    pairs = zip(numbers(before), numbers(mg.sub(missing, before)))
    return mg.pad(x, widths(x, dict(zip(axes, pairs))))  # negative widths crop


def upsample(x, scales, mode="nearest"):
    n, c, *scales = numbers(scales)
    unless(n == c == 1 and mode == "nearest", "another size of other than images")
    return mg.interpolate(x, scale_factor=scales)


def causal_conv(x, w, b=None, past=None, activation="none"):
    n, c, k = *x.shape[:2], w.shape[2]
    past = mg.zeros(n, c, k, dtype=x.dtype)[..., 1:] if past is None else past
    x = mg.concatenate((past, x), 2)
    y = mg.conv1d(x, w, b, groups=c)
    return y if activation == "none" else mg.silu(y), x[..., y.shape[2]:]


# ---- attention -----------------------------------------------------------------------------------

def heads(x, count):
    """(N, L, heads * E) -> (N, heads, L, E)."""
    return x if x.ndim == 4 else mg.transpose(mg.reshape(x, (*x.shape[:2], count, -1)), 1, 2)


def filled(mask, count):
    """A mask for more keys: those that it does not speak of are not looked at."""
    nothing = False if mask.dtype == bool else -math.inf
    more = mg.full((*mask.shape[:-1], count), nothing, dtype=mask.dtype)
    return mg.concatenate((mask, more[..., mask.shape[-1]:]), -1)


def attention(q, k, v, mask=None, past_key=None, past_value=None, lengths=None, is_causal=0,
              scale=None, q_num_heads=None, kv_num_heads=None, softcap=0.0, softmax_precision=1,
              qk_matmul_output_mode=0, left_window_size=-1, right_window_size=-1):
    """A query at place `at` of its sequence sees the keys that all limits and the mask let it."""
    unless(not softcap, "scores that tanh keeps small")
    unless(q.dtype.name != "bfloat16", "attention that rounds bfloat16 after each step")
    joined = q.ndim == 3
    q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
    if past_key is not None:
        k, v = mg.concatenate((past_key, k), 2), mg.concatenate((past_value, v), 2)
    present, rows, count = (k, v), q.shape[2], k.shape[2]
    mask = mask if mask is None else filled(mask, count)

    at, key = mg.unsqueeze(mg.arange(rows), 1), mg.arange(count)
    if lengths is not None:
        lengths = mg.reshape(lengths, (-1, 1, 1, 1))
        at = mg.add(at, mg.sub(lengths, rows))
    elif past_key is not None:
        at = mg.add(at, past_key.shape[2])
    for limits, visible in [
            (is_causal, lambda: mg.le(key, at)), (lengths is not None, lambda: mg.lt(key, lengths)),
            (left_window_size >= 0, lambda: mg.ge(key, mg.sub(at, left_window_size))),
            (right_window_size >= 0, lambda: mg.le(key, mg.add(at, right_window_size)))]:
        if limits:
            mask = visible() if mask is None else mg.where(
                visible(), mask, False if mask.dtype == bool else -math.inf)

    repeats = mg.reshape(q, (q.shape[0], k.shape[1], -1, *q.shape[2:])).shape[2]
    k, v = mg.repeat_interleave(k, repeats, 1), mg.repeat_interleave(v, repeats, 1)
    y = mg.scaled_dot_product_attention(q, k, v, mask, scale=scale)
    return mg.flatten(mg.transpose(y, 1, 2), 2) if joined else y, *present


# ---- recurrent layers ----------------------------------------------------------------------------

def recurrent(layer, order):
    """`layer` of mg.nn; `order` is where its gates lie among ONNX's."""
    def gates(x):
        parts = mg.chunk(x, len(order), 0)
        return mg.concatenate([parts[i] for i in order], 0)

    def run(x, w, r, b=None, lengths=None, h=None, c=None, peepholes=None, *, hidden_size,
            direction="forward", layout=0):
        unless(peepholes is None and lengths is None, "peepholes and sequences of unequal lengths")
        unless(h is None and c is None, "states to begin with")
        net = layer(x.shape[2], hidden_size, bias=b is not None, batch_first=bool(layout),
                    bidirectional=direction == "bidirectional")
        state = {}
        for i, end in enumerate(["l0", "l0_reverse"][:w.shape[0]]):
            state[f"weight_ih_{end}"], state[f"weight_hh_{end}"] = gates(w[i]), gates(r[i])
            if b is not None:
                state[f"bias_ih_{end}"], state[f"bias_hh_{end}"] = map(gates, mg.chunk(b[i], 2, 0))
        net.load_state_dict(state)
        net.requires_grad_(False)
        time = 1 if layout else 0
        x = mg.flip(x, time) if direction == "reverse" else x
        y, last = net(x)
        y = mg.flip(y, time) if direction == "reverse" else y
        y = mg.reshape(y, (*y.shape[:2], w.shape[0], hidden_size))
        y = y if layout else mg.transpose(y, 1, 2)
        last = last if isinstance(last, tuple) else (last,)
        return y, *(mg.transpose(s, 0, 1) if layout else s for s in last)
    return run


LAYERS = {
    "Gelu": gelu, "Swish": swish, "SwiGLU": swiglu, "Celu": celu, "Shrink": shrink,
    "HardSwish": lambda x: mg.hardswish(x), "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm, "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm, "BatchNormalization": batch_norm,
    "LRN": local_response_norm, "LpNormalization": lp_normalize,
    "MeanVarianceNormalization": mean_variance_normalize, "SpaceToDepth": space_to_depth,
    "CenterCropPad": center_crop_pad, "Upsample": upsample, "CausalConvWithState": causal_conv,
    "Attention": attention, "RNN": recurrent(mg.nn.RNN, (0,)),
    "LSTM": recurrent(mg.nn.LSTM, (0, 2, 3, 1)),
}
