"""What does a loud channel do to all the others? The explorer of outliers and equalization."""

from functools import partial

import numpy as np

from qlab.arithmetic.affine import INTEGER_BITS
from qlab.engine.recipes import GRANULARITIES
from qlab.plots.outlier_panels import LOOKS, ChannelsPanel, FactorPanel
from qlab.system.text import to_csv
from qlab.trials.outliers import Rescaler, Rescaling
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown, SweepingExplorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import choice, name_among, rare, steps

FACTORS = (1, 2, 4, 8, 16, 32, 64, 128)
PLACES = {  # a part of the result, and what it is called
    "out_of_first": "Weights out of {}",
    "between": "Activations between",
    "into_second": "Weights into {}",
}


class OutlierExplorer(SweepingExplorer, ModelExplorer):
    """Multiply a few channels of one layer and undo it in the next; each file is made and scored.

    The float model computes the same as before, so that what is lost is lost by rounding alone.
    Activations have 8 bits. The loud channels are the first ones of the layer.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`. The model needs two layers that `equalize` can treat.
    **settings
        ``factor`` (1, 2, 4, ... 128), ``equalized``, ``granularity``, ``weight_bits``,
        ``first_layer``, ``loud_channels``.

    Attributes
    ----------
    result : qlab.trials.outliers.OutlierTrial
        A `Trial` with ``same_predictions`` of the float model, and what the channels hold:
        ``out_of_first``, ``between`` and ``into_second`` have ``ranges``, ``step_sizes`` and
        ``steps``: how many lie between zero and the largest magnitude.
    trail : dict of (str, int, int, str, bool) to dict of int to float
        Accuracy by factor for each setting tried: first layer, loud channels, weight bits,
        granularity, equalized.

    Raises
    ------
    ValueError
        As in `ModelExplorer`; and if no two layers of the model can be equalized.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> explorer = OutlierExplorer(
    ...     images=test.images[:200], labels=test.labels[:200],
    ...     calibration_images=test.images[200:232], granularity="per-tensor")
    >>> explorer.factor = 64
    >>> explorer.result.same_predictions, int(explorer.result.out_of_first.steps[8:].max())
    (200, 9)
    """

    question = "What does a loud channel do to all the others?"
    notes_as = staticmethod(readout.sentences)
    factor = steps("Outlier factor", FACTORS, 1)
    equalized = choice("Equalize", {False: "no", True: "yes"}, False)
    granularity = choice("Granularity", GRANULARITIES, "per-tensor")
    weight_bits = steps("Weight bits", INTEGER_BITS, 8)
    first_layer = name_among("First layer", "first_layers")
    loud_channels = rare(steps("Loud channels", (1, 2, 4, 8, 16), 4))

    def build(self):
        self._rescaler = Rescaler(self.subject, self.calibration_images())
        self.first_layers = tuple(self._rescaler.pairs)
        self.first_layer = self.first_layers[0]
        self.trail = {}
        self.job = Job("Score all factors", self._sweep, self.guard)
        described = lambda: (self.result or self.update()).described  # noqa: E731
        self.download = self.offer("Download this .tflite", self.tflite, described)
        self.save_trail = self.offer("Save the trail as CSV", self.trail_csv)
        return self._picture(), [self.job, self.download, self.save_trail]

    def compute(self):
        """Rescale the float model, quantize it, and measure both."""
        return self._trial(self.factor)

    def show(self, result):
        self._remember(result)
        first, second = result.rescaling.first_layer, result.second_layer
        limits = {place: self._limits(result, place) for place in PLACES}
        if self.picture.needs_frame((first, *limits.values())):
            for place, title in places(result).items():
                of = f"that {second} reads" if place == "into_second" else f"that {first} makes"
                self._panels[place].frame(title, f"channel {of}", len(result.loud), limits[place])
        for place, panel in self._panels.items():
            held = getattr(result, place)
            panel.show(held.ranges, held.step_sizes, result.loud)
        self._show_curves(result)
        return Shown(
            alt(result), cells(result, len(self.subject.labels)), self._notes(result),
            partial(tables, result, self.trail),
        )  # fmt: skip

    def sweep(self):
        """Score all factors, as the button does; return the accuracies by factor."""
        self.all_steps()
        return dict(self.trail[key(self.result)])

    def tflite(self):
        """The file to take away: name, content, and words."""
        result = self.result or self.update()
        name, factor, loud, equalized = result.rescaling
        parts = [f"qlab-{name}-{loud}x{factor}", *(["equalized"] if equalized else [])]
        parts += [f"w{result.recipe.weight_bits}", result.recipe.granularity]
        return self.scored(f"{'-'.join(parts)}.tflite", result.model)

    def trail_csv(self):
        """The trail as a table: name, CSV in UTF-8, and words."""
        head = ("first_layer", "loud_channels", "weight_bits", "granularity", "equalized",
                "factor", "accuracy")  # fmt: skip
        rows = [
            (*setting, *point) for setting, tried in self.trail.items() for point in tried.items()
        ]
        return "qlab-outliers.csv", to_csv(head, rows), f"{len(rows)} files scored."

    def _trial(self, factor):
        changed = Rescaling(self.first_layer, factor, self.loud_channels, self.equalized)
        return self._rescaler.trial(changed, self.granularity, self.weight_bits)

    def _measuring(self):
        """Score the factors that were not scored yet, under the setting of now."""
        if self.result is None:
            raise ValueError("this setting did not work; choose another, then score all factors")
        missing = [x for x in FACTORS if x not in self.trail[key(self.result)]]
        for done, factor in enumerate(missing, 1):
            self._remember(self._trial(factor))
            yield done, len(missing), "scoring all factors"

    def _remember(self, result):
        tried = self.trail.setdefault(key(result), {})
        tried[result.rescaling.factor] = result.measurement.accuracy

    def _picture(self):
        picture = LivePicture(panels=4, width=900, height=330, ratios=(1, 1, 1, 1.15))
        words = "largest magnitude, log scale", "", ""
        self._panels = {
            place: picture.put(ChannelsPanel, label)
            for place, label in zip(PLACES, words, strict=True)
        }
        scored = self.subject.float_measurement
        self._curves = picture.put(FactorPanel, scored.accuracy, scored.interval, FACTORS)
        return picture

    def _limits(self, result, place):
        """Ends of an axis that hold the bars of every factor, so that they are seen to move."""
        plain = getattr(self._rescaler.untouched(result.rescaling.first_layer), place)
        held, largest = getattr(result, place), plain.max()
        shifted = {
            "out_of_first": (*plain * FACTORS[-1], *plain / 127),
            "between": (largest * FACTORS[-1], largest / 255),
            "into_second": plain / FACTORS[-1],
        }
        values = np.concatenate([plain, shifted[place], held.ranges, held.step_sizes[1]])
        alive = values[values > 0]
        return round_to(alive.min() / 1.4), round_to(alive.max() * 1.4)

    def _show_curves(self, result):
        """Draw accuracy by factor, of each kind of file that differs in nothing else."""
        own, here = key(result), (result.rescaling.factor, result.measurement.accuracy)
        curves = {kind: self.trail.get((*own[:3], *kind), {}) for kind in LOOKS}
        self._curves.show(curves, here)

    def _notes(self, result):
        return [*notes(result, len(self.subject.labels)),
                *result.compressor.notes(result.recipe)]  # fmt: skip


def key(result):
    """What a row of the trail is of: everything but the factor."""
    name, _, loud, equalized = result.rescaling
    return name, loud, result.recipe.weight_bits, result.recipe.granularity, equalized


def middle_steps(result, place):
    """Steps of the median loud channel, and of the median of the others."""
    count = getattr(result, place).steps
    return tuple(int(np.sort(count[x])[x.sum() // 2]) for x in (result.loud, ~result.loud))


def places(result):
    """The parts of the result, by what they are called on screen."""
    first, second = result.rescaling.first_layer, result.second_layer
    return {p: words.format(second if p == "into_second" else first) for p, words in PLACES.items()}


def steps_words(count):
    return f"{count} step{'' if count == 1 else 's'}"


def round_to(value):
    return float(f"{value:.3g}")


def alt(result):
    said = [
        f"{words}: the median loud channel reaches {steps_words(loud)} from zero, the median "
        f"of the others {others}."
        for place, words in places(result).items()
        for loud, others in [middle_steps(result, place)]
    ]
    scored = percent(result.measurement.accuracy)
    return f"{' '.join(said)} Accuracy {scored} with factor {result.rescaling.factor}."


def cells(result, images):
    rows = [(words, *middle_steps(result, place)) for place, words in places(result).items()]
    return (
        readout.accuracy(result.measurement),
        readout.difference(result.comparison),
        readout.cell(
            "Float model, rescaled",
            f"{result.same_predictions:,} {readout.badge('measured')}",
            f"of {images:,} predictions are the same",
            "as before it was rescaled",
        ),
        readout.table_cell("Steps from zero, median channel", ("", "loud", "other"), rows),
    )


def notes(result, images):
    """What was done to the float model, and where the channels suffer from it."""
    yield (
        "A bar shows how far a channel reaches. The higher it stands above the line, which "
        "is one step of the grid, the more steps the channel has."
    )
    name, factor, _, equalized = result.rescaling
    second, channels = result.second_layer, len(result.loud)
    loud = int(result.loud.sum())
    first = "The first channel" if loud == 1 else f"The first {loud} channels"
    if factor == 1:
        yield f"{first} of {name} will be the loud ones: move the outlier factor to multiply them."
    else:
        reads = "it" if loud == 1 else "them"
        yield (
            f"{first} of the {channels} that {name} makes are multiplied by {factor}, and {second} "
            f"divides what it reads of {reads} by {factor} again, so that the float model computes "
            "the same as before."
        )
    if equalized:
        yield (
            "Equalization then divides each channel by a scale of its own where it is made, and "
            "multiplies it where it is read, so that it reaches equally far in both layers. It "
            "needs neither images nor training, and the float model again computes the same."
        )
    elif factor > 1:
        yield from _suffering(result, name, second)


def _suffering(result, name, second):
    """Why the channels have few codes left."""
    out, between, into = (middle_steps(result, place) for place in PLACES)
    if result.recipe.granularity == "per-tensor":
        yield (
            "All channels of a tensor share one step, and the one that reaches farthest decides "
            f"how large it is. So the median of the other channels has {steps_words(out[1])} "
            f"from zero to its largest weight out of {name}, and the median loud channel has "
            f"{steps_words(into[0])} to its largest weight into {second}."
        )
        return
    yield (
        f"Each channel has a step of its own where {name} makes it, so none suffers there. The "
        "activations still share one step, because an int8 tensor of activations has one scale: "
        f"the median of the other channels has {steps_words(between[1])} there."
    )
    if np.ptp(result.into_second.step_sizes[:, 0]):
        yield (
            f"And all weights of one output channel of {second} share a step, whichever channel "
            f"they read, so the median loud channel has {steps_words(into[0])} there. (The grey "
            "band holds the steps of all output channels.)"
        )


def tables(result, trail):
    for place, words in places(result).items():
        held = getattr(result, place)
        rows = [
            (i, "loud" if loud else "", f"{reach:.4g}", f"{size:.4g}", f"{count:,}")
            for i, (loud, reach, size, count) in enumerate(
                zip(result.loud, held.ranges, held.step_sizes[1], held.steps, strict=True)
            )
        ]
        header = ("channel", "", "largest magnitude", "one step", "steps from zero")
        yield readout.table(words, header, rows)
    tried = [
        (name, loud, bits, granularity, "yes" if equalized else "no", factor, percent(accuracy))
        for (name, loud, bits, granularity, equalized), points in reversed(trail.items())
        for factor, accuracy in sorted(points.items())
    ]
    header = ("first layer", "loud channels", "weight bits", "granularity", "equalized", "factor",
              "accuracy")  # fmt: skip
    yield readout.table("Settings tried", header, tried)
