"""How a class predicted and what it passed, counted from many progress documents."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from qlab.lessons.predictions import Question

BINS = 5
OTHER = "another answer"  # of an older or a newer version of the course, or made up


@dataclass(frozen=True)
class QuestionTally:
    """How a class answered one question."""

    question: Question
    counts: dict
    true_label: str
    measured: str
    others: int
    skipped: int
    late: int

    @property
    def answered(self):
        return sum(self.counts.values())


@dataclass(frozen=True)
class ExerciseTally:
    """How a class did one exercise: learners by outcome, attempts, hints and mistakes."""

    id: str
    passed: int
    tried: int
    untouched: int
    median_attempts: float
    most_attempts: int
    hints: dict
    mistakes: dict
    solutions: int


def tally_question(question, documents):
    """Count the guesses of a class."""
    entries = [d["questions"].get(question.id, {}) for d in documents]
    guesses = [counted_guess(e) for e in entries if counted_guess(e) is not None]
    labels = Counter(label_of_guess(question, guess) for guess in guesses)
    truths = [(label_of_truth(question, e), e.get("measured", "")) for e in entries if "truth" in e]
    true_label = _most([label for label, _ in truths if label != OTHER])
    order = [*_labels(question), *([OTHER] if OTHER in labels else [])]
    return QuestionTally(
        question,
        {label: labels[label] for label in order},
        true_label,
        _most([measured for label, measured in truths if label == true_label]),
        sum(label != true_label for label, _ in truths),
        skipped=len(entries) - len(guesses),
        late=sum(e.get("late", False) for e in entries),
    )


def tally_exercise(exercise, documents):
    """Count how a class did an exercise."""
    entries = [d["exercises"].get(exercise.id, {}) for d in documents]
    attempts = [e["attempts"] for e in entries if e.get("attempts")]
    passed = sum("passed" in e for e in entries)
    tried = sum("passed" not in e and bool(e.get("attempts")) for e in entries)
    return ExerciseTally(
        exercise.id,
        passed,
        tried,
        len(entries) - passed - tried,
        median(attempts) if attempts else 0,
        max(attempts, default=0),
        dict(sorted(Counter(level for e in entries for level in e.get("hints", ())).items())),
        dict(Counter(text for e in entries for text in e.get("mistakes", ())).most_common(8)),
        sum("solution" in e for e in entries),
    )


def counted_guess(entry):
    """The guess that stood when the truth was first shown, or the latest; None without one."""
    return entry.get("counted", entry.get("guess"))


def label_of_guess(question, guess):
    """The option or range that a guess falls in; `OTHER` if there is none."""
    if question.options:
        return guess if guess in question.options else OTHER
    return _range_of(question, guess)


def label_of_truth(question, entry):
    """The option or range that a measured truth falls in; `OTHER` if there is none."""
    if not question.options:
        return _range_of(question, entry["truth"])
    try:
        return question.option_for(entry["truth"])
    except (TypeError, ValueError):  # a stranger's file may say anything
        return OTHER


def _labels(question):
    if question.options:
        return list(question.options)
    return [
        f"{question.shown.format(a)} to {question.shown.format(b)}" for a, b in _edges(question)
    ]


def _edges(question):
    low, high = question.bounds
    step = (high - low) / BINS
    return [(low + i * step, low + (i + 1) * step) for i in range(BINS)]


def _range_of(question, value):
    """The label of the range that a number is in; a range holds its lower end, the last both."""
    low, high = question.bounds
    if isinstance(value, str) or not low <= value <= high:
        return OTHER
    return _labels(question)[min(int(BINS * (value - low) / (high - low)), BINS - 1)]


def _most(values):
    """The most common value; empty if there is none."""
    return Counter(values).most_common(1)[0][0] if values else ""
