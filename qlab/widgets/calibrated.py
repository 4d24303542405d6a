"""What the calibration explorer found: on every draw, and in words, in tables, as CSV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.results import Comparison, Measurement
from qlab.engine.recipes import Recipe
from qlab.plots.quantization_panels import middle
from qlab.system.text import to_csv
from qlab.widgets.kit import readout


@dataclass(frozen=True, eq=False)
class Calibration:
    """One recipe carried out on each draw of calibration images, and measured."""

    recipe: Recipe
    images: str
    layer: str
    names: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    comparisons: tuple[Comparison, ...]
    ranges: tuple[tuple[float, float], ...]
    input_ranges: tuple[tuple[float, float], ...]

    @property
    def accuracies(self):
        """tuple of float: one for each draw."""
        return tuple(m.accuracy for m in self.measurements)

    @property
    def middle(self):
        """int: which draw has the middle accuracy."""
        return int(np.argsort(self.accuracies, kind="stable")[len(self.names) // 2])

    @property
    def spread(self):
        """float: accuracy of the best draw minus that of the worst."""
        return max(self.accuracies) - min(self.accuracies)

    @property
    def setting(self):
        """(str, str, int): images, observer, activation bits; what a row of the trail is of."""
        return self.images, self.recipe.observer, self.recipe.activation_bits


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
    head = ("images", "observer", "activation_bits", "calibration_size", "draw", "accuracy")
    rows = (
        (*setting, size, i + 1, accuracy)
        for setting, series in trail.items()
        for size in sorted(series)
        for i, accuracy in enumerate(series[size])
    )
    return to_csv(head, rows)


def input_range(model):
    """Real values that a file's integer input can hold."""
    graph = model.parsed.subgraphs[0]
    grid = graph.tensors[int(graph.inputs[0])].quantization
    low, high = float(grid.scale[0]) * (np.array([-128, 127]) - int(grid.zeroPoint[0]))
    return float(low), float(high)
