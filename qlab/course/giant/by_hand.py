"""Language models by hand: bits a character, and the feedback of GPTQ on a real grid."""

from functools import cache

import numpy as np

from qlab.arithmetic.rounding import least_squares_scale
from qlab.data import texts
from qlab.lessons.judges import for_function, like
from qlab.tflite import runtime
from qlab.tflite.artefacts import pretrained

DAMPING = 0.01  # of the mean moment, added to each, as in the paper on GPTQ
SEEN = 8  # windows of verse
INPUTS = 32  # of a row, so that one linear system after the other is solved at once


def bits_a_character(probabilities, followed):
    """Mean number of bits that the characters which followed cost a model."""
    given = probabilities[np.arange(len(followed)), followed]
    return -np.log2(given).mean()


def _said(seed, places, characters):
    """Probabilities, a row for each place in a text, and which character followed there."""
    rng = np.random.default_rng(seed)
    odds = rng.exponential(size=(places, characters)) ** 2 + 0.01
    return odds / odds.sum(1, keepdims=True), rng.integers(0, characters, places)


def _given(p, followed):
    return p[np.arange(len(followed)), followed]


judge_bits_a_character = for_function(
    bits_a_character,
    [_said(0, 3, 4), _said(1, 5, 3), _said(2, 8, 6)],
    mistakes={
        "natural": like(lambda p, f: -np.log(_given(p, f)).mean()),
        "ten": like(lambda p, f: -np.log10(_given(p, f)).mean()),
        "sign": like(lambda p, f: np.log2(_given(p, f)).mean()),
        "total": like(lambda p, f: -np.log2(_given(p, f)).sum()),
        "each": like(lambda p, f: -np.log2(_given(p, f))),
        "mean_first": like(lambda p, f: -np.log2(_given(p, f).mean())),
        "likeliest": like(lambda p, f: -np.log2(p.max(1)).mean()),
        "entropy": like(lambda p, f: -(p * np.log2(p)).sum(1).mean()),
        "all_characters": like(lambda p, f: -np.log2(p).mean()),
        "perplexity": like(lambda p, f: 2 ** -np.log2(_given(p, f)).mean()),
    },
)


def gptq_row(weights, moments, scale, q_max):
    """Codes of one row, from -q_max to q_max; each error goes on to the inputs still to come."""
    aims, codes = np.array(weights, float), np.zeros(len(weights), int)
    rest = list(np.argsort(-np.diag(moments), kind="stable"))  # the strongest input first
    while rest:
        first = rest.pop(0)
        codes[first] = np.clip(np.rint(aims[first] / scale), -q_max, q_max)
        error = aims[first] - codes[first] * scale
        if rest:
            shares = np.linalg.solve(moments[np.ix_(rest, rest)], moments[rest, first])
            aims[rest] += error * shares
    return codes


def row_of(model, layer, row, bits):
    """What `gptq_row` takes: the first 32 weights of a row of a dense layer, which reads verse.

    They are float64; then their damped second moments, the scale with the least squared error of
    the weights, and the largest code.
    """
    layer, q_max = model.layer(layer), 2 ** (bits - 1) - 1
    seen = texts.windows(texts.encode(texts.load("verse")))[:SEEN, :-1]
    steps = runtime.activations(model, np.ascontiguousarray(seen), [layer.inputs[0]])
    inputs = np.concatenate([x.reshape(-1, layer.weights.shape[1]) for _, [x] in steps])
    inputs = inputs[:, :INPUTS].astype(float)
    moments = inputs.T @ inputs / len(inputs)
    moments += DAMPING * moments.diagonal().mean() * np.eye(len(moments))
    weights = layer.weights[row, :INPUTS].astype(float)
    return weights, moments, float(least_squares_scale(weights[None], bits)[0]), q_max


def _row(weights, moments, scale, q_max, *,
         order=None, sign=1, ends=True, step=True, moved=True, passed=True):  # fmt: skip
    """`gptq_row` with one thing done differently."""
    end, unit = q_max if ends else np.inf, scale if step else 1
    aims, codes = np.array(weights, float), np.zeros(len(weights))
    order = np.argsort(-np.diag(moments), kind="stable") if order is None else order
    for place, first in enumerate(order):
        codes[first] = np.clip(np.rint(aims[first] / unit), -end, end)
        rest = order[place + 1 :]
        if passed and len(rest):
            error = (aims if moved else weights)[first] - codes[first] * unit
            shares = np.linalg.solve(moments[np.ix_(rest, rest)], moments[rest, first])
            aims[rest] += sign * error * shares
    return codes


def _in_codes(weights, moments, scale, q_max):
    """The error in codes, not in weights: what is passed on is too large by 1 / scale."""
    aims, codes = np.array(weights, float), np.zeros(len(weights))
    order = np.argsort(-np.diag(moments), kind="stable")
    for place, first in enumerate(order):
        codes[first] = np.clip(np.rint(aims[first] / scale), -q_max, q_max)
        rest = order[place + 1 :]
        if len(rest):
            shares = np.linalg.solve(moments[np.ix_(rest, rest)], moments[rest, first])
            aims[rest] += (aims[first] / scale - codes[first]) * shares
    return codes


def _mistakes():
    return {
        "step_of_one": like(lambda *row: _row(*row, step=False)),
        "no_compensation": like(lambda *row: _row(*row, passed=False)),
        "no_ends": like(lambda *row: _row(*row, ends=False)),
        "values": like(lambda w, m, s, q: gptq_row(w, m, s, q) * s),
        "wrong_order": like(
            lambda w, *row: _row(w, *row, order=np.arange(len(w))),
            lambda w, m, *row: _row(w, m, *row, order=np.argsort(np.diag(m), kind="stable")),
        ),
        "sign": like(lambda *row: _row(*row, sign=-1)),
        "old_weight": like(lambda *row: _row(*row, moved=False)),
        "in_codes": like(_in_codes),
    }


@cache
def _judge():
    """The judge: rows of three layers of the small model, at 4, 3 and 2 bits."""
    model = pretrained("language-small-seed0")
    asked = (("block1_query", 0, 4), ("block2_expand", 7, 3), ("block1_value", 3, 2))
    return for_function(gptq_row, [row_of(model, *row) for row in asked], mistakes=_mistakes())


def judge_gptq_row(answer):
    """Run the learner's function on rows of the model's own layers."""
    return _judge()(answer)


judge_gptq_row.mistakes = _mistakes()
