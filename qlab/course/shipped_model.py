"""The shipped baseline, its compressor and the test images, loaded once and only when asked for."""

from functools import cache, lru_cache

from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding


@cache
def model():
    """Load the float32 baseline."""
    import qlab

    return qlab.pretrained("baseline")


@cache
def compressor():
    """Make the baseline's compressor, with the calibration images of the course."""
    import qlab

    return qlab.Compressor(model(), qlab.data.calibration_images())


@lru_cache(maxsize=32)
def score(recipe):
    """Build the file that `recipe` describes and score it on all test images."""
    import qlab

    small, test = compressor().compress(recipe), qlab.data.load().test
    return small, qlab.evaluate(small, test.images, test.labels)


def heaviest_layer():
    """Name the layer that holds most of the baseline's weights."""
    weighted = (layer for layer in model().layers if layer.weights is not None)
    return max(weighted, key=lambda layer: layer.weights.size).name


def for_recipe(judge):
    """Judge a recipe by its file: `judge` gets the recipe, the file and its accuracy."""

    def judged(recipe):
        if not isinstance(recipe, Recipe):
            return Finding(f"This check needs a qlab.Recipe, and got {type(recipe).__name__}.")
        try:
            small, measured = score(recipe)
        except ValueError as error:
            return Finding(f"This recipe cannot be built: {error}")
        return judge(recipe, small, measured.accuracy)

    return judged
