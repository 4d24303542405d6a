"""Pruning while training: a trained model learns on with ever more of its weights held at zero."""

import warnings

from qlab.arithmetic import metrics
from qlab.train.door import keras
from qlab.train.pruning_checks import plan
from qlab.train.pruning_wrapper import Base, PruneLowMagnitude
from qlab.train.toolkit import tfmot
from qlab.train.wrapped import copied, require_bare, require_stripped, require_wrapped, technique


def prune(model, schedule=None, layers=None, scope="per-layer", n_of_m=None, block=None):
    """Wrap a trained model so that further training holds its smallest weights at zero.

    The wrappers keep a mask beside each weight [1]_. Train with `qlab.train.fit`, which moves the
    schedule along by itself (elsewhere, give Keras the callback `pruning_callback`), then take
    the wrappers off with `strip_pruning`.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    schedule : float, PruningSchedule, or dict of str to either, optional
        A sparsity in [0, 1), held from the first step on, or what `polynomial_decay` or
        `constant_sparsity` give; or one of these by a layer's name. Not with `n_of_m`.
    layers : iterable of str, optional
        Names of the layers to prune; by default those of the dict, or each that can be pruned
        so: Conv2D and Dense, with `block` only Dense. Biases, BatchNormalization and depthwise
        convolutions stay whole.
    scope : {"per-layer", "global"}
        Whether each layer loses the same share of its weights; or all of them together, each the
        share that is below one threshold of magnitude before training, so that small layers of
        large weights keep more.
    n_of_m : (int, int), optional
        (2, 4) keeps 2 of each 4 neighbours along a layer's input channels, and chooses them once,
        at the first step.
    block : (int, int), optional
        Zero whole blocks of (inputs, outputs) weights of Dense layers, those of smallest mean
        magnitude.

    Returns
    -------
    tf_keras.Model
        The wrapped model, not compiled.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it is wrapped already, a layer cannot be pruned so (the message names it), or a setting
        is wrong.

    References
    ----------
    .. [1] Zhu and Gupta, arXiv:1710.01878; Mishra et al., arXiv:2104.08378, for 2 of 4.

    Examples
    --------
    >>> from qlab import train
    >>> wrapped = prune(train.baseline(), train.polynomial_decay(0.9, end_step=400))
    >>> sparsities(wrapped)["dense1"]  # before training
    0.0
    >>> prune(train.baseline(), 90)
    Traceback (most recent call last):
    ...
    ValueError: sparsity is 90; it is a fraction, not percent: for 90 % give 0.9
    """
    require_bare(model, "prune")
    schedules = plan(model, schedule, layers, scope, n_of_m, block)
    zeros = None if n_of_m is None else (n_of_m[1] - n_of_m[0], n_of_m[1])
    bare = copied(model)

    def wrap(layer):
        if layer.name not in schedules:
            return layer
        return PruneLowMagnitude(
            layer, schedules[layer.name], block_size=block or (1, 1), sparsity_m_by_n=zeros
        )

    return keras.models.clone_model(bare, clone_function=wrap)


def strip_pruning(model):
    """Take the wrappers off: the model as it was built, with zeros among its weights.

    Parameters
    ----------
    model : tf_keras.Model
        From `prune`, trained.

    Returns
    -------
    tf_keras.Model
        To be converted, saved, or trained on; training it without wrappers fills the zeros.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it has no pruning wrappers, or was not trained with them.

    Warns
    -----
    UserWarning
        If training ended before the schedule did.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images, labels = np.zeros((256, 28, 28, 1), np.uint8), np.zeros(256, np.int64)
    >>> wrapped = prune(train.load("baseline"), 0.8)
    >>> _ = train.fit(wrapped, images, labels, epochs=1, progress=False)
    >>> round(sparsities(strip_pruning(wrapped))["dense1"], 3)
    0.8
    """
    require_wrapped(model, "pruning", "prune")
    for layer in model.layers:
        if getattr(layer, "pruning_vars", None):
            _check_pruned(layer)
            weights, mask, _ = layer.pruning_vars[0]
            weights.assign(weights * mask)  # the last step of training may have moved some

    def unwrap(layer):
        return layer.layer if isinstance(layer, Base) else layer

    return copied(keras.models.clone_model(model, clone_function=unwrap))


def sparsities(model):
    """Share of zeros among the weights of each layer.

    Parameters
    ----------
    model : tf_keras.Model
        Wrapped for pruning or not.

    Returns
    -------
    dict of str to float
        For each layer with a kernel, in [0, 1].

    Raises
    ------
    ValueError
        If the model is still wrapped for clustering.

    Examples
    --------
    >>> from qlab import train
    >>> sparsities(train.baseline())
    {'conv1': 0.0, 'conv2': 0.0, 'dense1': 0.0, 'logits': 0.0}
    """
    if technique(model) == "clustering":
        require_stripped(model, "look at")
    inner = [getattr(layer, "layer", layer) for layer in model.layers]
    return {
        layer.name: metrics.sparsity(layer.kernel) for layer in inner if hasattr(layer, "kernel")
    }


def pruning_callback():
    """The callback that moves pruning along, for training with Keras's own ``model.fit``.

    `qlab.train.fit` has it by itself.

    Returns
    -------
    tfmot.sparsity.keras.UpdatePruningStep

    Examples
    --------
    >>> type(pruning_callback()).__name__
    'UpdatePruningStep'
    """
    return tfmot.sparsity.keras.UpdatePruningStep()


def _check_pruned(layer):
    """Raise, in words, if the mask of a wrapper holds nothing at zero; warn if it holds too few."""
    name, step, schedule = layer.layer.name, int(layer.pruning_step), layer.pruning_schedule
    planned = getattr(schedule, "final_sparsity", getattr(schedule, "target_sparsity", 0.0))
    reached = metrics.sparsity(layer.pruning_vars[0][1])
    if step < 1:
        raise ValueError(
            f"layer {name} was wrapped, but never trained, so nothing is pruned: train with "
            "train.fit, or with Keras's model.fit and callbacks=[train.pruning_callback()]. To "
            "zero weights without training, use qlab.Recipe(sparsity=...)"
        )
    if layer.sparsity_m_by_n:  # chosen at the first step; few input channels stay whole
        return
    first = schedule.begin_step or schedule.frequency  # no batch has the number 0
    if step < first and planned:
        raise ValueError(
            f"layer {name} was trained for {step} steps, and its schedule prunes for the first "
            f"time at step {first}: nothing is pruned. Train longer, or give the schedule a "
            "smaller begin_step or frequency"
        )
    slack = 0.02 if tuple(layer.block_size) == (1, 1) else 0.1  # blocks stick out at the edge
    if reached < planned - slack:
        warnings.warn(
            f"layer {name} has {reached:.0%} of its weights at zero, and its schedule ends at "
            f"{planned:.0%}: training ended after {step} steps. Train longer, or choose a smaller "
            "end_step",
            stacklevel=3,
        )
