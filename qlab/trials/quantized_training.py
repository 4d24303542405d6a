"""Training on rounded weights: what shipped models gained by it, and a training to watch."""

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import qlab
from qlab.arithmetic.results import Comparison, Measurement
from qlab.engine.recipes import Recipe
from qlab.tflite import artefacts
from qlab.trials.subjects import CALIBRATION_SIZE

WIDTHS = (8, 4, 3, 2)
BASELINES = ("baseline", "baseline-seed1", "baseline-seed2")  # where each seed began
SEEDS = range(len(BASELINES))
TRAINING_IMAGES = 50_000  # of data.load().train
FILES = 3 * len(SEEDS)  # of one width


@dataclass(frozen=True, eq=False)
class Scores:
    """Three ways to one width of weights, scored: rounded at once, after more training, QAT."""

    weight_bits: int
    post_training: tuple[Measurement, ...]
    control: tuple[Measurement, ...]
    qat: tuple[Measurement, ...]
    to_control: Comparison
    to_post_training: Comparison
    repaired_control: tuple[float, ...]


class WidthScorer:
    """Scores each width when first asked, and remembers it."""

    def __init__(self, subject, progress=lambda done, total: None):
        self.subject, self.progress, self._known = subject, progress, {}

    def scores(self, weight_bits):
        """Score the nine files of one width."""
        if weight_bits not in self._known:
            self._known[weight_bits] = self._score(weight_bits)
        return self._known[weight_bits]

    def _score(self, bits):
        size = self.subject.calibration_size
        recipe = Recipe(weight_bits=bits, calibration_size=size)
        self._done = 0
        post_training = tuple(self._evaluate(_engine(x).compress(recipe)) for x in BASELINES)
        control = tuple(
            self._evaluate(_engine(f"qat-control-seed{s}").compress(recipe)) for s in SEEDS
        )
        qat = tuple(self._evaluate(qlab.pretrained(f"qat-w{bits}-seed{s}")) for s in SEEDS)
        return Scores(
            bits,
            post_training,
            control,
            qat,
            qlab.compare(control, qat, family=len(WIDTHS)),
            qlab.compare(post_training, qat, family=len(WIDTHS)),
            _repaired(bits),
        )

    def _evaluate(self, model):
        measured = self.subject.score(model)
        self._done += 1
        self.progress(self._done, FILES)
        return measured


def _repaired(bits):
    """What the manifest says of controls on least-squares grids, if QAT used such grids."""
    files = artefacts.manifest()["files"]
    if files[f"qat-w{bits}-seed0.tflite"]["recipe"].get("weight_range") != "least-squares":
        return ()
    entries = [files[f"qat-control-seed{s}.tflite"] for s in SEEDS]
    return tuple(x["post_training_least_squares"][str(bits)]["accuracy"] for x in entries)


@lru_cache(maxsize=2 * len(SEEDS))
def _engine(name):
    """The engine of one shipped float model; its calibration set is the course's."""
    images = qlab.data.calibration_images(CALIBRATION_SIZE)
    return qlab.Compressor(qlab.pretrained(name), images)


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
        if int(images) != images or not 1 <= images <= TRAINING_IMAGES:
            raise ValueError(
                f"images must be a whole number, 1 to {TRAINING_IMAGES:,}; got {images!r}"
            )
        self.weight_bits, self.epochs, self.images = weight_bits, epochs, int(images)
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
