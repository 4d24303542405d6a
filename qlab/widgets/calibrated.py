"""What the calibration explorer found: on every draw, and in words, in tables, as CSV."""

from __future__ import annotations

import csv
import io

from qlab.plots.calibration import middle
from qlab.widgets.kit import readout


def cells(result):
    """The read-out."""
    k, several = result.middle, len(result.names) > 1
    low, high = (readout.percent(pick(result.accuracies)) for pick in (min, max))
    spread = f"{100 * result.spread:.2f} <small>points</small>" if several else "one draw"
    between = f"{low} to {high}" if several else "blank images are all alike"
    holds = "{:.3g} to {:.3g}".format(*result.input_ranges[k])
    return readout.readout(
        readout.accuracy(result.measurements[k], f"Accuracy of draw {k + 1}"),
        readout.difference(result.comparisons[k], f"float, draw {k + 1}"),
        readout.cell("Spread over draws", spread, between, f"the middle one is draw {k + 1}"),
        readout.cell("Input of the file", holds, "is what its codes hold;", "pixels are 0 to 1"),
    )


def tables(result, trail):
    """The numbers in the picture, as text."""
    of_each = zip(result.names, result.measurements, result.ranges, strict=True)
    draws = [
        (
            name,
            readout.percent(m.accuracy),
            " to ".join(map(readout.percent, m.interval)),
            f"{low:.4g} to {high:.4g}",
        )
        for name, m, (low, high) in of_each
    ]
    tried = [
        (*setting, f"{size:,}", *(readout.percent(pick(a)) for pick in (min, middle, max)))
        for setting, series in reversed(trail.items())
        for size, a in sorted(series.items())
    ]
    header = ("draw", "accuracy", "95 % interval", f"range of {result.layer}")
    columns = ("images", "observer", "activation bits", "size", "worst", "middle", "best")
    return readout.table("Draws", header, draws) + readout.table("Settings tried", columns, tried)


def trail_csv(trail):
    """The trail as CSV, a row for each file scored."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        ("images", "observer", "activation_bits", "calibration_size", "draw", "accuracy")
    )
    for setting, series in trail.items():
        for size in sorted(series):
            table.writerows((*setting, size, i + 1, a) for i, a in enumerate(series[size]))
    return text.getvalue()
