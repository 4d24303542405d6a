"""The content of the course, one folder a notebook: wording in content.toml, the rest in Python.

The machinery is in `qlab.lessons`. Importing this room registers everything in it.
"""

from qlab.course import (
    baseline,
    claims,
    combine,
    distillation,
    museum,
    pruning,
    ptq,
    qat,
    welcome,
)
from qlab.lessons.content import register

for topic in (welcome, baseline, ptq, qat, pruning, distillation, combine, claims, museum):
    register(topic)  # in the order of the course
