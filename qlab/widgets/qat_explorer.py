"""What does training on rounded numbers gain? The explorer of quantization-aware training."""

from functools import partial

import numpy as np
import traitlets

import qlab
from qlab.arithmetic.results import in_points
from qlab.engine.recipes import ROUNDING_CHOICES
from qlab.plots.training_panels import LearningPanel, StepsPanel, WaysPanel, shares
from qlab.trials.quantized_training import SEEDS, WIDTHS, Live, scoring, weights_in_steps
from qlab.trials.subjects import Remembering, require_course
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown, ThreadedExplorer
from qlab.widgets.kit.job import ThreadedJob
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import layer_name, steps

NAMES = {way: way.replace("gptq", "GPTQ") for way in ROUNDING_CHOICES}
EPOCHS, IMAGES = 2, 20_000  # of a live training: about half a minute
INSTEAD = (
    "Train your own model, and compare it with its float control: aware = "
    "train.quantization_aware(model, 4, dataset=dataset), then train.fit(aware, dataset=dataset) "
    "and train.fit(model, dataset=dataset), and score train.convert_quantized(aware)."
)


class QatExplorer(ThreadedExplorer, ModelExplorer):
    """QAT, and its float control rounded in three ways, side by side; and live training.

    The shipped files are scored by LiteRT, here and now, and remembered for each width. The button
    trains a model for real, in a thread, so that other cells run meanwhile.

    Parameters
    ----------
    images, labels, calibration_images, dataset
        As in `ModelExplorer`, of Fashion-MNIST, which the shipped files learned. These are rounded
        with the course's 128 calibration images.
    **settings
        ``weight_bits`` (8, 4, 3 or 2) and ``layer``, whose weights are shown.

    Attributes
    ----------
    result : qlab.trials.quantized_training.Scores
    live : qlab.trials.quantized_training.Live or None
        The latest live training: ``frames``, and the best so far as ``model`` with its
        ``measurement``.

    Raises
    ------
    ValueError
        As `ModelExplorer`; and if a shipped file is missing or altered, or the data set is another.

    Examples
    --------
    >>> few = qlab.data.load().validation
    >>> explorer = QatExplorer(images=few.images[:100], labels=few.labels[:100],
    ...                        calibration_images=few.images[100:228], weight_bits=8)
    >>> explorer.weight_bits = 2
    >>> explorer.result.to_nearest.verdict, explorer.result.best
    ('better', 'gptq')
    """

    offered = ("baseline",)  # the one that QAT was tried on
    question = "What does training on rounded weights gain, and at how many bits?"
    weight_bits = steps("Weight bits", WIDTHS[::-1], 4)
    layer = layer_name()
    live = traitlets.Any(None, allow_none=True)

    def __init__(self, images=None, labels=None, calibration_images=None, dataset=None, **settings):
        require_course(dataset, INSTEAD)
        super().__init__(None, images, labels, calibration_images, **settings)

    def build(self):
        self._scores = Remembering(partial(scoring, self.subject, self._progress))
        self.job = ThreadedJob(
            "Start live training", self._job_steps, self.guard, "the best so far"
        )
        self.download = self.offer("Download the best so far", self.tflite, self._live_recipe)
        return self._picture(), [self.job, self.download]

    def trying(self, hurry):
        """Score the files of these bits, unless that is done."""
        return self._scores.trying(self.weight_bits, hurry=hurry)

    def sketch(self):
        return f"{self._show_weights(self._live_here())[-1]} Accuracy: being measured.", [0]

    def show(self, result):
        live = self._live_here()
        self._ways.show((*result.control.values(), result.qat))
        before, after, words = self._show_weights(live)
        alt = f"{_alt(result)} {words} {self._show_live(live)}"
        made = partial(tables, result, live, self.layer, before, after)
        return Shown(alt, _cells(result, live), _notes(result, live), made)

    def train(self, epochs=EPOCHS, images=IMAGES, stop=None):
        """Train at the present bits as the button does, but here, until it is done.

        Parameters
        ----------
        epochs : float
            Such as 0.25.
        images : int
            Training images an epoch, 1 to 50,000.
        stop : callable or None
            Asked before each few batches; training ends when it says True.

        Returns
        -------
        qlab.trials.quantized_training.Live
            Its ``model`` is the best so far: at least the model before any training.

        Raises
        ------
        TypeError, ValueError, OSError, ImportError
            If it cannot be trained.
        """
        self.job.cancel(" by another training")
        with self.job.lock:
            for *_, new in self._steps(epochs, images):
                if stop is not None and stop() and (new or self.live.frames):
                    break
        return self.live

    def tflite(self):
        """The best so far of the live training: name, content, and words."""
        if self.live is None or self.live.model is None:
            raise ValueError("Nothing is trained yet: press 'Start live training' first.")
        return self.scored(f"qlab-qat-w{self.live.weight_bits}.tflite", self.live.model)

    def _live_recipe(self):
        known = {name: getattr(self.live, name) for name in ("weight_bits", "epochs", "images")}
        return {"trained_from": "baseline.keras", "step": "quantization-aware training", **known}

    def _job_steps(self):
        """Steps of the button's job: how far it is, and how long the rest takes."""
        for done, total, words, _ in self._steps(EPOCHS, IMAGES):
            yield done, total, words

    def _steps(self, epochs, images):
        self.live = live = Live(self.weight_bits, epochs, images)
        self.download.clear()
        for step in live.steps(self.subject.score):
            if step[-1] and self.result is not None:
                self.present(self.result)
            yield step

    def _progress(self, done, total):
        self.job.show_other(done, total, f"scoring the files of {self.weight_bits} bits")

    def _picture(self):
        picture = LivePicture(panels=4, width=900, height=290, ratios=(1.15, 1.2, 0.75, 0.85))
        reference = self.subject.float_measurement
        self._ways = picture.put(WaysPanel, reference.accuracy, reference.interval)
        self._weights = picture.put(StepsPanel)
        scored = self.subject.split.name or "yours"
        self._loss = picture.put(LearningPanel, "loss", scored)
        self._accuracy = picture.put(LearningPanel, "accuracy", scored)
        return picture

    def _live_here(self):
        """The live training, if it is of the present bits and has begun."""
        live = self.live
        begun = live is not None and live.frames and live.weight_bits == self.weight_bits
        return live if begun else None

    def _show_weights(self, live):
        """Draw the layer's weights on their grid; return them, and what is drawn, in words."""
        shipped = qlab.pretrained(f"qat-w{self.weight_bits}-seed{SEEDS[0]}")
        pair = weights_in_steps(shipped, self.subject.model, self.layer)
        if self.picture.needs_frame((self.weight_bits, self.layer)):
            self._weights.frame(*pair, self.weight_bits, self.layer)
        words = "before QAT (shipped, seed 0)"
        if live is not None:
            pair = live.frames[-1].weights[self.layer]
            words = f"live, epoch {live.frames[-1].epoch:.2f}"
        self._weights.show(*pair, words)
        levels = 2**self.weight_bits - 1
        said = f"Weights of {self.layer}, {words}, and rounded to {levels} levels."
        return *map(np.asarray, pair), said

    def _show_live(self, live):
        """Draw loss and accuracy of the live training; say in words how far it is."""
        frames = list(live.frames) if live else []
        trained = [x for x in frames if x.loss is not None]
        loss = [(x.epoch, x.loss) for x in trained]
        accuracy = [(x.epoch, x.accuracy) for x in trained]
        scored = [(x.epoch, x.measurement.accuracy) for x in frames]
        best = (live.best.epoch, live.best.measurement.accuracy) if live else None
        if live:
            self._hold(self._loss, live.epochs, [y for _, y in loss])
            self._hold(self._accuracy, live.epochs, [y for _, y in accuracy + scored])
        self._loss.show(loss)
        self._accuracy.show(accuracy, scored, best)
        if not live:
            return "No live training at these bits yet."
        return (
            f"Live training after {frames[-1].epoch:.2f} of {live.epochs} epochs: best "
            f"{percent(best[1])} at epoch {best[0]:.2f}."
        )

    def _hold(self, panel, epochs, values):
        """Widen a panel's frame only when something would leave it."""
        if not panel.holds(epochs, values):
            low, high = panel.ax.get_ylim()
            known = values if panel.quantity == "accuracy" or not values else [*values, 0.1]
            panel.frame(epochs, known or [low, high])
            self.picture.reframe()


def _cells(result, live):
    best = f"QAT's gain over {NAMES[result.best]}"
    cells = [
        readout.difference(result.gain, best),
        readout.mean_cell("QAT", result.qat),
        readout.mean_cell(f"Control, {NAMES[result.best]}", result.control[result.best]),
        readout.mean_cell("Control, nearest", result.control["nearest"]),
        readout.difference(result.to_nearest, "QAT's gain over nearest"),
    ]
    if result.best == "nearest":
        del cells[3:]
    return [*cells, readout.accuracy(live.measurement, "Live, best so far")] if live else cells


def _notes(result, live):
    notes = [
        "The float control had the same extra epochs, order of images and learning rates as "
        "QAT of its seed, without rounding. It was rounded afterwards in three ways, none of which "
        f"trains anything. At these bits {NAMES[result.best]} is the best of them, so QAT is "
        "compared with that.",
        *readout.at_once(len(WIDTHS), "widths"),
    ]
    if live:
        notes.append(
            "The live model is one short run, one seed. The best is picked on the images that "
            "it is scored on, which flatters it a little."
        )
    return notes


def _alt(result):
    ways = ", ".join(f"{NAMES[way]} {readout.mean(x)}" for way, x in result.control.items())
    return (
        f"At {result.weight_bits} bits: the float control, rounded by {ways}; QAT "
        f"{readout.mean(result.qat)}, means of {len(result.qat)} seeds. QAT compared with "
        f"{NAMES[result.best]}: {result.gain}."
    )


def tables(result, live, layer, before, after):
    yield _ways(result)
    yield _weights(layer, before, after, result.weight_bits)
    if live:
        header = ("epoch", "training loss", "training accuracy", "LiteRT accuracy", "95 % interval")
        rows = map(_frame, live.frames)
        yield readout.table(f"Live training at {live.weight_bits} bits", header, rows)


def _ways(result):
    pairs = result.gain, result.to_nearest
    control = ((f"control, {NAMES[way]}", each) for way, each in result.control.items())
    rows = [_row(way, s, m) for way, each in control for s, m in zip(SEEDS, each, strict=True)]
    for i, seed in enumerate(SEEDS):
        gained = (in_points(x.by_seed[i]) for x in pairs)
        rows.append((*_row("QAT", seed, result.qat[i])[:4], *gained))
    rows.append(("QAT", "all", readout.mean(result.qat), "", *map(str, pairs)))
    gains = f"gain over {NAMES[result.best]}", "gain over nearest"
    header = ("way", "seed", "accuracy", "95 % interval", *gains)
    return readout.table(f"Four ways to {result.weight_bits} bits", header, rows)


def _row(way, seed, measurement):
    return way, seed, percent(measurement.accuracy), readout.fine_interval(measurement), "", ""


def _weights(layer, before, after, bits):
    hill, edges = np.histogram(before, _edges(bits))
    bars = np.histogram(after, edges)[0]
    rows = [
        (f"{low:g} to {high:g}", f"{a:,}", f"{b:,}")
        for low, high, a, b in zip(edges[:-1], edges[1:], hill, bars, strict=True)
    ]
    header = ("steps of the grid", "before rounding", "rounded")
    return readout.table(f"Weights of {layer}", header, rows)


def _edges(bits):
    """One row a code; beyond 4 bits, one for 16 codes."""
    edges = shares(np.zeros(1), bits, True)[1]
    return np.arange(edges[0] - 0.25, edges[-1] + 0.5) if bits <= 4 else edges[:: len(edges) // 15]


def _frame(frame):
    known = frame.loss is not None
    return (
        f"{frame.epoch:.2f}",
        f"{frame.loss:.3f}" if known else "",
        percent(frame.accuracy) if known else "",
        percent(frame.measurement.accuracy),
        readout.fine_interval(frame.measurement),
    )
