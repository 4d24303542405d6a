"""Notebook 07's lessons agree with the modules that do its work."""

import numpy as np
import pytest

from qlab.course.combine.chain import STEPS, cheapest_step, conv_macs
from qlab.engine.recipes import Recipe
from qlab.tflite.operations import count_operations
from qlab.trials import search


def trial(right, size):
    return search.Candidate(1, Recipe(), right, 5000, size)


@pytest.mark.parametrize(("here", "candidates"), STEPS)
def test_the_exercise_takes_the_step_that_the_search_takes(here, candidates):
    prices = [search._images_a_byte(trial(*here), trial(*x), 0) for x in candidates]
    assert cheapest_step(here, candidates) == np.argmin(prices)


def test_the_exercise_counts_what_the_graph_counts():
    import qlab

    counted = {row.name: row.macs for row in count_operations(qlab.pretrained("baseline"))}
    assert conv_macs(28, 28, 1, 32, 2, 1) == counted["conv1"]
    assert conv_macs(13, 13, 32, 16, 2, 1) == counted["conv2"]
