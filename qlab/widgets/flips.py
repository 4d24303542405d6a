"""Answers that changed between two models: in which way, of which class. No widget, no drawing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from qlab.results import Comparison, Measurement, Recipe

ALL = "all"
SAME, NEWLY_WRONG, NEWLY_RIGHT, WRONG_EITHER_WAY = range(4)
KINDS = (ALL, "newly wrong", "newly right", "wrong either way")


@dataclass(frozen=True, eq=False)
class Flips:
    """Where a compressed model answers differently from the float model.

    Parameters
    ----------
    recipe : Recipe
    measurement : Measurement
        The compressed model's.
    comparison : Comparison
        From the float model to it.
    before, after : ndarray of int, shape (n,)
        Both models' answers.
    kinds : ndarray of int, shape (n,)
        0 same answer, 1 newly wrong, 2 newly right, 3 wrong either way but differently.
    newly_wrong, newly_right : ndarray of int, shape (classes,)
        How many, by true class.
    matching : ndarray of int
        Indices of the images that pass both filters, in the order of the set.
    shown : ndarray of int
        The first 24 of them.
    """

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
    """How each answer changed.

    Parameters
    ----------
    labels, before, after : array_like of int, shape (n,)
        What each image is, and both models' answers.

    Returns
    -------
    ndarray of int, shape (n,)
        0 same answer, 1 newly wrong, 2 newly right, 3 wrong either way but differently.

    Examples
    --------
    >>> flip_kinds([5, 5, 5, 5], [5, 5, 1, 1], [5, 1, 5, 2]).tolist()
    [0, 1, 2, 3]
    """
    labels, before, after = (np.asarray(x) for x in (labels, before, after))
    changed = np.where(before == labels, NEWLY_WRONG, WRONG_EITHER_WAY)
    changed = np.where(after == labels, NEWLY_RIGHT, changed)
    return np.where(before == after, SAME, changed)


def commonest_change(before, after):
    """The pair of answers that changed most often.

    Parameters
    ----------
    before, after : array_like of int, shape (n,)

    Returns
    -------
    ((int, int), int)
        Old and new answer, and how often; of equals the smallest pair.

    Raises
    ------
    ValueError
        If no answer changed.

    Examples
    --------
    >>> commonest_change([6, 6, 2, 1], [0, 0, 4, 1])
    ((6, 0), 2)
    """
    pairs = Counter((int(a), int(b)) for a, b in zip(before, after, strict=True) if a != b)
    if not pairs:
        raise ValueError("no answer changed")
    return min(pairs.items(), key=lambda item: (-item[1], item[0]))


def count_by_class(labels, chosen, classes):
    """Count chosen images by class.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    chosen : ndarray of bool, shape (n,)
    classes : int
        How many classes there are.

    Returns
    -------
    ndarray of int, shape (classes,)

    Examples
    --------
    >>> count_by_class(np.array([0, 2, 2]), np.array([True, True, True]), 4).tolist()
    [1, 0, 2, 0]
    """
    return np.bincount(labels[chosen], minlength=classes)


def in_words(kinds):
    """How many answers changed in each way.

    Parameters
    ----------
    kinds : ndarray of int, shape (n,)
        From `flip_kinds`.

    Returns
    -------
    str

    Examples
    --------
    >>> in_words(np.array([0, 1, 1, 2]))
    '2 newly wrong, 1 newly right, 0 wrong either way'
    """
    return ", ".join(f"{(kinds == i).sum():,} {KINDS[i]}" for i in range(1, len(KINDS)))
