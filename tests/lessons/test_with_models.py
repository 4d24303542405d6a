"""Exercises and questions that rest on the shipped baseline: real files, really scored."""

import numpy as np
import pytest

import qlab
from qlab.course.baseline import float32_bytes
from qlab.course.own_model.budget import small_recipe
from qlab.course.ptq.files import TRUTHS
from qlab.course.rounding.budgets import BUDGET_BYTES, MOST_LOST, mixed_recipe
from qlab.course.shipped_model import score
from qlab.course.welcome import fewest_bits
from qlab.lessons import check, reveal
from qlab.lessons.predictions import QUESTIONS


@pytest.fixture(scope="module")
def model():
    return qlab.pretrained("baseline")


@pytest.fixture(scope="module")
def measured(model):
    test = qlab.data.load().test
    return qlab.evaluate(model, test.images, test.labels)


@pytest.mark.parametrize("change", [int, float, np.int32, np.float64])
def test_bytes_of_the_float32_weights(change):
    assert float32_bytes() == 4 * 75_609
    assert check("baseline.float32_bytes", change(float32_bytes())).passed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n: n // 4, "These are numbers"),
        (lambda n: 8 * n, "These are bits"),
        (lambda n: qlab.pretrained("baseline").file_bytes, "whole file"),
        (lambda n: n - 4 * (32 + 16 + 125 + 10), "biases are missing"),
        (lambda n: n / 1000, "kilobytes or megabytes"),
        (lambda n: round(n / 1024, 1), "kilobytes or megabytes"),
        (str, "This is text"),
        (lambda n: [n], "in a list or an array"),
    ],
)
def test_wrong_bytes_get_their_own_hint(change, words):
    verdict = check("baseline.float32_bytes", change(float32_bytes()))
    assert verdict.status == "not yet" and words in verdict.lines[1]


def test_a_function_where_a_number_is_wanted():
    assert "needs a number" in check("baseline.float32_bytes", lambda: 3).lines[0]


@pytest.mark.parametrize("value", ["many", [1, 2], {}])
def test_nonsense_where_a_number_is_wanted(value):
    assert check("baseline.float32_bytes", value).status == "not yet"


def test_reference_recipe_passes():
    verdict = check("rounding.mixed_recipe", mixed_recipe())
    assert verdict.passed and "Packed file" in verdict.lines[0]


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (qlab.Recipe(activation_bits=4), "Activations are not stored"),
        (qlab.Recipe(weight_bits=3), "overrides"),
        (qlab.Recipe(weight_bits=2), "overrides"),
    ],
)
def test_recipe_outside_the_budget_gets_its_own_hint(recipe, words):
    verdict = check("rounding.mixed_recipe", recipe)
    assert verdict.status == "not yet"
    assert verdict.lines[1].startswith("Hint: ") and words in verdict.lines[1]


def test_recipe_that_names_no_layer_is_told_in_words():
    verdict = check("rounding.mixed_recipe", qlab.Recipe(overrides={"dense9": {"weight_bits": 4}}))
    assert "cannot be built" in verdict.lines[0] and "dense9" in verdict.lines[0]


@pytest.mark.parametrize("answer", [{"weight_bits": 4}, 4, mixed_recipe])
def test_something_else_than_a_recipe(answer):
    assert "needs a qlab.Recipe" in check("rounding.mixed_recipe", answer).lines[0]


def test_no_single_number_of_bits_meets_the_budget(model):
    compressor = qlab.Compressor(model, qlab.data.calibration_images(128))
    validation = qlab.data.load().validation

    def accuracy(file):
        return qlab.evaluate(file, validation.images, validation.labels).accuracy

    least = accuracy(model) - MOST_LOST
    for bits in range(2, 9):
        small = compressor.compress(qlab.Recipe(weight_bits=bits))
        assert not (small.packed_bytes <= BUDGET_BYTES and accuracy(small) >= least), bits


def test_the_reference_brings_the_digits_under_the_budget():
    verdict = check("own_model.small_recipe", small_recipe())
    assert verdict.passed and "Packed file 17,128 bytes (at most 18,000)" in verdict.lines[0]


DENSE = {"dense1_1": {"weight_bits": 2}}


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (qlab.Recipe(), "Lower the weight_bits of some layers"),
        (qlab.Recipe(activation_bits=4), "Activations are not stored"),
        (qlab.Recipe(weight_bits=3), "stored in 4"),
        (qlab.Recipe(overrides={"dense1_1": {"weight_bits": 5}}), "stored in 4"),
        (qlab.Recipe(weight_bits=4), "it may have 2 bits"),
        (qlab.Recipe(overrides=DENSE), "it may have 2 bits"),
        (qlab.Recipe(weight_bits=4, overrides=DENSE), "can be rounded better"),
        (qlab.Recipe(weight_bits=2, rounding="gptq"), "give them more bits"),
        (
            qlab.Recipe(2, 8, rounding="gptq", overrides={"conv1_1": {"weight_bits": 8}}),
            "give them more bits",
        ),
    ],
)
def test_a_recipe_outside_the_budget_of_the_digits_gets_its_own_hint(recipe, words):
    verdict = check("own_model.small_recipe", recipe)
    assert verdict.status == "not yet" and words in verdict.lines[1], verdict


def test_a_recipe_with_names_of_another_network_is_told_in_words():
    answer = qlab.Recipe(overrides={"dense1": {"weight_bits": 2}})
    assert "cannot be built" in check("own_model.small_recipe", answer).lines[0]


def test_only_scoring_shows_that_calibration_images_were_unscaled(model):
    _, int8 = score(qlab.Recipe())
    assert TRUTHS["unscaled"](model, qlab.data.calibration_images(64), {"int8": int8}) == "silent"


def test_the_layers_in_the_questions_are_those_of_the_model(model):
    sizes = [layer.weights.size for layer in model.layers if layer.weights is not None]
    told = [option.split(", ")[1] for option in QUESTIONS["rounding.layer"].options]
    assert told == [f"{size:,} weights" for size in sizes]
    assert (
        reveal("baseline.heaviest", int(np.argmax(sizes))).measured
        == "the dense layer with 125 units"
    )


def test_the_hardest_garment_is_among_the_options(measured):
    names = qlab.data.load().class_names
    by_class = [measured.hits[measured.labels == i].mean() for i in range(10)]
    assert names[int(np.argmin(by_class))] in QUESTIONS["baseline.hardest"].options


def test_the_noise_is_about_half_a_point(measured):
    low, high = measured.interval
    assert reveal("baseline.noise", 50 * (high - low)).measured.endswith("about 0.6 points")


@pytest.mark.parametrize("answer", [3, 3.0, np.int64(3), np.array(3)])
def test_fewest_bits_are_measured(answer):
    assert fewest_bits() == 3
    assert check("welcome.fewest_bits", answer).passed


@pytest.mark.parametrize(("answer", "words"), [(2, "below 80 %"), (4, "fewer bits"), (8, "fewer")])
def test_too_few_and_too_many_bits_get_their_own_hint(answer, words):
    assert words in check("welcome.fewest_bits", answer).lines[1]


def test_cleverness_that_is_no_number_of_bits_gets_a_general_hint():
    assert check("welcome.fewest_bits", 2.5).lines[1].startswith("Hint 1 of 3")
