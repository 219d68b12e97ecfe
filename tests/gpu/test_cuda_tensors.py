"""Creating, moving, changing and saving Tensors on a GPU, as PyTorch users write it."""

import io

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.backend import on_gpu
from tests.gpu.cuda_devices import DEVICES

pytestmark = pytest.mark.parametrize("xp", [d for d in DEVICES if d != "cpu"], indirect=True)


def test_everything_is_made_where_it_is_asked_for(xp):
    made = [mg.tensor([1.0, 2.0], device="cuda"), mg.zeros(2, device=mg.device("cuda:0")),
            mg.arange(3, device="cuda"), mg.randn(2, device="cuda"), mg.eye(2, device="cuda"),
            mg.randint(5, (3,), device="cuda"), mg.as_tensor([1, 2], device="cuda")]
    x = made[0]
    made += [mg.zeros_like(x), mg.full_like(x, 3), mg.rand_like(x), mg.bernoulli(x / 2),
             mg.normal(x, 1.0), mg.tensor(x), x.new_zeros(3), x.new_tensor([1, 2]), x.clone(),
             x.view(2, 1), x.add(1, alpha=2), x.div(2, rounding_mode="trunc"), x.rsqrt(),
             x.square(), mg.ones(2).to(x), mg.ones(2).cuda(), x.long(), x.type(mg.LongTensor)]
    assert all(on_gpu(y.data) and y.device == "cuda" and y.is_cuda for y in made)
    assert x.device.index == 0 and x.type() == "torch.cuda.FloatTensor"
    assert x.cpu().device == "cpu" and x.tolist() == [1, 2] and mg.zeros_like(
        x, device="cpu").device == "cpu"
    assert mg.tensor([x[0], 5]).tolist() == [1, 5] and 2.0 in x and 3.0 not in x


def test_the_same_seed_gives_the_same_numbers_as_on_the_cpu(xp):
    for make in (lambda **o: mg.rand(5, **o), lambda **o: mg.randn(5, **o),
                 lambda **o: mg.randperm(5, **o)):
        mg.manual_seed(1)
        expected = make().tolist()
        mg.manual_seed(1)
        assert make(device="cuda").tolist() == expected


def test_changes_in_place(xp):
    x = mg.tensor([4.0, 9.0], device="cuda")
    memory = x.data
    assert x.sqrt_().add_(1).mul_(2).clamp_(max=7).tolist() == [6, 7] and x.data is memory
    assert x.fill_(3).tolist() == [3, 3] and x.zero_().tolist() == [0, 0]
    assert x.normal_(5, 0).tolist() == [5, 5] and x.bernoulli_(1.0).tolist() == [1, 1]
    w = Tensor(x.data, requires_grad=True)
    y = w * 2
    y.retain_grad()
    y.contiguous().sum().backward()
    w.grad.zero_()
    assert on_gpu(w.grad.data) and y.grad.tolist() == [1, 1]


def test_files(xp):
    x = mg.tensor([1.0, 2.0], dtype=mg.float16, device="cuda", requires_grad=True)
    file = io.BytesIO()
    mg.save({"x": x, "a": x.data}, file)
    file.seek(0)
    here = mg.load(file)
    file.seek(0)
    there = mg.load(file, map_location="cuda:0")
    assert here["x"].device == "cpu" and on_gpu(there["x"].data) and on_gpu(there["a"])
    assert there["x"].requires_grad and there["x"].dtype == np.float16
    assert here["x"].tolist() == there["x"].tolist() == [1, 2]
