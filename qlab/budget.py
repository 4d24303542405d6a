"""A sparsity for each layer, so that the file meets a budget: measured curves, and a choice."""

from __future__ import annotations

from dataclasses import dataclass

from qlab.arithmetic.results import Measurement
from qlab.engine.recipes import Recipe
from qlab.tflite.runtime import evaluate
from qlab.tflite.sparse_encoding import encoded_bytes
from qlab.trials.sensitivity import layers_with, lowered

SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True, eq=False)
class SparsityCurve:
    """What pruning does to one layer while all others are kept."""

    layer: str
    sparsities: tuple[float, ...]
    measurements: tuple[Measurement, ...]
    file_bytes: tuple[int, ...]

    @property
    def accuracies(self):
        """tuple of float in [0, 1]."""
        return tuple(x.accuracy for x in self.measurements)


def sparsity_curves(compressor, images, labels, sparsities=SPARSITIES, base=None):
    """Prune one layer at a time to each of several sparsities; yield its curve once measured."""
    base = Recipe(weight_bits=32, activation_bits=32) if base is None else base
    start = _tried(compressor, base, images, labels)
    for layer in layers_with(compressor.model, "sparsity"):
        before = base.setting("sparsity", layer)
        rising = sorted(x for x in sparsities if not x <= before)
        tried = [
            _tried(compressor, lowered(base, {layer: x}, "sparsity"), images, labels)
            for x in rising
        ]
        measurements, sizes = zip(start, *tried, strict=True)
        yield SparsityCurve(layer, (before, *map(float, rising)), measurements, sizes)


def sparsities_for_budget(curves, budget_bytes):
    """Choose a sparsity for each layer so that the file fits, at little loss."""
    curves = list(curves)
    if not curves:
        raise ValueError("there are no curves; sparsity_curves measures them")
    at, spare = dict.fromkeys(curves, 0), budget_bytes - curves[0].file_bytes[0]
    while spare < 0:
        moves = [
            (_loss(curve, now, to) / saved, -saved, curve, to)
            for curve, now in at.items()
            for to in range(len(curve.sparsities))
            if (saved := curve.file_bytes[now] - curve.file_bytes[to]) > 0
        ]
        if not moves:
            raise ValueError(
                f"{budget_bytes:,} bytes cannot be met: with every layer as sparse as its curve "
                f"goes, the file has about {budget_bytes - spare:,}. Allow more, or measure "
                "higher sparsities"
            )
        _, less, curve, to = min(moves, key=lambda move: move[:2])
        at[curve], spare = to, spare - less
    _take_back(at, spare)
    return {curve.layer: curve.sparsities[i] for curve, i in at.items() if i}


def _take_back(at, spare):
    """Undo moves, in place, as far as spare bytes allow, those that lose most accuracy first."""
    while True:
        moves = [
            (_loss(curve, to, now), curve, to, more)
            for curve, now in at.items()
            for to in range(now)
            if (more := curve.file_bytes[to] - curve.file_bytes[now]) <= spare
        ]
        if not moves:
            return
        _, curve, to, more = max(moves, key=lambda move: (move[0], -move[3]))
        at[curve], spare = to, spare - more


def _tried(compressor, recipe, images, labels):
    """(measurement, bytes with zeros encoded) of a recipe."""
    model = compressor.compress(recipe)
    return evaluate(model, images, labels), encoded_bytes(model)


def _loss(curve, now, to):
    """Accuracy that a move loses; none if it gains by chance."""
    return max(curve.accuracies[now] - curve.accuracies[to], 0.0)
