"""Numbers about predictions and tensors, each with its uncertainty where it has one."""

from __future__ import annotations

import math

import numpy as np

Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


def accuracy(predictions, labels):
    """Fraction of predictions that equal their label."""
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape or predictions.size == 0:
        raise ValueError(
            f"{predictions.shape} predictions and {labels.shape} labels: "
            "one label for each prediction"
        )
    return float((predictions == labels).mean())


def wilson_interval(correct, n):
    """95 % interval of a proportion (Wilson's score interval)."""
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n}: needs 0 <= correct <= n and n >= 1")
    p, z2 = correct / n, Z_95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_p(only_a, only_b):
    """Two-sided p-value of the exact McNemar test."""
    if only_a < 0 or only_b < 0:
        raise ValueError(f"counts cannot be negative: {only_a}, {only_b}")
    n, k = only_a + only_b, min(only_a, only_b)
    if 2 * k >= n - 1:
        return 1.0
    i = np.arange(1, k + 1)
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((n - i + 1) / i))])
    return min(1.0, 2 * float(np.exp(np.logaddexp.reduce(log_choose) - n * math.log(2))))


def sparsity(weights):
    """Fraction of weights that are exactly zero.

    >>> sparsity([0, 1, 0, 2])
    0.5
    """
    weights = np.asarray(weights)
    if weights.size == 0:
        raise ValueError("there are no weights: the array is empty")
    return 1.0 - int(np.count_nonzero(weights)) / weights.size
