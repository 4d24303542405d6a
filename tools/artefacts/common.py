"""What every recipe needs: the data, a training that ends, and the words of the manifest.

A product is a generator of files: (name, content, entry of the manifest). `run` measures what is
a model, and writes.
"""

import json
import tempfile
from pathlib import Path

from qlab import data, train
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate
from qlab.train.model_files import save


def pairs():
    """(images, labels) for training, and for testing."""
    dataset = data.load()
    return [(split.images, split.labels) for split in (dataset.train, dataset.test)]


def fitted(model, epochs, **training):
    """Train on all images to the end, scored after each epoch; return the history."""
    images_and_labels, test = pairs()
    return finished(
        train.fit(model, *images_and_labels, epochs, validation=test, **training), epochs
    )


def finished(history, epochs):
    """The history of a whole training; training keeps what it had, a shipped file must not."""
    if len(history.get("loss", ())) < epochs:
        raise KeyboardInterrupt
    return history


def recipe(seed, epochs, learning_rate, schedule="cosine"):
    """How a model was trained on from the baseline."""
    return {
        "trained_from": "baseline.keras",
        "epochs": epochs,
        "batch_size": train.BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": learning_rate,
        "schedule": schedule,
        "seed": seed,
    }


def as_json(found):
    """Content of a file of numbers."""
    return json.dumps(found, indent=1).encode()


def measured(file, pair=None):
    """Score a file, by default on the test set, in the manifest's form."""
    return facts(evaluate(LiteModel(file), *(pair or pairs()[1])))


def facts(score):
    """A Measurement in the manifest's form."""
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
