"""Training on rounded weights: what shipped models gained by it, and a training to watch."""

import time
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

import numpy as np

import qlab
from qlab.arithmetic.results import Measurement
from qlab.data.doors import require_whole
from qlab.engine.recipes import ROUNDING_CHOICES, Recipe
from qlab.trials.subjects import CALIBRATION_SIZE

WIDTHS = (8, 4, 3, 2)
SEEDS = range(3)  # each began at a baseline of its own
TRAINING_IMAGES = 50_000  # of data.load().train
FILES = 4 * len(SEEDS)  # of one width


@dataclass(frozen=True, eq=False)
class Scores:
    """Files of one width, a seed each: the float control rounded in three ways, and QAT.

    The control had all that QAT had, except the rounding. What QAT gains is counted from the `best`
    of the three ways, which needs less: no training.
    """

    weight_bits: int
    control: dict[str, tuple[Measurement, ...]]  # by the ways of ROUNDING_CHOICES
    qat: tuple[Measurement, ...]

    @cached_property
    def best(self):
        """str: the way to round the control after which it is most accurate, over all seeds."""
        return max(self.control, key=lambda way: sum(x.correct for x in self.control[way]))

    @cached_property
    def gain(self):
        """Comparison: from the best way to round the control to QAT."""
        return self._from(self.best)

    @cached_property
    def to_nearest(self):
        """Comparison: from the control rounded to the nearest code to QAT."""
        return self._from("nearest")

    def _from(self, way):
        return qlab.compare(self.control[way], self.qat, family=len(WIDTHS))


def scoring(subject, progress, weight_bits, hurry=False):
    """Score the files of one width, one a step; `progress` hears how many of how many are done."""
    plain = Recipe(weight_bits=weight_bits, calibration_size=subject.calibration_size)
    recipes = (plain.replace(**settings) for _, settings in ROUNDING_CHOICES.values())
    rounded = (_control(seed).compress(recipe) for recipe in recipes for seed in SEEDS)
    trained = (qlab.pretrained(f"qat-w{weight_bits}-seed{seed}") for seed in SEEDS)
    found = []
    for model in chain(rounded, trained):
        found.append(subject.score(model))
        progress(len(found), FILES)
        yield None
    *control, qat = (tuple(found[i : i + len(SEEDS)]) for i in range(0, FILES, len(SEEDS)))
    return Scores(weight_bits, dict(zip(ROUNDING_CHOICES, control, strict=True)), qat)


@lru_cache(maxsize=len(SEEDS))
def _control(seed):
    """The engine of QAT's float control; its calibration set is the course's."""
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


class Live:
    """One live training, from its first frame on."""

    def __init__(self, weight_bits, epochs, images):
        if not 0 < epochs <= 100:
            raise ValueError(f"epochs must be above 0 and at most 100; got {epochs!r}")
        images = require_whole("images", images, 1, TRAINING_IMAGES)
        self.weight_bits, self.epochs, self.images = weight_bits, epochs, images
        self.frames = []

    @property
    def best(self):
        """Frame or None: the one of highest accuracy in LiteRT, the earliest of equals."""
        return max(self.frames, key=lambda x: x.measurement.accuracy, default=None)

    @property
    def model(self):
        """LiteModel or None: the best so far, packed where its weights fit."""
        best = self.best
        return None if best is None else best.model

    @property
    def measurement(self):
        """Measurement or None: that of the best so far."""
        best = self.best
        return None if best is None else best.measurement

    def steps(self, score):
        """Train for real, a few batches a step; `score` measures a file."""
        yield 0, 1, f"{self.weight_bits} bits, TensorFlow starts, about 15 s", False
        from qlab.train.live_training import live_quantization_aware

        train = qlab.data.load().train
        images, labels = train.images[: self.images], train.labels[: self.images]
        started = None
        for done, total, frame in live_quantization_aware(
            self.weight_bits, images, labels, score, self.epochs
        ):
            if frame is not None:
                self.frames.append(frame)
            started = started or time.monotonic()
            left = (time.monotonic() - started) * (total - done) / done if done else None
            yield done, total, self._words(left), frame is not None

    def _words(self, left):
        """How long it takes, once some batches are done."""
        time_left = "" if left is None else f", about {max(1, round(left))} s left"
        return f"{self.weight_bits} bits{time_left}; batches"
