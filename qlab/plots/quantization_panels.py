"""Post-training quantization: a layer's numbers on their grids, and what calibration finds."""

import numpy as np
from matplotlib.patches import PathPatch, Rectangle, StepPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, LogLocator
from matplotlib.transforms import Affine2D

from qlab.arithmetic.affine import dequantize, fake_quantize
from qlab.plots import style
from qlab.plots.drawing import (
    BAND,
    DASHED,
    legend,
    mark,
    note,
    offset_text,
    paper,
    put,
    stand,
    ticks,
    weight_axes,
    zoom,
)

GRID_ROWS = 24  # at most this many channels
HEADROOM = 1.12
BETWEEN_BINS = 20  # from a code to the middle between two
SMALL = (0.025, 0.5, 0.335, 0.24)  # left, low, width and height of the small picture
FEW = 64  # at most so many levels are drawn one by one
SIZES = (1, 4, 16, 64, 256, 1024)
FAN = 0.3  # octaves over which the draws of one size are spread, so that equal ones are all seen
HISTOGRAM_SHARE = 0.52  # of the panel's height; the ranges stand above


class WeightPanel:
    """Histogram of a layer's weights, the values of its codes, and what went to a farther code."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.bars = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.SKY, alpha=0.75)
        self.farther = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.VERMILION, alpha=0.85)
        self.grid = PathPatch(Path([(0, 0)]), fill=False, ec=style.INK, snap=True)
        self.grid.set(antialiased=False, capstyle="butt")
        ax.add_patch(self.grid)
        self.note = _corner_note(ax)
        self.between = _between(ax)
        _, self.all_between, self.farther_between, *_, self.share = self.between
        self.marks = (self.bars, self.farther, self.grid, *self.between, self.note)
        weight_axes(ax)

    @style.styled
    def frame(self, counts, edges, name):
        counts, edges = np.asarray(counts, float), np.asarray(edges, float)
        self.bars.set_data(counts, edges)
        self.farther.set_data(np.zeros_like(counts), edges)
        half = max(abs(edges[0]), abs(edges[-1])) * 1.06
        self.ax.set(xlim=(-half, half), ylim=(0, max(counts.max(), 1) * HEADROOM))
        self.ax.set_title(f"Weights of {name}")

    def show(self, scales, q_max, note="", farther=None, between=None):
        """Draw the grid of these scales, or none for float weights, and the `farther` weights."""
        self.note.set_text(note)
        for moved in (self.farther, *self.between):
            moved.set_visible(farther is not None)
        if farther is not None:
            self.farther.set_data(np.asarray(farther, float))
            share = 100 * np.sum(farther) / np.sum(self.bars.get_data().values)
            self.share.set_text(f"{share:.3g} % to the\nfarther code")
            for bars, counts in zip((self.all_between, self.farther_between), between, strict=True):
                bars.set_data(counts / max(between[0].max(), 1))
        self.grid.set_visible(scales is not None)
        if scales is not None:
            height = self.ax.get_ylim()[1] / HEADROOM
            self.grid.set_path(grid_path(np.atleast_1d(scales), q_max, height))
            dense = q_max > 63  # then thin and pale, so that what is behind stays visible
            self.grid.set(linewidth=0.34 if dense else 0.7, alpha=0.3 if dense else 0.8)


def _between(ax):
    """A small picture at the left, weights by how far they lay from a code: all its artists."""
    left, low, wide, high = SMALL
    place = Affine2D().scale(wide, high).translate(left, low) + ax.transAxes
    edges, look = np.linspace(0, 1, BETWEEN_BINS + 1), {"transform": place, "fill": True}
    ground = ax.add_patch(Rectangle((-0.03, -0.32), 1.06, 1.95, transform=place, fc=style.PAPER))
    every, farther = (
        ax.add_patch(StepPatch(0 * edges[1:], edges, lw=0, color=colour, alpha=alpha, **look))
        for colour, alpha in ((style.SKY, 0.75), (style.VERMILION, 0.85))
    )
    (foot,) = ax.plot([0, 1], [0, 0], color=style.SOFT, lw=0.8, transform=place)
    look = {"fontsize": 6.5, "color": style.SOFT, "va": "top"}
    ends = [
        note(ax, left + end * wide, low - 0.015, words, ha=ha, **look)
        for end, words, ha in ((0, "code", "left"), (1, "halfway", "right"))
    ]
    look = {"fontsize": 7.5, "fontweight": "bold", "va": "bottom", "color": style.VERMILION}
    share = note(ax, left, low + high + 0.015, **look)
    return ground, every, farther, foot, *ends, share


def between_codes(weights, params, which):
    """Counts of all weights on the grid and of some, from a code to the middle between two."""
    steps = weights / dequantize(np.ones(weights.shape, np.int8), params)
    inside = np.abs(steps) <= params.q_max
    place = np.abs(steps - np.rint(steps)) * 2 * BETWEEN_BINS
    place = np.minimum(place.astype(np.int64), BETWEEN_BINS - 1)
    return [np.bincount(place[x], minlength=BETWEEN_BINS) for x in (inside, inside & which)]


def grid_path(scales, q_max, height):
    """Upright ticks at the values that codes can take, a row for each channel."""
    scales = np.sort(np.asarray(scales, float))[::-1]
    chosen = np.linspace(0, len(scales) - 1, min(len(scales), GRID_ROWS)).round().astype(int)
    values = scales[chosen, None] * np.arange(-q_max, q_max + 1)
    feet = np.broadcast_to(np.arange(len(chosen))[:, None] * height / len(chosen), values.shape)
    uprights = np.stack([values, feet, values, feet + height / len(chosen)], axis=-1)
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), values.size)
    return Path(uprights.reshape(-1, 2), codes)


class ActivationPanel:
    """Histogram of what a layer puts out, with the range that its codes can hold."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.below, self.above = (ax.axvspan(0, 1, color=style.FAINT, lw=0) for _ in range(2))
        look = {"fill": True, "color": style.ORANGE, "alpha": 0.75, "baseline": 0.5}
        self.bars = ax.stairs([0, 0], [0, 1, 2], **look)
        upright = {"transform": ax.get_xaxis_transform(), "color": style.INK}
        self.ends = ax.vlines([0, 1], 0, 1, lw=1.4, **upright)
        self.ticks = ax.vlines([0], 0, 0.05, lw=0.9, **upright)
        self.note = _corner_note(ax)
        self.marks = (self.below, self.above, self.bars, self.ticks, self.ends, self.note)
        ax.set(xlabel="activation", ylabel="number of values", yscale="log")

    @style.styled
    def frame(self, counts, edges, name):
        """Set limits and title for a layer, from the histogram over all calibration images."""
        edges = np.asarray(edges, float)
        margin = 0.04 * (edges[-1] - edges[0] or 1)
        self.ax.set_xlim(edges[0] - margin, edges[-1] + margin)
        self.ax.set_ylim(0.5, max(np.max(counts), 1) * 6)
        self.ax.set_title(f"Activations after {name}")

    def show(self, counts, edges, low, high, levels=None, note=""):
        """Draw the histogram and the range, whose ends are None if nothing is clipped."""
        self.bars.set_data(np.asarray(counts, float), np.asarray(edges, float))
        left, right = self.ax.get_xlim()
        ends = (left, right) if low is None else (low, high)
        self.below.set(x=left, width=max(ends[0] - left, 0))
        self.above.set(x=ends[1], width=max(right - ends[1], 0))
        stand(self.ends, [] if low is None else ends, (0, 1))
        stand(self.ticks, _levels(*ends, levels), (0, 0.05))
        self.note.set_text(note)


def clipped_share(counts, edges, low, high):
    """Fraction of a histogram's values outside a range; a bin that is cut counts by its share."""
    below = np.concatenate([[0], np.cumsum(counts)])
    inside = np.interp(high, edges, below) - np.interp(low, edges, below)
    return float(max(0.0, 1 - inside / max(below[-1], 1)))


def clipped_words(counts, edges, low, high):
    """Share of a histogram's values outside a range, in words."""
    share = clipped_share(counts, edges, low, high)
    if 0 < share < 1e-4:
        return "under 0.01 % clipped"
    return f"{100 * share:.2f} % clipped" if share else "nothing clipped"


def _corner_note(ax):
    """An empty text at the top right, inside."""
    look = {"ha": "right", "va": "top", "fontsize": 8.5, "linespacing": 1.3}
    return note(ax, 0.985, 0.975, bbox=paper(1.5, alpha=None), **look)


def _levels(low, high, levels):
    """Where the levels of a range are, if they are few enough to be told apart."""
    return np.linspace(low, high, levels) if levels is not None and levels <= FEW else []


class CalibrationPanel:
    """Accuracy against calibration size, a dot for each draw of calibration images."""

    @style.styled
    def __init__(self, ax, reference, interval, largest=1024):
        ax.set_xscale("log", base=2)
        zoom(ax, reference)
        ax.set(xlim=(0.75, largest * 1.33), xlabel="calibration size (images, log scale)")
        ax.set_title("Accuracy against calibration size")
        ticks(ax.xaxis, at=[t for t in SIZES if t <= largest])
        band = ax.axhspan(*interval, **BAND)
        (line,) = ax.plot([0.5, 4096], [reference] * 2, color=style.INK, lw=0.9, ls=DASHED)
        self.past = mark(ax, "-o", color="#9a9a9a", lw=0.9, ms=3)
        self.middle = mark(ax, "-", color=style.BLUE, lw=1.4)
        self.others = mark(ax, "o", color=style.BLUE, ms=3.4, mec="none", alpha=0.7)
        self.here = mark(ax, "o", color=style.VERMILION, ms=6, mec=style.PAPER, mew=0.7)
        self.marks = (self.past, self.middle, self.others, self.here)
        shown = {
            "float, 95 % interval": (band, line),
            "this setting, this size": self.here,
            "other sizes, middle": (self.middle, self.others),
            "earlier settings": self.past,
        }
        look = {"handlelength": 1.3, "borderaxespad": 0.3, "columnspacing": 1.1, "fontsize": 8}
        legend(ax, shown, bbox_to_anchor=(1.0, 0.2), ncols=2, handletextpad=0.5, **look)

    def show(self, now, size, past=()):
        """Show every draw of this setting by size, and the middle draws of `past` settings."""
        put(self.middle, [(s, middle(now[s])) for s in sorted(now)])
        put(self.others, [point for s in sorted(now) if s != size for point in _fanned(s, now[s])])
        put(self.here, _fanned(size, now.get(size, ())))
        gap = (np.nan, np.nan)  # between the lines of two settings
        lines = [[*((s, middle(series[s])) for s in sorted(series)), gap] for series in past]
        put(self.past, [point for line in lines for point in line])


def middle(values):
    """The middle value; of an even number, the upper of the two."""
    return sorted(values)[len(values) // 2]


def _fanned(size, values):
    """Dots of the draws of one size, side by side."""
    shifts = np.linspace(-FAN / 2, FAN / 2, len(values))
    return [(size * 2**shift, value) for shift, value in zip(shifts, values, strict=True)]


class RangesPanel:
    """Histogram of a layer's activations, and above it the range that each draw found for it."""

    @style.styled
    def __init__(self, ax):
        self.ax, self.edges = ax, np.array([0.0, 1.0])
        place = {"transform": ax.get_xaxis_transform()}
        self.real = ax.stairs([1], [0, 1], fill=True, color=style.FAINT, baseline=1e-12)
        self.seen = ax.stairs([1], [0, 1], color=style.ORANGE, lw=1.4, baseline=None)
        self.ticks = ax.vlines([0], 0, 0.04, color=style.INK, lw=0.9, **place)
        self.drops = ax.vlines([0], 0, 1, color=style.VERMILION, lw=0.7, alpha=0.6, **place)
        self.bars = ax.hlines([0], 0, 1, color=style.VERMILION, lw=2.6, **place)
        look = {"fontsize": 8.5, "ha": "right"}
        self.names = [note(ax, -0.015, 0, va="center", **look) for _ in range(9)]
        self.note = note(ax, 0.99, 0.635, va="top", bbox=paper(1.5), **look)
        self.marks = (self.seen, self.ticks, self.drops, self.bars, *self.names, self.note)
        ax.set(xlabel="activation", yscale="log")
        ax.set_ylabel("share of values (%)", y=HISTOGRAM_SHARE / 2)
        shown = {"training images": self.real, "calibration images": self.seen}
        shown["range of each draw"] = self.bars
        look = {"handlelength": 1.1, "columnspacing": 0.9, "handletextpad": 0.4, "fontsize": 8}
        legend(ax, shown, loc="upper right", bbox_to_anchor=(1.0, -0.13), ncols=3, **look)

    @style.styled
    def frame(self, counts, edges, name):
        """Set limits and title for a layer, from what it really puts out."""
        step = max(1, len(counts) // 64)
        self.edges = np.asarray(edges, float)[::step]
        share = shares(counts, edges, self.edges)
        self.real.set_data(share, self.edges)
        low, high = max(share[share > 0].min() / 2, 1e-5), share.max()
        margin = 0.04 * (edges[-1] - edges[0] or 1)
        top = high * (high / low) ** (1 / HISTOGRAM_SHARE - 1) * 1.1
        self.ax.set(xlim=(edges[0] - margin, edges[-1] + 4 * margin), ylim=(low, top))
        every = LogLocator(numticks=5).tick_values(low, high)
        ticks(self.ax.yaxis, "{:g}", at=[])
        self.ax.yaxis.set_major_locator(FixedLocator([t for t in every if t <= 100]))
        self.ax.set_title(f"Ranges found for {name}")

    def show(self, counts, edges, ranges, chosen, levels, note):
        """Draw what calibration saw, each draw's range, and the levels of the `chosen` one."""
        self.seen.set_data(np.maximum(shares(counts, edges, self.edges), 1e-9), self.edges)
        right = self.ax.get_xlim()[1]
        heights = 0.95 - np.arange(len(ranges)) * min(0.065, 0.33 / len(ranges))
        rows = list(zip(ranges, heights, strict=True))
        self.bars.set_segments([[(a, y), (min(b, right), y)] for (a, b), y in rows])
        drops = [(x, (0, y)) for ends, y in rows for x in ends if x < right]
        stand(self.drops, [x for x, _ in drops], [ends for _, ends in drops])
        for i, text in enumerate(self.names):
            shown = i < len(ranges)
            text.set_text(str(i + 1) if shown else "")
            text.set_y(heights[i] if shown else 0)
            text.set_fontweight("bold" if i == chosen else "normal")
        stand(self.ticks, _levels(*ranges[chosen], levels), (0, 0.04))
        self.note.set_text(note)


def shares(counts, edges, into):
    """A histogram's shares, in percent, in other bins."""
    counts, edges, into = (np.asarray(values, float) for values in (counts, edges, into))
    total = max(counts.sum(), 1)
    if edges[0] == edges[-1]:
        return np.histogram(edges[:1], into)[0] * 100.0
    below = np.concatenate([[0], np.cumsum(counts)])
    return 100 * np.diff(np.interp(into, edges, below)) / total


@style.styled
def plot_fake_quantization(low, high, params, axes=None):
    """Draw the stairs of fake quantization, and next to them the error that it makes.

    They go from the real value `low` to `high`, and show the clipping beyond the grid of `params`,
    which must have one scale. The error is the rounded value minus the real one.

    >>> from qlab.arithmetic.affine import affine_params
    >>> stairs, error = plot_fake_quantization(-2, 4, affine_params(-1, 3, bits=3))
    >>> stairs.get_xlabel(), error.get_ylabel()
    ('real value', 'error')
    """
    stairs, error = axes = style.new_grid(1, 2, 8.6, 3.2, axes)
    x = np.linspace(low, high, 2001, dtype=np.float32)
    rounded = fake_quantize(x, params)
    stairs.plot(x, x, color=style.SOFT, lw=1, ls=DASHED, label="float32")
    stairs.plot(x, rounded, color=style.BLUE, label=f"{params.levels} levels")
    stairs.set(xlabel="real value", ylabel="after fake quantization", title="The stairs")
    stairs.legend()
    error.plot(x, rounded - x, color=style.VERMILION)
    half = float(params.scale) / 2
    for end in (half, -half):
        error.axhline(end, color=style.SOFT, lw=1, ls=DASHED)
    offset_text(error, (high, half), (0, 3), "half a step", ha="right")
    error.set(xlabel="real value", ylabel="error", title="What is lost")
    for ax in axes:
        ax.grid(True)
    return axes


@style.styled
def plot_integer_layer(codes, weights, bias, zero_points, multiplier, shift, ax=None):
    """Draw how one output of a dense layer comes about in integers, step by step, with its numbers.

    `codes` are the inputs of one image, `weights` those of one output, and `zero_points` those of
    the input and the output. Below each step stand its type and what 1 is worth there.

    >>> ax = plot_integer_layer(np.int8([3, 5]), np.int8([20, 40]), 50, (1, -7), 2**30, 35)
    >>> [x.get_text() for x in ax.texts if x.get_weight() == "bold"]
    ['2 products', '200', '250', '8', '1']
    """
    total = int((codes.astype(int) - zero_points[0]) @ weights.astype(int))
    scaled = (total + int(bias)) * int(multiplier) + (1 << int(shift) - 1) >> int(shift)
    code = int(np.clip(scaled + zero_points[1], -128, 127))
    steps = (
        ("input codes, minus $z_x$,\ntimes weight codes", f"{len(codes)} products", "int8 × int8"),
        ("added up", f"{total:,}", "int32"),
        (f"plus the bias, {bias:,}", f"{total + bias:,}", "int32"),
        (f"× {multiplier:,}\n÷ $2^{{{shift}}}$, rounded", f"{scaled:,}", "int64, then int32"),
        (f"plus $z_y$ = {zero_points[1]},\nclipped", f"{code}", "int8"),
    )
    ax = style.new_axes(ax, 9.5, 1.9)
    ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(-0.95, 1.15))
    ax.set_axis_off()
    middle = {"ha": "center", "va": "center"}
    arrow = {"arrowstyle": "-|>", "color": style.SOFT, "shrinkA": 0, "shrinkB": 0}
    for x, (what, value, kind) in enumerate(steps):
        ax.add_patch(
            Rectangle((x - 0.36, -0.28), 0.72, 0.56, fc=style.PAPER, ec=style.BLUE, lw=1.4)
        )
        ax.text(x, 0, value, fontweight="bold", fontsize=9.5, **middle)
        ax.text(x, 0.7, what, fontsize=8.5, **middle)
        worth = "$s_x s_w$" if x < 3 else "$s_y$"
        ax.text(x, -0.62, f"{kind}\n1 is worth {worth}", fontsize=8, color=style.SOFT, **middle)
        if x:
            ax.annotate("", (x - 0.37, 0), (x - 0.63, 0), arrowprops=arrow)
    return ax
