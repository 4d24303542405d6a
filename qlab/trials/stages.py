"""What each step of a chain left in its file: zeros, different weights, bytes, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.arithmetic.results import Measurement
from qlab.tflite.artefacts import pretrained
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate

STEPS = {  # of the shipped chains: what a step is called, and its file
    "kept": {
        "float, trained as long": "control",
        "pruned": "pruned",
        "clustered, zeros kept": "clustered",
        "int8, both kept": "int8",
        "packed int4, zeros kept": "int4",
    },
    "naive": {
        "float, trained as long": "control",
        "pruned": "pruned",
        "clustered, plainly": "naive-clustered",
        "int8, plainly": "naive-int8",
    },
}


@dataclass(frozen=True, eq=False)
class Stage:
    """One step's file, scored."""

    name: str
    model: LiteModel
    measurement: Measurement
    zeros: dict[str, float]
    different: dict[str, int]


def facts(model):
    """What the bytes of a file hold."""
    stored = {x.name: x.weights for x in model.layers if x.weights is not None}
    return {
        "gzip_bytes": model.gzip_bytes,
        "zeros": {name: round(sparsity(values), 4) for name, values in stored.items()},
        "different": {name: int(np.unique(values).size) for name, values in stored.items()},
    }


def stage(name, model, images, labels):
    """Look into one step's file, and score it."""
    held = facts(model)
    score = evaluate(model, images, labels)
    return Stage(name, model, score, held["zeros"], held["different"])


def stages(images, labels, chain="kept"):
    """The shipped chain, step by step, scored here and now.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of int, shape (n,)
    chain : str
        ``kept``, whose steps keep what those before made, or ``naive``.

    Returns
    -------
    list of Stage

    Raises
    ------
    ValueError
        If there is no such chain.
    qlab.artefacts.ArtefactError
        If a file does not ship.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> kept = stages(test.images[:500], test.labels[:500])
    >>> kept[0].model.gzip_bytes > 14 * kept[3].model.gzip_bytes
    True
    """
    if chain not in STEPS:
        raise ValueError(f"chain is {chain!r}; choose one of {', '.join(STEPS)}")
    return [
        stage(name, pretrained(f"chain-{file}-seed0"), images, labels)
        for name, file in STEPS[chain].items()
    ]
