"""Which calibration images, how many, and read by which observer: the explorer of ranges."""

import warnings
from dataclasses import replace
from functools import partial

import traitlets

import qlab
from qlab.arithmetic.affine import INTEGER_BITS
from qlab.engine.recipes import OBSERVERS, Recipe
from qlab.plots.quantization_panels import CalibrationPanel, RangesPanel, clipped_share, middle
from qlab.system.text import to_csv
from qlab.tflite.pixels import USUAL
from qlab.trials.draws import Calibration, Draw, Pool
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.explorer import Shown, SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import choice, layer_name, number, steps

CHOICES = {
    "random": "random",
    "one class": "one class only",
    "blank": "blank",
    "unscaled": "not divided by 255",
}


class CalibrationExplorer(SweepingExplorer, ModelExplorer):
    """Choose calibration images; several draws of them are calibrated on, and each is scored.

    Weights stay at 8 bits, so that what is seen comes from the activations alone.

    Parameters
    ----------
    model, images, labels, dataset
        As in `ModelExplorer`.
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1), or None
        To draw from; None for the training images of the data set. Of more than 1,024 each draw
        takes 1,024.
    draws : int
        2 to 9.
    **settings
        ``calibration_images_are`` (``random``, ``one class``, ``blank``, ``unscaled``),
        ``observer``, ``activation_bits``, ``calibration_size``, ``layer``.

    Attributes
    ----------
    result : Calibration
    trail : dict of (str, str, int) to dict of int to tuple of float
        For each setting tried (images, observer, activation bits), in order, and each size: the
        accuracies of the draws.

    Raises
    ------
    ValueError
        As `ModelExplorer`; and if `draws` is not 2 to 9.

    Examples
    --------
    >>> test = qlab.data.load().test
    >>> explorer = CalibrationExplorer(images=test.images[:200], labels=test.labels[:200],
    ...                                calibration_images=test.images[200:232], calibration_size=16)
    >>> explorer.activation_bits = 3
    >>> len(explorer.result.accuracies), explorer.result.recipe.calibration_size
    (5, 16)
    >>> sorted(explorer.sweep())
    [1, 2, 4, 8, 16, 32]
    """

    question = "How many calibration images does it take, and which?"
    calibration_images_are = choice("Calibration images", CHOICES, "random")
    observer = choice("Observer", OBSERVERS, "min-max")
    activation_bits = steps("Activation bits", INTEGER_BITS, 8)
    calibration_size = number("Calibration size", traitlets.Int(64), "sizes")
    layer = layer_name()

    def __init__(
        self, model=None, images=None, labels=None, calibration_images=None, draws=5, **settings
    ):
        if draws not in range(2, 10):
            raise ValueError(f"draws is {draws!r}; choose 2 to 9")
        self._asked = draws, calibration_images
        first = None if calibration_images is None else calibration_images[:1024]
        super().__init__(model, images, labels, first, **settings)

    def build(self):
        self._pool = Pool(self.subject.model, *self._asked, self.dataset)
        self._draws, self._kind = [], None
        self.trail = {}
        self.sizes = controls.doublings(self.available)
        self.layer, self.calibration_size = next(iter(self.layers)), min(64, self.available)
        self.job = Job("Score all sizes", self._sweep, self.guard)
        self.save_trail = self.offer("Save the trail as CSV", self.trail_csv)
        return self._picture(), [self.job, self.save_trail]

    @property
    def recipe(self):
        """qlab.Recipe: the settings as they are."""
        return Recipe(
            activation_bits=self.activation_bits,
            observer=self.observer,
            calibration_size=self.calibration_size,
        )

    def sketch(self):
        """Which range is drawn depends on the accuracies, so that both panels wait for them."""
        return "Accuracy of each draw: being measured.", [0, 1]

    def trying(self, hurry):
        """Carry the recipe out on each draw, and measure each file."""
        recipe, draws, trials = self.recipe, self._calibrated(), []
        for draw in draws:
            trials.append(draw.subject.trial(recipe))
            yield None
        return Calibration(
            self.calibration_images_are,
            self.layer,
            tuple(draw.name for draw in draws),
            tuple(trials),
            tuple(x.subject.compressor.activation_range(self.layer, recipe) for x in draws),
        )

    def show(self, result):
        self._remember(result.setting, result.recipe.calibration_size, result.accuracies)
        if self.picture.needs_frame(result.layer):
            every = self.subject.compressor.calibration_images
            self._real = self.subject.compressor.activation_histogram(result.layer, every)
            self._ranges.frame(*self._real, result.layer)
        ranges = self._show_ranges(result)
        tried = self._show_curve(result)
        low, high = (100 * pick(result.accuracies) for pick in (min, max))
        alt = (
            f"With {result.recipe.calibration_size} calibration images accuracy is {low:.2f} to "
            f"{high:.2f} % over {len(result.names)} draws; sizes tried: {tried}. "
            f"Range of {result.layer}, {ranges}."
        )
        notes = [*self._draws[result.middle].subject.compressor.notes(result.recipe)]
        if result.images == "one class":
            classes = "; ".join(f"{i + 1} {name}" for i, name in enumerate(result.names))
            notes.append(f"Each draw sees one class: {classes}.")
        return Shown(alt, cells(result), notes, partial(tables, result, self.trail))

    def sweep(self):
        """Score the sizes 1, 2, 4, ... as the button does; return the draws' accuracies by size."""
        self.all_steps()
        return dict(self.trail[self.result.setting])

    def trail_csv(self):
        """The trail as a table: name, CSV in UTF-8, and words."""
        rows = trail_csv(self.trail)
        return "qlab-calibration.csv", rows, f"{len(rows.splitlines()) - 1} files scored."

    def _calibrated(self):
        """The draws of the chosen kind; those of one kind are kept, about 10 MB each."""
        kind, count = self.calibration_images_are, self._pool.count(self.calibration_images_are)
        if self._kind != kind:
            self._draws, self._kind = [], kind
        for i in range(len(self._draws), count):
            self.job.show(i, count, "calibrating on each draw")
            name, images = self._pool.draw(kind, i)
            subject = self.subject
            if kind != "random" or i > 0:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of blank images, which are chosen here
                    subject = replace(subject, compressor=qlab.Compressor(subject.model, images))
            self._draws.append(Draw(name, subject))
            self.job.clear()
        return self._draws

    def _sweep(self):
        """Score the sizes not scored yet, under the setting of now, whatever is set meanwhile."""
        result, draws = self.result, self._draws
        if result is None:
            raise ValueError("this setting did not work; choose another, then score all sizes")
        wanted = [size for size in self.sizes if size not in self.trail[result.setting]]
        for i, size in enumerate(wanted):
            recipe = result.recipe.replace(calibration_size=size)
            scored = (draw.subject.trial(recipe).measurement for draw in draws)
            self._remember(result.setting, size, tuple(m.accuracy for m in scored))
            if self.result is result:
                self.present(result)
            yield i + 1, len(wanted)

    def _remember(self, setting, size, accuracies):
        """Add to the trail; the setting added to last comes last."""
        self.trail[setting] = self.trail.pop(setting, {}) | {size: accuracies}

    def _picture(self):
        picture = LivePicture(panels=2, width=900, height=350, ratios=(1.1, 1))
        scored = self.subject.float_measurement
        reference = scored.accuracy, scored.interval
        self._curve = picture.put(CalibrationPanel, *reference, self.sizes[-1])
        self._ranges = picture.put(RangesPanel)
        return picture

    def _show_ranges(self, result):
        """Draw what the middle draw saw, and the range of each draw; say what is drawn."""
        k, size = result.middle, result.recipe.calibration_size
        compressor = self._draws[k].subject.compressor
        counts, edges = compressor.activation_histogram(result.layer, size)
        params = compressor.activation_params(result.layer, result.recipe)
        low, high = result.ranges[k]
        clipped = 100 * clipped_share(*self._real, low, high)
        part = f"{clipped:.2g}" if clipped >= 0.01 or clipped == 0 else "under 0.01"
        said = (
            f"draw {k + 1}: {low:.3g} to {high:.3g}, {params.levels} levels\n"
            f"step {float(params.scale):.3g}, clips {part} % of values"
        )
        self._ranges.show(counts, edges, result.ranges, k, params.levels, said)
        return said

    def _show_curve(self, result):
        """Draw accuracy against size; return how many sizes were tried."""
        past = [series for setting, series in self.trail.items() if setting != result.setting]
        now = self.trail[result.setting]
        self._curve.show(now, result.recipe.calibration_size, past)
        return len(now)


def cells(result):
    k, several = result.middle, len(result.names) > 1
    low, high = (percent(pick(result.accuracies)) for pick in (min, max))
    spread = f"{100 * result.spread:.2f} <small>points</small>" if several else "one draw"
    between = f"{low} to {high}" if several else "blank images are all alike"
    model = result.trials[k].model
    pixels = f"pixels are {'0 to 255' if model.takes_pixels else model.pixels or USUAL}"
    holds = "{:.3g} to {:.3g}".format(*result.input_ranges[k])
    return (
        readout.accuracy(result.measurements[k], f"Accuracy of draw {k + 1}"),
        readout.difference(result.comparisons[k], f"Difference to float, draw {k + 1}"),
        readout.cell("Spread over draws", spread, between, f"the middle one is draw {k + 1}"),
        readout.cell("Input of the file", holds, "is what its codes hold;", pixels),
    )


def tables(result, trail):
    of_each = zip(result.names, result.measurements, result.ranges, strict=True)
    draws = [
        (name, percent(m.accuracy), readout.fine_interval(m), f"{low:.4g} to {high:.4g}")
        for name, m, (low, high) in of_each
    ]
    header = ("draw", "accuracy", "95 % interval", f"range of {result.layer}")
    yield readout.table("Draws", header, draws)
    tried = [
        (*setting, f"{size:,}", *(percent(pick(found)) for pick in (min, middle, max)))
        for setting, series in reversed(trail.items())
        for size, found in sorted(series.items())
    ]
    header = ("images", "observer", "activation bits", "size", "worst", "middle", "best")
    yield readout.table("Settings tried", header, tried)


def trail_csv(trail):
    """The trail as CSV, a row for each file scored."""
    head = ("images", "observer", "activation_bits", "calibration_size", "draw", "accuracy")
    rows = (
        (*setting, size, i + 1, accuracy)
        for setting, series in trail.items()
        for size in sorted(series)
        for i, accuracy in enumerate(series[size])
    )
    return to_csv(head, rows)
