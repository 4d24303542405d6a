"""Answers that changed between two models: in which way, of which class. No widget, no drawing."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from qlab.trials.subjects import Trial

ALL = "all"
SAME, NEWLY_WRONG, NEWLY_RIGHT, WRONG_EITHER_WAY = range(4)
KINDS = (ALL, "newly wrong", "newly right", "wrong either way")


@dataclass(frozen=True, eq=False, kw_only=True)
class Flips(Trial):
    """Where a compressed file answers differently from the float model, its reference."""

    classes: int
    kinds: np.ndarray
    matching: np.ndarray
    shown: np.ndarray

    @property
    def before(self):
        """ndarray of int, shape (n,): what the float model answers."""
        return self.reference.predictions

    @property
    def after(self):
        """ndarray of int, shape (n,): what this file answers."""
        return self.measurement.predictions

    @property
    def newly_wrong(self):
        """ndarray of int: how many images of each class only the float model classified rightly."""
        return self._count(NEWLY_WRONG)

    @property
    def newly_right(self):
        """ndarray of int: how many images of each class only this file classifies rightly."""
        return self._count(NEWLY_RIGHT)

    def _count(self, kind):
        return np.bincount(self.measurement.labels[self.kinds == kind], minlength=self.classes)


def flip_kinds(labels, before, after):
    """How each answer changed."""
    labels, before, after = (np.asarray(x) for x in (labels, before, after))
    changed = np.where(before == labels, NEWLY_WRONG, WRONG_EITHER_WAY)
    changed = np.where(after == labels, NEWLY_RIGHT, changed)
    return np.where(before == after, SAME, changed)


def commonest_change(before, after):
    """The pair of answers that changed most often."""
    pairs = Counter((int(a), int(b)) for a, b in zip(before, after, strict=True) if a != b)
    if not pairs:
        raise ValueError("no answer changed")
    return min(pairs.items(), key=lambda item: (-item[1], item[0]))


def in_words(kinds):
    """How many answers changed in each way."""
    return ", ".join(f"{(kinds == i).sum():,} {KINDS[i]}" for i in range(1, len(KINDS)))
