"""Pruning: the hole in the histogram, the mask of a layer, the cliff, and what zeros buy."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from qlab.plots import style
from qlab.plots.zoom import zoom

BINS = 61  # odd: one bin around zero
WINDOW = 64, 96  # rows and columns of a mask that are shown
ABOVE = 0.03  # of accuracy above the baseline: models that were trained longer, and the legend
MOST = 0.999  # of the weights set the scale; the few larger ones count in the outermost bars
GAINS = ("file", "gzipped", "zeros left out", "an image")


class HolePanel:
    """Histogram of a layer's weights: all of them behind, and those that are left.

    Parameters
    ----------
    ax : matplotlib.axes.Axes

    Attributes
    ----------
    marks : tuple of matplotlib artists
        What `show` moves; `frame` changes what lies behind.
    """

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
        """Set limits and title for a layer.

        Parameters
        ----------
        weights : ndarray of float
            Before anything is pruned.
        name : str
            The layer's.
        """
        half = float(np.quantile(np.abs(weights), MOST)) or 1.0
        self.edges = np.linspace(-half, half, BINS + 1)
        counts = self._counts(weights)
        self.all.set_data(counts, self.edges)
        self.ax.set(xlim=(-1.06 * half, 1.06 * half), ylim=(0, 1.4 * max(counts.max(), 1)))
        self.ax.set_title(f"Weights of {name}" if name else "Weights")

    def show(self, kept, tuned=None, note=""):
        """Draw what is left.

        Parameters
        ----------
        kept : ndarray of float, shape (k,)
            The weights that are not zero.
        tuned : ndarray of float, shape (m,), or None
            The same after a training, if there is one.
        note : str
        """
        self.kept.set_data(self._counts(kept), self.edges)
        self.tuned.set_visible(tuned is not None)
        if tuned is not None:
            self.tuned.set_data(self._counts(tuned), self.edges)
        self.note.set_text(note)

    def _counts(self, weights):
        return np.histogram(np.clip(weights, self.edges[0], self.edges[-1]), self.edges)[0]


class MaskPanel:
    """A layer's weights as a table: an output channel a row, blue where a weight is not zero.

    Parameters
    ----------
    ax : matplotlib.axes.Axes

    Attributes
    ----------
    marks : tuple of matplotlib artists
    """

    @style.styled
    def __init__(self, ax):
        """Put an empty table on `ax`."""
        self.ax = ax
        colours = ListedColormap([style.PAPER, style.BLUE])
        self.table = ax.imshow(
            np.zeros((2, 2)), cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest"
        )
        self.marks = (self.table,)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
        for spine in ax.spines.values():
            spine.set_visible(True)

    @style.styled
    def frame(self, shape, name=""):
        """Set limits and title for a table.

        Parameters
        ----------
        shape : (int, int)
            Output channels and inputs; at most 64 and 96 of them are shown.
        name : str
            The layer's.
        """
        rows, columns = np.minimum(shape, WINDOW)
        self.ax.set(xlim=(0, columns), ylim=(rows, 0))
        of = [
            f", first {n} of {most}" if n < most else ""
            for n, most in zip((rows, columns), shape, strict=True)
        ]
        self.ax.set(xlabel=f"input{of[1]}", ylabel=f"output channel{of[0]}")
        self.ax.set_title(f"What is left of {name}" if name else "What is left")

    def show(self, kept):
        """Draw a mask.

        Parameters
        ----------
        kept : ndarray of bool, shape (rows, columns)
        """
        window = kept[: WINDOW[0], : WINDOW[1]]
        self.table.set_data(window)
        self.table.set_extent((0, window.shape[1], window.shape[0], 0))


class CliffPanel:
    """Accuracy against sparsity: pruned at once, pruned and trained on, and the control.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    reference : float
        Accuracy of the float baseline.
    interval : (float, float)
        Its 95 % interval.

    Attributes
    ----------
    marks : tuple of matplotlib artists
    """

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
        """Draw the accuracies.

        Parameters
        ----------
        here : (float, float)
            Sparsity and accuracy of the file.
        interval : (float, float)
            Of that accuracy.
        once, tuned : sequence of (sparsity, accuracy)
            Pruned at once, as tried so far; pruned and trained on, one a seed.
        control : sequence of float
            Accuracies of the controls; they have no zeros.
        """
        self.here.set_data([here[0]], [here[1]])
        self.bar.set_data([here[0]] * 2, interval)
        for line, points in ((self.once, sorted(once)), (self.tuned, tuned)):
            line.set_data([x for x, _ in points], [y for _, y in points])
        self.control.set_data([0.0] * len(control), control)


class GainsPanel:
    """What the zeros buy: size and time of this file, as a share of those of the unpruned one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes

    Attributes
    ----------
    marks : tuple of matplotlib artists
    """

    @style.styled
    def __init__(self, ax):
        """Draw the frame, and put empty marks on it."""
        self.ax = ax
        ax.set(xlim=(0, 1.3), ylim=(len(GAINS) - 0.5, -0.75), xlabel="% of the unpruned one's")
        ax.set_yticks([])
        ax.xaxis.set_major_locator(MultipleLocator(0.5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        ax.set_title("What the zeros buy")
        ax.axvline(1, color=style.INK, lw=0.9, ls=(0, (4, 3)))
        self.bars = [ax.barh(i, 0, 0.36, color=style.SKY)[0] for i in range(len(GAINS))]
        box = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85}
        place = {"transform": ax.get_yaxis_transform(), "fontsize": 8, "va": "center", "bbox": box}
        self.words = [ax.text(0.02, i - 0.36, "", **place) for i in range(len(GAINS))]
        self.marks = (*self.bars, *self.words)

    def show(self, gains):
        """Draw the shares.

        Parameters
        ----------
        gains : sequence of (float or None, str)
            In the order of `GAINS`: the share, and what to say of it; None leaves the row out.
        """
        for bar, text, name, (share, words) in zip(
            self.bars, self.words, GAINS, gains, strict=True
        ):
            bar.set_visible(share is not None)
            bar.set_width(min(share or 0, 1.3))
            bar.set_facecolor(style.SKY if (share or 1) < 0.95 else style.ORANGE)
            text.set_text(f"{name}: {words}" if share is not None else "")


def as_table(layer, weights):
    """A layer's weights as a table: an output channel a row.

    Parameters
    ----------
    layer : qlab.litemodel.Layer
        Says which axis counts output channels.
    weights : ndarray
        Of the layer's shape.

    Returns
    -------
    ndarray of shape (output channels, inputs)

    Examples
    --------
    >>> import qlab
    >>> layer = qlab.pretrained("baseline").layer("conv2")
    >>> layer.weights.shape, as_table(layer, layer.weights).shape
    ((16, 2, 2, 32), (16, 128))
    """
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


@style.styled
def plot_mask(kept, name="", ax=None):
    """Table of a layer's weights, an output channel a row, blue where a weight is not zero.

    Parameters
    ----------
    kept : array_like of bool, shape (output channels, inputs)
    name : str
        The layer's.
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_mask([[True, False], [False, True]]).get_ylabel()
    'output channel'
    """
    ax = style.new_axes(ax)
    kept = np.asarray(kept, bool)
    panel = MaskPanel(ax)
    panel.frame(kept.shape, name)
    panel.show(kept)
    return ax


@style.styled
def plot_sparsity(once, tuned, control, reference, interval, ax=None):
    """Accuracy against sparsity: pruned at once, pruned and trained on, and the control.

    Parameters
    ----------
    once, tuned : sequence of (sparsity, accuracy)
        The last of `once` is marked.
    control : sequence of float
        Accuracies.
    reference : float
        Accuracy of the float baseline.
    interval : (float, float)
        Its 95 % interval.
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = plot_sparsity([(0.0, 0.90), (0.5, 0.87)], [(0.5, 0.91)], [0.91], 0.90, (0.89, 0.91))
    >>> ax.get_xlabel()
    'sparsity (%)'
    """
    ax = style.new_axes(ax)
    panel = CliffPanel(ax, reference, interval)
    panel.show(once[-1], (once[-1][1],) * 2, once, tuned, control)
    return ax
