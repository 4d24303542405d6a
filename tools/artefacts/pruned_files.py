"""The pruned and clustered models that ship, and their controls."""

import numpy as np

from qlab import train
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.transforms import keep_filters, strongest_filters
from tools.artefacts.common import as_json, finished, fitted, pairs, recipe

SEEDS = (0, 1, 2)
EPOCHS = 8
LEARNING_RATE = 2e-3
BASELINE = {"epochs": 10, "learning_rate": 1e-3, "schedule": "constant"}  # as it was trained
END_STEP = 1500  # of 3,752: then the masks stay, and the rest is tuning


def _decay(final, initial=0.5):
    steps = {"begin_step": 0, "end_step": END_STEP, "power": 3, "frequency": 100}
    return {"initial": initial, "final": final, **steps}


KINDS = {  # what is done to the baseline before it is trained on, and with which settings
    "pruned-50": ("prune", {"schedule": _decay(0.50, 0.25), "scope": "global"}),
    "pruned-80": ("prune", {"schedule": _decay(0.80), "scope": "global"}),
    "pruned-90": ("prune", {"schedule": _decay(0.90), "scope": "global"}),
    "pruned-95": ("prune", {"schedule": _decay(0.95), "scope": "global"}),
    "pruned-2of4": ("prune", {"n_of_m": [2, 4]}),
    "pruned-block": (  # four inputs of one output: 1 x 4 in a file, where the output comes first
        "prune", {"schedule": _decay(0.80), "layers": ["dense1"], "block": [4, 1]}
    ),
    "pruned-filters": (
        "remove_filters", {"fraction": {"conv1": 0.75, "conv2": 0.0, "dense1": 0.5}}
    ),
    "clustered-16": ("cluster_weights", {"clusters": 16}),
    "clustered-8": ("cluster_weights", {"clusters": 8}),
}  # fmt: skip
STRIP = {"prune": train.strip_pruning, "cluster_weights": train.strip_clustering}


def files(name):
    """The models of one of `KINDS` or of a control, one for each seed."""
    technique, histories = KINDS.get(name, (None,))[0], {}
    training = {"learning_rate": LEARNING_RATE, "schedule": "cosine"}
    for seed in SEEDS:
        model, about = _start(name, seed)
        histories[seed] = fitted(model, EPOCHS, seed=seed, **training)
        if technique in STRIP:
            model = STRIP[technique](model)
        about = recipe(seed, EPOCHS, LEARNING_RATE) | about
        facts = {"recipe": about, "sparsity": train.sparsities(model)}
        yield f"{name}-seed{seed}.tflite", train.convert(model), facts
    about = recipe(list(SEEDS), EPOCHS, LEARNING_RATE)
    yield f"{name}-history.json", as_json(histories), {"recipe": about}


PRODUCTS = {
    name: lambda name=name: files(name) for name in ("pruned-control", *KINDS, "pruned-scratch")
}


def _start(name, seed):
    """The model that is trained on, and what its recipe says of it."""
    if name == "pruned-control":
        role = {"role": "float control of every pruned-* and clustered-* of this seed"}
        return train.load("baseline"), role
    if name == "pruned-scratch":
        return _never_wide(seed), {
            "trained_from": "random weights",
            "before": BASELINE,
            "role": "control of pruned-filters-seed*.tflite: never wide",
        }
    technique, settings = KINDS[name]
    control = f"pruned-control-seed{seed}.tflite"
    about = {"technique": technique, "settings": settings, "control": control}
    return prepared(train.load("baseline"), technique, settings), about


def _never_wide(seed):
    """The narrow network of "pruned-filters", trained from random weights as the baseline was."""
    narrow = prepared(train.baseline(seed), *KINDS["pruned-filters"])
    model = train.keras.models.clone_model(narrow)  # with random weights anew
    finished(train.fit(model, *pairs()[0], seed=seed, **BASELINE), BASELINE["epochs"])
    return model


def prepared(model, technique, settings):
    """A model as it goes into training: wrapped for pruning or clustering, or narrowed."""
    settings = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    if technique == "remove_filters":
        return _narrowed(model, **settings)
    if "schedule" in settings:
        settings["schedule"] = train.polynomial_decay(**settings["schedule"])
    return getattr(train, technique)(model, **settings)


def _narrowed(model, fraction):
    """A model of plain layers without its weakest filters, for Keras to train on."""
    file = LiteModel.from_keras(model)
    kept = {name: strongest_filters(file, share)[name] for name, share in fraction.items()}

    def narrow(layer):
        config = layer.get_config()
        if layer.name in kept:
            config["filters" if "filters" in config else "units"] = len(kept[layer.name])
        return type(layer).from_config(config)

    small = train.keras.models.clone_model(model, clone_function=narrow)
    for layer in keep_filters(file, kept).layers:
        if layer.weights is not None:
            kernel = np.moveaxis(layer.weights, 0, -1)  # outputs come first in a file, here last
            bias = np.zeros(kernel.shape[-1]) if layer.bias is None else layer.bias
            small.get_layer(layer.name).set_weights([kernel, bias])
    return small
