"""A pruned model: its accuracy against its sparsity, and what its zeros buy."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, MultipleLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

ABOVE = 0.03  # of accuracy above the baseline: models that were trained longer, and the legend
FAN = 0.012  # between the dots of two seeds
GAINS = ("file", "gzipped", "zeros left out", "an image")


class CliffPanel:
    """Accuracy against sparsity: pruned at once, pruned and trained on, and the control."""

    @style.styled
    def __init__(self, ax, reference, interval):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        zoom(ax, reference + ABOVE)
        ax.set(xlim=(-0.04, 1.02), xlabel="sparsity (%)", ylabel="accuracy (%)")
        ax.set_title("Accuracy against sparsity")
        ax.xaxis.set_major_locator(MultipleLocator(0.25))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        ax.axhspan(*interval, color=style.SKY, alpha=0.3, lw=0)
        ax.axhline(reference, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        look = {"mec": style.PAPER, "mew": 0.6}
        (self.once,) = ax.plot([], [], "-o", color=style.ORANGE, ms=3.5, lw=1.2)
        (self.control,) = ax.plot([], [], "D", color=style.GREEN, ms=5, **look)
        (self.tuned,) = ax.plot([], [], "o", color=style.BLUE, ms=5, **look)
        (self.bar,) = ax.plot([], [], "-_", color=style.VERMILION, lw=1.4, ms=10, mew=1.4)
        (self.here,) = ax.plot([], [], "o", color=style.VERMILION, ms=6.5, mec=style.PAPER, mew=1)
        self.marks = (self.once, self.control, self.tuned, self.bar, self.here)
        handles = [self.here, self.once, self.tuned, self.control]
        words = ["this file", "pruned at once", "trained", "control"]
        look = {"handlelength": 1.2, "labelspacing": 0.3, "fontsize": 7.5, "borderaxespad": 0.1}
        ax.legend(handles, words, loc="upper left", ncol=2, columnspacing=1, **look)

    def show(self, here, interval, once=(), tuned=(), control=()):
        """Draw the accuracies."""
        self.here.set_data([here[0]], [here[1]])
        self.bar.set_data([here[0]] * 2, interval)
        tried = sorted(once)
        self.once.set_data([x for x, _ in tried], [y for _, y in tried])
        seeds = [(x + dx, y) for x, each in tuned for dx, y in zip(_fan(each), each, strict=True)]
        self.tuned.set_data([x for x, _ in seeds], [y for _, y in seeds])
        self.control.set_data(_fan(control), control)


class GainsPanel:
    """What the zeros buy: size and time of this file, as a share of those of the unpruned one."""

    @style.styled
    def __init__(self, ax):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        ax.set(xlim=(0, 1.4), ylim=(len(GAINS) - 0.5, -0.75), xlabel="% of the unpruned one's")
        ax.set_yticks([])
        ax.xaxis.set_major_locator(MultipleLocator(0.5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        ax.set_title("What it buys")
        ax.axvline(1, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        self.bars = [ax.barh(i, 0, 0.36, color=style.SKY)[0] for i in range(len(GAINS))]
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85}
        place = {"transform": ax.get_yaxis_transform(), "fontsize": 8, "va": "center", "bbox": box}
        self.words = [ax.text(0.02, i - 0.36, "", **place) for i in range(len(GAINS))]
        self.marks = (*self.bars, *self.words)

    def show(self, gains):
        """Draw the shares."""
        for bar, text, name, (share, words) in zip(
            self.bars, self.words, GAINS, gains, strict=True
        ):
            bar.set_visible(share is not None)
            bar.set_width(min(share or 0, 1.4))
            bar.set_facecolor(style.SKY if (share or 1) < 0.95 else style.ORANGE)
            text.set_text(f"{name}: {words}" if share is not None else "")


def _fan(seeds):
    return FAN * (np.arange(len(seeds)) - (len(seeds) - 1) / 2)
