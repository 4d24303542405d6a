"""Few distinct weights: which values clusters and rounding allow, and what each is worth."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from qlab.plots import style
from qlab.plots.drawing import (
    RIM,
    baseline,
    half_range,
    legend,
    mark,
    note,
    put,
    stand,
    ticks,
    weight_axes,
    zoom,
)
from qlab.tflite.gzipping import GZIPPED

BINS = 61
ABOVE = 0.03  # of accuracy above the baseline: models that were trained longer, and the legend
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class ValuesPanel:
    """Histogram of a layer's weights; above it the values that clusters and that rounding allow."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.bars = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.FAINT)
        self.clusters = ax.vlines([], 0, 1, color=style.BLUE)
        self.rounded = ax.vlines([], 0, 1, color=style.ORANGE)
        self.words = [note(ax, 0.015, y, va="center") for y in (0.672, 0.874)]
        self.marks = (self.bars, self.clusters, self.rounded, *self.words)
        weight_axes(ax)
        ticks(ax.yaxis)

    @style.styled
    def frame(self, weights, name):
        half = half_range(weights)
        counts, edges = np.histogram(weights, BINS, (-half, half))
        self.bars.set_data(counts, edges)
        self.half, self.top = half, max(counts.max(), 1)
        self.ax.set(xlim=(-1.06 * half, 1.06 * half), ylim=(0, 1.9 * self.top))
        self.ax.set_yticks([t for t in MaxNLocator(4).tick_values(0, self.top) if t <= self.top])
        self.ax.set_title(f"Weights of {name}")

    def show(self, clusters, rounded, words):
        """Draw the values of both, and the words for each."""
        for lines, values, low in ((self.clusters, clusters, 1.08), (self.rounded, rounded, 1.46)):
            inside = values[np.abs(values) <= 1.06 * self.half]
            stand(lines, inside, (low * self.top, (low + 0.12) * self.top))
            lines.set_linewidth(1.2 if len(inside) <= 64 else 0.5)
        for text, said in zip(self.words, words, strict=True):
            text.set_text(said)


class WorthPanel:
    """Accuracy against the number of values, or against size, for clusters and for rounding."""

    @style.styled
    def __init__(self, ax, reference, interval, largest=None):
        zoom(ax, reference + ABOVE)
        sizes = largest is not None
        self.right = largest if sizes else 512  # where float weights stand
        left, right = largest / 130 if sizes else 1.6, 1.3 * self.right
        ax.set(xscale="log", xlim=(left, right))
        every = SIZES if sizes else [2**i for i in range(1, 9)]
        ticks(ax.xaxis, at=[x for x in every if left <= x <= right])
        ax.set_xlabel(f"file, {GZIPPED} (KB)" if sizes else "clusters, or codes of the rounding")
        ax.set_title(f"Accuracy against {'size' if sizes else 'values'}")
        baseline(ax, reference, interval)
        self.clusters = mark(ax, "-o", color=style.BLUE, ms=4, lw=1.2)
        self.rounded = mark(ax, "-s", color=style.ORANGE, ms=4, lw=1.2)
        self.trained = mark(ax, "^", color=style.PURPLE, ms=5.5, **RIM)
        self.control = mark(ax, "D", color=style.GREEN, ms=5, **RIM)
        self.spans = ax.vlines([], 0, 0, color=style.INK, lw=1.2)
        self.here = mark(ax, "o", ms=9, mfc="none", mec=style.INK, mew=1.2)
        lines = self.clusters, self.rounded, self.trained, self.control
        self.marks = (*lines, self.spans, self.here)
        if not sizes:
            words = "clusters", "rounded", "clusters, trained", "control"
            look = {"handlelength": 1.2, "fontsize": 7.5, "columnspacing": 1, "borderaxespad": 0.1}
            legend(ax, dict(zip(words, lines, strict=True)), loc="upper left", ncol=2, **look)

    def show(self, clusters, rounded, here, trained=(), control=()):
        """Draw the accuracies; those `here` have an interval, and the control's have no place."""
        put(self.clusters, sorted(clusters))
        put(self.rounded, sorted(rounded))
        put(self.trained, trained)
        put(self.here, here)
        stand(self.spans, [point[0] for point in here], [point[2] for point in here])
        self.control.set_data([self.right] * len(control), control)
