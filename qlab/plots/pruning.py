"""A pruned layer: the hole in the histogram of its weights, and which of them are left."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qlab.plots import style

BINS = 61  # odd: one bin around zero
WINDOW = 64, 96  # rows and columns of a mask that are shown
MOST = 0.999  # of the weights are within the picture
COLOURS = np.array([to_rgba(style.PAPER), to_rgba(style.BLUE)]) * 255


class HolePanel:
    """Histogram of a layer's weights: all of them behind, and those that are left."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax = ax
        look = {"fill": True, "color": style.FAINT}
        self.all = ax.stairs([0, 0], [0, 1, 2], **look)
        self.kept = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.BLUE, alpha=0.8)
        self.tuned = ax.stairs([0, 0], [0, 1, 2], color=style.VERMILION, lw=1.2)
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85}
        place = {"transform": ax.transAxes, "va": "top", "fontsize": 8, "linespacing": 1.35}
        self.note = ax.text(0.02, 0.985, "", bbox=box, **place)
        self.marks = (self.all, self.kept, self.tuned, self.note)
        ax.set(xlabel="weight", ylabel="number of weights")
        ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))

    @style.styled
    def frame(self, weights, name=""):
        """Set limits and title for a layer."""
        half = float(np.quantile(np.abs(weights), MOST)) or 1.0
        self.edges = np.linspace(-half, half, BINS + 1)
        counts = self._counts(weights)
        self.all.set_data(counts, self.edges)
        self.ax.set(xlim=(-1.06 * half, 1.06 * half), ylim=(0, 1.4 * max(counts.max(), 1)))
        self.ax.set_title(f"Weights of {name}" if name else "Weights")

    def show(self, kept, tuned=None, note=""):
        """Draw what is left."""
        self.kept.set_data(self._counts(kept), self.edges)
        self.tuned.set_visible(tuned is not None)
        if tuned is not None:
            self.tuned.set_data(self._counts(tuned), self.edges)
        self.note.set_text(note)

    def _counts(self, weights):
        return np.histogram(weights, self.edges)[0]


class MaskPanel:
    """A layer's weights as a table: an output channel a row, blue where a weight is not zero."""

    @style.styled
    def __init__(self, ax):
        """Put an empty table on `ax`."""
        self.ax = ax
        blank = COLOURS[np.zeros((2, 2), int)].astype(np.uint8)
        self.table = ax.imshow(blank, aspect="auto", interpolation="nearest")
        self.marks = (self.table,)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
        for spine in ax.spines.values():
            spine.set_visible(True)

    @style.styled
    def frame(self, shape, name=""):
        """Set limits and title for a table."""
        rows, columns = np.minimum(shape, WINDOW)
        self.ax.set(xlim=(0, columns), ylim=(rows, 0))
        of = [
            f", first {n} of {most}" if n < most else ""
            for n, most in zip((rows, columns), shape, strict=True)
        ]
        self.ax.set(xlabel=f"input{of[1]}", ylabel=f"output channel{of[0]}")
        self.ax.set_title(f"What is left of {name}" if name else "What is left")

    def show(self, kept):
        """Draw a mask."""
        window = kept[: WINDOW[0], : WINDOW[1]]
        self.table.set_data(COLOURS[window.astype(int)].astype(np.uint8))
        self.table.set_extent((0, window.shape[1], window.shape[0], 0))


def as_table(layer, weights):
    """A layer's weights as a table: an output channel a row."""
    first = np.moveaxis(weights, layer.channel_axis, 0)
    return first.reshape(len(first), -1)


@style.styled
def plot_pruned_weights(weights, kept, name="", ax=None):
    """Histogram of a layer's weights with the hole that pruning leaves.

    Parameters
    ----------
    weights : array_like of float
        Before pruning.
    kept : array_like of bool, same shape
        True where a weight stays.
    name : str
        The layer's.
    ax : matplotlib.axes.Axes or None
        None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = plot_pruned_weights([-0.3, 0.01, 0.3], [True, False, True], "dense1")
    >>> ax.get_title(loc="left")
    'Weights of dense1'
    """
    ax = style.new_axes(ax)
    weights, kept = np.asarray(weights, float), np.asarray(kept, bool)
    panel = HolePanel(ax)
    panel.frame(weights, name)
    panel.show(weights[kept], note=f"{100 * (1 - kept.mean()):.1f} % are zero")
    return ax
