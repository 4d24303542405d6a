"""Exhibit F: a file of zeros that is no smaller, for nobody compressed it."""

import gzip
import math

from qlab.course import shipped
from qlab.course.museum.files import zeroed
from qlab.course.museum.repair import attempt, for_repair
from qlab.lessons.exercises import EXERCISES, Exercise, Finding

NEAR = 0.05  # levels of gzip differ by less


def times_smaller(before, after):
    """Return how many times smaller pruning made the download; both are bytes of files."""
    return len(before) / len(after)


def times_smaller_repaired(before, after):
    """Return how many times smaller pruning made the download; both are bytes of files."""
    return len(gzip.compress(before)) / len(gzip.compress(after))


MISTAKES = {
    "These are the raw sizes. A zero takes four bytes like any other number, until the file is "
    "compressed.": times_smaller,
    "Only the pruned file is compressed, and that flatters it. Compress both.": (
        lambda before, after: len(before) / len(gzip.compress(after))
    ),
    "Only the first file is compressed. Compress both.": (
        lambda before, after: len(gzip.compress(before)) / len(after)
    ),
    "This is upside down: the size before, divided by the size after.": (
        lambda before, after: len(gzip.compress(after)) / len(gzip.compress(before))
    ),
    "This is the fraction saved. Divide the size before by the size after.": (
        lambda before, after: 1 - len(gzip.compress(after)) / len(gzip.compress(before))
    ),
}


def _judge(answer):
    before = shipped.model()
    after = zeroed(before, 0.8)
    got, stopped = attempt(answer, before.data, after.data)
    if stopped:
        return stopped
    try:
        got = float(got)
    except (TypeError, ValueError):
        return Finding(f"Your function should return a number, and returned {type(got).__name__}.")
    pair = before.data, after.data
    truth = times_smaller_repaired(*pair)
    if _near(got, truth):
        return Finding(note=f"Compressed, the file is {truth:.1f} times smaller.")
    hints = (hint for hint, wrong in MISTAKES.items() if _near(got, wrong(*pair)))
    return Finding(f"Got {got:.2f} for a file with 80 % zeros.", next(hints, ""))


def _near(got, truth):
    return math.isclose(got, truth, rel_tol=NEAR)


EXERCISES.add(
    Exercise(
        "museum.f",
        for_repair(times_smaller, _judge),
        times_smaller_repaired,
        (
            "Four fifths of the weights are zero. How many bytes does one zero take in the file?",
            "A .tflite file stores zeros like other numbers. A download is usually compressed.",
            "Compare len(gzip.compress(...)) of both files; Python has gzip.",
        ),
    )
)
