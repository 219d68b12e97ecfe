"""The shapes written beside lines of kernels are those of the arrays that the lines make.

A tracer looks at every assignment and return that ends in a comment such as `# (N, oh, ow, C)`, and
compares the comment with the array. Within one call of a function a letter has one value, and
`kh kw C/G` is the product of three.
"""

import ast
import io
import math
import re
import sys
import tokenize
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from minigrad.kernels import conv
from minigrad.kernels.conv import banded, columns, few, taps, winograd, winograd_views
from minigrad.kernels.norm import cpu as norm
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime.window import Window, direct_windows, image, pixels, zeros
from minigrad.kernels.testing import emulator
from tests.gpu import fake_cupy
from tests.ops.test_every_plan import CASES, arrays
from tests.places import ROOT

KERNELS = ROOT / "minigrad" / "kernels"
FILES = [*(KERNELS / "conv").glob("*.py"), KERNELS / "runtime" / "window.py",
         *(KERNELS / room / file for room in ("pool", "norm") for file in ("cpu.py", "gpu.py"))]
STATEMENTS = ast.Assign, ast.AugAssign, ast.Return
LETTERS = {*"NCOHWG", "oh", "ow", "kh", "kw", "C/G", "O/G"}


def statements(file):
    """{line: (statement, its shapes)} of the assignments and returns with a comment of shapes."""
    text = file.read_text(encoding="utf-8")
    comments = {token.start[0]: token.string for token in tokenize.generate_tokens(
        io.StringIO(text).readline) if re.match(r"# \([^()]*\)", token.string)}
    found = [node for node in ast.walk(ast.parse(text))
             if isinstance(node, STATEMENTS) and node.end_lineno in comments and node.col_offset]
    return {line: (node, re.findall(r"\(([^()]*)\)", comments[node.end_lineno]))
            for node in found for line in range(node.lineno, node.end_lineno + 1)}


def check(shape, words, sizes):
    """AssertionError unless the shape is as the words say, where letters have these sizes."""
    if "..." in words:
        return
    terms = words.split(", ")
    assert len(shape) == len(terms)
    for size, term in zip(shape, terms):
        factors = term.split()
        if all(factor.isdigit() or factor in LETTERS for factor in factors):
            known = [int(f) if f.isdigit() else sizes.get(f) for f in factors]
            assert size == (sizes.setdefault(term, size) if None in known else math.prod(known))


def made(node, frame, returned):
    """What a statement has assigned to each of its targets, or returned."""
    if isinstance(node, ast.Return):
        return returned if isinstance(returned, tuple) else [returned]
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    return [eval(ast.unparse(name), frame.f_globals, frame.f_locals)
            for name in (target.elts if isinstance(target, ast.Tuple) else [target])]


def compare(node, shapes, frame, returned, sizes):
    """How many arrays of the statement have been compared."""
    arrays = made(node, frame, returned)
    pairs = [(array.shape, words) for array, words in zip(arrays, shapes * len(arrays))
             if isinstance(getattr(array, "shape", None), tuple)]
    for shape, words in pairs:
        try:
            check(shape, words, sizes)
        except AssertionError:
            raise AssertionError(f"{Path(frame.f_code.co_filename).name}:{node.lineno}: {shape} is "
                                 f"not ({words}), where {sizes}") from None
    return len(pairs)


def lines_checked(function, files):
    """The (file, line) of all statements that were compared while the function ran."""
    commented, seen, wrong = {str(file): statements(file) for file in files}, set(), []

    def trace(frame, event, arg):
        lines = commented.get(frame.f_code.co_filename)
        if lines is None or frame.f_code.co_name.startswith("<"):  # within a statement
            return None
        sizes, last = {}, [None]

        def follow(frame, event, arg):
            now = lines.get(frame.f_lineno) if event == "line" else None
            left = last[0] and not (now and now[0] is last[0][0])  # not if it has several lines
            if left and event in ("line", "return"):
                try:
                    if compare(*last[0], frame, arg, sizes):
                        seen.add((frame.f_code.co_filename, last[0][0].lineno))
                except AssertionError as error:  # a tracer that raises is switched off
                    wrong.append(str(error))
            last[0] = now
            return follow
        return follow

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    assert not wrong, wrong[0]
    return seen


def convolutions(to):
    """All maps of convolution by all plans and routes."""
    for n, c, o, groups, size, window in [
            (2, 6, 10, 1, (7, 5), Window(3, 2, 2, 1, 1, 0)),
            (2, 6, 10, 2, (7, 5), Window(3, 2, 1, 1, 1, 0)),
            (2, 66, 96, 2, (4, 5), Window(2, 3, 1, 1, 1, 0)),
            (2, 6, 6, 6, (7, 5), Window(3, 2, 2, 1, 1, 0)),
            (6, 48, 52, 1, (16, 12), Window(3, 3, 1, 1, 1, 1)),
            (1, 6, 10, 1, (7, 5), Window(1, 1, 2, 1, 0, 0))]:
        for dtype in (np.float32, np.float16)[:1 + (to is not np.asarray and c < 48)]:
            x, w = np.ones((n, c, *size), dtype), np.ones((o, c // groups, *window[:2]), dtype)
            y = conv.forward(to(x), to(w), window, groups, to(np.ones(o, dtype)))
            conv.input_gradient(y, to(w), window, size, groups)
            conv.weight_gradient(to(x), y, window, groups)
    if to is np.asarray:
        for plan, case, dtype in [
                (winograd, 4, "f"), (winograd, 7, "f"), (winograd_views, 3, "f"), (few, 12, "d"),
                (taps, 9, "d"), (banded, 1, "d")]:
            x, w, b, gy = arrays(CASES[case], dtype)
            plan.forward(x, w, b, CASES[case][-1], CASES[case][3])
            plan.forward(x, w.transpose(1, 0, 2, 3).copy().transpose(1, 0, 2, 3), b,
                         CASES[case][-1], CASES[case][3])
            if hasattr(plan, "weight_gradient"):
                plan.weight_gradient(x, gy, CASES[case][-1], CASES[case][3])
        x, w = np.ones((1, 6, 7, 5), "f"), np.ones((10, 6, 1, 1), "f")
        y, window = conv.forward(x, w, window), Window(1, 1, 2, 1, 0, 0)
        conv.direct(x, w, window)
        with mock.patch.object(columns, "BLOCK_BYTES", 0):  # as for filters larger than a cache
            conv.weight_gradient(x, y, window)
        norm.scale_and_shift(np.ones((8, 6), "f"), np.ones(6, "f"), np.ones(6, "f"))
        columns.forward(x, w.transpose(1, 0, 2, 3).copy().transpose(1, 0, 2, 3), None, window, 1)
        image(pixels(x), 1, 7, 5)


def pools_and_norms(to):
    window, x = Window(3, 2, 2, 1, 1, 0), np.arange(420, dtype=np.float32).reshape(2, 6, 7, 5)
    y, winner = pool.maximum(to(x), window)
    pool.scatter(y, winner, window, (7, 5))
    pool.gather(to(x), winner, window)
    pool.average_transpose(pool.average(to(x), window), window, (7, 5))
    mean, _, scale = norm.statistics(to(x), 1e-5)
    norm.gradient(norm.normalise(to(x), mean, scale, mean), to(x), mean, scale, scale)
    norm.fixed_gradient(to(x), to(x), mean, to(x))
    if to is np.asarray:
        pool.max_direct(x, window)
        pool.average_direct(x, window)
        direct_windows(zeros((2, 6, 7, 5), x), window, 0)


def test_shapes_beside_the_lines_are_true(monkeypatch, one_thread):
    """Every comment that names an array is compared at least once, on the CPU or the stand-in."""
    def everything():
        for to in (np.asarray, *[fake_cupy.asarray] * (not emulator.MISSING)):
            convolutions(to)
            pools_and_norms(to)

    fake_cupy.install(monkeypatch)
    wanted = {(str(file), node.lineno) for file in FILES
              for node, shapes in statements(file).values()
              if not (emulator.MISSING and file.name in ("gpu.py", "gemm.py"))}
    missing = wanted - lines_checked(everything, FILES)
    assert len(wanted) > 80 and not missing, sorted(missing)


@pytest.mark.parametrize("comment, right", [
    ("(N, oh ow)", True), ("(oh ow, N)", False), ("(N, oh, ow)", False), ("(N, kh kw)", True),
    ("(6, N)", False)])
def test_a_wrong_comment_is_found(tmp_path, comment, right):
    file = tmp_path / "wrong.py"
    file.write_text("def turn(x):\n    oh = x[0]  # (oh, ow)\n"
                    f"    y = x.reshape(len(x), -1)  # {comment}\n    return y\n")
    scope = {}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    array = np.ones((2, 3, 4))
    if right:
        assert len(lines_checked(lambda: scope["turn"](array), [file])) == 2
    else:
        with pytest.raises(AssertionError, match="is not"):
            lines_checked(lambda: (scope["turn"](array), scope["turn"](array)), [file])
