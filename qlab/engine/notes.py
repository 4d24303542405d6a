"""What a learner should know about how a recipe is carried out: true sentences for the screen."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.engine.lowering import MOVING, needs_lower_clamp, sums_fit
from qlab.engine.shaping import different_values


def notes(compressor, recipe):
    """Sentences about one recipe."""
    about = (_shapes, _roundings, _scales, _clamps, _float_kernels, _silent)
    return tuple(sentence for part in about for sentence in part(compressor, recipe))


def _shapes(compressor, recipe):
    """Pruning and clustering, where they do something unexpected."""
    dense = {x.name: x.weights for x in compressor.layers if x.weights is not None}
    held = {name: compressor.weights(name, recipe) for name in dense}
    pruned = [name for name in dense if recipe.setting("sparsity", name)]
    if pruned and len(pruned) == len(dense):
        yield f"Weights of all layers are pruned, those of {pruned[-1]} too; biases are kept."
    empty = [name for name in pruned if not held[name].any() and dense[name].any()]
    if empty:
        yield f"Nothing is left of the weights of {', '.join(empty)}: it puts out its bias alone."
    few = [
        name
        for name in dense
        if (recipe.setting("clusters", name) or 0) > 0
        and different_values(compressor.shaped(name, recipe)) < recipe.setting("clusters", name)
    ]
    if few:
        yield f"Fewer different weights than clusters in {', '.join(few)}: they stay as they are."


def _roundings(compressor, recipe):
    """Few bits make more zeros than were asked for."""
    names = [x.name for x in compressor.layers if x.weights is not None]
    if not any(recipe.setting("sparsity", name) for name in names):
        return
    before, after = (
        sparsity(np.concatenate([weights(name, recipe).reshape(-1) for name in names]))
        for weights in (compressor.shaped, compressor.weights)
    )
    if after > before + 0.005:
        yield f"Rounding makes more zeros: {before:.1%} were pruned, {after:.1%} are zero now."


def _scales(compressor, recipe):
    """Scales of their own part what clusters had joined."""
    parted = [
        (different_values(compressor.weights(x.name, recipe)), x.name)
        for x in compressor.layers
        if x.weights is not None
        and recipe.setting("clusters", x.name)
        and recipe.granularity == "per-channel"
        and recipe.bits("weight_bits", x.name) <= 8
    ]
    if parted:
        count, name = max(parted)
        if count > recipe.setting("clusters", name):
            yield (
                f"Each channel rounds on a grid of its own: the {recipe.setting('clusters', name)} "
                f"values of {name} become {count:,} different ones. Per tensor there are no more."
            )


def _clamps(compressor, recipe):
    """Activations below 8 bits."""
    if recipe.activation_bits < 8:
        yield "The input and the logits stay at 8 bits."
    clamped = [x.name for x in compressor.layers if _is_clamped(compressor, x, recipe)]
    if clamped:
        yield (
            f"Signed outputs ({', '.join(clamped)}) pass an extra QUANTIZE step, because no "
            "kernel clamps them at the lower end."
        )


def _is_clamped(compressor, layer, recipe):
    params = compressor.tensor_params(layer.output, recipe)
    return (
        layer.op not in MOVING
        and params is not None
        and needs_lower_clamp(params, layer.activation)
    )


def _float_kernels(compressor, recipe):
    """Recipes that mix integers and float."""
    if recipe.activation_bits <= 8 < recipe.weight_bits:
        yield (
            "The kernels run in float; each activation is rounded by a QUANTIZE and a "
            "DEQUANTIZE step."
        )
    if recipe.weight_bits <= 8 < recipe.activation_bits:
        yield "Weight-only: the weights pass a DEQUANTIZE step, and the kernels run in float."


def _silent(compressor, recipe):
    """Layers without a usable range."""
    silent = [
        x.name
        for x in compressor.layers
        if x.weights is not None and _is_silent(compressor, x, recipe)
    ]
    if silent:
        yield (
            f"On the calibration images {', '.join(silent)} saw or gave next to nothing. "
            "Integer sums cannot express that, so it runs in float."
        )


def _is_silent(compressor, layer, recipe):
    """Whether a layer that should run on integers cannot, for want of a usable range."""
    weights = compressor.weight_params(layer.name, recipe)
    before, after = (compressor.tensor_params(i, recipe) for i in (layer.inputs[0], layer.output))
    if weights is None or before is None or after is None:
        return False
    return not sums_fit(layer.bias, before, weights, after)
