"""What travels upward checks itself, and stays as it is."""

import dataclasses

import numpy as np
import pytest

from qlab.results import ACTIVATION_BITS, GRANULARITIES, OBSERVERS, WEIGHT_BITS, Measurement, Recipe


def test_a_measurement_counts():
    seen = Measurement(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 9]), elapsed_ms=2.5)
    assert (seen.accuracy, seen.correct, seen.n, seen.kind) == (0.75, 3, 4, "measured")
    assert seen.hits.tolist() == [True, True, True, False]
    assert seen.interval[0] < 0.75 < seen.interval[1]
    assert seen.elapsed_ms == 2.5


def test_a_measurement_stays_as_it_is():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Measurement([1], [1]).correct = 0


@pytest.mark.parametrize(
    ("predictions", "labels"), [([], []), ([1], [1, 2]), ([[1]], [[1]]), (1, 1)]
)
def test_a_measurement_needs_one_label_each(predictions, labels):
    with pytest.raises(ValueError, match="must both be"):
        Measurement(predictions, labels)


def test_a_measurement_is_of_a_known_kind():
    with pytest.raises(ValueError, match="choose one of measured, cached, simulated"):
        Measurement([1], [1], kind="guessed")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("weight_bits", WEIGHT_BITS),
        ("activation_bits", ACTIVATION_BITS),
        ("granularity", GRANULARITIES),
        ("observer", OBSERVERS),
    ],
)
def test_a_recipe_takes_every_value_of_its_lists(name, values):
    for value in values:
        assert getattr(Recipe(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight_bits", 1),
        ("weight_bits", 9),
        ("weight_bits", True),
        ("weight_bits", "8"),
        ("weight_bits", None),
        ("weight_bits", [8]),
        ("activation_bits", 16),
        ("activation_bits", 0),
        ("granularity", "per-row"),
        ("observer", "max"),
    ],
)
def test_a_value_outside_its_list_is_refused_with_the_list(name, value):
    with pytest.raises(ValueError, match=rf"{name} is .*choose one of"):
        Recipe(**{name: value})


@pytest.mark.parametrize("size", [0, -1, 1025, 1.5, "128", None, True])
def test_a_calibration_size_outside_its_limits(size):
    with pytest.raises(ValueError, match=r"calibration_size is .*choose 1 to 1024"):
        Recipe(calibration_size=size)


def test_recipes_are_values():
    first = Recipe(overrides={"b": {"weight_bits": 4, "activation_bits": 6}, "a": {}})
    second = Recipe(overrides={"a": {}, "b": {"activation_bits": 6, "weight_bits": 4}})
    assert first == second
    assert len({first, second, Recipe()}) == 2
    assert Recipe(overrides=first.overrides) == first
    assert first.replace(weight_bits=4).overrides == first.overrides
    assert first.weight_bits == 8


def test_overrides_win_layer_by_layer():
    recipe = Recipe(weight_bits=8, activation_bits=4, overrides={"dense1": {"weight_bits": 2}})
    assert recipe.bits("weight_bits", "dense1") == 2
    assert recipe.bits("activation_bits", "dense1") == 4
    assert recipe.bits("weight_bits", "conv1") == 8


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"dense1": {"weight_bits": 9}}, "dense1: weight_bits is 9; choose one of"),
        ({"dense1": {"observer": "mse"}}, "'observer' cannot be set per layer"),
    ],
)
def test_overrides_are_checked(overrides, words):
    with pytest.raises(ValueError, match=words):
        Recipe(overrides=overrides)


@pytest.mark.parametrize("overrides", [5, "dense1", {"dense1": 4}, ["dense1"], None])
def test_overrides_that_are_no_overrides(overrides):
    with pytest.raises(ValueError, match="overrides"):
        Recipe(overrides=overrides)
