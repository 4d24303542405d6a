"""Each family of trained models: mean accuracy over seeds, with its interval, on both splits."""

import re

import numpy as np

from qlab.arithmetic.metrics import crossed_interval, wilson_interval
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate

SPLITS = ("validation", "test")


def families(names):
    """File names of models by family: what is left of a name without its seed."""
    found = {}
    for name in sorted(names):
        if name.endswith(".tflite"):
            family = re.sub(r"-seed\d+$", "", name.removesuffix(".tflite"))
            found.setdefault(family, []).append(name)
    return found


def lines(files, pair):
    """Lines of a Markdown table, for files by name; `pair(split)` gives images and labels."""
    yield "| family | seeds | bytes | validation, % | test, % |"
    yield "|---|---|---|---|---|"
    for family, names in families(files).items():
        models = [LiteModel(files[name].read_bytes()) for name in names]
        cells = [_accuracy([evaluate(x, *pair(split)).hits for x in models]) for split in SPLITS]
        size = f"{np.mean([x.file_bytes for x in models]):,.0f}"
        yield f"| {' | '.join([family, str(len(models)), size, *cells])} |"


def _accuracy(hits):
    """Mean of several seeds, its 95 % interval over seeds and images, and lowest and highest."""
    hits, scores = np.array(hits, float), [100 * x.mean() for x in hits]
    if len(hits) == 1:
        low, high = wilson_interval(int(hits.sum()), hits.size)
        return f"{scores[0]:.2f} ({100 * low:.2f} to {100 * high:.2f})"
    low, high = ((x + 1) / 2 for x in crossed_interval(2 * hits - 1))  # a hit and a miss more
    ends = f"{min(scores):.2f} to {max(scores):.2f}"
    return f"{100 * hits.mean():.2f} ({100 * low:.2f} to {100 * high:.2f}; seeds {ends})"
