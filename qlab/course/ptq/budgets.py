"""Sizes in bytes, and which layer deserves its bits."""

import numpy as np

import qlab
from qlab.arithmetic.affine import affine_params
from qlab.course import shipped_model as shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding
from qlab.lessons.judges import for_function, like
from qlab.trials import subjects

BUDGET_BYTES = 48_000  # of the packed file
MOST_LOST = 0.01  # of the float32 file's accuracy


def packed_bytes(count, bits):
    """Bytes of `count` weights of `bits` bits each, packed without gaps."""
    return -(-count * bits // 8)


judge_packed_bytes = for_function(
    packed_bytes,
    [(8, 4), (75_609, 4), (3, 3), (1, 2), (10, 8)],
    mistakes={
        "bits": like(lambda count, bits: count * bits),
        "rounded_down": like(
            lambda count, bits: count * bits // 8, lambda count, bits: count * (bits // 8)
        ),
        "fraction": like(lambda count, bits: count * bits / 8),
        "byte_each": like(lambda count, bits: count),
    },
)


def mixed_recipe():
    """Few bits where the weights are, 8 where they are few."""
    return Recipe(overrides={shipped.heaviest_layer(): {"weight_bits": 4}})


@shipped.for_recipe
def judge_mixed_recipe(recipe, small, accuracy):
    """Hold the file of a recipe against the budget."""
    size, least = small.packed_bytes, round(shipped.float_accuracy() - MOST_LOST, 6)
    if size <= BUDGET_BYTES and accuracy >= least:
        return Finding(note=f"Packed file {size:,} bytes, accuracy at least {least:.2%}.")
    return Finding(
        f"Packed file {size:,} bytes (at most {BUDGET_BYTES:,}), accuracy {accuracy:.2%} "
        f"on the validation images (at least {least:.2%}, one point below float32).",
        _recipe_mistake(recipe, size),
    )


def _recipe_mistake(recipe, size):
    own = (dict(settings).get("weight_bits", 8) for _, settings in recipe.overrides)
    if size > BUDGET_BYTES and min((recipe.weight_bits, *own)) >= 8:
        return "activations"
    return "uniform" if size <= BUDGET_BYTES and not recipe.overrides else ""


def _bytes_of_three_bits(compressor):
    three, four = (compressor.compress(Recipe(weight_bits=bits)) for bits in (3, 4))
    return three.file_bytes / four.file_bytes


def _unscaled(model, calibration, scores):
    """What comes of calibration pixels from 0 to 255: "error", "larger", "silent" or "fine"."""
    images, recipe = calibration[:32], Recipe(calibration_size=32)
    good = qlab.Compressor(model, images).compress(recipe)
    try:
        file = qlab.Compressor(model, images.astype(np.float32)).compress(recipe)
    except ValueError:
        return "error"
    if file.file_bytes > 1.01 * good.file_bytes:
        return "larger"
    accuracy = subjects.scored(file, subjects.course_images()).accuracy
    return "silent" if accuracy < scores["int8"].accuracy - 0.1 else "fine"


def _best_change(score):
    start = Recipe(activation_bits=2, observer="min-max", calibration_size=1024)
    changes = {
        "weights": start.replace(weight_bits=16),
        "per-tensor": start.replace(granularity="per-tensor"),
        "observer": start.replace(observer="mse"),
    }
    return max(changes, key=lambda name: score(changes[name]).accuracy)


def _share_of_most_sensitive(model, entries):
    worst = min(entries, key=lambda entry: entry.measurement.accuracy).layer
    sizes = {layer.name: layer.weights.size for layer in model.layers if layer.weights is not None}
    return sizes[worst] / sum(sizes.values())


TRUTHS = {
    "step": lambda: float(affine_params(0, 6, 4).scale),
    "bytes": _bytes_of_three_bits,
    "unscaled": _unscaled,
    "observer": _best_change,
    "sensitive": _share_of_most_sensitive,
}
