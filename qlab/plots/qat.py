"""Quantization-aware training: beside its control, its weights on their grid, and as it learns."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

COLOURS = (style.ORANGE, style.GREEN, style.BLUE)
FAN = 0.2  # between the dots of two seeds
FINE = 8  # bins a step
ABOVE = 0.015  # of accuracy above the baseline, for models that were trained longer


class WaysPanel:
    """Accuracy of three ways to few bits; a dot a seed, with its 95 % interval."""

    @style.styled
    def __init__(self, ax, reference, interval):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        zoom(ax, reference + ABOVE)
        ax.set(xlim=(-0.55, 2.55), ylabel="accuracy (%)", title="Accuracy, a dot a seed")
        ax.set_xticks(range(3), ["post-\ntraining", "float\ncontrol", "QAT"])
        ax.tick_params(axis="x", length=0, labelcolor=style.INK)
        ax.axhspan(*interval, color=style.SKY, alpha=0.3, lw=0)
        ax.axhline(reference, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        place = {"transform": ax.get_yaxis_transform(), "va": "bottom", "fontsize": 7.5}
        ax.text(0.012, interval[1] + 0.002, "float32 baseline", color=style.SOFT, **place)
        self.whiskers = [ax.vlines([], 0, 0, color=colour, lw=1.6) for colour in COLOURS]
        look = {"ms": 4.5, "mec": style.PAPER, "mew": 0.6}
        self.dots = [ax.plot([], [], "o", color=colour, **look)[0] for colour in COLOURS]
        (self.hollow,) = ax.plot([], [], "o", ms=5, mfc="none", mec=style.GREEN, mew=1.1)
        self.note = ax.annotate("", (0, 0), (0, -6), textcoords="offset points", ha="center",
                                va="top", fontsize=7.5, color=style.SOFT)  # fmt: skip
        self.marks = (*self.whiskers, *self.dots, self.hollow, self.note)

    def show(self, ways, cached=()):
        """Draw the accuracies."""
        for i, way in enumerate(ways):
            x = i + _fan(len(way))
            self.dots[i].set_data(x, [m.accuracy for m in way])
            ends = [[(at, end) for end in m.interval] for at, m in zip(x, way, strict=True)]
            self.whiskers[i].set_segments(ends)
        self.hollow.set_data(1 + _fan(len(cached)), cached)
        self.note.set_text("better grids,\ncached" if len(cached) else "")
        if len(cached):
            self.note.xy = 1, min(cached)


class StepsPanel:
    """A layer's weights in steps of their grid: before rounding, and after."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax = ax
        self.before = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.SKY, alpha=0.75)
        self.after = ax.stairs([0, 0], [0, 1, 2], color=style.INK, lw=1.1)
        place = {"transform": ax.transAxes, "fontsize": 8, "va": "top"}
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.8}
        self.note = ax.text(0.02, 0.99, "", bbox=box, **place)
        self.marks = (self.before, self.after, self.note)
        ax.set(xlabel="weight, in steps of its grid", ylabel="% of the weights a step")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    @style.styled
    def frame(self, before, after, bits, name=""):
        """Set limits and title for a layer at some bits."""
        self.bits, top = bits, 2 ** (bits - 1) - 1
        half = top * 1.08 + 1.2 if bits > 2 else 3.2
        hill, bars = shares(before, bits)[0], shares(after, bits, True)[0]
        self.ax.set(xlim=(-half, half), ylim=(0, 1.42 * max(hill.max(), bars.max())))
        self.ax.set_title(f"Weights of {name}" if name else "Weights on their grid")

    def show(self, before, after, words=""):
        """Draw both."""
        self.before.set_data(*shares(before, self.bits))
        self.after.set_data(*shares(after, self.bits, True))
        self.note.set_text(f"blue: {words}\noutline: rounded to {2**self.bits - 1} levels")


class LearningPanel:
    """One quantity over the epochs of a live training."""

    @style.styled
    def __init__(self, ax, quantity):
        """Put empty marks on `ax`."""
        self.ax, self.quantity = ax, quantity
        (self.training,) = ax.plot([], [], "-o", color=style.BLUE, ms=4, lw=1.4)
        (self.scored,) = ax.plot([], [], "--s", color=style.VERMILION, ms=4, lw=1.4)
        (self.best,) = ax.plot([], [], "o", ms=10, mfc="none", mec=style.INK, mew=1.1)
        place = {"transform": ax.transAxes, "ha": "center", "fontsize": 8, "color": style.SOFT}
        self.note = ax.text(0.5, 0.5, "not trained yet", **place)
        self.marks = (self.training, self.scored, self.best, self.note)
        title = "Live: loss" if quantity == "loss" else "Live: accuracy (%)"
        ax.set(xlabel="epoch", title=title)
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2.5, 5, 10]))
        ax.yaxis.set_major_locator(MaxNLocator(5))
        if quantity == "accuracy":
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}"))
            handles = [self.training, self.scored, self.best]
            look = {"handlelength": 1.6, "borderaxespad": 0.2, "labelspacing": 0.3}
            words = ["training", "test, LiteRT", "best"]
            ax.legend(handles, words, loc="lower right", fontsize=7.5, **look)
        self.frame(1, [0.85, 0.95] if quantity == "accuracy" else [0.0, 0.4])

    def frame(self, epochs, values):
        """Set limits that hold so many epochs and these values."""
        low, high = min(values), max(values)
        margin = 0.12 * (high - low or 0.1)
        low = 0 if self.quantity == "loss" else low - 3.5 * margin  # the legend stands below
        self.ax.set(xlim=(-0.06 * epochs, 1.06 * epochs), ylim=(low, high + margin))

    def holds(self, epochs, values):
        """Whether the frame has room for them."""
        (left, right), (low, high) = self.ax.get_xlim(), self.ax.get_ylim()
        inside = all(low <= value <= high for value in values)
        return inside and left < epochs <= right < 1.2 * epochs

    def show(self, training=(), scored=(), best=None):
        """Draw the curves."""
        for line, points in ((self.training, training), (self.scored, scored)):
            line.set_data([x for x, _ in points], [y for _, y in points])
        self.best.set_data(*([[best[0]], [best[1]]] if best else ([], [])))
        self.note.set_visible(not training and not scored)


def shares(weights, bits, codes=False):
    """Histogram of weights in steps of their grid, as a percentage a step."""
    top, weights = 2 ** (bits - 1) - 1, np.asarray(weights, float)
    if codes:
        wide = 0.25 if bits <= 4 else 0.5  # half of a bar; with many codes the bars touch
        edges = np.arange(-top - wide, top + 2 * wide, 2 * wide)
        return 100 * np.histogram(weights, edges)[0] / weights.size, edges
    fine, half = (FINE, 4) if bits <= 4 else (0.5, 0)
    edges = np.arange(-(top + half), top + half + 1e-9, 1 / fine) - 0.5 / fine
    return 100 * fine * np.histogram(weights, edges)[0] / weights.size, edges


def _fan(n):
    return FAN * (np.arange(n) - (n - 1) / 2)
