"""ONNX's own node tests, and a small interpreter that runs their graphs node by node.

If, Loop and Scan, which hold graphs of their own, belong to the interpreter; all other nodes are
`OPERATORS`.
"""

import itertools
import warnings

import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

import minigrad as mg
from tests.ops.onnx_moves import unless
from tests.ops.onnx_operators import DTYPES, OPERATORS


def node_tests():
    """The tests by name, in ONNX's order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # casts that overflow, on purpose
        return {case.name: case for case in collect_testcases(None)}


def operators_of(case):
    """The names of the operators in a test's graph, those of other domains with the domain."""
    return set(_operators(case.model.graph))


def _operators(graph):
    for node in graph.node:
        if node.op_type not in CONTROL:
            ours = node.domain in ("", "ai.onnx")
            yield node.op_type if ours else f"{node.domain}.{node.op_type}"
        for attribute in node.attribute:
            yield from _operators(attribute.g)


def run(graph, inputs):
    """The outputs of a graph, Tensors, for inputs in the graph's order."""
    return _run(graph, [_tensor(value) for value in inputs], {})


def _run(graph, inputs, around):
    """The outputs of a graph inside one whose values are `around`."""
    known = {**around, "": None}
    known.update((tensor.name, _tensor(tensor)) for tensor in graph.initializer)
    known.update(zip((value.name for value in graph.input), inputs))
    for node in graph.node:
        given = [known[name] for name in node.input]
        attributes = {a.name: _value(a) for a in node.attribute}
        if node.op_type in CONTROL:
            results = CONTROL[node.op_type](known, *given, **attributes)
        else:
            results = OPERATORS[node.op_type](*given, **attributes)
        results = results if isinstance(results, tuple) else (results,)
        unless(len(results) >= len(node.output), "an output that minigrad does not give")
        known.update((name, result) for name, result in zip(node.output, results) if name)
    return [known[value.name] for value in graph.output]


def branch(known, condition, then_branch, else_branch):
    return tuple(_run(then_branch if condition.item() else else_branch, [], known))


def loop(known, most, proceed, *state, body):
    rows = []
    for i in itertools.count() if most is None else range(most.item()):
        if proceed is not None and not proceed.item():
            break
        proceed, *results = _run(body, [mg.Tensor(i), proceed, *state], known)
        state, row = results[:len(state)], results[len(state):]
        rows.append(row)
    return (*state, *map(mg.stack, zip(*rows)))


def scan(known, *given, body, num_scan_inputs):
    unless(given[0] is not None, "a batch of scans")
    state, scanned = given[:-num_scan_inputs], given[-num_scan_inputs:]
    rows = []
    for parts in zip(*map(mg.unbind, scanned)):
        results = _run(body, [*state, *parts], known)
        state, row = results[:len(state)], results[len(state):]
        rows.append(row)
    return (*state, *map(mg.stack, zip(*rows)))


CONTROL = {"If": branch, "Loop": loop, "Scan": scan}


def array(value):
    """A value of a test's data as a NumPy array of a dtype of ours."""
    if isinstance(value, onnx.TensorProto):
        value = numpy_helper.to_array(value)
    unless(hasattr(value, "dtype"), "sequences and optional values")
    unless(value.dtype.name in DTYPES.values(), "a dtype that minigrad does not have")
    return value


def _tensor(value):
    return mg.Tensor(array(value))


def _value(attribute):
    """An attribute as a Python object; a constant becomes a Tensor, a name a str."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return _tensor(value)
    return value.decode() if isinstance(value, bytes) else value
