"""Five questions at the end of a notebook, each about something that was measured in it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from qlab.lessons import memory
from qlab.lessons.cards import card
from qlab.lessons.document import plain
from qlab.lessons.old_ids import current
from qlab.lessons.predictions import Question
from qlab.lessons.registry import NOTEBOOKS, Registry, topic_of
from qlab.system.providers import provided

ITEMS = Registry("quiz question")


@dataclass(frozen=True)
class Item:
    """A question of a quiz and how its truth is found."""

    question: Question
    truth: Callable

    @property
    def id(self):
        return self.question.id

    @property
    def needs(self):
        """Names of the variables that `truth` asks for."""
        return tuple(inspect.signature(self.truth).parameters)


@dataclass(frozen=True)
class Mark:
    """What an answer was worth. ``state`` is "right", "wrong" or, without a truth, "open"."""

    state: str
    title: str
    lines: tuple

    def __repr__(self):
        return "\n".join((self.title, *self.lines))

    def _repr_html_(self):
        return card(self.state, self.title, *self.lines)


class Sheet:
    """The questions of one quiz with what was measured for them."""

    def __init__(self, topic, measured):
        self.items = items(topic)
        self._measured, self._truths = measured, {}
        self.topic = current(topic)
        self.number = NOTEBOOKS.get(self.topic, ("", ""))[0] or self.topic
        missing = sorted({name for item in self.items for name in item.needs} - set(measured))
        if missing:
            given = ", ".join(f"{name}={name}" for name in missing)
            raise ValueError(
                f"This quiz needs what the notebook measured: quiz({self.topic!r}, {given})"
            )

    def answer(self, id, option):
        """Mark an answer and remember it; the first one is the one that counts."""
        item = ITEMS.find(id)
        id = item.id  # today's, for an old one
        memory.record_guess(id, item.question.validate(option))
        mark = self.mark(id, option)
        if mark.state != "open":
            shown = self._told(item)
            memory.record_reveal(id, self._truth(item), shown, mark.state == "right")
        return mark

    def mark(self, id, option):
        """Return the `Mark` of an option, without remembering it."""
        item = ITEMS.find(id)
        try:
            right = item.question.option_for(self._truth(item)) == option
        except Exception as error:  # the learner may have put anything into the variables
            words = f"{type(error).__name__}: {error}"
            advice = "Run the notebook from the top, then this cell again."
            return Mark("open", "This one cannot be marked", (words, advice))
        if right:
            return Mark("right", "Right", (self._told(item), item.question.why))
        told = (f"You said: {option}", self._told(item), item.question.why)
        return Mark("wrong", "Not this one", told)

    def unmarkable(self):
        """Questions that cannot be marked with what was measured."""
        return [x.id for x in self.items if self.mark(x.id, None).state == "open"]

    def first_answers(self):
        """The answer that counts for each question answered so far, by id."""
        remembered = memory.progress()["questions"]
        found = {}
        for item in self.items:
            entry = remembered.get(item.id, {})
            option = entry.get("counted", entry.get("guess"))
            if option in item.question.options:
                found[item.id] = option
        return found

    def last_answer(self, id):
        """The answer given last: the one that counts, or one of a later try."""
        guess = memory.guesses.get(id)
        return guess if guess in ITEMS.find(id).question.options else self.first_answers()[id]

    def _truth(self, item):
        if item.id not in self._truths:
            measured = {name: self._measured[name] for name in item.needs}
            self._truths[item.id] = plain(item.truth(**measured))
        return self._truths[item.id]

    def _told(self, item):
        """What was measured or simulated, in words."""
        return item.question.in_words(item.question.measured(self._truth(item)))


def items(topic):
    """Return the questions of a notebook's quiz, in order; ValueError if it has none."""
    found = tuple(item for id, item in ITEMS.items() if topic_of(id) == current(str(topic)))
    if not found:
        there = ", ".join(dict.fromkeys(map(topic_of, ITEMS)))
        raise ValueError(f"There is no quiz {topic!r}. There are: {there}")
    return found


def quiz(topic, **measured):
    """Show a notebook's quiz: five questions, an answer to each at once, nothing to wait for.

    Parameters
    ----------
    topic : str
        Of the notebook, such as "ptq".
    **measured
        The notebook's variables that the questions are about, under their own names.

    Returns
    -------
    qlab.widgets.quiz.Quiz

    Raises
    ------
    ValueError
        If there is no such quiz, or a variable is missing.
    """
    sheet = Sheet(topic, measured)
    memory.seen(f"{sheet.topic}.quiz")
    return provided("quiz")(sheet)
