"""ONNX's own tests of its operators, through minigrad: every form that we have gives its numbers.

Of the 1 884 tests in the package onnx, those whose graphs hold only operators of
`tests/ops/onnx_operators.py` and control flow are run, the standard's expansions of larger
functions too. Each gives the expected values, dtypes and shapes, or is in `tests/ops/onnx_left.py`
with the reason.
"""

import ast
import inspect

import numpy as np
import pytest

import minigrad as mg
from tests.engine.halves import EPS
from tests.ops import onnx_arrays, onnx_integers, onnx_layers, onnx_moves, onnx_operators
from tests.ops.onnx_left import LEFT, MAPPED
from tests.ops.onnx_operators import OPERATORS

VERSION = "1.23.2"
COUNTS = {"run": 1365, "left": 248, "not mapped": 271}
# The softmax of 16-bit numbers is rounded once by us, and after each step by ONNX: one unit apart.
ROUNDED_ELSEWHERE = {f"test_attention_{name}_expanded" for name in [
    "4d_causal_bf16", "4d_causal_fp16", "4d_padded_kv_bf16", "4d_causal_padded_kv_bf16",
    "4d_attn_mask_causal_bf16", "3d_causal_bf16"]}
RTOL, ATOL = 1e-3, 1e-7  # those of onnx.backend.test.runner


@pytest.fixture(scope="module")
def cases():
    onnx = pytest.importorskip("onnx")
    assert onnx.__version__ == VERSION, "the counts and tables here are those of one release"
    from tests.ops.onnx_graph import node_tests, operators_of
    return {name: (case, operators_of(case)) for name, case in node_tests().items()}


@pytest.fixture(scope="module")
def outcomes(cases):
    """For each test of mapped operators None, or the exception that it ended in."""
    return {name: outcome(case) for name, (case, operators) in cases.items()
            if operators <= OPERATORS.keys()}


def outcome(case):
    from tests.ops.onnx_graph import array, run
    try:
        for inputs, expected in case.data_sets:
            with np.errstate(all="ignore"):  # ln 0 is asked for
                outputs = run(case.model.graph, inputs)
            for mine, theirs in zip(outputs, expected, strict=True):
                assert_same(mine.numpy(), array(theirs), case.name in ROUNDED_ELSEWHERE)
    except Exception as error:  # which one it may be is for the tests below to say
        return error
    return None


def assert_same(mine, theirs, rounded_elsewhere=False):
    assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
    atol = EPS[mine.dtype.name] if rounded_elsewhere else ATOL
    if mine.dtype.char in "eE":  # ml_dtypes' bfloat16 as well
        mine, theirs = mine.astype(np.float32), theirs.astype(np.float32)
    np.testing.assert_allclose(mine, theirs, RTOL, atol)


def test_no_value_is_wrong(outcomes):
    wrong = {name: str(error) for name, error in outcomes.items()
             if isinstance(error, AssertionError)}
    assert not wrong


def test_what_is_left_is_known(outcomes):
    """Each test that does not run is refused as its row of the table says, and no other is."""
    listed = {name: reason for reason, names in LEFT.items() for name in names}
    assert sum(map(len, LEFT.values())) == len(listed)
    refused = {name for name, error in outcomes.items()
               if error is not None and not isinstance(error, AssertionError)}
    assert refused == listed.keys()
    for name, (kind, message) in listed.items():
        assert isinstance(outcomes[name], kind) and message in str(outcomes[name]), name


def test_how_many_run(cases, outcomes):
    run = sum(error is None for error in outcomes.values())
    assert {"run": run, "left": len(outcomes) - run,
            "not mapped": len(cases) - len(outcomes)} == COUNTS


def test_the_mapped_operators_are_those_named(cases):
    assert sorted(OPERATORS) == MAPPED.split()
    tested = set().union(*(operators for _, operators in cases.values()))
    assert OPERATORS.keys() <= tested


def test_the_interpreter_notices_a_wrong_operator(cases, monkeypatch):
    case, _ = cases["test_sub"]
    assert outcome(case) is None
    monkeypatch.setitem(OPERATORS, "Sub", lambda a, b: mg.sub(b, a))
    assert isinstance(outcome(case), AssertionError)
    monkeypatch.setitem(OPERATORS, "Sub", lambda a, b: mg.cast(mg.sub(a, b), np.float64))
    assert isinstance(outcome(case), AssertionError)


@pytest.mark.parametrize("adapter", [onnx_arrays, onnx_integers, onnx_layers, onnx_moves,
                                     onnx_operators])
def test_the_adapter_computes_nothing(adapter):
    """It imports no NumPy and has no arithmetic operator; a sign before a number is part of it."""
    nodes = list(ast.walk(ast.parse(inspect.getsource(adapter))))
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported <= {"functools", "itertools", "math", "minigrad", "tests.ops.onnx_arrays",
                        "tests.ops.onnx_integers", "tests.ops.onnx_layers", "tests.ops.onnx_moves"}
    assert not [ast.unparse(node) for node in nodes if isinstance(node, (ast.BinOp, ast.AugAssign))]
    assert all(isinstance(node.operand, (ast.Constant, ast.Attribute))
               for node in nodes if isinstance(node, ast.UnaryOp)
               and isinstance(node.op, (ast.USub, ast.UAdd, ast.Invert)))
    names = {(ast.unparse(node.value), node.attr) for node in nodes
             if isinstance(node, ast.Attribute)}
    public = {"Tensor", "nn", "arange", "full", "ones_like", "zeros", *mg.ops.__all__}
    assert {name for place, name in names if place == "mg"} <= public
    assert {name for place, name in names if place == "mg.nn"} <= set(mg.nn.__all__)
