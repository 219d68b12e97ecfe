"""Devices and dtypes by PyTorch's names, where a call takes them, and modules loaded on demand."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, backend, dtypes
from tests.one_line import one_line
from tests.places import ROOT


def test_a_device_is_its_name_and_more():
    cpu, gpu = mg.device("cpu"), mg.device("cuda:0")
    assert cpu == "cpu" and gpu == "cuda" == mg.device("cuda") and {gpu: 1}["cuda"] == 1
    assert (cpu.type, cpu.index, gpu.type, gpu.index) == ("cpu", None, "cuda", 0)
    assert mg.device("cuda").index is None and mg.device(gpu) is gpu and mg.device(0).index == 0
    assert repr(gpu) == "device(type='cuda', index=0)" and json.dumps(cpu) == '"cpu"'
    for twin in (copy.deepcopy(gpu), pickle.loads(pickle.dumps(gpu))):
        assert twin == gpu and twin.index == 0 and isinstance(twin, mg.device)
    assert isinstance(Tensor([1.0]).device, mg.device) and Tensor([1.0]).device == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda:1", 1, None, "cuda:", "cpu cuda"])
def test_other_devices_are_refused(name):
    with one_line(RuntimeError, "device"):
        mg.device(name)
    with one_line(ValueError, "cuda"):
        backend.to_device(np.ones(2), name)


def test_a_tensor_moves_to_everything_that_names_a_device():
    x = Tensor([1.0])
    for name in ("cpu", "cpu:0", mg.device("cpu"), x.device):
        assert x.to(name) is x and x.to(device=name) is x
        assert mg.zeros(2, device=name).device == "cpu"
    assert x.to("cpu", mg.float64, non_blocking=True).dtype == mg.float64
    assert x.to(mg.tensor([1])).dtype == mg.int64 and x.to(x, copy=True) is not x
    assert x.cpu() is x
    w = Tensor([1.0, 2.0], requires_grad=True)
    w.to("cpu", "float64", copy=True).sum().backward()
    assert w.grad.tolist() == [1, 1]
    if not mg.cuda.is_available():
        assert mg.cuda.device_count() == 0
        for move in (x.cuda, lambda: x.cuda(0), lambda: x.to("cuda:0"), mg.cuda.synchronize,
                     mg.cuda.current_device, mg.cuda.get_device_name):
            with one_line(RuntimeError, "cuda"):
                move()
        mg.cuda.empty_cache()


def test_the_gpu_s_functions_ask_cupy(monkeypatch):
    class Cupy:
        class cuda:
            class runtime:
                @staticmethod
                def getDeviceProperties(number):
                    return {"name": b"GPU %d" % number}

    monkeypatch.setattr(mg.cuda, "cupy_module", lambda: Cupy)
    assert mg.cuda.is_available() and mg.cuda.device_count() == 1
    assert mg.cuda.current_device() == 0 and mg.cuda.get_device_name() == "GPU 0"


def test_dtypes_have_pytorch_s_names_and_python_keeps_its_own():
    pytest.importorskip("ml_dtypes")
    for name, numpy_name in dtypes.NAMES.items():
        assert getattr(mg, name).name == numpy_name
        assert mg.zeros(2, dtype=getattr(mg, name)).dtype == getattr(mg, name)
    assert mg.float == np.float32 and isinstance(mg.float32, mg.dtype) and mg.long == "int64"
    assert mg.finfo(mg.bfloat16).eps == 2**-7 and mg.iinfo(mg.int8).max == 127
    assert not {"float", "int", "bool"} & vars(mg).keys()   # a star import hides nothing
    assert mg.is_floating_point(mg.zeros(1, dtype=mg.bfloat16))


def test_tensor_types_convert_and_create():
    assert mg.FloatTensor([1, 2]).dtype == mg.float32 and mg.LongTensor(2, 3).shape == (2, 3)
    x = mg.tensor([1.5, 0.0])
    assert x.type(mg.BoolTensor).tolist() == [True, False]
    assert x.type() == "torch.FloatTensor" and x.type("torch.LongTensor").tolist() == [1, 0]


def test_modules_are_loaded_when_they_are_asked_for():
    code = ("import sys, minigrad as mg\n"
            "before = {'minigrad.models', 'minigrad.train', 'minigrad.data'} & set(sys.modules)\n"
            "print(before, mg.models.lenet5.__name__, mg.train.fit.__name__, mg.data.DataLoader, "
            "mg.weights.load.__name__, mg.utils.data.DataLoader is mg.data.DataLoader, "
            "mg.profile.__name__, mg.save.__name__)\n"
            "from minigrad.utils.data import Dataset, DataLoader\n"
            "import minigrad.cuda\n"
            "mg.nosuch")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split()[:3] == ["set()", "lenet5", "fit"] and "True" in done.stdout
    assert done.stderr.strip().splitlines()[-1].startswith("AttributeError: module 'minigrad' has "
                                                           "no attribute 'nosuch'")
