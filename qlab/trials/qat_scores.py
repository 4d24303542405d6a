"""Three ways to few bits, scored: quantize at once, train on in float first, train on rounded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import qlab
from qlab.arithmetic.results import Comparison, Measurement
from qlab.engine.recipes import Recipe
from qlab.tflite import artefacts

WIDTHS = (8, 4, 3, 2)
SEEDS = (0, 1, 2)
CALIBRATION_SIZE = 128
FILES = 1 + 2 * len(SEEDS)  # of one width


@dataclass(frozen=True, eq=False)
class Scores:
    """One width of weights, scored by LiteRT."""

    weight_bits: int
    post_training: Measurement
    control: tuple[Measurement, ...]
    qat: tuple[Measurement, ...]
    to_control: tuple[Comparison, ...]
    to_post_training: tuple[Comparison, ...]
    repaired_control: tuple[float, ...]


class Scorer:
    """Scores each width when first asked, and remembers it."""

    def __init__(self, subject, tell=lambda done, total: None):
        """Nothing is scored yet."""
        self.subject, self.tell, self._known = subject, tell, {}

    def scores(self, weight_bits):
        """Score the seven files of one width."""
        if weight_bits not in self._known:
            self._known[weight_bits] = self._score(weight_bits)
        return self._known[weight_bits]

    def _score(self, bits):
        size = min(CALIBRATION_SIZE, self.subject.compressor.calibration_images)
        recipe = Recipe(weight_bits=bits, calibration_size=size)
        self._done = 0
        post_training = self._evaluate(self.subject.compressor.compress(recipe))
        control = tuple(self._evaluate(_control(s).compress(recipe)) for s in SEEDS)
        qat = tuple(self._evaluate(qlab.pretrained(f"qat-w{bits}-seed{s}")) for s in SEEDS)
        return Scores(
            bits,
            post_training,
            control,
            qat,
            tuple(qlab.compare(a, b) for a, b in zip(control, qat, strict=True)),
            tuple(qlab.compare(post_training, b) for b in qat),
            _repaired(bits),
        )

    def _evaluate(self, model):
        measured = qlab.evaluate(model, self.subject.images, self.subject.labels)
        self._done += 1
        self.tell(self._done, FILES)
        return measured


def _repaired(bits):
    """What the manifest says of controls on least-squares grids, if QAT used such grids."""
    files = artefacts.manifest()["files"]
    if files[f"qat-w{bits}-seed0.tflite"]["recipe"].get("weight_range") != "least-squares":
        return ()
    entries = [files[f"qat-control-seed{s}.tflite"] for s in SEEDS]
    return tuple(x["post_training_least_squares"][str(bits)]["accuracy"] for x in entries)


@lru_cache(maxsize=len(SEEDS))
def _control(seed):
    """The engine of one float control; its calibration set is the course's."""
    images = qlab.data.calibration_images(CALIBRATION_SIZE)
    return qlab.Compressor(qlab.pretrained(f"qat-control-seed{seed}"), images)


def weights_in_steps(model, float_model, layer):
    """One layer's weights in steps of the grid of `model`: before, and as its codes."""
    found, graph = model.layer(layer), model.parsed.subgraphs[0]
    operator = next(x for x in graph.operators if int(x.outputs[0]) == found.output)
    scale = np.asarray(graph.tensors[int(operator.inputs[1])].quantization.scale)
    shape = [1] * found.weights.ndim
    shape[found.channel_axis] = -1
    before = float_model.layer(layer).weights / scale.reshape(shape if scale.size > 1 else ())
    return before.ravel(), found.weights.ravel().astype(int)
