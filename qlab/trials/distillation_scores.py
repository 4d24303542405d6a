"""What the distillation explorer measures: answers of teacher and students, and their scores."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import qlab
from qlab.arithmetic.distillation import softened
from qlab.arithmetic.results import Measurement
from qlab.tflite import artefacts, runtime
from qlab.trials.shipped import families

ARMS = ("taught", "plain", "smoothed")
GRID = re.compile(r"distilled-grid-(\d+)\.json")


@dataclass(frozen=True, eq=False)
class Arms:
    """Students of one size and one number of labels, scored: one measurement a seed and an arm."""

    taught: tuple[Measurement, ...]
    plain: tuple[Measurement, ...]
    smoothed: tuple[Measurement, ...]
    logits: dict
    file_bytes: int

    @cached_property
    def _to(self):
        controls = ARMS[1:]
        return {x: qlab.compare(getattr(self, x), self.taught, len(controls)) for x in controls}

    def to(self, arm):
        """Comparison over all seeds, from a control, one of two, to the taught students."""
        return self._to[arm]


@dataclass(frozen=True, eq=False)
class Grid:
    """Students over temperature and alpha, measured earlier."""

    student: str
    labels: int
    temperatures: list
    alphas: list
    accuracies: np.ndarray


class Answers:
    """Teacher and students on some images; each is asked when first needed, and remembered."""

    def __init__(self, images, labels, images_are="images"):
        self.images, self.labels, self.images_are = images, labels, images_are
        self._arms = {}

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
        scores, kept, size = {arm: [] for arm in ARMS}, {}, 0
        for arm in ARMS:
            for name in names[arm]:
                model = qlab.pretrained(name)
                answers = runtime.logits(model, self.images)
                scores[arm].append(self._measured(answers))
                kept.setdefault(arm, answers)
                size, done = model.file_bytes, done + 1
                progress(done, total)
        logits = {arm: kept[arm] for arm in ARMS[:2]}
        return Arms(*(tuple(scores[arm]) for arm in ARMS), logits, size)


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
    found = max((n for n in shipped if n <= labels), default=min(shipped))
    runs = json.loads(artefacts.path(shipped[found]).read_text("utf-8"))
    temperatures, alphas, seeds = (
        sorted({run[key] for run in runs}) for key in ("temperature", "alpha", "seed")
    )
    accuracies = np.full((len(alphas), len(temperatures), len(seeds)), np.nan)
    for run in runs:
        place = alphas.index(run["alpha"]), temperatures.index(run["temperature"])
        accuracies[(*place, seeds.index(run["seed"]))] = run["accuracy"]
    return Grid(files[shipped[found]]["recipe"]["student"], found, temperatures, alphas, accuracies)
