"""What a recipe leaves of a model's float weights: pruned, then clustered."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from qlab.arithmetic.clusters import cluster, count_different
from qlab.arithmetic.sparsity import magnitude_ranks, pruned_count

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

    def shape(self, layer, recipe):
        """What a recipe does to one layer."""
        pool, sparsity = self._pool(layer, recipe)
        pruned = pruned_count(sum(self._dense[name].size for name in pool), sparsity)
        clusters = recipe.setting("clusters", layer)
        return Shape(pool if pruned else (), pruned, clusters)

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
