"""A search for a recipe: every file it made, and the best within the budget as files are scored."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

LOOKS = {  # colour, mark, size of each method's files
    "uniform": (style.BLUE, "s", 4.5),
    "random": (style.ORANGE, "x", 3.5),
    "greedy": (style.GREEN, "o", 3),
}


class TrialsPanel:
    """Accuracy against gzipped bytes, a mark for each file, and the budget."""

    @style.styled
    def __init__(self, ax, reference, largest):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        zoom(ax, reference, side="right")
        ax.set(xlim=(0, largest / 1000), xlabel="file, packed and gzipped (KB)")
        ax.set(ylabel="accuracy (%)", title="Every file made, scored on the search images")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.grid(True)
        ax.axhline(reference, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "bottom"}
        ax.text(0.985, reference + 0.001, "float", fontsize=7.5, color=style.SOFT, **place)
        self.budget = ax.axvspan(0, 0, color=style.SKY, alpha=0.18, lw=0)
        self.clouds = {
            name: ax.plot([], [], mark, color=colour, ms=size, mew=0.8, alpha=0.75)[0]
            for name, (colour, mark, size) in LOOKS.items()
        }
        (self.best,) = ax.plot([], [], "*", color=style.VERMILION, ms=13, mec=style.PAPER, mew=0.8)
        self.marks = (self.budget, *self.clouds.values(), self.best)
        handles = [self.best, *self.clouds.values(), self.budget]
        names = ["best within the budget", *self.clouds, "within the budget"]
        ax.legend(handles, names, loc="lower right", bbox_to_anchor=(1, 0.2), fontsize=8,
                  handlelength=1.1, labelspacing=0.3)  # fmt: skip

    def show(self, trials, budget_bytes, best=None):
        """Draw what is scored so far."""
        self.budget.set_x(0)
        self.budget.set_width(budget_bytes / 1000)
        for name, cloud in self.clouds.items():
            mine = trials.get(name, ())
            cloud.set_data([x.gzip_bytes / 1000 for x in mine], [x.accuracy for x in mine])
        at = [best] if best else []
        self.best.set_data([x.gzip_bytes / 1000 for x in at], [x.accuracy for x in at])


class ProgressPanel:
    """The best accuracy within the budget after so many files, a line a method."""

    @style.styled
    def __init__(self, ax, reference):
        """Draw the frame, and put empty lines on it."""
        self.ax, self.files = ax, 0
        zoom(ax, reference, side="right")
        ax.set(xlabel="files scored", title="Best within the budget")
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        self.lines = {
            name: ax.plot([], [], color=colour, lw=1.8, drawstyle="steps-post")[0]
            for name, (colour, _, _) in LOOKS.items()
        }
        self.marks = tuple(self.lines.values())
        self.frame(100)

    def frame(self, files):
        """Set the right edge, in files."""
        self.files = files
        self.ax.set_xlim(0, files)

    def show(self, trials, budget_bytes):
        """Draw what is scored so far; parameters as of `TrialsPanel.show`."""
        for name, line in self.lines.items():
            line.set_data(*climbing(trials.get(name, ()), budget_bytes))


def climbing(trials, budget_bytes):
    """The best accuracy within a budget, after each file."""
    fits = np.array([x.accuracy if x.gzip_bytes <= budget_bytes else -1 for x in trials], float)
    highest = np.maximum.accumulate(fits) if fits.size else fits
    begun = highest >= 0
    return np.flatnonzero(begun) + 1, highest[begun]
