"""ONNX's own node tests, and a small interpreter that runs their graphs node by node."""

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
    return {node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
            for node in case.model.graph.node}


def run(graph, inputs):
    """The outputs of a graph, Tensors, for inputs in the graph's order."""
    known = {"": None}
    known.update((tensor.name, _tensor(tensor))
                 for tensor in graph.initializer)
    known.update(zip((value.name for value in graph.input), map(_tensor, inputs)))
    for node in graph.node:
        given = [known[name] for name in node.input]
        attributes = {a.name: _value(a) for a in node.attribute}
        results = OPERATORS[node.op_type](*given, **attributes)
        known.update(zip(node.output, results if isinstance(results, tuple) else (results,)))
    return [known[value.name] for value in graph.output]


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
