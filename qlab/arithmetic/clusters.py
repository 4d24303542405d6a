"""Few distinct weights: k-means on the values of a layer, which then shares k of them."""

import numpy as np

CLUSTERS = (2, 256)  # fewest and most: an index is one byte
ROUNDS = 1000  # of Lloyd's algorithm, far more than weights need


def require_clusters(value, name="clusters"):
    """Return `value` as an int if it is a number of clusters, else raise in words."""
    low, high = CLUSTERS
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} is {value!r}; give a whole number from {low} to {high}")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; choose {low} to {high}")
    return int(value)


def bits_per_weight(k):
    """Bits of an index into k clusters.

    Parameters
    ----------
    k : int
        2 to 256.

    Raises
    ------
    ValueError
        If `k` is no such number.

    >>> bits_per_weight(16), bits_per_weight(17)
    (4, 5)
    """
    return (require_clusters(k, "k") - 1).bit_length()


def cluster(weights, k, keep_zero=True):
    """Replace weights by k values, the means of k clusters."""
    k, weights = require_clusters(k, "k"), np.asarray(weights, np.float32)
    if not np.isfinite(weights).all():
        raise ValueError("there are NaN or infinite weights; train the model again")
    ordered = np.sort(weights, axis=None)
    different = count_different(ordered)
    if k > different:
        counts = f"{ordered.size} weights"
        counts += "" if different == ordered.size else f" of {different} different values"
        raise ValueError(f"{k} clusters for {counts}; choose at most {max(different, 2)}")
    zeros = weights == 0
    if not (keep_zero and zeros.any()):
        centroids, limits = _means(ordered, k)
        return centroids, np.searchsorted(limits, weights).astype(np.uint8)
    centroids, limits = _means(ordered[ordered != 0], k - 1)
    below = int(np.searchsorted(centroids, 0))
    indices = np.searchsorted(limits, weights)
    indices = np.where(zeros, below, indices + (indices >= below))
    return np.insert(centroids, below, 0), indices.astype(np.uint8)


def count_different(ordered):
    """How many different values a sorted array has."""
    return int(np.count_nonzero(np.diff(ordered))) + (ordered.size > 0)


def _means(ordered, k):
    """Means of k clusters of sorted values, and the largest value of each but the last."""
    ends = _lloyd(ordered, k)
    sums = np.add.reduceat(ordered, ends[:-1], dtype=np.float64)
    return (sums / np.diff(ends)).astype(np.float32), ordered[ends[1:-1] - 1]


def _lloyd(ordered, k):
    """Boundaries, shape (k + 1,), of k clusters in sorted values, none of them empty."""
    running = np.concatenate([[0.0], np.cumsum(ordered, dtype=np.float64)])
    shares = np.linspace(0, 1, k)
    centroids = ordered[0] + shares * (float(ordered[-1]) - float(ordered[0]))
    ends = np.zeros(k + 1, np.int64)
    for _ in range(ROUNDS):
        before, ends = ends, _boundaries(ordered, centroids)
        if np.array_equal(before, ends):
            break
        centroids = np.diff(running[ends]) / np.diff(ends)
    return ends


def _boundaries(ordered, centroids):
    """Where each centroid's values begin; a cluster without any gets half of the widest."""
    middles = ((centroids[1:] + centroids[:-1]) / 2).astype(np.float32)
    inner = np.searchsorted(ordered, middles, side="right")
    ends = np.concatenate([[0], inner, [ordered.size]])
    if (np.diff(ends) > 0).all():
        return ends
    ends = np.unique(ends)
    while ends.size <= centroids.size:
        low, high = ordered[ends[:-1]].astype(np.float64), ordered[ends[1:] - 1]
        widest = int(np.argmax(high - low))
        cut = np.searchsorted(ordered, (low[widest] + high[widest]) / 2, side="right")
        ends = np.insert(ends, widest + 1, cut)
    return ends
