"""The read-out of the QAT explorer: means over seeds, tests by seed, and the text tables."""

from __future__ import annotations

import numpy as np

from qlab.plots.qat import shares
from qlab.widgets import readout
from qlab.widgets.qat_scores import SEEDS


def mean_cell(name, measurements):
    """Mean accuracy over seeds, and each seed's.

    Parameters
    ----------
    name : str
    measurements : sequence of Measurement

    Returns
    -------
    str
        HTML.
    """
    each = ", ".join(f"{100 * m.accuracy:.2f}" for m in measurements)
    return readout.cell(
        name,
        f"{readout.percent(np.mean([m.accuracy for m in measurements]))} "
        f"{readout.badge(measurements[0].kind)}",
        f"mean of {len(measurements)} seeds: {each}",
        f"{measurements[0].n:,} images each",
    )


def difference_cell(name, comparisons, verdict):
    """Mean difference over seeds, with what the paired test of each seed says.

    Parameters
    ----------
    name : str
    comparisons : sequence of Comparison
    verdict : callable
        Puts the tests into words.

    Returns
    -------
    str
        HTML.
    """
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


def tables(result, live, layer, before, after, bits):
    """The numbers in the picture, as text.

    Parameters
    ----------
    result : qlab.widgets.qat_scores.Scores
    live : qlab.widgets.qat_live.Live or None
    layer : str
    before, after : ndarray, shape (weights,)
        In steps of the grid.
    bits : int

    Returns
    -------
    str
        HTML.
    """
    made = [_ways(result), _weights(layer, before, after, bits)]
    if result.repaired_control:
        rows = [
            (f"{seed}", readout.percent(accuracy), "cached")
            for seed, accuracy in zip(SEEDS, result.repaired_control, strict=True)
        ]
        name = "Float control on least-squares grids"
        made.append(readout.table(name, ("seed", "accuracy", "kind"), rows))
    if live:
        header = ("epoch", "training loss", "training accuracy", "LiteRT accuracy", "95 % interval")
        rows = [_frame(x) for x in live.frames]
        made.append(readout.table(f"Live training at {live.weight_bits} bits", header, rows))
    return "".join(made)


def _ways(result):
    rows = [_row("post-training", "", result.post_training)]
    rows += [_row("float control", s, m) for s, m in zip(SEEDS, result.control, strict=True)]
    for i, seed in enumerate(SEEDS):
        control, post = result.to_control[i], result.to_post_training[i]
        tests = [f"{points(x)}, p {p_words(x)}" for x in (control, post)]
        rows.append((*_row("QAT", seed, result.qat[i])[:4], *tests))
    header = ("way", "seed", "accuracy", "95 % interval", "to control", "to post-training")
    return readout.table(f"Three ways to {result.weight_bits} bits", header, rows)


def _row(way, seed, measurement):
    ends = " to ".join(readout.percent(end) for end in measurement.interval)
    return way, seed, readout.percent(measurement.accuracy), ends, "", ""


def _weights(layer, before, after, bits):
    hill, edges = np.histogram(before, _edges(bits))
    bars = np.histogram(after, edges)[0]
    rows = [
        (f"{low:g} to {high:g}", f"{a:,}", f"{b:,}")
        for low, high, a, b in zip(edges[:-1], edges[1:], hill, bars, strict=True)
    ]
    header = ("steps of the grid", "before rounding", "rounded")
    return readout.table(f"Weights of {layer}", header, rows)


def _edges(bits):
    """One row a code; beyond 4 bits, one for 16 codes."""
    edges = shares(np.zeros(1), bits, True)[1]
    return np.arange(edges[0] - 0.25, edges[-1] + 0.5) if bits <= 4 else edges[:: len(edges) // 15]


def _frame(frame):
    known = frame.loss is not None
    return (
        f"{frame.epoch:.2f}",
        f"{frame.loss:.3f}" if known else "",
        readout.percent(frame.accuracy) if known else "",
        readout.percent(frame.measurement.accuracy),
        " to ".join(readout.percent(end) for end in frame.measurement.interval),
    )
