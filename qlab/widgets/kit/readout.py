"""The read-out in HTML: no number without its interval and its kind. Pure functions."""

from functools import partial
from html import escape

import numpy as np

from qlab.arithmetic.results import ALPHA, in_points, percent
from qlab.lessons import cards
from qlab.lessons.cards import Cell
from qlab.tflite.gzipping import GZIPPED

BADGES = {
    "measured": "run here, just now",
    "cached": "measured earlier; the manifest says when and how",
    "simulated": "arithmetic that no runtime executed",
}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NONE_TRAINED = "Trained models ship of the baseline alone, so there are none to compare with here."
NUMBER = {"class_": "qlab-number"}

# So that a picture's numbers can be read without seeing it.
table = partial(cards.table, row_headers=False)


def row(*cells):
    """Lay cells side by side."""
    return f'<div class="qlab-readout" role="status">{"".join(cells)}</div>'


def cell(name, value="", *lines):
    """One cell: a name, a large value, and small lines of HTML below it."""
    large = f'<div class="qlab-value">{value}</div>' if value else ""
    small = "".join(f'<div class="qlab-small">{line}</div>' for line in lines)
    return f'<div><div class="qlab-name">{escape(name)}</div>{large}{small}</div>'


def badge(kind, how=""):
    """Say in words what kind of number this is, and how it came about; the Tab key shows both."""
    words = escape(f"{BADGES[kind]}. {how}." if how else BADGES[kind])
    look = f"qlab-badge qlab-badge-{kind}"
    return f'<span class="{look}" tabindex="0" role="note" title="{words}">{kind}</span>'


def accuracy(measurement, name="Accuracy"):
    """Accuracy with its 95 % interval and its badge."""
    elapsed = getattr(measurement, "elapsed_ms", None)
    time = f" in {elapsed:.0f} ms" if elapsed else ""
    return cell(
        name,
        f"{percent(measurement.accuracy)} {badge(measurement.kind, how(measurement))}",
        f"95 % interval {interval(measurement)}",
        f"{measurement.n:,} {measurement.images_are}{time}",
    )


def how(measurement):
    """How an accuracy was measured, and on how many images."""
    images = f"{measurement.n:,} {measurement.images_are}"
    return f"{measurement.how}. {images.capitalize()} were scored" if measurement.how else ""


def difference(comparison, name="Difference to float"):
    """A difference with its interval and verdict, and what it consists of."""
    return cell(
        name,
        f"{comparison.points} <small>points</small>",
        comparison.interval_words,
        f"<b>{comparison.verdict}</b>",
        seeds(comparison)
        if len(comparison.by_seed) > 1
        else f"{comparison.only_a:,} images lost, {comparison.only_b:,} gained",
    )


def seeds(comparison):
    """The difference in each seed, and whether all have one sign."""
    each = ", ".join(map(in_points, comparison.by_seed))
    agree = f"; all {in_letters(len(comparison.by_seed))} agree" if comparison.agree else ""
    return f"by seed {each}{agree}"


def at_once(family, what):
    """Say why the intervals of a family are wider; nothing if there is no family."""
    if family < 2:
        return []
    count = in_letters(family)
    together = "both" if family == 2 else f"all {count}"
    return [
        f"Because {count} {what} are compared at once, each of their differences has a "
        f"{100 * (1 - ALPHA / family):.5g} % interval: so {together} hold together in at "
        "least 95 % of cases."
    ]


def in_letters(n):
    return NUMBERS[n] if n < len(NUMBERS) else f"{n:,}"


def sizes(model_sizes):
    rows = (
        (f"{model_sizes.float32_bytes:,}", "float32 file"),
        (f"{model_sizes.file_bytes:,}", "this file"),
        (f"{model_sizes.gzip_bytes:,}", f"this file, {GZIPPED}"),
        (f"{model_sizes.packed_bytes:,}", "this file, packed"),
    )
    return table_cell("Size in bytes", (), rows, words=1)


def table_cell(name, header, rows, *lines, words=0):
    """A cell with a table: numbers at the right, and one column of words at the left."""
    made = [[x if i == words else Cell(x, NUMBER) for i, x in enumerate(row)] for row in rows]
    return cell(name, "", table("", header, made, class_="qlab-sizes"), *lines)


def latency(measured):
    what = "one image" if measured.batch == 1 else f"{measured.batch:,} images"
    threads = "1 thread" if measured.threads == 1 else f"{measured.threads} threads"
    return cell(
        "Latency",
        duration(measured.median_ms),
        f"{what}, {threads}",
        f"95th percentile {duration(measured.p95_ms)}",
    )


def score(trial):
    """Accuracy of a `Trial`."""
    return percent(trial.measurement.accuracy)


def interval(scored):
    """The ends of the 95 % interval of what has one."""
    low, high = scored.interval
    return f"{100 * low:.1f} to {100 * high:.1f}\N{NO-BREAK SPACE}%"


def fine_interval(scored):
    """The same to hundredths, for the table of numbers."""
    return " to ".join(map(percent, scored.interval))


def duration(milliseconds):
    return f"{milliseconds:.1f} ms" if milliseconds >= 1 else f"{1000 * milliseconds:.1f} µs"


def bins(edges, digits, *counts):
    """Rows of a histogram's table: the ends of each bin, and how many are in it."""
    ends = [f"{x:.{digits}f}" for x in edges]
    each = ([f"{int(n):,}" for n in column] for column in counts)
    return list(zip(ends[:-1], ends[1:], *each, strict=True))


def notes(said):
    """Notes in one paragraph; nothing if there are none."""
    return f'<div class="qlab-notes">{" ".join(said)}</div>' if said else ""


def sentences(said):
    """Notes to be read closely: larger, and each on a line of its own."""
    style = "font-size: 14px; line-height: 1.5; max-width: 60em; margin: 4px 2px"
    lines = "".join(f"<div>{line}</div>" for line in said)
    return f'<div class="qlab-notes" role="status" style="{style}">{lines}</div>'


# A training result over seeds.


def mean(measurements):
    """Mean accuracy over seeds, in words."""
    return percent(np.mean([m.accuracy for m in measurements]))


def mean_cell(name, measurements):
    """Mean accuracy over seeds, and each seed's."""
    each = ", ".join(f"{100 * m.accuracy:.2f}" for m in measurements)
    return cell(
        name,
        f"{mean(measurements)} {badge(measurements[0].kind)}",
        f"mean of {len(measurements)} seeds: {each}",
        f"{measurements[0].n:,} {measurements[0].images_are} each",
    )


def trained_cells(family, name, control):
    """What training gained, over its control of the same training without the technique."""
    return (
        mean_cell(name, family.measurements),
        mean_cell(control, family.controls),
        difference(family.comparison, "Trained to its control"),
    )


def trained_words(family):
    """The same for a picture's name."""
    return f"{mean(family.measurements)}; to its control: {family.comparison}."


def seed_rows(family):
    """Rows of a table: each trained model of a family and its control, and last their means."""
    each = zip(family.seeds, family.trials, family.comparison.by_seed, strict=True)
    for seed, trial, gained in each:
        yield (
            family.name,
            seed,
            f"{trial.gzip_bytes:,}",
            percent(trial.measurement.accuracy),
            percent(trial.reference.accuracy),
            f"{in_points(gained)} points",
        )
    yield (
        family.name,
        "all",
        "",
        mean(family.measurements),
        mean(family.controls),
        str(family.comparison),
    )
