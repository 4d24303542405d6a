"""Better rounding by hand: scales of channels, the mean, the feedback, a neighbour that helps."""

import numpy as np

from qlab.arithmetic.affine import symmetric_params
from qlab.lessons.judges import close, for_function, like


def channel_scales(weights, bits):
    """One scale for each output channel, which is the first axis."""
    return symmetric_params(weights, bits, axis=0).scale


def _kernel(shape, seed):
    """Random weights whose channels differ in size, and lean to the negative side."""
    rng = np.random.default_rng(seed)
    spread = np.linspace(0.2, 2.0, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (rng.normal(-0.3, 1, size=shape) * spread).astype(np.float32)


def _scales(weights, bits, *, axis=0, q_max=None, size=np.abs):
    """`channel_scales` with one thing done differently; `axis` None is the whole tensor."""
    others = tuple(i for i in range(weights.ndim) if axis is None or i != axis % weights.ndim)
    return size(weights).max(axis=others) / (2 ** (bits - 1) - 1 if q_max is None else q_max)


judge_channel_scales = for_function(
    channel_scales,
    [(_kernel((4, 2, 2, 3), 0), 8), (_kernel((3, 6), 1), 4), (_kernel((5, 5), 2), 2)],
    mistakes={
        "wrong_axis": like(lambda w, bits: _scales(w, bits, axis=-1)),
        "whole_tensor": like(
            lambda w, bits: _scales(w, bits, axis=None),
            lambda w, bits: np.full(len(w), _scales(w, bits, axis=None)),
        ),
        "full_range": like(lambda w, bits: _scales(w, bits, q_max=2 ** (bits - 1))),
        "all_steps": like(lambda w, bits: _scales(w, bits, q_max=(2**bits - 1) / 2)),
        "no_sign_bit": like(lambda w, bits: _scales(w, bits, q_max=2**bits - 1)),
        "positive_only": like(lambda w, bits: _scales(w, bits, size=np.asarray)),
    },
)


def corrected_bias(weights, rounded, mean_inputs, bias):
    """The bias with which rounded weights give the mean outputs that the float ones gave."""
    before, after = weights @ mean_inputs, rounded @ mean_inputs
    return bias + before - after


def _rounded(seed, outputs, inputs):
    """A layer, its weights on a grid, the means of its inputs, and its bias."""
    weights, rng = _kernel((outputs, inputs), seed), np.random.default_rng(seed)
    means, bias = (rng.uniform(0.1, 2, n).astype(np.float32) for n in (inputs, outputs))
    return weights, np.rint(weights / 0.5) * np.float32(0.5), means, bias


judge_corrected_bias = for_function(
    corrected_bias,
    [_rounded(0, 2, 3), _rounded(1, 4, 4), _rounded(2, 3, 5)],
    mistakes={
        "sign": like(lambda w, r, m, b: b - (w - r) @ m),
        "change_alone": like(lambda w, r, m, b: (w - r) @ m, lambda w, r, m, b: (r - w) @ m),
        "no_inputs": like(
            lambda w, r, m, b: b + (w - r).sum(1), lambda w, r, m, b: b + (w - r).mean(1)
        ),
        "averaged": like(lambda w, r, m, b: b + (w - r) @ m / len(m)),
        "outputs": like(lambda w, r, m, b: b + w @ m, lambda w, r, m, b: w @ m),
    },
)


def gptq_row(weights, moments):
    """Codes of one row, on a grid with steps of 1; errors go on to inputs that are alike."""
    aims, codes = np.array(weights, float), np.zeros(len(weights), int)
    rest = list(np.argsort(-np.diag(moments), kind="stable"))  # the strongest input first
    while rest:
        first = rest.pop(0)
        codes[first] = np.rint(aims[first])
        error = aims[first] - codes[first]
        if rest:
            shares = np.linalg.solve(moments[np.ix_(rest, rest)], moments[rest, first])
            aims[rest] += error * shares
    return codes


def _row(
    weights, moments, *,
    order=None, sign=1, others=False, at_the_end=False, joint=True, own=False, moved=True, turns=9,
):  # fmt: skip
    """`gptq_row` with one thing done differently; with `others`, fixed codes are moved as well."""
    aims, codes = np.array(weights, float), np.zeros(len(weights))
    order = np.argsort(-np.diag(moments), kind="stable") if order is None else order
    for place, first in enumerate(order):
        codes[first] = np.rint(aims[first])
        error = (aims if moved else weights)[first] - codes[first]
        rest = [i for i in order if i != first] if others else order[place + 1 :]
        if len(rest) and place < turns:
            matrix = moments[np.ix_(rest, rest)]
            matrix = matrix if joint else np.diag(np.diag(matrix))
            matrix = np.eye(len(rest)) * moments[first, first] if own else matrix
            aims[rest] += sign * error * np.linalg.solve(matrix, moments[rest, first])
        if others:
            aims[first] = codes[first]
    return np.rint(aims) if at_the_end else codes


_ROWS = [
    (np.array([0.4, 1.4, 0.4]), np.array([[2.0, 2.0, 1.5], [2.0, 3.0, 2.0], [1.5, 2.0, 1.8]])),
    (np.array([-0.4, 1.6, -1.0]), np.array([[2.5, 1.6, 0.8], [1.6, 3.0, 1.9], [0.8, 1.9, 1.5]])),
    (np.array([0.7, 1.9, 1.6]), np.array([[2.5, 1.7, 1.1], [1.7, 1.5, 1.0], [1.1, 1.0, 2.0]])),
    (np.array([1.1, -0.6, 0.5]), np.array([[2.2, 2.5, 2.4], [2.5, 4.6, 1.9], [2.4, 1.9, 3.5]])),
    (np.array([0.7, -0.3, -0.3]), np.array([[2.7, 1.1, 1.7], [1.1, 1.0, 1.1], [1.7, 1.1, 1.7]])),
    (np.array([-0.6, 0.8, -0.6]), np.array([[3.0, 1.7, 1.6], [1.7, 1.5, 1.4], [1.6, 1.4, 2.5]])),
]

judge_gptq_row = for_function(
    gptq_row,
    _ROWS,
    mistakes={
        "no_compensation": like(lambda w, m: np.rint(w)),
        "wrong_order": like(
            lambda w, m: _row(w, m, order=np.arange(len(w))),
            lambda w, m: _row(w, m, order=np.argsort(np.diag(m), kind="stable")),
        ),
        "fixed": like(
            lambda w, m: _row(w, m, others=True, at_the_end=True),
            lambda w, m: _row(w, m, others=True),
        ),
        "sign": like(lambda w, m: _row(w, m, sign=-1)),
        "one_by_one": like(lambda w, m: _row(w, m, joint=False)),
        "own_moment": like(lambda w, m: _row(w, m, own=True)),
        "old_weight": like(lambda w, m: _row(w, m, moved=False)),
        "once": like(lambda w, m: _row(w, m, turns=1)),
    },
)


def equalize_pair(first, bias, second):
    """Two layers that compute the same, and in which each channel's ranges are alike."""
    out_of_first = np.abs(first).max(axis=1)  # a row for each channel
    into_second = np.abs(second).max(axis=0)  # a column for each channel
    scale = np.sqrt(out_of_first / into_second)
    return first / scale[:, None], bias / scale, second * scale


def _equalized(first, bias, second, *, power=0.5, first_too=1, bias_too=1, second_too=1):
    """`equalize_pair` with one thing done differently."""
    ratio = np.abs(first).max(axis=1) / np.abs(second).max(axis=0)
    scale = ratio**power
    return (
        first / scale[:, None] ** first_too,
        bias / scale**bias_too,
        second * scale**second_too,
    )


def _alike(expected, got):
    """Whether three arrays are the expected ones."""
    return (
        isinstance(got, (tuple, list))
        and len(got) == len(expected)
        and all(map(close, expected, got))
    )


def _layers(*changes):
    """A mistake: the layers are those that come of `_equalized` with one of these changes."""
    return lambda args, got: any(_alike(_equalized(*args, **change), got) for change in changes)


def _pair(seed, inputs, channels, outputs):
    """Two dense layers, (channels, inputs) and (outputs, channels), and the first one's bias."""
    bias = np.random.default_rng(seed).normal(size=channels).astype(np.float32)
    return _kernel((channels, inputs), seed), bias, _kernel((outputs, channels), seed + 10)


judge_equalize_pair = for_function(
    equalize_pair,
    [_pair(0, 3, 2, 2), _pair(1, 2, 4, 3)],
    same=lambda args, expected, got: _alike(expected, got),
    mistakes={
        "inverted": _layers({"power": -0.5}),
        "not_undone": _layers({"second_too": 0}),
        "bias_forgotten": _layers({"bias_too": 0}),
        "no_root": _layers({"power": 1}),
        "same_way": _layers({"second_too": -1}),
    },
)
