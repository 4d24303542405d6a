"""A pruning schedule: the sparsity it asks for, the steps in which it comes, what each one cuts."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

from qlab.plots import style

LEAST = 1e-4  # share of the weights at the foot of the cuts: 0.01 %


class SchedulePanel:
    """Sparsity over the steps of a training: as wished, and as the masks have it."""

    @style.styled
    def __init__(self, ax, steps, epoch):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        _frame(ax, steps, epoch, "Sparsity by step")
        ax.set(ylim=(0, 1.02), ylabel="sparsity (%)")
        ax.yaxis.set_major_locator(MultipleLocator(0.2))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        ax.grid(True, axis="y")
        self.ends = ax.vlines([], 0, 1.02, color=style.SOFT, lw=1, ls=(0, (1, 2)))
        (self.wished,) = ax.plot([], [], color=style.BLUE, lw=1.4, ls=(0, (4, 2)))
        (self.masks,) = ax.plot([], [], color=style.VERMILION, lw=1.8, drawstyle="steps-post")
        (self.updates,) = ax.plot([], [], "o", color=style.VERMILION, ms=3.5)
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85}
        place = {"fontsize": 8, "va": "bottom", "color": style.SOFT, "bbox": box}
        self.words = [ax.text(0, 0.02, "", ha=ha, **place) for ha in ("left", "right")]
        self.marks = (self.ends, *self.words, self.wished, self.masks, self.updates)
        handles = [self.wished, self.masks, self.updates]
        words = ["curve", "masks", "an update of them"]
        look = {"handlelength": 1.6, "columnspacing": 1.1, "handletextpad": 0.5}
        place = {"loc": "lower right", "bbox_to_anchor": (1.01, 1.02), "borderaxespad": 0}
        ax.legend(handles, words, ncol=3, **place, **look)

    def show(self, wished, masks, updates, begin, end):
        """Draw a schedule."""
        at = np.arange(len(masks))
        inside = (at >= begin) & (at <= end)
        self.wished.set_data(at[inside], wished[inside])
        corners = np.flatnonzero(np.diff(masks, prepend=-1.0, append=-1.0))
        corners = np.union1d(corners[corners < len(masks)], [len(masks) - 1])
        self.masks.set_data(at[corners], masks[corners])
        few = len(updates) <= 80
        self.updates.set_data(*(updates, masks[updates]) if few else ([], []))
        self.ends.set_segments([[(x, 0), (x, 1.02)] for x in (begin, end)])
        for text, x, word in zip(self.words, (begin, end), ("begin", "end"), strict=True):
            text.set(text=f" {word} ", x=x)


class CutsPanel:
    """What each update cuts: its share of all weights, on a logarithmic scale."""

    @style.styled
    def __init__(self, ax, steps, epoch):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        _frame(ax, steps, epoch, "Cut by each update")
        ax.set(yscale="log", ylim=(LEAST, 1.5), ylabel="% of all weights")
        ax.set_yticks([1e-4, 1e-3, 1e-2, 0.1, 1])
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
        ax.grid(True, axis="y")
        self.stems = ax.vlines([], LEAST, 1, color=style.SKY, lw=1.2)
        (self.heads,) = ax.plot([], [], "o", color=style.BLUE, ms=3)
        self.marks = (self.stems, self.heads)

    def show(self, updates, cuts):
        """Draw the cuts."""
        kept = cuts > LEAST / 10
        x, y = updates[kept], cuts[kept]
        self.stems.set_segments([[(a, LEAST), (a, b)] for a, b in zip(x, y, strict=True)])
        self.heads.set_data(x, y)
        self.heads.set_markersize(3 if len(x) <= 80 else 1)


def _frame(ax, steps, epoch, title):
    """Axis of steps, with a line at the end of each epoch."""
    ax.set(xlim=(-0.01 * steps, 1.01 * steps), title=title)
    ax.set_xlabel("training step; a grey line ends an epoch")
    for at in range(epoch, steps + 1, epoch):
        ax.axvline(at, color=style.FAINT, lw=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
