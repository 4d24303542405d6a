"""Which models no other beats, at what cost; and the rows of the board."""

from __future__ import annotations

import numpy as np

from qlab.engine.recipes import recipe_words

COSTS = {
    "gzip_bytes": "file, gzipped (bytes)",
    "file_bytes": "file (bytes)",
    "latency_ms": "latency, one image, one thread (ms)",
}
FRONT, NEAR, BEATEN = "on the front", "interval reaches the front", "beaten"


def front(costs, accuracies):
    """Points that no other beats: none is both cheaper or equal and more accurate or equal."""
    costs, accuracies = np.asarray(costs, float), np.asarray(accuracies, float)
    best, found = -np.inf, []
    for i in np.lexsort((-accuracies, costs)):
        if accuracies[i] > best and not np.isnan(costs[i]):
            found.append(i)
            best = accuracies[i]
    return np.array(found, int)


def standings(board, cost="gzip_bytes"):
    """Where each model stands: on the front, within its interval of it, or beaten."""
    if cost not in COSTS:
        raise ValueError(f"cost is {cost!r}; choose one of {', '.join(COSTS)}")
    costs = [getattr(entry, cost) for entry in board]
    ahead = set(front(costs, [entry.accuracy for entry in board]).tolist())
    words = []
    for i, entry in enumerate(board):
        rivals = [x.accuracy for x, c in zip(board, costs, strict=True) if c <= costs[i]]
        if i in ahead:
            words.append(FRONT)
        elif rivals and entry.interval[1] >= max(rivals):
            words.append(NEAR)
        else:
            words.append(BEATEN)
    return words


def rows(board, cost="gzip_bytes"):
    """The board as plain rows, the best standing and the cheapest first."""
    words = standings(board, cost)
    order = {FRONT: 0, NEAR: 1, BEATEN: 2}
    ranked = sorted(
        zip(board, words, strict=True), key=lambda x: (order[x[1]], getattr(x[0], cost), x[0].name)
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
        "accuracy_kind": entry.kind,
        "file_bytes": entry.file_bytes,
        "gzip_bytes": entry.gzip_bytes,
        "latency_ms": round(timed.median_ms, 5) if timed else "",
        "latency_p95_ms": round(timed.p95_ms, 5) if timed else "",
        "latency_kind": entry.latency_kind,
        "recipe": recipe_words(entry.recipe),
        "sha256": entry.sha256,
    }
