"""Lines of PyTorch, run twice: `torch` is PyTorch the first time and minigrad the second.

Both give the same values, shapes and dtypes, or an error of the same type.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import minigrad as mg  # noqa: E402

CREATION = """
torch.tensor(3)
torch.tensor(2.5)
torch.tensor(True)
torch.tensor(1j)
torch.tensor([1, 2.5, True])
torch.tensor([True, 2])
torch.tensor([])
torch.tensor([[], []])
torch.tensor([[1, 2], [3, 4]], dtype=torch.float64)
torch.tensor([1.7, -1.7], dtype=torch.int64)
torch.tensor([1, 0], dtype=torch.bool)
torch.tensor((1.0, 2.0), dtype=torch.float16)
torch.tensor([0.1, 1e30], dtype=torch.bfloat16)
torch.tensor(range(3))
torch.tensor(np.float64(3))
torch.tensor(np.int32(3))
torch.tensor([np.float64(1), 2.0])
torch.tensor([np.float32(1), 2.0])
torch.tensor(np.arange(3.0))
torch.tensor([torch.tensor(1.0), 2])
torch.tensor([torch.tensor(1), 2.5])
torch.tensor([torch.tensor([1.0])])
torch.tensor([torch.tensor(1.0, dtype=torch.float64)])
torch.tensor([torch.tensor(1.0, requires_grad=True)])
torch.tensor([torch.tensor([1.0, 2.0])])
torch.tensor(2**63)
torch.tensor(2**63 - 1)
torch.tensor([300], dtype=torch.uint8)
torch.tensor([[1, 2], [3]])
torch.tensor("a")
torch.tensor([1], requires_grad=True)
torch.as_tensor([1, 2.0])
torch.as_tensor(np.arange(3), dtype=torch.float32)
torch.as_tensor(torch.arange(3), dtype=torch.float32)
torch.from_numpy(np.arange(6).reshape(2, 3))
torch.from_numpy([1])
torch.from_numpy(np.float64(3))
torch.zeros(2, 3)
torch.zeros((2, 3))
torch.zeros([2])
torch.zeros(())
torch.zeros(size=(2,))
torch.zeros(0, 3)
torch.zeros(torch.tensor(2), 3)
torch.zeros(2, dtype=torch.int64)
torch.zeros(2, dtype=float)
torch.zeros(2, device="cpu")
torch.zeros(2, device=torch.device("cpu"))
torch.zeros(-1)
torch.zeros(2.5)
torch.zeros()
torch.zeros(2, device="foo")
torch.zeros(2, dtype=torch.int64, requires_grad=True)
torch.ones(2, 2, dtype=torch.bool)
torch.ones(3, requires_grad=True)
torch.empty(2, 3).shape
torch.full((2,), True)
torch.full((2,), 3)
torch.full([2], 3.5)
torch.full((), 1j)
torch.full((2,), 3.5, dtype=torch.int64)
torch.full((2,), torch.tensor(3))
torch.full(2, 3)
torch.full((-2,), 3)
torch.arange(5)
torch.arange(5.0)
torch.arange(1, 2.5, 0.5)
torch.arange(start=2, end=9, step=3)
torch.arange(5, 0, -2)
torch.arange(0)
torch.arange(0, 2.5, dtype=torch.int64)
torch.arange(0, 1, 0.1)
torch.arange(3, dtype=torch.float64)
torch.arange(torch.tensor(3))
torch.arange(torch.tensor(3.0))
torch.arange(True)
torch.arange(5, 0)
torch.arange(0, 5, 0)
torch.arange(float("nan"))
torch.linspace(0, 1, 5)
torch.linspace(-3, 3, 4, dtype=torch.int64)
torch.linspace(0, 10, steps=5, dtype=torch.float64)
torch.linspace(0, 1, 1)
torch.linspace(0, 1, 0)
torch.linspace(0, 1, -1)
torch.linspace(0, 1, 2.0)
torch.linspace(torch.tensor(0.0), torch.tensor(1.0), 3)
torch.logspace(0, 2, 3)
torch.logspace(0, 3, 4, base=2, dtype=torch.float64)
torch.eye(3)
torch.eye(2, 3)
torch.eye(2, dtype=torch.bool)
torch.eye(0)
torch.eye(-1)
torch.tril_indices(3, 3)
torch.tril_indices(2, 3, -1)
torch.triu_indices(3, 4, offset=1)
torch.zeros_like(torch.tensor([1, 2]))
torch.ones_like(torch.tensor([1, 2]), dtype=torch.float64)
torch.full_like(torch.tensor([1]), 2.5)
torch.full_like(torch.ones(2, 3), 2.5, requires_grad=True)
torch.empty_like(torch.ones(2, 3)).shape
torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
torch.meshgrid([torch.arange(2), torch.arange(3)], indexing="xy")
torch.meshgrid(torch.arange(2), indexing="ij")
torch.FloatTensor(2, 3).shape
torch.FloatTensor([1, 2])
torch.FloatTensor((2, 3))
torch.FloatTensor()
torch.LongTensor([1, 2])
torch.BoolTensor([1, 0])
torch.DoubleTensor([[1.5]])
torch.ByteTensor([300])
torch.is_tensor(torch.ones(2))
torch.is_tensor(np.ones(2))
torch.is_floating_point(torch.ones(2, dtype=torch.float16))
torch.is_floating_point(torch.ones(2, dtype=torch.int8))
torch.finfo(torch.float16).max
torch.finfo(torch.bfloat16).eps
torch.finfo().tiny
torch.finfo(torch.int32)
torch.iinfo(torch.uint8).max
torch.Size([2, 3]) == (2, 3)
torch.ones(2).dtype == torch.float32
torch.ones(2).dtype is torch.float
torch.ones(2).to(torch.half).dtype == torch.float16
torch.ones(2, dtype=torch.float64).new_tensor([1, 2])
torch.ones(2, dtype=torch.float64).new_zeros(2, 3)
torch.ones(2).new_ones((2, 3), dtype=torch.int64)
torch.ones(2).new_full((2,), 1)
torch.ones(2).new_empty(2).shape
"""

RANDOM = """
torch.rand(2, 3).shape
torch.rand(2, dtype=torch.int64)
torch.randn(2, dtype=torch.int64)
torch.randn((2, 3), dtype=torch.float64, requires_grad=True).requires_grad
torch.randint(10, (2, 3)).dtype
torch.randint(low=3, high=4, size=(2,))
torch.randint(3, 4, (2,), dtype=torch.float32)
torch.randint(high=1, size=(2,))
torch.randint(5, 5, (2,))
torch.randint(0, 2, 2)
torch.randperm(1)
torch.randperm(0)
torch.randperm(5).sort().values if hasattr(torch.ones(1), "sort") else torch.arange(5)
torch.randperm(-1)
torch.randperm(3, dtype=torch.int32).dtype
torch.normal(0.0, 1.0, (2, 3)).shape
torch.normal(2, 0, (2,))
torch.normal(torch.arange(3.0), 0.0)
torch.normal(1.0, torch.zeros(3, dtype=torch.float64))
torch.normal(torch.zeros(2, 1), torch.ones(3)).shape
torch.normal(mean=torch.zeros(2), std=torch.ones(2)).shape
torch.normal(torch.zeros(2), -1.0)
torch.normal(0.0, 1.0)
torch.normal(torch.zeros(2, dtype=torch.int64), 1.0)
torch.bernoulli(torch.tensor([1.0, 0.0]))
torch.bernoulli(torch.tensor([1.0, 0.0]), 0.0)
torch.bernoulli(torch.tensor([0.5, 1.5]))
torch.bernoulli(torch.tensor([1, 0]))
torch.rand_like(torch.ones(2, dtype=torch.float16)).dtype
torch.rand_like(torch.tensor([1]))
torch.randn_like(torch.ones(2, 3), dtype=torch.float64).dtype
torch.randint_like(torch.zeros(2), 1)
torch.randint_like(torch.zeros(2), 3, 4)
torch.Generator().manual_seed(3).initial_seed()
torch.rand(2, generator=torch.Generator().manual_seed(0)).shape
torch.get_rng_state().dtype == torch.uint8
torch.tensor([1.0, 2.0]).uniform_(3, 3)
torch.tensor([1.0, 2.0]).uniform_(2, 1)
torch.tensor([1.0, 2.0]).normal_(5, 0)
torch.tensor([1.0, 2.0]).normal_(0, -1)
torch.tensor([1, 2]).normal_()
torch.tensor([1, 2]).uniform_()
torch.tensor([1, 2]).bernoulli_(1.0)
torch.tensor([1.0, 2.0]).bernoulli_(torch.tensor([0.0, 1.0]))
torch.tensor([1.0, 2.0]).bernoulli_(2)
"""

METHODS = """
x.size()
x.size(1)
x.size(-1)
x.size(2)
torch.ones(()).size()
x.view(3, 2)
x.view(-1)
x.view((3, 2))
x.view(x.size(0), -1)
x.view(torch.int32)
x.view(torch.int16).shape
x.view(4)
x.view(-1, -1)
x.view(-1, 4)
x.reshape(4)
x.view_as(x.t())
x.reshape_as(torch.ones(6))
v.expand_as(x)
x.type()
x.bool().type()
x.type(torch.float64)
x.type("torch.DoubleTensor")
x.type(torch.LongTensor)
x.type_as(torch.ones(1, dtype=torch.int32))
x.float()
x.double()
x.half()
x.bfloat16()
x.long()
x.int()
x.short()
x.bool()
x.cpu()
x.to("cpu")
x.to(torch.device("cpu"), torch.float64)
x.to("cpu", torch.int64, copy=True)
x.to(dtype=torch.float16, device="cpu", non_blocking=True)
x.to(i)
x.to("foo")
x.to("cpu:0")
x.dim()
x.ndimension()
x.nelement()
x.element_size()
x.half().element_size()
x.is_cuda
x.is_floating_point()
i.is_floating_point()
x.is_contiguous()
x.t().is_contiguous()
x.t().contiguous().is_contiguous()
x.t()
v.t()
torch.ones(2, 3, 4).t()
x.mT
torch.ones(2, 3, 4).mT.shape
v.mT
x.H
torch.ones(2, 3, 4).H
torch.ones(2, 3, 4).mH.shape
x.swapaxes(0, 1)
x.swapdims(0, 1)
torch.swapaxes(x, 0, 1)
torch.arange(24).reshape(2, 3, 4).movedim(0, -1)
torch.arange(24).reshape(2, 3, 4).movedim((0, 1), (1, 0))
torch.arange(24).reshape(2, 3, 4).moveaxis((2, 0), (0, 1))
torch.ones(2, 3, 4).movedim((0, 0), (1, 0))
torch.ones(2, 3, 4).movedim((0, 1), (1,))
torch.ones(2, 3, 4).movedim(5, 0)
x.unflatten(1, (3, 1))
x.unflatten(-1, (-1, 3))
x.unflatten(1, (4, 2))
x.ravel()
torch.ones(()).ravel()
torch.ravel(x)
x.tolist()
torch.tensor(2.5).tolist()
torch.tensor([1.5], dtype=torch.bfloat16).tolist()
x.stride()
x.stride(0)
x.t().stride()
x.data_ptr() > 0
i.requires_grad_()
v.requires_grad_().requires_grad
v.requires_grad_().requires_grad_(False).requires_grad
v.grad_fn is None
v.retain_grad()
+x
+torch.tensor([True])
3.0 in x
30.0 in x
torch.tensor([3.0]) in x
"a" in x
torch.stack(list(reversed(x)))
x.add(v)
x.add(v, alpha=2)
x.add(1, alpha=2.5)
i.add(i, alpha=2)
i.add(1, alpha=2.5)
i.add(v[:2], alpha=2)
torch.tensor([True]).add(torch.tensor([True]), alpha=2)
x.half().add(v.half(), alpha=0.1)
torch.add(x, v, alpha=-1)
x.sub(v)
x.sub(v, alpha=3)
i.sub(1, alpha=2.5)
torch.subtract(x, v)
x.mul(v)
torch.multiply(x, v)
x.multiply(2)
x.div(v)
i.div(2)
i.div(2, rounding_mode="floor")
(-i).div(2, rounding_mode="floor")
(-i).div(2, rounding_mode="trunc")
(-i).div(2.5, rounding_mode="trunc")
x.div(2, rounding_mode="trunc")
(x - 4).div(0.3, rounding_mode="floor")
x.div(0, rounding_mode="floor")
i.div(0, rounding_mode="trunc")
x.div(2, rounding_mode="x")
torch.divide(x, 2, rounding_mode="floor")
torch.true_divide(i, 2)
x.true_divide(2)
x.neg()
x.negative()
torch.negative(x)
x.square()
i.square()
(x + 1).reciprocal()
i.reciprocal()
(x + 1).rsqrt()
i.rsqrt()
(x + 1).half().rsqrt()
torch.tensor([0.0, -1.0]).rsqrt()
x.eq(v)
x.ne(2)
x.lt(v)
x.le(v)
x.gt(v)
x.ge(2.0)
x.logical_and(v)
x.logical_or(v)
x.logical_not()
x.zero_()
x.fill_(2.5)
i.fill_(2.5)
i.fill_(torch.tensor(7.0))
i.fill_(torch.tensor([1, 2]))
i.zero_()
torch.tensor([True, False]).fill_(0)
x.add_(1)
x.add_(v)
x.add_(v, alpha=2)
i.add_(2)
i.add_(0.5)
i.div_(2)
x.div_(2, rounding_mode="floor")
v.add_(torch.ones(2, 3))
x.sub_(v).mul_(2).div_(4)
x.pow_(2)
x.clamp_(1, 3)
x.clamp_(min=2)
x.clip_(max=2)
x.neg_().abs_()
x.exp_()
x.sqrt_()
x.relu_()
x.sigmoid_()
x.tanh_()
(x + 1).log_()
x.square_()
(x + 1).reciprocal_()
(x + 1).rsqrt_()
i.exp_()
x.t_()
x.transpose_(0, 1).add_(1)
x.unsqueeze_(1)
x.unsqueeze_(1).squeeze_()
x.unsqueeze_(0).squeeze_(0)
(torch.ones(2, requires_grad=True) * 2).unsqueeze_(0)
torch.ones(2, requires_grad=True).unsqueeze_(0)
torch.ones(2, requires_grad=True).add_(1)
torch.ones(2, requires_grad=True).zero_()
torch.ones(2, requires_grad=True).normal_()
torch.ones(2, requires_grad=True).detach_().requires_grad
(torch.ones(2, requires_grad=True) * 2).detach_().requires_grad
(torch.ones(2, requires_grad=True) * 2)[:1].detach_()
str(torch.device("cpu"))
torch.device("cuda:0").index
torch.device("cuda", 0).type
torch.device(torch.device("cpu")).type
torch.device("cuda").index is None
torch.device("foo")
repr(torch.device("cuda:0"))
repr(torch.device("cpu"))
torch.cuda.is_available() in (True, False)
"""


def lines(text):
    return text.strip().splitlines()


def outcome(library, line):
    """What a line gives, in plain types, or the type of its error."""
    torch_or_ours = {"torch": library, "np": np,
                     "x": library.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]),
                     "v": library.tensor([1.0, 2.0, 4.0]), "i": library.tensor([5, 8])}
    try:
        result = eval(line, torch_or_ours)
    except Exception as error:
        return type(error)
    return plain(result)


def plain(result):
    if isinstance(result, (list, tuple)):
        return [plain(item) for item in result]
    if hasattr(result, "detach"):
        name = str(result.dtype).removeprefix("torch.")
        numbers = result.detach().float() if name == "bfloat16" else result.detach()
        return name, tuple(result.shape), result.requires_grad, np.asarray(numbers.numpy())
    is_dtype = "dtype" in type(result).__name__.lower()
    return str(result).removeprefix("torch.") if is_dtype else result


def same(ours, theirs):
    if isinstance(theirs, type) or isinstance(ours, type):
        return isinstance(ours, type) and isinstance(theirs, type) and issubclass(ours, theirs)
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, tuple):
        *sort, values = theirs
        tolerance = 1e-3 if sort[0] == "float16" else 1e-2 if sort[0] == "bfloat16" else 3e-7
        return list(ours[:-1]) == sort and np.allclose(ours[-1], values, rtol=tolerance, atol=0,
                                                       equal_nan=True)
    return bool(ours == theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", lines(CREATION) + lines(RANDOM) + lines(METHODS))
def test_a_line_gives_what_pytorch_gives(line):
    theirs, ours = outcome(torch, line), outcome(mg, line)
    assert same(ours, theirs), f"{ours} instead of {theirs}"
