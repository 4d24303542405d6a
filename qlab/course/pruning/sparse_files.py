"""Zeros that end in a file: stripped, and left out."""

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.lessons.exercises import Finding
from qlab.tflite.litemodel import LiteModel


def export(wrapped):
    """Turn a model that was trained with pruning wrappers into a file: strip it, then convert."""
    from qlab import train

    return LiteModel(train.convert(train.strip_pruning(wrapped)))


def judge_export(file):
    """Look into the file: no wrappers, and the zeros are there."""
    if isinstance(file, bytes | bytearray):
        file = LiteModel(bytes(file))
    if not isinstance(file, LiteModel):
        problem = f"This check needs a file as qlab.LiteModel, and got {type(file).__name__}."
        return Finding(problem, "bytes")
    try:
        wrapped = len(file.parsed.subgraphs) > 1
        share = 0.0 if wrapped else _share_of_zeros(file)
    except (LookupError, ValueError, TypeError, AttributeError):
        said = "This file cannot be read: it is not a .tflite file, or it is damaged."
        return Finding(said, plain=True)
    if wrapped:
        problem = f"The file has {file.file_bytes:,} bytes, and holds more than its weights."
        return Finding(problem, "wrapped")
    if share >= 0.75:
        return Finding(note=f"{file.file_bytes:,} bytes; {share:.0%} of the weights are zero.")
    few = "never_pruned" if share < 0.01 else "filled"
    return Finding(f"Only {share:.0%} of its weights are zero.", few)


def _share_of_zeros(file):
    weights = [x.weights.ravel() for x in file.layers if x.weights is not None]
    return sparsity(np.concatenate(weights))


TRUTHS = {
    "encoded": lambda small, sparse: small.file_bytes / sparse.file_bytes,
    "together": lambda whole, tiny: whole.gzip_bytes / tiny.gzip_bytes,
    "eighty": lambda mean: mean["control"] - mean[80],
    "work": lambda work: work["dense1"] / sum(work.values()),
    "longer": lambda at_90: at_90["control"] - at_90["baseline"],
}
