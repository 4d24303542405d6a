"""The pruned and clustered models that ship, and their controls."""

from qlab import train
from tools.artefacts.common import fitted
from tools.artefacts.runs import SEEDS, Run, by_seed

TRAINING = {"epochs": 8, "learning_rate": 2e-3, "schedule": "cosine"}
BASELINE = {"epochs": 10, "learning_rate": 1e-3, "schedule": "constant"}  # as it was trained
END_STEP = 1500  # of 3,128: then the masks stay, and the rest is tuning


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


def control(workshop, seed, **training):
    """The float control of all that is pruned or clustered."""
    model = workshop.baseline(seed)
    history, log = fitted(model, **training, seed=seed)
    yield f"pruned-control-seed{seed}.tflite", train.convert(model), {
        "role": "float control of every pruned-* and clustered-* of this seed",
        "trainings": [log],
        "history": history,
    }  # fmt: skip


def treated(workshop, kind, technique, settings, seed, **training):
    """A baseline, pruned or clustered while it is trained on."""
    model = prepared(workshop.baseline(seed), technique, settings)
    history, log = fitted(model, **training, seed=seed)
    model = STRIP[technique](model) if technique in STRIP else model
    yield f"{kind}-seed{seed}.tflite", train.convert(model), {
        "control": f"pruned-control-seed{seed}.tflite",
        "sparsity": train.sparsities(model),
        "trainings": [log],
        "history": history,
    }  # fmt: skip


def scratch(workshop, seed, before, technique, settings, **training):
    """The narrow network of "pruned-filters", from random weights, trained as its wide one was."""
    narrow = prepared(train.baseline(seed), technique, settings)
    model = train.keras.models.clone_model(narrow)  # with random weights anew
    first = fitted(model, **before, seed=seed)[1]
    history, log = fitted(model, **training, seed=seed)
    yield f"pruned-scratch-seed{seed}.tflite", train.convert(model), {
        "role": "control of pruned-filters-seed*.tflite: never wide",
        "trainings": [first, log],
        "history": history,
    }  # fmt: skip


RUNS = [
    *by_seed("pruned-control", control, TRAINING),
    *(
        run
        for kind, (technique, settings) in KINDS.items()
        for run in by_seed(kind, treated, {
            "kind": kind, "technique": technique, "settings": settings, **TRAINING,
        })
    ),
    *(
        Run(f"pruned-scratch-seed{seed}", scratch, {
            "seed": seed, "before": BASELINE, "technique": "remove_filters",
            "settings": KINDS["pruned-filters"][1], **TRAINING,
        })
        for seed in SEEDS
    ),
]  # fmt: skip


def prepared(model, technique, settings):
    """A model as it goes into training: wrapped for pruning or clustering, or narrowed."""
    settings = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    if technique == "remove_filters":
        return train.remove_filters(model, **settings)
    if "schedule" in settings:
        settings["schedule"] = train.polynomial_decay(**settings["schedule"])
    return getattr(train, technique)(model, **settings)
