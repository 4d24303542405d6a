"""What a learner should know about how a recipe is carried out: true sentences for the screen."""

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.engine.floating import WHOLE
from qlab.engine.lowering import ON_ONE_GRID, needs_lower_clamp, runs_on_integers
from qlab.engine.planning import different_values
from qlab.tflite.graph import carried
from qlab.tflite.operators import COMPARING, MOVING

MOST_NAMES = 8


def notes(plan):
    """Sentences about one plan."""
    about = (
        _shapes, _roundings, _scales, _constants, _widths, _floats, _clamps, _joins, _float_kernels,
        _silent,
    )  # fmt: skip
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


def _constants(plan):
    """Constants that are weights of no layer, where weight bits would have changed them."""
    found, graph = {}, plan.source.parsed
    few = dict.fromkeys(plan.floating.weights[i][0] for i in plan.constants)
    floats = [x for x in few if not _on_integers(plan.source.layer(x), plan)]
    if floats:
        yield f"A DEQUANTIZE step brings the weights of {_some(floats)} to float."
    if few:
        yield (
            f"The weights of {_some([*few])} are rounded to {plan.recipe.weight_bits} bits, and "
            "nothing else of the recipe reaches them."
        )
    for layer, operator in zip(plan.source.layers, graph.subgraphs[0].operators, strict=True):
        if layer.weights is None and layer.name not in few and carried(graph, operator):
            held = _constant_bits(layer, plan)
            if held != plan.recipe.weight_bits:
                found.setdefault(held, []).append(layer.name)
    for held, names in found.items():
        what = "stay in float" if held == 32 else f"have {held} bits"
        yield (
            f"The constants of {_some(names)} {what}, because weight bits reach convolutions and "
            "dense layers only."
        )


def _constant_bits(layer, plan):
    """Bits of the constants of a layer without weights: its activations', if it only moves both."""
    if not _on_integers(layer, plan):
        return 32
    return plan.grids[layer.output].levels.bit_length() - 1 if layer.op in ON_ONE_GRID else 8


def _widths(plan):
    """Activations that have other bits than the recipe says for their layer."""
    recipe, first = plan.recipe, int(plan.source.parsed.subgraphs[0].inputs[0])
    asked = {first: ("The input", recipe.activation_bits)}
    asked |= {
        x.output: (x.name, recipe.bits("activation_bits", x.name)) for x in plan.source.layers
    }
    others = {}
    for tensor, (name, bits) in asked.items():
        if tensor not in plan.grids:
            continue  # `_floats` speaks of it
        grid = plan.grids[tensor]
        held = 32 if grid is None else grid.levels.bit_length() - 1
        if held != bits:
            others.setdefault((held, held > bits), []).append(name)
    for (bits, more), names in others.items():
        if more:
            yield f"{listed(names)} {'stays' if len(names) == 1 else 'stay'} at {bits} bits."
        else:
            yield (
                f"{listed(names)} {'has' if len(names) == 1 else 'have'} only {bits} bits, because "
                "layers that only move numbers share one grid, and one of them was given so few."
            )


def listed(names):
    """Names as one reads them out: a, b and c."""
    return " and ".join(x for x in (", ".join(names[:-1]), names[-1]) if x)


def _floats(plan):
    """Layers that stay in float whatever the recipe says, and why."""
    if any(grid is not None for grid in plan.grids.values()):
        yield from staying_in_float(plan.source.layers, plan.floating)


def staying_in_float(layers, floating):
    """A sentence, if there are any, about the layers that stay in float."""
    names, ops = {}, {}
    for layer in layers:
        why = floating.reasons.get(layer.name, WHOLE)
        if why != WHOLE:
            names.setdefault(why, []).append(layer.name)
            ops.setdefault(why, {})[layer.op] = None
    if names:
        whys = (
            f"{_some(x)}, because {why.format(ops=listed([*ops[why]]))}" for why, x in names.items()
        )
        yield f"These layers stay in float: {'; '.join(whys)}."


def _some(names):
    """Names as one reads them out, the first `MOST_NAMES` of them."""
    more = len(names) - MOST_NAMES
    return listed(names if more < 2 else [*names[:MOST_NAMES], f"{more} more"])


def _clamps(plan):
    """Signed activations below 8 bits."""
    clamped = [
        layer.name
        for layer in plan.source.layers
        if layer.op not in ON_ONE_GRID
        and (grid := plan.grids.get(layer.output)) is not None
        and needs_lower_clamp(grid, layer.activation)
    ]
    if clamped:
        yield (
            f"Signed outputs ({', '.join(clamped)}) pass an extra QUANTIZE step, because no "
            "kernel clamps them at the lower end."
        )


def _joins(plan):
    """The input, where it is joined with others on a grid that is not its own."""
    first = int(plan.source.parsed.subgraphs[0].inputs[0])
    own = {i for i, grid in plan.grids.items() if grid is plan.grids.get(first)}
    joins = [
        x.name
        for x in plan.source.layers
        if x.op in MOVING and own & {*x.inputs} and x.output not in own
        if _on_integers(x, plan)
    ]
    if joins:
        yield (
            f"The input is rounded once more on its way into {listed(joins)}, because all that is "
            "joined there has one grid."
        )
    grids = plan.grids
    compared = [
        x.name
        for x in plan.source.layers
        if x.op in COMPARING and _on_integers(x, plan)
        if any(grids[i] is not grids[x.output] for i in x.inputs)
    ]
    if compared:
        yield (
            f"What goes into {listed(compared)} is rounded once more, because only codes of one "
            "grid can be compared."
        )


def _float_kernels(plan):
    """Layers that mix integers and float."""
    found = _in_float(plan)
    rounded = [name for name, (weights, _, after) in found.items() if after and not weights]
    dequantized = [name for name, parts in found.items() if parts[0] and not all(parts)]
    if rounded:
        yield f"{_kernels(rounded, plan)} run in float; a QUANTIZE step rounds what they give."
    if dequantized:
        yield f"{_kernels(dequantized, plan)} run in float; a DEQUANTIZE step gives them weights."


def _in_float(plan):
    """Layers with weights that run in float; whether weights, input and output have a grid."""
    layers = [plan.source.layer(name) for name in plan.held]
    return {
        x.name: [
            plan.held[x.name].params is not None,
            *(plan.grids.get(i) is not None for i in ([None, *x.inputs][-1], x.output)),
        ]
        for x in layers
        if not _on_integers(x, plan)
    }


def _on_integers(layer, plan):
    return runs_on_integers(layer, plan.grids, plan.held, plan.floating.reasons)


def _kernels(names, plan):
    everywhere = len(names) == len(plan.held)
    return "All kernels with weights" if everywhere else f"The kernels of {listed(names)}"


def _silent(plan):
    """Layers that should run on integers and cannot, because their range is not usable."""
    stays = plan.floating.reasons
    silent = [name for name, parts in _in_float(plan).items() if all(parts) and name not in stays]
    if silent:
        yield (
            f"On the calibration images {', '.join(silent)} saw or gave next to nothing. "
            "Integer sums cannot express that, so it runs in float."
        )
