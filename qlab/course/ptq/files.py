"""Bytes, and what a file says and does not say."""

import numpy as np

import qlab
from qlab.arithmetic.affine import affine_params
from qlab.engine.recipes import Recipe
from qlab.lessons.judges import for_function, like
from qlab.trials import subjects


def packed_bytes(count, bits):
    """Bytes of `count` weights of `bits` bits each, packed without gaps."""
    return -(-count * bits // 8)


judge_packed_bytes = for_function(
    packed_bytes,
    [(8, 4), (75_609, 4), (3, 3), (1, 2), (10, 8)],
    mistakes={
        "bits": like(lambda count, bits: count * bits),
        "rounded_down": like(
            lambda count, bits: count * bits // 8, lambda count, bits: count * (bits // 8)
        ),
        "fraction": like(lambda count, bits: count * bits / 8),
        "byte_each": like(lambda count, bits: count),
    },
)


def _bytes_of_three_bits(compressor):
    three, four = (compressor.compress(Recipe(weight_bits=bits)) for bits in (3, 4))
    return three.file_bytes / four.file_bytes


def _unscaled(model, calibration, scores):
    """What comes of calibration pixels from 0 to 255: "error", "larger", "silent" or "fine"."""
    images, recipe = calibration[:32], Recipe(calibration_size=32)
    good = qlab.Compressor(model, images).compress(recipe)
    try:
        file = qlab.Compressor(model, images.astype(np.float32)).compress(recipe)
    except ValueError:
        return "error"
    if file.file_bytes > 1.01 * good.file_bytes:
        return "larger"
    accuracy = subjects.scored(file, subjects.course_images()).accuracy
    return "silent" if accuracy < scores["int8"].accuracy - 0.1 else "fine"


def _rest(after):
    """The share of a file's bytes that are no weights; `after` has the bytes of its parts."""
    return 1 - after["weights"] / sum(after.values())


TRUTHS = {
    "step": lambda: float(affine_params(0, 6, 4).scale),
    "bytes": _bytes_of_three_bits,
    "rest": _rest,
    "unscaled": _unscaled,
    "changed": lambda scores: int(
        (scores["float32"].predictions != scores["int8"].predictions).sum()
    ),
}
