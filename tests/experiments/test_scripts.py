"""The scripts learn, and say so; that their losses are PyTorch's is in test_scripts_parity.py."""

import importlib

import numpy as np
import pytest


STEPS = {"cifar_network": 90, "tiny_gpt": 20, "two_layer_net": 60, "unet": 10, "vae": 40, "vit": 30}


def script(name):
    return importlib.import_module(f"experiments.scripts.{name}")


@pytest.mark.parametrize("name", STEPS)
def test_it_learns(name):
    module = script(name)
    losses = list(module.train(module.build(), STEPS[name]))
    assert len(losses) == STEPS[name] and np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.98 * np.mean(losses[:5])


def test_the_network_writes_letters_of_the_text():
    gpt = script("tiny_gpt")
    text = gpt.write(gpt.build(), start="When ", count=40)
    assert text.startswith("When ") and len(text) == 45 and set(text) <= set(gpt.LETTERS)
    assert text == gpt.write(gpt.build(), start="When ", count=40)


def test_batches_have_each_sample_once_an_epoch():
    batches = script("photos").batches(10, 3)
    first, second = ([index for _ in range(3) for index in next(batches)] for _ in range(2))
    assert len(set(first)) == len(set(second)) == 9 and first != second


def test_it_says_how_far_it_is(capsys, monkeypatch):
    net = script("two_layer_net")
    monkeypatch.setattr(net, "train", lambda model, steps: iter([2.0, 1.5]))
    net.main()
    assert capsys.readouterr().out.split() == ["step", "0", "loss", "2.0000", "loss", "1.5000"]
