"""What does sparsity buy, and what does it not? The explorer of pruning."""

from __future__ import annotations

from functools import lru_cache

import traitlets

import qlab
from qlab.arithmetic.sparsity import SCOPES
from qlab.plots.pruning import HolePanel, MaskPanel, as_table
from qlab.plots.sparsity import CliffPanel, GainsPanel
from qlab.trials.pruned import METHODS, SHIPPED, NarrowNetwork, Pruner, in_turn
from qlab.trials.shipped import TunedModels
from qlab.trials.subjects import subject
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.explorer import SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.traits import Sparsity
from qlab.widgets.pruning_words import alt, cells, gains, notes, tables

STOPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
WORDS = {
    "single": "single weights",
    "2of4": "2 of each 4 inputs",
    "block": "blocks of 4 inputs",
    "filters": "whole filters",
}
BITS = (("32, float", 32), ("8, int8", 8))
NEAR = 0.03  # a trained model is of this sparsity if it is no further away


class PruningExplorer(SweepingExplorer):
    """Choose a sparsity; a real `.tflite` file with so many zeros is made, scored and timed.

    Four ways to prune in one shot are live. Beside them stand the shipped models that were trained
    with pruning, and their controls, scored by LiteRT here and now.

    Parameters
    ----------
    model : qlab.LiteModel or None
        A float32 model; None for the shipped baseline. Trained models ship of the baseline alone.
    images : ndarray of uint8, shape (n, 28, 28, 1), or None
        To score on; None for the 10,000 test images.
    labels : ndarray of int, shape (n,), or None
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1), or None
        For 8 bits; None for the course's.
    **settings
        ``sparsity``; ``method`` (``single``, ``2of4``, ``block``, ``filters``); ``scope`` of single
        weights (``global``, ``per-layer``); ``weight_bits`` (32, or 8 for weights and activations
        both); ``layer``, whose weights are shown.

    Attributes
    ----------
    result : qlab.trials.pruned.Pruned
    tuned : tuple of qlab.trials.shipped.Tuned
        Trained models of this method at these bits.

    Raises
    ------
    ValueError
        If the model cannot be pruned so, or images do not fit it.

    Examples
    --------
    >>> test = qlab.data.load().test
    >>> explorer = PruningExplorer(images=test.images[:200], labels=test.labels[:200],
    ...                            calibration_images=test.images[200:210])
    >>> explorer.set(sparsity=0.5, method="filters")
    >>> explorer.result.file.file_bytes < 0.3 * explorer.result.dense.file_bytes
    True
    """

    question = "What does sparsity buy, and what does it not?"
    sparsity = Sparsity(0.8).tag(setting=True)
    method = traitlets.Enum(METHODS, "single").tag(setting=True)
    scope = traitlets.Enum(SCOPES, "global").tag(setting=True)
    weight_bits = traitlets.Enum((32, 8), 32).tag(setting=True)
    layer = traitlets.Unicode().tag(setting=True)

    def __init__(self, model=None, images=None, labels=None, calibration_images=None, **settings):
        """Lay out, and prune for the first time."""
        super().__init__()
        self.subject = subject(model, images, labels, calibration_images)
        self.pruner = Pruner(self.subject, calibration_images)
        self._trained = TunedModels(self.subject, self._tell) if model is None else None
        self._once, self._framed, self.tuned, self.narrow = {}, None, (), None
        weights = self.pruner.weights
        self.layer = max(weights, key=lambda name: weights[name].size)
        self.job = Job("Measure the whole curve", self._sweep, self.guard)
        self.download = Download("Download this .tflite", self.tflite, self.guard, self._pruning)
        self.sparse = Download("Download without the zeros", self.sparse_tflite, self.guard)
        actions = [self.job, self.download, self.sparse]
        self.assemble(self._controls(), self._picture(), actions, settings)

    @traitlets.validate("layer")
    def _layer_is_there(self, proposal):
        """Refuse, in words, a layer that has nothing to show."""
        if proposal.value not in self.pruner.weights:
            raise traitlets.TraitError(
                f"no layer with weights is called {proposal.value!r}; "
                f"there are {', '.join(self.pruner.weights)}"
            )
        return proposal.value

    def compute(self):
        """Prune as the settings say, and measure; score the trained models of this method."""
        result = self.pruner.prune(self.method, self.sparsity, self.scope, self.weight_bits)
        if self._trained is not None:
            self.tuned = self._trained.tuned(SHIPPED[self.method], self.weight_bits)
            self.narrow = self._measured_narrow()
        return result

    def show(self, result):
        """Move the marks, and fill the read-out."""
        controls.enable(self._sparsity, self.method != "2of4")
        controls.enable(self._scope, self.method == "single")
        here = self.trained_here(result)
        self._curve()[result.absent] = result.measurement.accuracy
        self._show_weights(result, here)
        self._show_cliff(result)
        self._gains.show(gains(result))
        self.picture.redraw(alt=alt(result, here, self.layer))
        self.readout.value = readout.readout(*cells(result, here, self.narrow))
        words = " ".join(notes(result, here, self.tuned, self.narrow, self.method, self.pruner))
        self.notes.value = f'<div class="qlab-notes">{words}</div>'
        weights, masks = self.pruner.weights[self.layer], result.file.masks[self.layer]
        self.numbers.value = tables(result, self.tuned, self._curve(), self.layer, weights, masks)
        self.download.clear()
        self.sparse.clear()

    def _measured_narrow(self):
        """Of whole filters: the network narrow from the start, and the trained one's latency."""
        if self.method != "filters" or not self.tuned:
            return None
        scratch = self._trained.tuned("pruned-scratch", self.weight_bits)
        name = f"{self.tuned[0].name}-seed{self.tuned[0].seeds[0]}"
        model = self._trained.model(name, self.weight_bits)
        own, other = in_turn(model, self.pruner.dense(self.weight_bits).model)
        return NarrowNetwork(scratch, model.file_bytes, other.median_ms / own.median_ms)

    def trained_here(self, result):
        """The trained models of this method that are as sparse as the present file.

        Returns
        -------
        qlab.trials.shipped.Tuned or None
            Of a method with one sparsity only, that one.
        """
        if len(self.tuned) == 1:
            return self.tuned[0]
        near = [x for x in self.tuned if abs(x.absent - result.absent) <= NEAR]
        return min(near, key=lambda x: abs(x.absent - result.absent), default=None)

    def sweep(self):
        """Measure the accuracy at each stop of the slider, as the button does.

        Returns
        -------
        dict of float to float
            Accuracy by share of weights that are zero or gone.
        """
        self.all_steps()
        return dict(sorted(self._curve().items()))

    def tflite(self):
        """The file that the learner takes away, scored once more as it is.

        Returns
        -------
        (str, bytes, str)
            Name, content, and what to say about it.
        """
        return self._named((self.result or self.update()).file.model, "pruned")

    def sparse_tflite(self):
        """The same without its zeros: smaller, and LiteRT puts them back when it loads the file.

        Returns
        -------
        (str, bytes, str)
            Name, content, and what to say about it.
        """
        file = (self.result or self.update()).file
        name, data, words = self._named(file.sparse, "sparse")
        if file.sparse is file.model:
            words = f"Too few zeros: leaving them out saves nothing. {words}"
        return name, data, words

    def _pruning(self):
        """How the present file was made."""
        names = ("method", "sparsity", "scope", "weight_bits")
        return {name: getattr(self, name) for name in names}

    def _named(self, model, kind):
        """A file to take away, scored once more as it is."""
        again = qlab.evaluate(model, self.subject.images, self.subject.labels)
        amount = "" if self.method == "2of4" else f"-{100 * self.sparsity:g}"
        name = f"qlab-{kind}-{self.method}{amount}-w{self.weight_bits}.tflite"
        return name, model.data, f"Scored again: {readout.percent(again.accuracy)}."

    def _sweep(self):
        """Steps of the button's job: one sparsity after the other."""
        how = self.method, self.scope, self.weight_bits
        stops = STOPS if how[0] != "2of4" else (0.0,)
        for done, stop in enumerate(stops, 1):
            trial = self.pruner.trial(how[0], stop, *how[1:])
            self._once.setdefault(how, {})[trial.absent] = trial.measurement.accuracy
            if self.result is not None:
                self._show_cliff(self.result)
                self.picture.redraw(alt=self.picture.widget.tooltip)
            yield done, len(stops), "sparsities"
        if self.result is not None:
            self.show(self.result)

    def _curve(self):
        """What was pruned in one shot so far, with the present settings."""
        return self._once.setdefault((self.method, self.scope, self.weight_bits), {})

    def _tell(self, done, total):
        """How far the scoring of trained models is."""
        self.job.show_other(done, total, "scoring the trained models")

    def _controls(self):
        """The five controls."""
        cards = (
            controls.number(self, "sparsity", "Sparsity", STOPS),
            controls.choice(self, "method", "Method", [(WORDS[x], x) for x in METHODS]),
            controls.choice(self, "scope", "Scope", SCOPES),
            controls.choice(self, "weight_bits", "Weight bits", BITS),
            controls.choice(self, "layer", "Layer shown", list(self.pruner.weights)),
        )
        self._sparsity, self._scope = cards[0], cards[2]
        return cards

    def _picture(self):
        """The four panels."""
        picture = LivePicture(panels=4, width=900, height=300, ratios=(1, 0.95, 1.2, 0.9))
        reference = self.subject.float_measurement
        self._hole, self._mask = HolePanel(picture.axes[0]), MaskPanel(picture.axes[1])
        self._cliff = CliffPanel(picture.axes[2], reference.accuracy, reference.interval)
        self._gains = GainsPanel(picture.axes[3])
        for panel in (self._hole, self._mask, self._cliff, self._gains):
            picture.add(*panel.marks)
        return picture

    def _show_weights(self, result, here):
        """Draw the layer's histogram and its mask."""
        layer = self.subject.model.layer(self.layer)
        mask = result.file.masks[self.layer]
        table = as_table(layer, mask)
        if self._framed != self.layer:
            self._hole.frame(layer.weights, self.layer)
            self._mask.frame(table.shape, self.layer)
            self.picture.reframe()
            self._framed = self.layer
        tuned = None
        if here is not None:
            tuned = _weights_left(f"{here.name}-seed{here.seeds[0]}", self.layer)
        gone = "gone" if self.method == "filters" else "zero"
        note = f"{100 * (1 - mask.mean()):.1f} % are {gone}"
        if tuned is not None:
            note += "\noutline: trained, seed 0"
        self._hole.show(layer.weights[mask], tuned, note)
        self._mask.show(table)

    def _show_cliff(self, result):
        """Draw accuracy against sparsity."""
        trained = [(x.absent, [m.accuracy for m in x.measurements]) for x in self.tuned]
        shared = {m.accuracy: None for x in self.tuned for m in x.controls}
        self._cliff.show(
            (result.absent, result.measurement.accuracy),
            result.measurement.interval,
            self._curve().items(),
            trained,
            list(shared),
        )


@lru_cache(maxsize=16)
def _weights_left(name, layer):
    """Weights of a shipped model's layer that are not zero."""
    weights = qlab.pretrained(name).layer(layer).weights
    return weights[weights != 0]
