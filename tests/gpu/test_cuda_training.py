"""Net 3: `device="cuda"` from the model to the optimizer, beside the CPU, through the stand-in."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, models, nn, ops, optim
from minigrad.models.resnet import Bottleneck, conv1x1, conv3x3
from minigrad.train import NonFiniteError, fit
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.fake_cupy import HostDeviceMix
from tests.one_line import one_line
from tests.train import training_run

on_both = pytest.mark.parametrize("xp", DEVICES, indirect=True)
on_stand_in = pytest.mark.parametrize("xp", ["stand-in"], indirect=True)


def resnext():
    """ResNeXt of two blocks, thin enough for a test: one of 2 groups, one of 4 and stride 2."""
    def block(c_in, planes, stride, groups):
        c_out = planes * Bottleneck.expansion
        short = nn.Sequential(conv1x1(c_in, c_out, stride), nn.BatchNorm2d(c_out))
        return Bottleneck(c_in, planes, stride, short, groups, base_width=64)

    return nn.Sequential(conv3x3(3, 8), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                         block(8, 2, 1, 2), block(8, 4, 2, 4), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(16, 7))


NETS = {"small_cnn": (lambda: models.small_cnn(size=16), (3, 16, 16)),
        "lenet5": (lambda: models.lenet5(), (1, 32, 32)),
        "resnext": (resnext, (3, 16, 16))}
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def train(device, dtype, build, size, kind, batch=4, steps=10):
    """The losses of some steps, and the final state of the model, as NumPy arrays."""
    mg.manual_seed(0)
    model = build().to(dtype).to(device)
    optimizer = kind(model.parameters())
    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        x = Tensor(rng.standard_normal((batch, *size)).astype(dtype)).to(device)
        target = rng.integers(0, 7, batch)
        optimizer.zero_grad()
        loss = ops.cross_entropy(model(x), target)
        loss.backward()
        assert loss.device == device and all(p.grad.device == device for p in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: host(array) for name, array in model.state_dict().items()}


def sgd(params):
    return optim.SGD(params, lr=0.01, momentum=0.9, weight_decay=1e-4)


@on_both
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("net", NETS)
def test_ten_steps_are_the_cpus(xp, net, dtype):
    (cpu_losses, cpu), (gpu_losses, gpu) = (train(device, dtype, *NETS[net], sgd)
                                            for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu_losses, cpu_losses, rtol=TOLERANCE[dtype])
    for name, want in cpu.items():
        scale = max(1, np.abs(want).max())
        np.testing.assert_allclose(gpu[name], want, rtol=0, atol=scale * TOLERANCE[dtype])


@on_both
def test_the_same_training_gives_the_same_bits(xp):
    first, second = (train("cuda", "float32", *NETS["small_cnn"], sgd, steps=3) for _ in range(2))
    assert first[0] == second[0]
    assert all(np.array_equal(a, second[1][name]) for name, a in first[1].items())


@on_both
def test_evaluation_and_a_trained_model_back_on_the_cpu(xp):
    mg.manual_seed(0)
    model = resnext().eval()
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32))
    want = model(x).data
    got = model.to("cuda")(x.to("cuda"))
    np.testing.assert_allclose(host(got.data), want, rtol=1e-4, atol=1e-5)
    state = {name: np.ones_like(host(array)) for name, array in model.state_dict().items()}
    before = {name: array.copy() for name, array in model.state_dict().items()}
    model.load_state_dict(state)  # from the host
    assert all(np.array_equal(host(array), state[name])
               for name, array in model.state_dict().items())
    model.load_state_dict(before)  # from the GPU
    assert all(p.device == "cpu" for p in model.to("cpu").parameters())
    assert np.array_equal(model(x).data, want)


@on_both
def test_class_numbers_on_the_host_are_checked_and_on_the_gpu_give_nan(xp):
    x = Tensor(np.zeros((2, 3), np.float32)).to("cuda")
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        ops.cross_entropy(x, np.array([0, 3]))
    assert np.isnan(ops.cross_entropy(x, Tensor(np.array([0, 3])).to("cuda")).item())
    assert np.isnan(ops.cross_entropy(x, np.array([-100, -100])).item())
    with pytest.raises(TypeError, match="integer"):
        ops.cross_entropy(x, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="does not fit"):
        ops.cross_entropy(x, np.array([0]))


@on_stand_in
@pytest.mark.parametrize("mix", [
    lambda x, a: np.asarray(x), lambda x, a: x + a, lambda x, a: a + x, lambda x, a: np.add(a, x),
    lambda x, a: np.where(x > 0, x, a), lambda x, a: np.concatenate([x, a]),
    lambda x, a: x.__setitem__(0, a[0]), lambda x, a: x[a.astype(int)], lambda x, a: a @ x,
    lambda x, a: Tensor(x) + Tensor(a), lambda x, a: ops.conv2d(x[None, None], a[None, None])],
    ids=range(11))
def test_host_and_device_do_not_mix(xp, mix):
    a = np.ones((2, 2), np.float32)
    with pytest.raises(HostDeviceMix):
        mix(xp.asarray(a), a)


@on_stand_in
def test_what_cupy_does_not_take_the_stand_in_refuses(xp):
    x = xp.asarray(np.ones(2, np.float32))
    with pytest.raises(TypeError):
        x.max(initial=0)
    with pytest.raises(TypeError):
        np.add.reduce(x)
    with pytest.raises(TypeError):
        np.linalg.norm(x)


@on_stand_in
def test_memory_that_is_not_there_is_one_clear_error(xp, monkeypatch):
    x = Tensor(np.ones((1, 1, 4, 4), np.float32), requires_grad=True).to("cuda")
    y = ops.max_pool2d(x, 2).sum()

    def full(*arguments):
        raise xp.cuda.memory.OutOfMemoryError("Out of memory allocating 512 bytes.")
    model = nn.Linear(2, 1).to("cuda")
    model(Tensor(np.ones((1, 2), np.float32)).to("cuda")).backward()
    for name in ("empty", "asarray", "zeros_like"):
        monkeypatch.setattr(xp, name, full)
    rest = ("Out of memory allocating 512 bytes; GPU memory: 1 MiB used, 2 MiB held, "
            "1024 MiB free of 2048 MiB; use a smaller batch")
    with one_line(MemoryError, "MaxPool2d: " + rest):
        ops.max_pool2d(x, 2)
    with one_line(MemoryError, "backward of MaxPool2d: ", rest):
        y.backward()
    with one_line(MemoryError, "ToDevice: " + rest):
        nn.Linear(2, 1).to("cuda")
    with one_line(MemoryError, "SGD.step: " + rest):
        optim.SGD(model.parameters(), lr=1, momentum=0.9).step()


@on_both
@pytest.mark.parametrize("spoil, where", [
    (lambda model: model[0].weight, "first in the weight 0.weight of layer '0' (Conv2d)"),
    (lambda model: model[1].bias, "first in the weight 1.bias of layer '1' (BatchNorm2d)")])
def test_what_is_not_finite_is_traced_as_on_the_cpu(xp, spoil, where):
    messages = []
    for device in ("cpu", "cuda"):
        model, loader, _, how = training_run.objects()
        model.to(device)
        spoil(model).data[...] = np.nan
        with pytest.raises(NonFiniteError) as caught:
            fit(model, loader, epochs=1, progress=False, **how)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and where in messages[0]


@on_both
def test_an_optimizer_refuses_parameters_with_gaps_in_memory(xp):
    p = Tensor(xp.asarray(np.ones((4, 4), np.float32))[:, ::2], requires_grad=True)
    p.grad = Tensor(xp.asarray(np.ones((4, 2), np.float32)))
    with pytest.raises(ValueError, match="not dense in memory"):
        optim.SGD([p], lr=1).step()


@on_both
def test_dropout_loses_on_the_gpu_what_it_loses_on_the_cpu(xp):
    x = np.ones((3, 4, 5, 6), np.float32)
    for layer in (nn.Dropout(0.3), nn.Dropout2d(0.6)):
        mg.manual_seed(1)
        want = layer(Tensor(x)).data
        mg.manual_seed(1)
        assert np.array_equal(host(layer(Tensor(x).to("cuda")).data), want)
