"""Accuracy against size: where the learner has been, and the best so far."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, NullLocator

from qlab.plots import style
from qlab.trials.fronts import front

SIZE_TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
ACCURACY_TICKS = (0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99, 0.995)


class TradeoffPanel:
    """Accuracy against size, with a trail of points, the best so far, and the float model."""

    @style.styled
    def __init__(self, ax, reference, smallest, chance=0.09):
        """Draw the frame."""
        self.ax = ax
        size, accuracy = reference[0] / 1000, reference[1]
        top = 1 - (1 - accuracy) / 1.6 if accuracy < 1 else 0.9999
        ax.set_xscale("log")
        ax.set_yscale("function", functions=(_errors, _accuracies))
        ax.set(xlim=(smallest / 1000, size * 1.5), ylim=(chance, top), xlabel="file, gzipped (KB)")
        ax.set_ylabel("accuracy (%)")
        ax.set_title("Accuracy against size")
        left, right = ax.get_xlim()
        _ticks(ax.xaxis, [t for t in SIZE_TICKS if left <= t <= right], "{:,.0f}", 1)
        _ticks(ax.yaxis, [t for t in ACCURACY_TICKS if chance < t < top], "{:.3g}", 100)
        ax.grid(True)
        ax.axhline(accuracy, color=style.SOFT, lw=0.8, ls=(0, (4, 3)))
        ax.plot(size, accuracy, "*", ms=11, color=style.INK, clip_on=False)
        above = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        ax.annotate("float", (size, accuracy), fontsize=8.5, **above)
        self._make_marks(ax)

    def _make_marks(self, ax):
        """Put empty marks on `ax`, and say what they are."""
        grey = {"color": "#b3b3b3", "mfc": "#8c8c8c", "mec": "none"}
        (self.trail,) = ax.plot([], [], "-o", lw=0.8, ms=4, **grey)
        (self.front,) = ax.plot([], [], color=style.GREEN, lw=1.6, drawstyle="steps-post")
        (self.best,) = ax.plot([], [], "s", color=style.GREEN, ms=4.5)
        (self.bar,) = ax.plot([], [], "-_", color=style.VERMILION, lw=1.4, ms=11, mew=1.4)
        (self.here,) = ax.plot([], [], "o", color=style.VERMILION, ms=6.5, mec=style.PAPER, mew=1)
        self.marks = (self.trail, self.front, self.best, self.bar, self.here)
        ax.legend(
            [self.here, self.best, self.trail],
            ["this file, with interval", "best so far", "tried"],
            loc="lower right",
            handlelength=1,
            borderaxespad=0.2,
            labelspacing=0.3,
        )

    def show(self, sizes, accuracies, interval, here=None):
        """Draw the trail, and where the learner is."""
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
    """Inverse of `_errors`."""
    return 1 - np.exp(-np.asarray(y, float))


def _ticks(axis, at, form, factor):
    """Ticks at round numbers, written plainly."""
    axis.set_ticks(at)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value * factor)))
