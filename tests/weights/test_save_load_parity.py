"""minigrad.load on what torch.save writes: the whole object, as torch.load gives it."""

import argparse
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import minigrad as mg  # noqa: E402
from minigrad.weights import WeightsError  # noqa: E402
from tests.one_line import one_line  # noqa: E402


def saved(x, **options):
    file = io.BytesIO()
    torch.save(x, file, **options)
    return file.getvalue()


def check(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        name = str(theirs.dtype).removeprefix("torch.")
        assert isinstance(ours, mg.Tensor) and ours.dtype.name == name
        bits = {2: torch.int16, 4: torch.int32}.get(theirs.element_size(), theirs.dtype)
        assert np.array_equal(ours.data.view(np.dtype(f"i{theirs.element_size()}"))
                              if bits is not theirs.dtype else ours.data,
                              theirs.detach().contiguous().view(bits).numpy())
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            check(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            check(one, other)
    else:
        assert ours == theirs


@pytest.mark.parametrize("stream", [False, True])
def test_a_checkpoint(stream):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    x = torch.arange(6.0).view(2, 3)
    checkpoint = {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, 7: (1, 2.5),
        "best": None, "name": "net", "done": True, "list": [x.half(), x.bfloat16(), x.t(), x[:, 1]],
        "bool": x > 2, "weight": torch.nn.Parameter(x)}
    data = saved(checkpoint, _use_new_zipfile_serialization=not stream)
    check(mg.load(io.BytesIO(data)), checkpoint)
    ours = mg.nn.Sequential(mg.nn.Linear(3, 4), mg.nn.BatchNorm1d(4))
    ours.load_state_dict(mg.load(io.BytesIO(data))["model"])
    assert np.array_equal(ours.state_dict()["0.weight"], model[0].weight.detach().numpy())


def test_what_is_shared_stays_shared():
    x = torch.ones(2)
    a, b = mg.load(io.BytesIO(saved([x, x])))
    assert a is b or a.tolist() == b.tolist()


def test_objects_of_classes_are_refused_as_weights_only_does():
    data = saved({"args": argparse.Namespace(lr=1), "w": torch.ones(2)})
    with one_line(WeightsError, "Namespace"):
        mg.load(io.BytesIO(data))
    assert mg.load(io.BytesIO(data), weights_only=False)["w"].tolist() == [1, 1]
    with one_line(WeightsError, "save model.state_dict()"):
        mg.load(io.BytesIO(saved(torch.nn.Linear(2, 2))))
