"""A training result over seeds: means, and what the paired test of each seed says."""

from __future__ import annotations

import numpy as np

from qlab.widgets.kit import readout


def mean_cell(name, measurements):
    """Mean accuracy over seeds, and each seed's."""
    each = ", ".join(f"{100 * m.accuracy:.2f}" for m in measurements)
    return readout.cell(
        name,
        f"{readout.percent(np.mean([m.accuracy for m in measurements]))} "
        f"{readout.badge(measurements[0].kind)}",
        f"mean of {len(measurements)} seeds: {each}",
        f"{measurements[0].n:,} images each",
    )


def difference_cell(name, comparisons):
    """Mean difference over seeds, with what the paired test of each seed says."""
    mean = 100 * np.mean([x.difference for x in comparisons])
    each = ", ".join(points(x) for x in comparisons)
    return readout.cell(
        name,
        f"{mean:+.2f} <small>points</small>".replace("-", "−"),
        f"<b>{verdict(comparisons)}</b>",
        f"by seed {each}",
        f"paired tests: {_all_p(comparisons)}",
    )


def _all_p(comparisons):
    """The p-values of all seeds, once if all are small."""
    each = [p_words(x) for x in comparisons]
    words = f"each p {each[0]}" if set(each) == {"< 0.01"} else f"p {', '.join(each)}"
    return words.replace("<", "&lt;")


def points(comparison):
    """A difference in points, with its sign."""
    return f"{100 * comparison.difference:+.2f}".replace("-", "−")


def p_words(comparison):
    """A p-value, to two digits."""
    return f"{comparison.p_value:.2f}" if comparison.p_value >= 0.01 else "< 0.01"


def verdict(comparisons):
    """Say in words what the paired tests of all seeds say."""
    kinds = [
        "within noise" if x.within_noise else "better" if x.difference > 0 else "worse"
        for x in comparisons
    ]
    counts = {kind: kinds.count(kind) for kind in ("better", "worse", "within noise")}
    found = [(kind, n) for kind, n in counts.items() if n]
    if len(found) == 1:
        return f"{found[0][0]} in all {len(kinds)} seeds"
    first, *rest = found
    words = [f"{first[0]} in {first[1]} seed{'s' if first[1] > 1 else ''}"]
    return ", ".join([*words, *(f"{kind} in {n}" for kind, n in rest)])
