"""What calibration does: accuracy against the number of images, and the ranges it finds."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

SIZE_TICKS = (1, 4, 16, 64, 256, 1024)
FAN = 0.3  # octaves over which the draws of one size are spread, so that equal ones are all seen
HISTOGRAM_SHARE = 0.52  # of the panel's height; the ranges stand above


class CalibrationPanel:
    """Accuracy against calibration size, a dot for each draw of calibration images."""

    @style.styled
    def __init__(self, ax, reference, interval, largest=1024):
        """Draw the frame."""
        self.ax = ax
        ax.set_xscale("log", base=2)
        zoom(ax, reference)
        ax.set(xlim=(0.75, largest * 1.33), xlabel="calibration size (images, log scale)")
        ax.set(ylabel="accuracy (%)", title="Accuracy against calibration size")
        ax.xaxis.set_major_locator(FixedLocator([t for t in SIZE_TICKS if t <= largest]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        band = ax.axhspan(*interval, color=style.SKY, alpha=0.3, lw=0)
        (line,) = ax.plot([0.5, 4096], [reference] * 2, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        (self.past,) = ax.plot([], [], "-o", color="#9a9a9a", lw=0.9, ms=3)
        (self.middle,) = ax.plot([], [], "-", color=style.BLUE, lw=1.4)
        (self.others,) = ax.plot([], [], "o", color=style.BLUE, ms=3.4, mec="none", alpha=0.7)
        dots = {"color": style.VERMILION, "ms": 6, "mec": style.PAPER, "mew": 0.7}
        (self.here,) = ax.plot([], [], "o", **dots)
        self.marks = (self.past, self.middle, self.others, self.here)
        words = (
            "float, 95 % interval",
            "this setting, this size",
            "other sizes, middle",
            "earlier settings",
        )
        ax.legend(
            [(band, line), self.here, (self.middle, self.others), self.past],
            words,
            loc="lower right",
            bbox_to_anchor=(1.0, 0.2),
            ncols=2,
            handlelength=1.3,
            borderaxespad=0.3,
            columnspacing=1.1,
            handletextpad=0.5,
            labelspacing=0.3,
            fontsize=8,
        )

    def show(self, now, size, past=()):
        """Draw all draws."""
        sizes = sorted(now)
        self.middle.set_data(sizes, [middle(now[s]) for s in sizes])
        self.others.set_data(*_fanned({s: now[s] for s in sizes if s != size}))
        self.here.set_data(*_fanned({s: now[s] for s in sizes if s == size}))
        x, y = [], []
        for series in past:
            x += [*sorted(series), np.nan]
            y += [*(middle(series[s]) for s in sorted(series)), np.nan]
        self.past.set_data(x, y)


class RangesPanel:
    """Histogram of a layer's activations, and above it the range that each draw found for it."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax, self.edges = ax, np.array([0.0, 1.0])
        place = ax.get_xaxis_transform()
        self.real = ax.stairs([1], [0, 1], fill=True, color=style.FAINT, baseline=1e-12)
        self.seen = ax.stairs([1], [0, 1], color=style.ORANGE, lw=1.4, baseline=None)
        self.ticks = ax.vlines([0], 0, 0.04, transform=place, color=style.INK, lw=0.9)
        self.drops = ax.vlines([0], 0, 1, transform=place, color=style.VERMILION, lw=0.7, alpha=0.6)
        self.bars = ax.hlines([0], 0, 1, transform=place, color=style.VERMILION, lw=2.6)
        self.names = [
            ax.text(-0.015, 0, "", transform=ax.transAxes, ha="right", va="center", fontsize=8.5)
            for _ in range(9)
        ]
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
        self.note = ax.text(0.99, 0.635, "", transform=ax.transAxes, fontsize=8.5, bbox=box)
        self.note.set(horizontalalignment="right", verticalalignment="top")
        self.marks = (self.seen, self.ticks, self.drops, self.bars, *self.names, self.note)
        ax.set(xlabel="activation", yscale="log")
        ax.set_ylabel("share of values (%)", y=HISTOGRAM_SHARE / 2)
        ax.legend(
            [self.real, self.seen, self.bars],
            ["training images", "calibration images", "range of each draw"],
            loc="upper right",
            bbox_to_anchor=(1.0, -0.13),
            ncols=3,
            handlelength=1.1,
            columnspacing=0.9,
            handletextpad=0.4,
            fontsize=8,
        )

    @style.styled
    def frame(self, counts, edges, name=""):
        """Set limits and title for a layer, from what it really puts out."""
        step = max(1, len(counts) // 64)
        self.edges = np.asarray(edges, float)[::step]
        share = shares(counts, edges, self.edges)
        self.real.set_data(share, self.edges)
        low, high = max(share[share > 0].min() / 2, 1e-5), share.max()
        margin = 0.04 * (edges[-1] - edges[0] or 1)
        self.ax.set(
            xlim=(edges[0] - margin, edges[-1] + 4 * margin),
            ylim=(low, high * (high / low) ** (1 / HISTOGRAM_SHARE - 1) * 1.1),
        )
        self.ax.yaxis.set_major_locator(
            FixedLocator([t for t in LogLocator(numticks=5).tick_values(low, high) if t <= 100])
        )
        self.ax.yaxis.set_minor_locator(NullLocator())
        self.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        self.ax.set_title(f"Ranges found for {name}" if name else "Ranges found")

    def show(self, counts, edges, ranges, chosen=0, levels=None, note=""):
        """Draw what calibration saw, and each draw's range."""
        self.seen.set_data(np.maximum(shares(counts, edges, self.edges), 1e-9), self.edges)
        right = self.ax.get_xlim()[1]
        heights = 0.95 - np.arange(len(ranges)) * min(0.065, 0.33 / len(ranges))
        self.bars.set_segments(
            [[(a, y), (min(b, right), y)] for (a, b), y in zip(ranges, heights, strict=True)]
        )
        self.drops.set_segments(
            [
                [(x, 0), (x, y)]
                for ends, y in zip(ranges, heights, strict=True)
                for x in ends
                if x < right
            ]
        )
        for i, text in enumerate(self.names):
            shown = i < len(ranges)
            text.set_text(str(i + 1) if shown else "")
            text.set_y(heights[i] if shown else 0)
            text.set_fontweight("bold" if i == chosen else "normal")
        few = levels is not None and levels <= 64
        at = np.linspace(*ranges[chosen], levels) if few else []
        self.ticks.set_segments([[(x, 0), (x, 0.04)] for x in at])
        self.note.set_text(note)


def middle(values):
    """The middle value; of an even number, the upper of the two."""
    return sorted(values)[len(values) // 2]


def shares(counts, edges, into):
    """A histogram's shares, in percent, in other bins."""
    counts, edges, into = (np.asarray(values, float) for values in (counts, edges, into))
    total = max(counts.sum(), 1)
    if edges[0] == edges[-1]:
        return np.histogram(edges[:1], into)[0] * 100.0
    below = np.concatenate([[0], np.cumsum(counts)])
    return 100 * np.diff(np.interp(into, edges, below)) / total


def _fanned(series):
    """Dots of each size side by side: x and y."""
    x, y = [], []
    for size, values in series.items():
        x += [size * 2**shift for shift in np.linspace(-FAN / 2, FAN / 2, len(values))]
        y += list(values)
    return x, y
