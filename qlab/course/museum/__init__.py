"""The bug museum: seven short pipelines as people publish them, each with one thing wrong."""

from qlab.course.museum.exhibit_files import activations, operators, zeroed
from qlab.course.museum.scripts import run_script

__all__ = ["activations", "operators", "run_script", "zeroed"]
