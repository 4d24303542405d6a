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
    low, high = result.interval
    assert -1 <= low <= result.difference <= high <= 1


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
    one = Measurement([1, 1], [1, 0])
    with pytest.raises(ValueError, match="2 and 1 measurements"):
        compare([one, one], [one])
    with pytest.raises(ValueError, match="family is 0"):
        compare(one, one, family=0)


def edges(n, alpha, step):
    """Counts on both sides of where the exact test begins to tell two models apart."""
    for only_a in range(0, 100, step):
        only_b = only_a
        while metrics.mcnemar_p(only_a, only_b) >= alpha and only_a + only_b < n:
            only_b += 1
        yield from ((only_a, k) for k in (only_b - 1, only_b) if only_a + k <= n)


@pytest.mark.parametrize("family", [1, 4, 8, 100])
@pytest.mark.parametrize("n", [200, 10_000])
def test_words_interval_and_p_agree_wherever_the_test_turns(n, family):
    alpha, said = 0.05 / family, set()
    for only_a, only_b in edges(n, alpha, 7):
        told = metrics.mcnemar_p(only_a, only_b) < alpha
        low, high = metrics.paired_interval(only_a, only_b, n, alpha)
        assert (low > 0) == told and high > 0, (only_a, only_b)
        back = metrics.paired_interval(only_b, only_a, n, alpha)
        assert back == pytest.approx((-high, -low), abs=1e-12)
        said.add(told)
    assert said == {True, False}


def test_the_interval_of_a_pair_covers_what_it_should():
    rng, n, shares = np.random.default_rng(0), 2000, (0.02, 0.035)
    counts = rng.multinomial(n, [*shares, 1 - sum(shares)], 400)
    ends = np.array([metrics.paired_interval(int(a), int(b), n) for a, b, _ in counts])
    covered = (ends[:, 0] <= 0.015) & (ends[:, 1] >= 0.015)
    assert 0.94 <= covered.mean() < 0.995  # the exact test errs a little on the safe side


def seeds_by_images(rng, seeds, images, of_seed, of_image, rest):
    """Differences of which each part has a standard deviation of its own, around 0."""
    parts = (rng.normal(0, of_seed, (seeds, 1)), rng.normal(0, of_image, images))
    return sum(parts) + rng.normal(0, rest, (seeds, images))


@pytest.mark.parametrize(
    ("seeds", "noise"), [((3, 3.0)), ((5, 0.0))], ids=["bootstrap fails", "t over seeds fails"]
)
def test_the_interval_over_seeds_covers_what_it_should(seeds, noise):
    rng, images, rounds = np.random.default_rng(1), 400, 1500
    covered = by_t = by_bootstrap = 0
    for _ in range(rounds):
        table = seeds_by_images(rng, seeds, images, noise * 3 / images**0.5, 2, 5**0.5)
        low, high = metrics.crossed_interval(table)
        covered += low <= 0 <= high
        of_seed = table.mean(axis=1)
        by_t += abs(stats.ttest_1samp(of_seed, 0).pvalue) >= 0.05
        drawn = rng.choice(of_seed, (200, seeds)).mean(axis=1) + rng.normal(0, 2 / images**0.5, 200)
        ends = np.quantile(drawn, (0.025, 0.975))  # of seeds and images resampled together
        by_bootstrap += ends[0] <= 0 <= ends[1]
    assert covered / rounds > 0.915
    assert min(by_t, by_bootstrap) / rounds < 0.9


def test_seeds_that_agree_by_luck_do_not_make_the_interval_too_narrow():
    """Without the smallest mean square of the seeds, the joint one covers .94 here."""
    rng = np.random.default_rng(3)
    tables = (seeds_by_images(rng, 3, 400, 0, 0.3, 0.95) for _ in range(1000))
    ends = np.array([metrics.crossed_interval(table) for table in tables])
    assert ((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).mean() > 0.96


def test_files_that_do_not_depend_on_the_seed_have_the_interval_of_the_images():
    rng = np.random.default_rng(2)
    one = rng.choice([-1, 0, 0, 0, 1, 1], 5000)
    low, high = metrics.crossed_interval([one] * 3)
    error = np.sqrt(one.var() / one.size)
    assert (low, high) == pytest.approx(
        (one.mean() - 1.96 * error, one.mean() + 1.96 * error), abs=2e-4
    )


def test_several_seeds_are_one_comparison():
    labels = np.zeros(1000, int)

    def right(n):
        return Measurement(np.r_[np.zeros(n, int), np.ones(1000 - n, int)], labels)

    base = [right(800)] * 3
    better = compare(base, [right(n) for n in (850, 852, 848)])
    assert better.by_seed == pytest.approx((0.05, 0.052, 0.048)) and better.agree
    assert better.difference == pytest.approx(0.05)
    assert (better.verdict, better.n, better.only_a, better.only_b) == ("better", 1000, 0, 150)
    close = compare(base, [right(n) for n in (801, 850, 860)])
    assert close.agree and close.within_noise  # a fact, and no proof
    assert not compare(base, [right(n) for n in (799, 850, 860)]).agree
    worse = compare([right(n) for n in (850, 852, 848)], base)
    assert worse.verdict == "worse"
    assert worse.interval == pytest.approx((-better.interval[1], -better.interval[0]))


def test_a_family_has_wider_intervals_and_says_so():
    labels = np.zeros(1000, int)
    a = Measurement(np.r_[np.ones(100, int), labels[100:]], labels)
    b = Measurement(np.r_[np.ones(93, int), labels[93:]], labels)  # 7 gained: p is .016
    alone, four = compare(a, b), compare(a, b, family=4)
    assert (alone.verdict, four.verdict) == ("better", "too close to call")
    assert four.interval[0] <= 0 < alone.interval[0] and four.interval[1] > alone.interval[1]
    assert str(alone).startswith("+0.70 points (95 % interval 0.") and str(alone).endswith("better")
    assert "(98.75 % interval −0." in str(four)


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
