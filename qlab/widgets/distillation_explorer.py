"""What does a teacher's answer say that a label does not? The explorer of distillation."""

from functools import partial

import numpy as np

import qlab
from qlab.arithmetic.distillation import class_similarity, loss_terms, softened
from qlab.plots.distillation_panels import AnswerPanel, GridPanel, PullPanel, SimilarityPanel
from qlab.trials import subjects
from qlab.trials.distillation_scores import ARMS, CONTROLS, Answers, grid, shipped_students
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Explorer, Shown
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.traits import FloatWithin, WholeWithin, choice, name_among, number, rare

TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0)
ALPHAS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
CURVE = np.geomspace(TEMPERATURES[0], TEMPERATURES[-1], 25)
CURVE_IMAGES = 1_000  # the gradients' curves are means over so many
TEACHERS = dict.fromkeys(ARMS, "teacher") | {"permuted": "permuted teacher"}
TOLD = {
    "taught": "learned from this teacher.",
    "plain": "learned from labels alone; the teacher beside it never taught it.",
    "smoothed": "learned from smoothed labels; the teacher beside it never taught it.",
    "permuted": (
        "learned from a permuted teacher: its answers are as confident as the true one's, but all "
        "classes except the first are shuffled, image by image."
    ),
}
INSTEAD = (
    "Train a teacher and a student of your own: train.fit(teacher, dataset=dataset), then "
    "train.distil(student, teacher, dataset=dataset), and train.fit(control, dataset=dataset) for "
    "the same student without a teacher."
)
NAMES = {"soft": "with T²", "soft_without_factor": "without T²", "hard": "labels"}


class DistillationExplorer(Explorer):
    """Soften a teacher's answers, and see what students made of them.

    Answers, loss and gradients are computed anew from LiteRT's logits at every step; the shipped
    students of a setting are scored when they are first chosen; the grid over temperature and alpha
    was measured earlier. At first temperature and alpha are those that the students learned with.

    Parameters
    ----------
    images, labels, dataset
        As in `ModelExplorer`, of Fashion-MNIST, which the shipped models learned; every class must
        occur.
    **settings
        ``temperature`` (0.5 to 20), ``alpha`` (0 to 1), ``garment`` (a class's name), ``example``
        (1 is the image of that class of which the teacher is least certain), ``students``
        (which of the shipped ones), and ``arm`` (``taught``, ``plain``, ``smoothed`` or
        ``permuted``: how the student shown has learned).

    Attributes
    ----------
    result : dict
        ``teacher`` and ``student``, probabilities of the garment shown, ``terms``, its
        `qlab.distillation.LossTerms`, ``similarity``, ``arms``, the scored students, and ``grid``.
        The teacher is the permuted one if the arm is.

    Raises
    ------
    ValueError
        If images do not fit, or a shipped file is missing or altered.

    Examples
    --------
    >>> some = qlab.data.load().validation
    >>> explorer = DistillationExplorer(images=some.images[:300], labels=some.labels[:300])
    >>> explorer.set(temperature=1, garment="Shirt")
    >>> sure = explorer.result["teacher"].max()
    >>> explorer.temperature = 8
    >>> bool(explorer.result["teacher"].max() < sure)
    True
    """

    question = "What does a teacher's answer say that a label does not?"
    temperature = number(
        "Temperature", FloatWithin(1.0, TEMPERATURES[0], TEMPERATURES[-1]), TEMPERATURES
    )
    alpha = number("Alpha, the teacher's share", FloatWithin(1.0, ALPHAS[0], ALPHAS[-1]), ALPHAS)
    garment = name_among("Garment", "names", "Shirt")
    example = rare(
        number("Example, least certain first", WholeWithin(1, RANKS[0], RANKS[-1]), RANKS)
    )
    students = name_among("Students", "_choices")
    arm = choice("Student shown", ARMS, "taught")

    def __init__(self, images=None, labels=None, dataset=None, **settings):
        subjects.require_course(dataset, INSTEAD)
        super().__init__()
        self.names = qlab.data.CLASS_NAMES
        split = subjects.images_to_choose_with(images, labels)
        self.answers = Answers(split.images, split.labels, split.images_are)
        self._choices = {_words(*key): key for key in shipped_students()}
        self.students, (_, labels) = next(iter(self._choices.items()))
        self.temperature, self.alpha = grid(labels).chosen
        self.assemble(self.controls(), self._picture(), settings=settings)

    def compute(self):
        """Soften both answers, take the loss apart, and score the students unless that is done."""
        asked, label = self.answers, self.names.index(self.garment)
        index = asked.example(label, self.example)
        arms = asked.arms(*self._choices[self.students])
        student, teacher = arms.logits[self.arm][index], asked.taught_by(self.arm)
        return {
            "index": index,
            "label": label,
            "arms": arms,
            "grid": grid(self._choices[self.students][1]),
            "teacher": softened(teacher[index], self.temperature),
            "student": softened(student, self.temperature),
            "terms": self._terms(arms, self.temperature),
            "similarity": class_similarity(teacher, asked.labels, self.temperature),
        }

    def show(self, result):
        if self.picture.needs_frame((self.students, self.arm)):
            self._pulls.frame(self._curves(result["arms"]))
            self._heat.frame(result["grid"])
        image = self.answers.images[result["index"]].reshape(28, 28)
        self._answer.show(image, result["label"], result["teacher"], result["student"])
        self._similarity.show(result["similarity"], result["label"])
        self._pulls.show(self.temperature, _named(result["terms"].gradient_sizes))
        cell = self._heat.show(self.temperature, self.alpha)
        said = self._note(result["grid"]), *readout.at_once(len(CONTROLS), "controls")
        return Shown(
            self._alt(result, cell), self._cells(result), said, partial(self._tables, result)
        )

    def _terms(self, arms, temperature):
        """The loss of the student shown, against the teacher, on the first images."""
        every = arms.logits[self.arm], self.answers.taught_by(self.arm), self.answers.labels
        return loss_terms(*(x[:CURVE_IMAGES] for x in every), temperature, self.alpha)

    def _curves(self, arms):
        """Sizes of the gradients over the temperature."""
        sizes = [_named(self._terms(arms, t).gradient_sizes) for t in CURVE]
        return {name: np.array([x[name] for x in sizes]) for name in NAMES.values()}

    def _picture(self):
        picture = LivePicture(panels=4, width=960, height=320, ratios=(1.15, 1.05, 0.9, 1.2))
        self._answer = picture.put(AnswerPanel, self.names)
        self._similarity = picture.put(SimilarityPanel, self.names)
        self._pulls = picture.put(PullPanel, CURVE)
        self._heat = picture.put(GridPanel)
        return picture

    def _alt(self, result, cell):
        p, names = result["teacher"], self.names
        first, second = np.argsort(-p)[:2]
        sizes = result["terms"].gradient_sizes
        nearest = result["grid"].accuracies[cell]
        return (
            f"A {self.garment}. At temperature {self.temperature:g} the {TEACHERS[self.arm]} says "
            f"{names[first]} {100 * p[first]:.0f} %, {names[second]} {100 * p[second]:.0f} %. "
            f"Gradient of the soft loss {sizes['soft']:.2g} with T², "
            f"{sizes['soft_without_factor']:.2g} without, of the labels {sizes['hard']:.2g}. "
            f"Nearest measured students: {readout.percent(nearest.mean())}."
        )

    def _cells(self, result):
        arms, terms = result["arms"], result["terms"]
        names = {"soft": "T² · KL", "hard": "cross-entropy", "total": "loss"}
        rows = [
            (name, f"{getattr(terms, x):.3f}", f"{terms.gradient_sizes[x]:.3f}")
            for x, name in names.items()
        ]
        return (
            readout.table_cell("Loss of this student", ("term", "value", "gradient"), rows),
            readout.accuracy(self.answers.teacher_score, "Teacher"),
            readout.mean_cell("Taught", arms.scores["taught"]),
            *(readout.difference(arms.to(x), f"Taught to {ARMS[x]}") for x in CONTROLS),
        )

    def _tables(self, result):
        both = zip(result["teacher"], result["student"], strict=True)
        rows = _rows(self.names, ([f"{100 * x:.1f} %" for x in pair] for pair in both))
        caption = f"A {self.garment} at temperature {self.temperature:g}"
        yield readout.table(caption, ("class", "teacher", "student"), rows)
        rows = _rows(self.names, ([f"{100 * x:.1f}" for x in row] for row in result["similarity"]))
        yield readout.table("Mean answer of the teacher, in %", ("class", *self.names), rows)
        arms, found = result["arms"], result["grid"]
        scores = zip(*arms.scores.values(), strict=True)
        rows = [(i, *(readout.percent(m.accuracy) for m in row)) for i, row in enumerate(scores)]
        yield readout.table(f"Students: {self.students}", ("seed", *ARMS.values()), rows)
        rows = [(ARMS[x], arms.to(x)) for x in CONTROLS]
        yield readout.table("Taught to each control", ("control", "difference"), rows)
        alphas = [f"{alpha:g}" for alpha in found.alphas]
        means = ([f"{100 * x.mean():.2f}" for x in row] for row in found.accuracies)
        header = ("alpha", *(f"T {t:g}" for t in found.temperatures))
        yield readout.table("Mean accuracy of students, in %, cached", header, _rows(alphas, means))
        rows = [(f"{x:g}", f"{100 * mean:.2f}") for x, mean in found.strengths.items()]
        header = ("strength", "mean accuracy")
        yield readout.table("Label smoothing, in %, cached", header, rows)

    def _note(self, found):
        """Where the students and the heat map come from."""
        shown = TOLD[self.arm]
        return (
            f"The student shown {shown} The sliders soften the answers shown; they train nothing. "
            f"The heat map {readout.badge('cached')} is of {_words(found.student, found.labels)}, "
            "scored on validation images: each cell is the mean of "
            f"{found.accuracies.shape[-1]} seeds, and ± half the distance from the worst to the "
            f"best. Chosen, in the dashed frame: temperature {found.chosen[0]:g} and alpha "
            f"{found.chosen[1]:g}, with which taught and permuted students of so many labels "
            f"learned; and for label smoothing a strength of {found.strength:g}."
        )


def _rows(names, values):
    return [(name, *row) for name, row in zip(names, values, strict=True)]


def _words(student, labels):
    """How a setting is called on screen."""
    weights = {"5k": "5,000", "20k": "20,000"}.get(student, student)
    return f"{weights} weights, {labels:,} labels"


def _named(sizes):
    """Sizes of gradients under the picture's names."""
    return {name: sizes[key] for key, name in NAMES.items()}
