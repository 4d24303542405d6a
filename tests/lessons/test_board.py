"""The exercise of a board: the reference passes, and each classic mistake gets its own hint."""

import numpy as np
import pytest

import qlab
from qlab import train
from qlab.course.combine.board import fits_board
from qlab.lessons import check
from qlab.lessons.exercises import EXERCISES
from qlab.tflite import micro_runtime

ID = "combine.fits_board"
NARROW = {"conv1": 0.6, "dense1": 0.66}
CONV4 = {name: {"weight_bits": 4} for name in ("conv1", "conv2")}


@pytest.fixture(scope="module")
def engines():
    """Of the baseline, and of the same with other filters taken out; nothing is trained."""
    found = {
        "whole": qlab.pretrained("baseline"),
        "pruned": qlab.pretrained("pruned-filters-seed0"),
    }
    base = train.load("baseline")
    for name, share in {"narrow": NARROW, "deep": {"dense1": 0.7}}.items():
        found[name] = qlab.LiteModel(train.convert(train.remove_filters(base, share)))
    images = qlab.data.calibration_images(128)
    return {name: qlab.Compressor(model, images) for name, model in found.items()}


def test_the_reference_fits_and_keeps_its_accuracy(fashion):
    file, said = fits_board()
    verdict = check(ID, (file, said))
    assert verdict.passed and "Flash 31," in verdict.lines[0]
    test = qlab.evaluate(file, fashion.test.images, fashion.test.labels).accuracy
    assert abs(test - said) > 0.0006  # or the next two lines would test nothing
    assert "accuracy on the test images" in check(ID, (file, test)).lines[1]
    assert "Score it again" in check(ID, (file, 100 * said)).lines[1]


MISTAKES = {
    "floats": ("narrow", {"weight_bits": 32, "activation_bits": 32}),
    "weights_only": ("narrow", {"activation_bits": 32}),
    "zeros": ("whole", {"sparsity": 0.8}),
    "few_bits": ("whole", {"weight_bits": 4}),
    "large": ("pruned", {}),
    "deep": ("deep", {}),
    "untrained": ("narrow", {}),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_its_own_hint(name, engines):
    network, settings = MISTAKES[name]
    verdict = check(ID, (engines[network].compress(qlab.Recipe(**settings)), 0.9))
    assert verdict.status == "not yet" and "Flash " in verdict.lines[0]
    assert verdict.lines[1] == f"Hint: {EXERCISES[ID].mistakes[name]}"


def test_weights_of_one_scale_are_unpacked_into_too_much_ram(engines):
    recipe = qlab.Recipe(activation_bits=32, granularity="per-tensor")
    verdict = check(ID, (engines["narrow"].compress(recipe), 0.9))
    assert "unpacks them into RAM" in verdict.lines[1]


def test_convolutions_of_4_bits_do_not_help(engines):
    file = engines["whole"].compress(qlab.Recipe(overrides=CONV4)).packed()
    assert "Some weights share a byte" in check(ID, (file, 0.9)).lines[1]


@pytest.mark.skipif(not micro_runtime.available(), reason="tflite-micro is not here")
def test_what_the_runtime_refuses_is_said_in_its_own_words(engines):
    file = engines["narrow"].compress(qlab.Recipe(weight_bits=4)).packed()
    assert "Its FULLY_CONNECTED takes one weight a byte" in check(ID, (file, 0.9)).lines[0]


def test_without_the_runtime_the_ram_is_computed(engines, monkeypatch):
    monkeypatch.setattr(micro_runtime, "PACKAGE", "no_such_package")
    monkeypatch.setattr(micro_runtime, "_ASKED", {})
    verdict = check(ID, (engines["deep"].compress(qlab.Recipe()), 0.9))
    assert "(simulated, at most" in verdict.lines[0] and "conv1 puts out" in verdict.lines[1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.9, "needs a pair"),
        ((qlab.Recipe(), "nine in ten"), "needs a pair"),
        ((b"TFL3", 0.9), "should be a qlab.LiteModel, and is bytes"),
        ((qlab.pretrained("digits"), 0.9), "cannot be scored"),
    ],
)
def test_something_else_than_a_file_and_its_accuracy(answer, words):
    assert words in check(ID, answer).lines[0]


def test_filters_go_only_where_there_are_some():
    base = train.load("baseline")
    with pytest.raises(ValueError, match=r"'dense9' has no filters that can go; these have: conv1"):
        train.remove_filters(base, {"dense9": 0.5})
    before = [np.copy(x) for x in base.get_weights()]
    train.remove_filters(base, {"conv2": 0.5})
    assert all(map(np.array_equal, before, base.get_weights()))
