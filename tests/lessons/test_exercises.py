"""Every exercise: the reference passes, each classic mistake gets its own hint."""

import _thread
import inspect
import re
import signal
import time

import answers_claims
import answers_combine
import answers_distillation
import answers_giant
import answers_own_model
import answers_pruning
import answers_rounding
import numpy as np
import pytest

from qlab.arithmetic import affine, metrics
from qlab.lessons import check, memory, solution
from qlab.lessons.exercises import EXERCISES, untouched

NEEDS_MODEL = ("welcome.fewest_bits", "baseline.float32_bytes", "rounding.mixed_recipe")
NEEDS_MODEL += ("pruning.export", "clustering.sparse_recipe", "own_model.small_recipe")
NEEDS_MODEL += ("combine.fits_board",)
MUSEUM = {id for id in EXERCISES if id.startswith("museum.")}  # see test_museum.py
FUNCTIONS = sorted(set(EXERCISES) - set(NEEDS_MODEL) - MUSEUM)


def judged(id, answer):
    """What the judge of an exercise says of an answer: a status, or the error it stopped with."""
    try:
        finding = EXERCISES[id].judge(answer)
    except Exception as error:
        return f"the judge stopped with {error!r}"
    if not finding.attempted:
        return "not attempted yet"
    return "not yet" if finding.problem else "correct"


# Correct answers, written in as many ways as learners write them.


def looped_accuracy(predictions, labels):
    right = 0
    for p, y in zip(predictions, labels, strict=True):
        if p == y:
            right += 1
    return right / len(labels)


def looped_discordant(a, b, labels):
    counts = [0, 0]
    for p, q, y in zip(a, b, labels, strict=True):
        counts[0] += int(p == y != q)
        counts[1] += int(q == y != p)
    return counts


def wilson_as_array(correct, n):
    z, p = 1.96, correct / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return np.array([p + z * z / (2 * n) - half, p + z * z / (2 * n) + half]) / (1 + z * z / n)


def affine_by_hand(low, high, bits):
    low, high = min(low, 0), max(high, 0)
    scale = (high - low) / (2**bits - 1)
    return scale, round(128 - 2**bits - low / scale)


def affine_ties_up(low, high, bits):
    low, high = min(low, 0), max(high, 0)
    scale = np.float32((high - low) / (2**bits - 1))
    return np.array([scale, np.floor(127 - high / scale + 0.5)])


def half_up(x, params):
    q = np.floor(np.asarray(x, np.float64) / params.scale + params.zero_point + 0.5)
    return np.clip(q, params.q_min, params.q_max).astype(np.int32)


def looped_quantize(x, params):
    if np.ndim(x):
        return [looped_quantize(v, params) for v in x]
    return max(
        params.q_min, min(params.q_max, round(float(x / params.scale)) + int(params.zero_point))
    )


def wide_dequantize(q, params):
    return (q.astype(np.int64) - params.zero_point) * np.float64(params.scale)


def looped_channel_scales(weights, bits):
    return [max(abs(float(v)) for v in w.ravel()) / (2 ** (bits - 1) - 1) for w in weights]


def kept_axes_channel_scales(weights, bits):
    axes = tuple(range(1, weights.ndim))
    return np.abs(weights).max(axis=axes, keepdims=True) / (2 ** (bits - 1) - 1)


def one_by_one(images):
    for i in range(len(images)):
        yield (images[i : i + 1] / np.float32(255),)


def as_a_list(images):
    return [[np.float32(image[None]) / 255] for image in images]


def layer_in_floats(codes, weights, bias, zero_in, multiplier, shift, zero_out):
    sums = (codes.astype(np.float64) - zero_in) @ weights.T + bias
    return np.rint(sums * multiplier / 2.0**shift + zero_out).clip(-128, 127).astype(np.int8)


def looped_layer(codes, weights, bias, zero_in, multiplier, shift, zero_out):
    rows = []
    for row in codes.tolist():
        sums = (
            sum((q - zero_in) * w for q, w in zip(row, unit, strict=True)) + int(b)
            for unit, b in zip(weights.tolist(), bias, strict=True)
        )
        each = zip(sums, multiplier.tolist(), shift.tolist(), strict=True)
        halves = [(x * m * 2 >> s) + 1 for x, m, s in each]
        rows.append([max(-128, min(127, (x >> 1) + zero_out)) for x in halves])
    return rows


def layer_with(late=False, shifted=False, kind=np.int64, product=np.int64, clipped=True, skip=()):
    """An integer layer with a mistake in it."""

    def answer(codes, weights, bias, zero_in, multiplier, shift, zero_out):
        zero_in, bias_in = 0 if "in" in skip else zero_in, 0 * bias if "bias" in skip else bias
        centred = codes.astype(kind) - (np.int8(zero_in) if kind is np.int8 else zero_in)
        sums = (centred @ weights.T.astype(kind)).astype(np.int64) + (0 if late else bias_in)
        scaled = sums.astype(product) * multiplier.astype(product)
        rounded = scaled >> shift if shifted else np.rint(scaled / 2.0**shift).astype(int)
        q = rounded + (bias if late else 0) + (0 if "out" in skip else zero_out)
        return q.clip(-128, 127) if clipped else q

    return answer


def packed_by_ceil(count, bits):
    return float(np.ceil(count * bits / 8))


def looped_soft_loss(student, teacher, temperature):
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        p, q = (np.exp(v / temperature) / np.exp(v / temperature).sum() for v in (t, s))
        total += float((p * np.log(p / q)).sum())
    return temperature**2 * total / len(student)


def soft_loss_by_logs(student, teacher, temperature):
    def logs(x):
        x = x.astype(np.float64) / temperature
        return x - np.log(np.exp(x).sum(1, keepdims=True))

    p, q = logs(teacher), logs(student)
    return np.array((np.exp(p) * (p - q)).sum(1).mean()) * temperature * temperature


def looped_fake_quantize(weights, scale, bits):
    largest = 2 ** (bits - 1) - 1
    return [scale * max(-largest, min(largest, round(w / scale))) for w in weights.tolist()]


def looped_straight_through(upstream, weights, low, high):
    return [g if low <= w <= high else 0 for g, w in zip(upstream, weights, strict=True)]


def masked_straight_through(upstream, weights, low, high):
    return np.float32(upstream * (np.clip(weights, low, high) == weights))


def recursive_one_weight(weight, target, scale, rate, steps):
    if not steps:
        return np.float32(weight)
    slope = 2 * (scale * round(weight / scale) - target)
    return recursive_one_weight(weight - rate * slope, target, scale, rate, steps - 1)


def mean_of_differences(baseline, control, aware):
    return sum(a - c for a, c in zip(aware, control, strict=True)) / len(aware)


CORRECT = {
    "baseline.accuracy": [looped_accuracy, lambda p, y: np.float32((p == y).mean())],
    "baseline.convolution_parameters": [lambda h, w, i, o: float(o * (h * w * i + 1))],
    "baseline.wilson_interval": [wilson_as_array],
    "baseline.discordant": [looped_discordant],
    "ptq.affine_params": [affine_by_hand, affine_ties_up],
    "ptq.quantize": [half_up, looped_quantize],
    "ptq.dequantize": [wide_dequantize],
    "rounding.channel_scales": [looped_channel_scales, kept_axes_channel_scales],
    "ptq.representative_dataset": [one_by_one, as_a_list],
    "ptq.packed_bytes": [packed_by_ceil],
    "ptq.integer_layer": [layer_in_floats, looped_layer],
    "qat.fake_quantize_weights": [looped_fake_quantize],
    "qat.straight_through": [looped_straight_through, masked_straight_through],
    "qat.train_one_weight": [recursive_one_weight],
    "qat.gain": [mean_of_differences],
    **answers_rounding.CORRECT,
    **answers_pruning.CORRECT,
    **answers_distillation.CORRECT,
    **answers_combine.CORRECT,
    **answers_claims.CORRECT,
    **answers_own_model.CORRECT,
    **answers_giant.CORRECT,
    "distillation.soft_loss": [looped_soft_loss, soft_loss_by_logs],
}


@pytest.mark.parametrize("id", FUNCTIONS)
def test_the_reference_and_other_ways_pass(id):
    verdicts = [check(id, answer) for answer in (EXERCISES[id].reference, *CORRECT[id])]
    assert all(verdict.passed for verdict in verdicts), verdicts


def test_every_function_exercise_is_tried_in_another_way():
    assert sorted(CORRECT) == FUNCTIONS and all(CORRECT.values())


# Classic mistakes: (exercise, wrong answer, words that only its own hint has).


def wald(correct, n):
    p = correct / n
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def returns_first(images):
    for image in images:
        return [[image[np.newaxis].astype(np.float32) / 255]]
    return []


def returns_one(images):
    for image in images:
        return [image[np.newaxis].astype(np.float32) / 255]
    return []


def returns_inner(images):
    def steps():
        yield from one_by_one(images)

    return steps


def changed(function, **changes):
    """A generator that yields what `function` makes of each image."""

    def generator(images):
        for image in images:
            yield function(image)

    return generator


def no_widening(low, high, bits):
    scale = (high - low) / (2**bits - 1)
    return scale, round(128 - 2**bits - low / scale)


def with_grid(scale_of=None, zero_of=None):
    def answer(low, high, bits):
        low, high = min(low, 0), max(high, 0)
        scale = scale_of(low, high, bits) if scale_of else (high - low) / (2**bits - 1)
        return scale, zero_of(low, scale, bits) if zero_of else round(128 - 2**bits - low / scale)

    return answer


def clip(q, p):
    return np.clip(q, p.q_min, p.q_max)


def soft_parts(student, teacher, hot_student, hot_teacher):
    p, q = (
        np.exp(v / T) / np.exp(v / T).sum(-1, keepdims=True)
        for v, T in ((teacher, hot_teacher), (student, hot_student))
    )
    return p, q


def kl(p, q):
    return (p * np.log(p / q)).sum(-1)


def narrow(rounding, low=0, high=0, codes=False):
    """Fake quantization of weights with a mistake in it."""

    def answer(weights, scale, bits):
        top = 2 ** (bits - 1) - 1
        q = rounding(weights / scale).clip(-top - low, top + high)
        return q if codes else scale * q

    return answer


def descent(wrong="", factor=2, last=False):
    """One weight, trained with a mistake in it."""

    def answer(weight, target, scale, rate, steps):
        for _ in range(steps):
            seen = round(weight / scale) * scale
            slope = factor * ((weight if wrong == "float" else seen) - target)
            weight = (seen if wrong == "rounded" else weight) - rate * slope
        return round(weight / scale) * scale if last else weight

    return answer


MISTAKES = [
    ("baseline.accuracy", lambda p, y: 100 * (p == y).mean(), "percentage"),
    ("baseline.accuracy", lambda p, y: (p != y).mean(), "error rate"),
    ("baseline.accuracy", lambda p, y: sum(p == y), "count"),
    ("baseline.convolution_parameters", lambda h, w, i, o: h * w * i * o, "biases are missing"),
    ("baseline.convolution_parameters", lambda h, w, i, o: (h * w + 1) * o, "every input channel"),
    (
        "baseline.convolution_parameters",
        lambda h, w, i, o: h * w * i * o + i,
        "belongs to an output",
    ),
    ("baseline.convolution_parameters", lambda h, w, i, o: 4 * (h * w * i + 1) * o, "bytes"),
    ("baseline.wilson_interval", wald, "plain normal interval"),
    (
        "baseline.wilson_interval",
        lambda c, n: [100 * v for v in wilson_as_array(c, n)],
        "percentages",
    ),
    ("baseline.wilson_interval", lambda c, n: _wilson_90(c, n), "90 %"),
    ("baseline.discordant", lambda a, b, y: looped_discordant(b, a, y), "swapped"),
    ("baseline.discordant", lambda a, b, y: (sum(a == y), sum(b == y)), "both got right"),
    ("baseline.discordant", lambda a, b, y: (a != b).sum(), "both be wrong"),
    (
        "baseline.discordant",
        lambda a, b, y: [v / len(y) for v in looped_discordant(a, b, y)],
        "fractions",
    ),
    ("baseline.wilson_interval", lambda c, n: wilson_as_array(c, n)[::-1], "ends are swapped"),
    ("ptq.affine_params", no_widening, "out of range"),
    ("ptq.affine_params", lambda low, high, bits: affine_by_hand(low, high, 8), "right for 8 bits"),
    (
        "ptq.affine_params",
        with_grid(zero_of=lambda lo, s, b: round(-128 - lo / s)),
        "right for 8 bits",
    ),
    ("ptq.affine_params", with_grid(lambda lo, hi, b: (hi - lo) / 2**b), "2**bits - 1 steps"),
    (
        "ptq.affine_params",
        with_grid(zero_of=lambda lo, s, b: int(128 - 2**b - lo / s)),
        "truncated",
    ),
    ("ptq.affine_params", with_grid(zero_of=lambda lo, s, b: 128 - 2**b - lo // s), "truncated"),
    ("ptq.affine_params", with_grid(zero_of=lambda lo, s, b: 128 - 2**b + -lo // s), "truncated"),
    (
        "ptq.affine_params",
        with_grid(zero_of=lambda lo, s, b: 128 - 2**b - lo / s),
        "not an integer",
    ),
    ("ptq.affine_params", with_grid(zero_of=lambda lo, s, b: round(-lo / s)), "smallest is 128"),
    (
        "ptq.affine_params",
        with_grid(zero_of=lambda lo, s, b: round(-(2 ** (b - 1)) - lo / s)),
        "smallest is 128",
    ),
    ("ptq.affine_params", lambda *args: affine_by_hand(*args)[::-1], "swapped"),
    ("ptq.quantize", lambda x, p: clip((x / p.scale).astype(int) + p.zero_point, p), "truncated"),
    ("ptq.quantize", lambda x, p: clip((x / p.scale + p.zero_point).astype(int), p), "truncated"),
    ("ptq.quantize", lambda x, p: clip(x // p.scale + p.zero_point, p), "rounded down"),
    ("ptq.quantize", lambda x, p: clip(x / p.scale + p.zero_point, p), "not integers"),
    ("ptq.quantize", lambda x, p: np.rint(x / p.scale) + p.zero_point, "outside the grid"),
    (
        "ptq.quantize",
        lambda x, p: (np.rint(x / p.scale) + p.zero_point).astype(int).astype(np.int8),
        "wraps around",
    ),
    ("ptq.quantize", lambda x, p: clip(np.rint(x / p.scale), p), "zero point is missing"),
    ("ptq.quantize", lambda x, p: clip(np.rint(x / p.scale) - p.zero_point, p), "subtracted"),
    ("ptq.integer_layer", layer_with(kind=np.int8), "sum wraps around"),
    ("ptq.integer_layer", layer_with(product=np.int32), "product wraps around"),
    ("ptq.integer_layer", layer_with(skip=["in"]), "input's zero point"),
    ("ptq.integer_layer", layer_with(skip=["out"]), "output's zero point"),
    ("ptq.integer_layer", layer_with(skip=["bias"]), "bias is missing"),
    ("ptq.integer_layer", layer_with(late=True), "came too late"),
    ("ptq.integer_layer", layer_with(shifted=True), "rounded down"),
    ("ptq.integer_layer", layer_with(clipped=False), "outside int8"),
    ("ptq.dequantize", lambda q, p: p.scale * q, "zero point is missing"),
    ("ptq.dequantize", lambda q, p: p.scale * (q.astype(float) + p.zero_point), "added"),
    ("ptq.dequantize", lambda q, p: p.scale * q - p.zero_point, "brackets"),
    ("ptq.dequantize", lambda q, p: p.scale * (q - np.int8(p.zero_point)), "wraps around"),
    ("ptq.dequantize", lambda q, p: (q.astype(float) - p.zero_point) / p.scale, "divided"),
    (
        "rounding.channel_scales",
        lambda w, b: np.abs(w).max(axis=tuple(range(w.ndim - 1))) / (2 ** (b - 1) - 1),
        "wrong axis",
    ),
    ("rounding.channel_scales", lambda w, b: np.abs(w).max() / (2 ** (b - 1) - 1), "whole tensor"),
    (
        "rounding.channel_scales",
        lambda w, b: np.repeat(np.abs(w).max() / (2 ** (b - 1) - 1), len(w)),
        "whole tensor",
    ),
    ("rounding.channel_scales", lambda w, b: _largest(w) / 2 ** (b - 1), "one code out"),
    ("rounding.channel_scales", lambda w, b: 2 * _largest(w) / (2**b - 1), "2**bits - 1 steps"),
    ("rounding.channel_scales", lambda w, b: _largest(w) / (2**b - 1), "sign takes one bit"),
    (
        "rounding.channel_scales",
        lambda w, b: w.reshape(len(w), -1).max(axis=1) / (2 ** (b - 1) - 1),
        "Negative weights",
    ),
    ("ptq.representative_dataset", changed(lambda i: [np.float32(i[None])]), "unscaled"),
    ("ptq.representative_dataset", changed(lambda i: [i[None]]), "unscaled"),
    ("ptq.representative_dataset", changed(lambda i: [np.float32(i[None]) / 65025]), "twice"),
    ("ptq.representative_dataset", changed(lambda i: [np.float32(i[None] / 127.5 - 1)]), "[-1, 1]"),
    ("ptq.representative_dataset", changed(lambda i: [i[None] / 255]), "type is not"),
    ("ptq.representative_dataset", changed(lambda i: [np.float32(i / 255)]), "batch axis"),
    ("ptq.representative_dataset", changed(lambda i: np.float32(i[None] / 255)), "list of inputs"),
    ("ptq.representative_dataset", changed(lambda i: [np.float32(i[None] / 255), 3]), "no labels"),
    ("ptq.representative_dataset", returns_first, "Only the first"),
    ("ptq.representative_dataset", returns_one, "Only the first"),
    ("ptq.representative_dataset", returns_inner, "You returned a function"),
    ("ptq.representative_dataset", lambda images: iter([[images / np.float32(255)]]), "several"),
    (
        "ptq.representative_dataset",
        lambda images: [[np.float32(images[:4]) / 255], [np.float32(images[4:]) / 255]],
        "a step holds several images",
    ),
    ("ptq.representative_dataset", lambda images: iter(()), "Nothing came out"),
    ("ptq.packed_bytes", lambda count, bits: count * bits, "These are bits"),
    ("ptq.packed_bytes", lambda count, bits: count * bits // 8, "byte of their own"),
    ("ptq.packed_bytes", lambda count, bits: count * bits / 8, "whole bytes"),
    ("ptq.packed_bytes", lambda count, bits: count, "a byte of its own"),
    ("qat.fake_quantize_weights", narrow(np.rint, codes=True), "These are codes"),
    ("qat.fake_quantize_weights", lambda w, s, b: s * np.rint(w / s), "Nothing is clipped"),
    ("qat.fake_quantize_weights", narrow(np.rint, low=1), "One code too many"),
    ("qat.fake_quantize_weights", narrow(np.rint, low=1, high=1), "One code too many"),
    ("qat.fake_quantize_weights", narrow(np.trunc), "truncated"),
    ("qat.fake_quantize_weights", narrow(np.floor), "truncated"),
    ("qat.fake_quantize_weights", narrow(np.asarray), "does not round"),
    ("qat.straight_through", lambda g, w, lo, hi: 0 * g, "true derivative"),
    ("qat.straight_through", lambda g, w, lo, hi: g, "passes everywhere"),
    ("qat.straight_through", lambda g, w, lo, hi: (w >= lo) & (w <= hi), "1 or 0"),
    ("qat.straight_through", lambda g, w, lo, hi: g * ((w < lo) | (w > hi)), "swapped"),
    ("qat.straight_through", lambda g, w, lo, hi: g.clip(lo, hi), "gradients are clipped"),
    ("qat.straight_through", lambda g, w, lo, hi: g * (g >= lo) * (g <= hi), "gradients are"),
    ("qat.train_one_weight", descent("rounded"), "from the rounded weight"),
    ("qat.train_one_weight", descent("rounded", last=True), "from the rounded weight"),
    ("qat.train_one_weight", descent(last=True), "This is the rounded weight"),
    ("qat.train_one_weight", descent("float"), "taken at the float weight"),
    ("qat.train_one_weight", descent(factor=-2), "uphill"),
    ("qat.train_one_weight", descent(factor=1), "factor of 2"),
    ("qat.gain", lambda b, c, a: a.mean() - b, "gain over the baseline"),
    ("qat.gain", lambda b, c, a: a - b, "gain over the baseline"),
    ("qat.gain", lambda b, c, a: max(a) - max(c), "best seeds"),
    ("qat.gain", lambda b, c, a: c.mean() - a.mean(), "sign is wrong"),
    ("qat.gain", lambda b, c, a: 100 * (a - c).mean(), "percentage points"),
    ("qat.gain", lambda b, c, a: a - c, "for each seed"),
    *answers_rounding.MISTAKES,
    *answers_pruning.MISTAKES,
    *answers_distillation.MISTAKES,
    *answers_combine.MISTAKES,
    *answers_claims.MISTAKES,
    *answers_own_model.MISTAKES,
    *answers_giant.MISTAKES,
    ("distillation.soft_loss", lambda s, t, T: kl(*soft_parts(s, t, T, T)).mean(), "T² is missing"),
    ("distillation.soft_loss", lambda s, t, T: T * kl(*soft_parts(s, t, T, T)).mean(), "times T"),
    (
        "distillation.soft_loss",
        lambda s, t, T: T**2 * kl(*soft_parts(t, s, T, T)).mean(),
        "swapped",
    ),
    (
        "distillation.soft_loss",
        lambda s, t, T: T**2 * kl(*soft_parts(s, t, T, 1)).mean(),
        "Only one side",
    ),
    (
        "distillation.soft_loss",
        lambda s, t, T: T**2 * kl(*soft_parts(s, t, 1, T)).mean(),
        "Only one side",
    ),
    (
        "distillation.soft_loss",
        lambda s, t, T: _cross_entropy(*soft_parts(s, t, T, T), T),
        "cross-entropy",
    ),
    (
        "distillation.soft_loss",
        lambda s, t, T: T**2 * kl(*soft_parts(s, t, T, T)).sum(),
        "sum over images",
    ),
    (
        "distillation.soft_loss",
        lambda s, t, T: T**2 * kl(*soft_parts(s, t, T, T)).mean() / s.shape[1],
        "over the images only",
    ),
]


def _cross_entropy(p, q, temperature):
    return -(temperature**2) * (p * np.log(q)).sum(-1).mean()


def _largest(weights):
    return np.abs(weights).reshape(len(weights), -1).max(axis=1)


def _wilson_90(correct, n):
    z, p = 1.645, correct / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) - half) / (1 + z * z / n), (p + z * z / (2 * n) + half) / (
        1 + z * z / n
    )


@pytest.mark.parametrize("id", FUNCTIONS)
def test_every_mistake_gets_its_own_hint_and_every_hint_is_reached(id):
    reached = set()
    for answer, words in [(answer, words) for i, answer, words in MISTAKES if i == id]:
        verdict = check(id, answer)
        hints = [line for line in verdict.lines if line.startswith("Hint:")]
        assert verdict.status == "not yet", (words, verdict)
        assert len(hints) == 1 and words in hints[0] and verdict.lines[1] == hints[0], verdict
        reached |= set(hints)
    assert reached == {f"Hint: {hint}" for hint in EXERCISES[id].mistakes.values()}


def test_every_mistake_is_one_of_an_exercise():
    assert {id for id, _, _ in MISTAKES} <= set(FUNCTIONS)


# Starters, wrong kinds of answer, exceptions


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("claims.mark", lambda held: print(answers_claims.mark_by_set(held))),
        ("claims.bits_left", lambda before, after: print(32 * after / before)),
    ],
)
def test_a_function_that_prints_its_answer_is_told_to_return_it(id, answer):
    verdict = check(id, answer)
    assert verdict.status == "not yet" and "Write return" in verdict.lines[1]


def test_images_that_were_divided_are_told_of_their_type():
    verdict = check("own_model.as_it_wants", answers_own_model.divided)
    assert verdict.status == "not yet" and "Dividing makes float64" in verdict.lines[-1]


def test_a_function_that_prints_anything_else_is_not_begun():
    assert check("claims.mark", lambda held: print("here")).status == "not attempted yet"


def starter(*args): ...


def unwritten(*args):
    raise NotImplementedError


@pytest.mark.parametrize("id", ["ptq.packed_bytes", "baseline.float32_bytes"])
@pytest.mark.parametrize("answer", [None, ..., (..., ...)])
def test_placeholder_is_not_attempted(id, answer):
    assert check(id, answer).status == "not attempted yet"
    assert memory.failures == {} and memory.progress()["exercises"] == {}


@pytest.mark.parametrize("answer", [starter, unwritten, lambda *args: (..., ...)])
def test_starter_function_is_not_attempted(answer):
    assert check("ptq.packed_bytes", answer).status == "not attempted yet"
    assert memory.failures == {}
    said = {id: judged(id, answer) for id in FUNCTIONS}
    assert said == dict.fromkeys(FUNCTIONS, "not attempted yet")


@pytest.mark.parametrize("value", ["seven", {}, object(), [[1], [2, 3]], np.nan, -1, b"", {1, 2}])
def test_nonsense_is_answered_in_words(value):
    verdict = check("ptq.packed_bytes", lambda *args: value)
    assert verdict.status == "not yet" and verdict.lines[0]
    said = {id: judged(id, lambda *args: value) for id in FUNCTIONS}
    assert said == dict.fromkeys(FUNCTIONS, "not yet")


def test_a_value_where_a_function_is_wanted():
    assert "function itself" in check("ptq.packed_bytes", 0.89).lines[0]
    assert {id: judged(id, 0.89) for id in FUNCTIONS} == dict.fromkeys(FUNCTIONS, "not yet")


def test_a_missing_return_on_one_path_is_a_failure():
    verdict = check(
        "ptq.affine_params", lambda lo, hi, b: affine_by_hand(lo, hi, b) if b == 8 else None
    )
    assert verdict.status == "not yet"
    assert "got None (does every path return something?)" in verdict.lines[0]


def test_an_exception_is_told_in_words_with_its_input_and_line():
    def broken(count, bits):
        return count / (bits - bits)

    verdict = check("ptq.packed_bytes", broken)
    assert verdict.lines[0] == (
        "For count = 8, bits = 4\nyour function stopped with ZeroDivisionError: division by zero\n"
        "in the line: return count / (bits - bits)"
    )


def test_an_exception_gets_no_hint_of_another_mistake():
    def broken(*args):
        raise RuntimeError("no more")

    said = {id: check(id, broken).lines for id in FUNCTIONS}
    assert [id for id, lines in said.items() if "RuntimeError: no more" not in lines[0]] == []
    assert [id for id, lines in said.items() if not lines[1].startswith("Hint 1 of ")] == []


def test_wrong_number_of_arguments_is_told_in_words():
    assert "positional argument" in check("ptq.packed_bytes", lambda count: count).lines[0]


def test_an_answer_that_is_interrupted_is_told_in_words():
    def endless(*args):
        _thread.interrupt_main()  # as the stop button does
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may ignore it
    try:
        said = {id: repr(check(id, endless)) for id in FUNCTIONS}
    finally:
        signal.signal(signal.SIGINT, before)
    assert [id for id, words in said.items() if "interrupted before" not in words] == []
    assert [id for id, words in said.items() if "look at its loops" not in words] == []


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (str, "This is text"),
        (lambda n: f"{n} bytes", "This is text"),
        (lambda n: [n], "in a list or an array"),
        (lambda n: np.array([n]), "in a list or an array"),
    ],
)
def test_a_number_as_text_or_in_a_list_is_named_and_does_not_pass(form, words):
    verdict = check("ptq.packed_bytes", lambda *args: form(packed_by_ceil(*args)))
    assert verdict.status == "not yet" and words in verdict.lines[1], verdict


def as_text(value):
    """Every number in an answer as text."""
    if isinstance(value, (list, tuple)):
        return [as_text(part) for part in value]
    return np.asarray(value).astype(str).tolist()


def test_numbers_as_text_pass_nowhere():
    numeric = set(FUNCTIONS) - {"claims.mark", "ptq.representative_dataset"}
    said = {
        id: judged(id, lambda *args, f=EXERCISES[id].reference: as_text(_plain(f(*args))))
        for id in numeric
    }
    assert said == dict.fromkeys(numeric, "not yet")


def _plain(got):
    return (got.scale, got.zero_point) if hasattr(got, "zero_point") else got


def test_large_arrays_are_compared_where_they_differ():
    def hotter(logits, temperature):
        return answers_distillation.stable(logits, temperature**0.5).astype(np.float32)

    found = check("distillation.softened", hotter).lines[0]
    right, got = (
        f(answers_logits(), 4.0)[0, 0]
        for f in (EXERCISES["distillation.softened"].reference, hotter)
    )
    assert found.endswith(f"the first difference is at [0, 0]\nexpected {right:.6g}\ngot {got:.6g}")
    flat = check("distillation.softened", lambda *args: hotter(*args).sum(0)).lines[0]
    assert "float32" not in flat.partition("temperature = 4")[2]


def answers_logits():
    """The logits of the first case that is too large to show."""
    return np.random.default_rng(1).normal(0, 3, (3, 10)).astype(np.float32)


def test_the_divergence_of_keras_passes_though_it_clips():
    from qlab import train

    def by_keras(student, teacher, temperature):
        p, q = (answers_distillation.stable(x, temperature) for x in (teacher, student))
        return temperature**2 * train.keras.losses.KLDivergence()(p, q)

    assert check("distillation.soft_loss", by_keras).passed


def test_an_endless_generator_ends():
    def endless(images):
        while True:
            yield [np.zeros((1, 28, 28, 1), np.float32)]

    assert check("ptq.representative_dataset", endless).status == "not yet"


def test_an_answer_that_changes_its_input_does_not_disturb_the_check():
    def in_place(x, params):
        x /= params.scale
        x += params.zero_point
        return np.clip(np.rint(x, out=x), params.q_min, params.q_max, out=x)

    assert check("ptq.quantize", in_place).passed
    assert check("ptq.quantize", affine.quantize).passed


# Hints grow


def test_hints_grow_then_offer_the_solution_and_start_again_after_a_pass():
    wrong = lambda count, bits: -5  # noqa: E731
    hints = EXERCISES["ptq.packed_bytes"].hints
    first, second, third, fourth = (check("ptq.packed_bytes", wrong) for _ in range(4))
    assert first.lines[1:] == (f"Hint 1 of 3: {hints[0]}",)
    assert second.lines[1:] == (f"Hint 2 of 3: {hints[1]}",)
    assert third.lines[1] == f"Hint 3 of 3: {hints[2]}"
    assert 'solution("ptq.packed_bytes")' in third.lines[2]
    assert fourth.lines == third.lines
    check("ptq.packed_bytes", packed_by_ceil)
    assert check("ptq.packed_bytes", wrong).lines == first.lines


def test_under_a_named_mistake_stands_no_general_hint_and_later_none_is_skipped():
    percent = lambda p, y: 100 * metrics.accuracy(p, y)  # noqa: E731
    wrong = lambda p, y: 7.0  # noqa: E731
    hints = EXERCISES["baseline.accuracy"].hints
    for answer, words in [(percent, "percentage"), (wrong, hints[0]), (percent, "percentage")]:
        verdict = check("baseline.accuracy", answer)
        assert len([line for line in verdict.lines if line.startswith("Hint")]) == 1
        assert words in verdict.lines[1], verdict
    assert check("baseline.accuracy", wrong).lines[1] == f"Hint 2 of 3: {hints[1]}"


def test_a_mistake_that_is_named_again_and_again_gets_the_solution_offered():
    percent = lambda p, y: 100 * metrics.accuracy(p, y)  # noqa: E731
    offered = ["Still stuck?" in repr(check("baseline.accuracy", percent)) for _ in range(4)]
    assert offered == [False, False, True, True]


def test_no_general_hint_stands_under_what_is_told_in_full():
    for answer in ({"sparsity": 0.8}, 0.8):
        assert len(check("clustering.sparse_recipe", answer).lines) == 1
    assert len(check("museum.f", lambda before, after: "3.8").lines) == 1


def test_no_hint_is_the_answer():
    def packed(text):
        return re.sub(r"\s|^float\((?=.*\)$)|\)$", "", text)

    for id, exercise in EXERCISES.items():
        source = inspect.getsource(exercise.reference)
        returned = [packed(line) for line in re.findall(r"return (.+)", source)]
        for hint in exercise.hints:
            assert not any(len(x) > 12 and x in packed(hint) for x in returned), (id, hint)
            assert not re.search(r"\{'\w+': *[\d.]+\}", hint), (id, hint)


def test_every_exercise_has_hints_and_a_reference_that_can_be_shown():
    assert [id for id, x in EXERCISES.items() if len(set(x.hints)) < 3] == []
    shown = {id: repr(solution(id)) for id in EXERCISES}
    functions = {id: f"def {x.reference.__name__}(" for id, x in EXERCISES.items()}
    assert [id for id in EXERCISES if functions[id] not in shown[id]] == []
    assert solution("ptq.quantize")._repr_markdown_().startswith("```python\n# ")


def test_solution_is_the_source_of_qlab_itself():
    assert solution("ptq.quantize").source == inspect.getsource(affine.quantize).rstrip()


def test_unknown_exercise_names_the_nearest():
    with pytest.raises(ValueError, match=r"Did you mean 'ptq.quantize'"):
        check("ptq.quantise", ...)


# What is shown


def test_verdict_prints_the_same_every_time():
    assert repr(check("baseline.accuracy", ...)) == "baseline.accuracy: not attempted yet"
    assert repr(check("baseline.accuracy", looped_accuracy)) == "baseline.accuracy: correct"
    assert repr(check("baseline.accuracy", lambda p, y: 100 * (p == y).mean())) == (
        "baseline.accuracy: not yet\n"
        "For predictions = [8, 6, 5, 2, 3, 0, 9, 7], labels = [8, 6, 5, 2, 3, 0, 0, 0]\n"
        "expected 0.75\ngot 75\n"
        "Hint: This is a percentage. Give a fraction from 0 to 1."
    )


def test_html_says_status_in_a_word_and_a_mark_and_escapes_what_the_learner_wrote():
    def broken(count, bits):
        raise ValueError("<script>")

    html = check("ptq.packed_bytes", broken)._repr_html_()
    assert "not yet" in html and "✗" in html and "var(--jp-" in html
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "✓" in check("ptq.packed_bytes", packed_by_ceil)._repr_html_()
    assert "○" in check("ptq.packed_bytes", None)._repr_html_()


def test_untouched_tells_placeholders_from_answers():
    assert untouched((None, ...))
    assert not any(untouched(value) for value in (0, (), "", False, np.zeros(2), (0, ...)))
