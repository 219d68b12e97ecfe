"""The profile: operations against those that NumPy really runs, memory against the allocator,
attribution to layers, and the refusal to guess."""

import gc
import importlib
import pkgutil
import tracemalloc

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings

import minigrad as mg
from minigrad import nn, ops
from minigrad.function import Function, trace
from minigrad.ops.arithmetic import Add
from minigrad.ops.linear import Linear
from minigrad.profile import RULES, Count, profile
from tests.ops.op_table import BINARY, TABLE, UNARY

KINDS = ("multiply", "add", "compare", "other")


# --- rules ---------------------------------------------------------------------------------------

COMPARE = ("maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater",
           "greater_equal")
KIND_OF = {"multiply": "multiply", "add": "add", "subtract": "add",
           **dict.fromkeys(COMPARE, "compare")}
FREE = ("isfinite",)  # a safeguard of softmax and logsumexp, not part of their definition


class Counting(np.ndarray):
    """An array that tallies the element-wise operations, reductions and products run on it."""

    tally = dict.fromkeys(KINDS, 0)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        arrays = [x.view(np.ndarray) if isinstance(x, Counting) else x for x in inputs]
        result = getattr(ufunc, method)(*arrays, **kwargs)
        if ufunc is np.matmul:
            k = arrays[0].shape[-1]
            self.tally["multiply"] += result.size * k
            self.tally["add"] += result.size * (k - 1)
        elif ufunc.__name__ not in FREE:
            n = arrays[0].size - result.size if method == "reduce" else result.size
            self.tally[KIND_OF.get(ufunc.__name__, "other")] += n
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def counting(*shape):
    return tallied(np.random.default_rng(0).uniform(0.5, 2, shape))


def tallied(array):
    x = mg.Tensor(array, requires_grad=True)
    x.data = x.data.view(Counting)
    return x


CASES = {
    "broadcasting": lambda: counting(3, 4) * counting(4) + 1,
    "logical_not": lambda: ops.logical_not(counting(3, 4) > 1),
    "sum": lambda: ops.sum(counting(3, 4, 5), (0, 2)),
    "sum_to": lambda: ops.sum_to(counting(3, 4, 5), (4, 1)),
    "mean": lambda: ops.mean(counting(3, 4), 1),
    "var": lambda: ops.var(counting(3, 4), 1),
    "amax": lambda: ops.amax(counting(3, 4), 1),
    "amin": lambda: ops.amin(counting(3, 4)),
    "softmax": lambda: ops.softmax(counting(3, 4, 5), 1),
    "log_softmax": lambda: ops.log_softmax(counting(3, 4, 5), -1),
    "logsumexp": lambda: ops.logsumexp(counting(3, 4, 5), (0, 2), keepdim=True),
    "matmul": lambda: counting(2, 3, 4) @ counting(2, 4, 5),
    "linear": lambda: ops.linear(counting(3, 4), counting(5, 4)),
    "linear with a bias": lambda: ops.linear(counting(3, 4), counting(5, 4), counting(5)),
    "dropout": lambda: ops.dropout(counting(3, 4), 0.5),
    "dropout2d": lambda: ops.dropout2d(counting(2, 3, 2, 2), 0.5),
    "batch_norm, evaluation": lambda: ops.batch_norm(counting(4, 3), np.zeros(3), np.ones(3),
                                                     counting(3), counting(3)),
    "the global mean": lambda: ops.adaptive_avg_pool2d(counting(2, 3, 7, 5), 1),
    "mse_loss": lambda: ops.mse_loss(counting(3, 4), counting(3, 4), reduction="none"),
    "moves": lambda: ops.concatenate([counting(3, 4).reshape(4, 3).transpose(0, 1),
                                      counting(3, 4).expand(2, 3, 4)[1]]),
    "moves of pixels": lambda: ops.upsample_nearest2d(counting(2, 3, 2, 2), (2, 3)),
}


def counts(call_of):
    """The Count of each op that `call_of` runs."""
    with trace() as calls:
        call_of()
    return [RULES[type(call.function)](call) for call in calls]


def only(call_of):
    """The Count of the one op that `call_of` runs."""
    (count,) = counts(call_of)
    return count


@pytest.mark.parametrize("name", CASES)
def test_a_rule_counts_what_numpy_runs(name):
    Counting.tally = dict.fromkeys(KINDS, 0)
    found = counts(CASES[name])
    assert {kind: sum(getattr(c, kind) for c in found) for kind in KINDS} == Counting.tally
    assert found and (sum(Counting.tally.values()) > 0) != name.startswith("moves")


COUNTED_OTHERWISE = {"clip", "where"}     # by the test below, and by none: it only selects


@pytest.mark.parametrize("name", [name for name in {**UNARY, **BINARY}
                                  if name.partition(":")[0] not in COUNTED_OTHERWISE])
def test_an_elementwise_op_costs_what_numpy_runs(name):
    """For each line of the table of ops, on arguments that are drawn for it."""
    @settings(max_examples=5, phases=[Phase.generate])
    @given(TABLE[name].samples)
    def compare(sample):
        assume(all(a.ndim for a in sample.arrays))  # NumPy makes plain numbers of the others
        Counting.tally = dict.fromkeys(KINDS, 0)
        xs = map(tallied, sample.arrays)
        found = counts(lambda: TABLE[name].bound(sample.options)(*xs))
        assert {kind: sum(getattr(c, kind) for c in found) for kind in KINDS} == Counting.tally

    compare()


def test_rules_that_numpy_runs_in_another_way():
    """Clip keeps a mask beside its result, argmax is no ufunc, windows are summed from zero, batch
    statistics block by block."""
    x = mg.Tensor(np.ones((2, 3, 6, 6), np.float32))
    assert only(lambda: ops.clip(x, 0, 1)) == Count(compare=2 * x.numel())
    assert only(lambda: ops.clip(x, max=1)) == Count(compare=x.numel())
    assert only(lambda: ops.argmax(x, 1)) == Count(compare=2 * 36 * 2)
    assert only(lambda: ops.max_pool2d(x, 3, 1, 1)) == Count(compare=8 * x.numel())
    assert only(lambda: ops.avg_pool2d(x, 2)) == Count(add=3 * 54, other=54)
    w, b = mg.Tensor(np.ones((4, 3, 5, 1), np.float32)), mg.Tensor(np.ones(4, np.float32))
    n, k = 2 * 4 * 2 * 6, 15
    assert only(lambda: ops.conv2d(x, w, b)) == Count(n * k, n * k, macs=n * k)
    assert only(lambda: ops.adaptive_avg_pool2d(x, (3, 2))) == Count(add=5 * 36, other=36)
    scale, n = mg.Tensor(np.ones(3, np.float32)), 2 * 36    # values per channel
    assert only(lambda: ops.batch_norm(x, None, None, scale, scale, training=True)) == Count(
        multiply=3 * (2 * n + 1), add=3 * (2 * (n - 1) + 2 * n + 1), other=3 * 4)


def test_adaptive_pooling_is_counted_bin_by_bin():
    """Rows first, 7 -> 4 in bins of 2, 3, 3, 2; then 5 -> 7 columns in bins of 1 2 2 1 2 2 1."""
    x = mg.Tensor(np.ones((2, 3, 7, 5)))
    assert only(lambda: ops.adaptive_avg_pool2d(x, (4, 7))) == Count(
        add=6 * (6 * 5 + 4 * 4), other=6 * (20 + 28))
    assert only(lambda: ops.adaptive_max_pool2d(x, (4, 7))) == Count(compare=6 * (10 * 11 - 28))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_filter_costs_what_its_group_has_in_channels(groups):
    x, w = mg.Tensor(np.ones((2, 4, 6, 6))), mg.Tensor(np.ones((8, 4 // groups, 3, 3)))
    n, k = 2 * 8 * 4 * 4, 4 // groups * 9
    assert only(lambda: ops.conv2d(x, w, groups=groups)) == Count(n * k, n * (k - 1), macs=n * k)


@pytest.mark.parametrize("stride, dilation", [(1, 1), (2, 1), ((1, 3), (2, 1)), (4, 1), (3, 2)])
def test_a_transposed_convolution_adds_where_filters_overlap(stride, dilation):
    """Run on ones, it gives the number of products that each pixel sums."""
    options = {"stride": stride, "dilation": dilation}
    products = ops.conv_transpose2d(np.ones((1, 1, 3, 4)), np.ones((1, 1, 3, 2)), **options)
    multiply, add = products.sum(), (products - 1)[products > 0].sum()
    x, w = mg.Tensor(np.ones((2, 4, 3, 4))), mg.Tensor(np.ones((4, 3, 3, 2)))
    found = only(lambda: ops.conv_transpose2d(x, w, groups=2, padding=1, **options))
    places = np.count_nonzero(products)  # of 2 images, 6 outputs, 2 channels in each one's group
    assert found == Count(multiply=24 * multiply, add=12 * (2 * add + places), macs=24 * multiply)


def test_macs_are_the_multiplications_of_sums_of_products():
    x, w = mg.Tensor(np.ones((3, 4))), mg.Tensor(np.ones((5, 4)))
    assert only(lambda: ops.linear(x, w)).macs == 60
    assert only(lambda: ops.matmul(x, mg.Tensor(np.ones((4, 5))))).macs == 60
    assert only(lambda: x * 2) == Count(multiply=12)


def test_every_op_has_a_rule():
    """Except what no model runs: maps of recorded backward passes."""
    others = {"ConvWeightGradient", "IndexAdd", "LinearMap"}
    found = set()
    for module in pkgutil.walk_packages(ops.__path__, "minigrad.ops."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Function) and hasattr(value,
                                                                                   "forward"):
                found.add(value)
    assert len(found) > 40
    assert {op.__name__ for op in found if op not in RULES} == others, "write their `cost`"


# --- an op without a rule ------------------------------------------------------------------------

class Cube(Function):
    """y = x^3."""

    def forward(self, x):
        return x**3

    def backward(self, gy, x):
        return 3 * gy * x * x


class CubeLayer(nn.Module):
    def forward(self, x):
        return Cube()(x)


def test_an_op_without_a_rule_is_refused_by_name(monkeypatch):
    model = nn.Sequential(nn.Linear(3, 4), CubeLayer())
    with pytest.raises(NotImplementedError, match=r"op Cube in layer '1'.*RULES\[Cube\]"):
        profile(model, (2, 3))
    monkeypatch.setitem(RULES, Cube, lambda call: Count(multiply=2 * call.output.numel()))
    assert profile(model, (2, 3)).layers[-1].count == Count(multiply=16)


def test_an_op_of_ones_own_says_what_it_costs(monkeypatch):
    class Costly(Cube):
        def cost(self, y, x):
            return Count(multiply=2 * y.numel(), other=len(x.shape))

    class Layer(nn.Module):
        def forward(self, x):
            return Costly()(x)

    assert profile(Layer(), (2, 3)).total.count == Count(multiply=12, other=2)
    monkeypatch.setitem(RULES, Costly, lambda call: Count(add=1))     # goes before its own
    assert profile(Layer(), (2, 3)).total.count == Count(add=1)


def test_a_rule_is_not_inherited():
    class Faster(Linear):
        """Another algorithm: its cost is not that of Linear."""

    class Layer(nn.Module):
        def forward(self, x):
            return Faster()(x, mg.Tensor(np.ones((2, 3), np.float32)))

    with pytest.raises(NotImplementedError, match="Faster"):
        profile(Layer(), (2, 3))


def test_an_unknown_elementwise_function_is_refused():
    class Layer(nn.Module):
        def forward(self, x):
            return ops.compare.Elementwise(np.floor)(x)

    with pytest.raises(NotImplementedError, match="op floor in layer .*model"):
        profile(Layer(), (2, 3))


# --- layers --------------------------------------------------------------------------------------

class Block(nn.Module):
    """A residual block whose activation runs twice, with a layer that never runs."""

    def __init__(self):
        self.first, self.second, self.unused = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 7)
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(x + self.second(self.activation(self.first(x))))


def rows(table):
    return {layer.name: layer for layer in table.layers}


def test_ops_are_booked_to_the_innermost_layer_that_ran_them():
    table = rows(profile(nn.Sequential(nn.Linear(3, 4), Block()), (5, 3)))
    assert list(table) == ["0", "1", "1.first", "1.second", "1.unused", "1.activation"]
    assert table["0"].count == Count(multiply=60, add=60, macs=60)
    assert table["0"].output == (5, 4) and table["0"].kind == "Linear"
    assert table["1"].count == Count(add=20) and table["1"].kind == "Block"
    assert table["1.activation"].count == Count(compare=40)
    unused = table["1.unused"]
    assert (unused.output, unused.trainable, unused.count, unused.kept) == (None, 35, Count(), 0)


def test_the_model_may_be_a_single_layer():
    (layer,) = profile(nn.Linear(3, 2, bias=False), (1, 3)).layers
    assert (layer.name, layer.trainable, layer.count.flops, layer.count.macs) == ("", 6, 10, 6)


def test_a_module_made_during_the_run_is_booked_to_the_layer_around_it():
    class Maker(nn.Module):
        def forward(self, x):
            return nn.ReLU()(x)

    (layer,) = profile(nn.Sequential(Maker()), (2, 3)).layers
    assert layer.name == "0" and layer.count == Count(compare=6)


def test_frozen_and_shared_parameters():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), shared, nn.Linear(4, 4), shared)
    getattr(model, "2").weight = shared.weight
    table = profile(model, (1, 4))
    assert [(r.name, r.trainable, r.fixed) for r in table.layers] == [
        ("0", 0, 20), ("1", 20, 0), ("2", 4, 0)]
    assert table.total.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert rows(table)["1"].count.macs == 32  # it ran twice


def test_cost_grows_with_the_batch_and_parameters_do_not():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(12, 5))
    one, four = (profile(model, (n, 2, 6, 6)).total for n in (1, 4))
    assert four.count == Count(*(4 * n for n in one.count))
    assert four.kept == 4 * one.kept > 0 and four.trainable == one.trainable


def test_the_model_runs_in_the_mode_it_is_in():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    assert rows(profile(model, (1, 4)))["1"].count == Count(multiply=8)
    dropout = rows(profile(model.eval(), (1, 4)))["1"]
    assert dropout.count == Count() and dropout.output is None


def test_batch_norm_costs_less_in_evaluation():
    n, c = 2 * 3 * 4 * 4, 3
    layer = nn.BatchNorm2d(c)
    assert profile(layer, (2, 3, 4, 4)).total.count == Count(2 * n + c, 4 * n - c, other=4 * c)
    # w / sqrt(var + eps) and b - mean w / sqrt(var + eps), whose roots are taken of plain arrays
    evaluated = profile(layer.eval(), (2, 3, 4, 4))
    assert evaluated.total.count == Count(n + c, n + c, other=c)
    assert evaluated.total.trainable == 2 * c


def test_a_model_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh()).to("float64")
    before = {name: value.copy() for name, value in model.state_dict().items()}
    assert profile(model, (2, 4)).layers[1].kept == 2 * 4 * 8  # float64, as the parameters
    assert all(p.grad is None for p in model.parameters())
    assert all((value == before[name]).all() for name, value in model.state_dict().items())


# --- memory --------------------------------------------------------------------------------------

def test_each_kept_array_is_counted_once_and_parameters_never():
    model = nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 16), nn.ReLU(),
                          nn.Linear(16, 1))
    table = profile(model, (10, 8))
    # the input; y of the sigmoid, which layer 2 keeps too; y of the ReLU, which layer 4 keeps too
    assert [layer.kept for layer in table.layers] == [320, 640, 0, 640, 0]
    assert profile(model.requires_grad_(False), (10, 8)).total.kept == 0


def test_what_an_op_holds_beside_its_saved_values_counts():
    x = (1, 2, 4, 4)
    pooled = profile(nn.Sequential(nn.Conv2d(2, 2, 1), nn.MaxPool2d(2)), x).layers[1]
    assert pooled.kept == 2 * 2 * 2  # one byte per output: which pixel won
    dropped = profile(nn.Sequential(nn.Conv2d(2, 2, 1), nn.Dropout(0.5)), x).layers[1]
    assert dropped.kept == 32  # one boolean per element


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.ReLU, nn.Softplus, nn.Dropout])
def test_kept_bytes_are_those_that_the_allocator_sees(activation, one_thread):
    model = nn.Sequential(*(layer for _ in range(4)
                            for layer in (nn.Conv2d(4, 4, 3, padding=1), activation())))
    shape = (16, 4, 32, 32)
    expected = profile(model, shape).total.kept
    model(mg.Tensor(np.ones(shape, np.float32)))  # what the first time alone makes: plans, threads
    gc.collect()
    tracemalloc.start()
    y = model(mg.Tensor(np.ones(shape, np.float32)))
    gc.collect()
    # arrays alone: the objects around them are 7 to 14 kB, which differs between runs and Pythons
    arrays = [tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)]
    held = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(arrays).traces)
    tracemalloc.stop()
    if activation is nn.Dropout:
        expected += y.data.nbytes  # alive because we hold it, and kept by no op
    assert held == expected


def test_the_rules_can_be_wrong(monkeypatch):
    """A rule that forgets one addition is seen by the comparison with NumPy above."""
    monkeypatch.setitem(RULES, Add, lambda call: Count(add=call.output.numel() - 1))
    with pytest.raises(AssertionError):
        test_an_elementwise_op_costs_what_numpy_runs("add")
