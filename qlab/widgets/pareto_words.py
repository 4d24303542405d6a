"""What the Pareto board says in words: cells, notes, places on the picture, the table."""

from __future__ import annotations

from html import escape

from qlab.engine.recipes import recipe_words
from qlab.plots.cost_panels import label, scaled
from qlab.tflite.timing import ELSEWHERE
from qlab.trials import fronts
from qlab.widgets.kit import readout
from qlab.widgets.kit.hotspots import Spot

COSTS = {
    "size of the file, gzipped": "gzip_bytes",
    "size of the file": "file_bytes",
    "latency here": "latency_ms",
}
LOWEST = (False, False, False)


def cells(result):
    """The read-out of the model that is looked at."""
    shown = [_counts_cell(result)]
    if result.chosen is not None:
        entry, standing = result.entries[result.chosen], result.standings[result.chosen]
        shown = [_accuracy_cell(entry), *_cost_cells(entry), _standing_cell(standing), *shown]
    return readout.readout(*shown)


def _accuracy_cell(entry):
    low, high = entry.interval
    return readout.cell(
        entry.name,
        f"{readout.percent(entry.accuracy)} {readout.badge(entry.kind)}",
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %",
        f"{entry.n:,} images",
    )


def _cost_cells(entry):
    """Sizes and latency of one model."""
    yield readout.cell(
        "Gzipped",
        f"{entry.gzip_bytes:,} <small>bytes</small>",
        f"the file itself {entry.file_bytes:,}",
        readout.badge("measured"),
    )
    timed = entry.latency
    if timed is None:
        yield readout.cell("Latency", "", "not timed yet: press the button below")
        return
    yield readout.cell(
        "Latency",
        readout.duration(timed.median_ms),
        f"95th percentile {readout.duration(timed.p95_ms)}",
        f"one image, {timed.threads} thread {readout.badge(entry.latency_kind)}",
    )


def _standing_cell(standing):
    return readout.cell("Standing", f"<small>{escape(standing)}</small>")


def _counts_cell(result):
    n = len(result.entries)
    return readout.cell(
        "Models", f"{n}", f"{len(result.front)} on the front", f"against {_against(result.cost)}"
    )


def _against(cost):
    """What the horizontal axis is, in words."""
    return next(words for words, name in COSTS.items() if name == cost)


def notes(result):
    """Recipe of the model that is looked at, and how to read the picture."""
    said = []
    if result.chosen is not None:
        entry = result.entries[result.chosen]
        said.append(
            f"<b>Recipe of {escape(entry.name)}:</b> {escape(_cut(recipe_words(entry.recipe)))}."
        )
    else:
        said.append(
            "Nothing is here yet: <code>qlab.pareto.keep(model, name, recipe)</code> in any "
            "notebook puts a model of yours on this board."
        )
    said.append(
        "A bar is a 95 % interval. Whoever is best of many models that were scored on the same "
        "images is partly lucky: a front flatters a little."
    )
    if result.cost == "latency_ms":
        said.append(
            "Latency on this machine; differences of a few per cent come and go between runs. "
            f"{escape(ELSEWHERE[1])}"
        )
    return [*said, *map(escape, result.troubles)]


def _cut(words, longest=300):
    """What a reader takes in."""
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def spots(result):
    """A place for each model that has a cost; the Tab key stops at yours and at the front."""
    places = range(len(result.entries))
    for i in sorted(places, key=lambda i: _height(result, i)):
        entry, standing = result.entries[i], result.standings[i]
        cost = getattr(entry, result.cost)
        if cost == cost:  # not NaN
            stop = _height(result, i) != LOWEST
            yield Spot(
                float(scaled(cost, result.cost)), entry.accuracy, _told(entry, standing), stop
            )


def _height(result, i):
    """What lies over what: (chosen, yours, on the front)."""
    ahead = result.standings[i] == fronts.FRONT
    return i == result.chosen, result.entries[i].origin == "yours", ahead


def _told(entry, standing):
    """What a place on the picture says."""
    low, high = entry.interval
    timed = f", {readout.duration(entry.latency.median_ms)}" if entry.latency else ""
    return (
        entry.name,
        f"{readout.percent(entry.accuracy)} ({100 * low:.1f} to {100 * high:.1f} %), {entry.kind}",
        f"{entry.file_bytes:,} bytes, {entry.gzip_bytes:,} gzipped{timed}",
        standing,
        _cut(recipe_words(entry.recipe, brief=True)),
    )


def alt(result):
    """The front in words."""
    if not result.entries:
        return "No model is shown."
    ahead = "; ".join(
        f"{entry.name} {readout.percent(entry.accuracy)}, {_cost_words(entry, result.cost)}"
        for entry in result.front
    )
    return f"Accuracy against {label(result.cost)} of {len(result.entries)} models. Front: {ahead}."


def _cost_words(entry, cost):
    value = getattr(entry, cost)
    return readout.duration(value) if cost == "latency_ms" else f"{value:,} bytes"


def table(result):
    """The numbers in the picture, as text: the front first."""
    header = ("model", "standing", "accuracy", "95 % interval", "", "bytes", "gzipped", "latency",
              "", "recipe")  # fmt: skip
    recipes = {entry.sha256: entry.recipe for entry in result.entries}
    rows = [
        (
            row["model"],
            row["standing"],
            readout.percent(row["accuracy"]),
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %",
            row["accuracy_kind"],
            f"{row['file_bytes']:,}",
            f"{row['gzip_bytes']:,}",
            readout.duration(row["latency_ms"]) if row["latency_kind"] else "not timed",
            row["latency_kind"],
            _cut(recipe_words(recipes[row["sha256"]], brief=True), 90),
        )
        for row in fronts.rows(result.entries, result.cost)
    ]
    return readout.table(f"{len(rows)} models, those on the front first", header, rows)
