"""Loud channels: how far each channel of two layers reaches, and what that does to accuracy."""

import numpy as np

from qlab.plots import style
from qlab.plots.drawing import BAND, DASHED, legend, mark, put, ticks, zoom

WIDE = 0.38  # half the width of a channel's bar
LOOKS = {  # of a curve, by what the file is
    ("per-tensor", False): ("per tensor", "-o", style.ORANGE),
    ("per-channel", False): ("per channel", "-s", style.GREEN),
    ("per-tensor", True): ("per tensor, equalized", "--o", style.ORANGE),
    ("per-channel", True): ("per channel, equalized", "--s", style.GREEN),
}


class ChannelsPanel:
    """Largest magnitude of each channel, and above one step of its grid what has codes."""

    @style.styled
    def __init__(self, ax, words=""):
        self.ax, look = ax, {"fill": True, "lw": 0}
        self.quiet_low = ax.stairs([1], [0, 1], color=style.BLUE, alpha=0.25, **look)
        self.loud_low = ax.stairs([1], [0, 1], color=style.VERMILION, alpha=0.25, **look)
        self.quiet = ax.stairs([1], [0, 1], color=style.BLUE, **look)
        self.loud = ax.stairs([1], [0, 1], color=style.VERMILION, **look)
        self.band = ax.stairs([1], [0, 1], color=style.SOFT, alpha=0.25, **look)
        self.step = ax.stairs([1], [0, 1], color=style.INK, lw=1.2, baseline=None)
        self.marks = (
            self.quiet_low, self.loud_low, self.quiet, self.loud, self.band, self.step
        )  # fmt: skip
        ax.set(yscale="log")
        if words:
            ax.set_ylabel(words)
            shown = {"loud channel": self.loud, "other channel": self.quiet}
            shown |= {"one step of the grid": self.step, "less than a step": self.quiet_low}
            look = {"ncols": len(shown), "handlelength": 1.2, "fontsize": 8.5}
            ax.figure.legend([*shown.values()], [*shown], loc="outside lower left", **look)

    @style.styled
    def frame(self, title, xlabel, channels, limits):
        """Set titles and limits: so many channels, and the ends of the upright axis."""
        self.ax.set(xlim=(-1, channels), ylim=limits, xlabel=xlabel)
        self.ax.set_title(title)

    def show(self, ranges, steps, loud):
        """Draw bars, and of each channel's steps the finest, the middle and the coarsest."""
        floor, middle = self.ax.get_ylim()[0], steps[1]
        for low, high, which in (
            (self.quiet_low, self.quiet, ~loud), (self.loud_low, self.loud, loud)
        ):  # fmt: skip
            _bars(low, np.where(which, np.minimum(ranges, middle), np.nan), floor)
            _bars(high, np.where(which & (ranges > middle), ranges, np.nan), middle)
        edges = np.arange(len(ranges) + 1) - 0.5
        self.band.set_data(steps[2], edges, steps[0])
        self.step.set_data(middle, edges)


def _bars(patch, tops, feet):
    """Move the bars of a patch, one a channel; there is none where the top is NaN or 0."""
    at, gaps = np.arange(len(tops)), np.full(len(tops), np.nan)
    edges = np.column_stack([at - WIDE, at + WIDE]).reshape(-1)
    values = np.column_stack([np.where(tops > 0, tops, np.nan), gaps]).reshape(-1)[:-1]
    feet = np.repeat(np.broadcast_to(feet, len(tops)), 2)[:-1]
    patch.set_data(values, edges, np.minimum(feet, np.nan_to_num(values, nan=np.inf)))


class FactorPanel:
    """Accuracy against the factor by which the loud channels are multiplied, a curve a kind."""

    @style.styled
    def __init__(self, ax, reference, interval, factors):
        ax.set_xscale("log", base=2)
        zoom(ax, reference)
        ax.set(xlim=(factors[0] / 1.3, factors[-1] * 1.3), xlabel="outlier factor")
        ax.set_title("Accuracy")
        ticks(ax.xaxis, at=factors[::2])
        band = ax.axhspan(*interval, **BAND)
        (line,) = ax.plot(factors, [reference] * len(factors), color=style.INK, lw=0.9, ls=DASHED)
        self.curves = {
            kind: mark(ax, look, color=colour, ms=4, lw=1.3, mfc=style.PAPER if kind[1] else colour)
            for kind, (_, look, colour) in LOOKS.items()
        }
        self.here = mark(ax, "o", ms=9, mfc="none", mec=style.INK, mew=1.2)
        self.marks = (*self.curves.values(), self.here)
        shown = {"float, 95 % interval": (band, line)}
        shown |= {LOOKS[kind][0]: curve for kind, curve in self.curves.items()}
        legend(ax, {**shown, "now": self.here}, loc="lower left", bbox_to_anchor=(0, 0.2),
               fontsize=8, handlelength=1.6)  # fmt: skip

    def show(self, curves, here):
        """Draw accuracy by factor for each kind that was tried, and a ring around the present."""
        for kind, line in self.curves.items():
            put(line, sorted(curves.get(kind, {}).items()))
        put(self.here, [here])
