"""Notebook "Welcome": one slider, one real file, one number that was measured."""

from qlab.arithmetic.results import compare
from qlab.course import shipped_model as shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.judges import for_number


def fewest_bits():
    """Fewest weight bits with an accuracy above 80 %, activations at 8 bits: measured."""
    return next(b for b in range(2, 9) if shipped.score(Recipe(weight_bits=b))[1].accuracy > 0.8)


judge_fewest_bits = for_number(
    fewest_bits,
    mistakes={
        "too_few": lambda args, got: got in range(2, fewest_bits()),
        "too_many": lambda args, got: got in range(fewest_bits() + 1, 33),
    },
)


def verdict(before, after):
    """Tell what the interval says of the second model: "neither", "better" or "worse"."""
    result = compare(before, after)
    return "neither" if result.within_noise else result.verdict


def _four_bit_values(compressor, model):
    """Count the codes of the first weighted layer at 4 bits."""
    layer = next(layer for layer in model.layers if layer.weights is not None)
    params = compressor.weight_params(layer.name, Recipe(weight_bits=4))
    return int(params.q_max - params.q_min + 1)


TRUTHS = {
    "share": lambda model, small: small.file_bytes / model.file_bytes,
    "differ": lambda before, after: int((before.predictions != after.predictions).sum()),
    "noise": verdict,
    "values": _four_bit_values,
    "kind": lambda after: after.kind,
}
