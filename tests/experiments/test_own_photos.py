"""The user's photos cut into parts, and what is chosen for them."""

from pathlib import Path

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.own_photos import choice, photos, training
from experiments.own_photos.plan import Plan
from minigrad.data import ImageFolder
from minigrad.models import load, resnet18, small_cnn
from minigrad.weights import save
from tests.data import odd_photos


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


# --- parts ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("there, sizes", [
    (dict(train=6, valid=2, test=3), (12, 4, 6)), (dict(train=6, val=2), (12, 4, None)),
    (dict(train=10, test=3), (17, 3, 6))])
def test_folders_that_are_cut_already(there, sizes):
    odd_photos.plain("set", **there)
    found = photos.find("set", 18, None, 0, "raise")
    assert tuple(part and len(part) for part in found[:3]) == sizes
    assert found.classes == ["dark", "light"] and found.own_parts
    used = [part.name(i) for part in found[:3] if part for i in range(len(part))]
    assert len(set(used)) == len(used)
    for name, part in zip(("train", "test"), (found.train, found.test)):
        assert part is None or all(f"set/{name}/" in part.name(i) for i in range(len(part)))


def test_the_parts_have_their_share_of_every_class_and_no_photo_twice():
    odd_photos.plain("outer", one=20)
    found = photos.find("outer/one", 18, 0.2, 0, "raise")
    assert [sorted(map(part.targets.count, (0, 1))) for part in found[:3]] == [
        [12, 12], [4, 4], [4, 4]]
    assert len({part.name(i) for part in found[:3] for i in range(len(part))}) == 40


def test_a_cut_folder_with_other_classes_or_another_share():
    odd_photos.plain("set", train=5, valid=2)
    with pytest.raises(UserError, match="--valid: set has a folder valid of its own"):
        photos.find("set", 18, 0.2, 0, "raise")
    Path("set/valid/dark").rename("set/valid/grey")
    with pytest.raises(UserError, match="classes of the training photos; the difference is 'dark'"):
        photos.find("set", 18, None, 0, "raise")


def test_kept_photos_are_as_those_read_each_time(monkeypatch):
    odd_photos.make("my photos")
    folder, view = ImageFolder("my photos"), Plan("small_cnn", size=16, lr=1.0).test_view()
    kept = photos.Small(folder, 18, lambda words: None).with_transform(view)
    monkeypatch.setattr(photos, "_KEPT", 0)
    read = photos.Small(folder, 18, lambda words: None).with_transform(view)
    plain = folder.with_transform(view)
    assert not any(read.kept) and all(kept.kept) and len(kept) == len(read) == 24
    for i in range(24):
        place = plain.samples.index(kept.samples[i])
        assert np.array_equal(kept[i][0], read[i][0]) and kept[i][1] == read[i][1]
        assert np.array_equal(kept[i][0], plain[place][0])


# --- choices -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, side, mean", [
    ("small_cnn", 64, 0.485), ("cifar_resnet20", 32, 0.485), ("mobilenet_v2", 128, 0.485),
    ("vit_b_16", 224, 0.485), ("efficientnet_lite0", 128, 127 / 255)])
def test_what_a_network_sees(name, side, mean):
    """Its usual size, in the colours of its official weights."""
    plan = Plan(name).settled()
    view = plan.test_view().transforms
    assert (plan.size, view[1].size) == (side, (side, side)) and view[-1].mean[0] == mean
    assert plan.training_view().transforms[-1].mean[0] == mean


@pytest.mark.parametrize("count, batch, epochs", [
    (25, 8, 60), (150, 16, 60), (392, 16, 49), (1000, 32, 38), (3000, 32, 13), (9000, 32, 12)])
def test_more_photos_need_fewer_epochs(count, batch, epochs):
    plan = Plan("small_cnn").settled().for_photos(count)
    assert (plan.batch, plan.epochs) == (batch, epochs)
    assert Plan("small_cnn", epochs=3, batch=5).for_photos(count).epochs == 3


def test_choices_by_network_and_weights(tmp_path):
    assert choice.choose({}).arch == "small_cnn" and choice.choose({}).size == 64
    tuned = choice.choose({"weights": "imagenet"})
    assert (tuned.arch, tuned.size, tuned.body_lr) == ("resnet18", 128, tuned.lr / 10)
    assert choice.choose({"arch": "cifar_resnet20"}).size == 32
    save("w.safetensors", small_cnn(3, size=20).state_dict())
    with pytest.raises(UserError, match="give --arch"):
        choice.choose({"weights": "w.safetensors"})
    plan = choice.choose({"weights": "w.safetensors", "arch": "small_cnn"})
    assert plan.size == 20 and plan.weights == str(tmp_path / "w.safetensors")


def test_the_network_is_that_of_the_best_epoch():
    """Not of the last, as the rate is far too high."""
    odd_photos.plain("outer", one=12)
    found = photos.find("outer/one", 18, None, 0, "raise")
    plan = Plan("small_cnn", size=16, batch=4, epochs=4, lr=0.6)
    model, history, _ = training.trained(plan, found, Path("run"))
    assert history.best("valid.loss")["epoch"] < 4
    best = load("run")
    assert f"epoch {history.best('valid.loss')['epoch']}" in best.about
    for name, array in model.state_dict().items():
        assert np.array_equal(array, best.model.state_dict()[name]), name


def test_the_body_of_a_network_with_weights_learns_more_slowly():
    save("w.safetensors", resnet18(5, width=64).state_dict())
    plan = choice.choose({"weights": "w.safetensors"})
    model = training.build(plan, 3)
    groups = training._groups(plan, model)
    assert [group["lr"] for group in groups] == [1e-3, 1e-4]
    assert [len(p.data) for p in groups[0]["params"]] == [3, 3]
