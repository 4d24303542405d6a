"""``python -m tools.bench``: measure every row, and print a table or JSON."""

from __future__ import annotations

import argparse
import json
import sys

from tools.bench import course, engine, kernel
from tools.bench.rows import plain, table


def measure(progress=None, quick=False):
    """Measure every row; `quick` leaves out what takes minutes."""
    rows = []
    for step in (*engine.STEPS, *kernel.STEPS, *(() if quick else course.STEPS)):
        if progress:
            progress(step.__doc__.splitlines()[0])
        rows.extend(step())
    return rows


def main(arguments=None, out=None):
    """Measure, and print; returns 1 if a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="measure the course's own speed on this machine"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--quick", action="store_true", help="leave out what takes minutes: browser and notebooks"
    )
    chosen = parser.parse_args(arguments)
    rows = measure(lambda words: print(words, file=sys.stderr, flush=True), chosen.quick)
    lines = json.dumps([plain(row) for row in rows], indent=1) if chosen.json else table(rows)
    print(lines, file=out)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
