"""What a pixel of 0 to 255 is to a model: set by the caller, or found out by scoring each way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from qlab.arithmetic.results import Comparison, Measurement, compare
from qlab.tflite.graph import DTYPES, op_name

PIXEL_SCALE = 1.0 / 255.0
USUAL = "0 to 1"  # of the course's models, and of any other until somebody says otherwise
WAYS = {"0 to 1": (PIXEL_SCALE, 0), "0 to 255": (1, 0), "-1 to 1": (2 * PIXEL_SCALE, -1)}
MEANS = np.float32([123.675, 116.28, 103.53])  # of red, green and blue in ImageNet
DEVIATIONS = np.float32([58.395, 57.12, 57.375])
FEW, MORE = 400, 2_000  # images scored each way; more if the few do not settle it
NO_PHOTOGRAPH = 16  # no pixel is as large once it is scaled or standardised
NEAR = 0.03  # of a range of codes, within which it is that of one of `WAYS`
FEWEST = 30  # images; fewer say nothing
REMEDY = (
    "Set it with model.with_pixels(...), or give float32 images that you have prepared as the "
    "model was trained"
)


def require_pixels(pixels):
    """Return one of `WAYS`, or raise in words."""
    if pixels not in WAYS:
        raise ValueError(f"pixels is {pixels!r}; choose one of {', '.join(map(repr, WAYS))}")
    return pixels


def scaled(images, pixels, out):
    """Write uint8 images as the real numbers that a model wants."""
    scale, offset = WAYS[pixels]
    np.multiply(images, np.float32(scale), out=out)
    if offset:
        out += np.float32(offset)
    return out


def range_of(images):
    """Which of `WAYS` float images look prepared for; None if for none, as standardised ones."""
    low, high = float(images.min()), float(images.max())
    if low < 0:
        return "-1 to 1" if low >= -1.001 and high <= 1.001 else None
    if high <= 1.001:
        return "0 to 1"
    return "0 to 255" if NO_PHOTOGRAPH < high < 256 else None


def mismatch(images, pixels):
    """A sentence if float images were surely not prepared for a model that wants its pixels so."""
    if images.dtype != np.float32 or pixels is None or not images.any():
        return ""
    given = range_of(images)
    if (given == "0 to 255") == (pixels == "0 to 255") or given is None:
        return ""
    return (
        f"These images are float32 from {float(images.min()):.3g} to {float(images.max()):.3g} and "
        f"are taken as they are, but this model wants its pixels as {pixels}; give uint8 pixels "
        f"from 0 to 255, which qlab scales, or scale the images to {pixels}."
    )


def code_range(tensor):
    """Lowest and highest real value of an int8 or uint8 tensor with a scale; None for others."""
    dtype, held = DTYPES.get(tensor.type, np.dtype("f4")), tensor.quantization
    if dtype.itemsize > 1 or dtype.kind not in "iu" or held is None:
        return None
    if held.scale is None or len(held.scale) != 1:
        return None
    zero = int(held.zeroPoint[0]) if held.zeroPoint is not None and len(held.zeroPoint) else 0
    limits = np.iinfo(dtype)
    return tuple(float(held.scale[0]) * (limit - zero) for limit in (limits.min, limits.max))


def coded_way(model):
    """Which of `WAYS` the codes of a model's input stand for; None if for none of them.

    They are those of the input itself, or of a QUANTIZE that alone reads it.
    """
    graph = model.parsed.subgraphs[0]
    first = int(graph.inputs[0])
    readers = [x for x in graph.operators if first in x.inputs]
    if len(readers) == 1 and op_name(model.parsed, readers[0]) == "QUANTIZE":
        first = int(readers[0].outputs[0])
    codes = code_range(graph.tensors[first])
    for way, (scale, offset) in WAYS.items() if codes else ():
        low, high = offset, 255 * scale + offset
        if max(abs(codes[0] - low), abs(codes[1] - high)) < NEAR * (high - low):
            return way
    return None


def fed(model):
    """Which of `WAYS` uint8 images are brought to: what was set, what the file says, or `USUAL`."""
    if model.takes_pixels:
        return "0 to 255"
    return model.pixels or coded_way(model) or USUAL


def otherwise(model, images):
    """Ways of preparing pictures that qlab cannot set: the name, a model and the images for it."""
    real, axes = images.astype(np.float32), tuple(range(1, images.ndim))
    spread = np.maximum(real.std(axes, keepdims=True), 1)
    yield "each picture standardised", model, (real - real.mean(axes, keepdims=True)) / spread
    yield "all pictures standardised", model, (real - real.mean()) / max(real.std(), 1)
    if images.shape[-1] == len(MEANS):
        yield "the means of ImageNet subtracted, blue first", model, (real - MEANS)[..., ::-1]
        yield "pictures standardised as in ImageNet", model, (real - MEANS) / DEVIATIONS
        yield from ((f"{x}, blue first", model.with_pixels(x), images[..., ::-1]) for x in WAYS)


def as_pixels(images):
    """Float images as the uint8 pixels from which they were made, and which of `WAYS` they are of.

    None and None if nobody can tell.
    """
    if images.dtype == np.uint8:
        return images, USUAL
    if (way := range_of(images)) is None:
        return None, None
    scale, offset = WAYS[way]
    return np.rint((images - offset) / scale).clip(0, 255).astype(np.uint8), way


@dataclass(frozen=True, eq=False)
class FoundPixels:
    """How a model wants its pixels, as far as scoring tells; printed, it is a few sentences.

    Parameters
    ----------
    pixels : str
        One of ``0 to 1``, ``0 to 255`` and ``-1 to 1``.
    sure : bool
        Whether it is better than all other ways that were tried, beyond the noise, and better than
        guessing.
    measurements : dict of str to Measurement
        What each way scored on the same images; empty if the file itself says how.
    comparisons : dict of str to Comparison
        From each other way to this one.
    guessing : float
        Accuracy of naming the commonest class each time.
    whole : int
        How many images were given; fewer are scored where these are enough to tell.
    others : dict of str to Measurement
        What other ways of preparing pictures scored, which `LiteModel.with_pixels` cannot set, such
        as subtracting the mean.
    instead : str
        The one of those that is better than `pixels`, beyond the noise; empty if none is.
    """

    pixels: str
    sure: bool
    measurements: dict[str, Measurement]
    comparisons: dict[str, Comparison]
    guessing: float = 0.0
    whole: int = 0
    others: dict[str, Measurement] = field(default_factory=dict)
    instead: str = ""

    def __str__(self):
        if not self.measurements:
            return f"This model takes the pixels themselves, {self.pixels}: the file says so."
        scores = {way: f"{100 * x.accuracy:.1f} %" for way, x in self.measurements.items()}
        best = self.measurements[self.pixels]
        low, high = (f"{100 * end:.1f}" for end in best.interval)
        few = f" of the {self.whole:,}" if self.whole > best.n else ""
        scored = f"{best.n:,}{few} {best.images_are}"
        others = " and ".join(f"{scores[x]} with {x}" for x in self.comparisons)
        right = (
            f"it classifies {scores[self.pixels]} of {scored} rightly so (95 % interval {low} to "
            f"{high} %), and {others}"
        )
        if self.instead:
            share = f"{100 * self.others[self.instead].accuracy:.1f} %"
            return (
                "This model does better with its pixels in a way that qlab does not set: with "
                f"{self.instead} it classifies {share} of {scored} rightly; with {self.pixels} "
                f"{right} (measured). Give float32 images that you have prepared as the model was "
                f"trained, because qlab brings uint8 images to {self.pixels}."
            )
        if self.sure:
            enough = f" {best.n:,} were enough to tell." if few else ""
            ways = len(scores) + len(self.others)
            return (
                f"This model wants its pixels as {self.pixels}, which is the best of {ways} ways "
                f"that qlab tried: {right} (measured).{enough}"
            )
        if not self._beats_guessing:
            every = ", ".join(f"{score} with {way}" for way, score in scores.items())
            return (
                f"qlab is not sure how this model wants its pixels, because it does not do clearly "
                f"better than guessing ({100 * self.guessing:.1f} %) in any way: of {scored} it "
                f"classifies {every} rightly (measured). It gets {self.pixels}. {REMEDY}."
            )
        alike = " or ".join(x for x, y in self.comparisons.items() if y.verdict != "better")
        return (
            f"qlab is not sure whether this model wants its pixels as {self.pixels} or {alike}, "
            f"because the difference is within the noise: with {self.pixels} {right} (measured). "
            f"It gets {self.pixels}. {REMEDY}."
        )

    @property
    def _beats_guessing(self):
        return max(x.interval[0] for x in self.measurements.values()) > self.guessing


def found(predict, model, images, labels, usual=USUAL, images_are="images"):
    """Score labelled uint8 images each way with a function like `qlab.predict`.

    The usual way is left only for one that is better beyond the noise.
    """
    if model.takes_pixels:
        return FoundPixels("0 to 255", True, {}, {})
    for count in (FEW, MORE):
        rows = np.unique(np.linspace(0, len(images) - 1, count).astype(int))
        answer = _found(predict, model, images[rows], np.asarray(labels)[rows], usual, images_are)
        if answer.sure or answer.instead or len(rows) == len(images) or not answer._beats_guessing:
            break
    return replace(answer, whole=len(images))


def _found(predict, model, images, labels, usual, images_are):
    scores = {
        way: Measurement(predict(model.with_pixels(way), images), labels, images_are=images_are)
        for way in WAYS
    }
    guessing = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    best = max(scores, key=lambda way: (scores[way].correct, way == usual))
    better = compare(scores[usual], scores[best], family=len(WAYS) - 1).verdict == "better"
    if not better or scores[best].interval[0] <= guessing:
        best = usual
    others = {
        way: compare(x, scores[best], family=len(WAYS) - 1)
        for way, x in scores.items()
        if way != best
    }
    tried = {
        name: Measurement(predict(prepared, pictures), labels, images_are=images_are)
        for name, prepared, pictures in otherwise(model, images)
    }
    top = max(tried, key=lambda name: tried[name].correct)
    better = compare(scores[best], tried[top], family=len(tried)).verdict == "better"
    instead = top if better and tried[top].interval[0] > guessing else ""
    sure = all(x.verdict == "better" for x in others.values()) and not instead
    sure = sure and scores[best].interval[0] > guessing
    return FoundPixels(best, sure, scores, others, guessing, 0, tried, instead)
