"""Which layer hurts most when it gets fewer bits, and what a mix of bits makes of that."""

from dataclasses import dataclass
from functools import cached_property, partial

import traitlets

from qlab.arithmetic.affine import INTEGER_BITS
from qlab.engine.recipes import ROUNDING_CHOICES, Recipe
from qlab.plots.sensitivity_panels import RecipesPanel, SensitivityPanel
from qlab.system.steps import finished, mapped
from qlab.trials.sensitivity import WHICH, LayerTrial, layers_with, lowered, scan
from qlab.trials.subjects import Trial
from qlab.widgets.kit import readout
from qlab.widgets.kit.controls import LayerBoxes
from qlab.widgets.kit.explorer import Shown
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import fine_interval, score
from qlab.widgets.kit.traits import (
    by_layer,
    choice,
    require_known,
    rounding,
    rounding_of,
    steps,
)

NAMES = {"weight_bits": "weights", "activation_bits": "activations", "both": "both"}


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What the explorer shows."""

    entries: tuple[LayerTrial, ...]
    mixed: Trial
    uniform: dict[int, Trial]

    @cached_property
    def comparison(self):
        """Comparison from 8 bits everywhere to the mixed recipe."""
        return self.compared(8)

    def compared(self, bits):
        """Comparison from a uniform recipe to the mixed one."""
        return self.mixed.compared_with(self.uniform[bits], family=len(self.uniform))


class SensitivityExplorer(ModelExplorer):
    """Lower one layer at a time; then choose bits for each layer, and score that mix.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`.
    base : Recipe or None
        What is kept where nothing is lowered; None for int8.
    **settings
        ``bits`` for the one layer, ``lowered`` (``weight_bits``, ``activation_bits``, ``both``),
        ``rounding`` of all weights (as in `QuantizationExplorer`; at first that of the base), and
        ``layer_bits``: for some layers, bits in the mixed recipe.

    Attributes
    ----------
    result : Sensitivity
    recipe : Recipe
        The mixed recipe; `qlab.Compressor.compress` takes it, and
        ``QuantizationExplorer(overrides=...)`` takes its ``overrides``.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> explorer = SensitivityExplorer(images=test.images[:300], labels=test.labels[:300],
    ...                                calibration_images=test.images[300:310])
    >>> explorer.layer_bits = {"dense1": 4}
    >>> explorer.recipe.overrides, explorer.result.mixed.packed_bytes
    ((('dense1', (('weight_bits', 4),)),), 47872)
    """

    question = "Which layer hurts most when it gets fewer bits?"
    bits = steps("Bits of the one layer", INTEGER_BITS, 3)
    lowered = choice("What is lowered", NAMES, "weight_bits")
    rounding = rounding()
    layer_bits = by_layer()
    recipe = traitlets.Instance(Recipe, allow_none=True, read_only=True)

    def __init__(
        self, model=None, images=None, labels=None, calibration_images=None, base=None, **settings
    ):
        self._asked_base = Recipe() if base is None else base
        super().__init__(model, images, labels, calibration_images, **settings)

    def build(self):
        base = self._asked_base
        self.base = base.replace(calibration_size=min(base.calibration_size, self.available))
        self.rounding = rounding_of(base)
        self._trial = self.subject.remembering()
        self._scans, self._tried = {}, {}
        self.job = Job("Lower all layers too close to call", self._lower_harmless, self.guard)
        self.download = self.offer("Download the mixed .tflite", self.tflite, lambda: self.recipe)
        model = self.subject.model
        some = {name for which in WHICH for name in layers_with(model, which)}
        self.names = tuple(layer.name for layer in model.layers if layer.name in some)
        heading = "Your recipe: bits of each layer"
        self.table = LayerBoxes(self, "layer_bits", self.names, INTEGER_BITS, 8, heading)
        return self._picture(), [self.table, self.job, self.download]

    def trying(self, hurry):
        """Lower each layer, unless that is known; score the mixed recipe."""
        recipe = self._mixed()
        entries, uniform = (yield from self._scanning()), {}
        for bits in (8, 4):
            uniform[bits] = yield from self._trial.trying(self._uniform(bits))
        scoring = self._trial.trying(recipe, hurry=hurry)
        return (yield from mapped(lambda mixed: Sensitivity(entries, mixed, uniform), scoring))

    def sketch(self):
        """The bars stay as they are while only the mixed recipe is new."""
        self._follow(self._mixed())
        bars_are_known = self._setting in self._scans
        return "Accuracy of your recipe: being measured.", [1] if bars_are_known else [0, 1]

    def _follow(self, recipe):
        """Let the boxes say what is set."""
        self.set_trait("recipe", recipe)
        self.table.show(layers_with(self.subject.model, self.lowered))

    def show(self, result):
        self._follow(result.mixed.recipe)
        names = [entry.layer for entry in result.entries]
        title = f"One layer's {self._words} at {self.bits} bits"
        rounded = ROUNDING_CHOICES[self.rounding][0]
        if self.picture.needs_frame((title, rounded, names)):
            self._bars.frame(names, f"{title}, others at 8\nrounding: {rounded}")
        self._bars.show(result.uniform[8].measurement, result.entries)
        self._show_recipes(result)
        mixed = result.mixed
        worst = min(result.entries, key=lambda entry: entry.measurement.accuracy)
        alt = (
            f"{title}, all others at 8, rounding {rounded}: {worst.layer} hurts most, "
            f"{worst.comparison}. The mixed recipe has {score(mixed)} at "
            f"{mixed.packed_bytes:,} bytes."
        )
        notes = list(self.subject.compressor.notes(mixed.recipe))
        notes += readout.at_once(len(result.entries), "layers")
        notes += readout.at_once(len(result.uniform), "uniform recipes")
        if self.lowered != "activation_bits" and {3, 5, 6, 7} & {*self.layer_bits.values()}:
            notes.append(
                "LiteRT has no form of 3, 5, 6 or 7 bits: in a packed file, weights of 3 bits take "
                "4, and those of 5 to 7 bits take 8."
            )
        tables = partial(_tables, result, f"{title}, rounding {rounded}")
        return Shown(alt, _cells(result), notes, tables)

    def tflite(self):
        """The mixed recipe as a file, packed: name, content, and words."""
        model = (self.result or self.update()).mixed.model.packed()
        return self.scored("qlab-mixed.tflite", model)

    def lower_harmless(self):
        """Give the chosen bits to each layer whose loss, alone, is too close to call."""
        for _ in self._lower_harmless():
            pass
        return self.recipe

    def _lower_harmless(self):
        entries = finished(self._scanning())
        harmless = [x.layer for x in entries if x.comparison.within_noise]
        self.layer_bits = dict.fromkeys(harmless, self.bits)
        yield 1, 1

    @property
    def _words(self):
        return "weights and activations" if self.lowered == "both" else NAMES[self.lowered]

    @property
    def _rounded(self):
        """The base, rounded as the setting says."""
        if self.rounding == rounding_of(self.base):
            return self.base
        return self.base.replace(**ROUNDING_CHOICES[self.rounding][1])

    def _mixed(self):
        """The recipe that the drop-downs describe; a layer at 8 bits needs no override."""
        require_known(self.layer_bits, self.names, "layer")
        may = layers_with(self.subject.model, self.lowered)
        bits = {x: b for x, b in self.layer_bits.items() if b != 8 and x in may}
        return lowered(self._rounded, bits, self.lowered)

    def _uniform(self, bits):
        """The base with all layers at these bits."""
        names = ("weight_bits", "activation_bits") if self.lowered == "both" else (self.lowered,)
        return self._rounded.replace(**dict.fromkeys(names, bits), overrides=())

    @property
    def _setting(self):
        return self.bits, self.lowered, self.rounding

    def _scanning(self):
        """Steps of lowering each layer, once for each setting; a bar shows how far it is."""
        setting, subject, entries = self._setting, self.subject, []
        if setting not in self._scans:
            total = len(layers_with(subject.model, self.lowered))
            base = self._rounded.replace(overrides=())
            steps = scan(
                subject.compressor, subject.images, subject.labels, self.bits, base, self.lowered
            )
            for entry in steps:
                entries.append(entry)
                self.job.show(len(entries), total, "lowering one layer after the other")
                yield None
            self.job.clear()
            self._scans[setting] = tuple(entries)
        return self._scans[setting]

    def _picture(self):
        height = max(300, 70 + 48 * len(self.names))
        picture = LivePicture(panels=2, width=900, height=height, ratios=(1.2, 1))
        reference = self.subject.float_measurement.accuracy
        eight = self.subject.compressor.compress(self._uniform(8)).packed_bytes
        self._bars = picture.put(SensitivityPanel, reference, len(self.names))
        self._recipes = picture.put(RecipesPanel, reference, eight)
        return picture

    def _show_recipes(self, result):
        """Draw the mixed recipe beside the uniform ones."""
        mixed = result.mixed
        if mixed.recipe.overrides and self.subject.is_whole(mixed):
            self._tried[mixed.recipe] = mixed.packed_bytes, mixed.measurement.accuracy
        earlier = [point for recipe, point in self._tried.items() if recipe != mixed.recipe]
        uniform = {
            f"all {b} bits": (c.packed_bytes, c.measurement) for b, c in result.uniform.items()
        }
        self._recipes.show((mixed.packed_bytes, mixed.measurement), uniform, earlier)


def _sizes(result):
    """Recipe, and the size of its packed file."""
    named = {"mixed": result.mixed, "8 bits": result.uniform[8], "4 bits": result.uniform[4]}
    for name, x in named.items():
        yield name, x, f"{x.packed_bytes:,}"


def _cells(result):
    mixed = result.mixed
    rows = [(name, *sizes) for name, _, *sizes in _sizes(result)]
    return (
        readout.accuracy(mixed.measurement, "Accuracy of your recipe"),
        readout.difference(result.comparison, "Difference to 8 bits everywhere"),
        readout.difference(result.compared(4), "Difference to 4 bits everywhere"),
        readout.table_cell("Size in bytes", ("", "packed file"), rows),
    )


def _tables(result, title):
    rows = [
        (
            x.layer,
            score(x),
            fine_interval(x.measurement),
            str(x.comparison),
            f"{x.bytes_saved:,}",
        )
        for x in result.entries
    ]
    header = ("layer lowered", "accuracy", "95 % interval", "to 8 bits", "bytes saved")
    yield readout.table(title, header, rows)
    rows = [(name, score(x), *sizes) for name, x, *sizes in _sizes(result)]
    yield readout.table("Recipes", ("recipe", "accuracy", "packed file"), rows)
