"""Calibration, by property, against the same question asked of NumPy about the raw values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qlab.arithmetic.affine import affine_params, fake_quantize
from qlab.arithmetic.observers import BINS, activation_range, merge, observe

VALUES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 12)),
    elements=st.floats(-1e5, 1e5, width=32),
)


def seen_in(values, batch=4):
    """Observation of values of shape (images, ...), streamed in batches."""
    [seen] = observe(
        lambda: ((i, [values[i : i + batch]]) for i in range(0, len(values), batch)), len(values)
    )
    return seen


@given(VALUES, st.integers(1, 9), st.data())
def test_min_max_of_any_prefix(values, batch, data):
    seen = seen_in(values, batch)
    size = data.draw(st.integers(1, len(values)))
    prefix = values[:size]
    low, high = activation_range(seen, size)
    assert (low, high) == (min(prefix.min(), 0), max(prefix.max(), 0))


@given(VALUES, st.integers(1, 9), st.data())
def test_the_histogram_of_any_prefix_is_numpys(values, batch, data):
    seen = seen_in(values, batch)
    size = data.draw(st.integers(1, len(values)))
    counts = seen.histogram(size)
    assert counts.sum() == values[:size].size
    assert len(seen.edges) == BINS + 1
    assert seen.edges[0] <= min(values.min(), 0)
    assert seen.edges[-1] >= max(values.max(), 0)
    if seen.edges[-1] - seen.edges[0] > 1e-30:  # narrower, all are in one bin
        expected, _ = np.histogram(values[:size], seen.edges)
        # A value at the edge of a bin may fall on either side in float32: cumulated, never far.
        gap = np.abs(np.cumsum(counts) - np.cumsum(expected))
        near = np.abs(values[:size].reshape(-1, 1) - seen.edges) <= 1e-5 * np.abs(seen.edges).max()
        assert gap.max() <= near.any(axis=1).sum()


@given(VALUES)
def test_how_the_stream_is_cut_does_not_matter(values):
    whole = seen_in(values, batch=len(values))
    for batch in (1, 2, 3):
        parts = seen_in(values, batch)
        assert np.array_equal(parts.counts, whole.counts)
        assert np.array_equal(parts.low, whole.low)
        assert np.array_equal(parts.high, whole.high)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from(["normal", "relu", "heavy"]), st.integers(1, 8))
def test_percentile_is_numpys_to_a_bin(seed, kind, size):
    random = np.random.default_rng(seed)
    values = random.normal(size=(8, 5000)).astype(np.float32)
    values = {"normal": values, "relu": np.maximum(values, 0), "heavy": values**3}[kind]
    seen, prefix = seen_in(values), values[:size]
    low, high = activation_range(seen, size, "percentile")
    width, tail = seen.edges[1] - seen.edges[0], prefix.size / 1000
    assert (prefix > high + width).sum() <= tail <= (prefix > high - width).sum()
    if kind == "relu":
        assert low == 0
    else:
        assert (prefix < low - width).sum() <= tail <= (prefix < low + width).sum()


def clipping_error(values, low, high, bits):
    return float(((values - fake_quantize(values, affine_params(low, high, bits))) ** 2).sum())


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 4, 6]), st.booleans())
def test_mse_clips_so_that_no_other_fraction_is_much_better(seed, bits, signed):
    random = np.random.default_rng(seed)
    values = random.standard_t(4, size=(4, 4000)).astype(np.float32)
    values = values if signed else np.maximum(values, 0)
    low, high = activation_range(seen_in(values), 4, "mse", bits)
    full = activation_range(seen_in(values), 4)
    best = min(
        clipping_error(values, full[0] * f, full[1] * f, bits) for f in np.linspace(0.21, 1, 80)
    )
    assert clipping_error(values, low, high, bits) <= 1.05 * best


def test_mse_beats_min_max_where_there_is_an_outlier():
    values = np.abs(np.random.default_rng(0).normal(size=(1, 10_000))).astype(np.float32)
    values[0, 0] = 50
    seen = seen_in(values)
    for bits in (2, 4):
        clipped = clipping_error(values[:, 1:], *activation_range(seen, 1, "mse", bits), bits)
        assert clipped < clipping_error(values[:, 1:], *activation_range(seen, 1), bits)
    assert activation_range(seen, 1, "percentile")[1] < 5


@given(VALUES, st.data())
def test_every_observer_gives_a_range_around_zero_inside_min_max(values, data):
    seen = seen_in(values)
    size = data.draw(st.integers(1, len(values)))
    outer = activation_range(seen, size)
    for observer in ("percentile", "mse"):
        for bits in (2, 8):
            low, high = activation_range(seen, size, observer, bits)
            assert outer[0] <= low <= 0 <= high <= outer[1]
            assert affine_params(low, high, bits).scale > 0


@given(VALUES, st.data())
def test_merging_is_observing_both(values, data):
    other = data.draw(
        arrays.arrays(np.float32, (len(values), 3), elements=st.floats(-9, 9, width=32))
    )
    merged = merge([seen_in(values), seen_in(other)])
    both = seen_in(np.concatenate([values, other], axis=1))
    assert np.array_equal(merged.low, both.low)
    assert np.array_equal(merged.high, both.high)
    assert np.allclose(merged.edges, both.edges)
    for size in (1, len(values)):
        assert merged.histogram(size).sum() == both.histogram(size).sum()
        gap = np.abs(np.cumsum(merged.histogram(size)) - np.cumsum(both.histogram(size)))
        assert gap[-1] == 0


def test_merging_one_is_that_one():
    seen = seen_in(np.ones((2, 3), np.float32))
    assert merge([seen]) is seen


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e-38, 1e-42, 3e38, -3e38])
def test_constant_activations(value):
    seen = seen_in(np.full((3, 7), value, np.float32))
    for observer in ("min-max", "percentile", "mse"):
        low, high = activation_range(seen, 3, observer, 4)
        assert low <= 0 <= high
        assert np.isfinite([low, high]).all()
    assert seen.histogram(3).sum() == 21
    assert seen.histogram(1).sum() == 7


@pytest.mark.filterwarnings("ignore:overflow encountered")  # which gives the last bin: right
def test_extremes_of_float32_at_once():
    largest = np.finfo(np.float32).max
    seen = seen_in(np.array([[-largest, 0, 1, largest]], np.float32))
    assert activation_range(seen, 1) == (-largest, largest)
    assert seen.histogram(1).sum() == 4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_activation_that_is_not_finite(value):
    values = np.ones((5, 4), np.float32)
    values[3, 2] = value
    with pytest.raises(ValueError, match="an activation is NaN or infinite"):
        seen_in(values)


@pytest.mark.parametrize("size", [0, -1, 4, 1000])
def test_a_calibration_size_that_there_is_not(size):
    with pytest.raises(ValueError, match=f"calibration_size is {size}; there are 1 to 3"):
        activation_range(seen_in(np.ones((3, 2), np.float32)), size)


def test_an_observer_that_there_is_not():
    with pytest.raises(ValueError, match="choose one of min-max, percentile, mse"):
        activation_range(seen_in(np.ones((3, 2), np.float32)), 1, "median")
