"""PyTorch's functions of tensors, one line for each as in op_table.py.

Most are two or three lines of other ops, whose formulas the tests of TABLE check at length. Here
a few samples do: test_arrays_table.py draws them.
"""

import math

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from tests.ops.op_samples import along_one, one_array, reduced
from tests.ops.op_table import Op, as_list, binary, by_name, moved, reduction, unary
from tests.ops.strategies import (Sample, axis, distinct, filled, off, positive, real, shapes,
                                  trits, whole)

# ---- ways of calling -----------------------------------------------------------------------------


def first(f, arrays, options):
    return f(*arrays, **options)[0]


def joined(f, arrays, options):
    """All pieces, one after another in a row."""
    return mg.concatenate([mg.reshape(y, (-1,)) for y in f(*arrays, **options)])


def as_truth(f, arrays, options):
    """A Python boolean as an array or Tensor; the reference gives an array."""
    result = f(*arrays, **options)
    if not isinstance(result, bool):
        return result
    x = arrays[0]
    return mg.Tensor(result).to(x.device) if isinstance(x, mg.Tensor) else np.array(result)


def equation_first(f, arrays, options):
    return f(options["equation"], *arrays)


def whole_numbers(f, arrays, options):
    return f(*[mg.cast(a, np.int64) for a in arrays], **options)


# ---- what they are called with -------------------------------------------------------------------

def given(**strategies):
    return lambda shape: st.fixed_dictionaries(strategies)


def with_dim(**strategies):
    return lambda shape: st.fixed_dictionaries({"dim": axis(len(shape)), **strategies})


def several_alike(*sides, domain=real, **options):
    """Arrays of the shapes that letters name: several_alike("nk", "km")."""
    @st.composite
    def draw_them(draw):
        size = {letter: draw(st.integers(1, 3)) for letter in "bnkm"}
        found = [tuple(size[letter] for letter in side) for side in sides]
        return Sample(filled(draw, found, domain), draw(st.fixed_dictionaries(options)))
    return draw_them()


def sampled(build, **limits):
    """build(shape, rng, draw) -> (shapes of arrays, options), for a drawn shape."""
    @st.composite
    def draw_them(draw):
        shape = draw(shapes(**{"min_dims": 1, "max_dims": 3, "empty": False, **limits}))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        found, options = build(shape, rng, draw)
        return Sample(filled(draw, found, distinct), options)
    return draw_them()


def with_index(*more):
    """x and an index of one element less or more along dim; src, if there is one, fits the index.

    No place occurs twice along dim, except where `more` says "twice".
    """
    def build(shape, rng, draw):
        dim = draw(axis(len(shape)))
        side = list(shape)
        n = shape[dim]
        if "twice" in more:
            side[dim] = n + 1
            index = rng.integers(0, n, side)
        else:
            side[dim] = draw(st.integers(1, n))
            index = rng.permuted(np.broadcast_to(
                np.arange(n).reshape([-1 if d == dim % len(shape) else 1
                                      for d in range(len(shape))]), shape), axis=dim)
            index = index.take(np.arange(side[dim]), dim)
        return [shape] + [tuple(side)] * ("src" in more), {"dim": dim, "index": index}
    return sampled(build)


def with_vector(*more):
    """x and places along dim, each once; source, if there is one, fits."""
    def build(shape, rng, draw):
        dim = draw(axis(len(shape)))
        side = list(shape)
        side[dim] = draw(st.integers(1, shape[dim]))
        index = rng.permutation(shape[dim])[:side[dim]]
        return [shape] + [tuple(side)] * ("source" in more), {"dim": dim, "index": index}
    return sampled(build)


def with_mask():
    return sampled(lambda shape, rng, draw: ([shape], {"mask": rng.random(shape) < 0.5}))


def dim_then_array(f, arrays, options):
    """scatter(x, dim, index, src)."""
    return f(arrays[0], options["dim"], options["index"], *arrays[1:])


# ---- the definitions -----------------------------------------------------------------------------

def place(index, dim, shape):
    """The index of NumPy that torch's index means."""
    grid = list(np.ogrid[tuple(map(slice, index.shape))])
    grid[dim] = index
    return tuple(grid)


def scattered(add):
    def f(x, dim, index, src):
        y = x.copy()
        for at in np.ndindex(index.shape):
            to = list(at)
            to[dim] = index[at]
            y[tuple(to)] = y[tuple(to)] * add + src[at]
        return y
    return f


def vector_put(add):
    def f(x, dim, index, source):
        y = np.moveaxis(x.copy(), dim, 0)
        for i, part in zip(index, np.moveaxis(source, dim, 0)):
            y[i] = y[i] * add + part
        return np.moveaxis(y, 0, dim)
    return f


def pieces_of(x, size, dim):
    return [x.take(range(i, min(i + size, x.shape[dim])), dim)
            for i in range(0, x.shape[dim], size)]


def norm_of(x, p, dim, keepdim):
    a = abs(x)
    if p == "fro":
        p = 2
    if p == math.inf:
        return a.max(axis=dim, keepdims=keepdim)
    return ((a**p).sum(axis=dim, keepdims=keepdim))**(np.longdouble(1) / p)


def lower_median(x, dim, keepdim):
    y = np.sort(x, axis=dim)
    n = y.size if dim is None else y.shape[dim]
    if dim is None:
        return y.reshape(-1)[(n - 1) // 2] if x.ndim else y
    return y.take([(n - 1) // 2] if keepdim else (n - 1) // 2, dim)


def bounded(rng, n):
    return rng.uniform(-0.9, 0.9, n)


def above_one(rng, n):
    return rng.uniform(1.2, 3, n)


def between(rng, n):
    """Off the whole numbers."""
    return rng.integers(-3, 3, n) + rng.uniform(0.1, 0.4, n)


ELEMENTS = {
    "floor": unary(np.floor, between, "smooth"), "ceil": unary(np.ceil, between, "smooth"),
    "trunc": unary(np.trunc, between, "smooth"),
    "frac": unary(lambda x: x - np.trunc(x), between, "smooth"),
    "round": unary(np.round, between, "smooth", decimals=st.just(0)),
    "tan": unary(np.tan, bounded), "asin": unary(np.arcsin, bounded),
    "acos": unary(np.arccos, bounded), "atan": unary(np.arctan), "sinh": unary(np.sinh),
    "cosh": unary(np.cosh), "asinh": unary(np.arcsinh), "acosh": unary(np.arccosh, above_one),
    "atanh": unary(np.arctanh, bounded), "log2": unary(np.log2, positive),
    "log10": unary(np.log10, positive), "exp2": unary(np.exp2, real, "smooth"),
    "reciprocal": unary(lambda x: 1 / x, off(0)), "rsqrt": unary(lambda x: x**-0.5, positive),
    "square": unary(lambda x: x * x),
    "clamp_min": unary(lambda x, min: np.maximum(x, min), off(0.5), "smooth", min=st.just(0.5)),
    "clamp_max": unary(lambda x, max: np.minimum(x, max), off(0.5), "smooth", max=st.just(0.5)),
    "nan_to_num": unary(lambda x: x, real, "smooth"),
    "isnan": unary(np.isnan, trits, "constant"), "isinf": unary(np.isinf, trits, "constant"),
    "isfinite": unary(np.isfinite, trits, "constant"),
    "atan2": binary(np.arctan2, off(0), "smooth"),
    "fmod": binary(np.fmod, between, "smooth"),
    "remainder": binary(np.remainder, between, "smooth"),
    "floor_divide": binary(np.floor_divide, between, "constant"),
    "div: rounded down": Op(several_alike("nk", "k", domain=between,
                                          rounding_mode=st.just("floor")),
                            lambda a, b, rounding_mode: np.floor(a / b), "smooth"),
    "div: rounded towards 0": Op(several_alike("nk", "k", domain=between,
                                               rounding_mode=st.just("trunc")),
                                 lambda a, b, rounding_mode: np.trunc(a / b), "smooth"),
    "logical_xor": binary(lambda a, b: (a != 0) ^ (b != 0), trits, "constant"),
    "isclose": binary(np.isclose, trits, "constant"),
    "allclose": Op(several_alike("nk", "nk", domain=trits), lambda a, b: np.asarray(
        np.allclose(a, b)), "constant", as_truth),
    "equal": Op(several_alike("n", "n", domain=trits), lambda a, b: (a == b).all(), "constant",
                as_truth),
    "lerp": Op(several_alike("nk", "nk", "k"), lambda a, b, w: a + w * (b - a), "smooth"),
    "addcmul": Op(several_alike("nk", "nk", "k", value=st.sampled_from([1, 0.3])),
                  lambda x, a, b, value: x + value * a * b),
    "addcdiv": Op(several_alike("nk", "nk", "k", value=st.sampled_from([1, 0.3]),
                                domain=off(0)), lambda x, a, b, value: x + value * a / b),
}

REDUCTIONS = {
    "std": reduction(lambda x, dim, keepdim: np.std(x, axis=dim, ddof=1, keepdims=keepdim),
                     min_dims=1, min_side=2, empty=False),
    "std_mean": reduction(lambda x, dim, keepdim: [np.std(x, axis=dim, ddof=1, keepdims=keepdim),
                                                   x.mean(axis=dim, keepdims=keepdim)],
                          call=joined, min_dims=1, min_side=2, empty=False),
    "var_mean": reduction(lambda x, dim, keepdim: [np.var(x, axis=dim, ddof=1, keepdims=keepdim),
                                                   x.mean(axis=dim, keepdims=keepdim)],
                          call=joined, min_dims=1, min_side=2, empty=False),
    "norm": reduction(norm_of, distinct, "smooth",
                      reduced(p=st.sampled_from(["fro", 1, 2, 3, math.inf])), empty=False),
    "prod": reduction(lambda x, dim, keepdim: np.prod(x, axis=dim, keepdims=keepdim),
                      options=reduced(lambda n: st.none() | axis(n) if n else st.none())),
    "cumsum": reduction(lambda x, dim: np.cumsum(x, dim), options=along_one, min_dims=1),
    "cumprod": reduction(lambda x, dim: np.cumprod(x, dim), options=along_one, min_dims=1),
    "all": reduction(lambda x, dim, keepdim: np.all(x, axis=dim, keepdims=keepdim), trits,
                     "constant"),
    "any": reduction(lambda x, dim, keepdim: np.any(x, axis=dim, keepdims=keepdim), trits,
                     "constant"),
    "count_nonzero": reduction(lambda x, dim: np.asarray((x != 0).sum(axis=dim)), trits,
                               "constant", along_one, min_dims=1),
    "median": reduction(lambda x, dim, keepdim: (lower_median(x, dim, keepdim),), distinct,
                        "smooth", with_dim(keepdim=st.booleans()), first, min_dims=1, empty=False),
    "median: of all": Op(one_array(given(), distinct, empty=False),
                         lambda x: np.sort(x, None)[(x.size - 1) // 2], "smooth"),
}

ORDER = {
    "sort": reduction(lambda x, dim: (np.sort(x, dim),), distinct, "smooth", with_dim(), first,
                      min_dims=1),
    "argsort": reduction(lambda x, dim, descending: np.argsort(-x if descending else x, dim,
                                                               kind="stable"),
                         trits, "constant", with_dim(descending=st.booleans()), min_dims=1),
    "topk": reduction(lambda x, k, dim: (np.sort(x, dim).take([-1], dim),), distinct, "smooth",
                      with_dim(k=st.just(1)), first, min_dims=1, empty=False),
    "unique": Op(one_array(given(), trits), np.unique, "constant"),
    "nonzero": Op(one_array(given(), trits, min_dims=1), lambda x: np.stack(np.nonzero(x), 1),
                  "constant"),
    "bincount": Op(several_alike("n", domain=whole), lambda x: np.bincount(x.astype(int)),
                   "constant", whole_numbers),
    "one_hot": Op(several_alike("nk", domain=whole, num_classes=st.just(12)),
                  lambda x, num_classes: np.eye(num_classes, dtype=int)[x.astype(int)], "constant",
                  whole_numbers),
    "multinomial": Op(several_alike("bk", domain=positive), lambda x, num_samples: np.zeros(
        (len(x), num_samples), int), "constant",
        lambda f, arrays, options: f(*arrays, num_samples=1) * 0),  # test_arrays_order.py draws
}

INDEXED = {
    "gather": Op(with_index("twice"), lambda x, dim, index: x[place(index, dim, x.shape)]),
    "take_along_dim": Op(with_index(), np.take_along_axis, call=lambda f, arrays, options: f(
        *arrays, options["index"], options["dim"])),
    "take": Op(sampled(lambda shape, rng, draw: (
        [shape], {"index": rng.integers(0, math.prod(shape), (2, 2))})),
        lambda x, index: x.reshape(-1)[index]),
    "index_select": Op(with_vector(), lambda x, dim, index: x.take(index, dim)),
    "masked_select": Op(with_mask(), lambda x, mask: x[mask]),
    "masked_fill": Op(with_mask(), lambda x, mask, value: np.where(mask, value, x),
                      call=lambda f, arrays, options: f(*arrays, **options, value=0.5)),
    "scatter": Op(with_index("src"), scattered(0), "smooth", dim_then_array),
    "scatter_add": Op(with_index("src", "twice"), scattered(1), "smooth", dim_then_array),
    "index_add": Op(with_vector("source"), vector_put(1), call=dim_then_array),
}

rows_and_columns = {"min_dims": 2, "max_dims": 3}

MOVES = {
    "select": moved(lambda x, dim, index: x.take(index, dim), with_dim(index=st.just(-1)), by_name,
                    min_dims=1, empty=False),
    "narrow": moved(lambda x, dim, start, length: x.take(range(start, start + length), dim),
                    with_dim(start=st.just(1), length=st.integers(0, 1)), by_name, min_dims=1,
                    min_side=2, empty=False),
    "split": moved(lambda x, split_size, dim: pieces_of(x, split_size, dim),
                   with_dim(split_size=st.integers(1, 3)), joined, min_dims=1, empty=False),
    "chunk": moved(lambda x, chunks, dim: pieces_of(x, -(-x.shape[dim] // chunks), dim),
                   with_dim(chunks=st.integers(1, 3)), joined, min_dims=1, empty=False),
    "unbind": moved(lambda x, dim: list(np.moveaxis(x, dim, 0)), with_dim(), joined, min_dims=1,
                    empty=False),
    "flip": moved(lambda x, dims: np.flip(x, dims), lambda shape: st.fixed_dictionaries(
        {"dims": axis(len(shape)) | st.just(tuple(range(len(shape))))}), by_name, min_dims=1),
    "roll": moved(lambda x, shifts, dims: np.roll(x, shifts, dims),
                  lambda shape: st.fixed_dictionaries({
                      "shifts": st.integers(-6, 6), "dims": st.none() | axis(len(shape))}), by_name,
                  min_dims=1),
    "movedim": moved(np.moveaxis, lambda shape: st.sampled_from([
        {"source": 0, "destination": -1}, {"source": (0, 1), "destination": (-1, 0)}]),
        **rows_and_columns),
    "repeat": moved(lambda x, sizes: np.tile(x, sizes), lambda shape: st.fixed_dictionaries(
        {"sizes": st.sampled_from([(2,) * len(shape), (1, *[3] * len(shape)), (0, 1, 1, 1)])}),
        max_dims=3),
    "tile": moved(lambda x, dims: np.tile(x, dims), given(dims=st.sampled_from([(2,), (2, 1, 3)]))),
    "repeat_interleave": moved(lambda x, repeats, dim: np.repeat(x, repeats, dim),
                               with_dim(repeats=st.integers(0, 2)), by_name, min_dims=1),
    "tril": moved(np.tril, given(diagonal=st.integers(-2, 2)), **rows_and_columns),
    "triu": moved(np.triu, given(diagonal=st.integers(-2, 2)), **rows_and_columns),
    "diagonal": moved(lambda x, offset, dim1, dim2: np.diagonal(x, offset, dim1, dim2), given(
        offset=st.integers(-2, 2), dim1=st.just(-1), dim2=st.just(0)), by_name, **rows_and_columns),
    "diag": moved(np.diag, given(diagonal=st.integers(-2, 2)), min_dims=1, max_dims=2),
    "trace": moved(np.trace, given(), min_dims=2, max_dims=2),
    "broadcast_tensors": Op(several_alike("nk", "k"), np.broadcast_arrays, call=joined),
    "vstack": Op(several_alike("k", "nk"), np.vstack, call=as_list),
    "hstack": Op(several_alike("k", "n"), np.hstack, call=as_list),
}

PRODUCTS = {
    "mm": Op(several_alike("nk", "km"), np.matmul),
    "bmm": Op(several_alike("bnk", "bkm"), np.matmul),
    "mv": Op(several_alike("nk", "k"), np.matmul),
    "dot": Op(several_alike("k", "k"), np.matmul),
    "outer": Op(several_alike("n", "m"), np.outer),
    **{name: Op(several_alike(*sides, beta=st.sampled_from([1, 0.5]),
                              alpha=st.sampled_from([1, -2])),
                lambda x, a, b, beta, alpha: beta * x + alpha * np.matmul(a, b))
       for name, sides in {"addmm": ("m", "nk", "km"), "baddbmm": ("nm", "bnk", "bkm")}.items()},
    "tensordot": Op(several_alike("bnk", "nkm", dims=st.sampled_from(
        [2, ([1, 2], [0, 1]), ([-1], [1])])), lambda a, b, dims: np.tensordot(a, b, dims)),
    **{f"einsum: {equation}": Op(several_alike(*sides, equation=st.just(equation)), np.einsum,
                                 call=equation_first) for equation, *sides in [
        ("ij,jk->ik", "nk", "km"), ("bij,bjk", "bnk", "bkm"), ("...ij,jk->...ik", "bnk", "km"),
        ("ii->i", "nn"), ("iji", "nkn"), ("ij,kj,j->ki", "nk", "mk", "k"), ("i,j->ji", "n", "k"),
        ("ij->", "nk"), ("b...,b...->...", "bnk", "bnk"), ("abc,cd->ad", "bnk", "km")]},
}

ARRAYS = {name: op._replace(function=mg.ops.REGISTRY[name.partition(":")[0]]) for name, op in
          {**ELEMENTS, **REDUCTIONS, **ORDER, **INDEXED, **MOVES, **PRODUCTS}.items()}
