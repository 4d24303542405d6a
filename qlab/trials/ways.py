"""Recipes carried out, each once: the file, its accuracy, and its sizes when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import qlab
from qlab.arithmetic.results import Measurement
from qlab.engine.recipes import Recipe
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.sparse_encoding import sparse_file

REMEMBERED = 32


@dataclass(frozen=True, eq=False)
class Way:
    """A recipe, carried out and scored."""

    recipe: Recipe
    model: LiteModel
    measurement: Measurement
    compressor: qlab.Compressor = field(repr=False)

    @cached_property
    def sizes(self):
        """qlab.arithmetic.results.Sizes: of the file as it was scored."""
        return self.compressor.sizes(self.model, self.recipe)

    @cached_property
    def packed_bytes(self):
        """int: size of the file with weights of 4 bits or fewer packed two to a byte."""
        return self.model.packed().file_bytes

    @cached_property
    def sparse_bytes(self):
        """int: size of the file that leaves the zeros out, as `sparse_file` writes it."""
        return sparse_file(self.model).file_bytes


def ways(subject):
    """Make a function from recipes to ways, which remembers the latest 32."""

    @lru_cache(REMEMBERED)
    def way(recipe):
        model = subject.compressor.compress(recipe)
        measured = qlab.evaluate(model, subject.images, subject.labels)
        return Way(recipe, model, measured, subject.compressor)

    return way
