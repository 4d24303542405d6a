"""A network of the learner's own under a budget of bytes, chosen on validation images."""

from functools import cache

from qlab.course import shipped_model as shipped
from qlab.data import digits
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding
from qlab.trials.subjects import subject

BUDGET_BYTES = 18_000  # of the packed file
MOST_LOST = 0.005  # of the float32 file's accuracy
NO_FORM = {3, 5, 6, 7}  # bits that are stored in 4 or 8


def small_recipe():
    """2 bits where most of the weights are, 4 elsewhere, and GPTQ, which costs no byte."""
    return Recipe(weight_bits=4, rounding="gptq", overrides={"dense1_1": {"weight_bits": 2}})


@cache
def _subject():
    return subject("digits", dataset=digits.load())


@cache
def _trials():
    return _subject().remembering()


def _score(recipe):
    trial = _trials()(recipe)
    return trial.model, trial.measurement


def _judge(recipe, small, accuracy):
    """Hold the file of a recipe against the budget."""
    size, least = small.packed_bytes, _subject().float_measurement.accuracy - MOST_LOST
    found = f"{size:,} bytes (at most {BUDGET_BYTES:,}), accuracy {accuracy:.2%}"
    limit = f"at least {least:.2%}, half a point below float32"
    if size <= BUDGET_BYTES and accuracy >= least:
        return Finding(note=f"Packed file {found} on the validation images ({limit}).")
    problem = f"Packed file {found} on the validation images ({limit})."
    return Finding(problem, _mistake(recipe, size <= BUDGET_BYTES))


def _mistake(recipe, small_enough):
    own = [dict(x).get("weight_bits", recipe.weight_bits) for _, x in recipe.overrides]
    bits = {recipe.weight_bits, *own}
    if small_enough:
        return "nearest" if recipe.rounding == "nearest" else "all_low"
    if min(bits) >= 8:
        return "activations" if recipe.activation_bits < 8 else "nothing"
    return "no_form" if bits & NO_FORM else "largest"


judge_small_recipe = shipped.for_recipe(_judge, _score)
