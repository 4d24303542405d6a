"""Predict, then look; do it in code, then check it.

``predict`` and ``reveal`` put a guess beside what was measured; ``check`` and ``solution`` go with
the exercises; ``progress`` shows what was done so far, and ``learner`` says by whom. One module
holds the questions and exercises of one notebook.

Examples
--------
>>> from qlab.lessons import check
>>> check("01.accuracy", ...)
01.accuracy: not attempted yet
"""

from qlab.lessons import (  # noqa: F401  (each adds its questions and exercises)
    baseline,
    post_training,
    quantization,
    representative,
    welcome,
)
from qlab.lessons.exercises import check, solution
from qlab.lessons.memory import learner
from qlab.lessons.overview import progress
from qlab.lessons.predictions import predict, reveal

__all__ = ["check", "predict", "reveal", "solution", "learner", "progress"]
