"""Answers to the exercises of notebook 03 as learners write them: right ones, classic mistakes."""

import numpy as np


def bias_by_loops(weights, rounded, mean_inputs, bias):
    """Right: one output after the other, in lists."""
    return [
        float(b + sum((v - r) * m for v, r, m in zip(before, after, mean_inputs, strict=True)))
        for before, after, b in zip(weights, rounded, bias, strict=True)
    ]


def bias_with(change):
    return lambda weights, rounded, means, bias: change(weights - rounded, means, bias)


def row_by_inverse(weights, moments):
    """Right: as in the paper, with the inverse of what is left, in lists."""
    aims, codes = dict(enumerate(map(float, weights))), [0] * len(weights)
    while aims:
        left = sorted(aims, key=lambda i: -moments[i, i])
        inverse = np.linalg.inv(moments[np.ix_(left, left)])
        codes[left[0]] = round(aims[left[0]])
        error = (aims.pop(left[0]) - codes[left[0]]) / inverse[0, 0]
        for place, i in enumerate(left[1:], 1):
            aims[i] -= error * inverse[place, 0]
    return codes


def row_with(order=None, sign=1, fixed=False, alone=False, old=False, own=False, turns=3):
    """Feedback with a mistake in it."""

    def answer(weights, moments):
        aims, codes = weights.copy(), np.zeros(3)
        turn = np.argsort(-np.diag(moments)) if order is None else order(moments)
        for n, j in enumerate(turn):
            codes[j] = round(aims[j])
            error = sign * ((weights if old else aims)[j] - codes[j]) * (n < turns)
            rest = np.setdiff1d(range(3), [j] if fixed else turn[: n + 1])
            seen = moments[rest][:, rest] * (np.eye(len(rest)) if alone else 1)
            seen = moments[j, j] * np.eye(len(rest)) if own else seen
            aims[rest] += error * np.linalg.inv(seen) @ moments[rest, j]
            aims[j] = codes[j]
        return aims.round() if fixed == "again" else codes

    return answer


def pair_by_loops(first, bias, second):
    """Right: channel by channel, in copies."""
    first, bias, second = first.copy(), bias.copy(), second.copy()
    for i in range(len(first)):
        scale = (max(abs(first[i])) / max(abs(second[:, i]))) ** 0.5
        first[i] /= scale
        bias[i] /= scale
        second[:, i] *= scale
    return [first, bias, second]


def pair_by_common_range(first, bias, second):
    ranges = np.abs(first).max(1), np.abs(second).max(0)
    scale = np.sqrt(ranges[0] * ranges[1]) / ranges[1]  # both end at the geometric mean
    return first / scale[:, None], bias / scale, second * scale[None]


def pair_with(first_by=-1, bias_by=-1, second_by=1, power=0.5):
    """Each part multiplied by some power of the scale."""

    def answer(first, bias, second):
        scale = (abs(first).max(1) / abs(second).max(0)) ** power
        return first * scale[:, None] ** first_by, bias * scale**bias_by, second * scale**second_by

    return answer


CORRECT = {
    "rounding.corrected_bias": [bias_by_loops, bias_with(lambda e, m, b: e @ m + b)],
    "rounding.gptq_row": [row_by_inverse, row_with()],
    "rounding.equalize_pair": [pair_by_loops, pair_by_common_range],
}
MISTAKES = [
    ("rounding.corrected_bias", bias_with(lambda e, m, b: b - e @ m), "sign is wrong"),
    ("rounding.corrected_bias", bias_with(lambda e, m, b: e @ m), "change alone"),
    ("rounding.corrected_bias", bias_with(lambda e, m, b: b + e.sum(1)), "inputs are missing"),
    ("rounding.corrected_bias", bias_with(lambda e, m, b: b + (e * m).mean(1)), "sums over"),
    ("rounding.corrected_bias", lambda w, r, m, b: b + w @ m, "float layer is added"),
    ("rounding.gptq_row", lambda w, m: w.round(), "to the nearest"),
    ("rounding.gptq_row", row_with(order=lambda m: [0, 1, 2]), "order is another"),
    ("rounding.gptq_row", row_with(order=lambda m: np.argsort(np.diag(m))), "order is another"),
    ("rounding.gptq_row", row_with(fixed=True), "have their code already"),
    ("rounding.gptq_row", row_with(fixed="again"), "have their code already"),
    ("rounding.gptq_row", row_with(sign=-1), "wrong sign"),
    ("rounding.gptq_row", row_with(alone=True), "stood in alone"),
    ("rounding.gptq_row", row_with(own=True), "moment of the weight that was rounded"),
    ("rounding.gptq_row", row_with(old=True), "the weight as it was"),
    ("rounding.gptq_row", row_with(turns=1), "Only the first error"),
    ("rounding.equalize_pair", pair_with(1, 1, -1), "upside down"),
    ("rounding.equalize_pair", pair_with(second_by=0), "not undo it"),
    ("rounding.equalize_pair", pair_with(bias_by=0), "bias is forgotten"),
    ("rounding.equalize_pair", pair_with(power=1), "Without the root"),
    ("rounding.equalize_pair", pair_with(second_by=-1), "Both layers are divided"),
]
