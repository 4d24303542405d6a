"""The bug museum: six short pipelines as people publish them, each with one thing wrong.

One module is one exhibit. It holds the pipeline as found, which the notebook shows word for word
in a cell to be mended, the repaired one, and a judge that runs the learner's and measures. The
exhibits have letters for names, so that no name gives the bug away.
"""

from qlab.course.museum import exhibit_a, exhibit_b, exhibit_c, exhibit_d, exhibit_e, exhibit_f  # noqa: F401  (each adds its exercise)
from qlab.course.museum.files import activations, operators, zeroed
from qlab.course.museum.scripts import run_script

__all__ = ["activations", "operators", "run_script", "zeroed"]
