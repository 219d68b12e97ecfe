"""What each family of ops is called with: strategies that draw a `Sample`, arrays and options."""

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.ops.strategies import (Sample, axes, axis, broadcastable, distinct, few, filled, off,
                                  real, shapes)

how_reduced = st.sampled_from(["mean", "sum", "none"])


@st.composite
def elementwise(draw, domain, count, options):
    """`count` arrays that broadcast together."""
    found = draw(broadcastable(count)) if count > 1 else [draw(shapes())]
    return Sample(filled(draw, found, domain), draw(st.fixed_dictionaries(options)))


@st.composite
def one_array(draw, options, domain=real, **limits):
    """One array, and options that depend on its shape: options(shape) -> strategy of dicts."""
    shape = draw(shapes(**limits))
    return Sample(filled(draw, [shape], domain), draw(options(shape)))


@st.composite
def two_alike(draw, domain=real, count=2, **options):
    """Arrays of one shape, how to reduce what they give, and other options."""
    shape = draw(shapes(empty=False))
    return Sample(filled(draw, [shape] * count, domain),
                  {"reduction": draw(how_reduced), **draw(st.fixed_dictionaries(options))})


@st.composite
def differing(draw, *kinks, **options):
    """Two arrays of one shape whose difference is near no kink, as `two_alike`."""
    shape = draw(shapes(empty=False))
    a, d = filled(draw, [shape, shape], off(*kinks))
    return Sample([a, a - d],
                  {"reduction": draw(how_reduced), **draw(st.fixed_dictionaries(options))})


@st.composite
def rows(draw, count, domain=real, **options):
    """Arrays (N, D) and options."""
    shape = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    return Sample(filled(draw, [shape] * count, domain),
                  draw(st.fixed_dictionaries(options)))


def signed(**more):
    """The options of a loss whose target is 1 or -1."""
    return lambda shape: st.fixed_dictionaries({
        "target": st.integers(0, 99).map(
            lambda seed: np.random.default_rng(seed).choice([-1, 1], shape)),
        "reduction": how_reduced, **more})


@st.composite
def several(draw, new_axis):
    """One to three arrays to join along an axis, a new one or one where their sizes may differ."""
    shape = list(draw(shapes(min_dims=0 if new_axis else 1, max_dims=3, max_size=8)))
    dim = draw(axis(len(shape) + new_axis))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        if not new_axis:
            shape[dim] = draw(few)
        found.append(tuple(shape))
    return Sample(filled(draw, found, real), {"dim": dim})


# ---- options that follow from a shape ------------------------------------------------------------

def reduced(dims=axes, **more):
    return lambda shape: st.fixed_dictionaries(
        {"dim": dims(len(shape)), "keepdim": st.booleans(), **more})


def along_one(shape):
    return st.fixed_dictionaries({"dim": axis(len(shape))})


def one_axis_or_all(ndim):
    return st.none() | axis(ndim) if ndim else st.none()


def new_shape(shape):
    size = math.prod(shape)
    forms = [(size,), (1, size), shape[::-1], (*shape, 1)] + [(-1,), (1, -1)] * (size > 0)
    return st.fixed_dictionaries({"shape": st.sampled_from(forms)})


def reordered(shape):
    n = len(shape)
    return st.permutations(range(n)).flatmap(lambda dims: st.fixed_dictionaries(
        {"dims": st.just(tuple(dims)) | st.just(tuple(d - n for d in dims))}))


def two_axes(shape):
    return st.fixed_dictionaries({"dim0": axis(len(shape)), "dim1": axis(len(shape))})


def merged(shape):
    last = max(len(shape) - 1, 0)
    return st.integers(0, last).flatmap(lambda start: st.fixed_dictionaries(
        {"start_dim": st.just(start), "end_dim": st.just(-1) | st.integers(start, last)}))


def squeezable(shape):
    return st.fixed_dictionaries({"dim": one_axis_or_all(len(shape))})


def insertable(shape):
    return st.fixed_dictionaries({"dim": axis(len(shape) + 1)})


def widths(shape):
    """Constant padding of the last axes; a width of -1 removes an element."""
    def pairs(count):
        return st.tuples(*[st.tuples(st.integers(-1 if n else 0, 2), st.integers(0, 1))
                           for n in shape[::-1][:count]])
    return st.fixed_dictionaries({
        "pad": st.integers(0, len(shape)).flatmap(pairs).map(lambda found: sum(found, ())),
        "value": st.sampled_from([0.0, 0.5])})


@st.composite
def around(draw):
    """Images, without a batch too, to be padded by their own pixels or cut."""
    mode = draw(st.sampled_from(["reflect", "replicate", "circular"]))
    shape = [draw(few) for _ in range(draw(st.integers(2, 4)))]
    count = draw(st.sampled_from({2: [1], 3: [1, 2], 4: [2]}[len(shape)]))
    pad = []
    for i in range(1, count + 1):
        n = shape[-i] = max(shape[-i], 1)
        most = min(n - (mode == "reflect"), 2)
        least = -1 if n > 1 and mode != "circular" else 0
        pad += [draw(st.integers(least, most)), draw(st.integers(0, most))]
    return Sample(filled(draw, [tuple(shape)], real), {"pad": tuple(pad), "mode": mode})


@st.composite
def index(draw, shape):
    """Basic indices, integer arrays that repeat elements, boolean masks, and mixtures."""
    if not shape or 0 in shape:
        return {"index": draw(st.sampled_from([..., None, (..., None)]))}
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    at = draw(st.integers(0, len(shape) - 1))
    before, n = (slice(None),) * at, shape[at]
    integers = rng.integers(-n, n, draw(st.sampled_from([(), (3,), (2, 2), (0,)])))
    forms = [draw(hnp.basic_indices(shape, allow_newaxis=True)),
             (*before, integers), (*before, integers.tolist()), (None, *before, integers),
             rng.random(shape) < 0.5, (*before, rng.random(n) < 0.5)]
    if at:
        rows = rng.integers(0, shape[0], (2, 1))
        forms += [(rows, *before[1:], rng.integers(0, n, 3)), (rows, *before[1:], n - 1)]
    return {"index": draw(st.sampled_from(forms))}


# ---- families with several arrays of related shapes ----------------------------------------------

@st.composite
def expandable(draw):
    (small,), lead = draw(broadcastable(1)), draw(shapes(max_dims=1, max_size=3))
    n = draw(few)
    shape = (*lead, *[n if side == 1 else side for side in small])
    if small and draw(st.booleans()):
        shape = (*shape[:-1], -1)
    return Sample(filled(draw, [small], real), {"shape": shape})


@st.composite
def summable(draw):
    shape = draw(shapes())
    target = tuple(1 if draw(st.booleans()) else n for n in shape)
    return Sample(filled(draw, [shape], real), {"shape": target[draw(st.integers(0, len(shape))):]})


@st.composite
def conditions(draw):
    """A condition and two operands that broadcast together, and all that could be missing."""
    a, b, condition = draw(broadcastable(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Sample(filled(draw, [a, b], real), {"condition": rng.random(condition) < 0.5})


@st.composite
def matrices(draw):
    """Matrices, stacks of them that broadcast, and vectors on either side; sizes down to 0."""
    n, k, m = draw(few), draw(few), draw(few)
    a, b = (draw(st.sampled_from([s, (2, *s), (3, 1, *s)])) for s in [(n, k), (k, m)])
    found = draw(st.sampled_from([(a, b), (a, b), ((k,), b), (a, (k,)), ((k,), (k,))]))
    return Sample(filled(draw, found, real), {})


@st.composite
def layers(draw):
    """x (..., I), w (O, I) and perhaps b (O)."""
    i, o = draw(few), draw(few)
    lead = draw(shapes(max_dims=3, max_size=6))
    found = [(*lead, i), (o, i), (o,)][:draw(st.integers(2, 3))]
    return Sample(filled(draw, found, real), {})


# ---- images --------------------------------------------------------------------------------------

def sides(low, high):
    """An int, or a (vertical, horizontal) pair."""
    return st.integers(low, high) | st.tuples(st.integers(low, high), st.integers(low, high))


def pair(size):
    return size if isinstance(size, tuple) else (size, size)


# (groups, C / groups, O / groups): one group, two of them, one per channel with 1 or 2 filters each
_groups = st.sampled_from([(1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 1, 1), (2, 2, 1), (3, 1, 1),
                           (2, 1, 2)])


@st.composite
def convolutions(draw):
    """x (N, C, H, W), w (O, C/G, kh, kw) and perhaps b (O); strides that need not tile the image.

    padding="same", which goes with stride 1, and "valid" are drawn one time in four each.
    """
    n, (groups, c, o) = min(draw(few), 2), draw(_groups)
    kernel, dilation = pair(draw(sides(1, 3))), draw(sides(1, 2))
    padding = draw(st.sampled_from(["same", "valid", None, None])) or draw(sides(0, 1))
    same = padding == "same"
    stride = 1 if same else draw(sides(1, 2))
    around = pair(0 if isinstance(padding, str) else padding)
    image = [draw(st.integers(1, 4)) if same else draw(_side(*sizes)) for sizes in
             zip(kernel, around, pair(dilation))]
    found = [(n, c * groups, *image), (o * groups, c, *kernel), (o * groups,)]
    return Sample(filled(draw, found[:draw(st.integers(2, 3))], real),
                  {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})


@st.composite
def transposed_convolutions(draw):
    """x (N, C, H, W), w (C, O/G, kh, kw) and perhaps b (O)."""
    n, (groups, c, o) = min(draw(few), 2), draw(_groups)
    kernel, stride, dilation = pair(draw(sides(1, 3))), draw(sides(1, 3)), draw(sides(1, 2))
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(pair(stride), pair(dilation)))
    padding = draw(sides(0, 1))
    image = []
    for k, s, d, e, p in zip(kernel, pair(stride), pair(dilation), extra, pair(padding)):
        least = 1 + max(0, -((d * (k - 1) + e - 2 * p) // s))  # for an output of one pixel
        image.append(draw(st.integers(least, 3)))
    found = [(n, c * groups, *image), (c * groups, o, *kernel), (o * groups,)]
    return Sample(filled(draw, found[:draw(st.integers(2, 3))], real),
                  {"stride": stride, "padding": padding, "output_padding": extra,
                   "groups": groups, "dilation": dilation})


@st.composite
def poolings(draw, domain, **more):
    """Images and windows, and more options of the windows."""
    n, c = min(draw(few), 2), draw(st.integers(1, 2))
    kernel_size = draw(sides(1, 3))
    padding = draw(sides(0, min(pair(kernel_size)) // 2))
    options = {"kernel_size": kernel_size, "stride": draw(st.none() | sides(1, 3)),
               "padding": padding, **draw(st.fixed_dictionaries(more))}
    image = [draw(_side(*sizes)) for sizes in
             zip(pair(kernel_size), pair(padding), pair(options.get("dilation", 1)))]
    return Sample(filled(draw, [(n, c, *image)], domain), options)


def _side(k, p, d):
    """A size of 2 to 4 pixels, or as many as a window of k pixels, d apart, needs."""
    least = max(d * (k - 1) + 1 - 2 * p, d, 1)  # d: some pixel lies in every window
    return st.integers(least, max(4, least))


@st.composite
def images(draw, domain=real, **options):
    """One batch of images, and options that do not depend on its shape."""
    shape = min(draw(few), 2), *(draw(st.integers(1, most)) for most in (2, 4, 4))
    return Sample(filled(draw, [shape], domain), draw(st.fixed_dictionaries(options)))


def _apart(rng, n):
    """Distinct numbers far from each other: no channel has a tiny variance."""
    return 5 * distinct(rng, n)


def whole_channels(shape):
    return st.fixed_dictionaries({"p": st.sampled_from([0.0, 0.5, 1.0]), "training": st.booleans()})


@st.composite
def batches(draw, **options):
    """x (N, C, ...) with at least two values per channel, weight (C), bias (C), and options."""
    c = draw(st.integers(1, 3))
    n, *rest = draw(st.sampled_from([(2,), (4,), (2, 2), (1, 3), (1, 2, 2), (2, 1, 3), (2, 2, 1)]))
    arrays = filled(draw, [(n, c, *rest), (c,), (c,)], _apart)
    return Sample(arrays, draw(st.fixed_dictionaries(options)))


@st.composite
def classifications(draw, **more):
    """Scores (N, C, ...) and integer targets (N, ...), some of them ignored but never all."""
    n, c = draw(st.sampled_from([2, 3, 1])), draw(st.sampled_from([3, 2, 1]))
    rest = draw(shapes(max_dims=2, max_size=3, empty=False))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ignore_index = draw(st.sampled_from([-100, 0] if c > 1 else [-100]))
    target = rng.integers(0, c, (n, *rest))
    target[rng.random(target.shape) < 0.3] = ignore_index
    target.flat[0] = c - 1
    options = {"target": target, "ignore_index": ignore_index, "reduction": draw(how_reduced),
               "weight": draw(st.sampled_from([None, rng.uniform(0.5, 2, c)]))}
    options |= draw(st.fixed_dictionaries(more))
    return Sample(filled(draw, [(n, c, *rest)], real), options)
