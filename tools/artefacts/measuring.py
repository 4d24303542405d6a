"""What the manifest says of a trained model."""

import tempfile
from pathlib import Path

from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate
from qlab.train.saving import save


def measured(file, pair):
    """Score a file on the test set, in the manifest's form."""
    return facts(evaluate(LiteModel(file), *pair))


def facts(score):
    """Return a Measurement in the manifest's form."""
    low, high = score.interval
    return {
        "accuracy": score.accuracy,
        "correct": score.correct,
        "n": score.n,
        "interval": [round(low, 4), round(high, 4)],
    }


def keras_bytes(model):
    """Content of the ``.keras`` file of a model."""
    with tempfile.TemporaryDirectory() as work:
        return save(model, Path(work) / "model.keras").read_bytes()
