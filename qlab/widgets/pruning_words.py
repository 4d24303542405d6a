"""What the pruning explorer says: the read-out, the notes, the tables. Pure functions."""

from __future__ import annotations

import numpy as np

from qlab.trials.pruned import BLOCK
from qlab.widgets.kit import readout
from qlab.widgets.kit.readout import difference_cell, mean_cell, p_words, points, verdict

BINS = 16  # rows of a histogram's table


def gains(result):
    """What the zeros buy, for `qlab.plots.sparsity.GainsPanel`."""
    file, dense = result.file, result.dense
    pairs = (
        (file.file_bytes, dense.file_bytes),
        (file.gzip_bytes, dense.gzip_bytes),
        (file.sparse_bytes, dense.file_bytes),
    )
    found = [(a / b, f"{a / 1000:,.1f} KB") for a, b in pairs]
    time = result.latency.median_ms
    return [*found, (1 / result.times_faster, readout.duration(time))]


def cells(result, here, narrow=None):
    """The cells of the read-out."""
    times = f"{result.times_faster:.2f} × the speed of unpruned,"
    made = [
        readout.accuracy(result.measurement, "Pruned at once"),
        readout.difference(result.comparison, "unpruned"),
        readout.cell("Size in bytes", "", _sizes(result.file, result.dense)),
        readout.cell(
            "Latency",
            f"{readout.duration(result.latency.median_ms)} {readout.badge('measured')}",
            times,
            f"{readout.duration(result.dense_latency.median_ms)} in the same run",
        ),
    ]
    if here is not None:
        made += [
            mean_cell(f"Trained, {100 * here.absent:.0f} % pruned", here.measurements),
            mean_cell("Control, not pruned", here.controls),
            difference_cell("Trained to its control", here.comparisons),
        ]
    return made + [mean_cell("Narrow from the start", x.measurements) for x in _scratch(narrow)]


def _scratch(narrow):
    return narrow.scratch if narrow is not None else ()


def notes(result, here, tuned, narrow, method, pruner):
    """What the picture cannot say."""
    said = [_of_bytes(result), _of_time(result, method)]
    layers = pruner.pruned_layers(method)
    left = [name for name in pruner.weights if name not in layers]
    if left:
        why = {
            "2of4": "their input channels do not come in fours",
            "block": f"blocks of {BLOCK[0]} × {BLOCK[1]} are taken from dense layers",
            "filters": "the last layer's outputs are the classes",
        }[method]
        said.append(f"Left whole: {', '.join(left)}, because {why}.")
    if method == "2of4":
        said.append("2 of each 4 is half, so sparsity has nothing to choose.")
    if method == "filters":
        said.append(
            "Sparsity is the share of filters to remove here: with them "
            f"{100 * result.absent:.1f} % of all weights are gone."
        )
    if tuned and here is None:
        known = ", ".join(f"{100 * x.absent:.0f}" for x in tuned)
        said.append(f"Trained models of this method are {known} % sparse.")
    if here is not None and method == "single":
        one = here.settings.get("scope") == "global"
        how = "one threshold for all layers" if one else "the same share of each layer"
        said.append(f"The trained models were pruned with {how}.")
    if narrow is not None:
        said.append(_of_narrow(here, narrow))
    return said


def _of_narrow(here, narrow):
    """How the trained network without filters differs from the live one."""
    shares = here.settings["fraction"]
    lost = ", ".join(f"{100 * x:g} % of {name}" for name, x in shares.items() if x)
    return (
        f"The trained network lost other filters ({lost}): {narrow.file_bytes:,} bytes, and "
        f"{narrow.times_faster:.2f} times the speed. The same narrow network, trained from "
        "random weights, stands beside it: removing filters is worth what it adds to that."
    )


def _of_bytes(result):
    """Whether the file shrank, and what had to happen for that."""
    file, dense = result.file, result.dense
    if file.file_bytes < 0.97 * dense.file_bytes:
        return (
            f"What was pruned is gone from the file: {file.file_bytes:,} of "
            f"{dense.file_bytes:,} bytes are left, with no encoding."
        )
    left_out = (
        f" or left out ({file.sparse_bytes:,}, a file that LiteRT runs; it puts them back when it "
        "loads it)."
        if file.sparse_bytes < file.file_bytes
        else "; to leave them out saves nothing: there are too few, and where the others stand "
        "takes bytes too."
    )
    return (
        f"The file has {file.file_bytes:,} bytes, as before: a zero takes as many as any other "
        f"weight. It shrinks when the zeros are compressed (gzip: {file.gzip_bytes:,}){left_out}"
    )


def _of_time(result, method):
    """Whether it is faster, and why."""
    why = "The kernels multiply with the zeros too"
    if method == "filters":
        why = "Fewer filters are fewer multiplications"
    if method == "2of4":
        why += "; some GPUs have units that skip 2 of each 4, this processor has none"
    return f"{why}: it runs at {result.times_faster:.2f} times the speed of the unpruned file."


def alt(result, here, layer):
    """The picture in words."""
    file, dense = result.file, result.dense
    words = (
        f"{100 * result.absent:.1f} % of all weights are pruned, "
        f"{100 * (1 - file.masks[layer].mean()):.1f} % of {layer}. Pruned at once: "
        f"{readout.percent(result.measurement.accuracy)}; unpruned: "
        f"{result.comparison.difference * -100:+.2f} points. "
    ).replace("-", "−")
    if here is not None:
        mean = np.mean([m.accuracy for m in here.measurements])
        words += f"Trained: {readout.percent(mean)}; to its control: {verdict(here.comparisons)}. "
    return words + (
        f"File {file.file_bytes:,} of {dense.file_bytes:,} bytes, gzipped {file.gzip_bytes:,} of "
        f"{dense.gzip_bytes:,}, zeros left out {file.sparse_bytes:,}; "
        f"{result.times_faster:.2f} times the speed."
    )


def _sizes(file, dense):
    """The three sizes of both files."""
    rows = (("file", "file_bytes"), ("gzipped", "gzip_bytes"), ("zeros left out", "sparse_bytes"))
    counts = [(name, *(f"{getattr(x, size):,}" for x in (file, dense))) for name, size in rows]
    return readout.small_table(("", "this", "unpruned"), counts)


def tables(result, tuned, once, layer, weights, mask):
    """The numbers in the picture, as text."""
    points_ = [(f"{100 * x:.1f} %", readout.percent(y)) for x, y in sorted(once.items())]
    made = readout.table("Pruned at once", ("zero or gone", "accuracy"), points_)
    if tuned:
        header = ("model", "seed", "zero or gone", "bytes, gzipped", "accuracy", "control",
                  "to its control")  # fmt: skip
        rows = [row for family in tuned for row in _rows(family)]
        made += readout.table("Trained with pruning", header, rows)
    return made + _histogram(layer, weights, mask) + _bought(result)


def _rows(family):
    for i, seed in enumerate(family.seeds):
        comparison = family.comparisons[i]
        yield (
            family.name,
            seed,
            f"{100 * family.absent:.1f} %",
            f"{family.gzip_bytes[i]:,}",
            readout.percent(family.measurements[i].accuracy),
            readout.percent(family.controls[i].accuracy),
            f"{points(comparison)}, p {p_words(comparison)}",
        )


def _histogram(layer, weights, mask):
    half = float(np.abs(weights).max())
    before, edges = np.histogram(weights, BINS, (-half, half))
    after = np.histogram(weights[mask], edges)[0]
    rows = [
        (f"{low:.3f}", f"{high:.3f}", f"{a:,}", f"{b:,}")
        for low, high, a, b in zip(edges[:-1], edges[1:], before, after, strict=True)
    ]
    return readout.table(f"Weights of {layer}", ("from", "to", "before", "left"), rows)


def _bought(result):
    file, dense = result.file, result.dense
    rows = [
        (name, f"{getattr(file, size):,}", f"{getattr(dense, size):,}")
        for name, size in (
            ("file, bytes", "file_bytes"),
            ("gzipped, bytes", "gzip_bytes"),
            ("zeros left out, bytes", "sparse_bytes"),
        )
    ]
    times = [readout.duration(x.median_ms) for x in (result.latency, result.dense_latency)]
    return readout.table("What it buys", ("", "this", "unpruned"), [*rows, ("an image", *times)])
