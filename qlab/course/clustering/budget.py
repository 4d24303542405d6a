"""Which layer can spare how much: zeros within a budget, and what they save."""

from qlab.arithmetic.results import percent
from qlab.course import shipped_model as shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding
from qlab.tflite.sparse_encoding import encoded_bytes

BUDGET_BYTES = 105_000
BUDGET_ACCURACY = 0.875


def sparse_recipe():
    """Zeros where the weights are, none where they are few."""
    own = {shipped.heaviest_layer(): {"sparsity": 0.8}}
    return Recipe(weight_bits=32, activation_bits=32, overrides=own)


@shipped.for_recipe
def judge_sparse_recipe(recipe, small, accuracy):
    """Hold the file of a recipe against the budget."""
    size = encoded_bytes(small)
    fits = size <= BUDGET_BYTES
    if _plain_float(recipe) and fits and accuracy >= BUDGET_ACCURACY:
        return Finding(
            note=f"Without its zeros it has {size:,} bytes, and it reaches {percent(accuracy)}."
        )
    return Finding(
        f"Without its zeros the file has {size:,} bytes (at most {BUDGET_BYTES:,}), and it reaches "
        f"{percent(accuracy)} (at least {percent(BUDGET_ACCURACY)}).",
        _recipe_mistake(recipe, fits) if _plain_float(recipe) else "not_float",
    )


def _plain_float(recipe):
    settings = {name for _, own in recipe.overrides for name, _ in own}
    plain = recipe.weight_bits == recipe.activation_bits == 32 and recipe.clusters is None
    return plain and settings <= {"sparsity"}


def _recipe_mistake(recipe, fits):
    own = [dict(settings).get("sparsity", 0) for _, settings in recipe.overrides]
    if not fits and not any((recipe.sparsity, *own)):
        return "dense"
    if fits and not own:
        return "same_share" if recipe.sparsity_scope == "per-layer" else "one_threshold"
    return ""


TRUTHS = {
    "values": lambda kept: kept["8 clusters"] - kept["3 bits"],
    "coder": lambda kept: kept["8 clusters"] - kept["5 bits"],
    "entropy": lambda bits: bits["3 bits"],
    "small_layer": lambda saved: saved["conv1"],
    "spared": lambda in_budget: in_budget["zeros in dense1"] - in_budget["one threshold"],
}
