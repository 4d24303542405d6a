"""Which layer can be pruned, and how far; and a sparsity for each layer that meets a budget."""

from dataclasses import dataclass
from functools import lru_cache, partial

import traitlets

from qlab.arithmetic.sparsity import SCOPES
from qlab.engine.recipes import Recipe
from qlab.plots.sensitivity_panels import CurvesPanel, RecipesPanel
from qlab.system.steps import mapped
from qlab.tflite.sparse_encoding import sparse_file
from qlab.trials.sensitivity import layers_with, lowered, scan
from qlab.trials.subjects import Trial
from qlab.widgets.kit import readout
from qlab.widgets.kit.controls import LayerBoxes
from qlab.widgets.kit.explorer import Shown, SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import score
from qlab.widgets.kit.traits import (
    FLOAT_OR_INT8,
    WholeWithin,
    by_layer,
    choice,
    number,
    require_known,
)

FIRST = (0.5, 0.8, 0.95)
LEVELS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
CHOICES = (0.0, *LEVELS)
NAMES = {"global": "one threshold", "per-layer": "same share"}


@dataclass(frozen=True, eq=False)
class SparsitySensitivity:
    """What the explorer shows."""

    dense: Trial
    mixed: Trial
    uniform: dict[str, Trial]
    budget_bytes: int

    @property
    def fits(self):
        """bool: whether the mixed recipe meets the budget."""
        return self.mixed.sparse_bytes <= self.budget_bytes


class SparsitySensitivityExplorer(SweepingExplorer, ModelExplorer):
    """Prune one layer at a time; then choose a sparsity for each, and meet a budget of bytes.

    Sizes are of files that leave the zeros out (`qlab.sparse_encoding.sparse_file`), which LiteRT
    runs.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`.
    **settings
        ``layer_sparsity``: for some layers, a sparsity in the learner's recipe; ``budget_bytes``;
        ``weight_bits`` (32, or 8 for weights and activations both).

    Attributes
    ----------
    result : SparsitySensitivity
    recipe : Recipe
        The learner's; `qlab.Compressor.compress` takes it.
    curves : dict of str to dict of float to qlab.trials.sensitivity.LayerTrial
        For each layer, what was measured at each sparsity, at the present bits.

    Examples
    --------
    >>> import qlab
    >>> few = qlab.data.load().validation
    >>> explorer = SparsitySensitivityExplorer(
    ...     images=few.images[:200], labels=few.labels[:200],
    ...     calibration_images=few.images[200:210])
    >>> explorer.layer_sparsity = {"dense1": 0.9}
    >>> explorer.recipe.overrides, explorer.result.fits
    ((('dense1', (('sparsity', 0.9),)),), True)
    """

    question = "Which layer can be pruned, and how far?"
    layer_sparsity = by_layer()
    budget_bytes = number(
        "Budget (bytes)", WholeWithin(1, 1, "largest", ", the float file"), "_stops"
    )
    weight_bits = choice("Weight bits", FLOAT_OR_INT8, 32)
    recipe = traitlets.Instance(Recipe, allow_none=True, read_only=True)

    def build(self):
        self.names = layers_with(self.subject.model, "sparsity")
        self.largest = self.subject.model.file_bytes
        self._trial = self.subject.remembering()
        self._meet = lru_cache(64)(self._least_sparse)
        twentieths = [round(self.largest * i / 20, -3) for i in range(1, 20)]
        self._stops = sorted({int(x) for x in twentieths if x > 0} | {1, self.largest})
        self._measured, self._tried = {}, {}
        self.budget_bytes = round(self.largest / 3, -4) or self.largest
        self.job = Job("Measure more sparsities", self._sweep, self.guard)
        self.download = self.offer("Download your .tflite", self.tflite, lambda: self.recipe)
        heading = "Your recipe: sparsity of each layer"
        options = [(f"{x:g}", x) for x in CHOICES]
        self.table = LayerBoxes(self, "layer_sparsity", self.names, options, 0.0, heading)
        return self._picture(), [self.table, self.job, self.download]

    @property
    def curves(self):
        return self._measured.setdefault(self.weight_bits, {x: {} for x in self.names})

    def trying(self, hurry):
        """Score the learner's recipe, and the uniform ones of the same budget."""
        recipe, budget, uniform = self._mixed(), self.budget_bytes, {}
        for _ in self._scan(FIRST):
            yield None
        dense = yield from self._trial.trying(self._base())
        for scope in SCOPES:
            met = self._meet(scope, budget, self.weight_bits)
            if met is not None:
                uniform[scope] = yield from self._trial.trying(met)
        scoring = self._trial.trying(recipe, hurry=hurry)
        return (
            yield from mapped(
                lambda mixed: SparsitySensitivity(dense, mixed, uniform, budget), scoring
            )
        )

    def sketch(self):
        """The rings on the curves move at once, where the curves are known."""
        self._follow(self._mixed())
        known = all(set(FIRST) <= set(curve) for curve in self.curves.values())
        if known:
            self._draw_curves(self._trial(self._base()))
        return "Accuracy of your recipe: being measured.", [1] if known else [0, 1]

    def _follow(self, recipe):
        """Let the boxes say what is set."""
        self.set_trait("recipe", recipe)
        self.table.show()

    def _mixed(self):
        require_known(self.layer_sparsity, self.names, "layer with weights")
        pruned = {name: x for name, x in self.layer_sparsity.items() if x != 0}
        return lowered(self._base(), pruned, "sparsity")

    def show(self, result):
        self._follow(result.mixed.recipe)
        self._show_curves(result)
        self._show_recipes(result)
        words = alt(result, self.curves)
        said = notes(result, len(self.names) * len(LEVELS))
        return Shown(words, cells(result), said, partial(tables, result, self.curves))

    def scan(self):
        """Measure each layer at all sparsities, as the button does; return the `curves`."""
        self.all_steps()
        return self.curves

    def tflite(self):
        """The learner's recipe as a file without the zeros: name, content, and words."""
        model = (self.result or self.update()).mixed.sparse
        return self.scored("qlab-sparse-mixed.tflite", model)

    def _base(self, bits=None, **settings):
        """The recipe in which nothing is pruned, unless the settings say so."""
        bits, size = bits or self.weight_bits, self.subject.calibration_size
        return Recipe(bits, bits, calibration_size=size, **settings)

    def _least_sparse(self, scope, budget, bits):
        """Of one scope, the recipe of fewest zeros in a budget, in steps of 1 %; or None."""
        low, high = -1, 100  # percent: too large, and small enough
        made = {100: None}
        while high - low > 1:
            middle = (low + high) // 2
            made[middle] = self._base(bits, sparsity=middle / 100, sparsity_scope=scope)
            file = sparse_file(self.subject.compressor.compress(made[middle]))
            small = file.file_bytes <= budget
            low, high = (low, middle) if small else (middle, high)
        return made[high]

    def _scan(self, levels):
        """Steps of pruning one layer at a time; what is known is not measured again."""
        curves, subject = self.curves, self.subject
        missing = [x for x in levels if any(x not in curve for curve in curves.values())]
        total, done, words = len(missing) * len(self.names), 0, "pruning one layer after the other"
        for level in missing:
            scored = subject.compressor, subject.images, subject.labels
            entries = scan(*scored, level, self._base(), "sparsity", len(LEVELS))
            for entry in entries:
                curves[entry.layer][level] = entry
                done += 1
                if not self.job.running:
                    self.job.show(done, total, words)
                yield done, total, words
        if not self.job.running:
            self.job.clear()

    def _measuring(self):
        return self._scan(LEVELS)

    def _picture(self):
        picture = LivePicture(panels=2, width=900, height=320)
        reference = self.subject.float_measurement.accuracy
        self._panel = picture.put(CurvesPanel, reference, self.names)
        axis = "file without its zeros (KB)"
        self._recipes = picture.put(RecipesPanel, reference, self.largest, axis)
        return picture

    def _show_curves(self, result):
        self._draw_curves(result.dense)

    def _draw_curves(self, dense):
        """Draw the layers' curves; mark what the learner chose, where it is measured."""
        curves = {
            name: {x: entry.measurement.accuracy for x, entry in curve.items()}
            for name, curve in self.curves.items()
        }
        chosen = [
            (x, curves[name][x])
            for name, x in self.layer_sparsity.items()
            if x in curves.get(name, {})
        ]
        self._panel.show(dense.measurement, curves, chosen)

    def _show_recipes(self, result):
        """Draw the learner's recipe beside the uniform ones."""
        mixed = result.mixed
        if self.subject.is_whole(mixed):
            self._tried[mixed.recipe] = mixed.sparse_bytes, mixed.measurement.accuracy
        earlier = [point for recipe, point in self._tried.items() if recipe != mixed.recipe]
        best_first = sorted(result.uniform.items(), key=lambda x: -x[1].measurement.accuracy)
        uniform = {NAMES[scope]: (x.sparse_bytes, x.measurement) for scope, x in best_first}
        mine = mixed.sparse_bytes, mixed.measurement
        self._recipes.show(mine, uniform, earlier, result.budget_bytes)


def alt(result, curves):
    mixed, level = result.mixed, FIRST[1]
    each = [curve[level] for curve in curves.values()]
    worst = min(each, key=lambda x: (x.measurement.accuracy, x.layer))
    return (
        f"{worst.layer} hurts most when it alone is {100 * level:.0f} % sparse: {score(worst)}. "
        f"Your recipe has {score(mixed)} at {mixed.sparse_bytes:,} bytes, "
        f"{'within' if result.fits else 'over'} the budget of {result.budget_bytes:,}."
    )


def cells(result):
    mixed, over = result.mixed, result.mixed.sparse_bytes - result.budget_bytes
    family = 1 + len(result.uniform)
    made = [
        readout.accuracy(mixed.measurement, "Accuracy of your recipe"),
        readout.difference(mixed.compared_with(result.dense, family), "Difference to unpruned"),
        readout.cell(
            "Size of your recipe",
            f"{mixed.sparse_bytes:,} <small>bytes</small>",
            f"<b>over the budget</b> by {over:,}" if over > 0 else "<b>within the budget</b>",
            f"{result.dense.sparse_bytes:,} with nothing pruned",
        ),
    ]
    return made + [
        readout.difference(
            mixed.compared_with(trial, family), f"Difference to {NAMES[scope]}, in budget"
        )
        for scope, trial in result.uniform.items()
    ]


def notes(result, prunings):
    said = ["Sizes are of files that leave the zeros out; the usual file stays as large."]
    for scope in SCOPES:
        trial, met = result.uniform.get(scope), ": no sparsity meets this budget."
        if trial is not None:
            met = f" meets it from {100 * trial.recipe.sparsity:.0f} % on, with {score(trial)}."
        said.append(f"{NAMES[scope].capitalize()} for all layers{met}")
    said += readout.at_once(1 + len(result.uniform), "recipes")
    return said + readout.at_once(prunings, "prunings of one layer")


def tables(result, curves):
    rows = [
        (name, f"{level:g}", score(entry), str(entry.comparison))
        for name, curve in curves.items()
        for level, entry in sorted(curve.items())
    ]
    header = ("layer", "sparsity", "accuracy", "to the unpruned")
    yield readout.table("One layer pruned", header, rows)
    made = {"yours": result.mixed, "unpruned": result.dense}
    made |= {NAMES[scope]: x for scope, x in result.uniform.items()}
    rows = [(name, score(x), f"{x.sparse_bytes:,}") for name, x in made.items()]
    yield readout.table("Recipes", ("recipe", "accuracy", "bytes without zeros"), rows)
