"""``qlab bench``: the course's own speed, measured here and now, against its targets.

A target that compares two things is a ratio of times from one run, taken turn by turn, because
machines are noisy.
"""

from __future__ import annotations

import json
import sys
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


def measure(progress=None, quick=False):
    """Measure every row."""
    from tools.bench import course, engine, kernel

    steps = [*engine.STEPS, *kernel.STEPS, *([] if quick else course.STEPS)]
    rows = []
    for step in steps:
        if progress:
            progress(step.__doc__.splitlines()[0])
        rows.extend(step())
    return rows


def main(as_json=False, quick=False, out=None):
    """Measure, and print a table or JSON."""
    out = out or sys.stdout
    rows = measure(lambda words: print(words, file=sys.stderr, flush=True), quick)
    print(json.dumps([_plain(row) for row in rows], indent=1) if as_json else table(rows), file=out)
    return int(any(row.met is False for row in rows))


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


def _plain(row):
    """A row as JSON carries it."""
    return {**asdict(row), "median": row.median, "p95": row.p95, "met": row.met}
