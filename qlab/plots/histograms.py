"""Histograms of one layer: its weights with the quantization grid over them, its activations."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from qlab.plots import style

GRID_ROWS = 24  # at most this many channels
HEADROOM = 1.12


class WeightPanel:
    """Histogram of a layer's weights, and over it the values its codes can take."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax = ax
        self.bars = ax.stairs([0, 0], [0, 1, 2], fill=True, color=style.SKY, alpha=0.75)
        self.grid = PathPatch(Path([(0, 0)]), fill=False, ec=style.INK, snap=True)
        self.grid.set(antialiased=False, capstyle="butt")
        ax.add_patch(self.grid)
        self.note = _note(ax)
        self.marks = (self.bars, self.grid, self.note)
        ax.set(xlabel="weight", ylabel="number of weights")
        ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))

    @style.styled
    def frame(self, counts, edges, name=""):
        """Set limits and title for a layer."""
        counts, edges = np.asarray(counts, float), np.asarray(edges, float)
        self.bars.set_data(counts, edges)
        half = max(abs(edges[0]), abs(edges[-1])) * 1.06
        self.ax.set(xlim=(-half, half), ylim=(0, max(counts.max(), 1) * HEADROOM))
        self.ax.set_title(f"Weights of {name}" if name else "Weights and their grid")

    def show(self, scales, q_max, note=""):
        """Draw the grid."""
        self.note.set_text(note)
        self.grid.set_visible(scales is not None)
        if scales is not None:
            height = self.ax.get_ylim()[1] / HEADROOM
            self.grid.set_path(grid_path(np.atleast_1d(scales), q_max, height))
            dense = q_max > 63  # then thin and pale, so that what is behind stays visible
            self.grid.set(linewidth=0.34 if dense else 0.7, alpha=0.3 if dense else 0.8)


def grid_path(scales, q_max, height):
    """Upright ticks at the values codes can take, one row a channel."""
    scales = np.sort(np.asarray(scales, float))[::-1]
    chosen = np.linspace(0, len(scales) - 1, min(len(scales), GRID_ROWS)).round().astype(int)
    values = scales[chosen, None] * np.arange(-q_max, q_max + 1)
    feet = np.broadcast_to(np.arange(len(chosen))[:, None] * height / len(chosen), values.shape)
    ticks = np.stack([values, feet, values, feet + height / len(chosen)], axis=-1)
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), values.size)
    return Path(ticks.reshape(-1, 2), codes)


class ActivationPanel:
    """Histogram of what a layer puts out, with the range that its codes can hold."""

    @style.styled
    def __init__(self, ax):
        """Put empty marks on `ax`."""
        self.ax = ax
        self.below, self.above = (ax.axvspan(0, 1, color=style.FAINT, lw=0) for _ in range(2))
        look = {"fill": True, "color": style.ORANGE, "alpha": 0.75, "baseline": 0.5}
        self.bars = ax.stairs([0, 0], [0, 1, 2], **look)
        upright = {"transform": ax.get_xaxis_transform(), "color": style.INK}
        self.ends = ax.vlines([0, 1], 0, 1, lw=1.4, **upright)
        self.ticks = ax.vlines([0], 0, 0.05, lw=0.9, **upright)
        self.note = _note(ax)
        self.marks = (self.below, self.above, self.bars, self.ticks, self.ends, self.note)
        ax.set(xlabel="activation", ylabel="number of values", yscale="log")

    @style.styled
    def frame(self, counts, edges, name=""):
        """Set limits and title for a layer, from the histogram over all calibration images."""
        edges = np.asarray(edges, float)
        margin = 0.04 * (edges[-1] - edges[0] or 1)
        self.ax.set_xlim(edges[0] - margin, edges[-1] + margin)
        self.ax.set_ylim(0.5, max(np.max(counts), 1) * 6)
        self.ax.set_title(f"Activations after {name}" if name else "Activations and their range")

    def show(self, counts, edges, low, high, levels=None, note=""):
        """Draw the histogram and the range."""
        self.bars.set_data(np.asarray(counts, float), np.asarray(edges, float))
        left, right = self.ax.get_xlim()
        clips, few = low is not None, levels is not None and levels <= 64
        _span(self.below, left, low if clips else left)
        _span(self.above, high if clips else right, right)
        _stand(self.ends, [low, high] if clips else [], 1)
        _stand(self.ticks, np.linspace(low, high, levels) if few else [], 0.05)
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


def _note(ax):
    """Empty words at the top right, inside."""
    paper = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.5}
    place = {"transform": ax.transAxes, "ha": "right", "va": "top"}
    return ax.text(0.985, 0.975, "", fontsize=8.5, linespacing=1.3, bbox=paper, **place)


def _span(patch, left, right):
    """Shade from `left` to `right`, if that is anything."""
    patch.set_x(left)
    patch.set_width(max(right - left, 0))


def _stand(lines, at, height):
    """Let vertical lines stand at these places."""
    lines.set_segments([[(x, 0), (x, height)] for x in at])
