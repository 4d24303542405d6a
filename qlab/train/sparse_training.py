"""Pruning while training: weights held at zero while a model learns on, and filters taken out.

When to prune, and how much, is a schedule of tfmot; the settings are checked here, in words.
"""

import warnings
from collections.abc import Mapping

import numpy as np

from qlab.arithmetic import metrics
from qlab.arithmetic.sparsity import SCOPES, magnitude_masks, require_sparsity
from qlab.data.doors import require_two, require_whole
from qlab.system.output import quiet
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.transforms import keep_filters, strongest_filters
from qlab.train.checks import (
    require_bare,
    require_stripped,
    require_wrapped,
    selected,
    technique,
)
from qlab.train.keras2 import KERNEL_LAYERS, copied, keras, tfmot

with quiet():
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

Schedule = tfmot.sparsity.keras.PruningSchedule


class PruneLowMagnitude(pruning_wrapper.PruneLowMagnitude):
    """tfmot's wrapper, whose configuration also says n of m: tfmot's own loses it in a file."""

    def get_config(self):
        return {**super().get_config(), "sparsity_m_by_n": self.sparsity_m_by_n}


def scope():
    """Scope in which Keras can load a model wrapped for pruning."""
    return keras.utils.custom_object_scope({"PruneLowMagnitude": PruneLowMagnitude})


def prune(model, schedule=None, layers=None, scope="per-layer", n_of_m=None, block=None):
    """Wrap a trained model so that further training holds its smallest weights at zero.

    The wrappers keep a mask for each layer's weights [1]_. Train the model with `qlab.train.fit`,
    which moves the schedule along by itself (Keras's own ``fit`` needs the callback
    `pruning_callback`), and then take the wrappers off with `strip_pruning`.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    schedule : float, PruningSchedule, or dict of str to either, optional
        A sparsity in [0, 1) that holds from the first step on; or what `polynomial_decay` or
        `constant_sparsity` returns; or one of these for each layer, by its name. It cannot be
        given together with `n_of_m`.
    layers : iterable of str, optional
        Names of the layers to prune. By default they are those of the dict, or all Conv2D and
        Dense layers (with `block` only Dense). Biases, BatchNormalization and depthwise
        convolutions always stay whole.
    scope : {"per-layer", "global"}
        With "per-layer" each layer loses the same share of its weights. With "global" one
        threshold of magnitude, taken before training, decides for all layers, so that small
        layers with large weights keep more.
    n_of_m : (int, int), optional
        (2, 4) keeps 2 of each 4 neighbours along a layer's input channels, and chooses them once,
        at the first step.
    block : (int, int), optional
        Prune whole blocks of (inputs, outputs) weights of Dense layers: those with the smallest
        mean magnitude.

    Returns
    -------
    tf_keras.Model
        The wrapped model, which is not compiled.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If the model is wrapped already, a layer cannot be pruned in this way (the message names
        it), or a setting is wrong.

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
    schedules = schedules_by_layer(model, schedule, layers, scope, n_of_m, block)
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
        A model from `prune`, trained.

    Returns
    -------
    tf_keras.Model
        It can be converted, saved, or trained on; training it without wrappers fills the zeros.

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
        return layer.layer if isinstance(layer, pruning_wrapper.PruneLowMagnitude) else layer

    return copied(keras.models.clone_model(model, clone_function=unwrap))


def remove_filters(model, fraction):
    """Take the weakest filters and units out of a model, and what read them [1]_.

    The weakest are those whose weights have the smallest sum of magnitudes. What is left is a
    narrower network of plain layers; train it for a while, so that the rest takes over.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float, of plain layers in a row. It stays as it is.
    fraction : dict of str to float
        The share in [0, 1) that goes, of each layer that is to lose some, by its name.

    Returns
    -------
    tf_keras.Model

    Raises
    ------
    ValueError
        If a layer has no filters that can go, or a share is out of its range.

    References
    ----------
    .. [1] Li et al. 2017, arXiv:1608.08710.

    Examples
    --------
    >>> from qlab import train
    >>> train.remove_filters(train.load("baseline"), {"dense1": 0.6}).count_params()
    31584
    """
    file, kept = LiteModel.from_keras(model), {}
    for name, share in fraction.items():
        strongest = strongest_filters(file, share)
        if name not in strongest:
            names = ", ".join(strongest)
            raise ValueError(f"{name!r} has no filters that can go; these have: {names}")
        kept[name] = strongest[name]

    def narrow(layer):
        config = layer.get_config()
        if layer.name in kept:
            config["filters" if "filters" in config else "units"] = len(kept[layer.name])
        return type(layer).from_config(config)

    small = keras.models.clone_model(model, clone_function=narrow)
    for layer in keep_filters(file, kept).layers:
        if layer.weights is not None:
            kernel = np.moveaxis(layer.weights, 0, -1)  # outputs come first in a file, here last
            bias = np.zeros(kernel.shape[-1]) if layer.bias is None else layer.bias
            small.get_layer(layer.name).set_weights([kernel, bias])
    return small


def sparsities(model):
    """Return the share of zeros among the weights of each layer.

    Parameters
    ----------
    model : tf_keras.Model
        It may be wrapped for pruning.

    Returns
    -------
    dict of str to float
        By the name of each layer that has a kernel, in [0, 1].

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
    """Build the callback that moves pruning along, for training with Keras's own ``model.fit``.

    `qlab.train.fit` adds it by itself.

    Returns
    -------
    tfmot.sparsity.keras.UpdatePruningStep

    Examples
    --------
    >>> type(pruning_callback()).__name__
    'UpdatePruningStep'
    """
    return tfmot.sparsity.keras.UpdatePruningStep()


def polynomial_decay(final, initial=0.5, begin_step=0, end_step=1000, power=3, frequency=100):
    """Build a schedule whose sparsity rises quickly at first and then ever more slowly [1]_.

    At step t the sparsity is
    ``final + (initial - final) * (1 - (t - begin) / (end - begin)) ** power``.
    The classic recipe goes from 0.50 to 0.90.

    Parameters
    ----------
    final, initial : float
        Fraction of weights in [0, 1) that are zero at the end and at the beginning.
    begin_step, end_step : int
        Batches of training, counted from 1; 50,000 images in batches of 128 are 391 batches an
        epoch. A schedule that begins at 0 prunes for the first time at step `frequency`.
    power : float
        How curved the rise is: 1 is a straight line.
    frequency : int
        Number of steps from one pruning to the next, counted from `begin_step`; the last one is
        at or before `end_step`.

    Returns
    -------
    tfmot.sparsity.keras.PolynomialDecay
        The schedule, for `prune`.

    Raises
    ------
    ValueError
        If a sparsity is not in [0, 1), `initial` is above `final`, or the steps are not in order;
        the message says what to do.

    References
    ----------
    .. [1] Zhu and Gupta, arXiv:1710.01878, eq. 1.

    Examples
    --------
    >>> schedule = polynomial_decay(0.9, end_step=400)
    >>> [round(float(schedule(step)[1]), 3) for step in (0, 100, 200, 400)]
    [0.5, 0.731, 0.85, 0.9]
    """
    require_sparsity(final, "final")
    require_sparsity(initial, "initial")
    _check_steps(begin_step, end_step, frequency)
    if not power > 0:
        raise ValueError(f"power is {power!r}; it must be above 0, and is 3 in the paper")
    if initial > final:
        raise ValueError(
            f"initial is {initial} and final {final}: pruned weights do not come back, so begin "
            "with the smaller sparsity"
        )
    return tfmot.sparsity.keras.PolynomialDecay(
        float(initial), float(final), begin_step, end_step, power, frequency
    )


def constant_sparsity(sparsity, begin_step=1, end_step=-1, frequency=100):
    """Build a schedule with the same sparsity from `begin_step` on.

    Parameters
    ----------
    sparsity : float
        Fraction of weights in [0, 1) that are zero.
    begin_step, end_step : int
        Batches of training, counted from 1. After `end_step` the masks stay as they are; -1 means
        the end of training.
    frequency : int
        Number of steps after which it is chosen anew which weights are zero.

    Returns
    -------
    tfmot.sparsity.keras.ConstantSparsity
        The schedule, for `prune`.

    Raises
    ------
    ValueError
        If the sparsity is not in [0, 1), or the steps are not in order; the message says what to
        do.

    Examples
    --------
    >>> float(constant_sparsity(0.75)(0)[1])
    0.75
    """
    require_sparsity(sparsity)
    _check_steps(begin_step, None if end_step == -1 else end_step, frequency)
    return tfmot.sparsity.keras.ConstantSparsity(float(sparsity), begin_step, end_step, frequency)


def _check_pruned(layer):
    """Raise, in words, if a wrapper holds no weight at zero; warn if it holds too few."""
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


def schedules_by_layer(model, schedule, layers, scope, n_of_m, block):
    """Which layer gets which schedule, or an error in words."""
    if scope not in SCOPES:
        raise ValueError(f"scope is {scope!r}; choose one of {', '.join(SCOPES)}")
    one_threshold = scope == "global"
    if one_threshold and (n_of_m or block or isinstance(schedule, Mapping)):
        raise ValueError(
            'scope="global" compares single weights of all layers: leave it out with n_of_m, with '
            "block, and where each layer has its own schedule"
        )
    if n_of_m is not None:
        _check_n_of_m(n_of_m, schedule, block)
        schedule = 1 - n_of_m[0] / n_of_m[1]
    if block is not None:
        require_two("block", block, "two whole numbers, such as (4, 4)")
        if tuple(block) == (1, 1):
            raise ValueError("a block of (1, 1) is a single weight: leave out block")
    if schedule is None:
        raise ValueError(
            "say how much to prune: a sparsity such as 0.8, train.polynomial_decay(0.9, "
            "end_step=1000), or n_of_m=(2, 4)"
        )
    if isinstance(schedule, Mapping):
        if layers is not None:
            raise ValueError("the schedule names its layers already; leave out layers=")
        layers = list(schedule)
    names = selected(model, layers, "pruned", KERNEL_LAYERS[1:] if block else KERNEL_LAYERS)
    if isinstance(schedule, Mapping):
        return {name: _as_schedule(schedule[name]) for name in names}
    if one_threshold:
        kernels = {name: model.get_layer(name).kernel.numpy() for name in names}
        return shared_by_magnitude(_as_schedule(schedule), kernels)
    return dict.fromkeys(names, _as_schedule(schedule))


def _as_schedule(value):
    """A schedule as it is, a number as a constant sparsity."""
    return value if isinstance(value, Schedule) else constant_sparsity(value)


def _check_n_of_m(n_of_m, schedule, block):
    """Raise, in words, unless `n_of_m` is a pair like (2, 4) and given alone."""
    if schedule is not None or block is not None:
        raise ValueError(
            "n_of_m fixes the sparsity and the pattern; leave out schedule and block, or n_of_m"
        )
    require_two("n_of_m", n_of_m, "two whole numbers, such as (2, 4)")
    if not n_of_m[0] < n_of_m[1]:
        raise ValueError(
            f"n_of_m is {tuple(n_of_m)}: of each m neighbours n are kept, so n must be the "
            "smaller: say (2, 4)"
        )


def shared_by_magnitude(schedule, kernels):
    """Share one schedule among layers so that one magnitude is the threshold of all."""
    config = schedule.get_config()["config"]
    shares = {
        key: {name: _share(mask) for name, mask in magnitude_masks(kernels, value).items()}
        for key, value in config.items()
        if key.endswith("_sparsity")
    }
    return {
        name: type(schedule)(**config | {key: share[name] for key, share in shares.items()})
        for name in kernels
    }


def _share(mask):
    """Share of a mask that is False; a layer that would lose everything keeps one weight."""
    return float(min(1 - mask.mean(), 1 - 1 / mask.size))


def _check_steps(begin, end, frequency):
    require_whole("begin_step", begin)
    require_whole("frequency", frequency, 1)
    if end is not None:
        require_whole("end_step (above begin_step)", end, begin + 1)
