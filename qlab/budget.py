"""A sparsity for each layer, so that the file meets a budget: measured curves, and a choice."""

from __future__ import annotations

from dataclasses import dataclass

from qlab.results import Measurement, Recipe
from qlab.runtime import evaluate
from qlab.sensitivity import layers_with, lowered
from qlab.sparse_encoding import encoded_bytes

SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True, eq=False)
class SparsityCurve:
    """What pruning does to one layer while all others are kept.

    Parameters
    ----------
    layer : str
    sparsities : tuple of float
        Rising; the first is that of the base, in most cases 0.
    measurements : tuple of Measurement
        One for each sparsity.
    file_bytes : tuple of int
        Of the whole file with its zeros encoded (`qlab.sparse_encoding.sparse_file`).
    """

    layer: str
    sparsities: tuple[float, ...]
    measurements: tuple[Measurement, ...]
    file_bytes: tuple[int, ...]

    @property
    def accuracies(self):
        """tuple of float in [0, 1]."""
        return tuple(x.accuracy for x in self.measurements)


def sparsity_curves(compressor, images, labels, sparsities=SPARSITIES, base=None):
    """Prune one layer at a time to each of several sparsities; yield its curve once measured.

    Parameters
    ----------
    compressor : Compressor
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of int, shape (n,)
    sparsities : sequence of float in [0, 1)
    base : Recipe or None
        For all other layers; None for float32.

    Yields
    ------
    SparsityCurve
        In the order of the layers.

    Raises
    ------
    ValueError
        If a sparsity is not in [0, 1), or the recipe does not fit the compressor.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> engine = qlab.Compressor(qlab.pretrained("baseline"), test.images[:128])
    >>> curves = list(sparsity_curves(engine, test.images[:200], test.labels[:200], (0.5, 0.9)))
    >>> [curve.layer for curve in curves], curves[2].sparsities
    (['conv1', 'conv2', 'dense1', 'logits'], (0.0, 0.5, 0.9))
    >>> curves[2].file_bytes[0] > 4 * curves[2].file_bytes[2]
    True
    """
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
    """Choose a sparsity for each layer so that the file fits, at little loss.

    Greedy: of all moves to a smaller file along some layer's curve, take the one that costs least
    accuracy for each byte it saves, until the file fits; then take back what the budget turns out
    not to need, the costliest first. Losses of several layers are taken to add up, which is a
    guess: measure the recipe that comes out (`qlab.sensitivity.lowered` makes it).

    Parameters
    ----------
    curves : iterable of SparsityCurve
        Of one `sparsity_curves`.
    budget_bytes : int
        For the file with its zeros encoded.

    Returns
    -------
    dict of str to float
        A sparsity for each layer that is to be pruned further.

    Raises
    ------
    ValueError
        If no choice from the curves fits; the message says how small they go.

    Examples
    --------
    >>> import numpy as np
    >>> right, less, wrong = (Measurement(np.arange(4) < n, np.ones(4)) for n in (4, 3, 0))
    >>> curves = [SparsityCurve("a", (0.0, 0.9), (right, wrong), (1000, 500)),
    ...           SparsityCurve("b", (0.0, 0.9), (right, less), (1000, 700))]
    >>> sparsities_for_budget(curves, 800), sparsities_for_budget(curves, 500)
    ({'b': 0.9}, {'a': 0.9})
    """
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
