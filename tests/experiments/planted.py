"""Errors of known size, planted in what a claim measures."""

import numpy as np

import minigrad as mg

EPS = 2.0**-52


def rng():
    return np.random.default_rng(1)


def noise(*shape):
    return rng().integers(0, 256, shape, np.uint8)


def off(f, size, at=0, when=lambda *args, **options: True):
    """f whose result, an array or a Tensor, is off by `size` or size(result) at its place `at`."""
    def planted(*args, **options):
        y = f(*args, **options)
        if not when(*args, **options):
            return y
        tensor = isinstance(y, mg.Tensor)
        array = np.array(y.data if tensor else y, order="C")
        array.reshape(-1)[at] += size(array) if callable(size) else size
        return mg.Tensor(array) if tensor else array
    return planted


def of_largest(share):
    return lambda array: share * np.abs(array).max()


def of_eps(count):
    return lambda array: count * np.finfo(array.dtype).eps * np.abs(array).max()


def every_second():
    """True for the second call, the fourth, ...: where an image is rebuilt, not where L is made."""
    calls = []

    def when(*args, **options):
        calls.append(1)
        return len(calls) % 2 == 0
    return when


def plus(f, size):
    return lambda *args, **options: f(*args, **options) + size


def check_that_it_shows(name, case, monkeypatch):
    """The claim `name` before and after: its check fails by about the size that was planted, and
    the verdict turns. case: (measure, (object, attribute, planted), part of the check's name,
    (least, largest) value found, verdict)."""
    measure, (where, attribute, planted), part, (low, high), verdict = case
    before = measure(monkeypatch)
    assert before.as_documented and before.id == name.partition(",")[0]
    assert _found(before, part).passed
    put = monkeypatch.setitem if isinstance(where, dict) else monkeypatch.setattr
    put(where, attribute, planted)
    after = measure(monkeypatch)
    check = _found(after, part)
    assert not check.passed and low <= check.value <= high
    assert after.verdict == verdict


def _found(claim, part):
    return next(c for c in claim.checks if part in c.name)
