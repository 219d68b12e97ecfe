"""Products by PyTorch's names: of matrices, of vectors, and sums of products over named axes."""

import math
from collections.abc import Iterable
from typing import Any

from minigrad.arguments import demand
from minigrad.dtypes import has_integers, result_type
from minigrad.engine import Values
from minigrad.ops.arrays.moves import diagonal
from minigrad.ops.linear import matmul
from minigrad.ops.operands import in_float32
from minigrad.ops.reduce import sum
from minigrad.ops.shape import cast, expand, permute, reshape, unsqueeze


def mm(a: Values, b: Values) -> Values:
    """Product of two matrices: a (n, k), b (k, m) -> (n, m). Raises RuntimeError for others."""
    return _product("mm", 2, 2, a, b)


def bmm(a: Values, b: Values) -> Values:
    """Products of matrices: a (N, n, k), b (N, k, m) -> (N, n, m). RuntimeError for others."""
    demand(a.shape[:1] == b.shape[:1], f"bmm: {len(a)} matrices for {len(b)}")
    return _product("bmm", 3, 3, a, b)


def mv(a: Values, b: Values) -> Values:
    """Matrix times vector: a (n, k), b (k) -> (n). Raises RuntimeError for others."""
    return _product("mv", 2, 1, a, b)


def dot(a: Values, b: Values) -> Values:
    """Sum of a_i b_i of two vectors. Raises RuntimeError for others."""
    return _product("dot", 1, 1, a, b)


def outer(a: Values, b: Values) -> Values:
    """a_i b_j of two vectors: a (n), b (m) -> (n, m). Raises RuntimeError for others."""
    demand(a.ndim == b.ndim == 1, f"outer: needs two vectors, got {a.shape} and {b.shape}")
    return unsqueeze(a, 1) * b


def _product(name: str, n: int, m: int, a: Values, b: Values) -> Values:
    demand((a.ndim, b.ndim) == (n, m) and a.shape[-1] == b.shape[max(m - 2, 0)],
           f"{name}: shapes {a.shape} and {b.shape} do not fit")
    return matmul(a, b)


def addmm(x: Values, a: Values, b: Values, *, beta: float = 1, alpha: float = 1) -> Values:
    """beta x + alpha a b, for matrices a and b."""
    return _plus(x, mm, a, b, beta, alpha)


def baddbmm(x: Values, a: Values, b: Values, *, beta: float = 1, alpha: float = 1) -> Values:
    """beta x + alpha a b, for a number of matrices each."""
    return _plus(x, bmm, a, b, beta, alpha)


@in_float32()
def _plus(x: Values, product: Any, a: Values, b: Values, beta: float, alpha: float) -> Values:
    """beta x + alpha a b; for beta = 0, x does not count, whatever it holds."""
    y = product(a, b)
    if has_integers(x):
        alpha, beta, y = int(alpha), int(beta), cast(y, x.dtype)
    y = y if alpha == 1 else y * alpha
    return y if beta == 0 else expand(x if beta == 1 else x * beta, y.shape) + y


def tensordot(a: Values, b: Values, dims: Any = 2) -> Values:
    """Sum over pairs of axes: the last `dims` of a with the first of b, or two lists of axes."""
    pairs = (range(-dims, 0), range(dims)) if isinstance(dims, int) else (
        [[d] if isinstance(d, int) else d for d in dims])
    names: list[list[Any]] = [[*range(a.ndim)], [*range(a.ndim, a.ndim + b.ndim)]]
    for i, j in zip(*pairs):
        names[0][i] = names[1][j] = f"{i}"
    return _contract([a, b], names, [n for ns in names for n in ns if isinstance(n, int)])


def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products over axes with names: einsum("ij,jk->ik", a, b) is the matrix product.

    Axes of one letter are taken together; a letter that is missing behind the arrow is summed over.
    Without an arrow the result has the letters that occur once, in the order of the alphabet. `...`
    stands for further axes, which broadcast. Operands are multiplied from left to right, each time
    by one matrix product. Raises RuntimeError for an equation that does not fit.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    xs = list(operands[0] if isinstance(operands[0], (list, tuple)) else operands)
    demand(len(terms) == len(xs), f"einsum: {equation!r} is for {len(terms)} operands")
    names = [_names(term, x.ndim) for x, term in zip(xs, terms)]
    found = [name for ns in names for name in ns]
    dots = sorted({name for name in found if isinstance(name, int)})
    if arrow:
        before, rest, after = output.partition("...")
        wanted = [*before, *(dots if rest else []), *after]
    else:
        wanted = dots + sorted(n for n in found if isinstance(n, str) and found.count(n) == 1)
    demand(all(len(ns) == x.ndim for x, ns in zip(xs, names)) and {*wanted} <= {*found}
           and len({*wanted}) == len(wanted), f"einsum: {equation!r} does not fit "
           f"{', '.join(str(x.shape) for x in xs)}")
    return _contract(xs, names, wanted)


def _names(term: str, ndim: int) -> list[Any]:
    """A name for each axis: its letter, or, for those of `...`, its number from the right."""
    before, dots, after = term.partition("...")
    return [*before, *range(len(before + after) - ndim if dots else 0, 0), *after]


def _contract(xs: list, names: list, wanted: list) -> Any:
    """The product of all operands, whose axes have names, summed over those not `wanted`."""
    y, ours = _once(xs[0], names[0])
    for i in range(1, len(xs)):
        needed = {*wanted, *(name for others in names[i + 1:] for name in others)}
        y, ours = _pair(y, ours, *_once(xs[i], names[i]), needed)
    y, ours = _summed(y, ours, {*wanted})
    return permute(y, tuple(ours.index(name) for name in wanted))


def _once(x: Any, names: list) -> tuple[Any, list]:
    """x with the diagonal in place of two axes that have one name."""
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            i = names.index(name)
            j = names.index(name, i + 1)
            demand(x.shape[i] == x.shape[j], f"einsum: {name!r} is {x.shape[i]} and {x.shape[j]}")
            x, names = diagonal(x, 0, i, j), [*names[:i], *names[i + 1:j], *names[j + 1:], name]
    return x, names


def _summed(x: Any, names: list, needed: set) -> tuple[Any, list]:
    """x summed over the axes that are not needed."""
    drop = tuple(d for d, name in enumerate(names) if name not in needed)
    return (sum(x, drop) if drop else x), [name for name in names if name in needed]


def _pair(a: Any, ours: list, b: Any, others: list, needed: set) -> tuple[Any, list]:
    """The product of two operands, summed over the axes that are not needed any more."""
    a, ours = _summed(a, ours, needed.union(others))
    b, others = _summed(b, others, needed.union(ours))
    sizes = dict(zip(ours, a.shape))
    for name, n in zip(others, b.shape):
        demand(1 in (n, sizes.get(name, 1)) or n == sizes[name],
               f"einsum: {name!r} is {sizes.get(name)} and {n}")
        sizes[name] = n if sizes.get(name, 1) == 1 else sizes[name]
    batch, gone = ([n for n in ours if n in others and (n in needed) == kept] for kept in (1, 0))
    rows = [name for name in ours if name not in others]
    columns = [name for name in others if name not in ours]
    if has_integers(a) and has_integers(b):  # of which one may have become int64
        dtype = result_type(a, b)
        a, b = cast(a, dtype), cast(b, dtype)
    y = matmul(_grouped(a, ours, (batch, rows, gone), sizes),
               _grouped(b, others, (batch, gone, columns), sizes))
    left = [*batch, *rows, *columns]
    return reshape(y, tuple(sizes[name] for name in left)), left


def _grouped(x: Any, names: list, groups: Iterable[list], sizes: dict) -> Any:
    """x with one axis for each group of names."""
    order = [name for group in groups for name in group]
    x = expand(permute(x, tuple(map(names.index, order))), tuple(sizes[name] for name in order))
    return reshape(x, tuple(math.prod(sizes[name] for name in group) for group in groups))
