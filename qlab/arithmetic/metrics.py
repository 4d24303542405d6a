"""Numbers about predictions and tensors, each with its uncertainty where it has one."""

import math
from functools import lru_cache

import numpy as np

Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
SLICES = 400  # of a distribution that is integrated over


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


@lru_cache(maxsize=1024)  # a board asks for the same pairs again and again
def paired_interval(only_a, only_b, n, alpha=0.05):
    """Interval of the difference of paired proportions, b minus a (Fay and Lumbard 2021)."""
    certain = mcnemar_p(only_a, only_b) < alpha
    return (
        _lower_limit(only_a, only_b, n, alpha / 2, certain and only_b > only_a),
        -_lower_limit(only_b, only_a, n, alpha / 2, certain and only_a > only_b),
    )


def _lower_limit(only_a, only_b, n, tail, positive):
    """The `tail` quantile of (2 share - 1) times frequency, the melded lower limit."""
    from scipy.special import betainc, betaincinv

    discordant = only_a + only_b
    if not only_b:  # the share is surely 0
        return -float(betaincinv(discordant + 1, n - discordant, 1 - tail)) if only_a < n else -1.0
    ends = betaincinv(only_b, only_a + 1, (1e-12, 1 - 1e-12))
    edges = np.linspace(*ends, SLICES + 1)
    weights = np.diff(betainc(only_b, only_a + 1, edges))
    signs = edges[1:] + edges[:-1] - 1  # 2 share - 1, in the middle of each slice
    above, below = signs > 0, signs < 0

    def probability(limit):
        """That the product is at most `limit`."""
        if limit < 0:  # the frequency is then taken as high as it may be
            parts = np.minimum(limit / signs[below], 1)
            return weights[below] @ (1 - betainc(discordant + 1, n - discordant, parts))
        parts = np.minimum(limit / signs[above], 1)
        return 1 - weights[above] @ (1 - betainc(discordant, n - discordant + 1, parts))

    low, high = (0.0, 1.0) if positive else (-1.0, 0.0)
    for _ in range(24):  # to 1e-7: a slider waits for it
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) < tail else (low, middle)
    return high if positive else low


def crossed_interval(differences, alpha=0.05):
    """Interval, at level 1 - alpha, of the mean of a table of differences, seeds by images.

    Seeds and images are both drawn at random, as readers and cases are in studies of diagnosis:
    Obuchowski and Rockette 1995 (Communications in Statistics, Simulation 24, 285-308), with the
    degrees of freedom of Hillis 2007 (Statistics in Medicine 26, 596-619, doi:10.1002/sim.2532).
    Resampling few seeds and the images gives intervals that are too narrow, and so does t over
    seeds, which forgets the images that all seeds share.

    Two things are added. The mean square of the seeds is taken to be no smaller than the residual
    one, which is part of what it estimates: seeds that agree by luck would make the interval too
    narrow. And, as in Bonett and Price 2012 (Journal of Educational and Behavioral Statistics 37,
    479-488), one image more is gained and one lost.

    >>> crossed_interval([[0, 1, 0, 0, 1, 0, 0, 0], [1, 1, 0, 0, 0, -1, 0, 0]])
    (-0.2587..., 0.5587...)
    """
    from scipy.special import stdtrit

    table = np.asarray(differences, float)
    table = np.c_[table, np.ones(len(table)), -np.ones(len(table))]
    seeds, images = table.shape
    mean, of_seed, of_image = float(table.mean()), table.mean(axis=1), table.mean(axis=0)
    residuals = table - of_seed[:, None] - of_image + mean
    rest = (residuals**2).sum() / (seeds - 1) / (images - 1)
    by_seed = max(images * of_seed.var(ddof=1), rest)
    total = by_seed + max(seeds * of_image.var(ddof=1) - rest, 0)
    # Where no file depends on the seed, degrees of freedom are without end.
    freedom = (seeds - 1) * min(total / by_seed, 1e4) ** 2 if by_seed else 1e9
    half = float(stdtrit(freedom, 1 - alpha / 2)) * math.sqrt(total / table.size)
    return mean - half, mean + half


def sparsity(weights):
    """Fraction of weights that are exactly zero.

    >>> sparsity([0, 1, 0, 2])
    0.5
    """
    weights = np.asarray(weights)
    if weights.size == 0:
        raise ValueError("there are no weights: the array is empty")
    return 1.0 - int(np.count_nonzero(weights)) / weights.size


def beats_shuffling(labels, predictions, classes, draws=1000):
    """Whether more answers are right than with the names of the classes shuffled, in any draw.

    A network that learned other classes answers these in some pattern, so that a few of the names
    fit by chance, and "better than guessing" says nothing.

    >>> beats_shuffling([0, 1, 2, 3] * 9, [0, 1, 2, 3] * 9, 4, 20)
    True
    >>> beats_shuffling([0, 1, 2, 3] * 9, [0, 3, 1, 2] * 9, 4, 20)
    False
    """
    counts, generator = confusion(labels, predictions, classes), np.random.default_rng(0)
    orders = (generator.permutation(classes) for _ in range(draws))
    others = (counts[order].trace() for order in orders if (order != np.arange(classes)).any())
    return bool(counts.trace() > max(others))


def confusion(labels, predictions, classes):
    """Count images by true class (row) and answer (column)."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    both = np.concatenate([labels, predictions])
    if both.size and (both.min() < 0 or both.max() >= classes):
        there = f"{both.min()} to {both.max()}"
        raise ValueError(f"labels and answers must be 0 to {classes - 1}; there are {there}")
    cells = labels * classes + predictions
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)
