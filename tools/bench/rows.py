"""The lines of the bench: what was measured, and its target."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np


@dataclass(frozen=True)
class Row:
    """One measured line of the table."""

    name: str
    unit: str
    target: float
    samples: tuple[float, ...] = field(repr=False)
    at_least: bool = False
    tail: bool = False
    note: str = ""

    @property
    def median(self):
        """float or None: the middle sample."""
        return float(np.median(self.samples)) if self.samples else None

    @property
    def p95(self):
        """float or None: the 95th percentile on the unfavourable side."""
        return (
            float(np.percentile(self.samples, 5 if self.at_least else 95)) if self.samples else None
        )

    @property
    def met(self):
        """bool or None: whether the target holds; None if it was not measured."""
        if not self.samples:
            return None
        value = self.p95 if self.tail else self.median
        return value >= self.target if self.at_least else value <= self.target


def table(rows):
    """Lay rows out as text."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}{'median':>11}{'p95':>10}{'target':>9}{'met':>9}"]
    for row in rows:
        sign = ">=" if row.at_least else "<="
        target = f"{sign} {row.target:g} {row.unit}{' (p95)' if row.tail else ''}"
        met = {True: "yes", False: "NO", None: "not measured"}[row.met]
        lines.append(
            f"{row.name:{width}}{_number(row.median, row.unit):>11}{_number(row.p95, row.unit):>10}"
            f"{target:>10}{met:>9}"
        )
        if row.note:
            lines.append(f"{'':4}{row.note}")
    return "\n".join(lines)


def _number(value, unit):
    return "-" if value is None else f"{value:.3g} {unit}"


def plain(row):
    """A row as JSON carries it."""
    return {**asdict(row), "median": row.median, "p95": row.p95, "met": row.met}
