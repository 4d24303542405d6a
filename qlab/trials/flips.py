"""Answers that changed between two models: in which way, of which class. No widget, no drawing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.results import Comparison, Measurement
from qlab.engine.recipes import Recipe

ALL = "all"
SAME, NEWLY_WRONG, NEWLY_RIGHT, WRONG_EITHER_WAY = range(4)
KINDS = (ALL, "newly wrong", "newly right", "wrong either way")


@dataclass(frozen=True, eq=False)
class Flips:
    """Where a compressed model answers differently from the float model."""

    recipe: Recipe
    measurement: Measurement
    comparison: Comparison
    before: np.ndarray
    after: np.ndarray
    kinds: np.ndarray
    newly_wrong: np.ndarray
    newly_right: np.ndarray
    matching: np.ndarray
    shown: np.ndarray


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


def count_by_class(labels, chosen, classes):
    """Count chosen images by class."""
    return np.bincount(labels[chosen], minlength=classes)


def in_words(kinds):
    """How many answers changed in each way."""
    return ", ".join(f"{(kinds == i).sum():,} {KINDS[i]}" for i in range(1, len(KINDS)))
