"""The trail: every recipe that a learner tried, with what was measured."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from qlab.system import text
from qlab.widgets.kit import readout


@dataclass(frozen=True)
class Point:
    """One row of the trail: what was tried, and what was measured."""

    weight_bits: int
    activation_bits: int
    granularity: str
    observer: str
    calibration_size: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    file_bytes: int
    gzip_bytes: int
    packed_floor_bytes: int
    latency_median_ms: float

    @classmethod
    def of(cls, trial):
        """Keep the numbers of a trial, and let its model and predictions go."""
        recipe, sizes = trial.recipe, trial.sizes
        return cls(
            *(recipe.weight_bits, recipe.activation_bits, recipe.granularity, recipe.observer),
            recipe.calibration_size,
            *(trial.measurement.accuracy, *trial.measurement.interval),
            *(sizes.file_bytes, sizes.gzip_bytes, sizes.packed_floor_bytes),
            trial.latency.median_ms,
        )


def to_csv(points):
    """Write the trail as a table for other programs."""
    return text.to_csv((field.name for field in fields(Point)), map(astuple, points))


def to_table(points):
    """Write the trail as text for the learner."""
    header = ("weight bits", "activation bits", "granularity", "bytes, gzipped", "accuracy")
    rows = (
        (p.weight_bits, p.activation_bits, p.granularity, f"{p.gzip_bytes:,}", percent)
        for p in points
        for percent in [readout.percent(p.accuracy)]
    )
    return readout.table("Recipes tried", header, rows)
