"""Which layer hurts most: one at a time is lowered to a few bits or pruned, all others are kept."""

from __future__ import annotations

from dataclasses import dataclass

from qlab.lowering import MOVING
from qlab.metrics import compare
from qlab.results import Comparison, Measurement, Recipe
from qlab.runtime import evaluate
from qlab.sparse_encoding import encoded_bytes

WHICH = ("weight_bits", "activation_bits", "both")  # of bits; "sparsity" is the fourth way


@dataclass(frozen=True, eq=False)
class LayerSensitivity:
    """What happened when one layer was lowered and all others were kept.

    Parameters
    ----------
    layer : str
    recipe : Recipe
        The base with this one layer overridden.
    measurement : Measurement
    comparison : Comparison
        From the base to this, on the same images.
    bytes_saved : int
        Off the packed floor: this layer's weights x bits given up / 8. 0 if only activations
        were lowered, which no file holds. Of a pruned layer: off the file with zeros encoded.
    """

    layer: str
    recipe: Recipe
    measurement: Measurement
    comparison: Comparison
    bytes_saved: int


def sensitivity(compressor, images, labels, bits, base=None, which="weight_bits"):
    """Lower one layer at a time to a few bits, or prune it; measure what that does.

    Parameters
    ----------
    compressor : Compressor
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of int, shape (n,)
    bits : int or float
        For the one layer; with ``which="sparsity"`` the fraction of its weights to prune.
    base : Recipe or None
        For all others; None for `Recipe()`, int8.
    which : str
        What is set: ``weight_bits``, ``activation_bits``, ``both`` or ``sparsity``.

    Returns
    -------
    tuple of LayerSensitivity
        In the order of the layers.

    Raises
    ------
    ValueError
        If `which` or `bits` is outside its list, or the recipe does not fit the compressor.

    See Also
    --------
    scan : The same, layer by layer, for work that shows progress or can be stopped.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> compressor = qlab.Compressor(qlab.pretrained("baseline"), test.images[:128])
    >>> entries = sensitivity(compressor, test.images[:500], test.labels[:500], bits=2)
    >>> [entry.layer for entry in entries], entries[0].bytes_saved
    (['conv1', 'conv2', 'dense1', 'logits'], 96)
    """
    return tuple(scan(compressor, images, labels, bits, base, which))


def scan(compressor, images, labels, bits, base=None, which="weight_bits"):
    """Yield what `sensitivity` returns, layer by layer, as it is measured.

    Parameters
    ----------
    compressor, images, labels, bits, base, which
        As for `sensitivity`.

    Yields
    ------
    LayerSensitivity

    Raises
    ------
    ValueError
        As `sensitivity` does.
    """
    base = Recipe() if base is None else base
    dense = compressor.compress(base)
    start = evaluate(dense, images, labels)
    for name in layers_with(compressor.model, which):
        recipe = lowered(base, {name: bits}, which)
        model = compressor.compress(recipe)
        measured = evaluate(model, images, labels)
        if which == "sparsity":
            saved = encoded_bytes(dense) - encoded_bytes(model)
        else:
            saved = floor_bytes(compressor.model, base) - floor_bytes(compressor.model, recipe)
        yield LayerSensitivity(name, recipe, measured, compare(start, measured), saved)


def layers_with(model, which):
    """Names of the layers that have what is to be lowered.

    Parameters
    ----------
    model : LiteModel
    which : str
        ``weight_bits``: those with weights. ``activation_bits``: those that put out new numbers
        (pooling and reshaping only move them). ``both``: those with weights, which all do.
        ``sparsity``: those with weights.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If `which` is none of the four.
    """
    ways = (*WHICH, "sparsity")
    if which not in ways:
        raise ValueError(f"which is {which!r}; choose one of {', '.join(ways)}")
    if which == "activation_bits":
        return tuple(x.name for x in model.layers if x.op not in MOVING)
    return tuple(x.name for x in model.layers if x.weights is not None)


def lowered(base, bits, which="weight_bits"):
    """A recipe with bits, or a sparsity, of their own for some layers.

    Parameters
    ----------
    base : Recipe
        Overrides it has are kept.
    bits : mapping of str to int or float
        For each layer named, its bits, or its sparsity.
    which : str
        ``weight_bits``, ``activation_bits``, ``both`` or ``sparsity``.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If a value is none that a recipe takes.

    Examples
    --------
    >>> lowered(Recipe(), {"dense1": 4}).overrides
    (('dense1', (('weight_bits', 4),)),)
    """
    settings = ("weight_bits", "activation_bits") if which == "both" else (which,)
    overrides = {layer: dict(values) for layer, values in base.overrides}
    for layer, value in bits.items():
        overrides[layer] = overrides.get(layer, {}) | dict.fromkeys(settings, value)
    return base.replace(overrides=overrides)


def floor_bytes(model, recipe):
    """The packed floor of a recipe: all weights x their bits / 8, in bytes, rounded up.

    Parameters
    ----------
    model : LiteModel
    recipe : Recipe

    Returns
    -------
    int
    """
    weighted = [x for x in model.layers if x.weights is not None]
    bits = sum(x.weights.size * recipe.bits("weight_bits", x.name) for x in weighted)
    return -(-bits // 8)
