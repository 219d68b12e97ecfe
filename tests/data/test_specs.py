"""Preparations as JSON: what is read back makes the same arrays; what is malformed, an error."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigrad.data import (MEAN, STD, CenterCrop, Compose, Grayscale, ImageFolder, Normalize,
                           Preprocess, RandomCrop, RandomErasing, Resize, ToArray, ToTensor,
                           from_spec, spec_text, to_spec)
from minigrad.models import preprocess
from tests.one_line import one_line

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
USUAL = Compose([Resize(40), CenterCrop(32), ToArray(), Normalize(MEAN, STD)])
NORMALS = [Normalize(MEAN, STD), Normalize([0.5, 0.4, 0], [1, 2, 3]), Normalize((0, 0, 0), [1] * 3),
           Normalize(np.array(MEAN), np.array(STD, np.float32)),
           Normalize(tuple(np.array(MEAN)), list(np.array(STD, np.float32))),
           Normalize(np.array([1, 2, 3]), (1, 1, 1)), Normalize((0.1 + 0.2, 1 / 3, 2 / 3), STD)]
PREPARATIONS = [
    USUAL, ToArray(), ToTensor(), Resize(40), Resize((20, 30)), CenterCrop((99, 5)), Grayscale(),
    Compose([]), Compose([Resize((9, 8)), Compose([Grayscale(3), Compose([ToTensor()])])]),
    Preprocess(40, 32), Preprocess((9, 8)), Preprocess(40, None, (0.5,), (0.25,)),
    preprocess("resnet50"), preprocess("efficientnet_lite0"),
    Compose([Grayscale(), Preprocess(20, 16)]),
    *(Compose([Resize(40), ToArray(), normal]) for normal in NORMALS)]


def read_again(spec):
    return from_spec(json.loads(json.dumps(spec, allow_nan=False)))


def assert_same(one, two):
    assert repr(one) == repr(two) and type(one) is type(two)
    np.testing.assert_array_equal(np.asarray(one(PICTURE)), np.asarray(two(PICTURE)), strict=True)


@pytest.mark.parametrize("transform", PREPARATIONS, ids=lambda t: " ".join(repr(t).split()))
def test_what_is_read_back_does_the_same(transform):
    spec = to_spec(transform)
    assert_same(read_again(spec), transform)
    assert to_spec(read_again(spec)) == spec == json.loads(json.dumps(spec))


numbers = st.floats(-9, 9) | st.integers(-9, 9)
positive = st.floats(1e-6, 1e6) | st.integers(1, 9)
sequences = st.sampled_from([tuple, list, np.array, lambda values: np.array(values, np.float32)])


@given(st.tuples(numbers, numbers, numbers), st.tuples(positive, positive, positive), sequences,
       sequences, st.integers(1, 60), st.integers(1, 60))
def test_any_numbers_are_kept_to_the_last_bit(mean, std, one, two, size, crop):
    transform = Compose([Resize(size), CenterCrop((crop, size)), ToArray(),
                         Normalize(one(mean), two(std))])
    assert_same(read_again(to_spec(transform)), transform)


class Other(Resize):
    """Not the library's own."""


@pytest.mark.parametrize("transform", [
    None, RandomCrop(8), RandomErasing(), lambda image: image, Other(8), np.asarray, Resize, 3,
    Compose([Resize(9), RandomCrop(8), ToArray()]), Compose([ToArray(), lambda x: x]),
    Compose([Compose([Other(3)])])])
def test_what_is_random_or_foreign_has_no_spec(transform):
    assert to_spec(transform) is None


def test_a_chain_that_holds_itself_has_no_spec():
    chain = Compose([])
    chain.transforms.append(chain)
    assert to_spec(chain) is None


@pytest.mark.parametrize("transform, text", [
    (USUAL, "32 x 32, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"),
    (preprocess("resnet18"), "224 x 224, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"),
    (Preprocess((9, 8), None, (0.5,), (0.25,)), "9 x 8, mean 0.5, std 0.25"),
    (Compose([Grayscale(), Resize(28), ToArray()]), "shorter side 28, grey, values 0 to 1"),
    (Compose([Resize((3, 4)), Compose([ToArray(), Normalize((1 / 3,), (2,))])]),
     "3 x 4, mean 0.3333, std 2"), (ToArray(), "any size, values 0 to 1")])
def test_a_line_for_people(transform, text):
    assert spec_text(to_spec(transform)) == text


RESIZE, DEEP = ["Resize", {"size": 3}], ["ToArray", {}]
for _ in range(100):
    DEEP = ["Compose", {"transforms": [DEEP]}]


@pytest.mark.parametrize("spec, words", [
    (None, "not None"), (3, "not 3"), ("Resize", "not 'Resize'"), ([], "not []"), ({}, "not {}"),
    (["Resize"], "not ['Resize']"), (["Resize", [3]], "[name, {parameter: value}]"),
    (["Resize", {"size": 3}, 4], "[name"), ([3, {}], "[name"), ([["Resize"], {}], "[name"),
    (["os.system", {"command": "true"}], "no transform 'os.system'; there are Compose Resize"),
    (["__class__", {}], "no transform"), (["RandomCrop", {"size": 3}], "no transform 'RandomCrop'"),
    (["Resize", {}], "Resize has the parameters (size), not []"),
    (["Resize", {"size": 3, "x": 4}], "not ['size', 'x']"), (["ToArray", {"a\nb": 3}], "'a\\nb'"),
    (["Resize", {"size": 10**9}], "1000000000 pixels are more than 16384"),
    (["Resize", {"size": [3, 20_000]}], "(3, 20000) pixels are more than"),
    (["Resize", {"size": 0}], "Resize: size must be"), (["Resize", {"size": "3"}], "a number"),
    (["Resize", {"size": True}], "not True"), (["Resize", {"size": 2.5}], "positive integers"),
    (["Resize", {"size": None}], "Resize cannot be made"),
    (["Resize", {"size": [1, 2, 3]}], "size must be one integer or (height, width)"),
    (["Resize", {"size": [[1], 2]}], "not [1]"), (["Resize", {"size": {"a": 3}}], "not {'a': 3}"),
    (["CenterCrop", {"size": {"array": [3, 4], "dtype": "int64"}}], "size must be"),
    (["Grayscale", {"num_output_channels": 2}], "must be 1 or 3"),
    (["Grayscale", {"num_output_channels": {"array": [1], "dtype": "int64"}}], "must be 1 or 3"),
    (["Normalize", {"mean": [0.5], "std": [0]}], "std must be positive"),
    (["Normalize", {"mean": [float("nan")], "std": [1]}], "mean must be finite"),
    (["Normalize", {"mean": [10 ** 400], "std": [1]}], "Normalize cannot be made"),
    (["Normalize", {"mean": 0.5, "std": 1}], "mean must be"),
    (["Normalize", {"mean": [0], "std": ["x" * 5000]}], "..."),
    (["Normalize", {"mean": {"array": [1e99], "dtype": "float16"}, "std": [1]}], "finite"),
    (["Normalize", {"mean": {"array": [1], "dtype": "O"}, "std": [1]}], "a list of numbers"),
    (["Normalize", {"mean": {"array": [[1]], "dtype": "float32"}, "std": [1]}], "not [1]"),
    (["Normalize", {"mean": {"array": [1], "dtype": ["float32"]}, "std": [1]}], "preparation: "),
    (["Normalize", {"mean": {"array": [2 ** 70], "dtype": "int64"}, "std": [1]}], "cannot be made"),
    (["Preprocess", {"resize": 3, "crop": -1, "mean": [0], "std": [1]}], "size must be"),
    (["Preprocess", {"resize": 3, "crop": 1, "mean": [0], "std": [1], "interpolation": 3}],
     "interpolation must be 'bilinear' or 'bicubic', got 3"),
    (["Resize", {"size": 3, "interpolation": "bicubic"}], "Resize has the parameters (size), not"),
    (["Compose", {"transforms": RESIZE}], "[name, {parameter: value}], not 'Resize'"),
    (["Compose", {"transforms": 3}], "a list of transforms, not 3"),
    (["Compose", {"transforms": [RESIZE, ["Resize", {"size": -1}]]}], "got -1"),
    (DEEP, "more than 20 transforms inside each other")], ids=lambda v: ascii(v)[:40])
def test_a_malformed_spec_is_an_error_of_one_line(spec, words):
    for read in (from_spec, spec_text):
        with one_line(ValueError, "preparation: ", words):
            read(spec)
    try:
        from_spec(spec)
    except ValueError as error:
        assert len(str(error)) < 300


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["Resize", "Compose", "Normalize", "Preprocess", "array", "float32"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["size", "transforms", "mean", "std", "array", "dtype", "number", "list"]),
        inner, max_size=3), max_leaves=12)


@given(st.tuples(st.sampled_from(["Resize", "Compose", "Normalize", "Grayscale", "CenterCrop"]),
                 anything).map(list)
       | st.builds(lambda mean, std: ["Normalize", {"mean": mean, "std": std}], anything, anything)
       | st.builds(lambda size: ["Resize", {"size": size}], anything) | anything)
def test_any_json_is_a_transform_or_a_value_error(spec):
    try:
        transform = from_spec(spec)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert repr(from_spec(to_spec(transform))) == repr(transform)


def test_a_read_preparation_is_a_transform_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    PICTURE.save(tmp_path / "a" / "x.png")
    data = ImageFolder(tmp_path, read_again(to_spec(USUAL)))
    np.testing.assert_array_equal(data[0][0], USUAL(PICTURE))
