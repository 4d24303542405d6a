"""What the distillation explorer measures: answers of teacher and students, and their scores."""

import json
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import qlab
from qlab.arithmetic.distillation import permuted, softened
from qlab.arithmetic.results import Measurement
from qlab.tflite import artefacts, runtime
from qlab.trials.shipped import families

ARMS = {
    "taught": "taught",
    "plain": "labels alone",
    "smoothed": "label smoothing",
    "permuted": "permuted teacher",
}
CONTROLS = tuple(ARMS)[1:]
GRID = re.compile(r"distilled-grid-(\d+)\.json")
GRID_STUDENT = "5k"  # all grids are of the smallest


@dataclass(frozen=True, eq=False)
class Arms:
    """Students of one size and one number of labels, scored: one measurement a seed and an arm."""

    scores: dict
    logits: dict  # of the first seed
    file_bytes: int

    @cached_property
    def _to(self):
        taught = self.scores["taught"]
        return {x: qlab.compare(self.scores[x], taught, len(CONTROLS)) for x in CONTROLS}

    def to(self, control):
        """Comparison over all seeds, from one of the controls to the taught students."""
        return self._to[control]


@dataclass(frozen=True, eq=False)
class Grid:
    """Students over temperature and alpha, measured earlier, and what was chosen of them."""

    student: str
    labels: int
    temperatures: list
    alphas: list
    accuracies: np.ndarray  # of shape (alphas, temperatures, seeds)
    chosen: tuple  # temperature, alpha
    strengths: dict  # of label smoothing: the mean accuracy of each
    strength: float  # that was chosen


class Answers:
    """Teacher and students on some images; each is asked when first needed, and remembered."""

    def __init__(self, images, labels, images_are="images"):
        self.images, self.labels, self.images_are = images, labels, images_are
        self._arms = {}

    def taught_by(self, arm):
        """Logits of the teacher beside whom an arm is shown: of its own, if it had one."""
        return self._permuted if arm == "permuted" else self.teacher

    @cached_property
    def _permuted(self):
        return permuted(self.teacher)

    @cached_property
    def teacher(self):
        """ndarray of float32, shape (n, classes): the shipped teacher's logits."""
        return runtime.logits(qlab.pretrained("teacher"), self.images)

    @cached_property
    def teacher_score(self):
        """Measurement of the teacher."""
        return self._measured(self.teacher)

    def _measured(self, logits):
        return Measurement(logits.argmax(axis=1), self.labels, images_are=self.images_are)

    @cached_property
    def order(self):
        """ndarray of int, shape (n,): images, those first of which the teacher is least certain."""
        p = softened(self.teacher)
        return np.argsort((p * np.log(p + 1e-300)).sum(axis=1), kind="stable")

    def example(self, label, rank):
        """Index of the image of a class at some place in `order`; the last if there are fewer."""
        of_class = self.order[self.labels[self.order] == label]
        if not len(of_class):
            raise ValueError(f"none of the {len(self.labels):,} images is of class {label}")
        return int(of_class[min(rank, len(of_class)) - 1])

    def arms(self, student, labels, progress=lambda done, total: None):
        """Score the shipped students of one setting."""
        key = student, labels
        if key not in self._arms:
            self._arms[key] = self._scored(f"distilled-{student}-{labels}", progress)
        return self._arms[key]

    def _scored(self, stem, progress):
        names = {arm: seeds_of(f"{stem}-{arm}") for arm in ARMS}
        total, done = sum(map(len, names.values())), 0
        scores, kept, size = dict.fromkeys(ARMS, ()), {}, 0
        for arm, name in ((x, name) for x in ARMS for name in names[x]):
            model = qlab.pretrained(name)
            answers = runtime.logits(model, self.images)
            scores[arm] += (self._measured(answers),)
            kept.setdefault(arm, answers)
            size, done = model.file_bytes, done + 1
            progress(done, total)
        return Arms(scores, kept, size)


def shipped_students():
    """Student sizes and numbers of labels that ship, smallest first."""
    found = [family.split("-")[1:3] for family in families(r"distilled-\w+-\d+-taught")]
    by_size = sorted((int(student.removesuffix("k")), int(labels)) for student, labels in found)
    return [(f"{size}k", labels) for size, labels in by_size]


def seeds_of(stem):
    """Names of the shipped models of a family, one a seed, in order."""
    return [name for name, _ in families(re.escape(stem)).get(stem, {}).values()]


def grid(labels):
    """The measured students over temperature and alpha, learning from some number of labels."""
    files = artefacts.manifest()["files"]
    shipped = {int(match[1]): file for file in files if (match := GRID.fullmatch(file))}
    if labels not in shipped:
        known = ", ".join(f"{n:,}" for n in sorted(shipped))
        raise ValueError(f"no grid is of {labels:,} labels; there are {known}")
    found = json.loads(artefacts.path(shipped[labels]).read_text("utf-8"))
    runs = _by_settings(found["runs"])
    temperatures, alphas = (sorted({key[i] for key in runs}) for i in range(2))
    accuracies = np.array([[runs[t, a] for t in temperatures] for a in alphas])
    strengths = {a: np.mean(x) for (_, a), x in _by_settings(found["smoothing"]).items()}
    chosen = found["chosen"]["temperature"], found["chosen"]["alpha"]
    strength = found["smoothed"]["alpha"]
    return Grid(GRID_STUDENT, labels, temperatures, alphas, accuracies, chosen, strengths, strength)


def _by_settings(runs):
    """Accuracies of the seeds of each temperature and alpha."""
    found = {}
    for run in sorted(runs, key=lambda run: run["seed"]):
        found.setdefault((run["temperature"], run["alpha"]), []).append(run["accuracy"])
    return found
