"""Pruning: when zeros come, which weights are left, and what it costs and buys."""

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from qlab.plots import style
from qlab.plots.drawing import (
    DASHED,
    DOTTED,
    RIM,
    baseline,
    fan,
    half_range,
    legend,
    mark,
    note,
    paper,
    percent_axis,
    put,
    stand,
    ticks,
    weight_axes,
    zoom,
)

BINS = 61  # odd: one bin around zero
WINDOW = 64, 96  # rows and columns of a mask that are shown
COLOURS = np.array([to_rgba(style.PAPER), to_rgba(style.BLUE)]) * 255
ABOVE = 0.03  # of accuracy above the baseline: models that were trained longer, and the legend
APART = 0.012  # between the dots of two seeds
GAINS = ("file", "gzipped", "zeros left out", "an image")
LEAST = 1e-4  # share of the weights at the foot of the cuts: 0.01 %


class HolePanel:
    """Histogram of a layer's weights: all of them behind, and in front those that are left."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.all = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.FAINT)
        self.kept = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.BLUE, alpha=0.8)
        self.tuned = ax.stairs([0, 0], [0, 1, 2], color=style.VERMILION, lw=1.2)
        self.note = note(ax, 0.02, 0.985, va="top", linespacing=1.35, bbox=paper())
        self.marks = (self.all, self.kept, self.tuned, self.note)
        weight_axes(ax)
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ticks(ax.yaxis)

    @style.styled
    def frame(self, weights, name):
        half = half_range(weights)
        self.edges = np.linspace(-half, half, BINS + 1)
        counts = self._counts(weights)
        self.all.set_data(counts, self.edges)
        self.ax.set(xlim=(-1.06 * half, 1.06 * half), ylim=(0, 1.4 * max(counts.max(), 1)))
        self.ax.set_title(f"Weights of {name}" if name else "Weights")

    def show(self, kept, tuned=None, note=""):
        """Draw the weights that are left and, if given, those after training."""
        self.kept.set_data(self._counts(kept), self.edges)
        self.tuned.set_visible(tuned is not None)
        if tuned is not None:
            self.tuned.set_data(self._counts(tuned), self.edges)
        self.note.set_text(note)

    def _counts(self, weights):
        return np.histogram(weights, self.edges)[0]


@style.styled
def plot_pruned_weights(weights, kept, name="", ax=None):
    """Draw a histogram of a layer's weights with the hole that pruning leaves around zero.

    `kept` is True where a weight stays; `name` is the layer's, for the title.

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
def plot_mask(weights, mask, ax=None):
    """Draw weights, their mask below them, and below both the product, which the network uses.

    `weights` and `mask` have one axis; the mask is True, or 1, where a weight stays.

    >>> ax = plot_mask([0.31, -0.02], [True, False])
    >>> [x.get_text() for x in ax.texts]
    ['0.31', '−0.02', '1', '0', '0.31', '0']
    """
    weights, mask = np.asarray(weights, float), np.asarray(mask, bool)
    rows = {
        "weights": [f"{x:.2f}".replace("-", "−") for x in weights],
        "mask": [f"{x:d}" for x in mask],
    }
    rows["weights × mask"] = [
        x if kept else "0" for x, kept in zip(rows["weights"], mask, strict=True)
    ]
    ax = style.new_axes(ax, 1.6 + 0.8 * len(weights), 1.9)
    ax.set(xlim=(-0.5, len(weights) - 0.5), ylim=(2.5, -0.5), xticks=[])
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    for y, words in enumerate(rows.values()):
        for x, (word, kept) in enumerate(zip(words, mask, strict=True)):
            colour = style.BLUE if kept else style.PAPER
            ax.add_patch(Rectangle((x - 0.45, y - 0.38), 0.9, 0.76, fc=colour, ec=style.SOFT))
            ax.text(x, y, word, ha="center", va="center", color=style.words_on(colour))
    return ax


@style.styled
def plot_removed_filters(kept, weights_each, readers, axes=None):
    """Draw two layers before and after filters are removed: rows go, and the columns they fed.

    `kept` is True for each filter of the first layer that stays, which is a row of `weights_each`
    weights. The next layer has `readers` rows, and one column for each filter that it reads.

    >>> before, after = plot_removed_filters([True, False, True], 4, 2)
    >>> before.get_title(loc="left"), after.get_title(loc="left")
    ('before: 18 weights', 'after: 12 weights')
    """
    kept = np.asarray(kept, bool)
    axes = style.new_grid(1, 2, 9, 2.9, axes)
    for ax, when, stay in zip(axes, ("before", "after"), (kept, kept[kept]), strict=True):
        count = len(stay) * (weights_each + readers)
        left = weights_each + 3  # where the next layer begins
        ax.set(xlim=(-0.7, left + len(kept)), ylim=(max(len(kept), readers) - 0.4, -1.6))
        ax.set_title(f"{when}: {count:,} weights")
        ax.set_axis_off()
        for y, stays in enumerate(stay):
            for x in range(weights_each):
                _cell(ax, x, y, stays)
            for row in range(readers):
                _cell(ax, left + y, row, stays)
        arrow = {"arrowstyle": "-|>", "color": style.SOFT, "shrinkA": 0, "shrinkB": 0}
        height = (len(stay) - 1) / 2
        ax.annotate("", (left - 0.9, height), (weights_each - 0.1, height), arrowprops=arrow)
        words = {"ha": "left", "va": "bottom", "fontsize": 8.5}
        ax.text(-0.45, -0.6, f"first layer\nfilters (rows): {len(stay)}", **words)
        ax.text(left - 0.45, -0.6, f"next layer\nchannels it reads (columns): {len(stay)}", **words)
    return axes


def _cell(ax, x, y, stays):
    """One weight as a square: filled if it stays, crossed out in vermilion if it goes."""
    look = {"fc": style.BLUE, "ec": style.PAPER}
    if not stays:
        look = {"fc": style.PAPER, "ec": style.VERMILION, "hatch": "xxxx"}
    ax.add_patch(Rectangle((x - 0.42, y - 0.42), 0.84, 0.84, **look))


class MaskPanel:
    """A layer's weights as a table: a row for each output channel, blue where one is not zero."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        blank = COLOURS[np.zeros((2, 2), int)].astype(np.uint8)
        self.table = ax.imshow(blank, aspect="auto", interpolation="nearest")
        self.marks = (self.table,)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
        ax.spines[:].set_visible(True)

    @style.styled
    def frame(self, shape, name):
        rows, columns = np.minimum(shape, WINDOW)
        self.ax.set(xlim=(0, columns), ylim=(rows, 0))
        of = [
            f", first {n} of {most}" if n < most else ""
            for n, most in zip((rows, columns), shape, strict=True)
        ]
        self.ax.set(xlabel=f"input{of[1]}", ylabel=f"output channel{of[0]}")
        self.ax.set_title(f"What is left of {name}")

    def show(self, kept):
        """Draw a mask, or as much of it as the window shows."""
        window = kept[: WINDOW[0], : WINDOW[1]]
        self.table.set_data(COLOURS[window.astype(int)].astype(np.uint8))
        self.table.set_extent((0, window.shape[1], window.shape[0], 0))


def as_table(layer, weights):
    """A layer's weights as a table, with a row for each output channel."""
    first = np.moveaxis(weights, layer.channel_axis, 0)
    return first.reshape(len(first), -1)


class CliffPanel:
    """Accuracy against sparsity: pruned at once, pruned and trained on, and the control."""

    @style.styled
    def __init__(self, ax, reference, interval):
        zoom(ax, reference + ABOVE)
        ax.set(xlim=(-0.04, 1.02), xlabel="sparsity (%)", title="Accuracy against sparsity")
        percent_axis(ax.xaxis, every=0.25)
        baseline(ax, reference, interval)
        self.once = mark(ax, "-o", color=style.ORANGE, ms=3.5, lw=1.2)
        self.control = mark(ax, "D", color=style.GREEN, ms=5, **RIM)
        self.tuned = mark(ax, "o", color=style.BLUE, ms=5, **RIM)
        self.bar = mark(ax, "-_", color=style.VERMILION, lw=1.4, ms=10, mew=1.4)
        self.here = mark(ax, "o", color=style.VERMILION, ms=6.5, mec=style.PAPER, mew=1)
        self.marks = (self.once, self.control, self.tuned, self.bar, self.here)
        shown = {"this file": self.here, "pruned at once": self.once}
        shown |= {"trained": self.tuned, "control": self.control}
        look = {"handlelength": 1.2, "fontsize": 7.5, "borderaxespad": 0.1, "columnspacing": 1}
        legend(ax, shown, loc="upper left", ncol=2, **look)

    def show(self, here, interval, once=(), tuned=(), control=()):
        """Draw (sparsity, accuracy) points; `tuned` has the accuracies of all seeds for each."""
        put(self.here, [here])
        self.bar.set_data([here[0]] * 2, interval)
        put(self.once, sorted(once))
        seeds = [(x + fan(each, APART), each) for x, each in tuned]
        put(self.tuned, [point for each in seeds for point in zip(*each, strict=True)])
        self.control.set_data(fan(control, APART), control)


class GainsPanel:
    """What the zeros buy: size and time of this file, as a share of those of the unpruned one."""

    @style.styled
    def __init__(self, ax):
        rows = range(len(GAINS))
        ax.set(xlim=(0, 1.4), ylim=(len(GAINS) - 0.5, -0.75), xlabel="% of the unpruned one's")
        ax.set_yticks([])
        percent_axis(ax.xaxis, every=0.5)
        ax.set_title("What it buys")
        ax.axvline(1, color=style.INK, lw=0.9, ls=DASHED)
        self.bars = [ax.barh(i, 0, 0.36, color=style.SKY)[0] for i in rows]
        place = {"transform": ax.get_yaxis_transform(), "fontsize": 8, "va": "center"}
        self.words = [ax.text(0.02, i - 0.36, "", bbox=paper(), **place) for i in rows]
        self.marks = (*self.bars, *self.words)

    def show(self, gains):
        """Draw each share, with its words; a share that is None is not known."""
        for bar, text, name, (share, words) in zip(
            self.bars, self.words, GAINS, gains, strict=True
        ):
            bar.set_visible(share is not None)
            bar.set_width(min(share or 0, 1.4))
            bar.set_facecolor(style.SKY if (share or 1) < 0.95 else style.ORANGE)
            text.set_text(f"{name}: {words}" if share is not None else "")


class SchedulePanel:
    """Sparsity over the steps of a training: what the schedule asks for, and what masks have."""

    @style.styled
    def __init__(self, ax, steps, epoch):
        _step_axis(ax, steps, epoch)
        ax.set(ylim=(0, 1.02), ylabel="sparsity (%)", title="Sparsity by step")
        percent_axis(ax.yaxis, every=0.2)
        ax.grid(True, axis="y")
        self.ends = ax.vlines([], 0, 1.02, color=style.SOFT, lw=1, ls=DOTTED)
        self.wished = mark(ax, color=style.BLUE, lw=1.4, ls=(0, (4, 2)))
        self.masks = mark(ax, color=style.VERMILION, lw=1.8, drawstyle="steps-post")
        self.updates = mark(ax, "o", color=style.VERMILION, ms=3.5)
        place = {"fontsize": 8, "va": "bottom", "color": style.SOFT, "bbox": paper()}
        self.words = [ax.text(0, 0.02, "", ha=ha, **place) for ha in ("left", "right")]
        self.marks = (self.ends, *self.words, self.wished, self.masks, self.updates)
        shown = {"curve": self.wished, "masks": self.masks, "an update of them": self.updates}
        look = {"handlelength": 1.6, "columnspacing": 1.1, "handletextpad": 0.5}
        legend(ax, shown, bbox_to_anchor=(1.01, 1.02), borderaxespad=0, ncol=3, **look)

    def show(self, wished, masks, updates, begin, end):
        """Draw a schedule: two values for each step, the steps of the updates, and its ends."""
        at = np.arange(len(masks))
        inside = (at >= begin) & (at <= end)
        self.wished.set_data(at[inside], wished[inside])
        corners = np.flatnonzero(np.diff(masks, prepend=-1.0, append=-1.0))
        corners = np.union1d(corners[corners < len(masks)], [len(masks) - 1])
        self.masks.set_data(at[corners], masks[corners])
        few = len(updates) <= 80
        self.updates.set_data(*(updates, masks[updates]) if few else ([], []))
        stand(self.ends, (begin, end), (0, 1.02))
        for text, x, word in zip(self.words, (begin, end), ("begin", "end"), strict=True):
            text.set(text=f" {word} ", x=x)


class CutsPanel:
    """What each update cuts: its share of all weights, on a logarithmic scale."""

    @style.styled
    def __init__(self, ax, steps, epoch):
        _step_axis(ax, steps, epoch)
        ax.set(yscale="log", ylim=(LEAST, 1.5), ylabel="% of all weights")
        ax.set_title("Cut by each update")
        ticks(ax.yaxis, "{:g}", 100, at=[1e-4, 1e-3, 1e-2, 0.1, 1])
        ax.grid(True, axis="y")
        self.stems = ax.vlines([], LEAST, 1, color=style.SKY, lw=1.2)
        self.heads = mark(ax, "o", color=style.BLUE, ms=3)
        self.marks = (self.stems, self.heads)

    def show(self, updates, cuts):
        kept = cuts > LEAST / 10
        x, y = updates[kept], cuts[kept]
        stand(self.stems, x, [(LEAST, cut) for cut in y])
        self.heads.set_data(x, y)
        self.heads.set_markersize(3 if len(x) <= 80 else 1)


def _step_axis(ax, steps, epoch):
    """Axis of training steps, with a line at the end of each epoch."""
    ax.set(xlim=(-0.01 * steps, 1.01 * steps), xlabel="training step; a grey line ends an epoch")
    for at in range(epoch, steps + 1, epoch):
        ax.axvline(at, color=style.FAINT, lw=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ticks(ax.xaxis)
