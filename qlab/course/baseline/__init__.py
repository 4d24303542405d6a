"""Notebook "Baseline": what the model weighs, how good it is, and how far chance reaches."""

import math

import numpy as np

from qlab.arithmetic.metrics import accuracy, wilson_interval
from qlab.arithmetic.results import Measurement, compare
from qlab.course import shipped_model as shipped
from qlab.lessons.judges import for_function, for_number, like, numbers


def convolution_parameters(height, width, inputs, outputs):
    """Weights and biases of `outputs` filters of `height` x `width` x `inputs`."""
    return height * width * inputs * outputs + outputs


def float32_bytes():
    """Bytes of the baseline's weights and biases, 4 for each."""
    return sum(layer.weights.nbytes + layer.bias.nbytes for layer in _weighted())


def discordant(predictions_a, predictions_b, labels):
    """Count images that only model a, and that only model b, got right."""
    result = compare(Measurement(predictions_a, labels), Measurement(predictions_b, labels))
    return result.only_a, result.only_b


def _weighted():
    return [layer for layer in shipped.model().layers if layer.weights is not None]


def _predictions(n, right, seed):
    """Predictions of `n` images, of which `right` are right, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    return np.where(np.arange(n) < right, labels, (labels + rng.integers(1, 10, n)) % 10), labels


def _two_models(n, right_a, right_b):
    """Predictions of two models, right at the start and at the end of the images; the labels."""
    a, labels = _predictions(n, right_a, seed=n)
    b = np.where(np.arange(n) >= n - right_b, labels, (labels + 1) % 10)
    return a, b, labels


def _wald(correct, n, z):
    p = correct / n
    half = z * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


def _wilson(correct, n, z):
    p = correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return np.array([centre - half, centre + half])


def _in_larger_unit(got):
    """Whether these are the right bytes in thousands or millions, rounded or not."""
    got = numbers(got)
    return got is not None and any(
        np.allclose(got * unit, float32_bytes(), rtol=0.01) for unit in (1e3, 2**10, 1e6, 2**20)
    )


judge_accuracy = for_function(
    accuracy,
    [_predictions(8, 6, 0), _predictions(10, 10, 1), _predictions(1000, 891, 2)],
    mistakes={
        "percent": like(lambda p, y: 100 * (p == y).mean()),
        "error_rate": like(lambda p, y: (p != y).mean()),
        "count": like(lambda p, y: (p == y).sum()),
    },
)

judge_convolution_parameters = for_function(
    convolution_parameters,
    [(2, 2, 1, 32), (2, 2, 32, 16), (3, 5, 4, 7)],
    mistakes={
        "no_bias": like(lambda h, w, i, o: h * w * i * o),
        "one_channel": like(lambda h, w, i, o: h * w * o + o),
        "bias_of_input": like(lambda h, w, i, o: h * w * i * o + i),
        "bytes": like(lambda h, w, i, o: 4 * (h * w * i * o + o)),
    },
)

judge_float32_bytes = for_number(
    float32_bytes,
    mistakes={
        "numbers": like(lambda: float32_bytes() // 4),
        "bits": like(lambda: float32_bytes() * 8),
        "whole_file": like(lambda: shipped.model().file_bytes),
        "no_bias": like(lambda: sum(layer.weights.nbytes for layer in _weighted())),
        "larger_unit": lambda args, got: _in_larger_unit(got),
    },
)

judge_wilson_interval = for_function(
    wilson_interval,
    [(8917, 10_000), (45, 50), (3, 10), (20, 20)],
    mistakes={
        "normal_interval": like(lambda c, n: _wald(c, n, 1.96)),
        "percent": like(lambda c, n: 100 * _wilson(c, n, 1.96)),
        "swapped": like(lambda c, n: _wilson(c, n, 1.96)[::-1]),
        "ninety_percent": like(lambda c, n: _wilson(c, n, 1.64), lambda c, n: _wilson(c, n, 1.645)),
    },
)

judge_discordant = for_function(
    discordant,
    [_two_models(12, 9, 5), _two_models(12, 4, 12), _two_models(300, 200, 250)],
    mistakes={
        "swapped": like(lambda a, b, y: discordant(b, a, y)),
        "all_right": like(lambda a, b, y: ((a == y).sum(), (b == y).sum())),
        "differing": like(lambda a, b, y: (a != b).sum(), lambda a, b, y: ((a != b).sum(),) * 2),
        "fractions": like(lambda a, b, y: np.divide(discordant(a, b, y), len(y))),
    },
)


def _width(correct, n):
    low, high = wilson_interval(correct, n)
    return high - low


TRUTHS = {
    "wrong": lambda measured: measured.n - measured.correct,
    "interval": lambda measured: (
        _width(4 * measured.correct, 4 * measured.n) / _width(measured.correct, measured.n)
    ),
    "difference": lambda measured: (measured.interval[1] - measured.interval[0]) / 2,
    "classes": lambda by_class: max(by_class) - min(by_class),
    "layer": lambda share: 0.75 * share,
}
