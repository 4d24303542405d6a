"""Which layer hurts most: one at a time is lowered to a few bits or pruned, all others are kept."""

from dataclasses import dataclass

from qlab.engine.floating import floating
from qlab.engine.recipes import Recipe
from qlab.tflite import prefixes
from qlab.tflite.operators import MOVING
from qlab.tflite.sparse_encoding import encoded_bytes
from qlab.trials.subjects import Trial

WHICH = ("weight_bits", "activation_bits", "both")  # of bits; "sparsity" is the fourth way


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerTrial(Trial):
    """One layer lowered, all others kept, compared with nothing lowered; the file is not kept."""

    layer: str
    bytes_saved: int


def scan(compressor, images, labels, bits, base=None, which="weight_bits", levels=1):
    """Lower one layer at a time, or prune it, and compare it in a family of all that are tried."""
    base = Recipe() if base is None else base
    dense = compressor.compress(base)
    names = layers_with(compressor.model, which)
    start = prefixes.score(dense, images, labels, changing=names)
    family = len(names) * levels
    for name in names:
        recipe = lowered(base, {name: bits}, which)
        model = compressor.compress(recipe)
        measured = prefixes.score(model, images, labels)
        if which == "sparsity":
            saved = encoded_bytes(dense) - encoded_bytes(model)
        else:
            saved = dense.packed_bytes - model.packed_bytes
        about = {"layer": name, "bytes_saved": saved, "family": family}
        yield LayerTrial(recipe, None, measured, start, **about)


def layers_with(model, which):
    """Names of the layers that have what is to be lowered."""
    known = (*WHICH, "sparsity")
    if which not in known:
        raise ValueError(f"which is {which!r}; choose one of {', '.join(known)}")
    if which == "activation_bits":
        rounded = floating(model).rounded
        return tuple(x.name for x in model.layers if x.op not in MOVING and x.output in rounded)
    return tuple(x.name for x in model.layers if x.weights is not None)


def lowered(base, bits, which="weight_bits"):
    """A recipe with bits, or a sparsity, of their own for some layers."""
    settings = ("weight_bits", "activation_bits") if which == "both" else (which,)
    overrides = {layer: dict(values) for layer, values in base.overrides}
    for layer, value in bits.items():
        overrides[layer] = overrides.get(layer, {}) | dict.fromkeys(settings, value)
    return base.replace(overrides=overrides)
