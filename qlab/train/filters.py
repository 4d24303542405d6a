"""Whole-filter pruning: the channels are gone, and with them the work."""

import contextlib
from collections.abc import Mapping

import numpy as np

from qlab.arithmetic.sparsity import require_sparsity
from qlab.train.door import keras
from qlab.train.filter_flow import follow, left
from qlab.train.pruning_checks import selected
from qlab.train.wrapped import require_bare

WIDTH = {keras.layers.Conv2D: "filters", keras.layers.Dense: "units"}


def remove_filters(model, fraction):
    """Build the smaller model that is left without the weakest filters.

    A filter (a unit of a Dense layer) is as strong as the sum of its absolute weights [1]_. What
    followed it, through activations, BatchNormalization, pooling and flattening, loses the inputs
    that came from it. Train the result on with `qlab.train.fit`: it is an ordinary model.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    fraction : float, or dict of str to float
        Share in [0, 1) of each layer's filters to remove, rounded to whole filters, of which at
        least one stays; or by a layer's name. A single number means every Conv2D and Dense layer
        but the last one, and those whose outputs are added to another's.

    Returns
    -------
    tf_keras.Model
        Of the same layers by name, with fewer channels, not compiled.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If a layer's filters cannot be removed (the message names it), or a fraction is wrong.

    References
    ----------
    .. [1] Li et al., ICLR 2017, arXiv:1608.08710, section 3.1.

    Examples
    --------
    >>> from qlab import train
    >>> model = train.load("baseline")
    >>> small = remove_filters(model, {"conv1": 0.5, "conv2": 0.25})
    >>> [small.get_layer(name).output_shape[-1] for name in ("conv1", "conv2", "flatten")]
    [16, 12, 432]
    >>> model.count_params(), small.count_params()
    (75609, 56245)
    """
    require_bare(model, "remove filters from")
    kept = _strongest(model, _fractions(model, fraction))
    inputs, outputs = follow(model, kept)

    def narrow(layer):
        config = layer.get_config()
        if layer.name in kept:
            config[WIDTH[type(layer)]] = len(kept[layer.name])
        return type(layer).from_config(config)

    small = keras.models.clone_model(model, clone_function=narrow)
    for old, new in zip(model.layers, small.layers, strict=True):
        new.set_weights(left(old, inputs[old.name], outputs[old.name]))
    return small


def filter_norms(layer):
    """Sum of absolute weights of each filter of a Conv2D, or unit of a Dense layer.

    Parameters
    ----------
    layer : tf_keras.layers.Layer

    Returns
    -------
    ndarray of float32, shape (filters,)

    Examples
    --------
    >>> from qlab import train
    >>> filter_norms(train.load("baseline").get_layer("conv1")).shape
    (32,)
    """
    kernel = np.abs(layer.kernel.numpy())
    return kernel.sum(axis=tuple(range(kernel.ndim - 1)))


def removable(model):
    """Names of the layers that can lose filters by themselves."""
    names = []
    for layer in model.layers:
        if type(layer) in WIDTH and layer.output_shape[-1] > 1:
            with contextlib.suppress(ValueError):
                follow(model, {layer.name: np.arange(1, layer.output_shape[-1])})
                names.append(layer.name)
    return names


def _fractions(model, fraction):
    if not isinstance(fraction, Mapping):
        require_sparsity(fraction, "fraction")
        return dict.fromkeys(removable(model), fraction)
    for name, value in fraction.items():
        require_sparsity(value, f"fraction of {name}")
    return {name: fraction[name] for name in selected(model, fraction, "narrowed")}


def _strongest(model, fractions):
    """For each layer the filters that stay, in their order."""
    kept = {}
    for name, fraction in fractions.items():
        norms = filter_norms(model.get_layer(name))
        n = max(1, len(norms) - round(fraction * len(norms)))
        kept[name] = np.sort(np.argsort(-norms, kind="stable")[:n])
    return kept
