"""The three baselines, what the converter makes of the first, and what longer training gives."""

from qlab import data, train
from tools.artefacts.common import CALIBRATION_SIZE, fitted, keras_bytes
from tools.artefacts.runs import SEEDS, Run, by_seed, stem

EPOCHS = 10
SEPARABLE = {"epochs": 10, "learning_rate": 2e-3, "schedule": "cosine"}
LONGER = {  # trained on from the baseline: the schedule is a factor of its own
    "same-rate": {"epochs": 4, "learning_rate": train.LEARNING_RATE, "schedule": "constant"},
    "one-epoch": {"epochs": 1, "learning_rate": train.LEARNING_RATE, "schedule": "cosine"},
}


def baseline(workshop, seed, epochs, learning_rate):
    """A baseline, from random weights."""
    model = train.baseline(seed)
    yield _trained(stem("baseline", seed), model, epochs, learning_rate=learning_rate, seed=seed)
    yield f"{stem('baseline', seed)}.keras", keras_bytes(model), {}


def separable(workshop, seed, epochs, **training):
    """The second network, depthwise-separable, from random weights."""
    yield _trained(f"separable-seed{seed}", train.separable(seed), epochs, **training, seed=seed)


def conversions(workshop, seed, calibration_size):
    """The baseline as the converter's other four modes store it."""
    model, calibration = workshop.baseline(seed), data.calibration_images(calibration_size)
    for mode in train.MODES[1:]:
        yield f"baseline-{mode}.tflite", train.convert(model, mode, calibration), {"mode": mode}


def longer(workshop, name, seed, **training):
    """A baseline trained on, without any technique."""
    yield _trained(f"longer-{name}-seed{seed}", workshop.baseline(seed), **training, seed=seed)


def _trained(name, model, epochs, **training):
    """A plain float file, with its entry, once the model is trained."""
    history, log = fitted(model, epochs, **training)
    return f"{name}.tflite", train.convert(model), {"trainings": [log], "history": history}


RUNS = [
    *(
        Run(f"baseline-seed{seed}", baseline,
            {"seed": seed, "epochs": EPOCHS, "learning_rate": train.LEARNING_RATE})
        for seed in SEEDS
    ),
    *(Run(f"separable-seed{seed}", separable, {"seed": seed, **SEPARABLE}) for seed in SEEDS),
    Run("conversions", conversions, {"seed": SEEDS[0], "calibration_size": CALIBRATION_SIZE},
        (f"baseline-seed{SEEDS[0]}",)),
    *(
        run
        for name, training in LONGER.items()
        for run in by_seed(f"longer-{name}", longer, {"name": name, **training})
    ),
]  # fmt: skip
