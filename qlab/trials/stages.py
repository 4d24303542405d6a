"""What each step of a chain left in its file: zeros, different weights, bytes, accuracy."""

from qlab.tflite.artefacts import pretrained
from qlab.tflite.runtime import evaluate
from qlab.trials.subjects import Trial

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


def contents(model):
    """What the bytes of a file hold: zeros and different weights of each layer."""
    file = Trial(None, model, None)
    return {"zeros": file.zeros, "different": file.different}


def stage(name, model, images, labels):
    """Score one step's file."""
    return Trial(None, model, evaluate(model, images, labels), name=name)


def chain_stages(images, labels, chain="kept"):
    """The steps of a shipped chain as `Trial`s, scored here and now.

    The chain is ``kept``, whose steps keep what earlier steps made, or ``naive``.

    >>> import qlab
    >>> test = qlab.data.load().test
    >>> kept = chain_stages(test.images[:500], test.labels[:500])
    >>> kept[0].model.gzip_bytes > 14 * kept[3].model.gzip_bytes
    True
    """
    if chain not in STEPS:
        raise ValueError(f"chain is {chain!r}; choose one of {', '.join(STEPS)}")
    return [
        stage(name, pretrained(f"chain-{file}-seed0"), images, labels)
        for name, file in STEPS[chain].items()
    ]
