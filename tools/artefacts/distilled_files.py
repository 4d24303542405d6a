"""The teacher, the students it taught, their controls, and the grid of temperatures and alphas."""

import csv
import itertools
from pathlib import Path

import numpy as np
import platformdirs

from qlab import train
from tools.artefacts.common import as_json, finished, keras_bytes, measured, pairs

TEACHER_EPOCHS = 26
PRECISION = "mixed_bfloat16"
SEEDS = (0, 1, 2, 3, 4)
SMOOTHING = 0.1
LEARNING_RATE = 2e-3
BATCH_SIZE = 128
TAUGHT = {"temperature": 4.0, "alpha": 0.9}
ARMS = ("taught", "plain", "smoothed")
EPOCHS = {600: 150, 6_000: 40, 60_000: 8}  # by the number of labels
SETTINGS = (("5k", 600), ("20k", 600), ("5k", 6_000), ("5k", 60_000))
GRIDS = (600,)  # labels
GRID_STUDENT, GRID_SEEDS = "5k", SEEDS[:3]
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
ALPHAS = (0.1, 0.5, 0.9, 1.0)


def teacher():
    """The teacher, trained for as long as it takes; it goes on where it was interrupted."""
    model = train.teacher(precision=PRECISION)
    notes = Path(platformdirs.user_cache_dir("qlab")) / "teacher"
    notes.mkdir(parents=True, exist_ok=True)
    log = train.keras.callbacks.CSVLogger(notes / "history.csv", append=True)
    train.fit_teacher(
        model, *pairs()[0], TEACHER_EPOCHS, validation=pairs()[1], callbacks=[log],
        folder=notes / "state",
    )  # fmt: skip
    history = finished(_history(notes / "history.csv"), TEACHER_EPOCHS)
    (notes / "history.csv").unlink()
    plain = train.teacher()  # float32 throughout
    plain.set_weights(model.get_weights())
    about = {
        "network": "qlab.train.teacher",
        "epochs": TEACHER_EPOCHS,
        "precision": PRECISION,
        "optimizer": "SGD with Nesterov momentum, weight decay, one-cycle rate",
        "augmentation": "moved by up to 2 pixels, half of them mirrored",
        "seed": 0,
    }
    yield "teacher.tflite", train.convert(plain, "float16"), {"recipe": about}
    yield "teacher.keras", keras_bytes(plain), {"recipe": about}
    yield "teacher-history.json", as_json({0: history}), {"recipe": about}


def students(name, labels):
    """The students of one size and one number of labels: three arms, five seeds."""
    for seed in SEEDS:
        for arm in ARMS:
            about = recipe_of(name, labels, seed, arm, **loss_of(arm))
            file = f"distilled-{name}-{labels}-{arm}-seed{seed}.tflite"
            yield file, train.convert(trained(about)), {"recipe": about}


def grid(labels):
    """The small student, taught at each temperature and alpha; only the numbers are kept."""
    runs = []
    for temperature, alpha in itertools.product(TEMPERATURES, ALPHAS):
        for seed in GRID_SEEDS:
            about = recipe_of(GRID_STUDENT, labels, seed, "taught", temperature, alpha)
            score = measured(train.convert(trained(about)))
            runs.append({"temperature": temperature, "alpha": alpha, "seed": seed, **score})
        print(f"{labels} labels, T {temperature}, alpha {alpha}: {score['accuracy']}", flush=True)
    about = recipe_of(GRID_STUDENT, labels, list(GRID_SEEDS), "taught", TEMPERATURES, ALPHAS)
    about["controls"] = [
        f"distilled-{GRID_STUDENT}-{labels}-{arm}-seed{seed}.tflite"
        for arm in ARMS[1:]
        for seed in GRID_SEEDS
    ]
    yield f"distilled-grid-{labels}.json", as_json(runs), {"recipe": about}


PRODUCTS = {
    "teacher": teacher,
    **{
        f"distilled-{name}-{labels}": lambda name=name, labels=labels: students(name, labels)
        for name, labels in SETTINGS
    },
    **{f"distilled-grid-{labels}": lambda labels=labels: grid(labels) for labels in GRIDS},
}


def chosen(labels, seed):
    """Which training images have labels: the first of a permutation that the seed decides."""
    return np.random.Generator(np.random.PCG64(seed)).permutation(60_000)[:labels]


def trained(recipe):
    """A student, trained from the beginning as its recipe says."""
    indices = chosen(recipe["labels"], recipe["seed"])
    logits = np.zeros((len(indices), 10), np.float32)
    if recipe["arm"] == "taught":
        logits = train.teacher_logits()[indices]
    student = train.student(recipe["student"], recipe["seed"])
    images, labels = pairs()[0]
    names = ("temperature", "alpha", "epochs", "batch_size", "learning_rate", "schedule", "seed")
    settings = {name: recipe[name] for name in names}
    finished(
        train.distil(student, logits, images[indices], labels[indices], **settings),
        recipe["epochs"],
    )
    return student


def loss_of(arm):
    """Temperature and alpha of an arm; the smoothed one is taught by zeros."""
    return {
        "taught": TAUGHT,
        "plain": {"temperature": 1.0, "alpha": 0.0},
        "smoothed": {"temperature": 1.0, "alpha": SMOOTHING},
    }[arm]


def recipe_of(name, labels, seed, arm, temperature, alpha):
    """What the manifest says of how a student was trained."""
    recipe = {
        "student": name,
        "labels": labels,
        "arm": arm,
        "temperature": temperature,
        "alpha": alpha,
        "epochs": EPOCHS[labels],
        "batch_size": BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": LEARNING_RATE,
        "schedule": "cosine",
        "seed": seed,
    }
    if arm == "taught":
        recipe["teacher"] = "teacher.tflite"
        stem = f"distilled-{name}-{labels}"
        recipe["controls"] = [f"{stem}-{x}-seed{seed}.tflite" for x in ARMS[1:]]
    return recipe


def _history(file):
    """What the log holds, under the course's names."""
    with open(file, newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = [name for name in rows[0] if name != "epoch"]
    return {name.replace("val_", "test_"): [float(row[name]) for row in rows] for name in names}
