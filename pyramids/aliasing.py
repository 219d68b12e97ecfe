"""What a kernel does to frequencies: how much it blurs, and what aliasing it lets through.

    print(report(0.375))

Throughout, a filter is given by the parameter a of `kernel`, or by the taps of any symmetric one,
so that (1,) is plain decimation and (0.5, 0.5) the 2x2 average. Frequencies w are in radians per
sample: pi/2 is the highest that survives halving, pi the highest there is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyramids.arguments import check_finite
from pyramids.filters import kernel, pyr_down, pyr_up


def taps(a: ArrayLike) -> np.ndarray:
    """The taps of a filter, from its parameter a (five of them) or as they are.

    ValueError unless they are finite numbers.
    """
    if np.ndim(a):
        weights = np.asarray(a, np.float64)
        check_finite(weights, "taps")
        return weights
    w0, w1, w2 = kernel(a)  # type: ignore[arg-type]  # a number, as it has no axes
    return np.array([w2, w1, w0, w1, w2])


def response(w: ArrayLike, a: ArrayLike = 0.375) -> np.ndarray:
    """H(w) = sum over m of taps[m] cos(m w), m counted from the centre; w: a number or an array.

    For the kernel family, H(w) = a + cos(w) / 2 + (1/2 - a) cos(2 w), so H(pi) = 0 whatever a is.
    """
    h = taps(a)
    return sum(tap * np.cos(m * w) for m, tap in zip(_positions(h).tolist(), h.tolist()))


def sigma(a: ArrayLike = 0.375) -> float:
    """Standard deviation of a filter in samples: sqrt(5/2 - 4a) for the kernel family."""
    h = taps(a)
    return math.sqrt(max(h @ _positions(h)**2, 0))


def aliased_energy(a: ArrayLike = 0.375) -> float:
    """Share of the energy of filtered white noise that lies above pi/2, and so folds when halved.

    The integral of H^2 over pi/2..pi, divided by that over 0..pi: with the autocorrelation r of the
    taps, 1/2 - (2/pi) sum over odd d of sin(d pi/2) r[d] / (d r[0]).
    """
    h = taps(a)
    r = np.correlate(h, h, "full")[len(h) - 1:]
    d = np.arange(1, len(h), 2)
    return float(0.5 - 2 / math.pi * np.sum(np.sin(d * math.pi / 2) * r[1::2] / d) / r[0])


def cumulative_blur(k: int, a: ArrayLike = 0.375) -> float:
    """Standard deviation of level k in pixels of level 0: sigma sqrt((4^k - 1) / 3)."""
    return sigma(a) * math.sqrt((4**k - 1) / 3)


def detail_of_square(a: float = 0.375) -> tuple[float, float]:
    """L of the image x^2 at even and odd x, far from the edge: equal, and -2, only at a = 3/8."""
    square = np.arange(32.0)**2
    detail = square - pyr_up(pyr_down(square, a, axes=(0,)), (32,), a, axes=(0,))
    return float(detail[16]), float(detail[17])


def report(a: float = 0.375, levels: int = 8) -> str:
    """All numbers of one kernel as lines of text."""
    even, odd = detail_of_square(a)
    blur = ", ".join(f"{cumulative_blur(k, a):.4f}" for k in range(1, levels + 1))
    return (f"a = {a:g}: taps {', '.join(f'{tap:g}' for tap in taps(a))}\n"
            f"  sigma {sigma(a):.4f}, H(pi/2) {response(math.pi / 2, a):.4f}, "
            f"H(pi) {abs(response(math.pi, a)):.4f}\n"
            f"  aliased energy of white noise {aliased_energy(a):.2%}\n"
            f"  L of x^2: {even:g} at even x, {odd:g} at odd x\n"
            f"  blur of levels 1 to {levels} in pixels of level 0: {blur}")


def _positions(h: np.ndarray) -> np.ndarray:
    """Where the taps stand, counted from the centre."""
    return np.arange(len(h)) - (len(h) - 1) / 2
