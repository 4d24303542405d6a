"""The Pareto board: accuracy against what a model costs, and the front that no model beats."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, NullLocator

from qlab.plots import style
from qlab.plots.zoom import zoom
from qlab.trials.fronts import COSTS, front

STEPS = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)  # ticks of a logarithmic axis, coarse or fine
ABOVE = 0.02  # of accuracy; `zoom` leaves 0.03 above its reference, and 0.01 is enough


class ParetoPanel:
    """Accuracy, with its interval, against a cost; the front as steps."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax = ax
        self.whiskers = ax.vlines([], 0, 0, color="#b3b3b3", lw=0.9)
        (self.steps,) = ax.plot([], [], color=style.GREEN, lw=1.6, drawstyle="steps-post")
        look = {"ls": "none", "mew": 1.0}
        (self.controls,) = ax.plot([], [], "o", ms=5, mfc=style.PAPER, mec=style.SOFT, **look)
        (self.shipped,) = ax.plot([], [], "o", ms=5, color=style.BLUE, mec=style.PAPER, **look)
        (self.yours,) = ax.plot([], [], "*", ms=12, color=style.VERMILION, mec=style.PAPER, **look)
        (self.best,) = ax.plot([], [], "s", ms=8, mfc="none", mec=style.GREEN, **look)
        (self.chosen,) = ax.plot([], [], "o", ms=13, mfc="none", mec=style.INK, **look)
        (self.bar,) = ax.plot([], [], "-_", color=style.INK, lw=1.4, ms=9, mew=1.4)
        self.marks = (
            *(self.whiskers, self.steps, self.controls, self.shipped, self.yours),
            *(self.best, self.bar, self.chosen),
        )

    @style.styled
    def frame(self, costs, accuracies, cost):
        """Set limits, ticks and labels that hold all models."""
        ax = self.ax
        for line in [x for x in ax.lines if x not in self.marks] + list(ax.texts):
            line.remove()
        below, each = room(accuracies)
        zoom(ax, max(0.3, np.max(accuracies, initial=0.5) - ABOVE), below=below, ticks_per_one=each)
        known = scaled(costs, cost)[~np.isnan(np.asarray(costs, float))]
        low, high = (known.min(), known.max()) if known.size else (1, 10)
        ax.set_xscale("log")
        ax.set_xlim(low / 1.35, high * 1.5)
        ax.xaxis.set_ticks(ticks(*ax.get_xlim()))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        ax.grid(True)
        ax.set(xlabel=label(cost), ylabel="accuracy (%)", title="Accuracy against cost")
        ax.legend(
            [self.yours, self.shipped, self.controls, self.best],
            ["yours", "shipped", "shipped as a control", "on the front"],
            loc="lower right",
            handlelength=1,
            labelspacing=0.35,
            frameon=True,
            framealpha=1,
            edgecolor=style.PAPER,
        )

    def holds(self, costs, accuracies, cost):
        """Whether the frame has room for these, and not far too much."""
        known = scaled(costs, cost)[~np.isnan(np.asarray(costs, float))]
        (left, right), top = self.ax.get_xlim(), self.ax.get_ylim()[1]
        inside = all(left < x < right for x in known)
        return inside and all(accuracy < top for accuracy in accuracies)

    def show(self, costs, accuracies, intervals, kinds, cost, chosen=None):
        """Draw the models."""
        x, y = scaled(costs, cost), np.asarray(accuracies, float)
        kinds = np.asarray(kinds, str)
        self.whiskers.set_segments(
            [[(at, low), (at, high)] for at, (low, high) in zip(x, intervals, strict=True)]
        )
        for line, kind in ((self.yours, "yours"), (self.shipped, "shipped")):
            line.set_data(x[kinds == kind], y[kinds == kind])
        self.controls.set_data(x[kinds == "control"], y[kinds == "control"])
        ahead, right = front(costs, y), self.ax.get_xlim()[1]
        last = y[ahead][-1:] if ahead.size else []
        self.steps.set_data([*x[ahead], *[right for _ in last]], [*y[ahead], *last])
        self.best.set_data(x[ahead], y[ahead])
        ring = [] if chosen is None else [chosen]
        self.chosen.set_data(x[ring], y[ring])
        self.bar.set_data(
            [x[i] for i in ring for _ in (0, 1)], [e for i in ring for e in intervals[i]]
        )


def columns(board, cost):
    """What `ParetoPanel.show` takes, out of the entries of a board."""
    return {
        "costs": np.array([getattr(entry, cost) for entry in board], float),
        "accuracies": np.array([entry.accuracy for entry in board], float),
        "intervals": [entry.interval for entry in board],
        "kinds": [
            "yours" if x.origin == "yours" else "control" if x.is_control else "shipped"
            for x in board
        ],
    }


def room(accuracies):
    """How far below the best the axis is wide, and its ticks: for nine models in ten."""
    spread = np.ptp(np.quantile(accuracies, [0.1, 1])) if len(accuracies) else 0
    below = float(np.clip(spread - ABOVE, 0.04, 0.15))
    return below, 100 if below < 0.08 else 50


def label(cost):
    """Label of the axis: bytes in thousands, times in microseconds."""
    return COSTS[cost].replace("(bytes)", "(KB)").replace("(ms)", "(µs)")


def scaled(costs, cost):
    """Costs in the unit of the axis."""
    costs = np.asarray(costs, float)
    return costs * 1000 if cost.endswith("_ms") else costs / 1000


def ticks(low, high):
    """Round numbers between two ends of a logarithmic axis: at least three, where there are."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in STEPS:
        found = [step * 10.0**n for n in decades for step in steps if low <= step * 10.0**n <= high]
        if len(found) > 2:
            break
    return found
