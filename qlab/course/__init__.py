"""The content of the course: questions, exercises, quizzes, claims and the bug museum.

The machinery that shows and judges them is in `qlab.lessons`. Importing this room registers
everything in it.
"""

from qlab.course import (  # noqa: F401  (each adds its questions and exercises)
    aware_training,
    aware_training_quiz,
    baseline,
    baseline_quiz,
    checked_claims,
    claims_quiz,
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
