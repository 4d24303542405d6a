"""Is it better to share few values, or to round to few? The explorer of weight clustering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import traitlets

import qlab
from qlab.arithmetic.clusters import CLUSTERS
from qlab.engine.recipes import GRANULARITIES, Recipe
from qlab.plots.clustering import ValuesPanel, WorthPanel
from qlab.trials.shipped import TunedModels
from qlab.trials.subjects import Trial, subject
from qlab.widgets.clustering_words import alt, cells, notes, tables
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.explorer import SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture

STOPS = (2, 4, 8, 16, 32, 64, 128, 256)
BITS = (2, 3, 4, 5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class Clustered:
    """A file whose weights share few values, and one whose weights are rounded to few bits."""

    clusters: Trial
    rounded: Trial

    @cached_property
    def to_rounded(self):
        """Comparison from the rounded file to the clustered one."""
        return self.clusters.compared_with(self.rounded)


class ClusteringExplorer(SweepingExplorer):
    """Let each layer share k values, found by k-means, and compare with rounding to b bits.

    Both are made as real files and scored, here and now. Shipped models that were trained with
    their clusters stand beside, with their controls.

    Parameters
    ----------
    model : qlab.LiteModel or None
        A float32 model; None for the shipped baseline. Trained models ship of the baseline alone.
    images : ndarray of uint8, shape (n, 28, 28, 1), or None
        To score on; None for the 10,000 test images.
    labels : ndarray of int, shape (n,), or None
    **settings
        ``clusters`` (2 to 256), ``weight_bits`` of the rounding (2 to 8), its ``granularity``, and
        ``layer``, whose weights are shown.

    Attributes
    ----------
    result : Clustered
    tuned : tuple of qlab.trials.shipped.Tuned

    Raises
    ------
    ValueError
        If the model cannot be compressed, or images do not fit it.

    Examples
    --------
    >>> test = qlab.data.load().test
    >>> explorer = ClusteringExplorer(images=test.images[:200], labels=test.labels[:200])
    >>> explorer.clusters = 4
    >>> explorer.result.clusters.model.gzip_bytes < 40_000
    True
    """

    question = "Few values: is it better to let weights share them, or to round?"
    clusters = traitlets.Int(16).tag(setting=True)
    weight_bits = traitlets.Enum(BITS, 4).tag(setting=True)
    granularity = traitlets.Enum(GRANULARITIES, "per-tensor").tag(setting=True)
    layer = traitlets.Unicode().tag(setting=True)

    def __init__(self, model=None, images=None, labels=None, **settings):
        """Lay out, and make the first two files."""
        super().__init__()
        self.subject = subject(model, images, labels)
        self._trained = TunedModels(self.subject, self._tell) if model is None else None
        self._trial = self.subject.remembering()
        self._tried, self._framed, self.tuned = {"clusters": {}}, None, ()
        layers = [x for x in self.subject.model.layers if x.weights is not None]
        self._layers = {x.name: x for x in layers}
        self.layer = max(layers, key=lambda x: x.weights.size).name
        self.job = Job("Measure both curves", self._sweep, self.guard)
        self.download = Download(
            "Download the clustered .tflite",
            self.tflite,
            self.guard,
            lambda: self.result.clusters.recipe,
        )
        actions = [self.job, self.download]
        self.assemble(self._controls(), self._picture(), actions, settings)

    @traitlets.validate("clusters")
    def _clusters_are_possible(self, proposal):
        """Refuse, in words, what is no number of clusters."""
        low, high = CLUSTERS
        if not low <= proposal.value <= high:
            raise traitlets.TraitError(f"clusters is {proposal.value}; choose {low} to {high}")
        return proposal.value

    @traitlets.validate("layer")
    def _layer_is_there(self, proposal):
        """Refuse, in words, a layer that has nothing to show."""
        if proposal.value not in self._layers:
            raise traitlets.TraitError(
                f"no layer with weights is called {proposal.value!r}; "
                f"there are {', '.join(self._layers)}"
            )
        return proposal.value

    def compute(self):
        """Make both files, and score them; score the trained models, unless that is done."""
        result = Clustered(self._trial(self._clustered()), self._trial(self._rounded()))
        if self._trained is not None:
            self.tuned = self._trained.tuned(r"clustered-\d+")
        return result

    def show(self, result):
        """Move the marks, and fill the read-out."""
        here = next((x for x in self.tuned if _k(x) == self.clusters), None)
        values = self._values(result)
        if self._framed != self.layer:
            self._panel.frame(self._layers[self.layer].weights, self.layer)
            self.picture.reframe()
            self._framed = self.layer
        counts = [len(v) for v in values]
        self._panel.show(*values, (f"{counts[0]} clusters", f"rounded: {counts[1]} values"))
        self._keep(result.clusters)
        self._keep(result.rounded)
        self._show_worth(result)
        self.picture.redraw(alt=alt(result, here, self.layer, counts))
        self.readout.value = readout.readout(*cells(result, here))
        words = " ".join(notes(result, self.granularity))
        self.notes.value = f'<div class="qlab-notes">{words}</div>'
        self.numbers.value = tables(self._tried, self.tuned, self.layer, values)
        self.download.clear()

    def sweep(self):
        """Measure both curves, as the button does.

        Returns
        -------
        dict of str to dict of int to (int, float)
            For ``clusters`` and for the granularity of the rounding: by number of values, bytes of
            the gzipped file and accuracy.
        """
        self.all_steps()
        return {name: self._tried[name] for name in ("clusters", self.granularity)}

    def tflite(self):
        """The clustered file, scored once more as it is.

        Returns
        -------
        (str, bytes, str)
            Name, content, and what to say about it.
        """
        model = (self.result or self.update()).clusters.model
        again = qlab.evaluate(model, self.subject.images, self.subject.labels)
        name = f"qlab-clusters-{self.clusters}.tflite"
        return name, model.data, f"Scored again: {readout.percent(again.accuracy)}."

    def _sweep(self):
        """Steps of the button's job: one file after the other."""
        recipes = [self._clustered(k) for k in STOPS] + [self._rounded(b) for b in BITS]
        for done, recipe in enumerate(recipes, 1):
            self._keep(self._trial(recipe))
            if self.result is not None:
                self._show_worth(self.result)
                self.picture.redraw(alt=self.picture.widget.tooltip)
            yield done, len(recipes), "files"
        if self.result is not None:
            self.show(self.result)

    def _clustered(self, clusters=None):
        return self._recipe(weight_bits=32, clusters=clusters or self.clusters)

    def _rounded(self, bits=None):
        return self._recipe(weight_bits=bits or self.weight_bits, granularity=self.granularity)

    def _recipe(self, **settings):
        """Weights alone are compressed; nothing is calibrated."""
        return Recipe(activation_bits=32, calibration_size=1, **settings)

    def _keep(self, trial):
        """Remember where a file stands."""
        clusters, bits = trial.recipe.clusters, trial.recipe.weight_bits
        name = "clusters" if clusters else trial.recipe.granularity
        values = clusters or 2**bits - 1
        point = trial.gzip_bytes, trial.measurement.accuracy
        self._tried.setdefault(name, {})[values] = point

    def _values(self, result):
        """Values that the layer's weights take in both files."""
        held = self.subject.compressor.weights
        return [np.unique(held(self.layer, x.recipe)) for x in (result.clusters, result.rounded)]

    def _tell(self, done, total):
        """How far the scoring of trained models is."""
        self.job.show_other(done, total, "scoring the trained models")

    def _controls(self):
        """The four controls."""
        return (
            controls.number(self, "clusters", "Clusters", STOPS),
            controls.steps(self, "weight_bits", "Rounded to bits", BITS),
            controls.choice(self, "granularity", "Granularity of rounding", GRANULARITIES),
            controls.choice(self, "layer", "Layer shown", list(self._layers)),
        )

    def _picture(self):
        """The three panels."""
        picture = LivePicture(panels=3)
        reference = self.subject.float_measurement
        scale = reference.accuracy, reference.interval
        self._panel = ValuesPanel(picture.axes[0])
        self._counts = WorthPanel(picture.axes[1], *scale)
        self._bytes = WorthPanel(picture.axes[2], *scale, self.subject.model.gzip_bytes / 1000)
        for panel in (self._panel, self._counts, self._bytes):
            picture.add(*panel.marks)
        return picture

    def _show_worth(self, result):
        """Draw accuracy against values and against size."""
        curves = [self._tried.get(x, {}) for x in ("clusters", self.granularity)]
        seeds = [(x, i) for x in self.tuned for i in range(len(x.seeds))]
        control = sorted({m.accuracy for x in self.tuned for m in x.controls})
        ways = (result.clusters, self.clusters), (result.rounded, 2**self.weight_bits - 1)
        for panel, at in (
            (self._counts, lambda values, size: values),
            (self._bytes, lambda values, size: size / 1000),
        ):
            panel.show(
                *([(at(k, size), y) for k, (size, y) in curve.items()] for curve in curves),
                [
                    (at(k, way.model.gzip_bytes), m.accuracy, m.interval)
                    for way, k in ways
                    for m in [way.measurement]
                ],
                [(at(_k(x), x.gzip_bytes[i]), x.measurements[i].accuracy) for x, i in seeds],
                control,
            )


def _k(family):
    """How many clusters a family of trained models has: ``clustered-16`` has 16."""
    return int(family.name.rpartition("-")[2])
