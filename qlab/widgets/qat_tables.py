"""The numbers in the QAT explorer's picture, as text tables."""

from __future__ import annotations

import numpy as np

from qlab.plots.qat import shares
from qlab.trials.qat_scores import SEEDS
from qlab.widgets.kit import readout
from qlab.widgets.kit.readout import p_words, points


def tables(result, live, layer, before, after, bits):
    """The numbers in the picture, as text."""
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
