"""A model pruned in one of four ways, made and measured here and now. No widget, no drawing."""

import time
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from qlab.arithmetic.results import Latency
from qlab.arithmetic.sparsity import block_mask, n_of_m_mask
from qlab.engine.recipes import Recipe
from qlab.system.steps import mapped
from qlab.tflite.runtime import interpreter
from qlab.tflite.transforms import (
    FILTERED,
    filter_masks,
    remove_filters,
    strongest_filters,
    with_weights,
)
from qlab.trials.shipped import count_weights, quantized
from qlab.trials.subjects import Remembering, Trial

SHIPPED = {  # what the trained models of each method are called
    "single": r"pruned-\d+",
    "2of4": "pruned-2of4",
    "block": "pruned-block.*",
    "filters": "pruned-filters.*",
}
BLOCK = (1, 4)  # output channels, inputs
RUNS, WARM = 200, 20  # timed calls of each model, and untimed ones before
REMEMBERED = 24


@dataclass(frozen=True, eq=False, kw_only=True)
class PrunedTrial(Trial):
    """A pruned file, which of the dense model's weights are left, and what share is not."""

    masks: dict = field(repr=False)
    absent: float


@dataclass(frozen=True, eq=False)
class Pruned:
    """A pruned file and the unpruned one of the same bits, timed in turn."""

    file: PrunedTrial
    dense: PrunedTrial
    latency: Latency
    dense_latency: Latency

    @property
    def absent(self):
        """float: share of the dense model's weights that are zero or gone."""
        return self.file.absent

    @property
    def measurement(self):
        return self.file.measurement

    @cached_property
    def comparison(self):
        """Comparison from the unpruned file to the pruned one."""
        return self.file.compared_with(self.dense)

    @property
    def times_faster(self):
        """float: median time of the unpruned file over that of the pruned one."""
        return self.dense_latency.median_ms / self.latency.median_ms


@dataclass(frozen=True, eq=False)
class NarrowNetwork:
    """A trained network that lost whole filters, and the same one trained narrow all along."""

    scratch: tuple
    file_bytes: int
    times_faster: float


class Pruner:
    """Prunes one model in one shot, by any method, and measures what comes out."""

    def __init__(self, subject, calibration_images=None):
        self.subject, self.images = subject, calibration_images
        self.weights = {x.name: x.weights for x in subject.model.layers if x.weights is not None}
        self._total = sum(x.size for x in self.weights.values())
        self.made = lru_cache(REMEMBERED)(self._made)
        self.trial = Remembering(self._trying)

    def pruning(self, method, sparsity, scope="global", bits=32, hurry=False):
        """Steps of pruning and measuring: the file is timed once, when it is first scored."""
        how, dense, times = (method, sparsity, scope, bits), self.dense(bits), []

        def pruned(file):
            times[:] = times or in_turn(file.model, dense.model)
            return Pruned(file, dense, *times)

        return (yield from mapped(pruned, self.trial.trying(*how, hurry=hurry)))

    def dense(self, bits):
        return self.trial("single", 0.0, "global", bits)

    def _trying(self, *how, hurry=False):
        return self.subject.measuring(self.made(*how), hurry)

    def _made(self, method, sparsity, scope, bits):
        recipe = None
        if method == "single":
            recipe = self.recipe(sparsity, scope, bits)
            model = self.subject.compressor.compress(recipe)
            masks = {x: model.layer(x).weights != 0 for x in self.weights}
        else:
            masks = self._masks(method, sparsity)
            if method == "filters":
                smaller = remove_filters(self.subject.model, sparsity)
            else:
                left = {name: np.where(masks[name], self.weights[name], 0) for name in masks}
                smaller = with_weights(self.subject.model, left)
            model = quantized(smaller, bits, self.images)
        absent = 1 - count_weights(model) / self._total
        return PrunedTrial(recipe, model, None, masks=masks, absent=absent)

    def recipe(self, sparsity, scope, bits):
        """What the live engine is asked for."""
        size = self.subject.calibration_size
        settings = {"sparsity": sparsity, "sparsity_scope": scope, "calibration_size": size}
        return Recipe(weight_bits=bits, activation_bits=bits, **settings)

    def _masks(self, method, sparsity):
        """Which weights stay; layers that cannot be pruned so stay whole."""
        model = self.subject.model
        if method == "filters":
            return filter_masks(model, strongest_filters(model, sparsity))
        masks = {name: np.ones(weights.shape, bool) for name, weights in self.weights.items()}
        for name in self.pruned_layers(method):
            weights = self.weights[name]
            if method == "2of4":
                masks[name] = n_of_m_mask(weights, 2, 4)
            else:
                masks[name] = block_mask(weights, sparsity, BLOCK)
        return masks

    def pruned_layers(self, method):
        """Layers that a method can prune."""
        layers = [x for x in self.subject.model.layers if x.weights is not None]
        fits = {
            "single": lambda x: True,
            "2of4": lambda x: x.op in FILTERED and x.weights.shape[-1] % 4 == 0,
            "block": lambda x: x.op == "FULLY_CONNECTED" and x.weights.shape[-1] >= BLOCK[1],
            "filters": lambda x: x.op in FILTERED and x is not layers[-1],
        }[method]
        return tuple(x.name for x in layers if fits(x))


def in_turn(*models):
    """Time models call by call in turn, so that what else the machine does slows all alike."""
    runners = [interpreter(model).invoke for model in models]
    times = np.empty((len(runners), RUNS + WARM))
    for i in range(RUNS + WARM):
        for j, run in enumerate(runners):
            start = time.perf_counter()
            run()
            times[j, i] = 1e3 * (time.perf_counter() - start)
    ends = np.percentile(times[:, WARM:], [50, 95], axis=1).T
    return [Latency(float(median), float(p95), 1, 1, RUNS) for median, p95 in ends]
