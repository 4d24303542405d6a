"""Zeros that end in a file: stripped, left out, and within a budget."""

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.course import shipped_model as shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import Finding
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.sparse_encoding import encoded_bytes

BUDGET_BYTES = 105_000
BUDGET_ACCURACY = 0.875


def export(wrapped):
    """Turn a model that was trained with pruning wrappers into a file: strip it, then convert."""
    from qlab import train

    return LiteModel(train.convert(train.strip_pruning(wrapped)))


def judge_export(file):
    """Look into the file: no wrappers, and the zeros are there."""
    if isinstance(file, bytes | bytearray):
        file = LiteModel(bytes(file))
    if not isinstance(file, LiteModel):
        problem = f"This check needs a file as qlab.LiteModel, and got {type(file).__name__}."
        return Finding(problem, "bytes")
    try:
        wrapped = len(file.parsed.subgraphs) > 1
        share = 0.0 if wrapped else _share_of_zeros(file)
    except (LookupError, ValueError, TypeError, AttributeError):
        said = "This file cannot be read: it is no .tflite file, or a damaged one."
        return Finding(said, plain=True)
    if wrapped:
        problem = f"The file has {file.file_bytes:,} bytes, and variables beside its weights."
        return Finding(problem, "wrapped")
    if share >= 0.75:
        return Finding(note=f"{file.file_bytes:,} bytes; {share:.0%} of the weights are zero.")
    few = "never_pruned" if share < 0.01 else "filled"
    return Finding(f"Only {share:.0%} of its weights are zero.", few)


def _share_of_zeros(file):
    weights = [x.weights.ravel() for x in file.layers if x.weights is not None]
    return sparsity(np.concatenate(weights))


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
            note=f"Encoded {size:,} bytes, accuracy at least {BUDGET_ACCURACY:.1%}, untrained."
        )
    return Finding(
        f"Encoded {size:,} bytes (at most {BUDGET_BYTES:,}), "
        f"accuracy {accuracy:.1%} (at least {BUDGET_ACCURACY:.1%}).",
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
    "encoded": lambda small, sparse: small.file_bytes / sparse.file_bytes,
    "together": lambda whole, tiny: whole.gzip_bytes / tiny.gzip_bytes,
    "eighty": lambda mean: mean["control"] - mean[80],
    "work": lambda work: work["dense1"] / sum(work.values()),
    "values": lambda kept: kept["8 clusters"] - kept["3 bits"],
}
