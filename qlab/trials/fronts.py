"""Which models no other beats, at what cost; and the rows of the board."""

from collections import Counter

import numpy as np

from qlab.arithmetic.results import compare
from qlab.engine.recipes import recipe_words
from qlab.tflite.gzipping import GZIPPED

COSTS = {
    "gzip_bytes": f"file, {GZIPPED} (bytes)",
    "file_bytes": "file (bytes)",
    "latency_ms": "latency, one image, one thread (ms)",
}
FRONT, NEAR, BEATEN = "on the front", "too close to call", "beaten"
APART = "not measured here, so not compared"
ORDER = FRONT, NEAR, BEATEN, APART


def front(costs, accuracies):
    """Points that no other beats: none is both cheaper or equal and more accurate or equal."""
    costs, accuracies = np.asarray(costs, float), np.asarray(accuracies, float)
    best, found = -np.inf, []
    for i in np.lexsort((-accuracies, costs)):
        if accuracies[i] > best and not np.isnan(costs[i]):
            found.append(i)
            best = accuracies[i]
    return np.array(found, int)


def _costs(board, cost):
    """What each model costs; NaN, so that it beats none, if other images scored it than most."""
    usual = dict(Counter(x.images_are for x in board).most_common(1))
    return np.array([getattr(x, cost) if x.images_are in usual else np.nan for x in board], float)


def rivals(board, cost="gzip_bytes"):
    """Of each model, the most accurate that costs no more; None on the front, or without a cost."""
    if cost not in COSTS:
        raise ValueError(f"cost is {cost!r}; choose one of {', '.join(COSTS)}")
    costs = _costs(board, cost)
    ahead = front(costs, [entry.accuracy for entry in board]).tolist()
    cheaper = ([i for i in ahead if costs[i] <= own] for own in costs)
    return [
        board[found[-1]] if found and k not in ahead else None for k, found in enumerate(cheaper)
    ]


def comparisons(board, cost="gzip_bytes", against=None):
    """Comparison of each model with its rival, on the same images; None if not scored here."""
    against = rivals(board, cost) if against is None else against
    return [
        compare(entry.measurement, rival.measurement, family=len(board))
        if rival and entry.measurement and rival.measurement
        else None
        for entry, rival in zip(board, against, strict=True)
    ]


def standings(board, cost="gzip_bytes", found=None):
    """Where each model stands: on the front, too close to its rival to call, or beaten by it."""
    found = comparisons(board, cost) if found is None else found
    ahead = set(front(_costs(board, cost), [x.accuracy for x in board]).tolist())
    words = {None: APART, "better": BEATEN}
    return [
        FRONT if i in ahead else words.get(pair and pair.verdict, NEAR)
        for i, pair in enumerate(found)
    ]


def rows(board, cost="gzip_bytes"):
    """The board as plain rows, the best standing and the cheapest first."""
    ranked = sorted(
        zip(board, standings(board, cost), strict=True),
        key=lambda x: (ORDER.index(x[1]), getattr(x[0], cost), x[0].name),
    )
    return [_row(entry, standing) for entry, standing in ranked]


def _row(entry, standing):
    low, high = entry.interval
    timed = entry.latency
    return {
        "model": entry.name,
        "origin": entry.origin,
        "standing": standing,
        "accuracy": round(entry.accuracy, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "images": entry.n,
        "images_are": entry.images_are,
        "accuracy_kind": entry.kind,
        "file_bytes": entry.file_bytes,
        "gzip_bytes": entry.gzip_bytes,
        "latency_ms": round(timed.median_ms, 5) if timed else "",
        "latency_p95_ms": round(timed.p95_ms, 5) if timed else "",
        "latency_kind": entry.latency_kind,
        "recipe": recipe_words(entry.recipe),
        "sha256": entry.sha256,
    }
