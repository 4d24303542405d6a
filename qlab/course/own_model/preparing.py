"""A file that wants its pixels in another way: find out which by scoring."""

from functools import cache

import numpy as np

from qlab.data import digits
from qlab.lessons.judges import for_function
from qlab.tflite.artefacts import path
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.pixels import WAYS, FoundPixels
from qlab.tflite.runtime import predict


def as_it_wants(model, images, labels):
    """Return the model, told to take its pixels in the way that gets most images right."""
    right = {}
    for way in ("0 to 1", "0 to 255", "-1 to 1"):
        answers = predict(model.with_pixels(way), images)
        right[way] = (answers == labels).sum()
    best = max(right, key=right.get)
    return model.with_pixels(best)


def _said(got):
    """What was returned, in words, if it is a model."""
    if not isinstance(got, LiteModel):
        return got
    return f"a model that takes pixels as {got.pixels}" if got.pixels else "a model as it came"


def _greyed(images):
    """The same pictures with black as a middle grey: their -1 to 1 is what was 0 to 1."""
    return (127.5 + images / 2).round().astype(np.uint8)


def _takes(way):
    return lambda args, got: got == f"a model that takes pixels as {way}"


def _worst(args, got):
    model, images, labels = args
    right = {way: (predict(model.with_pixels(way), images) == labels).sum() for way in WAYS}
    return any(_takes(way)(args, got) and n == min(right.values()) for way, n in right.items())


def _is_greyed(args):
    return args[1].min() > 0


def _is_text(value):
    return isinstance(value, str) and value in WAYS


@cache
def _judge():
    """The judge: each way is right once, and of one file another way is right for half, too."""
    data = digits.load()
    raw, usual = (LiteModel(path(f"{x}.tflite").read_bytes()) for x in ("digits-raw", "digits"))
    split, other = data.validation, data.train
    return for_function(
        as_it_wants,
        [
            (raw, split.images, split.labels),
            (usual, split.images, split.labels),
            (usual, _greyed(other.images), other.labels),
        ],
        read=_said,
        same=lambda args, expected, got: got == expected,
        mistakes={
            "as_it_came": lambda args, got: got == "a model as it came",
            "way_alone": lambda args, got: _is_text(got),
            "table": lambda args, got: isinstance(got, dict),
            "found": lambda args, got: isinstance(got, FoundPixels),
            "always_raw": _takes("0 to 255"),
            "worst": _worst,
            "other_pictures": lambda args, got: _is_greyed(args) and _takes("0 to 1")(args, got),
            "always_usual": _takes("0 to 1"),
        },
    )


def judge_as_it_wants(answer):
    """Run the learner's function on two files, and on two kinds of pictures."""
    return _judge()(answer)
