"""How few bits does a language model need? The explorer of text."""

from functools import lru_cache, partial
from html import escape

import ipywidgets
import numpy as np

import qlab
from qlab.arithmetic.results import MINUS
from qlab.data import texts
from qlab.engine.recipes import GRANULARITIES, ROUNDING_CHOICES, WEIGHT_BITS, Recipe
from qlab.plots.quantization_panels import WeightPanel
from qlab.plots.text_panels import TextTradeoffPanel
from qlab.system.steps import finished
from qlab.system.text import to_csv
from qlab.trials import language
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown, SweepingExplorer, _loop
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.traits import (
    FloatWithin,
    WholeWithin,
    by_layer,
    choice,
    layer_name,
    number,
    rare,
    rounding,
    steps,
    words,
)

WEIGHT_BINS = 60
SMALLEST = 60_000  # bytes at the left end of the sizes
PROMPT = "ROMEO.\nWhat light is that"
LEVELS = (1, 2.5, 4, 6)  # bits of surprise at which the tint changes
SHADES = ("hardly", "a little", "rather", "much", "very much")
SHOWN_EACH = 6  # characters between two messages to the page
ROW = 32  # characters a row of the table
PAGE = """<div class="qlab-texts">{}</div>"""
COLUMN = """<div role="group" aria-label="{0}"><div class="qlab-name">{0}</div><div
class="qlab-text" tabindex="0" role="textbox" aria-readonly="true" aria-multiline="true"
aria-label="{0}"><span class="qlab-prompt">{1}</span>{2}</div></div>"""
MARK = "\N{BLACK RIGHT-POINTING TRIANGLE}"
PARTING = f'<b class="qlab-parting" title="here the texts part">{MARK}</b>'


class TextExplorer(SweepingExplorer):
    """Choose bits; a real `.tflite` file is scored on text, and it writes beside the float model.

    Parameters
    ----------
    text : str or None
        To score on; None for 9,984 characters of two plays that the models have never seen.
        Characters that the models do not know are left out.
    **settings
        ``model_name`` (``large``, ``small``), ``weight_bits``, ``rounding``, ``granularity``,
        ``prompt``, ``temperature`` (0 takes the likeliest character), ``seed``, ``length``,
        ``calibration`` (``verse``, ``prose``), ``layer``, and one that has no control:
        ``overrides`` (settings of single layers, as in `qlab.Recipe`).

    Attributes
    ----------
    result : qlab.trials.language.TextTrial
        ``recipe``, ``model``, ``measurement``, ``comparison``, ``sizes``.
    written : dict of str to list of qlab.trials.language.Written
        What this file and the float model wrote so far.
    trail : list of tuple
        Every recipe tried: model, weight bits, rounding, granularity, bits, bytes gzipped.

    Raises
    ------
    ValueError
        If the text is too short, or not in English letters.

    Examples
    --------
    >>> import qlab
    >>> from qlab.data import texts
    >>> explorer = TextExplorer(texts.load("validation")[:2000], model_name="small", length=8)
    >>> explorer.weight_bits = 2
    >>> explorer.result.comparison.mean > 0.1, len(explorer.write()["this file"])
    (True, 8)
    """

    question = "How few bits does a language model need?"
    notes_as = staticmethod(readout.sentences)
    model_name = choice("Model", tuple(language.MODELS), "large")
    weight_bits = steps("Weight bits", WEIGHT_BITS, 8)
    rounding = rounding()
    granularity = choice("Granularity", GRANULARITIES, "per-channel")
    prompt = words("Prompt", PROMPT)
    temperature = rare(
        number("Temperature", FloatWithin(0.8, 0, 2), (0.0, 0.2, 0.5, 0.8, 1.0, 1.5, 2.0))
    )
    seed = rare(number("Seed", WholeWithin(0, 0, 9), tuple(range(10))))
    length = rare(number("Characters", WholeWithin(300, 1, 2000), (50, 100, 300, 600, 1000, 2000)))
    calibration = rare(choice("Calibration text", ("verse", "prose"), "verse"))
    layer = rare(layer_name())
    overrides = by_layer()

    def __init__(self, text=None, **settings):
        super().__init__()
        self._windows = None if text is None else texts.own(text)
        self._subject = lru_cache(4)(self._prepared)
        small = qlab.pretrained(f"{language.MODELS['small']}-seed0")
        self.layers = [x.name for x in small.layers if x.weights is not None]  # both have these
        self.layer = self.layers[-2]
        self.trail, self._last, self.written = [], None, {"this file": [], "float": []}
        self.page = ipywidgets.HTML()
        self.job = Job("Write on", self._sweep, self.guard, kept="what was written")
        self.download = self.offer("Download this .tflite", self.tflite, lambda: self.recipe)
        self.save_trail = self.offer("Save the trail as CSV", self.trail_csv)
        actions = [self.job, self.download, self.save_trail]
        self.assemble(self.controls(), self._picture(), actions, settings)

    def _prepared(self, name, calibration):
        found = language.language_subject(language.MODELS[name], calibration)
        if self._windows is None:
            return found
        return language.TextSubject(found.compressor, self._windows)

    @property
    def subject(self):
        """qlab.trials.language.TextSubject: the model, and the text that scores it."""
        return self._subject(self.model_name, self.calibration)

    @property
    def recipe(self):
        """qlab.Recipe: the settings as they are."""
        return Recipe(
            self.weight_bits, 32, self.granularity, calibration_size=language.CALIBRATION,
            overrides=self.overrides, **ROUNDING_CHOICES[self.rounding][1],
        )  # fmt: skip

    def trying(self, hurry):
        """Make the file that the settings describe, and score it."""
        texts.encode(self.prompt)  # says which character the models do not know
        if not self.prompt:
            raise ValueError("the prompt is empty; write a character or more, such as 'ROMEO.'")
        return self.subject.trying(self.recipe, self.job.show_other)

    def compute(self):
        return finished(self.trying(hurry=False))

    def sketch(self):
        self.page.value = ""
        return f"{self._show_weights()} Bits a character: being measured.", [1]

    def show(self, result):
        own = (self.model_name, result.recipe)
        if own != self._last:
            self._last = own
            self.trail.append(
                (self.model_name, self.weight_bits, self.rounding, self.granularity,
                 round(result.measurement.mean, 4), result.gzip_bytes)
            )  # fmt: skip
        here = result.gzip_bytes, result.measurement.mean
        words = self._show_weights()
        tried = [(x[0], x[-1], x[-2]) for x in self.trail]
        self._tradeoff.show(tried, result.measurement.interval, here)
        alt = f"{words} {here[1]:.3f} bits a character at {here[0]:,} bytes gzipped."
        return Shown(alt, cells(result), self._notes(result), partial(self._tables, result))

    def write(self):
        """Write on from the prompt, as the button does; return what was `written`."""
        self.all_steps()
        return self.written

    def tflite(self):
        """The file to take away, packed, scored once more: name, content, and words."""
        result = self.result or self.update()
        model = result.model.packed()
        score = language.score_text(model, self.subject.windows)
        name = f"qlab-language-{self.model_name}-w{self.weight_bits}-{self.rounding}.tflite"
        return name.replace(" ", "-"), model.data, f"Scored again as it is: {score}."

    def trail_csv(self):
        """The trail as a table: name, CSV in UTF-8, and words."""
        head = ("model", "weight_bits", "rounding", "granularity", "bits", "gzip_bytes")
        return "qlab-language.csv", to_csv(head, self.trail), f"{len(self.trail)} files scored."

    def _below(self):
        """The two texts, below the picture."""
        yield "below", self.page

    def _begin(self):
        super()._begin()
        self.written = {"this file": [], "float": []}

    def _finish(self, result):
        found = super()._finish(result)
        self.page.value = ""
        if _loop() is not None:  # a page that can follow it
            self.job.start()
        return found

    def _sweep(self):
        """Write with both models at once, a character each; then the table is of all of it."""
        if self.result is None:
            raise ValueError("this setting did not work; choose another, and it goes on writing")
        how = self.prompt, self.length, self.temperature, self.seed
        models = self.result.model, self.subject.compressor.model
        writers = [language.write(model, *how) for model in models]
        self.written = {"this file": [], "float": []}
        for done, each in enumerate(zip(*writers, strict=True), 1):
            for written, character in zip(self.written.values(), each, strict=True):
                written.append(character)
            if done % SHOWN_EACH == 1 or done == self.length:
                self.page.value = page(self.prompt, self.written)
            yield done, self.length, "writing"
        self.present(self.result)

    def _picture(self):
        picture = LivePicture(panels=2, height=280)
        self._weights = picture.put(WeightPanel)
        large = self._subject("large", self.calibration)
        reference = large.compressor.model.gzip_bytes, large.float_measurement.mean
        self._tradeoff = picture.put(TextTradeoffPanel, reference, SMALLEST)
        return picture

    def _show_weights(self):
        """Draw the grid over the weights of the layer shown; say in words what is drawn."""
        compressor, layer = self.subject.compressor, self.layer
        plan = compressor.plan(self.recipe)
        weights = compressor.model.layer(layer).weights
        if self.picture.needs_frame((self.model_name, layer)):
            self._weights.frame(*np.histogram(weights, WEIGHT_BINS), layer)
        params = plan.stored[layer].params
        if params is None:
            note = f"float{plan.weight_bits[layer]}, no grid"
            self._weights.show(None, 0, note)
        else:
            scales = np.size(params.scale)
            note = f"{params.levels} levels, {scales} scale{'s' if scales > 1 else ''}"
            self._weights.show(params.scale, params.q_max, note)
        return f"Weights of {layer}: {note}."

    def _notes(self, result):
        yield (
            f"Scored on {result.measurement.n:,} characters of "
            f"{'your text' if self._windows is not None else 'two plays that it has never seen'}, "
            f"each with 32 to {texts.CONTEXT} characters before it. Only the weights are rounded; "
            "the arithmetic stays in float."
        )
        if len(self.prompt) > texts.CONTEXT:
            yield f"The model sees only the last {texts.CONTEXT} characters of your prompt."
        if self.written["float"]:
            yield parting_words(self.written)

    def _tables(self, result):
        head = (
            "model",
            "weight bits",
            "rounding",
            "granularity",
            "bits a character",
            "bytes, gzipped",
        )
        rows = [(*x[:2], ROUNDING_CHOICES[x[2]][0], x[3], f"{x[4]:.3f}", f"{x[5]:,}")
                for x in self.trail]  # fmt: skip
        yield readout.table("Recipes tried", head, rows)
        if self.written["float"]:
            yield readout.table(
                "What was written, and how many bits of surprise each row cost its writer",
                ("characters", "this file", "bits", "float", "bits"),
                written_rows(self.written),
            )


def cells(result):
    low, high = result.measurement.interval
    more = result.comparison
    sizes = result.sizes
    return (
        readout.cell(
            "Bits a character",
            f"{result.measurement.mean:.3f} {readout.badge('measured')}",
            f"95 % interval {low:.3f} to {high:.3f}",
            f"{result.measurement.n:,} characters",
        ),
        readout.cell(
            "Difference to float",
            signed(more.mean),
            f"95 % interval {signed(more.interval[0])} to {signed(more.interval[1])}",
            f"float: {result.reference.mean:.3f}",
        ),
        readout.sizes(sizes),
    )


def signed(bits):
    return f"{bits:+.3f}".replace("-", MINUS)


def level(bits):
    """Which of the `SHADES` a surprise of so many bits has."""
    return int(np.searchsorted(LEVELS, bits, side="right"))


def parted(written):
    """After how many characters two texts part; None while they are the same."""
    pairs = zip(*written.values(), strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a.character != b.character), None)


def parting_words(written):
    place, many = parted(written), len(written["float"])
    if place is None:
        return f"Both wrote the same {many:,} characters, because they drew with the same chances."
    return (
        f"Both drew with the same chances, and their texts part after {place:,} characters. One "
        "other character is enough, because everything that follows is written after it."
    )


def page(prompt, written):
    """Both texts in HTML: each character tinted by how much it surprised its writer."""
    names = {"this file": "This file writes", "float": "The float model writes"}
    place = parted(written)
    columns = (
        COLUMN.format(names[who], escape(prompt), "".join(_spans(text, place)))
        for who, text in written.items()
    )
    return PAGE.format("".join(columns)) + KEY


def _spans(text, place):
    """Runs of characters of one tint."""
    run, last = [], None
    for i, (character, bits) in enumerate(text):
        now = level(bits)
        if run and (now != last or i == place):
            yield f'<span class="qlab-surprise-{last}">{escape("".join(run))}</span>'
            run = []
        if i == place:
            yield PARTING
        run.append(character)
        last = now
    if run:
        yield f'<span class="qlab-surprise-{last}">{escape("".join(run))}</span>'


KEY = (
    '<div class="qlab-small">How much each character surprised its writer: '
    + ", ".join(
        f'<span class="qlab-surprise-{i}">{words_}</span>' for i, words_ in enumerate(SHADES)
    )
    + "; a triangle stands where the texts part.</div>"
)


def written_rows(written):
    for start in range(0, len(written["float"]), ROW):
        row = [start]
        for text in written.values():
            part = text[start : start + ROW]
            row += ["".join(x.character for x in part), f"{sum(x.bits for x in part):.1f}"]
        yield (f"{row[0] + 1} to {start + len(part)}", *row[1:])
