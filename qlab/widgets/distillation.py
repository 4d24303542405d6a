"""What does a teacher's answer say that a label does not? The explorer of distillation."""

from __future__ import annotations

import numpy as np
import traitlets

import qlab
from qlab.arithmetic.distillation import class_similarity, loss_terms, softened
from qlab.plots.distillation import AnswerPanel, GridPanel, PullPanel, SimilarityPanel
from qlab.trials.distillation_scores import Answers, grid, settings
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.explorer import Explorer
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.readout import difference_cell, mean_cell, verdict

TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0)
ALPHAS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
CURVE = np.geomspace(TEMPERATURES[0], TEMPERATURES[-1], 25)
CURVE_IMAGES = 1_000  # the gradients' curves are means over so many
NAMES = {"soft": "with T²", "soft_without_factor": "without T²", "hard": "labels"}


class DistillationExplorer(Explorer):
    """Soften a teacher's answers, and see what students made of them.

    Answers, loss and gradients are computed anew from LiteRT's logits at every step; the shipped
    students of a setting are scored when they are first chosen; the grid over temperature and alpha
    was measured earlier.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28, 1), or None
        To score on; None for the 10,000 test images. Every class must occur.
    labels : ndarray of int, shape (n,), or None
    **settings
        ``temperature`` (0.5 to 20), ``alpha`` (0 to 1), ``garment`` (a class's name), ``example``
        (1 is the image of that class of which the teacher is least certain), and ``students``
        (which of the shipped ones).

    Attributes
    ----------
    result : dict
        ``teacher`` and ``student``, probabilities of the garment shown, ``terms``, its
        `qlab.distillation.LossTerms`, ``similarity``, ``arms``, the scored students, and ``grid``.

    Raises
    ------
    ValueError
        If images do not fit, or a shipped file is missing or altered.

    Examples
    --------
    >>> test = qlab.data.load().test
    >>> explorer = DistillationExplorer(images=test.images[:300], labels=test.labels[:300])
    >>> explorer.set(temperature=1, garment="Shirt")
    >>> sure = explorer.result["teacher"].max()
    >>> explorer.temperature = 8
    >>> bool(explorer.result["teacher"].max() < sure)
    True
    """

    question = "What does a teacher's answer say that a label does not?"
    temperature = traitlets.Float(4.0).tag(setting=True)
    alpha = traitlets.Float(0.9).tag(setting=True)
    garment = traitlets.Unicode("Shirt").tag(setting=True)
    example = traitlets.Int(1).tag(setting=True)
    students = traitlets.Unicode().tag(setting=True)

    def __init__(self, images=None, labels=None, **given):
        """Ask the teacher, lay out, and score the first students."""
        super().__init__()
        if (images is None) != (labels is None):
            raise ValueError("images and labels belong together: give both, or neither")
        dataset = qlab.data.load()
        self.names = dataset.class_names
        if images is None:
            images, labels = dataset.test.images, dataset.test.labels
        self.answers = Answers(images, labels)
        self._choices = {_words(*key): key for key in settings()}
        self.students, self._framed = next(iter(self._choices)), None
        self.assemble(self._controls(), self._picture(), settings=given)

    @traitlets.validate("temperature")
    def _above_zero(self, proposal):
        """Refuse, in words, what no softmax can be divided by, and what leaves the picture."""
        return _within("temperature", proposal.value, TEMPERATURES)

    @traitlets.validate("alpha")
    def _a_share(self, proposal):
        """Refuse, in words, what is no share."""
        return _within("alpha", proposal.value, ALPHAS)

    @traitlets.validate("example")
    def _a_place(self, proposal):
        """Refuse, in words, a place that no list has."""
        return _within("example", proposal.value, RANKS)

    @traitlets.validate("garment")
    def _a_class(self, proposal):
        """Refuse, in words, what is no class."""
        return _among("garment", proposal.value, self.names)

    @traitlets.validate("students")
    def _shipped(self, proposal):
        """Refuse, in words, students that do not ship."""
        return _among("students", proposal.value, tuple(self._choices))

    def compute(self):
        """Soften both answers, take the loss apart, and score the students unless that is done."""
        asked, label = self.answers, self.names.index(self.garment)
        index = asked.example(label, self.example)
        arms = asked.arms(*self._choices[self.students])
        student, teacher = arms.logits["taught"][index], asked.teacher[index]
        return {
            "index": index,
            "label": label,
            "arms": arms,
            "grid": grid(self._choices[self.students][1]),
            "teacher": softened(teacher, self.temperature),
            "student": softened(student, self.temperature),
            "terms": self._terms(arms, self.temperature),
            "similarity": class_similarity(asked.teacher, asked.labels, self.temperature),
        }

    def show(self, result):
        """Move the marks, and fill the read-out."""
        if self._framed != self.students:
            self._pulls.frame(self._curves(result["arms"]))
            found = result["grid"]
            title = f"{found.labels:,} labels, % ± spread"
            self._heat.frame(found.temperatures, found.alphas, found.accuracies, title)
            self.picture.reframe()
            self._framed = self.students
        image = self.answers.images[result["index"]].reshape(28, 28)
        self._answer.show(image, result["label"], result["teacher"], result["student"])
        self._similarity.show(result["similarity"], result["label"])
        self._pulls.show(self.temperature, _named(result["terms"].gradient_sizes))
        self._cell = self._heat.show(self.temperature, self.alpha)
        self.picture.redraw(alt=self._alt(result))
        self._fill(result)

    def _terms(self, arms, temperature):
        """The loss of the first taught student against the teacher, on the first images."""
        part = slice(0, CURVE_IMAGES)
        return loss_terms(
            arms.logits["taught"][part],
            self.answers.teacher[part],
            self.answers.labels[part],
            temperature,
            self.alpha,
        )

    def _curves(self, arms):
        """Sizes of the gradients over the temperature."""
        sizes = [_named(self._terms(arms, t).gradient_sizes) for t in CURVE]
        return {name: np.array([x[name] for x in sizes]) for name in NAMES.values()}

    def _controls(self):
        """The five controls."""
        return (
            controls.number(self, "temperature", "Temperature", TEMPERATURES),
            controls.number(self, "alpha", "Alpha, the teacher's share", ALPHAS),
            controls.choice(self, "garment", "Garment", self.names),
            controls.number(self, "example", "Example, least certain first", RANKS),
            controls.choice(self, "students", "Students", tuple(self._choices)),
        )

    def _picture(self):
        """The four panels."""
        picture = LivePicture(panels=4, width=960, height=320, ratios=(1.15, 1.05, 0.9, 1.2))
        self._answer = AnswerPanel(picture.axes[0], self.names)
        self._similarity = SimilarityPanel(picture.axes[1], self.names)
        self._pulls = PullPanel(picture.axes[2], CURVE)
        self._heat = GridPanel(picture.axes[3])
        for panel in (self._answer, self._similarity, self._pulls, self._heat):
            picture.add(*panel.marks)
        return picture

    def _alt(self, result):
        """The picture in words."""
        p = result["teacher"]
        first, second = np.argsort(-p)[:2]
        sizes = result["terms"].gradient_sizes
        i, j = self._cell
        cell = result["grid"].accuracies[i, j]
        return (
            f"A {self.garment}. At temperature {self.temperature:g} the teacher says "
            f"{self.names[first]} {100 * p[first]:.0f} %, {self.names[second]} "
            f"{100 * p[second]:.0f} %. Gradient of the soft loss {sizes['soft']:.2g} with T², "
            f"{sizes['soft_without_factor']:.2g} without, of the labels {sizes['hard']:.2g}. "
            f"Nearest measured students: {readout.percent(cell.mean())}."
        )

    def _fill(self, result):
        """Read-out, notes and the table of numbers."""
        arms, terms = result["arms"], result["terms"]
        loss = readout.small_table(
            ("term", "value", "gradient"),
            [
                ("T² · KL", f"{terms.soft:.3f}", f"{terms.gradient_sizes['soft']:.3f}"),
                ("cross-entropy", f"{terms.hard:.3f}", f"{terms.gradient_sizes['hard']:.3f}"),
                ("loss", f"{terms.total:.3f}", f"{terms.gradient_sizes['total']:.3f}"),
            ],
        )
        self.readout.value = readout.readout(
            readout.cell("Loss of this student", "", loss),
            readout.accuracy(self.answers.teacher_score, "Teacher"),
            mean_cell("Taught", arms.taught),
            difference_cell("Taught to labels alone", arms.to("plain")),
            difference_cell("Taught to label smoothing", arms.to("smoothed")),
        )
        found = result["grid"]
        self.notes.value = (
            '<div class="qlab-notes">Students were trained at temperature 4 and alpha 0.9, five '
            f"seeds; the sliders soften the answers shown. The heat map "
            f"{readout.badge('cached')} is of {_words(found.student, found.labels)}: each cell is "
            f"the mean of {found.accuracies.shape[-1]} seeds, and ± half the distance from "
            "the worst to the best.</div>"
        )
        self.numbers.value = self._tables(result)

    def _tables(self, result):
        """The numbers in the picture, as text."""
        percent = [f"{100 * x:.1f} %" for x in result["teacher"]]
        student = [f"{100 * x:.1f} %" for x in result["student"]]
        rows = zip(self.names, percent, student, strict=True)
        caption = f"A {self.garment} at temperature {self.temperature:g}"
        answers = readout.table(caption, ("class", "teacher", "student"), rows)
        rows = [
            (name, *(f"{100 * x:.1f}" for x in row))
            for name, row in zip(self.names, result["similarity"], strict=True)
        ]
        seen = readout.table("Mean answer of the teacher, in %", ("class", *self.names), rows)
        found = result["grid"]
        rows = [
            (f"{alpha:g}", *(f"{100 * x.mean():.2f}" for x in row))
            for alpha, row in zip(found.alphas, found.accuracies, strict=True)
        ]
        header = ("alpha", *(f"T {t:g}" for t in found.temperatures))
        cells = readout.table("Mean accuracy of students, in %, cached", header, rows)
        says = verdict(result["arms"].to("plain"))
        arms = readout.table(
            f"Students: {self.students}; taught to labels alone: {says}",
            ("seed", "taught", "labels alone", "label smoothing"),
            [
                (seed, *(readout.percent(m.accuracy) for m in row))
                for seed, row in enumerate(
                    zip(*(getattr(result["arms"], a) for a in ("taught", "plain", "smoothed")),
                        strict=True)
                )
            ],
        )  # fmt: skip
        return answers + seen + arms + cells


def _words(student, labels):
    """How a setting is called on screen."""
    weights = {"5k": "5,000", "20k": "20,000"}.get(student, student)
    return f"{weights} weights, {labels:,} labels"


def _named(sizes):
    """Sizes of gradients under the picture's names."""
    return {name: sizes[key] for key, name in NAMES.items()}


def _within(name, value, stops):
    """The value, if it lies within the stops."""
    if not stops[0] <= value <= stops[-1]:
        raise traitlets.TraitError(f"{name} is {value}; choose {stops[0]:g} to {stops[-1]:g}")
    return value


def _among(name, value, choices):
    """The value, if it is one of the choices."""
    if value not in choices:
        raise traitlets.TraitError(f"{name} is {value!r}; choose one of {', '.join(choices)}")
    return value
