"""Training: how it went, and quantization-aware training next to what it must be compared with."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from qlab.plots import style
from qlab.plots.drawing import (
    DASHED,
    RIM,
    baseline,
    fan,
    legend,
    mark,
    note,
    paper,
    put,
    stand,
    ticks,
    zoom,
)

COLOURS = (style.ORANGE, style.VERMILION, style.GREEN, style.BLUE)
APART = 0.2  # between the dots of two seeds
FINE = 8  # bins a step
ABOVE = 0.015  # of accuracy above the baseline, for models that were trained longer
NAMES = {"loss": "loss", "accuracy": "accuracy (%)"}


class WaysPanel:
    """Accuracy of four ways to few bits: a dot for each seed, with its 95 % interval."""

    @style.styled
    def __init__(self, ax, reference, interval):
        zoom(ax, reference + ABOVE)
        ax.set(xlim=(-0.55, 3.55), title="Accuracy, a dot a seed")
        ax.set_xticks(range(4), ["nearest", "least\nsquares", "GPTQ", "QAT"])
        ax.tick_params(axis="x", length=0, labelcolor=style.INK, labelsize=8)
        baseline(ax, reference, interval)
        note(ax, 0.012, 0.985, "dashed: float32 baseline", va="top", fontsize=7.5, color=style.SOFT)
        self.whiskers = [ax.vlines([], 0, 0, color=colour, lw=1.6) for colour in COLOURS]
        self.dots = [mark(ax, "o", color=colour, ms=4.5, **RIM) for colour in COLOURS]
        self.marks = (*self.whiskers, *self.dots)

    def show(self, ways):
        for i, way in enumerate(ways):
            x = i + fan(way, APART)
            self.dots[i].set_data(x, [m.accuracy for m in way])
            stand(self.whiskers[i], x, [m.interval for m in way])


class StepsPanel:
    """A layer's weights in steps of their grid: before rounding, and after."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.before = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.SKY, alpha=0.75)
        self.after = ax.stairs([0, 0], [0, 1, 2], color=style.INK, lw=1.1)
        self.note = note(ax, 0.02, 0.99, va="top", bbox=paper(alpha=0.8))
        self.marks = (self.before, self.after, self.note)
        ax.set(xlabel="weight, in steps of its grid", ylabel="% of the weights a step")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    @style.styled
    def frame(self, before, after, bits, name):
        """Set limits and title for a layer at some bits."""
        self.bits, top = bits, 2 ** (bits - 1) - 1
        half = top * 1.08 + 1.2 if bits > 2 else 3.2
        hill, bars = shares(before, bits)[0], shares(after, bits, True)[0]
        self.ax.set(xlim=(-half, half), ylim=(0, 1.42 * max(hill.max(), bars.max())))
        self.ax.set_title(f"Weights of {name}")

    def show(self, before, after, words):
        """Draw both; the words say what the weights before rounding are."""
        self.before.set_data(*shares(before, self.bits))
        self.after.set_data(*shares(after, self.bits, True))
        self.note.set_text(f"blue: {words}\noutline: rounded to {2**self.bits - 1} levels")


def shares(weights, bits, codes=False):
    """Histogram of weights in steps of their grid, as a percentage a step; and its edges."""
    top, weights = 2 ** (bits - 1) - 1, np.asarray(weights, float)
    if codes:
        wide = 0.25 if bits <= 4 else 0.5  # half of a bar; with many codes the bars touch
        edges = np.arange(-top - wide, top + 2 * wide, 2 * wide)
        return 100 * np.histogram(weights, edges)[0] / weights.size, edges
    fine, half = (FINE, 4) if bits <= 4 else (0.5, 0)
    edges = np.arange(-(top + half), top + half + 1e-9, 1 / fine) - 0.5 / fine
    return 100 * fine * np.histogram(weights, edges)[0] / weights.size, edges


class LearningPanel:
    """Loss or accuracy over the epochs of a live training."""

    @style.styled
    def __init__(self, ax, quantity, scored):
        self.ax, self.quantity = ax, quantity
        self.training = mark(ax, "-o", color=style.BLUE, ms=4, lw=1.4)
        self.scored = mark(ax, "--s", color=style.VERMILION, ms=4, lw=1.4)
        self.best = mark(ax, "o", ms=10, mfc="none", mec=style.INK, mew=1.1)
        self.note = note(ax, 0.5, 0.5, "not trained yet", ha="center", color=style.SOFT)
        self.marks = (self.training, self.scored, self.best, self.note)
        ax.set(xlabel="epoch", title=f"Live: {NAMES[quantity]}")
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2.5, 5, 10]))
        ax.yaxis.set_major_locator(MaxNLocator(5))
        if quantity == "accuracy":
            ticks(ax.yaxis, "{:.3g}", 100)
            shown = {"training": self.training, f"{scored}, LiteRT": self.scored, "best": self.best}
            legend(ax, shown, fontsize=7.5, handlelength=1.6, borderaxespad=0.2)
        self.frame(1, [0.85, 0.95] if quantity == "accuracy" else [0.0, 0.4])

    def frame(self, epochs, values):
        """Set limits that hold so many epochs and these values."""
        low, high = min(values), max(values)
        margin = 0.12 * (high - low or 0.1)
        low = 0 if self.quantity == "loss" else low - 3.5 * margin  # the legend stands below
        self.ax.set(xlim=(-0.06 * epochs, 1.06 * epochs), ylim=(low, high + margin))

    def holds(self, epochs, values):
        """Whether the frame has room for them, and not far too much."""
        (left, right), (low, high) = self.ax.get_xlim(), self.ax.get_ylim()
        inside = all(low <= value <= high for value in values)
        return inside and left < epochs <= right < 1.2 * epochs

    def show(self, training=(), scored=(), best=None):
        """Draw the curves through (epoch, value) points, and a ring around the best."""
        put(self.training, training)
        put(self.scored, scored)
        put(self.best, [best] if best else [])
        self.note.set_visible(not training and not scored)


@style.styled
def plot_history(history, quantity="accuracy", ax=None):
    """Draw how training went: a curve over its epochs, and one for images held out from it.

    `history` is what `qlab.train.fit` returns; `quantity` is ``loss``, or ``accuracy``, which is
    drawn in percent.

    >>> ax = plot_history({"loss": [0.6, 0.4], "validation_loss": [0.5, 0.45]}, "loss")
    >>> [line.get_label() for line in ax.lines]
    ['training', 'validation']
    """
    if quantity not in NAMES or quantity not in history:
        held = ", ".join(sorted(history))
        raise ValueError(f"there is no {quantity!r} in this history; it holds {held}")
    ax = style.new_axes(ax, 4.6, 3.2)
    factor = 100 if quantity == "accuracy" else 1
    curves = (
        ("training", quantity, style.BLUE, "-o"),
        ("validation", f"validation_{quantity}", style.VERMILION, "--s"),
    )
    for label, key, colour, line in curves:
        if key in history:
            values = factor * np.asarray(history[key], float)
            ax.plot(1 + np.arange(len(values)), values, line, color=colour, label=label, ms=4)
    ax.set(xlabel="epoch", ylabel=NAMES[quantity], title=quantity.capitalize())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    ax.legend()
    return ax


@style.styled
def plot_intervals(rows, xlabel, reference=None, ax=None, factor=100):
    """Draw a row for each name: a dot for each value, and a line for the interval, if it has one.

    `rows` has (values, interval or None) by name, and `reference` is where a line is dashed. All
    are drawn times `factor`, because most are fractions, which are read in percent or points.

    >>> rows = {"one": ([0.9], (0.89, 0.91)), "three": ([0.88, 0.9, 0.91], None)}
    >>> ax = plot_intervals(rows, "accuracy (%)")
    >>> [len(line.get_xdata()) for line in ax.lines]
    [1, 3]
    """
    ax = style.new_axes(ax, 6.2, 0.8 + 0.4 * len(rows))
    for row, (values, interval) in enumerate(rows.values()):
        if interval is not None:
            ax.hlines(row, *(factor * end for end in interval), color=style.SKY, lw=5, alpha=0.7)
        places = factor * np.asarray(values), np.full(len(values), row)
        ax.plot(*places, "o", color=style.BLUE, **RIM)
    if reference is not None:
        ax.axvline(factor * reference, color=style.INK, lw=0.9, ls=DASHED)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    ax.grid(axis="x")
    return ax


@style.styled
def plot_wrapped_layer(weight, scale, ax=None):
    """Draw the wrapper of quantization-aware training around a layer, with one weight's numbers.

    Forward, the layer uses the rounded weight; backward, the gradient goes to the float weight as
    if nothing had been rounded.

    >>> ax = plot_wrapped_layer(0.3, 0.25)
    >>> [x.get_text() for x in ax.texts if x.get_weight() == "bold"]
    ['0.30', '0.25', 'layer', 'rounded']
    """
    code = int(np.rint(weight / scale))
    rounded = f"code {code} × scale {scale:g}".replace("-", "−")
    steps = (
        ("float weight", f"{weight:.2f}", "adds up small steps"),
        ("rounded weight", f"{code * scale:.2f}", rounded),
        ("multiplies and adds", "layer", "in float"),
        ("activation", "rounded", "to its own grid"),
    )
    ax = style.new_axes(ax, 9, 2.5)
    ax.set(xlim=(-0.6, len(steps) - 0.2), ylim=(-1.75, 1.05))
    ax.set_axis_off()
    middle = {"ha": "center", "va": "center"}
    arrow = {"arrowstyle": "-|>", "color": style.SOFT, "shrinkA": 0, "shrinkB": 0}
    wrapper = {"fc": "none", "ec": style.SOFT, "ls": DASHED}
    ax.add_patch(Rectangle((-0.5, -0.85), len(steps), 1.75, **wrapper))
    for x, (what, value, meaning) in enumerate(steps):
        edge = style.INK if value == "layer" else style.BLUE
        ax.add_patch(Rectangle((x - 0.32, -0.26), 0.64, 0.52, fc=style.PAPER, ec=edge, lw=1.4))
        ax.text(x, 0, value.replace("-", "−"), fontweight="bold", fontsize=9.5, **middle)
        ax.text(x, 0.55, what, fontsize=8.5, **middle)
        ax.text(x, -0.55, meaning, fontsize=8, color=style.SOFT, **middle)
        ax.annotate("", (x + 0.67, 0), (x + 0.33, 0), arrowprops=arrow)
    ax.text(-0.45, 0.97, "the wrapper", fontsize=8.5, color=style.SOFT, va="bottom")
    back = {**arrow, "color": style.VERMILION, "connectionstyle": "arc3,rad=-0.28", "lw": 1.4}
    ax.annotate("", (0, -0.75), (2, -0.75), arrowprops=back)
    words = "backward: the gradient passes as if nothing had been rounded"
    ax.text(1, -1.6, words, fontsize=8.5, color=style.WRONG_WORDS, **middle)
    return ax
