"""Notebook "Your own model": other data, another network, and what to ask of them first."""

from qlab.arithmetic.results import compare
from qlab.tflite.artefacts import path


def friends_file():
    """The second file of the notebook, under a name that gives nothing away."""
    return path("digits-raw.tflite")


def _share_in_float(model):
    """Share of a float file's bytes of weights that no convolution or dense layer holds."""
    whole = model.anatomy()["weights"]
    return 1 - sum(x.weights.nbytes for x in model.layers if x.weights is not None) / whole


def _where(chosen, tested):
    """Where a validation accuracy lies, seen from the interval of the test accuracy."""
    low, high = tested.interval
    return "above" if chosen.accuracy > high else "below" if chosen.accuracy < low else "inside"


TRUTHS = {
    "one_point": lambda data: len(data.validation) / 100,
    "floats": _share_in_float,
    "won_back": lambda lost: 1 - lost["gptq"] / lost["nearest"],
    "converter": lambda converted, eight: compare(converted, eight).verdict,
    "tested": _where,
}
