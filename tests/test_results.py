"""What travels upward checks itself, and stays as it is."""

import dataclasses

import numpy as np
import pytest

from qlab.arithmetic.results import Measurement
from qlab.engine.recipes import ACTIVATION_BITS, GRANULARITIES, OBSERVERS, WEIGHT_BITS, Recipe


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


def test_a_recipe_keeps_the_lists_own_values_so_that_equal_ones_make_equal_files():
    odd = Recipe(8.0, 8.0, calibration_size=np.int64(128))
    assert odd == Recipe()
    assert repr(odd) == repr(Recipe())


def test_recipes_are_values():
    first = Recipe(overrides={"b": {"weight_bits": 4, "activation_bits": 6}, "a": {}})
    second = Recipe(overrides={"a": {}, "b": {"activation_bits": 6, "weight_bits": 4}})
    assert first == second
    assert len({first, second, Recipe()}) == 2
    assert Recipe(overrides=first.overrides) == first
    assert first.replace(weight_bits=4).overrides == first.overrides
    assert first.weight_bits == 8


def test_pruning_and_clustering_are_off_unless_asked_for():
    recipe = Recipe()
    assert (recipe.sparsity, recipe.sparsity_scope, recipe.clusters) == (0.0, "global", None)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5), np.float64(0.5), 0.999])
def test_a_sparsity_is_a_plain_float(value):
    recipe = Recipe(sparsity=value)
    assert type(recipe.sparsity) is float
    assert recipe == Recipe(sparsity=float(value))
    assert len({recipe, Recipe(sparsity=float(value))}) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "sparsity is 1, which leaves no weights; give less, such as 0.99"),
        (90, "sparsity is 90; it is a fraction, not percent: for 90 % give 0.9"),
        (-0.5, "sparsity is -0.5; give a fraction from 0 to below 1"),
        (float("nan"), "sparsity is nan; give a fraction"),
        (True, "sparsity is True; give a number"),
        ("80 %", "sparsity is '80 %'; give a number"),
    ],
)
def test_what_is_no_sparsity(value, words):
    with pytest.raises(ValueError, match=words):
        Recipe(sparsity=value)
    with pytest.raises(ValueError, match=f"dense1: {words}"):
        Recipe(overrides={"dense1": {"sparsity": value}})


def test_a_scope_is_one_of_two():
    assert Recipe(sparsity_scope="per-layer").sparsity_scope == "per-layer"
    with pytest.raises(ValueError, match="choose one of global, per-layer"):
        Recipe(sparsity_scope="local")


@pytest.mark.parametrize("value", [1, 257, 0, -2, 16.0, True, "16", float("nan")])
def test_what_is_no_number_of_clusters(value):
    with pytest.raises(ValueError, match=r"clusters is .*2 to 256"):
        Recipe(clusters=value)
    with pytest.raises(ValueError, match=r"conv1: clusters is .*2 to 256"):
        Recipe(overrides={"conv1": {"clusters": value}})


def test_a_layer_has_its_own_settings_or_those_of_all():
    own = {"a": {"sparsity": 0.0, "clusters": None}, "b": {"clusters": np.int64(4)}}
    recipe = Recipe(sparsity=0.5, clusters=16, overrides=own)
    settings = [[recipe.setting(x, y) for x in ("sparsity", "clusters")] for y in "abc"]
    assert settings == [[0.0, None], [0.5, 4], [0.5, 16]]
    assert recipe.setting("weight_bits", "a") == recipe.bits("weight_bits", "a") == 8
    assert hash(recipe) == hash(Recipe(sparsity=0.5, clusters=16, overrides=own))


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
