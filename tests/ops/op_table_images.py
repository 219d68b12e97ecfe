"""The lines of op_table.py for sequences, lines and images; see op_table_layers.py."""

import math

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from tests.ops import op_references as ref
from tests.ops.strategies import Sample, distinct, filled, real, shapes

CHOICES = st.sampled_from


# ---- sequences -----------------------------------------------------------------------------------

@st.composite
def attended(draw):
    """query (..., L, E), key (..., S, E), value (..., S, V), and who may look at what."""
    queries, keys, e, v = (draw(st.integers(1, 3)) for _ in range(4))
    leads = draw(CHOICES([[(), (), ()], [(2,)] * 3, [(2, 1), (1, 2), (2, 2)]]))
    arrays = filled(draw, [(*lead, *size) for lead, size in zip(
        leads, [(queries, e), (keys, e), (keys, v)])], real)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    options = draw(CHOICES([
        {}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": rng.random((queries, keys)) < 0.6},
        {"attn_mask": rng.normal(size=(queries, keys)).astype(np.float32)},
        {"attn_mask": np.where(rng.random((queries, 1)) < 0.3, -np.inf, np.float32(0))}]))
    return Sample(arrays, options)


def _attention(q, k, v, attn_mask=None, is_causal=False, scale=None):
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = scale * np.einsum("...le,...se->...ls", q, k)
    if is_causal:
        attn_mask = np.tril(np.ones(scores.shape[-2:], bool))
    if attn_mask is not None:
        scores = scores + (np.where(attn_mask, 0, -np.inf) if attn_mask.dtype == bool
                           else attn_mask)
    weights = np.exp(scores)
    total = weights.sum(-1, keepdims=True)
    weights = np.where(total == 0, 0, weights / np.where(total == 0, 1, total))
    return np.einsum("...ls,...sv->...lv", weights, v)


@st.composite
def looked_up(draw):
    rows, size = draw(st.integers(1, 4)), draw(shapes(max_dims=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Sample(filled(draw, [(rows, draw(st.integers(0, 3)))], real),
                  {"x": rng.integers(0, rows, size)})


def numbers_first(f, arrays, options):
    return f(options["x"], *arrays)


# ---- lines and images ----------------------------------------------------------------------------

def shaped(*found, domain=real, **options):
    """An array of one of these shapes."""
    return st.builds(lambda shape, seed, chosen: Sample(
        [domain(np.random.default_rng(seed), math.prod(shape)).reshape(shape)], chosen),
        CHOICES(found), st.integers(0, 2**32 - 1), st.fixed_dictionaries(options))


@st.composite
def line_convolutions(draw, transposed=False):
    groups, c, o, k = draw(CHOICES([1, 2])), draw(CHOICES([1, 2])), 2, draw(st.integers(1, 3))
    lead = draw(CHOICES([(), (1,), (2,)]))
    w = (c * groups, o, k) if transposed else (o * groups, c, k)
    options = {"stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 1)),
               "dilation": draw(st.integers(1, 2)), "groups": groups}
    if transposed and options["stride"] == 2:
        options["output_padding"] = draw(st.integers(0, 1))
    found = [(*lead, c * groups, draw(st.integers(5, 6))), w, (o * groups,)]
    return Sample(filled(draw, found[:draw(st.integers(2, 3))], real), options)


def on_one_row(reference):
    """The definition for images, of lines with or without the axis of the batch."""
    sizes = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0,
             "output_size": 1}

    def on_lines(x, *weights, **options):
        alone = x.ndim == 2
        x = x[None] if alone else x
        options = {name: (sizes[name], value) if name in sizes and value is not None else value
                   for name, value in options.items()}
        weights = [w[:, :, None] if w.ndim == 3 else w for w in weights]
        y = reference(x[:, :, None], *weights, **options)[:, :, 0]
        return y[0] if alone else y
    return on_lines


def lines_with(domain=real, **options):
    return shaped((2, 7), (1, 2, 6), (2, 1, 7), domain=domain, **options)


def _at(n, m, step, mode, align_corners):
    """(old pixels, their weights) for each of m new pixels."""
    for i in range(m):
        if mode in ("nearest", "nearest-exact"):
            yield [int((i + 0.5 * (mode != "nearest")) * step)], [1.0]
            continue
        at = i * (n - 1) / max(m - 1, 1) if align_corners else (i + 0.5) * step - 0.5
        first = math.floor(at)
        near = range(first - 1, first + 3) if mode == "bicubic" else (first, first + 1)
        yield [min(max(k, 0), n - 1) for k in near], [
            _cubic(abs(at - k)) if mode == "bicubic" else 1 - abs(at - k) for k in near]


def _cubic(t):
    return 1.25 * t**3 - 2.25 * t**2 + 1 if t <= 1 else -0.75 * (t**3 - 5 * t**2 + 8 * t - 4)


def _interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None):
    for d in range(2, x.ndim):
        n = x.shape[d]
        m = int(n * scale_factor) if size is None else size
        step = n / m if size is not None else 1 / scale_factor
        x = np.stack([sum(w * x.take(k, d) for k, w in zip(*pixel))
                      for pixel in _at(n, m, step, mode, align_corners)], d)
    return x


@st.composite
def resized(draw):
    mode = draw(CHOICES(["nearest", "nearest-exact", "linear", "bilinear", "bicubic"]))
    axes = 1 if mode == "linear" else 2
    shape = 1, 2, *(draw(st.integers(1, 4)) for _ in range(axes))
    options = draw(CHOICES([{"size": 3}, {"size": 1}, {"size": 5}, {"scale_factor": 2},
                            {"scale_factor": 1.5}])) | {"mode": mode}
    if not mode.startswith("nearest"):
        options["align_corners"] = draw(CHOICES([None, True, False]))
    return Sample(filled(draw, [shape], real), options)


def _pixel_shuffle(x, r):
    *lead, c, h, w = x.shape
    y = np.zeros((*lead, c // r**2, h * r, w * r), x.dtype)
    for k, i, j in np.ndindex(c // r**2, r, r):
        y[..., k, i::r, j::r] = x[..., k * r**2 + i * r + j, :, :]
    return y


def _pixel_unshuffle(x, r):
    return np.stack([x[..., k, i::r, j::r] for k in range(x.shape[-3]) for i in range(r)
                     for j in range(r)], -3)


def _channel_shuffle(x, groups):
    each = x.shape[1] // groups
    return x[:, [g * each + k for k in range(each) for g in range(groups)]]


def by_position(f, arrays, options):
    return f(*arrays, *options.values())


def reseeded(f, arrays, options):
    mg.manual_seed(0)
    return f(*arrays, **options)


channels = {"p": CHOICES([0.0, 0.5, 1.0]), "training": st.booleans()}
pooled = {"kernel_size": st.integers(2, 3), "stride": CHOICES([None, 1, 2]),
          "padding": CHOICES([0, 1]), "ceil_mode": st.booleans()}

LINES = {
    "scaled_dot_product_attention": (attended(), _attention),
    "embedding": (looked_up(), lambda x, w: w[x], "analytic", numbers_first),
    "conv1d": (line_convolutions(), on_one_row(ref.conv2d)),
    "conv_transpose1d": (line_convolutions(True), on_one_row(ref.conv_transpose2d)),
    "max_pool1d": (lines_with(distinct, **pooled), on_one_row(ref.pool(np.max, -np.inf)), "smooth"),
    "avg_pool1d": (lines_with(**pooled), on_one_row(ref.avg_pool2d)),
    "adaptive_avg_pool1d": (lines_with(output_size=st.integers(1, 8)),
                            on_one_row(ref.adaptive_pool(np.mean))),
    "adaptive_max_pool1d": (lines_with(distinct, output_size=st.integers(1, 8)),
                            on_one_row(ref.adaptive_pool(np.max)), "smooth"),
    "interpolate": (resized(), _interpolate),
    "pixel_shuffle": (shaped((4, 2, 1), (1, 8, 1, 2), r=st.just(2)), _pixel_shuffle, "analytic",
                      by_position),
    "pixel_unshuffle": (shaped((1, 2, 4), (2, 1, 2, 2), r=st.just(2)), _pixel_unshuffle,
                        "analytic", by_position),
    "channel_shuffle": (shaped((2, 6, 1), (1, 6, 2, 1), (0, 6), groups=CHOICES([1, 2, 3])),
                        _channel_shuffle),
    "dropout1d": (shaped((3, 4), (2, 3, 2), **channels), ref.dropped(mg.dropout1d), "analytic",
                  reseeded),
    "dropout3d": (shaped((3, 2, 1, 2), (2, 3, 2, 1, 1), **channels), ref.dropped(mg.dropout3d),
                  "analytic", reseeded),
}
