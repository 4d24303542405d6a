"""The arithmetic, by property, against NumPy and against itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qlab.arithmetic.affine import (
    INTEGER_BITS,
    QuantParams,
    affine_params,
    dequantize,
    fake_quantize,
    quantize,
    symmetric_params,
)

BITS = st.sampled_from(INTEGER_BITS)
REALS = st.floats(-1e6, 1e6, width=32)
RANGES = st.tuples(REALS, REALS).map(sorted)
VECTORS = arrays.arrays(np.float32, st.integers(1, 40), elements=REALS)
MATRICES = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=REALS
)


def ends(params):
    """Smallest and largest real value that a grid has."""
    return dequantize([params.q_min, params.q_max], params).astype(np.float64)


@given(RANGES, BITS)
def test_zero_is_a_code_of_every_affine_grid(limits, bits):
    params = affine_params(*limits, bits)
    assert params.levels == 2**bits
    assert params.q_min <= params.zero_point <= params.q_max
    assert params.q_min >= -128
    assert params.q_max == 127
    assert fake_quantize(0.0, params) == 0.0


@given(RANGES, BITS)
def test_an_affine_grid_spans_its_range(limits, bits):
    params = affine_params(*limits, bits)
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    width = high - low
    if width <= 1e-6:
        low, high, width = low - 1e-6, high + 1e-6, width + 2e-6
    assert params.scale == np.float32(width / (2**bits - 1))
    # Moving the grid so that zero is on it shifts the ends by at most half a step.
    assert np.abs(ends(params) - [low, high]).max() <= params.scale * 0.5001


@given(RANGES, BITS, VECTORS)
def test_codes_stay_in_range(limits, bits, x):
    params = affine_params(*limits, bits)
    codes = quantize(x, params)
    assert codes.dtype == np.int8
    assert codes.min() >= params.q_min
    assert codes.max() <= params.q_max


@given(RANGES, BITS, st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_rounding_error_is_at_most_half_a_step_inside_the_range(limits, bits, fractions):
    params = affine_params(*limits, bits)
    low, high = ends(params)
    x = (low + (high - low) * np.array(fractions)).astype(np.float32)
    error = np.abs(x.astype(np.float64) - fake_quantize(x, params))
    # float32 carries x and scale * (q - zero_point) to 24 bits; a code is worth at most 255 steps.
    assert error.max() <= params.scale * (0.5 + 255 * 2.0**-22)


@given(RANGES, BITS, VECTORS)
def test_values_outside_the_range_go_to_its_ends(limits, bits, x):
    params = affine_params(*limits, bits)
    low, high = ends(params)
    rounded = fake_quantize(x, params)
    assert (rounded[x <= low] == np.float32(low)).all()
    assert (rounded[x >= high] == np.float32(high)).all()


@given(RANGES, BITS, VECTORS)
def test_quantization_keeps_the_order(limits, bits, x):
    codes = quantize(np.sort(x), affine_params(*limits, bits)).astype(int)
    assert (np.diff(codes) >= 0).all()


@given(RANGES, BITS, VECTORS)
def test_fake_quantization_twice_is_once(limits, bits, x):
    params = affine_params(*limits, bits)
    once = fake_quantize(x, params)
    assert np.array_equal(fake_quantize(once, params), once)
    assert np.array_equal(quantize(once, params), quantize(x, params))


@given(st.lists(st.integers(0, 255), min_size=1, max_size=30), RANGES, BITS)
def test_codes_survive_the_way_to_reals_and_back(steps, limits, bits):
    params = affine_params(*limits, bits)
    codes = (params.q_min + np.array(steps) % params.levels).astype(np.int8)
    assert np.array_equal(quantize(dequantize(codes, params), params), codes)


@given(BITS, st.floats(1e-3, 1e6))
def test_a_relu_range_puts_zero_on_the_first_code(bits, high):
    params = affine_params(0.0, high, bits)
    assert params.zero_point == params.q_min == 128 - 2**bits


def test_ties_go_to_the_even_code():
    params = QuantParams(np.float32(1.0), np.int64(0), -128, 127)
    assert quantize([0.5, 1.5, 2.5, -0.5, -1.5], params).tolist() == [0, 2, 2, 0, -2]


@given(MATRICES, BITS)
def test_symmetric_grids_are_narrow_and_reach_the_largest_weight(weights, bits):
    params = symmetric_params(weights, bits, axis=None)
    codes = quantize(weights, params)
    top = 2 ** (bits - 1) - 1
    assert (params.q_min, params.q_max, int(params.zero_point)) == (-top, top, 0)
    assert np.array_equal(quantize(-weights, params), -codes)
    if np.abs(weights).max() / top > np.finfo(np.float32).tiny:
        assert np.abs(codes).max() == top


@given(MATRICES, BITS, st.data())
def test_per_channel_is_per_tensor_channel_by_channel(weights, bits, data):
    axis = data.draw(st.integers(-weights.ndim, weights.ndim - 1))
    whole = symmetric_params(weights, bits, axis)
    assert whole.scale.shape == whole.zero_point.shape == (weights.shape[axis],)
    rounded, codes = fake_quantize(weights, whole), quantize(weights, whole)
    for channel in range(weights.shape[axis]):
        part = weights.take(channel, axis)
        alone = symmetric_params(part, bits, axis=None)
        assert alone.scale == whole.scale[channel]
        assert np.array_equal(quantize(part, alone), codes.take(channel, axis))
        assert np.array_equal(fake_quantize(part, alone), rounded.take(channel, axis))


@given(MATRICES, BITS)
def test_more_channels_never_round_worse(weights, bits):
    per_tensor = symmetric_params(weights, bits, axis=None)
    per_channel = symmetric_params(weights, bits, axis=0)
    assert (per_channel.scale[np.abs(weights).max(axis=tuple(range(1, weights.ndim))) > 1e-30]
            <= per_tensor.scale).all()  # fmt: skip


def test_a_channel_of_zeros_gets_a_scale_that_divides():
    params = symmetric_params([[0.0, 0.0], [1.0, -2.0]], 4)
    assert params.scale[0] == 1.0
    assert fake_quantize([[0.0, 0.0], [1.0, -2.0]], params).tolist()[0] == [0.0, 0.0]


def test_a_range_that_is_only_zero_is_widened_as_the_converter_does():
    params = affine_params(0.0, 0.0, 8)
    assert params.scale == pytest.approx(2e-6 / 255, rel=1e-6)
    assert params.zero_point == 0
    assert fake_quantize([0.0], params).tolist() == [0.0]


@pytest.mark.parametrize("bits", [0, 1, 9, 16, 32, -4, 4.5, "8", None])
def test_bits_that_int8_does_not_hold(bits):
    with pytest.raises(ValueError, match="2, 3, 4, 5, 6, 7 or 8 bits"):
        affine_params(0.0, 1.0, bits)
    with pytest.raises(ValueError, match="2, 3, 4, 5, 6, 7 or 8 bits"):
        symmetric_params([1.0], bits)


@pytest.mark.parametrize("limits", [(0, np.nan), (np.nan, 1), (0, np.inf), (-np.inf, 0)])
def test_a_range_that_is_not_finite(limits):
    with pytest.raises(ValueError, match="not finite"):
        affine_params(*limits)


@pytest.mark.parametrize("weights", [[1.0, np.nan], [np.inf, 1.0], [[np.nan]]])
def test_weights_that_are_not_finite(weights):
    with pytest.raises(ValueError, match="NaN or infinity"):
        symmetric_params(weights)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_no_weights(shape):
    with pytest.raises(ValueError, match="empty"):
        symmetric_params(np.zeros(shape))


@pytest.mark.parametrize("shape", [(), (2,), (3, 2), (2, 3, 4)])
def test_scales_that_do_not_match_the_array(shape):
    params = symmetric_params(np.ones((3, 2)), axis=0)
    params = QuantParams(params.scale, params.zero_point, params.q_min, params.q_max, axis=-1)
    for function in (quantize, dequantize, fake_quantize):
        with pytest.raises(ValueError, match="3 scales do not match axis -1"):
            function(np.zeros(shape), params)
