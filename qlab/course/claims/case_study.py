"""The case study of the fourth article: the numbers of its run as printed, from its record."""

import json
from functools import cache

import numpy as np

from qlab.arithmetic.results import Measurement
from qlab.tflite import artefacts

FILE = "case-study.json"
NAMED = {
    "float": "float model",
    "aware": "quantize_model, trained on",
    "longer": "trained on without",
}


@cache
def recorded():
    """What was recorded: for each part of `NAMED` a list, with one entry for each seed."""
    return json.loads(artefacts.path(FILE).read_text("utf-8"))


def about():
    """When and on what the record was made, in a sentence.

    >>> about().startswith("cached: ")
    True
    """
    made = artefacts.manifest()["files"][FILE]["made"]
    with_ = f"TensorFlow {made['versions']['tensorflow']}"
    return f"cached: run on {made['date']} with {with_}"


def answered(part, labels, file=None):
    """What a part, or a file of it, answered to the test pictures: a `Measurement` a seed.

    >>> import qlab
    >>> labels = qlab.data.load().test.labels
    >>> [round(one.accuracy) for one in answered("float", labels)][:1]
    [1]
    """
    entries = [entry if file is None else entry["files"][file] for entry in recorded()[part]]
    digits = (np.frombuffer(entry["answers"].encode(), np.uint8) - ord("0") for entry in entries)
    return [Measurement(x.astype(np.int64), labels, "cached", None, "test images") for x in digits]
