"""How few bits can this model live with? The explorer of post-training quantization."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import traitlets

import qlab
from qlab.engine.recipes import ACTIVATION_BITS, GRANULARITIES, OBSERVERS, WEIGHT_BITS, Recipe
from qlab.plots.histograms import ActivationPanel, WeightPanel, clipped_words
from qlab.plots.tradeoff import TradeoffPanel
from qlab.trials.subjects import subject
from qlab.widgets.kit import controls, readout, trail
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.explorer import Explorer
from qlab.widgets.kit.live import LivePicture

WEIGHT_BINS, ACTIVATION_BINS = 60, 64


class QuantizationExplorer(Explorer):
    """Choose bits; a real `.tflite` file with those bits is made and scored on all images.

    Parameters
    ----------
    model : qlab.LiteModel or None
        A float32 model; None for the shipped baseline.
    images : ndarray of uint8, shape (n, 28, 28, 1), or None
        To score on; None for the 10,000 test images.
    labels : ndarray of int, shape (n,), or None
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1), or None
        At most 1,024; None for the course's.
    **settings
        ``weight_bits``, ``activation_bits``, ``granularity``, ``layer``, ``calibration_size``, and
        two that have no control: ``observer`` and ``overrides`` (bits of single layers, as in
        `qlab.Recipe`).

    Attributes
    ----------
    result : qlab.trials.subjects.Trial
        ``recipe``, ``model``, ``measurement``, ``comparison``, ``sizes``, ``latency``.
    trail : list of qlab.widgets.kit.trail.Point
        Every recipe tried, in order.

    Raises
    ------
    ValueError
        If the model cannot be quantized, or images do not fit it.

    Examples
    --------
    >>> test = qlab.data.load().test
    >>> explorer = QuantizationExplorer(
    ...     images=test.images[:200], labels=test.labels[:200],
    ...     calibration_images=test.images[200:210])
    >>> explorer.weight_bits = 4
    >>> explorer.result.recipe.weight_bits, explorer.result.measurement.n, len(explorer.trail)
    (4, 200, 2)
    """

    question = "How few bits can this model live with?"
    weight_bits = traitlets.Enum(WEIGHT_BITS, 8).tag(setting=True)
    activation_bits = traitlets.Enum(ACTIVATION_BITS, 8).tag(setting=True)
    granularity = traitlets.Enum(GRANULARITIES, "per-channel").tag(setting=True)
    observer = traitlets.Enum(OBSERVERS, "min-max").tag(setting=True)
    calibration_size = traitlets.Int(128).tag(setting=True)
    overrides = traitlets.Dict().tag(setting=True)
    layer = traitlets.Unicode().tag(setting=True)

    def __init__(self, model=None, images=None, labels=None, calibration_images=None, **settings):
        """Calibrate, lay out, and measure the first recipe."""
        super().__init__()
        self.subject = subject(model, images, labels, calibration_images)
        self.trail, self._last, self._framed = [], None, None
        layers = self.subject.model.layers
        weights = {x.name: x.weights.size for x in layers if x.weights is not None}
        self._layers, self._weight_count = list(weights), sum(weights.values())
        available = self.subject.compressor.calibration_images
        self.layer, self.calibration_size = max(weights, key=weights.get), min(128, available)
        self.assemble(self._controls(available), self._picture(), self._actions(), settings)

    @traitlets.validate("layer")
    def _layer_is_there(self, proposal):
        """Refuse, in words, a layer that has nothing to show."""
        if proposal.value not in self._layers:
            raise traitlets.TraitError(
                f"no layer with weights is called {proposal.value!r}; "
                f"there are {', '.join(self._layers)}"
            )
        return proposal.value

    @traitlets.validate("calibration_size")
    def _images_are_there(self, proposal):
        """Refuse, in words, more calibration images than there are."""
        available = self.subject.compressor.calibration_images
        if not 1 <= proposal.value <= available:
            words = f"calibration_size is {proposal.value}; choose 1 to {available}"
            raise traitlets.TraitError(words)
        return proposal.value

    def compute(self):
        """Make the file that the settings describe, and measure it."""
        return self.subject.trial(self.recipe)

    def show(self, result):
        """Move the marks, and fill the read-out."""
        if result.recipe != self._last:
            self.trail.append(trail.Point.of(result))
            self._last = result.recipe
        if self._framed != self.layer:
            self._frame()
        alt = (
            f"{self._show_weights(result.recipe)} {self._show_activations(result.recipe)} "
            f"{self._show_tradeoff(result)}"
        )
        self.picture.redraw(alt=alt)
        self._fill(result)

    @property
    def recipe(self):
        """qlab.Recipe: the settings as they are."""
        own = [field.name for field in fields(Recipe) if self.has_trait(field.name)]
        return Recipe(**{name: getattr(self, name) for name in own})

    def tflite(self):
        """The file that the learner takes away, scored once more as it is.

        Returns
        -------
        (str, bytes, str)
            Name, content, and what to say about it. Weights of 4 bits or fewer are packed.
        """
        result = self.result or self.update()
        model = result.model.packed()
        again = qlab.evaluate(model, self.subject.images, self.subject.labels)
        how = "Weights packed two to a byte. " if model.file_bytes < result.model.file_bytes else ""
        name = f"qlab-w{self.weight_bits}-a{self.activation_bits}-{self.granularity}.tflite"
        return name, model.data, f"{how}Scored again: {readout.percent(again.accuracy)}."

    def trail_csv(self):
        """The trail as a table.

        Returns
        -------
        (str, bytes, str)
            Name, CSV in UTF-8, and what to say about it.
        """
        return "qlab-trail.csv", trail.to_csv(self.trail), f"{len(self.trail)} recipes."

    def _controls(self, available):
        """The five controls."""
        stops = [2**i for i in range(11) if 2**i < available] + [available]
        return (
            controls.steps(self, "weight_bits", "Weight bits", WEIGHT_BITS),
            controls.steps(self, "activation_bits", "Activation bits", ACTIVATION_BITS),
            controls.choice(self, "granularity", "Granularity", GRANULARITIES),
            controls.number(self, "calibration_size", "Calibration size", stops),
            controls.choice(self, "layer", "Layer shown", self._layers),
        )

    def _picture(self):
        """The three panels."""
        picture = LivePicture(panels=3)
        self._weights = WeightPanel(picture.axes[0])
        self._activations = ActivationPanel(picture.axes[1])
        self._tradeoff = TradeoffPanel(
            picture.axes[2],
            (self.subject.model.gzip_bytes, self.subject.float_measurement.accuracy),
            smallest=0.4 * self._weight_count * 2 / 8,
            chance=0.7 / (int(np.max(self.subject.labels)) + 1),
        )
        for panel in (self._weights, self._activations, self._tradeoff):
            picture.add(*panel.marks)
        return picture

    def _actions(self):
        """The two buttons."""
        self.download = Download(
            "Download this .tflite", self.tflite, self.guard, lambda: self.recipe
        )
        self.save_trail = Download("Save the trail as CSV", self.trail_csv, self.guard)
        return self.download, self.save_trail

    def _frame(self):
        """Histograms and limits of the layer shown: they change with it alone."""
        compressor = self.subject.compressor
        weights = self.subject.model.layer(self.layer).weights
        self._weight_histogram = np.histogram(weights, WEIGHT_BINS)
        counts, edges = compressor.activation_histogram(self.layer, compressor.calibration_images)
        step = len(counts) // ACTIVATION_BINS
        self._activation_histogram = counts.reshape(-1, step).sum(1), edges[::step]
        self._fine_activations = counts, edges
        self._weights.frame(*self._weight_histogram, self.layer)
        self._activations.frame(*self._activation_histogram, self.layer)
        self.picture.reframe()
        self._framed = self.layer

    def _show_weights(self, recipe):
        """Draw the grid over the weights; say in words what is drawn."""
        params = self.subject.compressor.weight_params(self.layer, recipe)
        if params is None:
            note = f"float{recipe.bits('weight_bits', self.layer)}, no grid"
            self._weights.show(None, 0, note)
        else:
            scales = np.size(params.scale)
            note = f"{params.levels} levels, {scales} scale{'s' if scales > 1 else ''}"
            self._weights.show(params.scale, params.q_max, note)
        return f"Weights of {self.layer}: {note}."

    def _show_activations(self, recipe):
        """Draw the range over the activations; say in words what is drawn."""
        compressor = self.subject.compressor
        params = compressor.activation_params(self.layer, recipe)
        if params is None:
            words = "float32, no clipping"
            self._activations.show(*self._activation_histogram, None, None, note=words)
            return f"Activations after {self.layer}: float32."
        low, high = compressor.activation_range(self.layer, recipe)
        clipped = clipped_words(*self._fine_activations, low, high)
        note = f"{params.levels} levels\n{clipped}"
        self._activations.show(*self._activation_histogram, low, high, params.levels, note)
        return f"Activations after {self.layer}: range {low:.3g} to {high:.3g}, {clipped}."

    def _show_tradeoff(self, result):
        """Draw the trail; say in words where the learner is on it."""
        sizes, accuracies = [p.gzip_bytes for p in self.trail], [p.accuracy for p in self.trail]
        here = result.sizes.gzip_bytes, result.measurement.accuracy
        self._tradeoff.show(sizes, accuracies, result.measurement.interval, here)
        accuracy = readout.percent(here[1])
        return f"Accuracy {accuracy} at {here[0]:,} bytes gzipped; {len(self.trail)} recipes tried."

    def _fill(self, result):
        """Read-out, notes and the table of numbers."""
        self.readout.value = readout.readout(
            readout.accuracy(result.measurement),
            readout.difference(result.comparison),
            readout.sizes(result.sizes),
            readout.latency(result.latency),
        )
        notes = list(self.subject.compressor.notes(result.recipe))
        if self.observer != "min-max":
            notes.append(f"Observer: {self.observer}.")
        if self.overrides:
            notes.append(f"Layers with bits of their own: {', '.join(self.overrides)}.")
        self.notes.value = f'<div class="qlab-notes">{" ".join(notes)}</div>' if notes else ""
        self.numbers.value = self._tables()
        self.download.clear()
        self.save_trail.clear()

    def _tables(self):
        """The numbers in the picture, as text."""
        counts, edges = self._weight_histogram
        name, header = f"Weights of {self.layer}", ("from", "to", "weights")
        weights = readout.table(name, header, _bins(counts, edges, 4))
        counts, edges = self._activation_histogram
        name, header = (
            f"Activations after {self.layer}, all calibration images",
            ("from", "to", "values"),
        )
        activations = readout.table(name, header, _bins(counts, edges, 3))
        return trail.to_table(self.trail) + weights + activations


def _bins(counts, edges, digits):
    """Rows of a histogram's table; four bins make one row."""
    merged = np.add.reduceat(counts, np.arange(0, len(counts), 4))
    ends = edges[::4]
    return [
        (f"{low:.{digits}f}", f"{high:.{digits}f}", f"{int(n):,}")
        for low, high, n in zip(ends[:-1], ends[1:], merged, strict=True)
    ]
