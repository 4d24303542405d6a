"""Predict, then look: questions, guesses and what was measured."""

import math
from dataclasses import dataclass

from qlab.lessons import memory
from qlab.lessons.cards import card
from qlab.lessons.document import plain
from qlab.lessons.registry import Registry
from qlab.system.providers import provided

QUESTIONS = Registry("question")
KINDS = ("measured", "simulated")  # of a truth: a run gave it, or arithmetic did


@dataclass(frozen=True)
class Question:
    """A question with 3 to 5 options, or with a number between two bounds."""

    id: str
    text: str
    options: dict = None
    bounds: tuple = ()
    near: float = 0
    shown: str = ""
    why: str = ""
    kind: str = "measured"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"Question {self.id!r}: its kind is one of {', '.join(KINDS)}.")
        if bool(self.options) == bool(self.bounds):
            raise ValueError(f"Question {self.id!r} needs either options or bounds.")
        if self.options and not 3 <= len(self.options) <= 5:
            raise ValueError(f"Question {self.id!r} needs 3 to 5 options.")

    def in_words(self, truth):
        """Return what the truth is, in words, and its kind before it."""
        return f"{self.kind.capitalize()}: {truth}"

    def option_for(self, truth):
        """Return the option that `truth` falls in; ValueError if none or several do."""
        matching = [text for text, meaning in self.options.items() if _means(meaning, truth)]
        if len(matching) != 1:
            raise ValueError(
                f"Question {self.id!r}: the truth {truth!r} fits {len(matching)} of its options. "
                f"They stand for {list(self.options.values())}."
            )
        return matching[0]

    def measured(self, truth):
        """Return a truth in words: with options, also the one that it falls in."""
        if not self.options:
            return self.shown.format(truth)
        option = self.option_for(truth)
        return f"{self.shown.format(truth)}, so: {option}" if self.shown else option

    def validate(self, guess):
        """Return `guess` if it can be given, else raise ValueError saying what can."""
        if self.options:
            if guess not in self.options:
                raise ValueError(f"{guess!r} is not an option. Choose one of {list(self.options)}.")
        elif not self.bounds[0] <= guess <= self.bounds[1]:
            low, high = self.bounds
            raise ValueError(f"{guess!r} is out of bounds. Guess between {low} and {high}.")
        return guess

    def read(self, text):
        """Return the number that was typed; ValueError if it is none, or out of bounds."""
        try:
            guess = int(text.strip().removesuffix("%"))
        except ValueError:
            low, high = self.bounds
            words = f"{text!r} is not a whole number. Guess between {low} and {high}."
            raise ValueError(words) from None
        return self.validate(guess)

    def late(self):
        """Say of a guess that it came after its result; nothing of one that came before it."""
        entry = memory.progress()["questions"].get(self.id, {})
        first = entry.get("counted")
        if entry.get("late"):
            return "made after the result was shown"
        if first in (None, entry.get("guess")):
            return ""
        return f"changed after the result was shown, so {self.in_short(first)} is what counts"

    def in_short(self, guess):
        """A guess in words."""
        return guess if self.options else self.shown.format(guess)

    def earlier_guess(self):
        """The learner's guess, or None; one that this question no longer allows is none."""
        try:
            return self.validate(memory.guesses.get(self.id))
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True, repr=False)
class Reveal:
    """A guess beside the measured truth. ``guess`` is None if it was skipped."""

    question: Question
    guess: object
    measured: str
    right: bool
    late: str = ""

    @property
    def words(self):
        told = self.question.in_words(self.measured)
        if self.guess is None:
            return told, self.question.why
        guess = f"Your guess: {self.question.in_short(self.guess)}"
        return f"{guess} ({self.late})" if self.late else guess, told, self.question.why

    @property
    def title(self):
        if self.guess is None:
            return "Guess skipped"
        if self.late:
            return "Guessed after the result"
        return "Right" if self.right else "Not what you expected"

    def __repr__(self):
        return "\n".join(line for line in (self.title, *self.words) if line)

    def _repr_html_(self):
        unmarked = self.guess is None or self.late
        state = "open" if unmarked else "right" if self.right else "wrong"
        return card(state, self.title, *self.words)


def _means(meaning, truth):
    if isinstance(meaning, tuple):
        return meaning[0] <= truth < meaning[1]
    return type(meaning) is type(truth) and meaning == truth


def predict(id):
    """Show a question and keep the learner's guess.

    Parameters
    ----------
    id : str

    Returns
    -------
    qlab.widgets.prediction.Prediction

    Raises
    ------
    ValueError
        If there is no such question.
    """
    question = QUESTIONS.find(id)
    memory.seen(question.id)
    return provided("question")(question)


def reveal(id, truth):
    """Show the guess beside what was measured; never waits.

    Parameters
    ----------
    id : str
    truth : number or str
        Measured in the notebook. It must fit one of the question's options, or be a number.

    Returns
    -------
    Reveal

    Raises
    ------
    ValueError
        If there is no such question, or `truth` fits none of its options.

    Examples
    --------
    >>> reveal("rounding.blank", 10.0)
    Guess skipped
    Measured: 10 %
    The ranges were taken from blank images. Real activations lie far outside them, and...
    """
    question, truth = QUESTIONS.find(id), plain(truth)
    shown = _compare(question, question.earlier_guess(), truth)
    memory.record_reveal(question.id, truth, shown.measured, shown.right)
    return shown


def _compare(question, guess, truth):
    """The `Reveal` of a guess, or of None, beside the truth."""
    if question.options:
        right = guess == question.option_for(truth)
    elif isinstance(truth, str) or not math.isfinite(truth):
        raise ValueError(f"Question {question.id!r}: the truth is {truth}, which is not a number.")
    else:
        right = guess is not None and abs(guess - truth) <= question.near
    late = "" if guess is None else question.late()
    return Reveal(question, guess, question.measured(truth), right, late)
