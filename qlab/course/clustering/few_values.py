"""Few distinct weights: a step of k-means, and the entropy of codes."""

import numpy as np

from qlab.lessons.judges import for_function, like, numbers


def nearest_centroid(weights, centroids):
    """Index of the nearest centroid, for each weight."""
    return np.abs(weights[:, np.newaxis] - centroids).argmin(axis=1)


def kmeans_step(weights, centroids):
    """Move each centroid to the mean of the weights that are nearest to it.

    >>> kmeans_step(np.array([0.0, 0.2, 0.8, 1.0]), np.array([0.3, 0.6, 9.0])).round(2).tolist()
    [0.1, 0.9, 9.0]
    """
    nearest = np.abs(weights[:, np.newaxis] - centroids).argmin(axis=1)
    moved = np.array(centroids, float)
    for k in np.unique(nearest):
        moved[k] = weights[nearest == k].mean()
    return moved


def entropy_bits(codes):
    """Entropy of codes, in bits a code: what the best coder of single codes needs on average.

    >>> entropy_bits(np.array([7, 7, -1, -1])), entropy_bits(np.array([5, 5, 5]))
    (1.0, 0.0)
    """
    _, counts = np.unique(codes, return_counts=True)
    share = counts / counts.sum()
    return float((share * np.log2(1 / share)).sum())


def codes(file):
    """The weights of a file as codes of one byte: a weight's place among its layer's values."""
    arrays = [x.weights for x in file.layers if x.weights is not None]
    indices = [np.unique(array, return_inverse=True)[1].ravel() for array in arrays]
    return np.concatenate(indices).astype(np.uint8)


def _step(of=np.mean, empty=None):
    """`kmeans_step` with one thing done differently."""

    def answer(weights, centroids):
        nearest, moved = nearest_centroid(weights, centroids), []
        for k, centroid in enumerate(centroids):
            mine = weights[nearest == k]
            stays = centroid if empty is None else empty
            moved.append(of(mine, centroid) if mine.size else stays)
        return np.array(moved)

    return answer


_mean = _step(of=lambda mine, centroid: mine.mean())


def _equal_parts(weights, centroids):
    return [part.mean() for part in np.array_split(np.sort(weights), len(centroids))]


def _has_nan(args, got):
    got = numbers(got)
    return got is not None and bool(np.isnan(got).any())


judge_kmeans_step = for_function(
    kmeans_step,
    [
        (np.array([-0.9, -0.7, -0.1, 0.1, 0.16, 0.8]), np.array([-1.0, 0.0, 1.0])),
        (np.array([0.0, 0.3, 0.37, 1.1, 1.9]), np.array([0.2, 1.2, 5.0])),
        (np.linspace(-1, 1, 22) ** 3, np.array([-0.5, -0.04, 0.3, 0.9])),
    ],
    mistakes={
        "nan": _has_nan,
        "moved_to_zero": like(_step(of=lambda mine, centroid: mine.mean(), empty=0.0)),
        "indices": like(nearest_centroid),
        "weights_returned": like(
            lambda w, c: c[nearest_centroid(w, c)],
            lambda w, c: _mean(w, c)[nearest_centroid(w, c)],
        ),
        "middle": like(_step(of=lambda mine, centroid: (mine.min() + mine.max()) / 2)),
        "median": like(_step(of=lambda mine, centroid: np.median(mine))),
        "old_one_counted": like(
            _step(of=lambda mine, centroid: np.append(mine, centroid).mean()),
            _step(of=lambda mine, centroid: (mine.mean() + centroid) / 2),
        ),
        "equal_parts": like(_equal_parts),
    },
)


def _entropy(log=np.log2, sign=-1, share=lambda counts: counts / counts.sum(), total=np.sum):
    """`entropy_bits` with one thing done differently."""

    def answer(codes):
        counts = np.unique(codes, return_counts=True)[1]
        part = share(counts)
        return sign * total(part * log(part))

    return answer


def _surprise(codes):
    """Mean over the different codes of the bits that each would cost."""
    counts = np.unique(codes, return_counts=True)[1]
    return np.log2(counts.sum() / counts).mean()


judge_entropy_bits = for_function(
    entropy_bits,
    [
        (np.repeat([0, 1, -1, 5], [8, 4, 2, 2]),),
        (np.repeat([3, -7, 2], [5, 1, 10]).astype(np.int8),),
        (np.array([[4, 4, 1], [9, 4, 1]]),),
    ],
    mistakes={
        "other_base": like(_entropy(log=np.log), _entropy(log=np.log10)),
        "sign": like(_entropy(sign=1)),
        "equally_common": like(
            lambda codes: np.log2(np.unique(codes).size),
            lambda codes: np.ceil(np.log2(np.unique(codes).size)),
        ),
        "nan": _has_nan,
        "counts": like(_entropy(share=lambda counts: counts), _entropy(sign=1, share=lambda c: c)),
        "all_codes": like(lambda codes: codes.size * entropy_bits(codes)),
        "unweighted": like(_entropy(total=np.mean), _surprise),
    },
)
