"""The explorer of changed answers: which images change class as bits drop."""

from functools import partial
from html import escape

import numpy as np

from qlab.data.doors import names_of
from qlab.engine.recipes import ACTIVATION_BITS, WEIGHT_BITS, Recipe
from qlab.plots.answer_panels import FlipCountsPanel, GalleryPanel
from qlab.trials import flips
from qlab.trials.flips import ALL, KINDS, SAME
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.traits import choice, name_among, steps


class FlipGallery(ModelExplorer):
    """Choose bits; see the images whose class changed, each with both answers.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`.
    class_names : sequence of str, dict or None
        None for those of the data set. Images alone that are not of Fashion-MNIST have none, and
        their classes are called by number.
    **settings
        ``weight_bits``, ``activation_bits``, ``of_class`` (a class name, or ``all``), and ``kind``
        (``all``, ``newly wrong``, ``newly right`` or ``wrong either way``).

    Attributes
    ----------
    result : qlab.trials.flips.Flips

    Raises
    ------
    ValueError
        As `ModelExplorer`; and if a class has no name.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> gallery = FlipGallery(images=test.images[:500], labels=test.labels[:500],
    ...                       calibration_images=test.images[500:520], weight_bits=2)
    >>> flips = gallery.result
    >>> bool((flips.before[flips.shown] != flips.after[flips.shown]).all()), len(flips.shown)
    (True, 24)
    >>> gallery.set(kind="newly wrong", of_class="Shirt")
    >>> set(test.labels[gallery.result.shown].tolist())
    {6}
    """

    notes_as = staticmethod(readout.sentences)
    question = "Which images change class as bits drop?"
    weight_bits = steps("Weight bits", WEIGHT_BITS, 4)
    activation_bits = steps("Activation bits", ACTIVATION_BITS, 8)
    of_class = name_among("Class", "_classes", ALL)
    kind = choice("Kind of change", KINDS, ALL)

    def __init__(
        self,
        model=None,
        images=None,
        labels=None,
        calibration_images=None,
        class_names=None,
        **settings,
    ):
        self._names = class_names
        super().__init__(model, images, labels, calibration_images, **settings)

    def build(self):
        self.class_names = _named(self._names, self.subject)
        self._classes = (ALL, *self.class_names)
        self._trial = None
        return self._picture(), ()

    def compute(self):
        """Score the file that the settings describe, and find what changed."""
        size = self.subject.calibration_size
        recipe = Recipe(self.weight_bits, self.activation_bits, calibration_size=size)
        if self._trial is None or self._trial.recipe != recipe:
            self._trial = self.subject.trial(recipe)
        trial = self._trial
        labels, before = trial.measurement.labels, trial.reference.predictions
        kinds = flips.flip_kinds(labels, before, trial.measurement.predictions)
        matching = np.flatnonzero(self._wanted(kinds, labels))
        return flips.Flips(
            *(trial.recipe, trial.model, trial.measurement, trial.reference, trial.compressor),
            classes=len(self.class_names),
            kinds=kinds,
            matching=matching,
            shown=matching[: GalleryPanel.capacity],
        )

    def show(self, result):
        some = result.shown
        answers = (x[some] for x in (result.measurement.labels, result.before, result.after))
        self._gallery.show(self.subject.images[some], *answers, self._nothing())
        self._counts.show(result.newly_wrong, result.newly_right, self._chosen())
        changed, n = int((result.kinds != SAME).sum()), result.measurement.n
        images_are = result.measurement.images_are
        shown = f"{len(some)} of {len(result.matching):,}"
        cells = (
            readout.accuracy(result.measurement),
            readout.difference(result.comparison),
            readout.cell(
                "Class changed",
                f"{changed:,}",
                f"{100 * changed / n:.2f} % of {n:,} {images_are}",
                f"{shown} shown",
            ),
        )
        said = flips.in_words(result.kinds)
        alt = f"{shown} images whose class changed. Of all {n:,}: {said}."
        return Shown(alt, cells, self._notice(result, changed), partial(self._tables, result))

    def _wanted(self, kinds, labels):
        """Which images pass both filters."""
        wanted = kinds != SAME if self.kind == ALL else kinds == KINDS.index(self.kind)
        return wanted if self._chosen() is None else wanted & (labels == self._chosen())

    def _chosen(self):
        """Index of the class that is looked at; None for all."""
        return None if self.of_class == ALL else self.class_names.index(self.of_class)

    def _picture(self):
        picture = LivePicture(panels=2, width=900, height=475, ratios=(3.9, 1))
        largest = int(np.bincount(np.asarray(self.subject.labels)).max())
        self._gallery = picture.put(GalleryPanel, self.class_names)
        self._counts = picture.put(FlipCountsPanel, self.class_names, largest)
        return picture

    def _nothing(self):
        """What to say if no image passes both filters."""
        among = "" if self.of_class == ALL else f" among {self.of_class}"
        return f"No answer {'changed' if self.kind == ALL else f'is {self.kind}'}{among}."

    def _notice(self, result, changed):
        """What the accuracy hides, and the commonest change."""
        if not changed:
            return ("Every answer is the float model's.",)
        moved = result.comparison
        hides = (
            f"The accuracy moved by {moved.points} points ({moved.interval_words}), but "
            f"{changed:,} answers changed: {flips.in_words(result.kinds)}."
        )
        pair, times = flips.commonest_change(result.before, result.after)
        old, new = (escape(self.class_names[i]) for i in pair)
        return hides, f"The commonest change: {old} becomes {new}, {times:,} times."

    def _tables(self, result):
        names = self.class_names
        rows = zip(names, result.newly_wrong, result.newly_right, strict=True)
        yield readout.table("Changed, by class", ("class", "newly wrong", "newly right"), rows)
        answers = result.measurement.labels, result.before, result.after
        rows = [
            (i, *(names[classes[i]] for classes in answers), KINDS[result.kinds[i]])
            for i in result.shown
        ]
        header = ("image", "what it is", "float32 says", "this file says", "kind")
        yield readout.table("Images shown", header, rows)


def _named(class_names, subject):
    """Names of the classes, as many as the labels and the model's answers need."""
    names = subject.class_names if class_names is None else names_of(class_names)[0]
    needed = 1 + int(max(np.max(subject.labels), subject.float_measurement.predictions.max()))
    if len(names) < needed:
        raise ValueError(
            f"there are {len(names)} class names for {needed} classes; give class_names"
        )
    return names
