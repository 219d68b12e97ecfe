"""What the op tests draw: shapes, values off the kinks, memory layouts, broadcasting patterns.

    shapes()                     up to 4 axes of up to 5, at most 16 elements, now and then none
    filled(draw, shapes, off(0)) one array per shape: no value near 0, any memory layout
    PATTERNS["trailing 1"]       draws the two shapes of a binary op that broadcast in that way

Hypothesis draws shapes, options, layouts and one seed; NumPy draws the numbers from that seed. They
are in general position: a finite difference cannot step over a kink, and no tolerance has to be
loosened for one that could.
"""

import math
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

SIDE = 5  # the longest axis
GAP = 0.05  # how far values stay from a kink, and distinct values from each other


class Sample(NamedTuple):
    """What an op is called with: arrays that may require gradients, and its other arguments."""

    arrays: list
    options: dict


# ---- values: functions (rng, n) -> n numbers -----------------------------------------------------

def real(rng, n):
    return rng.uniform(-2, 2, n)


def positive(rng, n):
    return rng.uniform(0.3, 2.5, n)


def probable(rng, n):
    return rng.uniform(0.05, 0.95, n)


def above_minus_one(rng, n):
    return rng.uniform(-0.7, 2, n)


def trits(rng, n):
    """-1, 0 and 1: equal values and zeros abound."""
    return rng.integers(-1, 2, n).astype(float)


def whole(rng, n):
    return rng.integers(0, 12, n).astype(float)


def distinct(rng, n):
    """No two closer than GAP, within one array and between the arrays of one sample."""
    return (rng.permutation(n) - n / 2 + rng.uniform(0, 0.5, n)) * 2 * GAP


def off(*kinks):
    """Numbers none of which lies within GAP of a kink."""
    def domain(rng, n):
        x = rng.uniform(-2, 2, n)
        for kink in kinks:
            x = np.where(np.abs(x - kink) < GAP, x + 2 * GAP, x)
        return x
    return domain


# ---- memory layouts: the same numbers in new memory, arranged differently ------------------------

def _every_second(a):
    wide = np.full([2 * n for n in a.shape], np.nan)  # reading between the elements shows
    steps = (..., *[slice(None, None, 2)] * a.ndim)
    wide[steps] = a
    return wide[steps]


def _backwards(a):
    flip = (..., *[slice(None, None, -1)] * a.ndim)
    return a[flip].copy()[flip]


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "transposed": lambda a: a.swapaxes(0, -1).copy().swapaxes(0, -1) if a.ndim else a.copy(),
    "stride 2": _every_second,
    "negative stride": _backwards,
    "Fortran order": lambda a: np.array(a, order="F"),
    "read-only": _read_only,
}


# ---- shapes --------------------------------------------------------------------------------------

few = st.sampled_from([2, 3, 1, 2, 3, 1, 2, 3, 1, 0])  # a size that is 0 one time in ten


@st.composite
def shapes(draw, min_dims=0, max_dims=4, max_size=16, min_side=1, empty=True):
    """A shape; `empty` lets one in ten have an axis of size 0."""
    sides = []
    dims = [d for d in (2, 1, 3, 4, 0) if min_dims <= d <= max_dims]  # the simplest first
    for _ in range(draw(st.sampled_from(dims))):
        most = max(min_side, min(SIDE, max_size // math.prod(sides)))
        sides.append(draw(st.sampled_from([n for n in (2, 3, 1, 4, 5) if min_side <= n <= most])))
    if empty and sides and draw(few) == 0:
        sides[draw(st.integers(0, len(sides) - 1))] = 0
    return tuple(sides)


@st.composite
def broadcastable(draw, count):
    """`count` shapes that broadcast together: some axes of a common shape set to 1 or missing."""
    common = draw(shapes())
    found = []
    for _ in range(count):
        shape, change = common, draw(st.sampled_from(["none", "stretched", "missing", "both"]))
        if change in ("stretched", "both"):
            shape = tuple(1 if draw(st.booleans()) else n for n in shape)
        if change in ("missing", "both"):
            shape = shape[draw(st.integers(0, len(shape))):]
        found.append(shape)
    return found


def filled(draw, shapes, domain):
    """One array per shape, values from `domain`, each in a layout of its own."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(domain(rng, int(ends[-1])), ends[:-1])
    layouts = st.sampled_from([np.copy, *LAYOUTS.values()])
    return [draw(layouts)(part.reshape(s)) for part, s in zip(parts, shapes)]


def axis(ndim):
    """One axis, counted from either end."""
    return st.integers(-ndim, ndim - 1)


def axes(ndim):
    """What `dim` can be: None, an axis, or a tuple of axes."""
    if not ndim:
        return st.none()
    several = st.lists(st.integers(0, ndim - 1), min_size=1, unique=True).map(tuple)
    return st.none() | axis(ndim) | several


# ---- broadcasting patterns of two operands -------------------------------------------------------

_some = shapes(min_dims=1, max_dims=3, max_size=12, empty=False)
_wide = shapes(min_dims=2, max_dims=3, max_size=12, empty=False)


def _against(other):
    """A shape s and other(s)."""
    return lambda shape: (shape, other(shape))


PATTERNS = {
    "equal": _some.map(_against(lambda s: s)),
    "0-d": _some.map(_against(lambda s: ())),
    "(1,) against n": _some.map(_against(lambda s: (1,))),
    "trailing 1": _wide.map(_against(lambda s: (*s[:-1], 1))),
    "leading axis missing": _wide.map(_against(lambda s: s[1:])),
    "both stretched": _wide.map(lambda s: ((1, *s[1:]), (*s[:-1], 1))),
    "zero-size axis": _some.map(lambda s: ((0, *s), (1, *s[:-1], 1))),
}


@st.composite
def pairs(draw, pattern, domain):
    """Two arrays that broadcast in the way `pattern` names, in either order.

    pattern: a key of PATTERNS, or of LAYOUTS for two arrays of one shape laid out like that.
    """
    found = list(draw(PATTERNS[pattern if pattern in PATTERNS else "equal"]))
    if draw(st.booleans()):
        found.reverse()
    arrays = filled(draw, found, domain)
    return [LAYOUTS[pattern](a) for a in arrays] if pattern in LAYOUTS else arrays
