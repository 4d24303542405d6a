"""What a learner should know about how a recipe is carried out: true sentences for the screen."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.engine.lowering import needs_lower_clamp, sums_fit
from qlab.engine.planning import different_values
from qlab.tflite.operators import MOVING


def notes(plan):
    """Sentences about one plan."""
    about = (_shapes, _roundings, _scales, _clamps, _float_kernels, _silent)
    return tuple(sentence for part in about for sentence in part(plan))


def _shapes(plan):
    """Pruning and clustering, where they do something unexpected."""
    pruned = [name for name, shape in plan.shapes.items() if shape.pruned]
    if pruned and len(pruned) == len(plan.stored):
        yield f"Weights of all layers are pruned, those of {pruned[-1]} too; biases are kept."
    empty = [
        name
        for name in pruned
        if not plan.weights(name).any() and plan.source.layer(name).weights.any()
    ]
    if empty:
        yield f"Nothing is left of the weights of {', '.join(empty)}: it puts out its bias alone."
    few = [name for name, k in _clustered(plan).items() if different_values(plan.shaped(name)) < k]
    if few:
        yield f"Fewer different weights than clusters in {', '.join(few)}: they stay as they are."


def _clustered(plan):
    """How many clusters were asked for, by layer."""
    return {name: shape.clusters for name, shape in plan.shapes.items() if shape.clusters}


def _roundings(plan):
    """Few bits make more zeros than were asked for."""
    if not any(shape.pruned for shape in plan.shapes.values()):
        return
    before, after = (
        sparsity(np.concatenate([weights(name).reshape(-1) for name in plan.stored]))
        for weights in (plan.shaped, plan.weights)
    )
    if after > before + 0.005:
        yield f"Rounding makes more zeros: {before:.1%} were pruned, {after:.1%} are zero now."


def _scales(plan):
    """One scale per channel pulls apart what clusters had joined."""
    if plan.recipe.granularity != "per-channel":
        return
    parted = [
        (different_values(plan.weights(name)), name, clusters)
        for name, clusters in _clustered(plan).items()
        if plan.weight_bits[name] <= 8
    ]
    if parted:
        count, name, clusters = max(parted)
        if count > clusters:
            yield (
                f"Each channel rounds on a grid of its own: the {clusters} "
                f"values of {name} become {count:,} different ones. Per tensor there are no more."
            )


def _clamps(plan):
    """Activations below 8 bits."""
    if plan.recipe.activation_bits < 8:
        yield "The input and the logits stay at 8 bits."
    clamped = [
        layer.name
        for layer in plan.source.layers
        if layer.op not in MOVING
        and (grid := plan.grids[layer.output]) is not None
        and needs_lower_clamp(grid, layer.activation)
    ]
    if clamped:
        yield (
            f"Signed outputs ({', '.join(clamped)}) pass an extra QUANTIZE step, because no "
            "kernel clamps them at the lower end."
        )


def _float_kernels(plan):
    """Recipes that mix integers and float."""
    weight_bits, activation_bits = plan.recipe.weight_bits, plan.recipe.activation_bits
    if activation_bits <= 8 < weight_bits:
        yield (
            "The kernels run in float; each activation is rounded by a QUANTIZE and a "
            "DEQUANTIZE step."
        )
    if weight_bits <= 8 < activation_bits:
        yield "Weight-only: the weights pass a DEQUANTIZE step, and the kernels run in float."


def _silent(plan):
    """Layers that should run on integers and cannot, because their range is not usable."""
    silent = []
    for layer in plan.source.layers:
        if layer.name in plan.stored:
            weights = plan.stored[layer.name].params
            before, after = plan.grids[layer.inputs[0]], plan.grids[layer.output]
            integer = None not in (weights, before, after)
            if integer and not sums_fit(layer.bias, before, weights, after):
                silent.append(layer.name)
    if silent:
        yield (
            f"On the calibration images {', '.join(silent)} saw or gave next to nothing. "
            "Integer sums cannot express that, so it runs in float."
        )
