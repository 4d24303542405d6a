"""Quiz of notebook 02."""

import numpy as np

from qlab.arithmetic.affine import affine_params
from qlab.engine.recipes import Recipe
from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "02.quiz.step",
            "Activations from 0 to 6 get 4 bits. How far apart are two neighbouring values?",
            {
                "0.375, which is 6 / 16": (0.374, 0.376),
                "0.4, which is 6 / 15": (0.399, 0.401),
                "1.5, which is 6 / 4": (1.49, 1.51),
            },
            why="16 values have 15 steps between them.",
        ),
        lambda: float(affine_params(0, 6, 4).scale),
    )
)

ITEMS.add(
    Item(
        Question(
            "02.quiz.bytes",
            "Weights go from 4 bits to 3, each code in a byte of its own. "
            "What happens to the size of the file?",
            {
                "it shrinks by a quarter": (0.7, 0.8),
                "it shrinks by an eighth": (0.85, 0.9),
                "it stays as it is": (0.99, 1.01),
            },
            shown="{:.2f} times the size",
            why="Fewer bits alone save nothing. Something must use them: packing, or gzip.",
        ),
        lambda compressor: (
            compressor.compress(Recipe(weight_bits=3)).file_bytes
            / compressor.compress(Recipe(weight_bits=4)).file_bytes
        ),
    )
)


def _unscaled(model, calibration, scores):
    """What comes of calibration pixels from 0 to 255: "error", "larger", "silent" or "fine"."""
    import qlab

    test = qlab.data.load().test
    try:
        unscaled = calibration[:32].astype(np.float32)
        file = qlab.Compressor(model, unscaled).compress(Recipe())
    except ValueError:
        return "error"
    good = qlab.Compressor(model, calibration[:32]).compress(Recipe())
    if file.file_bytes > 1.01 * good.file_bytes:
        return "larger"
    accuracy = qlab.evaluate(file, test.images, test.labels).accuracy
    return "silent" if accuracy < scores["int8"].accuracy - 0.1 else "fine"


ITEMS.add(
    Item(
        Question(
            "02.quiz.unscaled",
            "Somebody calibrates with pixels from 0 to 255, and the model wants 0 to 1. "
            "How do they notice?",
            {
                "an error is raised": "error",
                "the file is larger": "larger",
                "only by scoring the file: its answers are bad": "silent",
                "they do not: the file is as good as ever": "fine",
            },
            why="A range is a range. Nothing in the file says that it is the wrong one.",
        ),
        _unscaled,
    )
)

ITEMS.add(
    Item(
        Question(
            "02.quiz.observer",
            "Activations have 2 bits, min-max observer, 1,024 calibration pictures. "
            "Which change helps most?",
            {
                "weights with 16 bits": "weights",
                "one scale per tensor": "per-tensor",
                "the mse observer": "observer",
            },
            why="A rare large value had stretched the range. This observer may cut it off.",
        ),
        lambda score: _best_change(score),
    )
)


def _best_change(score):
    start = Recipe(activation_bits=2, observer="min-max", calibration_size=1024)
    changes = {
        "weights": start.replace(weight_bits=16),
        "per-tensor": start.replace(granularity="per-tensor"),
        "observer": start.replace(observer="mse"),
    }
    return max(changes, key=lambda name: score(changes[name]).accuracy)


ITEMS.add(
    Item(
        Question(
            "02.quiz.sensitive",
            "One layer suffers most from 2-bit weights. How many of all weights does it hold?",
            {
                "less than 1 %": (0, 0.01),
                "1 to 10 %": (0.01, 0.1),
                "more than 90 %": (0.9, 1.01),
            },
            shown="{:.1%} of the weights",
            why="Size and sensitivity are two things. Keep bits where they cost next to nothing.",
        ),
        lambda model, entries: _share_of_most_sensitive(model, entries),
    )
)


def _share_of_most_sensitive(model, entries):
    worst = min(entries, key=lambda entry: entry.measurement.accuracy).layer
    sizes = {layer.name: layer.weights.size for layer in model.layers if layer.weights is not None}
    return sizes[worst] / sum(sizes.values())
