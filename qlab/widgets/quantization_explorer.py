"""How few bits can this model live with? The explorer of post-training quantization."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from qlab.engine.recipes import (
    ACTIVATION_BITS,
    GRANULARITIES,
    OBSERVERS,
    ROUNDING_CHOICES,
    WEIGHT_BITS,
    Recipe,
)
from qlab.plots.cost_panels import TradeoffPanel
from qlab.plots.quantization_panels import (
    ActivationPanel,
    WeightPanel,
    between_codes,
    clipped_words,
)
from qlab.system.text import to_csv
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.explorer import Shown
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.traits import (
    WholeWithin,
    by_layer,
    choice,
    layer_name,
    number,
    rare,
    rounding,
    rounding_of,
    steps,
)

WEIGHT_BINS, ACTIVATION_BINS = 60, 64


class Point(NamedTuple):
    """One row of the trail: what was tried, and what was measured."""

    weight_bits: int
    activation_bits: int
    granularity: str
    rounding: str
    bias_correction: bool
    observer: str
    calibration_size: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    file_bytes: int
    gzip_bytes: int
    packed_bytes: int
    latency_median_ms: float

    @classmethod
    def of(cls, trial):
        """Keep the numbers of a trial, and let its model and predictions go."""
        known = {**vars(trial.recipe), **vars(trial.sizes), "rounding": rounding_of(trial.recipe)}
        low, high = trial.measurement.interval
        known |= {"accuracy": trial.measurement.accuracy, "accuracy_low": low}
        known |= {"accuracy_high": high, "latency_median_ms": trial.latency.median_ms}
        return cls(**{name: known[name] for name in cls._fields})


class QuantizationExplorer(ModelExplorer):
    """Choose bits; a real `.tflite` file with those bits is made and scored on all images.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`.
    **settings
        ``weight_bits``, ``activation_bits``, ``granularity``, ``rounding`` (``nearest``,
        ``least squares``: nearest, on the grid with the least squared error, or ``gptq``),
        ``layer``, ``bias_correction``, ``observer``, ``calibration_size``, and one that has no
        control: ``overrides`` (bits of single layers, as in `qlab.Recipe`).

    Attributes
    ----------
    result : qlab.trials.subjects.Trial
        ``recipe``, ``model``, ``measurement``, ``comparison``, ``sizes``, ``latency``.
    trail : list of Point
        Every recipe tried, in order.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> explorer = QuantizationExplorer(
    ...     images=test.images[:200], labels=test.labels[:200],
    ...     calibration_images=test.images[200:210])
    >>> explorer.weight_bits = 4
    >>> explorer.result.recipe.weight_bits, explorer.result.measurement.n, len(explorer.trail)
    (4, 200, 2)
    """

    question = "How few bits can this model live with?"
    weight_bits = steps("Weight bits", WEIGHT_BITS, 8)
    activation_bits = steps("Activation bits", ACTIVATION_BITS, 8)
    granularity = choice("Granularity", GRANULARITIES, "per-channel")
    rounding = rounding()
    bias_correction = rare(choice("Bias correction", {False: "no", True: "yes"}, False))
    observer = rare(choice("Range of activations", OBSERVERS, "min-max"))
    calibration_size = rare(number("Calibration size", WholeWithin(128, 1, "available"), "sizes"))
    overrides = by_layer()
    layer = layer_name()

    def build(self):
        self.sizes = controls.doublings(self.available)
        self._trail, self._last, self._drawn, self._plan_words = [], None, None, ""
        self.calibration_size = self.subject.calibration_size
        self.download = self.offer("Download this .tflite", self.tflite, lambda: self.recipe)
        self.save_trail = self.offer("Save the trail as CSV", self.trail_csv)
        return self._picture(), [self.download, self.save_trail]

    def trying(self, hurry):
        """Make the file that the settings describe, and measure it."""
        return self.subject.trying(self.recipe, hurry)

    def sketch(self):
        return f"{self._show_plan(self.recipe)} Accuracy: being measured.", [2]

    def show(self, result):
        if self.subject.is_whole(result) and result.recipe != self._last:
            self._trail.append(Point.of(result))
            self._last = result.recipe
        plan = self.subject.compressor.plan(result.recipe)
        alt = f"{self._show_plan(result.recipe)} {self._show_tradeoff(result)}"
        cells = (
            readout.accuracy(result.measurement),
            readout.difference(result.comparison),
            readout.sizes(result.sizes),
            readout.latency(result.latency),
        )
        return Shown(alt, cells, [*self._notes(plan), *self._rounded], self._tables)

    @property
    def recipe(self):
        """qlab.Recipe: the settings as they are."""
        own = [field.name for field in fields(Recipe) if self.has_trait(field.name)]
        known = {name: getattr(self, name) for name in own}
        return Recipe(**known | ROUNDING_CHOICES[self.rounding][1])

    def tflite(self):
        """The file to take away, packed where its weights fit: name, content, and words."""
        result = self.result or self.update()
        model = result.model.packed()
        how = "Weights packed several to a byte. " if model.file_bytes < result.file_bytes else ""
        name = f"qlab-w{self.weight_bits}-a{self.activation_bits}-{self.granularity}.tflite"
        return self.scored(name, model, how)

    def trail_csv(self):
        """The trail as a table: name, CSV in UTF-8, and words."""
        table = to_csv(Point._fields, self.trail)
        return "qlab-trail.csv", table, f"{len(self.trail)} recipes."

    @property
    def trail(self):
        """list of Point: every recipe tried, in order."""
        self.settle()
        return self._trail

    def _picture(self):
        picture = LivePicture(panels=3)
        self._weights = picture.put(WeightPanel)
        self._activations = picture.put(ActivationPanel)
        self._tradeoff = picture.put(
            TradeoffPanel,
            (self.subject.model.gzip_bytes, self.subject.float_measurement.accuracy),
            0.4 * sum(x.size for x in self.layers.values()) * 2 / 8,
            0.7 / (int(np.max(self.subject.labels)) + 1),
            self.subject.float_measurement.interval[1],
        )
        return picture

    def _frame(self):
        """Histograms and limits of the layer shown: they change with it alone."""
        compressor = self.subject.compressor
        weights = np.histogram(self.layers[self.layer], WEIGHT_BINS)
        counts, edges = compressor.activation_histogram(self.layer, compressor.calibration_images)
        step = len(counts) // ACTIVATION_BINS
        self._fine_activations = counts, edges
        self._activation_histogram = counts.reshape(-1, step).sum(1), edges[::step]
        self._output = self.subject.model.layer(self.layer).output
        self._weights.frame(*weights, self.layer)
        self._weight_histogram = weights
        self._activations.frame(*self._activation_histogram, self.layer)
        name = f"Activations after {self.layer}, all calibration images"
        counts, edges = self._activation_histogram
        self._activation_table = _table(name, 3, edges, {"values": counts})

    def _show_plan(self, recipe):
        """Draw what a recipe makes of the layer, which needs no scoring; say it in words."""
        if self.picture.needs_frame(self.layer):
            self._frame()
            self._drawn = None
        if self._drawn != recipe:  # else the marks are as they were drawn first
            plan = self.subject.compressor.plan(recipe)
            self._plan_words = f"{self._show_weights(plan)} {self._show_activations(plan)}"
            self._drawn = recipe
        return self._plan_words

    def _show_weights(self, plan):
        """Draw the grid over the weights; say in words what is drawn."""
        params = plan.stored[self.layer].params
        self._columns, self._rounded = {"weights": self._weight_histogram[0]}, ()
        if params is None:
            note = f"float{plan.weight_bits[self.layer]}, no grid"
            self._weights.show(None, 0, note)
            return f"Weights of {self.layer}: {note}."
        scales = np.size(params.scale)
        note = f"{params.levels} levels, {scales} scale{'s' if scales > 1 else ''}"
        rounded = self.subject.compressor.rounded(self.layer, plan.recipe)
        if not rounded.farther.any():
            self._weights.show(params.scale, params.q_max, note)
            return f"Weights of {self.layer}: {note}, each at its nearest code."
        weights = plan.shaped(self.layer)
        farther, _ = np.histogram(weights[rounded.farther], self._weight_histogram[1])
        between = between_codes(weights, params, rounded.farther)
        self._weights.show(params.scale, params.q_max, note, farther, between)
        self._columns["to the farther code"] = farther
        self._rounded = (farther_words(self.layer, rounded, between),)
        return f"Weights of {self.layer}: {note}. {self._rounded[0]}"

    def _show_activations(self, plan):
        """Draw the range over the activations; say in words what is drawn."""
        params = plan.grids[self._output]
        if params is None:
            words = "float32, no clipping"
            self._activations.show(*self._activation_histogram, None, None, note=words)
            return f"Activations after {self.layer}: float32."
        low, high = params.span
        clipped = clipped_words(*self._fine_activations, low, high)
        note = f"{params.levels} levels\n{clipped}"
        self._activations.show(*self._activation_histogram, low, high, params.levels, note)
        return f"Activations after {self.layer}: range {low:.3g} to {high:.3g}, {clipped}."

    def _show_tradeoff(self, result):
        """Draw the trail; say in words where the learner is on it."""
        sizes, accuracies = [p.gzip_bytes for p in self.trail], [p.accuracy for p in self.trail]
        size, measured = result.sizes.gzip_bytes, result.measurement
        self._tradeoff.show(sizes, accuracies, measured.interval, (size, measured.accuracy))
        tried = f"{len(self.trail)} recipes tried"
        return f"Accuracy {readout.percent(measured.accuracy)} at {size:,} bytes gzipped; {tried}."

    def _notes(self, plan):
        notes = list(self.subject.compressor.notes(plan.recipe))
        if self.observer != "min-max":
            notes.append(f"Observer: {self.observer}.")
        if self.overrides:
            notes.append(f"Layers with bits of their own: {', '.join(self.overrides)}.")
        return notes

    def _tables(self):
        """The recipes tried, and the histograms in the picture."""
        header = ("weight bits", "activation bits", "granularity", "rounding", "bytes, gzipped",
                  "accuracy")  # fmt: skip
        tried = [
            (
                *point[:3],
                ROUNDING_CHOICES[point.rounding][0],
                f"{point.gzip_bytes:,}",
                readout.percent(point.accuracy),
            )
            for point in self.trail
        ]
        edges = self._weight_histogram[1]
        weights = _table(f"Weights of {self.layer}", 4, edges, self._columns)
        return readout.table("Recipes tried", header, tried), weights, self._activation_table


def farther_words(layer, rounded, between):
    """How many weights went to the farther code, where they lay, and why that is right."""
    many, middle = rounded.farther.sum(), between[1][len(between[1]) // 2 :].sum()
    return (
        f"{many:,} of {rounded.farther.size:,} weights of {layer} "
        f"({100 * many / rounded.farther.size:.3g} %) went to the farther code, because that makes "
        "up for the errors of others: over the calibration images the squared error of the layer's "
        f"output is {rounded.error_ratio:.2g} of what nearest rounding on the same grid leaves. "
        f"{middle:,} of them lay closer to the middle between two codes than to a code."
    )


def _table(name, digits, edges, columns):
    """Histograms over the same bins as a table; four bins make one row."""
    rows = np.arange(0, len(edges) - 1, 4)
    counts = (np.add.reduceat(x, rows) for x in columns.values())
    return readout.table(name, ("from", "to", *columns), readout.bins(edges[::4], digits, *counts))
