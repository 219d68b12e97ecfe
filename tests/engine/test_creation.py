"""New Tensors: what is copied and what is shared, defaults, distributions, generators, errors."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from tests.one_line import one_line


def test_tensor_copies_and_as_tensor_and_from_numpy_share():
    a = np.arange(3.0)
    copied, shared, same = mg.tensor(a), mg.from_numpy(a), mg.as_tensor(a)
    a[0] = 7
    assert copied.data[0] == 0 and shared.data[0] == same.data[0] == 7
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert mg.as_tensor(x) is x and mg.tensor(x).is_leaf and not mg.tensor(x).requires_grad
    wide = mg.as_tensor(x, dtype=mg.float64)
    wide.sum().backward()               # as_tensor stays in the graph
    assert x.grad.tolist() == [1, 1] and wide.dtype == np.float64


def test_numbers_in_nested_lists_have_pytorch_s_dtypes():
    assert mg.tensor([[1, 2.5]]).dtype == mg.float32 and mg.tensor([True, 2]).dtype == mg.int64
    assert mg.tensor([np.float64(1), 2.0]).dtype == mg.float64
    w = Tensor(2.0, requires_grad=True)
    made = mg.tensor([[w, 1], [Tensor([3.0]), 4]])
    assert made.tolist() == [[2, 1], [3, 4]] and made.dtype == mg.float32
    assert mg.tensor([]).dtype == mg.float32 and mg.tensor(range(3)).tolist() == [0, 1, 2]


def test_options_reach_every_function():
    for make in (lambda **o: mg.tensor([1.0, 2.0], **o), lambda **o: mg.zeros(2, **o),
                 lambda **o: mg.ones(2, **o), lambda **o: mg.empty(2, **o),
                 lambda **o: mg.full((2,), 3, **o), lambda **o: mg.arange(2, **o),
                 lambda **o: mg.linspace(0, 1, 2, **o),
                 lambda **o: mg.eye(2, **o), lambda **o: mg.rand(2, **o),
                 lambda **o: mg.randn(2, **o), lambda **o: mg.randint(9, (2,), **o),
                 lambda **o: mg.randperm(2, **o), lambda **o: mg.normal(0.0, 1.0, (2,), **o),
                 *(lambda f=f, **o: f(mg.ones(2), **o) for f in (
                     mg.zeros_like, mg.ones_like, mg.empty_like, mg.rand_like, mg.randn_like)),
                 lambda **o: mg.full_like(mg.arange(2), 3, **o),
                 lambda **o: mg.randint_like(mg.arange(2), 3, **o)):
        x = make(dtype=mg.float64, device="cpu", requires_grad=True)
        assert x.dtype == mg.float64 and x.requires_grad and x.is_leaf and x.device == "cpu"
        x = make(dtype="float16")
        assert x.dtype == mg.half and not x.requires_grad
        with pytest.raises(TypeError):
            make(layout=1)


def test_integers_stay_exact():
    assert mg.arange(2**60, 2**60 + 2).tolist() == [2**60, 2**60 + 1]
    assert mg.full((1,), 2**62 + 1).tolist() == [2**62 + 1]
    assert mg.arange(0, 1, 0.1).numel() == 10
    with one_line(RuntimeError, "uint8"):
        mg.full((2,), 300, dtype=mg.uint8)


def test_like_keeps_the_layout_of_images():
    images = Tensor(np.zeros((2, 5, 4, 3), np.float32).transpose(0, 3, 1, 2))
    assert mg.zeros_like(images).data.strides == images.data.strides


@pytest.mark.parametrize("make, error, words", [
    (lambda: mg.zeros(-1), ValueError, ["negative", "-1"]),
    (lambda: mg.zeros(), TypeError, ["size is missing"]),
    (lambda: mg.tensor(2**63), ValueError, ["int64"]),
    (lambda: mg.tensor([300], dtype="int8"), RuntimeError, ["int8"]),
    (lambda: mg.tensor([1], requires_grad=True), RuntimeError, ["int64"]),
    (lambda: mg.arange(0, 5, 0), RuntimeError, ["steps of 0", "from 0 to 5"]),
    (lambda: mg.randint(3, 3, (2,)), RuntimeError, ["less than"]),
    (lambda: mg.rand(2, dtype=mg.int64), NotImplementedError, ["int64"]),
    (lambda: mg.normal(0.0, -1.0, (2,)), RuntimeError, ["std", "negative"]),
    (lambda: mg.bernoulli(mg.tensor([2.0])), RuntimeError, ["[0, 1]"]),
    (lambda: mg.from_numpy([1]), TypeError, ["list"]),
    (lambda: mg.finfo(mg.int32), TypeError, ["iinfo"]),
    (lambda: mg.zeros(2, dtype="floaty"), TypeError, ["floaty", "float32"])])
def test_errors(make, error, words):
    with one_line(error, *words):
        make()


# ---- random numbers ------------------------------------------------------------------------------

N = 20_000


@pytest.mark.parametrize("draw, mean, std", [
    (lambda: mg.rand(N), 1 / 2, 12**-0.5), (lambda: mg.rand(N, dtype="float16"), 1 / 2, 12**-0.5),
    (lambda: mg.randn(N), 0, 1), (lambda: mg.randn(N, dtype=mg.float64), 0, 1),
    (lambda: mg.randint(10, (N,)).double(), 4.5, 8.25**0.5),
    (lambda: mg.normal(3.0, 2.0, (N,)), 3, 2),
    (lambda: mg.normal(mg.full((N,), 3.0), 2.0), 3, 2),
    (lambda: mg.normal(3.0, mg.full((N,), 2.0)), 3, 2),
    (lambda: mg.bernoulli(mg.full((N,), 0.3)), 0.3, 0.21**0.5),
    (lambda: mg.empty(N).uniform_(-1, 3), 1, 4 / 12**0.5),
    (lambda: mg.empty(N).normal_(1, 0.5), 1, 0.5),
    (lambda: mg.empty(N).bernoulli_(0.9), 0.9, 0.3)])
def test_the_distributions_have_their_mean_and_spread(draw, mean, std):
    mg.manual_seed(0)
    x = draw().double().numpy()
    assert abs(x.mean() - mean) < 4 * std / N**0.5 and abs(x.std() - std) < 0.03 * std + 1e-3
    assert not np.array_equal(draw().double().numpy(), x)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_rand_never_reaches_1_and_takes_every_value_of_few_bits(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    x = mg.rand(200_000, dtype=dtype).double().numpy()
    assert 0 <= x.min() and x.max() < 1
    if dtype == "bfloat16":
        assert len(np.unique(x)) == 256


def test_randint_and_randperm_hit_everything():
    assert set(mg.randint(3, 6, (200,)).tolist()) == {3, 4, 5}
    assert sorted(mg.randperm(50).tolist()) == list(range(50)) != mg.randperm(50).tolist()


def test_seeds_and_generators_give_the_same_numbers_again():
    mg.manual_seed(5)
    first = mg.randn(3).tolist()
    state = mg.get_rng_state()
    second = mg.randn(3).tolist()
    assert mg.initial_seed() == 5 and first != second
    mg.set_rng_state(state)
    assert mg.randn(3).tolist() == second
    mg.cuda.manual_seed_all(5)
    assert mg.randn(3).tolist() == first
    g = mg.Generator().manual_seed(7)
    drawn = [mg.rand(2, generator=g).tolist(), mg.randint(9, (2,), generator=g).tolist(),
             mg.randperm(5, generator=g).tolist(), mg.normal(0.0, 1.0, (2,), generator=g).tolist(),
             mg.bernoulli(mg.full((9,), 0.5), generator=g).tolist()]
    g.manual_seed(7)
    mg.randn(3)                                         # which takes nothing from it
    assert mg.rand(2, generator=g).tolist() == drawn[0] and g.initial_seed() == 7
    assert mg.seed() == mg.initial_seed() != 5


def test_no_graph_leads_to_random_numbers():
    w = Tensor([0.5, 0.5], requires_grad=True)
    assert not mg.bernoulli(w).requires_grad and not mg.normal(w, w).requires_grad
    grid = mg.meshgrid(w, mg.arange(3.0))[0]
    grid.sum().backward()
    assert w.grad.tolist() == [3, 3]
