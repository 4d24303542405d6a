"""Answers to the exercises of 05 and 05b as learners write them: right ones, classic mistakes."""

import numpy as np


def by_counting(weights, sparsity):
    """Right: one weight after the other."""
    mask = np.ones(weights.shape, bool)
    for _ in range(round(sparsity * weights.size)):
        left = np.where(mask, np.abs(weights), np.inf)
        mask[np.unravel_index(left.argmin(), left.shape)] = False
    return mask.tolist()


def by_ranks_from_above(weights, sparsity):
    """Right; of equal weights others go than in the reference."""
    order = np.argsort(-np.abs(weights).ravel(), kind="stable")
    mask = np.zeros(weights.size, bool)
    mask[order[: weights.size - round(sparsity * weights.size)]] = 1
    return mask.reshape(weights.shape)


def masks_by_threshold(layers, sparsity):
    everything = np.sort(np.concatenate([np.abs(x).ravel() for x in layers]))
    threshold = everything[round(sparsity * everything.size)]
    return tuple(np.abs(x) >= threshold for x in layers)


def masks_by_quantile(layers, sparsity):
    everything = np.abs(np.concatenate([x.ravel() for x in layers]))
    return [np.abs(x) > np.quantile(everything, sparsity) for x in layers]


def polynomial_by_cases(step, begin_step, end_step, initial, final):
    if step < begin_step:
        return 0
    if step >= end_step:
        return np.float32(final)
    left = (end_step - step) / (end_step - begin_step)
    return final - (final - initial) * left * left * left


def looped_kmeans_step(weights, centroids):
    groups = [[] for _ in centroids]
    for weight in weights:
        groups[min(range(len(centroids)), key=lambda k: abs(weight - centroids[k]))].append(weight)
    return [sum(g) / len(g) if g else c for g, c in zip(groups, centroids, strict=True)]


def counted_entropy(codes):
    codes = np.ravel(codes).tolist()
    shares = [codes.count(code) / len(codes) for code in set(codes)]
    return -sum(p * np.log2(p) for p in shares)


CORRECT = {
    "pruning.magnitude_mask": [
        by_counting,
        by_ranks_from_above,
        lambda w, s: np.abs(w) > np.quantile(np.abs(w), s),
        lambda w, s: np.abs(w) >= np.quantile(np.abs(w), s),
    ],
    "pruning.global_masks": [masks_by_threshold, masks_by_quantile],
    "pruning.polynomial": [polynomial_by_cases],
    "clustering.kmeans_step": [looped_kmeans_step],
    "clustering.entropy_bits": [counted_entropy],
}


def quantile(weights, sparsity):
    return np.quantile(np.abs(weights), sparsity)


def each_row(weights, sparsity):
    rows = [by_ranks_from_above(row, sparsity) for row in np.atleast_2d(weights)]
    return np.reshape(rows, weights.shape)


def all_in_one(layers, sparsity):
    return by_ranks_from_above(np.concatenate([x.ravel() for x in layers]), sparsity)


def mean_threshold(layers, sparsity):
    threshold = np.mean([quantile(x, sparsity) for x in layers])
    return [np.abs(x) > threshold for x in layers]


def scaled(layers, sparsity):
    return masks_by_threshold([x / np.abs(x).max() for x in layers], sparsity)


def line(power=1, early=0.0, flip=False, begin=True, ends=True, lowest=None, percent=1):
    """A schedule with a mistake in it."""

    def answer(step, begin_step, end_step, initial, final):
        if ends and step < begin_step:
            return (initial if early is None else early) * percent
        at = min(step, end_step) if ends else step
        done = (at - begin_step) / (end_step - begin_step) if begin else at / end_step
        part = done**power if flip else 1 - (1 - done) ** power
        first = initial if lowest is None else lowest
        return (first + (final - first) * part) * percent

    return answer


def nearest(weights, centroids):
    return np.array([np.abs(weight - centroids).argmin() for weight in weights])


def moved(weights, centroids, of=np.mean, empty=None):
    which = nearest(weights, centroids)
    return [
        of(weights[which == k]) if (which == k).any() else (c if empty is None else empty)
        for k, c in enumerate(centroids)
    ]


def moved_or_nan(weights, centroids):
    with np.errstate(all="ignore"):
        which = nearest(weights, centroids)
        return [weights[which == k].sum() / np.sum(which == k) for k in range(len(centroids))]


def with_the_old(weights, centroids):
    which = nearest(weights, centroids)
    return [np.mean([*weights[which == k], c]) for k, c in enumerate(centroids)]


def half_way(weights, centroids):
    return np.where(
        np.isin(np.arange(len(centroids)), nearest(weights, centroids)),
        (np.array(moved(weights, centroids)) + centroids) / 2,
        centroids,
    )


def shares(codes):
    return np.unique(codes, return_counts=True)[1] / np.size(codes)


def with_empty_codes(codes):
    low = int(np.min(codes))
    p = np.bincount(np.ravel(codes).astype(int) - low, minlength=40) / np.size(codes)
    with np.errstate(all="ignore"):
        return -(p * np.log2(p)).sum()


MISTAKES = [
    ("pruning.magnitude_mask", lambda w, s: w * by_ranks_from_above(w, s), "These are weights"),
    ("pruning.magnitude_mask", lambda w, s: np.abs(w) <= quantile(w, s), "The largest went"),
    ("pruning.magnitude_mask", lambda w, s: ~by_ranks_from_above(w, s), "The largest went"),
    (
        "pruning.magnitude_mask",
        lambda w, s: np.abs(w) > np.percentile(np.abs(w), s),
        "takes percent",
    ),
    (
        "pruning.magnitude_mask",
        lambda w, s: np.abs(w) >= np.percentile(np.abs(w), s),
        "takes percent",
    ),
    ("pruning.magnitude_mask", lambda w, s: w > quantile(w, s), "without their sign"),
    ("pruning.magnitude_mask", lambda w, s: w > np.quantile(w, s), "without their sign"),
    ("pruning.magnitude_mask", lambda w, s: w >= np.sort(w.ravel())[round(s * w.size)], "sign"),
    ("pruning.magnitude_mask", lambda w, s: np.abs(w) > np.quantile(w, s), "absolute values"),
    (
        "pruning.magnitude_mask",
        lambda w, s: by_ranks_from_above(w, s).astype(int),
        "the mask holds numbers",
    ),
    (
        "pruning.magnitude_mask",
        lambda w, s: np.float32(np.abs(w) > quantile(w, s)),
        "the mask holds numbers",
    ),
    (
        "pruning.magnitude_mask",
        lambda w, s: np.abs(w) > np.sort(np.abs(w).ravel())[round(s * w.size)],
        "One weight too many",
    ),
    ("pruning.magnitude_mask", each_row, "Each row"),
    (
        "pruning.global_masks",
        lambda layers, s: [by_ranks_from_above(x, s) for x in layers],
        "lost the same share",
    ),
    ("pruning.global_masks", mean_threshold, "a mean over the layers"),
    ("pruning.global_masks", scaled, "divided by its largest"),
    (
        "pruning.global_masks",
        lambda layers, s: [~mask for mask in masks_by_threshold(layers, s)],
        "the smallest weights should go",
    ),
    (
        "pruning.global_masks",
        lambda layers, s: [1.0 * mask for mask in masks_by_threshold(layers, s)],
        "the masks hold numbers",
    ),
    ("pruning.global_masks", all_in_one, "return a list of masks"),
    (
        "pruning.global_masks",
        lambda layers, s: [mask.ravel() for mask in masks_by_threshold(layers, s)],
        "return a list of masks",
    ),
    ("pruning.polynomial", line(power=3, ends=False), "the curve runs on"),
    ("pruning.polynomial", line(power=3, early=None), "nothing is pruned yet"),
    ("pruning.polynomial", line(power=3, flip=True), "begins slowly"),
    ("pruning.polynomial", line(), "straight line"),
    ("pruning.polynomial", line(power=2), "a square"),
    ("pruning.polynomial", line(power=3, begin=False), "The way begins at begin_step"),
    ("pruning.polynomial", line(power=3, lowest=0), "`initial` goes at once"),
    ("pruning.polynomial", line(power=3, percent=100), "These are percent"),
    ("clustering.kmeans_step", moved_or_nan, "NaN"),
    ("clustering.kmeans_step", lambda w, c: moved(w, c, empty=0), "went to 0"),
    ("clustering.kmeans_step", nearest, "which centroid is the nearest"),
    ("clustering.kmeans_step", lambda w, c: c[nearest(w, c)], "These are weights"),
    (
        "clustering.kmeans_step",
        lambda w, c: np.array(moved(w, c))[nearest(w, c)],
        "These are weights",
    ),
    (
        "clustering.kmeans_step",
        lambda w, c: moved(w, c, lambda x: (x[0] + x[-1]) / 2),
        "the middle",
    ),
    ("clustering.kmeans_step", lambda w, c: moved(w, c, np.median), "the median"),
    ("clustering.kmeans_step", with_the_old, "The old centroid"),
    ("clustering.kmeans_step", half_way, "The old centroid"),
    (
        "clustering.kmeans_step",
        lambda w, c: [part.mean() for part in np.array_split(np.sort(w), len(c))],
        "as many weights as the others",
    ),
    ("clustering.entropy_bits", lambda q: -(shares(q) * np.log(shares(q))).sum(), "base 2"),
    ("clustering.entropy_bits", lambda q: (shares(q) * np.log2(shares(q))).sum(), "The sign"),
    (
        "clustering.entropy_bits",
        lambda q: np.log2(len(set(np.ravel(q).tolist()))),
        "equally common",
    ),
    ("clustering.entropy_bits", with_empty_codes, "NaN"),
    (
        "clustering.entropy_bits",
        lambda q: -(shares(q) * q.size * np.log2(shares(q) * q.size)).sum(),
        "These are counts",
    ),
    (
        "clustering.entropy_bits",
        lambda q: -q.size * (shares(q) * np.log2(shares(q))).sum(),
        "together",
    ),
    ("clustering.entropy_bits", lambda q: -(shares(q) * np.log2(shares(q))).mean(), "A mean over"),
    ("clustering.entropy_bits", lambda q: -np.log2(shares(q)).mean(), "A mean over"),
]
