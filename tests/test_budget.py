"""Curves are what the engine measures; the choice is checked against every other choice."""

import itertools

import engine
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qlab
from qlab import Measurement, Recipe
from qlab.budget import SparsityCurve, sparsities_for_budget, sparsity_curves
from qlab.tflite.sparse_encoding import encoded_bytes
from qlab.trials.sensitivity import lowered

N = 600


def curve(name, *points):
    """A curve of points (sparsity, right answers of 100, bytes of the file)."""
    sparsities, right, sizes = zip(*points, strict=True)
    measured = [Measurement(np.arange(100) < n, np.ones(100)) for n in right]
    return SparsityCurve(name, sparsities, tuple(measured), sizes)


@pytest.fixture(scope="module")
def curves(fashion):
    test = fashion.test
    compressor = engine.compressor("baseline")
    return list(sparsity_curves(compressor, test.images[:N], test.labels[:N], (0.9, 0.5)))


def test_each_point_is_the_engine_with_that_one_layer_pruned(curves, fashion):
    compressor, test = engine.compressor("baseline"), fashion.test
    assert [x.layer for x in curves] == ["conv1", "conv2", "dense1", "logits"]
    for found in curves:
        assert found.sparsities == (0.0, 0.5, 0.9)
        for sparsity, measured, size in zip(
            found.sparsities, found.measurements, found.file_bytes, strict=True
        ):
            recipe = Recipe(32, 32, overrides={found.layer: {"sparsity": sparsity}})
            model = compressor.compress(recipe)
            expected = qlab.evaluate(model, test.images[:N], test.labels[:N])
            np.testing.assert_array_equal(measured.predictions, expected.predictions)
            assert size == encoded_bytes(model)


def test_the_files_that_it_chooses_meet_the_budget(curves):
    compressor = engine.compressor("baseline")
    for budget in (300_000, 250_000, 100_000, 60_000):
        chosen = sparsities_for_budget(curves, budget)
        recipe = lowered(Recipe(32, 32), chosen, "sparsity")
        assert encoded_bytes(compressor.compress(recipe)) <= budget
    assert sparsities_for_budget(curves, 1_000_000) == {}


def test_a_base_that_is_sparse_already_is_where_the_curves_begin(fashion):
    base = Recipe(sparsity=0.6, sparsity_scope="per-layer")
    found = next(
        sparsity_curves(
            engine.compressor("baseline"),
            fashion.test.images[:50],
            fashion.test.labels[:50],
            (0.5, 0.6, 0.8),
            base,
        )
    )
    assert found.sparsities == (0.6, 0.8)


def test_the_move_that_loses_least_for_its_bytes_comes_first():
    cheap = curve("cheap", (0, 90, 1000), (0.5, 90, 900), (0.9, 60, 700))
    dear = curve("dear", (0, 90, 1000), (0.5, 80, 800), (0.9, 78, 600))
    assert sparsities_for_budget([cheap, dear], 900) == {"cheap": 0.5}
    assert sparsities_for_budget([cheap, dear], 600) == {"dear": 0.9}
    assert sparsities_for_budget([cheap, dear], 500) == {"cheap": 0.5, "dear": 0.9}
    assert sparsities_for_budget([cheap, dear], 300) == {"cheap": 0.9, "dear": 0.9}


POINTS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 300)), min_size=1, max_size=3)


@given(st.lists(POINTS, min_size=1, max_size=3), st.integers(0, 1000))
def test_it_meets_any_budget_that_can_be_met(layers, budget):
    curves = [
        curve(str(i), (0, 90, 1000), *((0.1 * (j + 1), n, 1000 - saved)
              for j, (n, saved) in enumerate(points)))
        for i, points in enumerate(layers)
    ]  # fmt: skip
    saved = [[1000 - size for size in x.file_bytes] for x in curves]
    least = 1000 - sum(max(x) for x in saved)
    if budget < least:
        with pytest.raises(ValueError, match=f"the file has about {least:,}"):
            sparsities_for_budget(curves, budget)
        return
    chosen = sparsities_for_budget(curves, budget)
    picks = [x.sparsities.index(chosen.get(x.layer, 0)) for x in curves]
    size = 1000 - sum(x[i] for x, i in zip(saved, picks, strict=True))
    assert size <= budget
    for i, pick in enumerate(picks):  # and nothing is pruned that the budget can do without
        for less in range(pick):
            assert size + saved[i][pick] - saved[i][less] > budget


def test_on_two_layers_it_loses_little_more_than_the_best_choice():
    curves = [
        curve("a", (0, 90, 1000), (0.5, 89, 800), (0.8, 85, 650), (0.9, 70, 600)),
        curve("b", (0, 90, 1000), (0.5, 88, 900), (0.8, 84, 820), (0.9, 60, 780)),
    ]
    for budget in range(400, 1000, 20):
        if budget < 1000 - 400 - 220:
            continue
        choices = [
            (sum(90 - 100 * c.accuracies[i] for c, i in zip(curves, at, strict=True)), at)
            for at in itertools.product(range(4), range(4))
            if 1000 - sum(1000 - c.file_bytes[i] for c, i in zip(curves, at, strict=True)) <= budget
        ]
        chosen = sparsities_for_budget(curves, budget)
        at = [c.sparsities.index(chosen.get(c.layer, 0)) for c in curves]
        lost = sum(90 - 100 * c.accuracies[i] for c, i in zip(curves, at, strict=True))
        assert lost <= 2 * min(choices)[0] + 4


def test_bad_input_is_refused_in_words(curves, fashion):
    with pytest.raises(ValueError, match=r"1,000 bytes cannot be met.* the file has about"):
        sparsities_for_budget(curves, 1000)
    with pytest.raises(ValueError, match="there are no curves; sparsity_curves measures them"):
        sparsities_for_budget([], 1000)
    test = fashion.test
    for wrong in (90, 1, float("nan")):
        with pytest.raises(ValueError, match="sparsity is"):
            list(
                sparsity_curves(
                    engine.compressor("baseline"), test.images[:9], test.labels[:9], (0.5, wrong)
                )
            )
