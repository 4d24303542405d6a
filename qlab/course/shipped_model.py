"""The shipped baseline as the exercises ask about it: loaded once, and only when asked for."""

from functools import cache

from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding
from qlab.tflite.artefacts import pretrained
from qlab.trials.subjects import subject


@cache
def model():
    """Load the float32 baseline."""
    return pretrained("baseline")


def compressor():
    """The engine that the explorers use for the baseline too."""
    return subject().compressor


def float_accuracy():
    """Accuracy of the float32 baseline on the images to choose with."""
    return subject().float_measurement.accuracy


@cache
def _trials():
    return subject().remembering()


def score(recipe):
    """Build the file that `recipe` describes and score it on the images to choose with."""
    trial = _trials()(recipe)
    return trial.model, trial.measurement


def heaviest_layer():
    """Name the layer that holds most of the baseline's weights."""
    weighted = (layer for layer in model().layers if layer.weights is not None)
    return max(weighted, key=lambda layer: layer.weights.size).name


def for_recipe(judge, score=score):
    """Judge a recipe by its file: `judge` gets the recipe, the file and its accuracy."""

    def judged(recipe):
        if not isinstance(recipe, Recipe):
            got = type(recipe).__name__
            return Finding(f"This check needs a qlab.Recipe, and got {got}.", plain=True)
        try:
            small, measured = score(recipe)
        except ValueError as error:
            return Finding(f"This recipe cannot be built: {error}", plain=True)
        return judge(recipe, small, measured.accuracy)

    return judged
