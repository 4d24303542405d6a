"""Which layer deserves its bits, and what was measured on the way."""

from qlab.course import shipped_model as shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding

BUDGET_BYTES = 48_000  # of the packed file
MOST_LOST = 0.01  # of the float32 file's accuracy


def mixed_recipe():
    """Few bits where the weights are, 8 where they are few."""
    return Recipe(overrides={shipped.heaviest_layer(): {"weight_bits": 4}})


@shipped.for_recipe
def judge_mixed_recipe(recipe, small, accuracy):
    """Hold the file of a recipe against the budget."""
    size, least = small.packed_bytes, round(shipped.float_accuracy() - MOST_LOST, 6)
    if size <= BUDGET_BYTES and accuracy >= least:
        return Finding(
            note=f"Packed file {size:,} bytes, accuracy {accuracy:.2%} (at least {least:.2%})."
        )
    return Finding(
        f"Packed file {size:,} bytes (at most {BUDGET_BYTES:,}), accuracy {accuracy:.2%} "
        f"on the validation images (at least {least:.2%}, one point below float32).",
        _recipe_mistake(recipe, size),
    )


def _recipe_mistake(recipe, size):
    own = [dict(settings).get("weight_bits", 8) for _, settings in recipe.overrides]
    if size > BUDGET_BYTES and min(recipe.weight_bits, *own, 99) >= 8:
        return "activations" if _lowers_activations(recipe) else "nothing"
    if size > BUDGET_BYTES and {5, 6, 7} & {recipe.weight_bits, *own}:
        return "no_form"
    return "uniform" if size <= BUDGET_BYTES and not recipe.overrides else ""


def _lowers_activations(recipe):
    return any("activation_bits" in dict(x) for _, x in recipe.overrides) or (
        recipe.activation_bits < 8
    )


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


def _errors(errors):
    """What GPTQ does to two squared errors, that of the weights and that of the outputs."""
    pairs = zip(errors["nearest"], errors["gptq"], strict=True)
    risen = tuple(bool(after > before) for before, after in pairs)
    return {
        (False, False): "both fall",
        (True, False): "traded",
        (False, True): "wrong way",
        (True, True): "both rise",
    }[risen]


TRUTHS = {
    "zero": lambda zeros: float(zeros["min-max"]["dense1"]),
    "errors": _errors,
    "regained": lambda lost: 1 - lost["equalized"] / lost["plain"],
    "observer": _best_change,
    "sensitive": _share_of_most_sensitive,
}
