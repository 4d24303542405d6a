"""Predict, then look; do it in code, then check it.

``predict`` and ``reveal`` put a guess beside what was measured; ``check`` and ``solution`` go with
the exercises; ``quiz`` ends a notebook; ``progress`` shows what was done so far, and ``learner``
says by whom. One module holds the questions and exercises of one notebook, one more its quiz, and
a folder the bug museum.

Examples
--------
>>> from qlab.lessons import check
>>> check("01.accuracy", ...)
01.accuracy: not attempted yet
"""

from qlab.lessons import (  # noqa: F401  (each adds its questions and exercises)
    aware_training,
    aware_training_quiz,
    baseline,
    baseline_quiz,
    checked_claims,
    claims,
    claims_quiz,
    claims_table,
    clustering,
    combining,
    combining_quiz,
    distillation,
    distillation_quiz,
    masks,
    museum,
    pareto_front,
    post_training,
    post_training_quiz,
    pruning,
    pruning_quiz,
    quantization,
    representative,
    schedules,
    shipping,
    welcome,
    welcome_quiz,
)
from qlab.lessons.exercises import check, solution
from qlab.lessons.memory import learner
from qlab.lessons.overview import progress
from qlab.lessons.predictions import predict, reveal
from qlab.lessons.quizzes import quiz

__all__ = ["check", "predict", "quiz", "reveal", "solution", "learner", "progress"]
