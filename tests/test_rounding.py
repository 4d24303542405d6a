"""Rounding by output error, by property, against searches and the published algorithm."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qlab
from qlab.arithmetic.affine import dequantize, fake_quantize, quantize, symmetric_params
from qlab.arithmetic.moments import input_moments, patch_moments
from qlab.arithmetic.rounding import (
    SHARES,
    bias_correction,
    curvature,
    equalizing_scales,
    gptq,
    least_squares_scale,
    moment_scale,
    output_error,
)
from qlab.tflite import runtime

SEEDS = st.integers(0, 10**6)
BITS = st.integers(2, 8)
ROWS = INPUTS = st.integers(1, 12)


def correlated(random, count, inputs):
    """Inputs that share causes, as pixels do; some that are always 0, and one that is constant."""
    causes = random.normal(size=(count, max(1, inputs // 3)))
    found = causes @ random.normal(size=(causes.shape[1], inputs))
    found += 0.3 * random.normal(size=found.shape)
    found = np.maximum(found, 0) * (random.random(inputs) < 0.9)
    found[:, 0] = 1
    return found.astype(np.float32)


@st.composite
def layers(draw):
    """Weights with a share of zeros, second moments of a few or many inputs, and a grid."""
    random = np.random.default_rng(draw(SEEDS))
    rows, inputs, bits = draw(ROWS), draw(INPUTS), draw(BITS)
    weights = random.standard_t(3, size=(rows, inputs)).astype(np.float32)
    weights *= random.random(weights.shape) < draw(st.sampled_from([1.0, 0.5]))
    count = draw(st.sampled_from([1, 3, 40]))
    grid = symmetric_params(weights, bits, draw(st.sampled_from([0, None])))
    share = np.float32(draw(st.sampled_from([1.0, 0.6])))
    return weights, grid.scale * share, bits, input_moments(correlated(random, count, inputs))


def nearest(weights, scale, bits):
    top = 2 ** (bits - 1) - 1
    codes = np.rint(np.asarray(weights, np.float32) / np.reshape(np.float32(scale), (-1, 1)))
    return np.clip(codes, -top, top)


def published(weights, scale, bits, moments, damping=0.01):
    """Frantar et al. 2023, algorithm 1, written down without blocks."""
    inputs, top = len(moments), 2 ** (bits - 1) - 1
    order = np.argsort(-np.diag(moments), kind="stable")
    damped = moments + np.eye(inputs) * damping * np.trace(moments) / inputs
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left, codes = weights[:, order].astype(np.float64), np.zeros(weights.shape)
    for j in range(inputs):
        codes[:, order[j]] = np.clip(np.rint(left[:, j] / scale), -top, top)
        error = (left[:, j] - codes[:, order[j]] * scale) / upper[j, j]
        left[:, j:] -= np.outer(error, upper[j, j:])
    return codes


# GPTQ


@settings(max_examples=200)
@given(layers())
def test_no_row_is_worse_than_nearest_and_codes_and_zeros_are_kept(layer):
    weights, scale, bits, seen = layer
    codes = gptq(weights, scale, bits, curvature(seen.second))
    assert codes.dtype == np.int8
    assert codes.shape == weights.shape
    assert np.abs(codes).max() <= 2 ** (bits - 1) - 1
    assert (codes[weights == 0] == 0).all()
    before = output_error(weights, nearest(weights, scale, bits), scale, seen.second)
    assert (output_error(weights, codes, scale, seen.second) <= before).all()


@given(layers(), SEEDS)
def test_inputs_that_have_nothing_in_common_are_rounded_to_nearest(layer, seed):
    weights, scale, bits, _ = layer
    alone = np.diag(np.random.default_rng(seed).choice([0.0, 0.5, 7.0], weights.shape[1]))
    codes = gptq(weights, scale, bits, curvature(alone))
    np.testing.assert_array_equal(codes, nearest(weights, scale, bits))


@given(layers(), st.integers(1, 13))
def test_blocks_change_nothing(layer, block):
    weights, scale, bits, seen = layer
    curved = curvature(seen.second)
    np.testing.assert_array_equal(
        gptq(weights, scale, bits, curved, block=block), gptq(weights, scale, bits, curved)
    )


@pytest.mark.parametrize(("rows", "inputs"), [(3, 90), (90, 7), (20, 70)])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_it_is_the_published_algorithm_where_that_helps(rows, inputs, bits):
    random = np.random.default_rng(inputs + bits)
    weights = random.normal(size=(rows, inputs)).astype(np.float32)
    seen = input_moments(correlated(random, 300, inputs)).second
    scale = symmetric_params(weights, bits).scale
    codes, wanted = (
        gptq(weights, scale, bits, curvature(seen)),
        published(weights, scale, bits, seen[0]),
    )
    plain = nearest(weights, scale, bits)
    error, before = (output_error(weights, x, scale, seen) for x in (wanted, plain))
    helped = error < before
    assert helped.mean() > 0.6
    np.testing.assert_array_equal(codes[helped], wanted[helped])
    np.testing.assert_array_equal(codes[~helped], plain[~helped])


def test_a_row_is_mostly_close_to_the_best_of_all_codes():
    random, best_of_all, improvable, closer = np.random.default_rng(5), 0, 0, 0
    every = np.array(list(itertools.product([-1, 0, 1], repeat=4)))
    for _ in range(200):
        weights = random.normal(size=(1, 4)).astype(np.float32)
        scale = symmetric_params(weights, 2).scale
        seen = input_moments(random.normal(size=(20, 2)) @ random.normal(size=(2, 4)) + 0.5).second
        best = output_error(np.repeat(weights, len(every), 0), every, scale[0], seen).min()
        [plain] = output_error(weights, nearest(weights, scale, 2), scale, seen)
        [found] = output_error(weights, gptq(weights, scale, 2, curvature(seen)), scale, seen)
        assert best * (1 - 1e-9) <= found <= plain
        best_of_all += found <= best * (1 + 1e-9)
        if plain > best * (1 + 1e-9):
            improvable += 1
            closer += found - best < (plain - best) / 2
    assert best_of_all > 120
    assert closer > 0.6 * improvable > 60


def test_the_input_of_most_curvature_is_rounded_first():
    # The first takes 0.4 to 0, and what that costs is asked of the second: 0.4 + 0.4 * 5 / 3.
    strong_first = gptq([[0.4, 0.4]], 1.0, 4, curvature([[9.0, 5.0], [5.0, 3.0]]))
    assert strong_first.tolist() == [[0, 1]]
    assert gptq([[0.4, 0.4]], 1.0, 4, curvature([[3.0, 5.0], [5.0, 9.0]])).tolist() == [[1, 0]]


def test_others_make_up_for_a_weight_that_must_be_zero():
    alike = curvature([[1.0, 0.99], [0.99, 1.0]])
    assert gptq([[2.0, 1.0]], 1.0, 4, alike).tolist() == [[2, 1]]
    assert gptq([[2.0, 1.0]], 1.0, 4, alike, [[True, False]]).tolist() == [[0, 3]]
    assert gptq([[2.0, 1.0]], 1.0, 4, alike, [[False, True]]).tolist() == [[2, 0]]  # too late


@given(st.integers(1, 5), st.integers(1, 4), SEEDS)
def test_groups_are_layers_of_their_own(groups, rows, seed):
    random = np.random.default_rng(seed)
    weights = random.normal(size=(groups * rows, 6)).astype(np.float32)
    seen = [input_moments(correlated(random, 30, 6)) for _ in range(groups)]
    moments, mean = np.concatenate([x.second for x in seen]), np.concatenate([x.mean for x in seen])
    scale, curved = symmetric_params(weights, 3).scale, curvature(moments)
    parts = [slice(i * rows, (i + 1) * rows) for i in range(groups)]

    def apart(ask):
        return np.concatenate([ask(i, x.second, x.mean) for i, x in zip(parts, seen, strict=True)])

    codes = gptq(weights, scale, 3, curved)
    wanted = apart(lambda i, second, _: gptq(weights[i], scale[i], 3, curvature(second)))
    np.testing.assert_array_equal(codes, wanted)
    np.testing.assert_allclose(
        output_error(weights, codes, scale, moments),
        apart(lambda i, second, _: output_error(weights[i], codes[i], scale[i], second)),
    )
    np.testing.assert_array_equal(
        moment_scale(weights, 3, curved),
        apart(lambda i, second, _: moment_scale(weights[i], 3, curvature(second))),
    )
    np.testing.assert_allclose(
        bias_correction(weights, codes * scale[:, None], mean),
        apart(lambda i, _, mean: bias_correction(weights[i], codes[i] * scale[i, None], mean)),
        atol=1e-9,
    )


@pytest.mark.parametrize(
    "inputs", [np.zeros((9, 5)), np.ones((9, 5)), np.arange(5.0)[None], np.full((4, 5), 1e-18)]
)
def test_singular_moments_have_an_answer(inputs):
    weights = np.random.default_rng(3).normal(size=(4, 5)).astype(np.float32)
    scale, curved = symmetric_params(weights, 3).scale, curvature(input_moments(inputs).second)
    codes, plain = gptq(weights, scale, 3, curved), nearest(weights, scale, 3)
    errors = [output_error(weights, x, scale, curved.moments).sum() for x in (codes, plain)]
    if inputs.any():
        assert errors[0] < errors[1]
    else:
        np.testing.assert_array_equal(codes, plain)
        np.testing.assert_array_equal(moment_scale(weights, 3, curved), scale)


# Ranges


@given(layers())
def test_output_error_is_the_mean_square_over_the_inputs(layer):
    weights, scale, bits, _ = layer
    inputs = correlated(np.random.default_rng(1), 17, weights.shape[1])
    codes = nearest(weights, scale, bits)
    moved = inputs @ (weights - codes * np.reshape(np.float64(scale), (-1, 1))).T
    found = output_error(weights, codes, scale, input_moments(inputs).second)
    np.testing.assert_allclose(found, (moved**2).mean(0), rtol=1e-4, atol=1e-6)


@given(layers(), st.sampled_from([0, None]), st.sampled_from(["nearest", "gptq"]))
def test_no_share_that_was_tried_beats_the_range_by_moments(layer, axis, rounding):
    weights, _, bits, seen = layer
    curved, largest = curvature(seen.second), symmetric_params(weights, bits, axis).scale
    damped = seen.second + np.eye(weights.shape[1]) * 0.01 * np.trace(seen.second[0]) / len(
        seen.second[0]
    )

    def error(scale):
        if rounding == "gptq":
            by_row = np.broadcast_to(scale, len(weights))
            codes = published(weights, by_row, bits, seen.second[0]) * (weights != 0)
        else:
            codes = nearest(weights, scale, bits)
        found = output_error(weights, codes, scale, damped)
        return found.sum() if axis is None else found

    scale = moment_scale(weights, bits, curved, axis, rounding)
    assert scale.dtype == np.float32
    assert scale.shape == largest.shape
    assert np.isin((scale / largest).round(4), SHARES.round(4)).all()
    if rounding == "nearest" or weights.all():  # `published` does not know of zeros that stay
        tried = [error(largest * share) for share in SHARES]
        assert (error(scale) <= np.min(tried, 0) * 1.001 + 1e-9).all()


@given(layers(), st.sampled_from([0, None]))
def test_least_squares_is_a_fixed_point_and_not_worse_than_the_largest_weight(layer, axis):
    weights, _, bits, _ = layer
    largest = symmetric_params(weights, bits, axis)
    scale = least_squares_scale(weights, bits, axis)
    assert scale.dtype == np.float32
    assert scale.shape == largest.scale.shape
    assert (scale <= largest.scale * 1.00001).all()
    flat = None if axis is None else 1
    codes = nearest(weights, scale, bits)
    error = ((weights - codes * scale.reshape(-1, 1)) ** 2).sum(flat)
    before = ((weights - fake_quantize(weights, largest)) ** 2).sum(flat)
    assert (error <= before * 1.0001 + 1e-9).all()
    fitted = (weights * codes).sum(flat) / np.maximum((codes**2).sum(flat), 1)
    inside = weights.any(flat) & (scale < largest.scale * 0.999)
    np.testing.assert_allclose(fitted[inside], scale[inside], rtol=1e-4)


# Bias and equalization


@given(layers())
def test_the_mean_output_is_what_it_was(layer):
    weights, scale, bits, _ = layer
    inputs = correlated(np.random.default_rng(2), 30, weights.shape[1]).astype(np.float64)
    rounded = (nearest(weights, scale, bits) * np.reshape(scale, (-1, 1))).astype(np.float32)
    added = bias_correction(weights, rounded, input_moments(inputs).mean)
    before, after = inputs @ weights.T, inputs @ rounded.T + added
    np.testing.assert_allclose(after.mean(0), before.mean(0), atol=1e-5)


@given(SEEDS, st.integers(1, 9))
def test_equalized_layers_have_one_range_a_channel_and_the_same_outputs(seed, channels):
    random = np.random.default_rng(seed)
    first = random.normal(size=(channels, 5)) * 10.0 ** random.integers(-4, 4, (channels, 1))
    second, x = random.normal(size=(3, channels)), random.normal(size=5)
    first[random.random(channels) < 0.2] = 0
    second[:, random.random(channels) < 0.2] = 0
    scales = equalizing_scales(np.abs(first).max(1), np.abs(second).max(0))
    left, right = first / scales[:, None], second * scales
    alive = first.any(1) & second.any(0)
    np.testing.assert_allclose(np.abs(left).max(1)[alive], np.abs(right).max(0)[alive])
    assert (scales[~alive] == 1).all()
    np.testing.assert_allclose(
        right @ np.maximum(left @ x, 0), second @ np.maximum(first @ x, 0), atol=1e-9
    )


# Moments


def patches_by_loop(images, kernel, strides, padding, dilations):
    """Every patch of every image, by the words of the TFLite reference kernels."""
    found, size = [], images.shape[1:3]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if padding == "SAME":
        places = [-(-n // s) for n, s in zip(size, strides, strict=True)]
    else:
        places = [-(-(n - e + 1) // s) for n, e, s in zip(size, spans, strides, strict=True)]
    pads = [
        max((p - 1) * s + e - n, 0) // 2
        for p, s, e, n in zip(places, strides, spans, size, strict=True)
    ]
    for image, y, x in itertools.product(images, range(places[0]), range(places[1])):
        patch = np.zeros((*kernel, images.shape[3]))
        for i, j in np.ndindex(*kernel):
            row = y * strides[0] - pads[0] + i * dilations[0]
            column = x * strides[1] - pads[1] + j * dilations[1]
            if 0 <= row < size[0] and 0 <= column < size[1]:
                patch[i, j] = image[row, column]
        found.append(patch)
    return np.array(found)


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=150)
@given(SEEDS, PAIRS, PAIRS, PAIRS, st.sampled_from(["SAME", "VALID"]), st.sampled_from([1, 2, 4]))
def test_patch_moments_are_those_of_a_loop(seed, kernel, strides, dilations, padding, groups):
    random = np.random.default_rng(seed)
    images = random.normal(size=(random.integers(1, 4), *random.integers(7, 10, 2), 4))
    seen = patch_moments(images, kernel, strides, padding, dilations, groups)
    patches = patches_by_loop(images, kernel, strides, padding, dilations)
    patches = np.stack(np.split(patches, groups, -1)).reshape(groups, len(patches), -1)
    assert seen.count == patches.shape[1]
    np.testing.assert_allclose(seen.mean, patches.mean(1), atol=1e-5)
    wanted = patches.swapaxes(1, 2) @ patches / seen.count
    np.testing.assert_allclose(seen.second, wanted, atol=1e-5)


def test_how_moments_are_cut_into_batches_does_not_matter(monkeypatch):
    images = np.random.default_rng(4).random((9, 8, 8, 3), np.float32) + 100
    whole = patch_moments(images, (3, 3))
    parts = patch_moments(images[:4], (3, 3)) + patch_moments(images[4:], (3, 3))
    monkeypatch.setattr("qlab.arithmetic.moments.AT_ONCE", 100)
    monkeypatch.setattr("qlab.arithmetic.moments.SUMMED", 7)
    for other in (parts, patch_moments(images, (3, 3))):
        assert other.count == whole.count
        np.testing.assert_allclose(other.second, whole.second, rtol=1e-6)
        np.testing.assert_allclose(other.mean, whole.mean, rtol=1e-6)


def test_float32_sums_do_not_drift():
    inputs = np.full((3_000_000, 1), 0.1, np.float32)
    assert input_moments(inputs).second == pytest.approx(np.float64(np.float32(0.1)) ** 2, rel=1e-5)


# Refusals, and the shipped baseline


SEEN = curvature(np.eye(2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: input_moments([[np.nan, 1]]), "an input is NaN"),
        (lambda: input_moments([[1e30, 1]]), "too large"),
        (lambda: input_moments([1.0, 2.0]), "one row or more"),
        (lambda: input_moments(np.zeros((0, 3))), "one row or more"),
        (lambda: input_moments([[1.0]]) + input_moments([[1.0, 2.0]]), "different inputs"),
        (lambda: patch_moments(np.ones((4, 4, 1)), (2, 2)), "give NHWC"),
        (lambda: patch_moments(np.ones((1, 4, 4, 3)), (2, 2), groups=2), "into 2 groups"),
        (lambda: patch_moments(np.ones((1, 4, 4, 3)), (5, 2)), "larger than"),
        (lambda: patch_moments(np.ones((1, 4, 4, 3)), (2, 2), (0, 1)), "1 or more"),
        (lambda: patch_moments(np.ones((1, 4, 4, 3)), (2, 2), padding="same"), "SAME or VALID"),
        (lambda: curvature([[1.0, np.nan], [0.0, 1.0]]), "moments hold NaN"),
        (lambda: curvature([1.0, 2.0]), "inputs x inputs"),
        (lambda: curvature(np.ones((2, 2)), damping=0), "damping is 0"),
        (lambda: curvature(np.ones((2, 2)) - np.eye(2)), "too little"),
        (lambda: gptq([[np.nan, 1.0]], 1.0, 4, SEEN), "weights hold NaN"),
        (lambda: gptq([1.0, 1.0], 1.0, 4, SEEN), "a row for each output"),
        (lambda: gptq([[1.0, 1.0, 1.0]], 1.0, 4, SEEN), "1 groups of 2 inputs do not fit"),
        (lambda: gptq([[1.0, 1.0]], [1.0, 1.0], 4, SEEN), "scales"),
        (lambda: gptq([[1.0, 1.0]], 0.0, 4, SEEN), "not a finite number above 0"),
        (lambda: gptq([[1.0, 1.0]], 1.0, 9, SEEN), "bits is 9"),
        (lambda: gptq([[1.0, 1.0]], 1.0, 4, SEEN, [True, True]), "zeros"),
        (lambda: gptq([[1.0, 1.0]], 1.0, 4, SEEN, block=0), "block is 0"),
        (lambda: gptq(np.zeros((0, 2)), 1.0, 4, SEEN), "no weights"),
        (lambda: output_error([[1.0, 1.0]], [[1]], 1.0, np.eye(2)), "codes"),
        (lambda: moment_scale([[1.0, 1.0]], 4, SEEN, rounding="up"), "rounding is 'up'"),
        (lambda: moment_scale([[1.0]], 4, SEEN), "do not fit"),
        (lambda: least_squares_scale([[np.inf]], 4), "weights hold NaN or infinity"),
        (lambda: bias_correction([[1.0, 1.0]], [[1.0]], [1.0, 1.0]), "dequantized weights"),
        (lambda: bias_correction([[1.0, 1.0]], [[1.0, 1.0]], [1.0]), "do not fit"),
        (lambda: equalizing_scales([1.0], [1.0, 2.0]), "pass a pair"),
        (lambda: equalizing_scales([-1.0], [1.0]), "not below 0"),
    ],
)
def test_what_cannot_be_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_on_the_baseline_three_bits_move_every_layer_less():
    model, images = qlab.pretrained("baseline"), qlab.data.calibration_images(128)
    for layer in (x for x in model.layers if x.weights is not None):
        [(_, [values])] = runtime.activations(model, images, [layer.inputs[0]], len(images))
        dense = layer.weights.ndim == 2
        seen = input_moments(values) if dense else patch_moments(values, layer.weights.shape[1:3])
        weights, curved = layer.weights.reshape(len(layer.weights), -1), curvature(seen.second)
        grid = symmetric_params(weights, 3)
        kept = quantize(weights, grid)
        plain = output_error(weights, kept, grid.scale, seen.second).sum()
        codes = gptq(weights, grid.scale, 3, curved)
        moved = output_error(weights, codes, grid.scale, seen.second).sum()
        better = moment_scale(weights, 3, curved)
        least = output_error(weights, gptq(weights, better, 3, curved), better, seen.second).sum()
        assert moved < 0.7 * plain
        assert least < 0.9 * moved
        added = bias_correction(weights, dequantize(codes, grid), seen.mean)
        assert np.abs(added).max() > 0
