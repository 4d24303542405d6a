"""What a recipe decides about one float model, before any byte is written.

Its weights are pruned, then clustered, then put on grids; activations that only move through an
operator share one grid. All of it ends in a `Plan`, which is read to show a result.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from qlab.arithmetic.affine import QuantParams
from qlab.arithmetic.clusters import cluster, count_different
from qlab.arithmetic.results import Sizes
from qlab.arithmetic.sparsity import magnitude_ranks, pruned_count
from qlab.engine.floating import Floating
from qlab.engine.lowering import StoredWeights, fitted, lower
from qlab.engine.recipes import Recipe
from qlab.tflite.graph import carried, constant
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.operators import COMPARING, DICTATED, MOVING
from qlab.tflite.pixels import USUAL
from qlab.tflite.transforms import with_weights

REMEMBERED = 8  # shapes a layer; moving another slider then costs no sorting


class Shape(NamedTuple):
    """What happens to one layer's weights before they are quantized; the default is nothing."""

    pool: tuple[str, ...] = ()
    pruned: int = 0
    clusters: int | None = None


class Shaper:
    """The float weights of a model, in every shape that recipes ask for."""

    def __init__(self, layers):
        self._dense = {x.name: x.weights for x in layers if x.weights is not None}
        self._ranks = lru_cache(2 * len(self._dense) + 2)(self._rank)
        self.weights = lru_cache(REMEMBERED * len(self._dense))(self._shaped)

    def shapes(self, recipe):
        """What a recipe does to each layer."""
        if not (recipe.sparsity or recipe.clusters or recipe.overrides):
            return dict.fromkeys(self._dense, Shape())
        return {layer: self._shape(layer, recipe) for layer in self._dense}

    def _shape(self, layer, recipe):
        pool, sparsity = self._pool(layer, recipe)
        pruned = pruned_count(sum(self._dense[name].size for name in pool), sparsity)
        return Shape(pool if pruned else (), pruned, recipe.setting("clusters", layer))

    def _pool(self, layer, recipe):
        """Layers that share a threshold with this one, and the sparsity of them together."""
        own = {name for name, settings in recipe.overrides if "sparsity" in dict(settings)}
        if layer in own or recipe.sparsity_scope == "per-layer":
            return (layer,), recipe.setting("sparsity", layer)
        return tuple(name for name in self._dense if name not in own), recipe.sparsity

    def _rank(self, pool):
        return magnitude_ranks({name: self._dense[name] for name in pool})

    def _shaped(self, layer, shape):
        """One layer's weights, float32; the dense array itself if nothing happens to it."""
        weights = self._dense[layer]
        if shape.pool:
            weights = np.where(self._ranks(shape.pool)[layer] >= shape.pruned, weights, 0)
        if shape.clusters is not None and different_values(weights) > shape.clusters:
            centroids, indices = cluster(weights, shape.clusters)
            weights = centroids[indices]
        weights.setflags(write=False)  # it is remembered
        return weights


def different_values(weights):
    """How many different values an array has."""
    return count_different(np.sort(weights, axis=None))


class Group:
    """Activation tensors of one grid; the sources give its range."""

    def __init__(self, sources=()):
        self.tensors, self.sources, self.layers = [], list(sources), []
        self.kept = False
        self.dictated: QuantParams | None = None


def groups(model, stays):
    """The group of each activation tensor of a float model that is rounded."""
    part = model.parsed.subgraphs[0]
    first = int(part.inputs[0])
    pixels = Group([first])
    pixels.tensors.append(first)
    found = {first: pixels} if first in stays.rounded else {}
    for layer, operator in zip(model.layers, part.operators, strict=True):
        if layer.name in stays.reasons:
            for output in stays.rounded.intersection(operator.outputs):
                found[output] = _alone(output, layer)
            continue
        if layer.op in COMPARING:
            found[layer.output] = _comparing(model, found, layer)
            continue
        others = {found[i]: None for i in layer.inputs if i in found and layer.op in MOVING}
        constants = carried(model.parsed, operator).values() if layer.op in MOVING else ()
        joined = Group(constants) if others else Group([layer.output])
        if list(others) == [pixels] and not constants:
            joined = pixels
        elif pixels in others:  # it keeps its bits, and comes onto the grid of the rest
            joined.sources.append(first)
            del others[pixels]
        for other in others:
            _absorb(found, joined, other)
        found |= dict.fromkeys(map(int, operator.outputs), joined)
        joined.tensors.extend(map(int, operator.outputs))
        joined.layers.append(layer.name)
    _mark(model, found)
    return found


def _comparing(model, found, layer):
    """The group of what a layer chooses from others; theirs too, where nobody else reads them."""
    group, graph = Group([layer.output]), model.parsed.subgraphs[0]
    ends = {int(i) for i in (*graph.inputs, *graph.outputs)}
    for other in dict.fromkeys(found[i] for i in layer.inputs if i in found):
        names, own = {layer.name, *other.layers}, {*other.tensors}
        readers = {x.name for x in model.layers if own.intersection(x.inputs)}
        makers = {x.op for x in model.layers if x.output in own}
        if readers <= names and not own & ends and makers.isdisjoint(DICTATED):
            other.sources = []
            _absorb(found, group, other)
    group.tensors.append(layer.output)
    group.layers.append(layer.name)
    return group


def bits_of_groups(groups, recipe):
    """Bits of each group under a recipe: the fewest that an override names, else the recipe's."""
    overrides = {name: dict(settings) for name, settings in recipe.overrides}
    bits = {}
    for group in groups:
        settings = (overrides.get(name, {}) for name in group.layers)
        named = [x["activation_bits"] for x in settings if "activation_bits" in x]
        usual = max(recipe.activation_bits, 8) if group.kept else recipe.activation_bits
        bits[group] = min(named, default=usual)
    return bits


def _alone(tensor, layer):
    """The group of a tensor that a float layer gives and integer layers read."""
    group = Group([tensor])
    group.tensors.append(tensor)
    group.layers.append(layer.name)
    return group


def _absorb(found, group, other):
    for part in ("tensors", "sources", "layers"):
        getattr(group, part).extend(getattr(other, part))
    for tensor in other.tensors:
        found[tensor] = group


def _mark(model, found):
    """Mark groups that keep 8 bits (input, output, logits) or whose kernels dictate the grid."""
    graph, ops = model.parsed.subgraphs[0], {x.output: x for x in model.layers}
    final = int(graph.outputs[0])
    for group in (found[i] for i in (int(graph.inputs[0]), final) if i in found):
        group.kept = True
    for layer in (
        ops[i] for i in (found[final].sources if final in found else [final]) if i in ops
    ):
        if layer.op in DICTATED and layer.inputs[0] in found:  # it makes probabilities of logits
            found[layer.inputs[0]].kept = True
    for group in set(found.values()):
        dictated = {DICTATED.get(ops[i].op) if i in ops else None for i in group.sources}
        group.dictated = dictated.pop() if len(dictated) == 1 else None


@dataclass(frozen=True, eq=False)
class Plan:
    """A recipe worked out for one model: each layer's stored weights, each activation's grid."""

    recipe: Recipe
    source: LiteModel
    stored: dict[str, StoredWeights]  # by layer with weights
    grids: dict[int, QuantParams | None]  # by rounded activation of the source; None is float
    weight_bits: dict[str, int]  # by layer with weights, as are the shapes
    shapes: dict[str, Shape]
    shaper: Shaper
    floating: Floating
    constants: dict[int, StoredWeights]  # weights that only weight bits reach, by tensor

    def shaped(self, layer):
        """A layer's weights pruned and clustered, before they are quantized."""
        return self.shaper.weights(layer, self.shapes[layer])

    def weights(self, layer):
        """A layer's weights as the file holds them, in real values."""
        return self.stored[layer].real

    @cached_property
    def held(self):
        """Weights and biases by layer, those that only weight bits reach included."""
        graph, found = self.source.parsed, {}
        for layer, step in zip(self.source.layers, graph.subgraphs[0].operators, strict=True):
            if layer.op == "TRANSPOSE_CONV" and layer.name not in self.floating.reasons:
                weights, bias = (carried(graph, step).get(i, -1) for i in (1, 3))
                stored = self.constants.get(weights) or StoredWeights(constant(graph, weights))
                stored = replace(stored, bias=constant(graph, bias))
                found[layer.name] = fitted(layer, stored, self.grids)
        return self.stored | found

    @cached_property
    def model(self):
        """LiteModel: the file that the recipe describes."""
        floats = all(x.values.dtype == np.float32 and x.bias is None for x in self.stored.values())
        if floats and not self.constants and all(grid is None for grid in self.grids.values()):
            changed = {n: self.shaped(n) for n, shape in self.shapes.items() if shape != Shape()}
            return with_weights(self.source, changed) if changed else self.source
        bits = self.recipe.weight_bits, self.recipe.activation_bits
        words = "qlab: weights {} bits, activations {} bits".format(*bits)
        if self.source.pixels not in (None, USUAL):
            words += f", pixels {self.source.pixels}"
        parts = self.source, self.grids, self.held, self.floating.reasons
        return self.source.edited(lower(*parts, words.encode(), self.constants))

    def sizes(self, model=None):
        """Sizes of this plan's model, or of another form of it."""
        model = self.model if model is None else model
        sizes = model.file_bytes, model.gzip_bytes, model.packed_bytes
        return Sizes(self.source.file_bytes, *sizes)
