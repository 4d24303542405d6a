"""The statistics against SciPy, which knows them independently."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from qlab.arithmetic import metrics
from qlab.arithmetic.results import Measurement, compare


@given(st.integers(1, 60_000), st.floats(0, 1))
def test_wilson_interval_is_scipys(n, fraction):
    correct = round(n * fraction)
    expected = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert metrics.wilson_interval(correct, n) == pytest.approx(
        (expected.low, expected.high), abs=1e-12
    )


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_is_scipys_exact_binomial_test(only_a, only_b):
    assume(only_a + only_b)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue
    assert metrics.mcnemar_p(only_a, only_b) == pytest.approx(expected, rel=1e-8, abs=1e-300)


def test_mcnemar_of_models_that_never_differ():
    assert metrics.mcnemar_p(0, 0) == 1.0


def test_mcnemar_of_a_split_beyond_floating_point():
    assert metrics.mcnemar_p(0, 10_000) == 0.0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_compare_counts_image_by_image(rows):
    labels, first, second = (np.array(column) for column in zip(*rows, strict=True))
    result = compare(Measurement(first, labels), Measurement(second, labels))
    hits = [(a == label, b == label) for label, a, b in rows]
    assert result.only_a == hits.count((True, False))
    assert result.only_b == hits.count((False, True))
    accuracies = [metrics.accuracy(x, labels) for x in (first, second)]
    assert result.difference == pytest.approx(accuracies[1] - accuracies[0])
    assert result.within_noise == (result.p_value >= 0.05)


def test_a_paired_test_tells_a_small_steady_difference_from_noise():
    labels = np.zeros(10_000, int)
    base = Measurement(np.r_[np.ones(1000, int), np.zeros(9000, int)], labels)
    better = Measurement(np.r_[np.ones(985, int), np.zeros(9015, int)], labels)
    assert not compare(base, better).within_noise
    low, high = base.interval
    assert low < better.accuracy < high  # the intervals alone would not have told


def test_compare_refuses_other_images():
    with pytest.raises(ValueError, match="not of the same images"):
        compare(Measurement([1, 1], [1, 0]), Measurement([1, 1], [0, 1]))
    with pytest.raises(ValueError, match="not of the same images"):
        compare(Measurement([1, 1], [1, 0]), Measurement([1], [1]))


@pytest.mark.parametrize("counts", [(-1, 3), (3, -1)])
def test_mcnemar_refuses_negative_counts(counts):
    with pytest.raises(ValueError, match="negative"):
        metrics.mcnemar_p(*counts)


@pytest.mark.parametrize(("correct", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(correct, n):
    with pytest.raises(ValueError, match="0 <= correct <= n"):
        metrics.wilson_interval(correct, n)


@pytest.mark.parametrize(("predictions", "labels"), [([], []), ([1], [1, 2]), ([[1]], [1])])
def test_accuracy_needs_one_label_each(predictions, labels):
    with pytest.raises(ValueError, match="one label for each"):
        metrics.accuracy(predictions, labels)


@given(st.lists(st.sampled_from([0, 1, -2]), min_size=1))
def test_sparsity_counts_zeros(weights):
    assert metrics.sparsity(weights) == pytest.approx(weights.count(0) / len(weights))


def test_sparsity_of_nothing():
    with pytest.raises(ValueError, match="empty"):
        metrics.sparsity([])
