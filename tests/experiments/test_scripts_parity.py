"""The scripts with `torch` in their imports and with `minigrad`: the same losses over 40 steps."""

import importlib
import re
import types
from importlib.resources import files

import numpy as np
import pytest

torch = pytest.importorskip("torch")
STEPS = 40
BOUND = {"float32": 1e-5, "float64": 1e-12}
SCRIPTS = ["cifar_network", "tiny_gpt", "two_layer_net", "unet", "vae", "vit"]


def in_torch(name):
    """The script as a module, with its imports changed, and nothing else."""
    text = files("experiments.scripts").joinpath(f"{name}.py").read_text(encoding="utf-8")
    text = re.sub(r"^import minigrad as torch$", "import torch", text, flags=re.MULTILINE)
    text = re.sub(r"^(import|from) minigrad\b", r"\1 torch", text, flags=re.MULTILINE)
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert not re.search(r"\bminigrad\b", re.sub(r'""".*?"""', "", code, flags=re.DOTALL))
    module = types.ModuleType(f"{name}_in_torch")
    exec(compile(text, f"{name}.py", "exec"), vars(module))
    return module


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_losses_are_those_of_pytorch(name, dtype):
    torch.set_num_threads(1)
    theirs, ours = in_torch(name), importlib.import_module(f"experiments.scripts.{name}")
    their_model = theirs.build(getattr(torch, dtype))
    our_model = ours.build(dtype=getattr(ours.torch, dtype))
    if isinstance(their_model, torch.nn.Module):
        our_model.load_state_dict({key: value.numpy()
                                   for key, value in their_model.state_dict().items()})
    other = list(theirs.train(their_model, STEPS))
    mine = list(ours.train(our_model, STEPS))
    assert len(mine) == len(other) == STEPS and all(isinstance(loss, float) for loss in mine)
    assert other[-1] < other[0]
    bound = 1e-4 if (name, dtype) == ("vae", "float32") else BOUND[dtype]
    assert np.max(np.abs(np.divide(mine, other) - 1)) <= bound


def test_every_script_is_among_them():
    names = {path.name for path in files("experiments.scripts").iterdir()
             if path.name.endswith(".py")}
    assert names - {"__init__.py", "photos.py"} == {f"{name}.py" for name in SCRIPTS}


def test_the_same_text_is_written(monkeypatch):
    theirs, ours = in_torch("tiny_gpt"), importlib.import_module("experiments.scripts.tiny_gpt")
    their_model, our_model = theirs.build(torch.float64), ours.build(ours.torch.float64)
    for _ in theirs.train(their_model, 30):
        pass
    our_model.load_state_dict({key: value.numpy()
                               for key, value in their_model.state_dict().items()})
    assert ours.write(our_model, count=60) == theirs.write(their_model, count=60)
