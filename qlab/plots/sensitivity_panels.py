"""Which layer hurts most, and what a recipe of the learner's own makes of that."""

from itertools import cycle

from matplotlib.ticker import NullLocator

from qlab.plots import style
from qlab.plots.drawing import (
    BAND,
    DASHED,
    DOTTED,
    legend,
    mark,
    offset_text,
    paper,
    percent_axis,
    put,
    stand,
    ticks,
    zoom,
)

MARKERS = "os^Dv*"


class SensitivityPanel:
    """Accuracy with one layer lowered, a bar for each layer, which begins at the base."""

    @style.styled
    def __init__(self, ax, reference, rows):
        self.ax = ax
        knee = zoom(ax, reference, "x")
        ax.set(xlabel=f"accuracy (%), squeezed below {100 * knee:.0f}", ylim=(rows - 0.4, -0.75))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.tick_params(axis="y", length=0, labelcolor=style.INK)
        self.band = ax.axvspan(0, 1, **BAND)
        self.base = ax.axvline(0, color=style.INK, lw=0.9, ls=DASHED)
        self.bars = [ax.barh(i, 0, 0.42, color=style.SKY)[0] for i in range(rows)]
        self.whiskers = ax.hlines([0], 0, 0, color=style.INK, lw=1.3)
        self.dots = mark(ax, "o", color=style.INK, ms=4)
        place = {"transform": ax.get_yaxis_transform(), "fontsize": 8, "va": "center"}
        box = paper(alpha=None)
        self.words = [ax.text(0.012, i - 0.37, "", bbox=box, **place) for i in range(rows)]
        self.marks = (self.band, self.base, *self.bars, self.whiskers, self.dots, *self.words)

    @style.styled
    def frame(self, names, title="One layer lowered"):
        self.ax.set_yticks(range(len(names)), names)
        self.ax.set_title(title)

    def show(self, base, entries):
        """Draw the layers measured so far, in the order of the rows."""
        low, high = base.interval
        self.band.set(x=low, width=high - low)
        self.base.set_xdata([base.accuracy] * 2)
        for bar, words in zip(self.bars[len(entries) :], self.words[len(entries) :], strict=True):
            bar.set_visible(False)
            words.set_text("")
        for bar, words, entry in zip(self.bars, self.words, entries, strict=False):
            accuracy, comparison = entry.measurement.accuracy, entry.comparison
            bar.set(x=min(accuracy, base.accuracy), width=abs(accuracy - base.accuracy))
            bar.set_facecolor(style.FAINT if comparison.within_noise else style.VERMILION)
            bar.set_visible(True)
            words.set_text(str(comparison))
        spans = [entry.measurement.interval for entry in entries]
        self.whiskers.set_segments([[(a, i), (b, i)] for i, (a, b) in enumerate(spans)])
        self.dots.set_data([x.measurement.accuracy for x in entries], range(len(entries)))


class RecipesPanel:
    """Accuracy against size: the learner's mixed recipe and uniform ones."""

    @style.styled
    def __init__(self, ax, reference, largest, xlabel="packed file (KB)"):
        self.ax = ax
        zoom(ax, reference)
        ax.set(xlim=(0, largest * 1.12 / 1000), xlabel=xlabel)
        ax.set_title("Your recipe beside uniform ones")
        ticks(ax.xaxis)
        ax.grid(True)
        self.tried = mark(ax, "o", color="#9a9a9a", ms=3.5)
        self.spans = ax.vlines([0], 0, 0, color=[style.BLUE], lw=1.4)
        self.uniform = mark(ax, "s", color=style.BLUE, ms=6)
        self.here = mark(ax, "o", color=style.VERMILION, ms=7, mec=style.PAPER, mew=0.8)
        look = {"fontsize": 8, "bbox": paper(0.5)}
        self.words = [
            offset_text(ax, (0, 0), (0, gap), va=va, **look)
            for gap, va in ((4, "bottom"), (-4, "top"))
        ]
        self.limit = ax.axvline(0, color=style.SOFT, lw=1, ls=DOTTED, visible=False)
        self.marks = (self.limit, self.tried, self.spans, self.uniform, self.here, *self.words)
        shown = {"mixed, yours": self.here, "uniform": self.uniform}
        shown["mixed, tried before"] = self.tried
        legend(ax, shown, bbox_to_anchor=(1, 0.2), handlelength=1, fontsize=8)

    def show(self, mixed, uniform, tried=(), limit=None):
        """Draw recipes, each as (bytes, measurement) or, of those `tried`, (bytes, accuracy)."""
        self.limit.set_visible(limit is not None)
        self.limit.set_xdata([(limit or 0) / 1000] * 2)
        points = [
            (size / 1000, measured.accuracy, measured.interval)
            for size, measured in (*uniform.values(), mixed)
        ]
        put(self.uniform, points[:-1])
        put(self.here, points[-1:])
        stand(self.spans, [x for x, _, _ in points], [interval for _, _, interval in points])
        self.spans.set_color([style.BLUE] * len(uniform) + [style.VERMILION])
        put(self.tried, [(size / 1000, accuracy) for size, accuracy in tried])
        names = [*uniform, "", ""][:2]
        for text, name, (x, _, interval), end in zip(
            self.words, names, points, (1, 0), strict=False
        ):
            text.set_text(name)
            text.xy = x, interval[end]
            text.set_ha("left" if x < 0.15 * self.ax.get_xlim()[1] else "center")


class CurvesPanel:
    """Accuracy against the sparsity of one layer, a curve for each layer."""

    @style.styled
    def __init__(self, ax, reference, names):
        zoom(ax, reference)
        ax.set(xlim=(-0.02, 1.0), xlabel="sparsity of that layer (%)")
        ax.set_title("One layer pruned, all others whole")
        percent_axis(ax.xaxis, every=0.25)
        self.band = ax.axhspan(0, 1, **BAND)
        looks = zip(cycle(style.SERIES), cycle(MARKERS), names, strict=False)
        self.curves = {
            name: mark(ax, color=colour, marker=marker, ms=4.5, lw=1.3)
            for colour, marker, name in looks
        }
        self.chosen = mark(ax, "o", ms=9, mfc="none", mec=style.INK, mew=1.2)
        self.marks = (self.band, *self.curves.values(), self.chosen)
        look = {"bbox_to_anchor": (0, 0.22), "handlelength": 1.6, "fontsize": 8}
        legend(ax, {**self.curves, "chosen": self.chosen}, loc="lower left", **look)

    def show(self, base, curves, chosen=()):
        """Draw what is measured so far, and rings around the `chosen` points."""
        low, high = base.interval
        self.band.set(y=low, height=high - low)
        for name, line in self.curves.items():
            put(line, sorted({0.0: base.accuracy, **curves.get(name, {})}.items()))
        put(self.chosen, chosen)
