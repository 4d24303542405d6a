"""Is it better to share few values, or to round to few? The explorer of weight clustering."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

import qlab
from qlab.arithmetic.affine import INTEGER_BITS
from qlab.arithmetic.clusters import CLUSTERS, bits_per_weight
from qlab.engine.recipes import GRANULARITIES, Recipe
from qlab.plots.clustering_panels import ValuesPanel, WorthPanel
from qlab.tflite.gzipping import GZIPPED
from qlab.trials.shipped import TunedModels
from qlab.trials.subjects import Trial
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown, SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import percent, score
from qlab.widgets.kit.traits import WholeWithin, choice, layer_name, number, steps

STOPS = (2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, eq=False)
class Clustered:
    """A file whose weights share few values, and one whose weights are rounded to few bits."""

    clusters: Trial
    rounded: Trial

    @cached_property
    def to_float(self):
        """Comparison from the float model to the clustered file, one of two shown at once."""
        return qlab.compare(self.clusters.reference, self.clusters.measurement, family=2)

    @cached_property
    def to_rounded(self):
        """Comparison from the rounded file to the clustered one, the other."""
        return self.clusters.compared_with(self.rounded, family=2)


class ClusteringExplorer(SweepingExplorer, ModelExplorer):
    """Let each layer share k values, found by k-means, and compare with rounding to b bits.

    Both are made as real files and scored, here and now. Shipped models that were trained with
    their clusters stand beside, with their controls.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`. Trained models ship of the baseline alone. Activations stay float32,
        so that nothing is calibrated.
    **settings
        ``clusters`` (2 to 256), ``weight_bits`` of the rounding (2 to 8), its ``granularity``, and
        ``layer``, whose weights are shown.

    Attributes
    ----------
    result : Clustered
    tuned : tuple of qlab.trials.shipped.Tuned

    Examples
    --------
    >>> import qlab
    >>> few = qlab.data.load().validation
    >>> explorer = ClusteringExplorer(images=few.images[:200], labels=few.labels[:200])
    >>> explorer.clusters = 4
    >>> explorer.result.clusters.model.gzip_bytes < 40_000
    True
    """

    calibrates = False
    question = "Few values: is it better to let weights share them, or to round?"
    clusters = number("Clusters", WholeWithin(16, *CLUSTERS), STOPS)
    weight_bits = steps("Rounded to bits", INTEGER_BITS, 4)
    granularity = choice("Granularity of rounding", GRANULARITIES, "per-tensor")
    layer = layer_name()

    def build(self):
        self._trial = self.subject.remembering()
        self._tried, self.tuned = {"clusters": {}}, ()
        self.job = Job("Measure both curves", self._sweep, self.guard)
        shipped = self.model_name == "baseline"
        self._trained = TunedModels(self.subject, self.job.scoring) if shipped else None
        self.download = self.offer(
            "Download the clustered .tflite", self.tflite, lambda: self.result.clusters.recipe
        )
        return self._picture(), [self.job, self.download]

    def trying(self, hurry):
        """Make both files, and score them; score the trained models, unless that is done."""
        clusters = self._trial(self._clustered())
        yield None
        result = Clustered(clusters, self._trial(self._rounded()))
        if self._trained is not None:
            self.tuned = self._trained.tuned(r"clustered-\d+")
        return result

    def sketch(self):
        counts = [len(x) for x in self._show_values(self._clustered(), self._rounded())]
        words = f"{self.layer} has {counts[0]} values as clusters and {counts[1]} rounded."
        return f"{words} Accuracy: being measured.", [1, 2]

    def show(self, result):
        trained = next((x for x in self.tuned if _k(x) == self.clusters), None)
        values = self._show_values(result.clusters.recipe, result.rounded.recipe)
        counts = [len(v) for v in values]
        self._keep(result.clusters)
        self._keep(result.rounded)
        self._show_curves(result)
        none = [readout.NONE_TRAINED] if self._trained is None else []
        return Shown(
            alt(result, trained, self.layer, counts),
            cells(result, trained),
            notes(result, self.granularity, self.tuned) + none,
            partial(tables, self._tried, self.tuned, self.layer, values),
        )

    def _show_values(self, *recipes):
        """Draw the values that the layer's weights take in two recipes, and return them."""
        if self.picture.needs_frame(self.layer):
            self._panel.frame(self.layers[self.layer], self.layer)
        values = [np.unique(self.subject.compressor.weights(self.layer, x)) for x in recipes]
        self._panel.show(
            *values, (f"{len(values[0])} clusters", f"rounded: {len(values[1])} values")
        )
        return values

    def sweep(self):
        """Measure both curves, as the button does, and return them.

        ``clusters`` and the granularity of the rounding have a dictionary each: by the number of
        values, the bytes of the gzipped file and its accuracy.
        """
        self.all_steps()
        return {name: self._tried[name] for name in ("clusters", self.granularity)}

    def tflite(self):
        """The clustered file: name, content, and words."""
        model = (self.result or self.update()).clusters.model
        return self.scored(f"qlab-clusters-{self.clusters}.tflite", model)

    def _measuring(self):
        recipes = [self._clustered(k) for k in STOPS] + [self._rounded(b) for b in INTEGER_BITS]
        for done, recipe in enumerate(recipes, 1):
            self._keep(self._trial(recipe))
            yield done, len(recipes), "files"

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
        point = trial.gzip_bytes, trial.measurement.accuracy
        self._tried.setdefault(name, {})[clusters or 2**bits - 1] = point

    def _picture(self):
        picture = LivePicture(panels=3)
        reference = self.subject.float_measurement
        scale = reference.accuracy, reference.interval
        self._panel = picture.put(ValuesPanel)
        self._counts = picture.put(WorthPanel, *scale)
        self._bytes = picture.put(WorthPanel, *scale, self.subject.model.gzip_bytes / 1000)
        return picture

    def _show_curves(self, result):
        """Draw accuracy against values and against size."""
        curves = [self._tried.get(x, {}) for x in ("clusters", self.granularity)]
        seeds = [(x, i) for x in self.tuned for i in range(len(x.seeds))]
        control = sorted({m.accuracy for x in self.tuned for m in x.controls})
        files = (result.clusters, self.clusters), (result.rounded, 2**self.weight_bits - 1)
        for panel, at in (
            (self._counts, lambda values, size: values),
            (self._bytes, lambda values, size: size / 1000),
        ):
            panel.show(
                *([(at(k, size), y) for k, (size, y) in curve.items()] for curve in curves),
                [
                    (at(k, x.gzip_bytes), x.measurement.accuracy, x.measurement.interval)
                    for x, k in files
                ],
                [(at(_k(x), x.gzip_bytes[i]), x.measurements[i].accuracy) for x, i in seeds],
                control,
            )


def _k(family):
    """How many clusters a family of trained models has: ``clustered-16`` has 16."""
    return int(family.name.rpartition("-")[2])


def cells(result, trained):
    clusters, rounded = result.clusters, result.rounded
    bits = rounded.recipe.weight_bits
    pair = clusters, rounded
    sizes = (
        ("file", *(f"{x.file_bytes:,}" for x in pair)),
        (GZIPPED, *(f"{x.gzip_bytes:,}" for x in pair)),
        ("packed", *(f"{x.packed_bytes:,}" for x in pair)),
    )
    made = [
        readout.accuracy(clusters.measurement, f"{clusters.recipe.clusters} clusters, at once"),
        readout.difference(result.to_float),
        readout.accuracy(rounded.measurement, f"Rounded to {bits} bits"),
        readout.difference(result.to_rounded, f"Difference to rounding to {bits} bits"),
        readout.table_cell("Size in bytes", ("", "clusters", "rounded"), sizes),
    ]
    if trained is not None:
        made += readout.trained_cells(trained, "Clusters, trained", "Control, not clustered")
    return made


def indexed_bytes(trial):
    """Bytes of an index for each weight, and of a table of values for each layer."""
    k = trial.recipe.clusters
    weights = [x.weights.size for x in trial.compressor.layers if x.weights is not None]
    tables = sum(4 * min(k, n) for n in weights)
    return -(-sum(weights) * bits_per_weight(k) // 8) + tables


def notes(result, granularity, tuned):
    clusters, rounded = result.clusters, result.rounded
    k = clusters.recipe.clusters
    said = [
        "Only weights are compressed here; activations stay float32. The clustered file holds its "
        f"{k} values as float32, 4 bytes a weight, so it is as large as before. Gzip finds the "
        f"repetitions. An index of {bits_per_weight(k)} bits into a table of its layer would do, "
        f"{indexed_bytes(clusters):,} bytes for all weights, but LiteRT has no such form.",
    ]
    smaller = clusters.gzip_bytes < rounded.gzip_bytes
    why = (
        ": rounding puts most weights on the few codes near 0, which gzip writes short, and "
        "clusters share them out more evenly"
    )
    said.append(
        f"Gzipped, the clustered file is {'smaller' if smaller else 'larger'} than the rounded one "
        f"({clusters.gzip_bytes:,} and {rounded.gzip_bytes:,} bytes){'' if smaller else why}."
    )
    if granularity == "per-channel":
        said.append(
            "Per channel, rounding has so many values for each output channel, not for the layer."
        )
    return [*said, *readout.at_once(2, "files"), *readout.at_once(len(tuned), "trained families")]


def alt(result, trained, layer, counts):
    clusters, rounded = result.clusters, result.rounded
    words = (
        f"Weights of {layer} share {counts[0]} values in clusters and {counts[1]} by rounding. "
        f"{clusters.recipe.clusters} clusters: {score(clusters)} at {clusters.gzip_bytes:,} bytes "
        f"gzipped. Rounded to {rounded.recipe.weight_bits} bits: {score(rounded)} at "
        f"{rounded.gzip_bytes:,} bytes gzipped."
    )
    if trained is not None:
        words += f" Clusters, trained: {readout.trained_words(trained)}"
    return words


def tables(tried, tuned, layer, values):
    """The files tried, the trained models, and the values that the layer's weights take."""
    rows = [
        (name if name == "clusters" else f"rounded, {name}", k, f"{size:,}", percent(accuracy))
        for name, curve in tried.items()
        for k, (size, accuracy) in sorted(curve.items())
    ]
    yield readout.table("Tried", ("way", "values", "bytes, gzipped", "accuracy"), rows)
    if tuned:
        header = ("model", "seed", "bytes, gzipped", "accuracy", "control", "to its control")
        rows = [row for family in tuned for row in readout.seed_rows(family)]
        yield readout.table("Trained with clusters", header, rows)
    for name, held in zip(("Clusters", "Rounded values"), values, strict=True):
        few = held[np.linspace(0, len(held) - 1, min(len(held), 16)).astype(int)]
        part = "" if len(few) == len(held) else f", {len(few)} of {len(held)}"
        yield readout.table(f"{name} of {layer}{part}", ("value",), [(f"{x:.4f}",) for x in few])
