"""What the clustering explorer says: the read-out, the notes, the tables. Pure functions."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.clusters import bits_per_weight
from qlab.widgets.kit import readout
from qlab.widgets.kit.readout import difference_cell, mean_cell, p_words, points, verdict


def cells(result, here):
    """The cells of the read-out."""
    clusters, rounded = result.clusters, result.rounded
    bits = rounded.recipe.weight_bits
    made = [
        readout.accuracy(clusters.measurement, f"{clusters.recipe.clusters} clusters, at once"),
        readout.difference(clusters.comparison),
        readout.accuracy(rounded.measurement, f"Rounded to {bits} bits"),
        readout.difference(result.to_rounded, f"rounding to {bits} bits"),
    ]
    rows = [
        (name, *(f"{count(x):,}" for x in (clusters, rounded)))
        for name, count in (
            ("file", lambda way: way.model.file_bytes),
            ("gzipped", lambda way: way.model.gzip_bytes),
            ("packed floor", floor_bytes),
        )
    ]
    sizes = readout.small_table(("", "clusters", "rounded"), rows)
    made.append(readout.cell("Size in bytes", "", sizes))
    if here is not None:
        made += [
            mean_cell("Clusters, trained", here.measurements),
            mean_cell("Control, not clustered", here.controls),
            difference_cell("Trained to its control", here.comparisons),
        ]
    return made


def floor_bytes(way):
    """Bytes that the weights need, and nothing else."""
    k = way.recipe.clusters
    if not k:
        return way.sizes.packed_floor_bytes
    weights = [x.weights.size for x in way.compressor.layers if x.weights is not None]
    tables = sum(4 * min(k, n) for n in weights)
    return -(-sum(weights) * bits_per_weight(k) // 8) + tables


def notes(result, granularity):
    """What the picture cannot say."""
    clusters, rounded = result.clusters, result.rounded
    k = clusters.recipe.clusters
    said = [
        "Only weights are compressed here; activations stay float32. The clustered file holds its "
        f"{k} values as float32, 4 bytes a weight, so it is as large as before. Gzip finds the "
        f"repetitions. An index of {bits_per_weight(k)} bits into a table of its layer would do: "
        "that is the packed floor.",
    ]
    smaller = clusters.model.gzip_bytes < rounded.model.gzip_bytes
    said.append(
        f"Gzipped, the clustered file is {'smaller' if smaller else 'larger'} than the rounded one "
        f"({clusters.model.gzip_bytes:,} and {rounded.model.gzip_bytes:,} bytes)"
        + (
            "."
            if smaller
            else ": rounding puts most weights on the few codes near 0, which gzip writes short, "
            "and clusters share them out more evenly."
        )
    )
    if granularity == "per-channel":
        said.append(
            "Per channel, rounding has so many values for each output channel, not for the layer."
        )
    return said


def alt(result, here, layer, counts):
    """The picture in words."""
    clusters, rounded = result.clusters, result.rounded
    words = (
        f"Weights of {layer} share {counts[0]} values in clusters and {counts[1]} by rounding. "
        f"{clusters.recipe.clusters} clusters: {readout.percent(clusters.measurement.accuracy)} at "
        f"{clusters.model.gzip_bytes:,} bytes gzipped. Rounded to {rounded.recipe.weight_bits} "
        f"bits: {readout.percent(rounded.measurement.accuracy)} at "
        f"{rounded.model.gzip_bytes:,} bytes gzipped."
    )
    if here is not None:
        mean = readout.percent(np.mean([m.accuracy for m in here.measurements]))
        words += f" Clusters, trained: {mean}; to its control: {verdict(here.comparisons)}."
    return words


def tables(tried, tuned, layer, values):
    """The numbers in the picture, as text."""
    names = {"clusters": "clusters"}
    rows = [
        (names.get(name, f"rounded, {name}"), k, f"{size:,}", readout.percent(accuracy))
        for name, curve in tried.items()
        for k, (size, accuracy) in sorted(curve.items())
    ]
    made = readout.table("Tried", ("way", "values", "bytes, gzipped", "accuracy"), rows)
    if tuned:
        header = ("model", "seed", "bytes, gzipped", "accuracy", "control", "to its control")
        rows = [row for family in tuned for row in _rows(family)]
        made += readout.table("Trained with clusters", header, rows)
    few = [v[np.linspace(0, len(v) - 1, min(len(v), 16)).astype(int)] for v in values]
    for name, all_, chosen in zip(("Clusters", "Rounded values"), values, few, strict=True):
        part = "" if len(all_) == len(chosen) else f", {len(chosen)} of {len(all_)}"
        rows = [(f"{x:.4f}",) for x in chosen]
        made += readout.table(f"{name} of {layer}{part}", ("value",), rows)
    return made


def _rows(family):
    for i, seed in enumerate(family.seeds):
        yield (
            family.name,
            seed,
            f"{family.gzip_bytes[i]:,}",
            readout.percent(family.measurements[i].accuracy),
            readout.percent(family.controls[i].accuracy),
            f"{points(family.comparisons[i])}, p {p_words(family.comparisons[i])}",
        )
