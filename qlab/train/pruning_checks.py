"""What pruning accepts, and what it says of the rest."""

from collections.abc import Mapping

from qlab.arithmetic.sparsity import SCOPES
from qlab.train.door import keras
from qlab.train.sparsity_schedules import Schedule, by_layer, constant_sparsity

PRUNABLE = (keras.layers.Conv2D, keras.layers.Dense)
WHOLE = (  # layers with weights that stay as they are
    keras.layers.BatchNormalization,
    keras.layers.DepthwiseConv2D,
)


def plan(model, schedule, layers, scope, n_of_m, block):
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
        check_n_of_m(n_of_m, schedule, block)
        schedule = 1 - n_of_m[0] / n_of_m[1]
    if block is not None:
        check_block(block)
    if schedule is None:
        raise ValueError(
            "say how much to prune: a sparsity such as 0.8, train.polynomial_decay(0.9, "
            "end_step=1000), or n_of_m=(2, 4)"
        )
    if isinstance(schedule, Mapping):
        if layers is not None:
            raise ValueError("the schedule names its layers already; leave out layers=")
        layers = list(schedule)
    names = selected(model, layers, "pruned", PRUNABLE[1:] if block else PRUNABLE)
    if isinstance(schedule, Mapping):
        return {name: _schedule(schedule[name]) for name in names}
    if one_threshold:
        kernels = {name: model.get_layer(name).kernel.numpy() for name in names}
        return by_layer(_schedule(schedule), kernels)
    return dict.fromkeys(names, _schedule(schedule))


def _schedule(value):
    """A schedule as it is, a number as a constant sparsity."""
    return value if isinstance(value, Schedule) else constant_sparsity(value)


def selected(model, layers, done, kinds=PRUNABLE):
    """Names of the layers to work on, or an error that names the layer that cannot be `done`."""
    able = {layer.name: type(layer) in kinds for layer in model.layers}
    words = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(layers, str):
        raise TypeError(f"layers is a list of names: say [{layers!r}]")
    if layers is None:
        for layer in model.layers:
            if layer.trainable_weights and type(layer) not in (*PRUNABLE, *WHOLE):
                raise ValueError(
                    f"layer {layer.name} is a {type(layer).__name__}, which cannot be {done}; only "
                    f"{words} can. Name the layers that should be: layers={_list(able)}"
                )
        layers = [name for name, fits in able.items() if fits]
    for name in layers:
        if name not in able:
            raise ValueError(f"there is no layer {name!r}; there are: {', '.join(able)}")
        if not able[name]:
            kind = type(model.get_layer(name)).__name__
            raise ValueError(
                f"layer {name} is a {kind}, which cannot be {done} so; only {words} can: "
                f"{_list(able)}"
            )
    if not layers:
        raise ValueError(f"no layer to be {done}: this needs a {words}, and the model has none")
    return list(dict.fromkeys(layers))


def check_n_of_m(n_of_m, schedule, block):
    """Raise, in words, unless it is a pair like (2, 4), without a schedule or block beside it."""
    if schedule is not None or block is not None:
        raise ValueError(
            "n_of_m fixes the sparsity and the pattern; leave out schedule and block, or n_of_m"
        )
    _check_pair("n_of_m", n_of_m, "(2, 4)")
    if not n_of_m[0] < n_of_m[1]:
        raise ValueError(
            f"n_of_m is {tuple(n_of_m)}: of each m neighbours n are kept, so n must be the "
            "smaller: say (2, 4)"
        )


def check_block(block):
    """Raise, in words, unless it is a pair of whole numbers."""
    _check_pair("block", block, "(4, 4)")
    if tuple(block) == (1, 1):
        raise ValueError("a block of (1, 1) is a single weight: leave out block")


def _check_pair(name, value, example):
    right = isinstance(value, tuple | list) and len(value) == 2
    if not right or not all(type(number) is int and number >= 1 for number in value):
        raise ValueError(f"{name} is {value!r}; it must be two whole numbers, such as {example}")


def _list(able):
    return [name for name, fits in able.items() if fits]
