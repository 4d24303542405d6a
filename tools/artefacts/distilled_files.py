"""The teacher, the students it taught, their controls, and the grids of temperatures and alphas."""

import functools
import itertools

import numpy as np

from qlab import train
from qlab.arithmetic.distillation import permuted
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import logits
from tools.artefacts.common import as_json, fitted, keras_bytes, measured, pair
from tools.artefacts.runs import Run

TEACHER = {"epochs": 26, "precision": "mixed_bfloat16", "seed": 0}
SEEDS = (0, 1, 2, 3, 4)
TRAINING = {"batch_size": 128, "learning_rate": 2e-3, "schedule": "cosine"}
ARMS = ("taught", "plain", "smoothed", "permuted")
EPOCHS = {600: 150, 6_000: 40, 50_000: 8}  # by the number of labels
SETTINGS = (("5k", 600), ("20k", 600), ("5k", 6_000), ("5k", 50_000))
GRID_STUDENT, GRID_SEEDS = "5k", SEEDS[:3]
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
ALPHAS = (0.1, 0.5, 0.9, 1.0)
SMOOTHINGS = {  # more where 0.2, the most elsewhere, was the best of three
    600: (0.05, 0.1, 0.2, 0.4, 0.6, 0.8),
    6_000: (0.05, 0.1, 0.2),
    50_000: (0.05, 0.1, 0.2),
}


def teacher(workshop, epochs, precision, seed):
    """The teacher, trained for as long as it takes; it goes on where it was interrupted."""
    model = train.teacher(seed, precision=precision)
    notes = workshop.folder / ".teacher"
    notes.mkdir(parents=True, exist_ok=True)
    fit = functools.partial(train.fit_teacher, folder=notes / "state")
    history, log = fitted(model, epochs, fit=fit, file=notes / "log.json", seed=seed)
    plain = train.teacher(seed)  # float32 throughout
    plain.set_weights(model.get_weights())
    entry = {
        "augmentation": "moved by up to 2 pixels, half of them mirrored",
        "trainings": [log],
        "history": history,
    }
    yield "teacher.tflite", train.convert(plain, "float16"), entry
    yield "teacher.keras", keras_bytes(plain), {}


def teacher_logits(workshop):
    """What the teacher answers to the training images; for the students, and not shipped."""
    file = LiteModel(workshop.path("teacher", "teacher.tflite").read_bytes())
    found = logits(file, pair("train")[0])
    yield "logits.npy", found.astype("<f4").tobytes(), {"part": True}


def grid_row(workshop, labels, arm, temperature, alphas, seeds, **training):
    """The small student, taught at one temperature and each alpha; only the scores are kept."""
    rows = []
    for alpha, seed in itertools.product(alphas, seeds):
        settings = {"temperature": temperature, "alpha": alpha}
        student, _ = trained(workshop, GRID_STUDENT, labels, arm, seed, settings, **training)
        rows.append({**settings, "seed": seed, **measured(train.convert(student))})
    yield f"{arm}-{temperature:g}.json", as_json(rows), {"part": True}


def grid(workshop, labels, rows, smoothing):
    """All temperatures and alphas, and what is chosen of them: by validation images alone."""
    runs = [x for run, file in rows for x in workshop.json(run, file)]
    smooth = workshop.json(*smoothing)
    found = {"runs": runs, "smoothing": smooth, "chosen": best(runs), "smoothed": best(smooth)}
    yield f"distilled-grid-{labels}.json", as_json(found), {}


def best(runs):
    """The settings with the highest mean accuracy; of equals the first."""
    scores = {}
    for run in runs:
        settings = run["temperature"], run["alpha"]
        scores.setdefault(settings, []).append(run["correct"])
    temperature, alpha = max(scores, key=lambda x: sum(scores[x]))
    return {"temperature": temperature, "alpha": alpha}


def students(workshop, student, labels, seed, **training):
    """A student of one size and number of labels: taught, and its three controls."""
    found = workshop.json(f"distilled-grid-{labels}", f"distilled-grid-{labels}.json")
    settings = {
        "taught": found["chosen"],
        "permuted": found["chosen"],
        "smoothed": found["smoothed"],
        "plain": {"temperature": 1.0, "alpha": 0.0},
    }
    stem = f"distilled-{student}-{labels}"
    for arm in ARMS:
        model, log = trained(workshop, student, labels, arm, seed, settings[arm], **training)
        entry = {"arm": arm, **settings[arm], "trainings": [log]}
        if arm == "taught":
            entry["teacher"] = "teacher.tflite"
            entry["controls"] = [f"{stem}-{x}-seed{seed}.tflite" for x in ARMS if x != arm]
        yield f"{stem}-{arm}-seed{seed}.tflite", train.convert(model), entry


def trained(workshop, student, labels, arm, seed, settings, **training):
    """A student, trained from the beginning, and the log of its training."""
    images, truth = pair("train")
    indices = chosen(len(truth), labels, seed)
    model = train.student(student, seed)
    answers = answers_for(arm, workshop, indices, seed)
    fit = functools.partial(taught, answers=answers, **settings)
    few = np.ascontiguousarray(images[indices]), truth[indices]
    return model, fitted(model, training.pop("epochs"), few, fit, False, seed=seed, **training)[1]


def taught(model, images, labels, answers, **training):
    """`qlab.train.distil`, with the arguments in the order of `qlab.train.fit`."""
    return train.distil(model, answers, images, labels, **training)


def chosen(available, labels, seed):
    """Which training images have labels: the first of a permutation that the seed decides."""
    return np.random.Generator(np.random.PCG64(seed)).permutation(available)[:labels]


def answers_for(arm, workshop, indices, seed):
    """The logits that an arm is taught: the teacher's, permuted, or all 0 (uniform answers)."""
    if arm in ("plain", "smoothed"):
        return np.zeros((len(indices), 10), np.float32)
    found = np.fromfile(workshop.path("teacher-logits", "logits.npy"), "<f4").reshape(-1, 10)
    return permuted(found[indices], seed) if arm == "permuted" else found[indices]


def _grid_runs(labels):
    training = {"labels": labels, "seeds": list(GRID_SEEDS), "epochs": EPOCHS[labels], **TRAINING}
    rows = [
        Run(f"distilled-grid-{labels}-t{temperature:g}", grid_row, {
            "arm": "taught", "temperature": temperature, "alphas": list(ALPHAS), **training,
        }, ("teacher-logits",))
        for temperature in TEMPERATURES
    ]  # fmt: skip
    smooth = Run(f"distilled-grid-{labels}-smoothed", grid_row, {
        "arm": "smoothed", "temperature": 1.0, "alphas": list(SMOOTHINGS[labels]), **training,
    })  # fmt: skip
    files = [(x.name, f"taught-{x.recipe['temperature']:g}.json") for x in rows]
    whole = Run(f"distilled-grid-{labels}", grid, {
        "labels": labels, "rows": files, "smoothing": (smooth.name, "smoothed-1.json"),
    }, (*(x.name for x in rows), smooth.name))  # fmt: skip
    return [*rows, smooth, whole]


RUNS = [
    Run("teacher", teacher, TEACHER),
    Run("teacher-logits", teacher_logits, {}, ("teacher",)),
    *(run for labels in EPOCHS for run in _grid_runs(labels)),
    *(
        Run(f"distilled-{student}-{labels}-seed{seed}", students, {
            "student": student, "labels": labels, "seed": seed,
            "epochs": EPOCHS[labels], **TRAINING,
        }, (f"distilled-grid-{labels}", "teacher-logits"))
        for student, labels in SETTINGS
        for seed in SEEDS
    ),
]  # fmt: skip
