"""The pruned and clustered models that ship, and their controls."""

import json

import numpy as np

from qlab import data, train
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.transforms import keep_filters, strongest_filters
from tools.artefacts.measuring import measured

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


def control():
    """The float controls of all kinds."""
    role = {"role": "float control of every pruned-* and clustered-* of this seed"}
    return _each_seed("pruned-control", lambda seed: (train.load("baseline"), role), lambda x: x)


def kind(name):
    """The models of one of `KINDS`."""
    technique, settings = KINDS[name]

    def start(seed):
        control = {"control": f"pruned-control-seed{seed}.tflite"}
        about = {"technique": technique, "settings": settings, **control}
        return prepared(train.load("baseline"), technique, settings), about

    return _each_seed(name, start, STRIP.get(technique, lambda model: model))


def scratch():
    """The narrow network of "pruned-filters", trained from random weights for as long in all."""
    pair = _pairs()[0]

    def start(seed):
        narrow = prepared(train.baseline(seed), *KINDS["pruned-filters"])
        model = train.keras.models.clone_model(narrow)  # with random weights anew
        rates = {"learning_rate": BASELINE["learning_rate"], "schedule": BASELINE["schedule"]}
        _finished(train.fit(model, *pair, BASELINE["epochs"], seed=seed, **rates), BASELINE)
        about = {"trained_from": "random weights", "before": BASELINE}
        return model, about | {"role": "control of pruned-filters-seed*.tflite: never wide"}

    return _each_seed("pruned-scratch", start, lambda model: model)


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


PRODUCTS = {
    "pruned-control": control,
    **{name: lambda name=name: kind(name) for name in KINDS},
    "pruned-scratch": scratch,
}


def _each_seed(name, start, strip):
    """Train with each seed what `start` gives, and collect the files and what is said of them."""
    pairs = _pairs()
    contents, entries, histories = {}, {}, {}
    for seed in SEEDS:
        model, about = start(seed)
        histories[seed] = _finished(
            train.fit(
                model, *pairs[0], EPOCHS, learning_rate=LEARNING_RATE, seed=seed,
                schedule="cosine", validation=pairs[1],
            ),
            {"epochs": EPOCHS},
        )  # fmt: skip
        model, file = strip(model), f"{name}-seed{seed}.tflite"
        contents[file] = train.convert(model)
        entries[file] = {
            "recipe": _recipe(seed) | about,
            "measured": measured(contents[file], pairs[1]),
            "sparsity": train.sparsities(model),
        }
        print(f"{file}: accuracy {entries[file]['measured']['accuracy']:.4f}", flush=True)
    contents[f"{name}-history.json"] = json.dumps(histories, indent=1).encode()
    entries[f"{name}-history.json"] = {"recipe": _recipe(list(SEEDS))}
    return contents, entries


def _finished(history, plan):
    if len(history.get("loss", ())) < plan["epochs"]:  # fit keeps what it had; this must not
        raise KeyboardInterrupt
    return history


def _pairs():
    dataset = data.load()
    return [(split.images, split.labels) for split in (dataset.train, dataset.test)]


def _recipe(seed):
    return {
        "trained_from": "baseline.keras",
        "epochs": EPOCHS,
        "batch_size": train.BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": LEARNING_RATE,
        "schedule": "cosine",
        "seed": seed,
    }
