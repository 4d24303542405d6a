"""Few distinct weights: where clusters lie and where rounding does, and what each is worth."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

BINS = 61
MOST = 0.999  # of the weights are within the picture
ABOVE = 0.03  # of accuracy above the baseline: models that were trained longer, and the legend
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class ValuesPanel:
    """Histogram of a layer's weights; above it the values that clusters and that rounding allow."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax = ax
        self.bars = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.FAINT)
        self.clusters = ax.vlines([], 0, 1, color=style.BLUE)
        self.rounded = ax.vlines([], 0, 1, color=style.ORANGE)
        place = {"transform": ax.transAxes, "fontsize": 8, "va": "center"}
        self.words = [ax.text(0.015, y, "", **place) for y in (0.672, 0.874)]
        self.marks = (self.bars, self.clusters, self.rounded, *self.words)
        ax.set(xlabel="weight", ylabel="number of weights")
        ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))

    @style.styled
    def frame(self, weights, name=""):
        """Set limits and title for a layer."""
        half = float(np.quantile(np.abs(weights), MOST)) or 1.0
        counts, edges = np.histogram(weights, BINS, (-half, half))
        self.bars.set_data(counts, edges)
        self.half, self.top = half, max(counts.max(), 1)
        self.ax.set(xlim=(-1.06 * half, 1.06 * half), ylim=(0, 1.9 * self.top))
        self.ax.set_yticks([t for t in MaxNLocator(4).tick_values(0, self.top) if t <= self.top])
        self.ax.set_title(f"Weights of {name}" if name else "Weights and their values")

    def show(self, clusters, rounded, words=("", "")):
        """Draw the values."""
        for lines, values, low in ((self.clusters, clusters, 1.08), (self.rounded, rounded, 1.46)):
            inside = values[np.abs(values) <= 1.06 * self.half]
            ends = low * self.top, (low + 0.12) * self.top
            lines.set_segments([[(x, ends[0]), (x, ends[1])] for x in inside])
            lines.set_linewidth(1.2 if len(inside) <= 64 else 0.5)
        for text, said in zip(self.words, words, strict=True):
            text.set_text(said)


class WorthPanel:
    """Accuracy against the number of values, or against size, for clusters and for rounding."""

    @style.styled
    def __init__(self, ax, reference, interval, largest=None):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        zoom(ax, reference + ABOVE)
        self.right = 512 if largest is None else largest  # where float weights stand
        left = 1.6 if largest is None else largest / 130
        ax.set(xscale="log", xlim=(left, 1.3 * self.right), ylabel="accuracy (%)")
        ticks = [2**i for i in range(1, 9)] if largest is None else SIZES
        ax.set_xticks([x for x in ticks if left <= x <= 1.3 * self.right])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        count = "clusters, or codes of the rounding"
        ax.set_xlabel(count if largest is None else "file, gzipped (KB)")
        ax.set_title(f"Accuracy against {'values' if largest is None else 'size'}")
        ax.axhspan(*interval, color=style.SKY, alpha=0.3, lw=0)
        ax.axhline(reference, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        look = {"mec": style.PAPER, "mew": 0.6}
        (self.clusters,) = ax.plot([], [], "-o", color=style.BLUE, ms=4, lw=1.2)
        (self.rounded,) = ax.plot([], [], "-s", color=style.ORANGE, ms=4, lw=1.2)
        (self.trained,) = ax.plot([], [], "^", color=style.PURPLE, ms=5.5, **look)
        (self.control,) = ax.plot([], [], "D", color=style.GREEN, ms=5, **look)
        self.spans = ax.vlines([], 0, 0, color=style.INK, lw=1.2)
        (self.here,) = ax.plot([], [], "o", ms=9, mfc="none", mec=style.INK, mew=1.2)
        self.marks = (self.clusters, self.rounded, self.trained, self.control, self.spans,
                      self.here)  # fmt: skip
        if largest is None:
            handles = [self.clusters, self.rounded, self.trained, self.control]
            words = ["clusters", "rounded", "clusters, trained", "control"]
            look = {"handlelength": 1.2, "labelspacing": 0.3, "fontsize": 7.5, "columnspacing": 1}
            ax.legend(handles, words, loc="upper left", ncol=2, borderaxespad=0.1, **look)

    def show(self, clusters, rounded, here, trained=(), control=()):
        """Draw the accuracies."""
        for line, points in (
            (self.clusters, sorted(clusters)),
            (self.rounded, sorted(rounded)),
            (self.trained, trained),
            (self.here, here),
        ):
            line.set_data([p[0] for p in points], [p[1] for p in points])
        self.spans.set_segments([[(x, low), (x, high)] for x, _, (low, high) in here])
        self.control.set_data([self.right] * len(control), control)
