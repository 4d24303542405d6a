"""Distillation: a teacher's answers, the classes it finds alike, its pull, and its students."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from qlab.plots import style
from qlab.plots.drawing import legend, mark

PALE = LinearSegmentedColormap.from_list("qlab-pale", [style.PAPER, style.SKY, style.BLUE])
PULLS = {"with T²": style.BLUE, "without T²": style.VERMILION, "labels": style.SOFT}
DASHES = {"with T²": "-", "without T²": (0, (5, 2)), "labels": ":"}
CHOSEN = {"fill": False, "edgecolor": style.INK, "lw": 1.8, "ls": (0, (3, 1.5)), "zorder": 3}


class AnswerPanel:
    """One garment, and what the label, the teacher and a student say of it."""

    @style.styled
    def __init__(self, ax, class_names):
        n = len(class_names)
        ax.set(xlim=(0, 1.02), ylim=(n - 0.4, -0.6), xlabel="probability (%)")
        ax.set_yticks(range(n), class_names)
        ax.set_xticks([0, 0.5, 1], ["0", "50", "100"])
        ax.tick_params(axis="y", length=0, labelcolor=style.INK)
        ax.set_title("One garment, three answers")
        self.bars = ax.barh(range(n), np.zeros(n), color=style.BLUE, height=0.68).patches
        self.student = mark(ax, "o", mfc="none", mec=style.VERMILION, ms=5, mew=1.3)
        self.label = mark(ax, "D", color=style.INK, ms=5, clip_on=False)
        inset = ax.inset_axes([0.62, 0.36, 0.36, 0.3])
        inset.set(xticks=[], yticks=[])
        self.garment = inset.imshow(np.zeros((28, 28)), cmap="gray_r", vmin=0, vmax=255)
        shown = {"teacher": self.bars[0], "student": self.student, "label": self.label}
        look = {"fontsize": 7.5, "handlelength": 1.2, "labelspacing": 0.5, "borderaxespad": 0.2}
        legend(ax, shown, **look)
        self.marks = (*self.bars, self.student, self.label, self.garment)

    def show(self, image, label, teacher, student):
        """Draw one garment, its class, and the probabilities that each model gives."""
        for bar, width in zip(self.bars, teacher, strict=True):
            bar.set_width(width)
        self.student.set_data(student, range(len(student)))
        self.label.set_data([1], [label])
        self.garment.set_data(image)


class SimilarityPanel:
    """How much of each class a model sees in every other."""

    @style.styled
    def __init__(self, ax, class_names):
        n = len(class_names)
        self.matrix = ax.imshow(np.zeros((n, n)), cmap=PALE, vmin=0, vmax=0.5, aspect="auto")
        edge = {"fill": False, "edgecolor": style.INK, "lw": 1.2}
        self.row = ax.add_patch(Rectangle((-0.5, -0.5), n, 1, **edge))
        ax.set_xticks(range(n), class_names, rotation=90, fontsize=7)
        ax.set_yticks(range(n), class_names, fontsize=7)
        ax.tick_params(length=0, labelcolor=style.INK)
        ax.set(xlabel="what the teacher sees in them", title="Mean answer to each class")
        self.marks = (self.matrix, self.row)

    def show(self, similarity, chosen):
        """Draw the matrix, in which half of the answer or more is dark, and mark the chosen row."""
        self.matrix.set_data(similarity)
        self.row.set_y(chosen - 0.5)


class PullPanel:
    """How hard the terms of the loss pull at the student's logits, over the temperature."""

    @style.styled
    def __init__(self, ax, temperatures):
        self.ax, self.temperatures = ax, temperatures
        ax.set(xscale="log", yscale="log", xlim=(temperatures[0], temperatures[-1]))
        ticks = [t for t in (0.5, 1, 2, 4, 8, 20) if temperatures[0] <= t <= temperatures[-1]]
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        ax.set(xlabel="temperature", ylabel="size of the gradient", title="Pull at the logits")
        self.lines = {
            name: mark(ax, color=colour, ls=DASHES[name]) for name, colour in PULLS.items()
        }
        self.dots = {name: mark(ax, "o", color=c) for name, c in PULLS.items()}
        self.words = {
            name: ax.text(0, 0, name, color=c, fontsize=7.5, ha="right", va="bottom")
            for name, c in PULLS.items()
        }
        self.marks = (*self.lines.values(), *self.dots.values(), *self.words.values())

    @style.styled
    def frame(self, curves):
        """Draw the curves, and set limits that hold them."""
        every = np.concatenate(list(curves.values()))
        self.ax.set_ylim(0.6 * every.min(), 2.2 * every.max())
        for name, values in curves.items():
            self.lines[name].set_data(self.temperatures, values)
            self.words[name].set_position((0.96 * self.temperatures[-1], 1.08 * values[-1]))

    def show(self, temperature, sizes):
        for name, size in sizes.items():
            self.dots[name].set_data([temperature], [size])


class GridPanel:
    """Accuracy of students over temperature and alpha; frames mark what was chosen and is shown."""

    @style.styled
    def __init__(self, ax):
        self.ax, self.behind = ax, []
        edge = {"fill": False, "edgecolor": style.VERMILION, "lw": 2.2}
        self.here = ax.add_patch(Rectangle((-0.5, -0.5), 1, 1, **edge))
        self.marks = (self.here,)
        self.chosen = ax.add_patch(Rectangle((0, 0), 0.86, 0.86, **CHOSEN))
        ax.tick_params(length=0)
        ax.set(xlabel="temperature", ylabel="alpha")

    @style.styled
    def frame(self, grid):
        """Draw the heat map of a `qlab.trials.distillation_scores.Grid`, in place of the last."""
        for artist in self.behind:
            artist.remove()
        self.temperatures, self.alphas = tuple(grid.temperatures), tuple(grid.alphas)
        means = grid.accuracies.mean(axis=-1)
        heat = self.ax.imshow(means, cmap=PALE, aspect="auto", origin="lower")
        self.behind = [heat]
        self.ax.set_xticks(range(len(self.temperatures)), [f"{t:g}" for t in self.temperatures])
        self.ax.set_yticks(range(len(self.alphas)), [f"{a:g}" for a in self.alphas])
        self.ax.set_title(f"{grid.labels:,} labels, % ± spread")
        self._frame(self.chosen, *grid.chosen)
        for (i, j), mean in np.ndenumerate(means):
            words = f"{100 * mean:.1f}\n±{50 * np.ptp(grid.accuracies[i, j]):.1f}"
            look = {"color": style.words_on(heat.to_rgba(mean)), "fontsize": 7}
            self.behind.append(self.ax.text(j, i, words, ha="center", va="center", **look))

    def show(self, temperature, alpha):
        """Mark the cell that is nearest to the settings, and return its row and column."""
        return self._frame(self.here, temperature, alpha)

    def _frame(self, rectangle, temperature, alpha):
        i, j = nearest(self.alphas, alpha), nearest(np.log(self.temperatures), np.log(temperature))
        rectangle.set_xy((j - rectangle.get_width() / 2, i - rectangle.get_height() / 2))
        return i, j


def nearest(values, value):
    """Index of the value that is nearest."""
    return int(np.argmin(np.abs(np.asarray(values) - value)))


@style.styled
def plot_similarity(similarity, class_names, ax=None):
    """Draw how much of each class a model sees in every other, as `class_similarity` returns it.

    >>> import numpy as np
    >>> plot_similarity(np.eye(2), ["Bag", "Shirt"]).get_title(loc="left")
    'Mean answer to each class'
    """
    ax = style.new_axes(ax, 4.4, 3.8)
    panel = SimilarityPanel(ax, class_names)
    panel.row.set_visible(False)
    panel.show(similarity, 0)
    return ax


@style.styled
def plot_grid(grid, ax=None):
    """Draw the accuracy of students over temperature and alpha, the chosen cell in a frame.

    The grid is that of `qlab.trials.distillation_scores.grid`: each cell is a mean over seeds, and
    ± half the distance from the worst to the best.

    >>> from qlab.trials import distillation_scores
    >>> plot_grid(distillation_scores.grid(6_000)).get_title(loc="left")
    '6,000 labels, % ± spread'
    """
    ax = style.new_axes(ax, 4, 3)
    panel = GridPanel(ax)
    panel.here.set_visible(False)
    panel.frame(grid)
    return ax
