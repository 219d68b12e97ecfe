"""What lies beyond the edge: five ways to extend a signal of n samples.

| border       | abcd continues as | OpenCV             | numpy.pad   |
|--------------|-------------------|--------------------|-------------|
| reflect101   | dcb abcd cba      | BORDER_REFLECT_101 | "reflect"   |
| reflect      | cba abcd dcb      | BORDER_REFLECT     | "symmetric" |
| replicate    | aaa abcd ddd      | BORDER_REPLICATE   | "edge"      |
| wrap         | bcd abcd abc      | BORDER_WRAP        | "wrap"      |
| zero         | 000 abcd 000      | BORDER_CONSTANT    | "constant"  |
"""

from __future__ import annotations

from collections.abc import Callable

Border = Callable[[int, int], int | None]


def _reflect101(j: int, n: int) -> int:
    j %= max(2 * n - 2, 1)
    return min(j, 2 * n - 2 - j)


def _reflect(j: int, n: int) -> int:
    j %= 2 * n
    return min(j, 2 * n - 1 - j)


BORDERS: dict[str, Border] = {
    "reflect101": _reflect101,
    "reflect": _reflect,
    "replicate": lambda j, n: min(max(j, 0), n - 1),
    "wrap": lambda j, n: j % n,
    "zero": lambda j, n: j if 0 <= j < n else None,
}
"""Name -> function (j, n) -> which sample of 0..n-1 stands at position j (None: a zero)."""


def extension(border: str) -> Border:
    """The function (j, n) of a border's name. ValueError for an unknown name."""
    if border not in BORDERS:
        raise ValueError(f"unknown border {border!r}: use one of {', '.join(BORDERS)}")
    return BORDERS[border]
