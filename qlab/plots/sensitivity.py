"""Which layer hurts most, and what a recipe of the learner's own makes of that."""

from __future__ import annotations

from itertools import cycle

from matplotlib.ticker import FuncFormatter, MultipleLocator, NullLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

MARKERS = "os^Dv*"


class SensitivityPanel:
    """Accuracy with one layer lowered, a bar for each layer, from the base downwards."""

    @style.styled
    def __init__(self, ax, reference, rows):
        """Put empty marks on `ax`."""
        self.ax = ax
        self.knee = zoom(ax, reference, "x")
        ax.set(
            xlabel=f"accuracy (%), squeezed below {100 * self.knee:.0f}", ylim=(rows - 0.4, -0.75)
        )
        ax.yaxis.set_minor_locator(NullLocator())
        ax.tick_params(axis="y", length=0, labelcolor=style.INK)
        self.band = ax.axvspan(0, 1, color=style.SKY, alpha=0.3, lw=0)
        self.base = ax.axvline(0, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        self.bars = [ax.barh(i, 0, 0.42, color=style.SKY)[0] for i in range(rows)]
        self.whiskers = ax.hlines([0], 0, 0, color=style.INK, lw=1.3)
        (self.dots,) = ax.plot([], [], "o", color=style.INK, ms=4)
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1}
        place = {"transform": ax.get_yaxis_transform(), "fontsize": 8, "va": "center", "bbox": box}
        self.words = [ax.text(0.012, i - 0.37, "", **place) for i in range(rows)]
        self.marks = (self.band, self.base, *self.bars, self.whiskers, self.dots, *self.words)

    @style.styled
    def frame(self, names, title="One layer lowered"):
        """Set the rows and the title."""
        self.ax.set_yticks(range(len(names)), names)
        self.ax.set_title(title)

    def show(self, base, entries):
        """Draw what is measured so far."""
        low, high = base.interval
        self.band.set_x(low)
        self.band.set_width(high - low)
        self.base.set_xdata([base.accuracy] * 2)
        for i, (bar, words) in enumerate(zip(self.bars, self.words, strict=True)):
            entry = entries[i] if i < len(entries) else None
            bar.set_visible(entry is not None)
            words.set_text(verdict(entry.comparison) if entry else "")
            if entry:
                bar.set_x(min(entry.measurement.accuracy, base.accuracy))
                bar.set_width(abs(entry.measurement.accuracy - base.accuracy))
                bar.set_facecolor(style.FAINT if entry.comparison.within_noise else style.VERMILION)
        spans = [entry.measurement.interval for entry in entries]
        self.whiskers.set_segments([[(a, i), (b, i)] for i, (a, b) in enumerate(spans)])
        self.dots.set_data([x.measurement.accuracy for x in entries], range(len(entries)))


class RecipesPanel:
    """Accuracy against size: the mixed recipe beside uniform ones."""

    @style.styled
    def __init__(self, ax, reference, largest, xlabel="packed floor (KB): weights × bits / 8"):
        """Draw the frame."""
        self.ax = ax
        zoom(ax, reference)
        ax.set(xlim=(0, largest * 1.12 / 1000), xlabel=xlabel)
        ax.set(ylabel="accuracy (%)", title="Your recipe beside uniform ones")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.grid(True)
        (self.tried,) = ax.plot([], [], "o", color="#9a9a9a", ms=3.5)
        self.spans = ax.vlines([0], 0, 0, color=[style.BLUE], lw=1.4)
        (self.uniform,) = ax.plot([], [], "s", color=style.BLUE, ms=6)
        (self.here,) = ax.plot([], [], "o", color=style.VERMILION, ms=7, mec=style.PAPER, mew=0.8)
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.85}
        look = {"textcoords": "offset points", "fontsize": 8, "bbox": box}
        self.words = [
            ax.annotate("", (0, 0), (0, gap), va=va, **look)
            for gap, va in ((4, "bottom"), (-4, "top"))
        ]
        self.limit = ax.axvline(0, color=style.SOFT, lw=1, ls=(0, (1, 2)), visible=False)
        self.marks = (self.limit, self.tried, self.spans, self.uniform, self.here, *self.words)
        ax.legend(
            [self.here, self.uniform, self.tried],
            ["mixed, yours", "uniform", "mixed, tried before"],
            loc="lower right",
            bbox_to_anchor=(1, 0.2),
            handlelength=1,
            labelspacing=0.3,
            fontsize=8,
        )

    def show(self, mixed, uniform, tried=(), limit=None):
        """Draw the recipes."""
        self.limit.set_visible(limit is not None)
        self.limit.set_xdata([(limit or 0) / 1000] * 2)
        points = [*uniform.values(), mixed]
        x = [size / 1000 for size, _ in points]
        y = [measured.accuracy for _, measured in points]
        self.uniform.set_data(x[:-1], y[:-1])
        self.here.set_data(x[-1:], y[-1:])
        self.spans.set_segments(
            [[(a, m.interval[0]), (a, m.interval[1])] for a, (_, m) in zip(x, points, strict=True)]
        )
        self.spans.set_color([style.BLUE] * len(uniform) + [style.VERMILION])
        self.tried.set_data([size / 1000 for size, _ in tried], [accuracy for _, accuracy in tried])
        names = [*uniform, "", ""][:2]
        for text, name, a, (_, m), above in zip(self.words, names, x, points, (1, 0), strict=False):
            text.set_text(name)
            text.xy = a, m.interval[above]
            text.set_ha("left" if a < 0.15 * self.ax.get_xlim()[1] else "center")


class CurvesPanel:
    """Accuracy against the sparsity of one layer, a curve for each layer."""

    @style.styled
    def __init__(self, ax, reference, names):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        zoom(ax, reference)
        ax.set(xlim=(-0.02, 1.0), xlabel="sparsity of that layer (%)", ylabel="accuracy (%)")
        ax.set_title("One layer pruned, all others whole")
        ax.xaxis.set_major_locator(MultipleLocator(0.25))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        self.band = ax.axhspan(0, 1, color=style.SKY, alpha=0.3, lw=0)
        looks = zip(cycle(style.SERIES), cycle(MARKERS), names, strict=False)
        self.curves = {
            name: ax.plot([], [], color=colour, marker=marker, ms=4.5, lw=1.3)[0]
            for colour, marker, name in looks
        }
        (self.chosen,) = ax.plot([], [], "o", ms=9, mfc="none", mec=style.INK, mew=1.2)
        self.marks = (self.band, *self.curves.values(), self.chosen)
        handles = [*self.curves.values(), self.chosen]
        look = {"loc": "lower left", "bbox_to_anchor": (0, 0.22), "handlelength": 1.6}
        ax.legend(handles, [*names, "chosen"], labelspacing=0.3, fontsize=8, **look)

    def show(self, base, curves, chosen=()):
        """Draw what is measured so far."""
        low, high = base.interval
        self.band.set_y(low)
        self.band.set_height(high - low)
        for name, line in self.curves.items():
            points = sorted({0.0: base.accuracy, **curves.get(name, {})}.items())
            line.set_data([x for x, _ in points], [y for _, y in points])
        self.chosen.set_data([x for x, _ in chosen], [y for _, y in chosen])


def verdict(comparison):
    """A paired comparison in a few words."""
    points = f"{100 * comparison.difference:+.2f} points".replace("-", "−")
    if comparison.within_noise:
        return f"{points}, within noise (p = {comparison.p_value:.2f})"
    p = comparison.p_value
    return f"{points}, p < 0.001" if p < 0.001 else f"{points}, p = {p:.3f}"
