"""A file taken apart, and why it is not as small as its bits promise. No widget, no drawing."""

from __future__ import annotations

from dataclasses import dataclass

from qlab.engine.recipes import Recipe
from qlab.tflite.anatomy import anatomy, compressed_anatomy
from qlab.tflite.litemodel import LiteModel


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A file taken apart."""

    recipe: Recipe | None
    model: LiteModel
    parts: dict
    compressed: dict

    @property
    def rest(self):
        """int: bytes that are not weights."""
        return self.model.file_bytes - self.parts["weights"]


def take_apart(model, recipe=None):
    """Account for each byte of a file."""
    return Anatomy(recipe, model, anatomy(model.data), compressed_anatomy(model.data))


def explain(result, base):
    """Why the file is not as small as its bits promise, computed from its bytes."""
    bits, kept = result.recipe.weight_bits, result.parts["weights"] / base.parts["weights"]
    share = result.model.file_bytes / base.model.file_bytes
    if bits == 32:
        return (f"The weights stay float32. {_of_the_rest(result, base)}", _of_gzip(result, base))
    promise = f"{bits} of 32 bits promise {percent(bits / 32)} of the file, and it has "
    promise += f"{percent(share)}."
    return (
        promise,
        _of_weights(result, bits, kept),
        _of_the_rest(result, base),
        _of_gzip(result, base),
    )


def _of_weights(result, bits, kept):
    """What happened to the weights themselves."""
    size = f"{percent(kept)} ({result.parts['weights']:,} bytes)"
    if abs(kept - bits / 32) < 0.0005:
        return f"The weights alone keep the promise: {size}."
    if kept > 0.2:
        stuck = f"int8 stores a {bits}-bit code in a whole byte, so the weights stop at {size}"
        return (
            f"{stuck}; codes of 4 bits or fewer can be packed two to a byte."
            if bits <= 4
            else f"{stuck}."
        )
    return f"Packed INT4 gives each {bits}-bit code 4 bits, so the weights stop at {size}."


def _of_the_rest(result, base):
    """What else is in the file, and whether it grew."""
    parts, before = result.parts, base.parts
    joints = parts["names"] + parts["graph"]
    grown = joints - before["names"] - before["graph"]
    why = "more than before, for the extra steps" if grown > 500 else "much as before"
    return (
        f"Everything else {_change(base.rest, result.rest)}: {parts['scales']:,} for scales and "
        f"zero points ({before['scales']:,} in float32), {parts['biases']:,} for biases, still 32 "
        f"bits each, and {joints:,} for names and graph, {why}."
    )


def _of_gzip(result, base):
    """What gzip finds in the weights."""
    now = result.compressed["weights"] / result.parts["weights"]
    before = base.compressed["weights"] / base.parts["weights"]
    found = "they look like noise to it" if now > 0.9 else "frequent codes get fewer bits"
    left = f"{percent(before)} of the float32 weights, and {percent(now)} of these"
    return f"Gzip leaves {left}: {found}."


def _change(before, after):
    """Say that a number of bytes grew, shrank, or stayed."""
    if before == after:
        return f"stays at {after:,} bytes"
    return f"{'grows' if after > before else 'shrinks'} from {before:,} to {after:,} bytes"


def percent(fraction):
    """A share of bytes as a percentage: one decimal, and none where it is zero."""
    return f"{100 * fraction:.1f}".removesuffix(".0") + " %"
