"""Accuracy against what a model costs: the learner's trail, a board of models, and a search."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from qlab.plots import style
from qlab.plots.drawing import DASHED, baseline, legend, mark, offset_text, put, stand, ticks, zoom
from qlab.tflite.gzipping import GZIPPED
from qlab.trials.fronts import COSTS, front

SIZES = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
ACCURACIES = (0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99, 0.995)
STEPS = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)  # ticks of a logarithmic axis, coarse or fine
ABOVE = 0.02  # of accuracy; `zoom` leaves 0.03 above its reference, and 0.01 is enough
LOOKS = {  # colour, mark, size of each search method's files
    "uniform": (style.BLUE, "s", 4.5),
    "random": (style.ORANGE, "x", 3.5),
    "greedy": (style.GREEN, "o", 3),
}


class TradeoffPanel:
    """Accuracy against size: a trail of points, the best so far, and the float model."""

    @style.styled
    def __init__(self, ax, reference, smallest, chance=0.09, highest=0.0):
        self.ax = ax
        size, accuracy = reference[0] / 1000, reference[1]
        top = min(max(1 - (1 - accuracy) / 1.6, 1 - (1 - highest) / 1.4), 0.9999)
        ax.set_xscale("log")
        ax.set_yscale("function", functions=(_errors, _accuracies))
        ax.set(xlim=(smallest / 1000, size * 1.5), ylim=(chance, top))
        ax.set(xlabel=f"file, {GZIPPED} (KB)", ylabel="accuracy (%)", title="Accuracy against size")
        left, right = ax.get_xlim()
        ticks(ax.xaxis, at=[t for t in SIZES if left <= t <= right])
        ticks(ax.yaxis, "{:.3g}", 100, at=[t for t in ACCURACIES if chance < t < top])
        ax.grid(True)
        ax.axhline(accuracy, color=style.SOFT, lw=0.8, ls=DASHED)
        ax.plot(size, accuracy, "*", ms=11, color=style.INK, clip_on=False)
        offset_text(ax, (size, accuracy), (0, 7), "float", ha="center", fontsize=8.5)
        self.trail = mark(ax, "-o", lw=0.8, ms=4, color="#b3b3b3", mfc="#8c8c8c", mec="none")
        self.front = mark(ax, color=style.GREEN, lw=1.6, drawstyle="steps-post")
        self.best = mark(ax, "s", color=style.GREEN, ms=4.5)
        self.bar = mark(ax, "-_", color=style.VERMILION, lw=1.4, ms=11, mew=1.4)
        self.here = mark(ax, "o", color=style.VERMILION, ms=6.5, mec=style.PAPER, mew=1)
        self.marks = (self.trail, self.front, self.best, self.bar, self.here)
        shown = {"this file, with interval": self.here, "best so far": self.best}
        legend(ax, {**shown, "tried": self.trail}, handlelength=1, borderaxespad=0.2)

    def show(self, sizes, accuracies, interval, here=None):
        """Draw the trail, and the learner's place on it: `here`, or else its last point."""
        x, y = np.asarray(sizes, float) / 1000, np.asarray(accuracies, float)
        best = front(x, y)
        self.trail.set_data(x, y)
        right = self.ax.get_xlim()[1]
        self.front.set_data(np.append(x[best], right), np.append(y[best], y[best][-1]))
        self.best.set_data(x[best], y[best])
        at, height = (here[0] / 1000, here[1]) if here else (x[-1], y[-1])
        self.bar.set_data([at, at], interval)
        self.here.set_data([at], [height])


def _errors(accuracy):
    """Scale of the axis: minus the logarithm of the error."""
    return -np.log(np.maximum(1 - np.asarray(accuracy, float), 1e-6))


def _accuracies(y):
    return 1 - np.exp(-np.asarray(y, float))


class ParetoPanel:
    """Accuracy, with its interval, against a cost, and the front that no model beats as steps."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.whiskers = ax.vlines([], 0, 0, color="#b3b3b3", lw=0.9)
        self.steps = mark(ax, color=style.GREEN, lw=1.6, drawstyle="steps-post")
        self.controls = mark(ax, "o", ms=5, mfc=style.PAPER, mec=style.SOFT, mew=1)
        self.shipped = mark(ax, "o", ms=5, color=style.BLUE, mec=style.PAPER, mew=1)
        self.best = mark(ax, "s", ms=8, mfc="none", mec=style.GREEN, mew=1)
        self.chosen = mark(ax, "o", ms=13, mfc="none", mec=style.INK, mew=1)
        self.bar = mark(ax, "-_", color=style.INK, lw=1.4, ms=9, mew=1.4)
        self.yours = mark(ax, "*", ms=12, color=style.VERMILION, mec=style.PAPER, mew=1)
        self.marks = (
            *(self.whiskers, self.steps, self.controls, self.shipped),
            *(self.best, self.bar, self.yours, self.chosen),  # nothing covers one's own
        )

    @style.styled
    def frame(self, costs, accuracies, cost):
        """Set limits, ticks and labels that hold all models."""
        ax = self.ax
        for line in [x for x in ax.lines if x not in self.marks] + list(ax.texts):
            line.remove()
        below, each = _below(accuracies)
        zoom(ax, max(0.3, np.max(accuracies, initial=0.5) - ABOVE), below=below, ticks_per_one=each)
        known = _known(costs, cost)
        low, high = (known.min(), known.max()) if known.size else (1, 10)
        ax.set_xscale("log")
        ax.set_xlim(low / 1.35, high * 1.5)
        ticks(ax.xaxis, "{:,g}", at=_round_numbers(*ax.get_xlim()))
        ax.grid(True)
        ax.set(xlabel=label(cost), title="Accuracy against cost")
        shown = {"yours": self.yours, "shipped": self.shipped}
        shown |= {"shipped as a control": self.controls, "on the front": self.best}
        look = {"frameon": True, "framealpha": 1, "edgecolor": style.PAPER}
        legend(ax, shown, handlelength=1, labelspacing=0.35, **look)

    def holds(self, costs, accuracies, cost):
        """Whether the frame has room for these models."""
        (left, right), top = self.ax.get_xlim(), self.ax.get_ylim()[1]
        inside = all(left < x < right for x in _known(costs, cost))
        return inside and all(accuracy < top for accuracy in accuracies)

    def show(self, costs, accuracies, intervals, kinds, cost, chosen=None):
        """Draw the models, and a ring around the `chosen` one, if there is one."""
        x, y = scaled(costs, cost), np.asarray(accuracies, float)
        kinds = np.asarray(kinds, str)
        stand(self.whiskers, x, intervals)
        for line, kind in (
            (self.yours, "yours"),
            (self.shipped, "shipped"),
            (self.controls, "control"),
        ):
            line.set_data(x[kinds == kind], y[kinds == kind])
        ahead, right = front(costs, y), self.ax.get_xlim()[1]
        last = y[ahead][-1:] if ahead.size else []
        self.steps.set_data([*x[ahead], *[right for _ in last]], [*y[ahead], *last])
        self.best.set_data(x[ahead], y[ahead])
        ring = [] if chosen is None else [chosen]
        self.chosen.set_data(x[ring], y[ring])
        put(self.bar, [(x[i], end) for i in ring for end in intervals[i]])


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


def _below(accuracies):
    """How far down the axis is wide, so as to hold nine models in ten, and its ticks per one."""
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


def _known(costs, cost):
    """Those costs that were measured, in the unit of the axis."""
    costs = scaled(costs, cost)
    return costs[~np.isnan(costs)]


def _round_numbers(low, high):
    """Round numbers between two ends of a logarithmic axis: at least three, if there are three."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in STEPS:
        found = [step * 10.0**n for n in decades for step in steps if low <= step * 10.0**n <= high]
        if len(found) > 2:
            break
    return found


class TrialsPanel:
    """Accuracy against gzipped bytes: a mark for each file that a search made, and the budget."""

    @style.styled
    def __init__(self, ax, reference, largest):
        zoom(ax, reference, side="right")
        ax.set(xlim=(0, largest / 1000), xlabel=f"file, packed and {GZIPPED} (KB)")
        ax.set_title("Every file made, scored on the search images")
        ticks(ax.xaxis)
        ax.grid(True)
        baseline(ax, reference)
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "bottom"}
        ax.text(0.985, reference + 0.001, "float", fontsize=7.5, color=style.SOFT, **place)
        self.budget = ax.axvspan(0, 0, color=style.SKY, alpha=0.18, lw=0)
        self.clouds = {
            name: mark(ax, look, color=colour, ms=size, mew=0.8, alpha=0.75)
            for name, (colour, look, size) in LOOKS.items()
        }
        self.best = mark(ax, "*", color=style.VERMILION, ms=13, mec=style.PAPER, mew=0.8)
        self.marks = (self.budget, *self.clouds.values(), self.best)
        shown = {"best within the budget": self.best, **self.clouds}
        shown["within the budget"] = self.budget
        legend(ax, shown, bbox_to_anchor=(1, 0.2), fontsize=8, handlelength=1.1)

    def show(self, trials, budget_bytes, best=None):
        """Draw the files scored so far, and the best of them, if there is one."""
        self.budget.set(x=0, width=budget_bytes / 1000)
        for name, cloud in self.clouds.items():
            put(cloud, [(x.gzip_bytes / 1000, x.accuracy) for x in trials.get(name, ())])
        put(self.best, [(best.gzip_bytes / 1000, best.accuracy)] if best else [])


class ProgressPanel:
    """The best accuracy within the budget after so many files, a line for each search method."""

    @style.styled
    def __init__(self, ax, reference):
        self.ax = ax
        zoom(ax, reference, side="right")
        ax.set(xlabel="files scored", ylabel="", title="Best within the budget")
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        self.lines = {
            name: mark(ax, color=colour, lw=1.8, drawstyle="steps-post")
            for name, (colour, _, _) in LOOKS.items()
        }
        self.marks = tuple(self.lines.values())
        self.frame(100)

    def frame(self, files):
        self.files = files
        self.ax.set_xlim(0, files)

    def show(self, trials, budget_bytes):
        for name, line in self.lines.items():
            line.set_data(*climbing(trials.get(name, ()), budget_bytes))


def climbing(trials, budget_bytes):
    """The best accuracy within a budget after each file, from the first that is within it."""
    fits = np.array([x.accuracy if x.gzip_bytes <= budget_bytes else -1 for x in trials], float)
    highest = np.maximum.accumulate(fits) if fits.size else fits
    begun = highest >= 0
    return np.flatnonzero(begun) + 1, highest[begun]
