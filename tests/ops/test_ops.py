"""Every op of the registry against its line in the table: values, gradients, manners, float32."""

import importlib
import inspect
import pkgutil

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Function, ops
from minigrad.function import trace
from minigrad.ops.shape import ToDevice
from tests.ops.array_table import ARRAYS
from tests.ops.op_checks import (check_float32, check_gradients, check_manners,
                                 check_second_derivatives, check_values, leaves, upstream)
from tests.ops.op_table import BINARY, DIFFERENTIABLE, TABLE
from tests.ops.strategies import LAYOUTS, PATTERNS, Sample, filled, pairs

every_op = pytest.mark.parametrize("name", TABLE)
every_differentiable_op = pytest.mark.parametrize("name", DIFFERENTIABLE)
half = settings(max_examples=-(-settings.default.max_examples // 2))  # of the profile's: conftest
quarter = settings(max_examples=-(-settings.default.max_examples // 4))


@every_op
@given(data=st.data())
def test_values(name, data):
    check_values(TABLE[name], data.draw(TABLE[name].samples))


@every_differentiable_op
@given(data=st.data())
def test_gradients(name, data):
    check_gradients(TABLE[name], data.draw(TABLE[name].samples))


@every_differentiable_op
@quarter
@given(data=st.data())
def test_second_derivatives(name, data):
    check_second_derivatives(TABLE[name], data.draw(TABLE[name].samples))


@every_differentiable_op
@half
@given(data=st.data())
def test_manners(name, data):
    check_manners(TABLE[name], data.draw(TABLE[name].samples))


@every_differentiable_op
@half
@given(data=st.data())
def test_float32(name, data):
    check_float32(TABLE[name], data.draw(TABLE[name].samples))


# ---- two operands: every way to broadcast, every layout ------------------------------------------

def check_all(op, sample):
    check_values(op, sample)
    if op.kind != "constant":
        check_gradients(op, sample)
        check_manners(op, sample)


every_binary_op = pytest.mark.parametrize("name", BINARY)


@pytest.mark.parametrize("pattern", {**PATTERNS, **LAYOUTS})
@every_binary_op
@quarter
@given(data=st.data())
def test_two_operands(name, pattern, data):
    check_all(TABLE[name], Sample(data.draw(pairs(pattern, TABLE[name].domain)), {}))


@every_binary_op
@quarter
@given(data=st.data(), number_first=st.booleans())
def test_an_array_and_a_number(name, data, number_first):
    op = TABLE[name]
    x, number = filled(data.draw, [data.draw(PATTERNS["equal"])[0], ()], op.domain)
    order = slice(None, None, -1 if number_first else 1)
    with_number = op._replace(call=lambda f, arrays, options: op.call(
        f, [*arrays, number.item()][order], options))
    check_all(with_number, Sample([x], {}))


@every_binary_op
@quarter
@given(data=st.data())
def test_the_same_operand_twice(name, data):
    op = TABLE[name]
    twice = op._replace(call=lambda f, arrays, options: op.call(f, [*arrays, *arrays], options))
    check_all(twice, Sample(filled(data.draw, data.draw(PATTERNS["equal"])[:1], op.domain), {}))


# ---- nothing is left out -------------------------------------------------------------------------

# modules of ops.arrays whose functions make or name Tensors and record nothing
NO_OPS = {"creation", "methods", "random"}
# what ops modules lend each other
HELPERS = {"across", "align", "batch_of_one", "binary", "check_floating", "check_images",
           "check_same_dtype", "conv2d_scaled", "demand", "elements", "factor_and_shift",
           "for_loss", "for_product", "free", "in_float32", "masked", "operator_of", "per_element",
           "products", "reduced", "spread", "view_of", "wide"}


def public_functions(module):
    return {name for name, f in vars(module).items() if inspect.isfunction(f)
            and f.__module__ == module.__name__ and not name.startswith("_")}


def test_every_public_function_is_registered_and_has_a_line():
    modules = [importlib.import_module(m.name)
               for m in pkgutil.walk_packages(ops.__path__, "minigrad.ops.")
               if m.name.rpartition(".")[2] not in NO_OPS]
    found = set().union(*map(public_functions, modules)) - HELPERS
    assert found == set(ops.REGISTRY)
    assert found == {name.partition(":")[0] for name in {**TABLE, **ARRAYS}}


def test_the_table_runs_every_function():
    """Forward, backward and the backward of the backward of all lines reach every Function."""
    reached = set()
    for name, op in {**TABLE, **ARRAYS}.items():
        @settings(max_examples=10 if name in TABLE else 2, phases=[Phase.generate])
        @given(op.samples)
        def run(sample):
            with trace() as calls:
                xs = leaves(sample.arrays)
                y = op.bound(sample.options)(*xs)
                if y.requires_grad:
                    (v,) = leaves([upstream(y)])
                    gs = mg.grad(y, xs, v, create_graph=True)
                    mg.grad(gs, [*xs, v], [upstream(g) for g in gs], create_graph=True,
                            allow_unused=True)
            reached.update(type(call.function) for call in calls)
        run()
    expected = {cls for cls in subclasses(Function) if cls.__module__.startswith("minigrad.ops.")
                and hasattr(cls, "forward")}
    assert expected - reached == {ToDevice}, "this needs a GPU: test_cuda_ops.py"


def subclasses(cls):
    direct = cls.__subclasses__()
    return {*direct, *[c for d in direct for c in subclasses(d)]}


@given(TABLE["clone"].samples)
def test_a_move_between_devices_sends_the_gradient_back(sample):
    check_all(TABLE["clone"]._replace(function=lambda x: ToDevice("cpu")(x)), sample)
