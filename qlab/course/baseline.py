"""Questions and exercises of notebook 01."""

import math

import numpy as np

from qlab.arithmetic import metrics
from qlab.arithmetic.results import Measurement
from qlab.course import shipped
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, for_number, like
from qlab.lessons.predictions import QUESTIONS, Question

QUESTIONS.add(
    Question(
        "01.heaviest",
        "Which layer holds most of the weights?",
        {
            "the first convolution, 32 filters": 0,
            "the second convolution, 16 filters": 1,
            "the dense layer with 125 units": 2,
            "the dense layer with 10 units": 3,
        },
        why="Convolutions reuse a small kernel at every place. "
        "A dense layer has a weight for each pair of input and unit.",
    )
)

QUESTIONS.add(
    Question(
        "01.hardest",
        "Which garment does the model get wrong most often?",
        {name: name for name in ("Trouser", "Sandal", "Bag", "Shirt")},
        why="At 28 by 28 pixels a shirt looks like a T-shirt, a pullover or a coat.",
    )
)

QUESTIONS.add(
    Question(
        "01.noise",
        "10,000 other images would give a slightly different accuracy. "
        "How far does the 95 % interval reach to each side?",
        {
            "about 0.06 points": (0, 0.2),
            "about 0.6 points": (0.2, 2),
            "about 6 points": (2, 20),
        },
        shown="{:.1f} points",
        why="Two models that differ by less than this may well be equally good.",
    )
)


def convolution_parameters(height, width, inputs, outputs):
    """Weights and biases of `outputs` filters of `height` x `width` x `inputs`."""
    return height * width * inputs * outputs + outputs


def float32_bytes():
    """Bytes of the baseline's weights and biases, 4 for each."""
    return sum(layer.weights.nbytes + layer.bias.nbytes for layer in _weighted())


def discordant(predictions_a, predictions_b, labels):
    """Count images that only model a, and that only model b, got right."""
    result = metrics.compare(Measurement(predictions_a, labels), Measurement(predictions_b, labels))
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


EXERCISES.add(
    Exercise(
        "01.accuracy",
        for_function(
            metrics.accuracy,
            [_predictions(8, 6, 0), _predictions(10, 10, 1), _predictions(1000, 891, 2)],
            mistakes={
                "This is a percentage. Give a fraction from 0 to 1.": like(
                    lambda p, y: 100 * (p == y).mean()
                ),
                "This is the error rate: the fraction that is wrong.": like(
                    lambda p, y: (p != y).mean()
                ),
                "This is a count. Divide it by the number of images.": like(
                    lambda p, y: (p == y).sum()
                ),
            },
        ),
        metrics.accuracy,
        (
            "Compare the two arrays with ==. You get an array of True and False.",
            "The mean of an array of True and False is the fraction that is True.",
            "return np.mean(predictions == labels)",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "01.convolution_parameters",
        for_function(
            convolution_parameters,
            [(2, 2, 1, 32), (2, 2, 32, 16), (3, 5, 4, 7)],
            mistakes={
                "The biases are missing: one for each output.": like(
                    lambda h, w, i, o: h * w * i * o
                ),
                "A filter looks at every input channel, not at one.": like(
                    lambda h, w, i, o: h * w * o + o
                ),
                "A bias belongs to an output, not to an input.": like(
                    lambda h, w, i, o: h * w * i * o + i
                ),
                "These are bytes. Count the numbers.": like(
                    lambda h, w, i, o: 4 * (h * w * i * o + o)
                ),
            },
        ),
        convolution_parameters,
        (
            "How many weights has one filter? It spans height, width and all input channels.",
            "There are `outputs` filters, and each has one bias.",
            "height * width * inputs * outputs weights, and `outputs` biases.",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "01.float32_bytes",
        for_number(
            float32_bytes,
            mistakes={
                "These are numbers. A float32 takes 4 bytes.": like(lambda: float32_bytes() // 4),
                "These are bits. A byte has 8.": like(lambda: float32_bytes() * 8),
                "This is the whole file. Count weights and biases only.": like(
                    lambda: shipped.model().file_bytes
                ),
                "The biases are missing: layer.bias.nbytes.": like(
                    lambda: sum(layer.weights.nbytes for layer in _weighted())
                ),
            },
        ),
        float32_bytes,
        (
            "Some of the model's layers have weights, for others layer.weights is None.",
            "Add up layer.weights.nbytes and layer.bias.nbytes.",
            "sum(x.weights.nbytes + x.bias.nbytes for x in model.layers if x.weights is not None)",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "01.wilson_interval",
        for_function(
            metrics.wilson_interval,
            [(8917, 10_000), (45, 50), (3, 10), (20, 20)],
            mistakes={
                "This is the plain normal interval. Near 0 and 1 it fails; use Wilson's.": like(
                    lambda c, n: _wald(c, n, 1.96)
                ),
                "These are percentages. Give fractions from 0 to 1.": like(
                    lambda c, n: 100 * _wilson(c, n, 1.96)
                ),
                "This is a 90 % interval: z = 1.64 leaves 5 % on each side. Take z = 1.96.": like(
                    lambda c, n: _wilson(c, n, 1.64), lambda c, n: _wilson(c, n, 1.645)
                ),
            },
        ),
        metrics.wilson_interval,
        (
            "Take z = 1.96 and p = correct / n. Give (low, high), not centre and half-width.",
            "centre = (p + z²/2n) / (1 + z²/n).",
            "half = z / (1 + z²/n) · sqrt(p(1 - p)/n + z²/4n²). The interval is centre ± half.",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "01.discordant",
        for_function(
            discordant,
            [_two_models(12, 9, 5), _two_models(12, 4, 12), _two_models(300, 200, 250)],
            mistakes={
                "The two counts are swapped: only a comes first.": like(
                    lambda a, b, y: discordant(b, a, y)
                ),
                "These count all that each got right. Leave out what both got right.": like(
                    lambda a, b, y: ((a == y).sum(), (b == y).sum())
                ),
                "Two models can differ and both be wrong. Compare each with the labels.": like(
                    lambda a, b, y: (a != b).sum(), lambda a, b, y: ((a != b).sum(),) * 2
                ),
                "These are fractions. Give counts.": like(
                    lambda a, b, y: np.divide(discordant(a, b, y), len(y))
                ),
            },
        ),
        discordant,
        (
            "Make two arrays of True and False: where a is right, and where b is right.",
            "only_a counts where a is right and b is not.",
            "only_a is (right_a & ~right_b).sum(), with right_a = predictions_a == labels. "
            "only_b is the other way round.",
        ),
    )
)
