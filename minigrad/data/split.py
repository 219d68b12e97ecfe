"""Cut a data set in parts: at random, or so that every class is cut alike.

    train, valid, test = random_split(dataset, (0.63, 0.07, 0.3), seed=45)
    train, valid = random_split(dataset, [100, 20])     # as manual_seed says, or generator=
    train, test = stratified_split(dataset, (0.7, 0.3), seed=45)

The parts are `Subset`s that together hold every sample once, in random order. The same seed gives
the same parts; they are not the parts that torch's generator would give for that seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from minigrad.arguments import demand, integer, is_integer, plain
from minigrad.backend import keyed_generator
from minigrad.data.dataset import Dataset, Subset, as_dataset
from minigrad.data.sampler import stream_of


def random_split(dataset: Dataset | Sequence, lengths: Iterable[float], seed: Any = None, *,
                 generator: Any = None) -> list[Subset]:
    """Parts of the given lengths (integers that sum to the whole) or fractions (that sum to 1).

    Fractions are rounded as torch does: down, then up from the first part on until the sum is
    right; 101 samples by (.7, .2, .1) are 71, 20, 10. Without a seed, the order is drawn from
    `generator`, which may be in the place of the seed, or from minigrad's next. Raises ValueError.
    """
    if hasattr(seed, "stream") or isinstance(seed, np.random.Generator):
        seed, generator = None, seed
    sizes = _sizes("random_split", "lengths", lengths, len(dataset))
    whole = as_dataset(dataset)
    rng = (stream_of(generator, "split") if generator is not None or seed is None
           else keyed_generator(integer("random_split", "seed", seed, 0), "split"))
    order = rng.permutation(len(dataset))
    return [Subset(whole, part.tolist()) for part in np.split(order, np.cumsum(sizes)[:-1])]


def stratified_split(dataset: Dataset | Sequence, fractions: Iterable[float],
                     seed: int) -> list[Subset]:
    """Parts as large as `random_split` makes them, each with its share of every class.

    A class (`dataset.targets`) of n among N samples gives n p / N to a part of p, rounded down or
    up: up where the remainders are largest, as far as that keeps every sum. Raises ValueError.
    """
    sizes = _sizes("stratified_split", "fractions", fractions, len(dataset))
    whole = as_dataset(dataset)
    rng = keyed_generator(integer("stratified_split", "seed", seed, 0), "split")
    targets = np.asarray(whole.targets)
    demand(targets.ndim == 1 and targets.dtype.kind in "iu", f"stratified_split: this "
           f"{type(dataset).__name__} has no `targets` that are classes; use random_split")
    parts: list[list[int]] = [[] for _ in sizes]
    classes, members = np.unique(targets, return_counts=True)
    for label, shares in zip(classes, _shares(members.tolist(), sizes)):
        chosen = rng.permutation(np.flatnonzero(targets == label))
        for part, some in zip(parts, np.split(chosen, np.cumsum(shares)[:-1])):
            part.extend(some.tolist())
    return [Subset(whole, rng.permutation(np.array(part, int)).tolist()) for part in parts]


def _sizes(who: str, name: str, lengths: Iterable[float], total: int) -> list[int]:
    """The parts' sizes as integers that sum to `total`."""
    if isinstance(lengths, Iterable):       # float32's fractions have the sum 1 in float32 alone
        lengths = [n if isinstance(n, np.floating) else plain(n) for n in lengths]
    if not lengths or not isinstance(lengths, list) or not all(
            isinstance(n, Real) and float(n) >= 0 for n in lengths):
        raise ValueError(f"{who}: {name} must be numbers that are not negative, got {lengths!r}")
    if sum(lengths) == total and all(is_integer(n) for n in lengths):
        return [int(n) for n in lengths]
    demand(math.isclose(sum(lengths), 1), f"{who}: {name} must sum to 1 or be integers that sum to "
           f"the {total} samples, got {lengths!r}")
    sizes = [math.floor(total * fraction) for fraction in lengths]
    for k in range(total - sum(sizes)):
        sizes[k % len(sizes)] += 1
    return sizes


def _shares(members: list[int], sizes: list[int]) -> list[list[int]]:
    """Integers (class, part) near members[class] * sizes[part] / N whose sums are exactly these.

    Rounding up is a matching of the classes' left-over samples with the parts' free places, at
    most one per cell; one exists, since the remainders are a fractional one (Bacharach, "Matrix
    rounding problems", Management Science 1966). It is found by augmenting paths.
    """
    total = sum(sizes)
    shares = [[n * size // total for size in sizes] for n in members]
    rests = [[n * size % total for size in sizes] for n in members]
    room = [size - sum(column) for size, column in zip(sizes, zip(*shares))]
    holders: list[set[int]] = [set() for _ in sizes]    # the classes that are rounded up, per part

    def give(label: int, tried: set[int]) -> bool:
        """Find a place for one sample of the class, moving those of others if need be."""
        for part in sorted(range(len(sizes)), key=lambda k: -rests[label][k]):
            if part in tried or label in holders[part] or not rests[label][part]:
                continue
            tried.add(part)
            if room[part]:
                room[part] -= 1
            else:
                other = next((k for k in sorted(holders[part]) if give(k, tried)), None)
                if other is None:
                    continue
                holders[part].remove(other)
            holders[part].add(label)
            return True
        return False

    for label, n in enumerate(members):
        for _ in range(n - sum(shares[label])):
            if not give(label, set()):
                raise AssertionError("no matching: the sums disagree")
    return [[share + (label in holders[part]) for part, share in enumerate(row)]
            for label, row in enumerate(shares)]
