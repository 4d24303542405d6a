"""Predict, then look; do it in code, then check it.

``predict`` and ``reveal`` put a guess beside what was measured; ``check`` and ``solution`` go with
the exercises; ``quiz`` ends a notebook; ``progress`` shows what was done so far, and ``learner``
says by whom. This room is the machinery; the questions and exercises are in `qlab.course`.

Examples
--------
>>> from qlab.lessons import check
>>> check("baseline.accuracy", ...)
baseline.accuracy: not attempted yet
"""

from qlab.lessons.exercises import check, solution
from qlab.lessons.memory import learner
from qlab.lessons.overview import progress
from qlab.lessons.predictions import predict, reveal
from qlab.lessons.quizzes import quiz
from qlab.system.providers import provided

__all__ = ["check", "predict", "quiz", "reveal", "solution", "learner", "progress"]

provided("course")  # adds the questions, exercises, quizzes and claims
