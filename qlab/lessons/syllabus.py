"""The map of the course: which questions and exercises belong to which notebook."""

from dataclasses import dataclass

from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.predictions import QUESTIONS, Question
from qlab.lessons.quizzes import ITEMS
from qlab.lessons.registry import NOTEBOOKS, topic_of


@dataclass(frozen=True)
class Part:
    """One notebook: its topic, number and title, and what there is to do in it, in order."""

    topic: str
    number: str
    title: str
    questions: tuple[Question, ...]
    exercises: tuple[Exercise, ...]
    quiz: tuple[Question, ...] = ()

    @property
    def name(self):
        """Number and title, such as "01 Baseline"; the museum has no number."""
        return f"{self.number} {self.title}" if self.number else self.title


def parts():
    """Every notebook of the course, with its questions, its exercises and its quiz."""
    return tuple(
        Part(
            topic,
            number,
            title,
            tuple(q for id, q in QUESTIONS.items() if topic_of(id) == topic),
            tuple(e for id, e in EXERCISES.items() if topic_of(id) == topic),
            tuple(item.question for id, item in ITEMS.items() if topic_of(id) == topic),
        )
        for topic, (number, title) in NOTEBOOKS.items()
    )


@dataclass(frozen=True)
class Standing:
    """How far a learner is in one notebook."""

    part: Part
    guessed: int
    right: int
    wrong: int
    passed: int
    seconds: int
    begun: bool
    quizzed: int = 0

    @property
    def state(self):
        """One of "not begun", "begun" and "done"."""
        if not self.begun:
            return "not begun"
        revealed = self.right + self.wrong == len(self.part.questions)
        return "done" if revealed and self.passed == len(self.part.exercises) else "begun"


def standing(part, progress):
    """Return how far the learner of a `progress` document is in `part`."""
    answers = [progress["questions"].get(q.id, {}) for q in part.questions]
    tries = [progress["exercises"].get(e.id, {}) for e in part.exercises]
    notebook = progress["notebooks"].get(part.topic, {})
    return Standing(
        part,
        guessed=sum("guess" in a for a in answers),
        right=sum(a.get("right") is True for a in answers),
        wrong=sum(a.get("right") is False for a in answers),
        passed=sum("passed" in t for t in tries),
        seconds=notebook.get("seconds", 0),
        begun=bool(notebook) or any(answers) or any(tries),  # some were asked elsewhere before
        quizzed=sum(progress["questions"].get(q.id, {}).get("right") is True for q in part.quiz),
    )
