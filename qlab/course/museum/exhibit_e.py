"""Exhibit E: quantization that seems to gain accuracy, for it was scored on training images."""

from functools import cache
from types import SimpleNamespace

import numpy as np

import qlab
from qlab.course import shipped
from qlab.course.museum.repair import attempt, for_repair
from qlab.lessons.exercises import EXERCISES, Exercise, Finding

NEAR = 0.13  # another calibration set moves the result on the trial data by less


def accuracy_gained(model, data):
    """Return how much higher the accuracy of the 8-bit file is, as a fraction."""
    images, labels = data.train.images[:10_000], data.train.labels[:10_000]
    small = qlab.Compressor(model, images[:1000]).compress(qlab.Recipe())
    before = qlab.evaluate(model, data.test.images, data.test.labels)
    after = qlab.evaluate(small, images, labels)
    return after.accuracy - before.accuracy


def accuracy_gained_repaired(model, data):
    """Return how much higher the accuracy of the 8-bit file is, as a fraction."""
    small = qlab.Compressor(model, data.train.images[:1000]).compress(qlab.Recipe())
    before = qlab.evaluate(model, data.test.images, data.test.labels)
    after = qlab.evaluate(small, data.test.images, data.test.labels)
    return after.accuracy - before.accuracy


def _both_on_training(model, data):
    train = SimpleNamespace(images=data.train.images[:10_000], labels=data.train.labels[:10_000])
    return accuracy_gained_repaired(model, SimpleNamespace(train=data.train, test=train))


def _percent(model, data):
    return 100 * accuracy_gained_repaired(model, data)


def _reversed(model, data):
    return -accuracy_gained_repaired(model, data)


MISTAKES = {
    "The 8-bit file is still scored on images that the model was trained on, and calibrated "
    "with. Score it on the test images.": accuracy_gained,
    "Both are scored on training images now. That is equal, and says nothing about new images. "
    "Score both on the test images.": _both_on_training,
    "These are points of a percentage. Return a fraction: 0.01 for one point.": _percent,
    "The sign is turned: a gain is the accuracy after, less the accuracy before.": _reversed,
}


@cache
def _data():
    """Real images, chosen and labelled so that each way of scoring has a result of its own."""
    real, model = qlab.data.load(), shipped.model()
    small = qlab.Compressor(model, real.train.images[:1000]).compress(qlab.Recipe())
    few = real.train.images[:2000]
    train = SimpleNamespace(images=few, labels=(qlab.predict(model, few) + 5) % 10)
    before, after = (qlab.predict(m, real.test.images) for m in (model, small))
    differ = np.flatnonzero(before != after)
    some = np.concatenate([differ, np.flatnonzero(before == after)[: 2 * len(differ)]])
    labels = np.where(before != after, after, real.test.labels)
    return SimpleNamespace(
        train=train, test=SimpleNamespace(images=real.test.images[some], labels=labels[some])
    )


def _judge(answer):
    model, data = shipped.model(), _data()
    got, stopped = attempt(answer, model, data)
    if stopped:
        return stopped
    try:
        got = float(got)
    except (TypeError, ValueError):
        return Finding(f"Your function should return a number, and returned {type(got).__name__}.")
    truth = accuracy_gained_repaired(model, data)
    if abs(got - truth) <= NEAR:
        return Finding(note="On images that nobody trained on, the gain is gone.")
    said = f"On a trial data set: expected {truth:+.3f}, got {got:+.3f}."
    near = (hint for hint, f in MISTAKES.items() if abs(got - f(model, data)) <= NEAR)
    return Finding(said, next(near, ""))


EXERCISES.add(
    Exercise(
        "museum.e",
        for_repair(accuracy_gained, _judge),
        accuracy_gained_repaired,
        (
            "8 bits hold less than 32. Where could a gain come from? Look at what is scored.",
            "The model learned the training images, some of them by heart. Which images does each "
            "of the two evaluate() calls get?",
            "Score both files on data.test. Training images may serve for calibration only.",
        ),
    )
)
