"""Masks by brute force, schedules against tfmot."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qlab.arithmetic import sparsity
from qlab.arithmetic.sparsity import (
    block_mask,
    magnitude_masks,
    magnitude_ranks,
    n_of_m_mask,
    polynomial_sparsity,
    pruned_count,
    require_sparsity,
)

FRACTIONS = st.floats(0, 0.999)
WEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=6),
    elements=st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0]) | st.floats(-3, 3, width=32),
)


@functools.cache
def tfmot():
    from qlab.train.keras2 import tfmot

    return tfmot.sparsity.keras


def theirs_at(schedule, steps):
    """(whether masks are renewed, the fraction then) at each step."""
    import tensorflow as tf

    renew, fraction = schedule(tf.constant(steps))
    return renew.numpy(), np.broadcast_to(fraction.numpy(), steps.shape)


# ---- by magnitude -------------------------------------------------------------------------------
@given(st.dictionaries(st.sampled_from("abc"), WEIGHTS, min_size=1), FRACTIONS)
def test_a_global_mask_drops_exactly_the_smallest_of_all(weights, fraction):
    masks = magnitude_masks(weights, fraction)
    assert {name: mask.shape for name, mask in masks.items()} == {
        name: array.shape for name, array in weights.items()
    }
    kept = np.concatenate([np.abs(weights[x][masks[x]]) for x in weights])
    dropped = np.concatenate([np.abs(weights[x][~masks[x]]) for x in weights])
    assert len(dropped) == pruned_count(len(kept) + len(dropped), fraction)
    assert len(kept) >= 1
    assert dropped.max(initial=0) <= kept.min()


@given(st.dictionaries(st.sampled_from("abc"), WEIGHTS, min_size=1), FRACTIONS)
def test_per_layer_each_layer_is_masked_as_if_alone(weights, fraction):
    masks = magnitude_masks(weights, fraction, "per-layer")
    for name, array in weights.items():
        assert (~masks[name]).sum() == pruned_count(array.size, fraction)
        np.testing.assert_array_equal(masks[name], magnitude_masks({"x": array}, fraction)["x"])


@given(WEIGHTS, st.lists(FRACTIONS, min_size=2, max_size=2))
def test_more_sparsity_only_drops_more(weights, fractions):
    few, many = (magnitude_masks({"x": weights}, f)["x"] for f in sorted(fractions))
    assert not (many & ~few).any()


def test_of_equal_magnitudes_the_earlier_go():
    equal = {"a": np.array([1.0, -1.0]), "b": np.array([[1.0], [-1.0]])}
    masks = magnitude_masks(equal, 0.5)
    assert masks["a"].tolist() == [False, False]
    assert masks["b"].tolist() == [[True], [True]]


@pytest.mark.parametrize(
    ("mask", "pruned"),
    [
        (lambda w: magnitude_masks({"x": w}, 0.3)["x"], 300),
        (lambda w: magnitude_masks({"x": w}, 0.3, "per-layer")["x"], 300),
        (lambda w: n_of_m_mask(w, 300, 1000), 700),
        (lambda w: block_mask(w.reshape(1, -1), 0.3, (1, 1)).reshape(-1), 300),
    ],
)
def test_of_many_equal_magnitudes_the_earlier_go(mask, pruned):
    # NumPy sorts a few numbers in a way that keeps equal ones in order, and many in another way.
    weights = np.random.default_rng(0).choice(np.float32([-2, -1, -0.5, 0.5, 1, 2]), 1000)
    smallest = sorted(range(1000), key=lambda i: abs(weights[i]))[:pruned]
    assert sorted(np.flatnonzero(~mask(weights))) == sorted(smallest)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.93, 0.999])
def test_as_many_stay_as_tfmot_keeps(fraction):
    import tensorflow as tf
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

    weights = np.random.default_rng(0).normal(size=(30, 17)).astype(np.float32)
    pruning = pruning_impl.Pruning(
        lambda: 0, [], tfmot().ConstantSparsity(fraction, 0), (1, 1), "AVG"
    )
    _, theirs = pruning._update_mask(tf.constant(weights))
    ours = magnitude_masks({"x": weights}, fraction)["x"]
    np.testing.assert_array_equal(ours, theirs.numpy().astype(bool))


def test_ranks_are_a_permutation_over_all_arrays():
    weights = {"a": np.array([[0.3, -0.1]]), "b": np.array([0.2])}
    assert {k: v.tolist() for k, v in magnitude_ranks(weights).items()} == {"a": [[2, 0]], "b": [1]}
    assert magnitude_masks({}, 0.5) == {}


# ---- in patterns --------------------------------------------------------------------------------
@given(
    hnp.arrays(
        np.float32, st.tuples(*[st.integers(1, 3)] * 3), elements=st.floats(-3, 3, width=32)
    ),
    st.integers(2, 6).flatmap(lambda m: st.tuples(st.integers(1, m - 1), st.just(m))),
)
def test_n_of_m_keeps_the_largest_n_of_every_m(small, pair):
    n, m = pair
    weights = np.concatenate([small * factor for factor in range(1, m + 1)], -1)
    mask = n_of_m_mask(weights, n, m)
    rows, kept = (x.reshape(-1, m) for x in (np.abs(weights), mask))
    assert (kept.sum(1) == n).all()
    for row, keep in zip(rows, kept, strict=True):
        assert row[keep].min() >= row[~keep].max()


@pytest.mark.parametrize("block", [(1, 1), (1, 4), (4, 1), (3, 5), (6, 8)])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 0.9])
def test_blocks_are_tfmots(block, fraction):
    import tensorflow as tf
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

    weights = np.random.default_rng(1).normal(size=(12, 40)).astype(np.float32)
    pruning = pruning_impl.Pruning(
        lambda: 0, [], tfmot().ConstantSparsity(fraction, 0), list(block), "AVG"
    )
    _, theirs = pruning._maybe_update_block_mask(tf.constant(weights))
    np.testing.assert_array_equal(block_mask(weights, fraction, block), theirs.numpy() != 0)


def test_blocks_at_an_edge_count_by_their_mean():
    # tfmot pads on both sides there, so that its windows and its blocks are not the same weights.
    weights = np.array([[1.0, 1.0, 1.0, 1.0, 3.0], [2.0, 2.0, 2.0, 2.0, 0.5]])
    assert block_mask(weights, 0.5, (1, 4)).tolist() == [[False] * 4 + [True], [True] * 4 + [False]]


def test_blocks_of_a_convolution_are_those_of_its_matrix():
    weights = np.random.default_rng(2).normal(size=(4, 2, 2, 4))
    mask = block_mask(weights, 0.5, (1, 4))
    assert mask.shape == weights.shape
    assert set(mask.reshape(-1, 4).sum(1)) == {0, 4}
    assert mask.sum() == 32


# ---- by step ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("begin", "end", "initial", "final", "power", "frequency"),
    [
        (0, 1000, 0.5, 0.9, 3, 100),
        (200, 1000, 0.0, 0.8, 3, 1),
        (7, 501, 0.3, 0.3, 1, 10),
        (100, 1000, 0.5, 0.95, 0.5, 130),
    ],
)
def test_the_polynomial_staircase_is_tfmots(begin, end, initial, final, power, frequency):
    theirs = tfmot().PolynomialDecay(initial, final, begin, end, power, frequency)
    steps, held, expected = np.arange(0, end + 200), 0.0, []
    for renew, fraction in np.stack(theirs_at(theirs, steps), 1):
        held = fraction if renew else held  # what a model trained with it holds
        expected.append(held)
    ours = polynomial_sparsity(steps, begin, end, initial, final, power, frequency)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert polynomial_sparsity(int(steps[-1]), begin, end, initial, final, power, frequency) == (
        pytest.approx(expected[-1], abs=1e-6)
    )


def test_a_frequency_that_does_not_divide_the_interval_misses_the_end():
    assert polynomial_sparsity(10_000, 0, 1000, 0.0, 0.9, power=1, frequency=100) == 0.9
    assert polynomial_sparsity(10_000, 0, 1000, 0.0, 0.9, power=1, frequency=300) < 0.82


# ---- bad input ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "leaves no weights; give less, such as 0.99"),
        (1.0, "leaves no weights"),
        (90, "not percent: for 90 % give 0.9"),
        (12.5, "not percent: for 12.5 % give 0.125"),
        (-0.1, "is -0.1; give a fraction from 0 to below 1"),
        (float("nan"), "is nan; give a fraction"),
        (float("inf"), "is inf; give a fraction"),
        (100, "is 100; give a fraction"),
        (True, "is True; give a number from 0 to below 1"),
        (np.True_, "give a number from 0"),
        ("0.9", "is '0.9'; give a number"),
        (None, "give a number"),
        ([0.5], "give a number"),
    ],
)
def test_what_is_no_sparsity_is_refused_in_words(value, words):
    calls = (
        lambda: require_sparsity(value),
        lambda: magnitude_masks({"x": np.ones(3)}, value),
        lambda: block_mask(np.ones((4, 4)), value),
        lambda: polynomial_sparsity(3, 0, 10, 0.0, value),
    )
    for call in calls:
        with pytest.raises(ValueError, match=words):
            call()


def test_numpy_numbers_are_numbers():
    assert require_sparsity(np.float32(0.5)) == 0.5
    assert require_sparsity(np.int64(0)) == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: magnitude_masks({"x": np.ones(3)}, 0.5, "local"), "choose one of global, per-lay"),
        (lambda: magnitude_masks({"x": np.array([np.nan])}, 0.5), "x has NaN or infinite weights"),
        (lambda: n_of_m_mask(np.ones((2, 6)), 2, 4), r"axis -1 of \(2, 6\) has 6"),
        (lambda: n_of_m_mask(np.ones((2, 4)), 4, 4), "4 of 4: keep at least 1 and fewer than m"),
        (lambda: n_of_m_mask(np.ones((2, 4)), 0, 4), "keep at least 1"),
        (lambda: n_of_m_mask(np.ones((2, 4)), 0.5, 4), "n is 0.5; give a whole number"),
        (lambda: n_of_m_mask(np.float32(3), 2, 4), "rows that 4 divides"),
        (lambda: block_mask(np.ones((4, 4)), 0.5, (5, 1)), "5 x 1 does not fit a matrix of 4 x 4"),
        (lambda: block_mask(np.ones((4, 4)), 0.5, (0, 1)), "does not fit"),
        (lambda: block_mask(np.ones((4, 4)), 0.5, 4), r"give rows and columns, such as \(1, 4\)"),
        (lambda: block_mask(np.ones((4, 4)), 0.5, (1, True)), "columns is True"),
        (lambda: polynomial_sparsity(0, 10, 10, 0.5, 0.9), "needs 0 <= begin_step < end_step"),
        (lambda: polynomial_sparsity(0, -1, 10, 0.5, 0.9), "needs 0 <= begin_step"),
        (lambda: polynomial_sparsity(0, 0, 10, 0.9, 0.5), "pruned weights do not return"),
        (lambda: polynomial_sparsity(0, 0, 10, 0.5, 0.9, power=0), "must be above 0"),
        (lambda: polynomial_sparsity(0, 0, 10, 0.5, 0.9, frequency=0), "must be above 0"),
        (lambda: polynomial_sparsity(0, 0, 1e3, 0.5, 0.9), "end_step is 1000.0; give a whole"),
    ],
)
def test_bad_settings_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_scopes_are_those_of_the_recipe():
    from qlab import Recipe

    for scope in sparsity.SCOPES:
        assert Recipe(sparsity_scope=scope).sparsity_scope == scope
