"""What does sparsity buy, and what does it not? The explorer of pruning."""

from functools import lru_cache, partial

import numpy as np

import qlab
from qlab.arithmetic.sparsity import SCOPES
from qlab.plots.pruning_panels import CliffPanel, GainsPanel, HolePanel, MaskPanel, as_table
from qlab.tflite.gzipping import GZIPPED
from qlab.trials.pruned import BLOCK, SHIPPED, NarrowNetwork, Pruner, in_turn
from qlab.trials.shipped import TunedModels
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.explorer import Shown, SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import FLOAT_OR_INT8, Sparsity, choice, layer_name, number

STOPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
WORDS = {
    "single": "single weights",
    "2of4": "2 of each 4 inputs",
    "block": "blocks of 4 inputs",
    "filters": "whole filters",
}
SIZES = (("file", "file_bytes"), (GZIPPED, "gzip_bytes"), ("zeros left out", "sparse_bytes"))
BINS = 16  # rows of a histogram's table
NEAR = 0.03  # a trained model is of this sparsity if it is no further away


class PruningExplorer(SweepingExplorer, ModelExplorer):
    """Choose a sparsity; a real `.tflite` file with so many zeros is made, scored and timed.

    Four ways to prune in one shot are live. Beside them stand the shipped models that were trained
    with pruning, and their controls, scored by LiteRT here and now.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`. Trained models ship of the baseline alone.
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
        As `ModelExplorer`; and if the model cannot be pruned so.

    Examples
    --------
    >>> few = qlab.data.load().validation
    >>> explorer = PruningExplorer(images=few.images[:200], labels=few.labels[:200],
    ...                            calibration_images=few.images[200:210])
    >>> explorer.set(sparsity=0.5, method="filters")
    >>> explorer.result.file.file_bytes < 0.3 * explorer.result.dense.file_bytes
    True
    """

    question = "What does sparsity buy, and what does it not?"
    sparsity = number("Sparsity", Sparsity(0.8), STOPS)
    method = choice("Method", WORDS, "single")
    scope = choice("Scope", SCOPES, "global")
    weight_bits = choice("Weight bits", FLOAT_OR_INT8, 32)
    layer = layer_name()

    def build(self):
        images = self.calibration_images() if self.dataset else self.given[-1]
        self.pruner = Pruner(self.subject, images)
        self._once, self.tuned, self.narrow, self._tuned_for = {}, (), None, None
        self.job = Job("Measure the whole curve", self._sweep, self.guard)
        shipped = self.model_name == "baseline"
        self._trained = TunedModels(self.subject, self.job.scoring) if shipped else None
        self.download = self.offer("Download this .tflite", self.tflite, self._pruning)
        self.sparse = self.offer("Download without the zeros", self.sparse_tflite)
        return self._picture(), [self.job, self.download, self.sparse]

    @property
    def _how(self):
        return self.method, self.sparsity, self.scope, self.weight_bits

    def trying(self, hurry):
        """Score the trained models of this method, unless that is done; prune, and measure."""
        if self._trained is not None and self._tuned_for != (self.method, self.weight_bits):
            self.tuned = self._trained.tuned(SHIPPED[self.method], self.weight_bits)
            self.narrow = self._measured_narrow()
            self._tuned_for = self.method, self.weight_bits
            yield None
        return (yield from self.pruner.pruning(*self._how, hurry=hurry))

    def sketch(self):
        if self._tuned_for != (self.method, self.weight_bits):
            self.tuned, self.narrow = (), None
        made = self.pruner.made(*self._how)
        self._show_weights(made, self.trained_alike(made))
        return f"{_pruned_words(made, self.layer)} Accuracy: being measured.", [2, 3]

    def show(self, result):
        trained = self.trained_alike(result)
        if self.subject.is_whole(result.file):
            self._curve()[result.absent] = result.measurement.accuracy
        self._show_weights(result.file, trained)
        self._show_curves(result)
        self._gains.show(gains(result))
        said = notes(result, trained, self.tuned, self.narrow, self.method, self.pruner)
        said += [readout.NONE_TRAINED] if self._trained is None else []
        weights, mask = self.layers[self.layer], result.file.masks[self.layer]
        numbers = partial(tables, result, self.tuned, self._curve(), self.layer, weights, mask)
        shown = cells(result, trained, self.narrow)
        return Shown(alt(result, trained, self.layer), shown, said, numbers)

    def _measured_narrow(self):
        """Of whole filters: the network narrow from the start, and the trained one's latency."""
        if self.method != "filters" or not self.tuned:
            return None
        scratch = self._trained.tuned("pruned-scratch", self.weight_bits)
        name = f"{self.tuned[0].name}-seed{self.tuned[0].seeds[0]}"
        model = self._trained.model(name, self.weight_bits)
        own, other = in_turn(model, self.pruner.dense(self.weight_bits).model)
        return NarrowNetwork(scratch, model.file_bytes, other.median_ms / own.median_ms)

    def trained_alike(self, result):
        """The trained models as sparse as the present file (or the only ones), a Tuned; or None."""
        if len(self.tuned) == 1:
            return self.tuned[0]
        near = [x for x in self.tuned if abs(x.absent - result.absent) <= NEAR]
        return min(near, key=lambda x: abs(x.absent - result.absent), default=None)

    def sweep(self):
        """Measure at each stop, as the button does; return accuracy by share of pruned weights."""
        self.all_steps()
        return dict(sorted(self._curve().items()))

    def tflite(self):
        """The pruned file: name, content, and words."""
        return self._named((self.result or self.update()).file.model, "pruned")

    def sparse_tflite(self):
        """The same without its zeros, which LiteRT puts back when it loads the file."""
        file = (self.result or self.update()).file
        name, data, words = self._named(file.sparse, "sparse")
        if file.sparse is file.model:
            words = f"Too few zeros: leaving them out saves nothing. {words}"
        return name, data, words

    def _pruning(self):
        names = ("method", "sparsity", "scope", "weight_bits")
        return {name: getattr(self, name) for name in names}

    def _named(self, model, kind):
        amount = "" if self.method == "2of4" else f"-{100 * self.sparsity:g}"
        name = f"qlab-{kind}-{self.method}{amount}-w{self.weight_bits}.tflite"
        return self.scored(name, model)

    def _measuring(self):
        method, *how = self.method, self.scope, self.weight_bits
        stops = STOPS if method != "2of4" else (0.0,)
        for done, stop in enumerate(stops, 1):
            trial = self.pruner.trial(method, stop, *how)
            self._once.setdefault((method, *how), {})[trial.absent] = trial.measurement.accuracy
            yield done, len(stops), "sparsities"

    def _curve(self):
        """What was pruned in one shot so far, with the present settings."""
        return self._once.setdefault((self.method, self.scope, self.weight_bits), {})

    def _picture(self):
        picture = LivePicture(panels=4, width=900, height=300, ratios=(1, 0.95, 1.2, 0.9))
        reference = self.subject.float_measurement
        self._hole, self._mask = picture.put(HolePanel), picture.put(MaskPanel)
        self._cliff = picture.put(CliffPanel, reference.accuracy, reference.interval)
        self._gains = picture.put(GainsPanel)
        return picture

    def _show_weights(self, file, trained):
        """Draw the layer's histogram and its mask; what changes nothing cannot be moved."""
        controls.enable(self.cards["sparsity"], self.method != "2of4")
        controls.enable(self.cards["scope"], self.method == "single")
        layer = self.subject.model.layer(self.layer)
        mask = file.masks[self.layer]
        table = as_table(layer, mask)
        if self.picture.needs_frame(self.layer):
            self._hole.frame(layer.weights, self.layer)
            self._mask.frame(table.shape, self.layer)
        gone = "gone" if self.method == "filters" else "zero"
        note, left = f"{100 * (1 - mask.mean()):.1f} % are {gone}", None
        if trained is not None:
            left = _weights_left(trained.trials[0].name, self.layer)
            note += "\noutline: trained, seed 0"
        self._hole.show(layer.weights[mask], left, note)
        self._mask.show(table)

    def _show_curves(self, result):
        """Draw accuracy against sparsity."""
        trained = [(x.absent, [m.accuracy for m in x.measurements]) for x in self.tuned]
        shared = {m.accuracy: None for x in self.tuned for m in x.controls}
        at = result.absent, result.measurement.accuracy
        once = self._curve().items()
        self._cliff.show(at, result.measurement.interval, once, trained, list(shared))


@lru_cache(maxsize=16)
def _weights_left(name, layer):
    """Weights of a shipped model's layer that are not zero."""
    weights = qlab.pretrained(name).layer(layer).weights
    return weights[weights != 0]


def gains(result):
    """What the zeros buy, for `qlab.plots.pruning_panels.GainsPanel`."""
    file, dense = result.file, result.dense
    pairs = (
        (file.file_bytes, dense.file_bytes),
        (file.gzip_bytes, dense.gzip_bytes),
        (file.sparse_bytes, dense.file_bytes),
    )
    found = [(a / b, f"{a / 1000:,.1f} KB") for a, b in pairs]
    time = result.latency.median_ms
    return [*found, (1 / result.times_faster, readout.duration(time))]


def cells(result, trained, narrow=None):
    made = [
        readout.accuracy(result.measurement, "Pruned at once"),
        readout.difference(result.comparison, "Difference to unpruned"),
        readout.table_cell("Size in bytes", ("", "this", "unpruned"), _sizes(result)),
        readout.cell(
            "Latency",
            f"{readout.duration(result.latency.median_ms)} {readout.badge('measured')}",
            f"{result.times_faster:.2f} × the speed of unpruned,",
            f"{readout.duration(result.dense_latency.median_ms)} in the same run",
        ),
    ]
    if trained is not None:
        name = f"Trained, {100 * trained.absent:.0f} % pruned"
        made += readout.trained_cells(trained, name, "Control, not pruned")
    scratch = narrow.scratch if narrow is not None else ()
    return made + [readout.mean_cell("Narrow from the start", x.measurements) for x in scratch]


def notes(result, trained, tuned, narrow, method, pruner):
    said = [_of_bytes(result), _of_time(result, method)]
    layers = pruner.pruned_layers(method)
    left = [name for name in pruner.weights if name not in layers]
    if left:
        why = {
            "2of4": "their input channels do not come in fours",
            "block": f"blocks of {BLOCK[0]} × {BLOCK[1]} are taken from dense layers",
            "filters": "the last layer's outputs are the classes",
        }[method]
        said.append(f"Left whole: {', '.join(left)}, because {why}.")
    if method == "2of4":
        said.append("2 of each 4 is half, so sparsity has nothing to choose.")
    if method == "filters":
        said.append(
            "Sparsity is the share of filters to remove here: with them "
            f"{100 * result.absent:.1f} % of all weights are gone."
        )
    if tuned and trained is None:
        known = ", ".join(f"{100 * x.absent:.0f}" for x in tuned)
        said.append(f"Trained models of this method are {known} % sparse.")
    if trained is not None and method == "single":
        one = trained.settings.get("scope") == "global"
        how = "one threshold for all layers" if one else "the same share of each layer"
        said.append(f"The trained models were pruned with {how}.")
    if narrow is not None:
        said.append(_of_narrow(trained, narrow))
    return said + readout.at_once(len(tuned), "trained families")


def _of_narrow(trained, narrow):
    """How the trained network without filters differs from the live one."""
    shares = trained.settings["fraction"]
    lost = ", ".join(f"{100 * x:g} % of {name}" for name, x in shares.items() if x)
    return (
        f"The trained network lost other filters ({lost}): {narrow.file_bytes:,} bytes, and "
        f"{narrow.times_faster:.2f} times the speed. The same narrow network, trained from "
        "random weights, is shown too: removing filters is worth only what it gains over that."
    )


def _of_bytes(result):
    """Whether the file shrank, and what had to happen for that."""
    file, dense = result.file, result.dense
    if file.file_bytes < 0.97 * dense.file_bytes:
        return (
            f"What was pruned is gone from the file: {file.file_bytes:,} of "
            f"{dense.file_bytes:,} bytes are left, with no encoding."
        )
    left_out = (
        f" or left out ({file.sparse_bytes:,}, a file that LiteRT runs; it puts them back when it "
        "loads it)."
        if file.sparse_bytes < file.file_bytes
        else "; to leave them out saves nothing: there are too few, and where the others stand "
        "takes bytes too."
    )
    return (
        f"The file has {file.file_bytes:,} bytes, as before: a zero takes as many as any other "
        f"weight. It shrinks when the zeros are compressed (gzip: {file.gzip_bytes:,}){left_out}"
    )


def _of_time(result, method):
    """Whether it is faster, and why."""
    why = "The kernels multiply with the zeros too"
    if method == "filters":
        why = "Fewer filters are fewer multiplications"
    if method == "2of4":
        why += "; some GPUs have units that skip 2 of each 4, this processor has none"
    return f"{why}: it runs at {result.times_faster:.2f} times the speed of the unpruned file."


def alt(result, trained, layer):
    file, dense = result.file, result.dense
    words = (
        f"{_pruned_words(file, layer)} Pruned at once: "
        f"{percent(result.measurement.accuracy)}; to the unpruned: {result.comparison}. "
    )
    if trained is not None:
        words += f"Trained: {readout.trained_words(trained)} "
    return words + (
        f"File {file.file_bytes:,} of {dense.file_bytes:,} bytes, gzipped {file.gzip_bytes:,} of "
        f"{dense.gzip_bytes:,}, zeros left out {file.sparse_bytes:,}; "
        f"{result.times_faster:.2f} times the speed."
    )


def _pruned_words(file, layer):
    return (
        f"{100 * file.absent:.1f} % of all weights are pruned, "
        f"{100 * (1 - file.masks[layer].mean()):.1f} % of {layer}."
    )


def _sizes(result):
    pair = result.file, result.dense
    return [(name, *(f"{getattr(x, size):,}" for x in pair)) for name, size in SIZES]


def tables(result, tuned, once, layer, weights, mask):
    rows = [(f"{100 * x:.1f} %", percent(y)) for x, y in sorted(once.items())]
    yield readout.table("Pruned at once", ("zero or gone", "accuracy"), rows)
    if tuned:
        header = ("model", "seed", "zero or gone", "bytes, gzipped", "accuracy", "control",
                  "to its control")  # fmt: skip
        rows = [
            (name, seed, f"{100 * family.absent:.1f} %", *others)
            for family in tuned
            for name, seed, *others in readout.seed_rows(family)
        ]
        yield readout.table("Trained with pruning", header, rows)
    half = float(np.abs(weights).max())
    before, edges = np.histogram(weights, BINS, (-half, half))
    after = np.histogram(weights[mask], edges)[0]
    rows = readout.bins(edges, 3, before, after)
    yield readout.table(f"Weights of {layer}", ("from", "to", "before", "left"), rows)
    rows = [(f"{name}, bytes", *pair) for name, *pair in _sizes(result)]
    times = [readout.duration(x.median_ms) for x in (result.latency, result.dense_latency)]
    yield readout.table("What it buys", ("", "this", "unpruned"), [*rows, ("an image", *times)])
